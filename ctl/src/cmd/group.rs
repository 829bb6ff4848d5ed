//! `ahoyctl invite`, `join`, `merge`, `remove` and `volume`: calls of more than two.
//!
//! Lives here: which of the others in a call is meant, and which call.
//! Must not: decide who may do what; the daemon does.

use ahoy_dbus::Dict;
use serde_json::json;
use zbus::{OwnedObjectPath, Variant};

use super::{Desk, Which};
use crate::bus::ask;
use crate::fault::{Exit, Fault};
use crate::pick;
use crate::world::{Call, Props, World, options};

/// Call one more person into the call; a call of two becomes a group
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ahoyctl invite cleo")]
pub(crate) struct InviteArgs {
    /// Name, id or address of a contact (a unique beginning will do)
    #[arg(add = crate::complete::contacts())]
    target: String,
    #[command(flatten)]
    which: Which,
    /// How long it rings, in seconds
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(10..=180))]
    lifetime: Option<u32>,
}

/// Make one group of two calls
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without names: the call you talk in takes in the one you hold.\nExample: ahoyctl merge"
)]
pub(crate) struct MergeArgs {
    /// The call that stays
    #[arg(add = crate::complete::calls(), requires = "other")]
    call: Option<String>,
    /// The call that ends in it
    #[arg(add = crate::complete::calls())]
    other: Option<String>,
}

/// Put somebody out of a group
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Who began the group may, or who came first once that one has left.\nExample: ahoyctl remove ben"
)]
pub(crate) struct RemoveArgs {
    /// Whom: a name, or its beginning
    who: String,
    #[command(flatten)]
    which: Which,
}

/// Say how loud somebody is played
#[derive(Debug, clap::Args)]
#[command(after_help = "It is kept for this contact.\nExample: ahoyctl volume ben 150")]
pub(crate) struct VolumeArgs {
    /// Who: a name, or its beginning
    who: String,
    /// 0 is silence, 100 as loud as they come
    #[arg(value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(0..=200))]
    percent: u32,
    #[command(flatten)]
    which: Which,
}

/// Runs `invite`.
pub(crate) async fn invite(desk: &Desk, args: InviteArgs) -> Result<Exit, Fault> {
    let options = options([("lifetime", args.lifetime.map(Variant::from))])?;
    let none = "There is no call into which somebody could be called.";
    let invite = async |call: ahoy_dbus::proxy::CallProxy<'static>| call.invite(&args.target, &options).await;
    desk.act(args.which, |call| call.flag("CanInvite"), none, invite).await
}

/// Runs `join`.
pub(crate) async fn join(desk: &Desk, which: Which) -> Result<Exit, Fault> {
    let none = "There is no group call to enter.";
    desk.act(which, |call| call.flag("CanJoin"), none, async |call| call.join(&Dict::new()).await).await
}

/// Runs `merge`.
pub(crate) async fn merge(desk: &Desk, args: MergeArgs) -> Result<Exit, Fault> {
    let world = desk.bus.look().await?;
    let named = |name: Option<&str>, held: bool, none| {
        let fits = |call: &Call| {
            let flag = |name| call.props.flag(name);
            flag("CanHold") && (name.is_some() || flag("LocalHold") == held)
        };
        pick::call(&world, name, fits, none)
    };
    let stays = named(args.call.as_deref(), false, "You talk in no call.")?;
    let ends = named(args.other.as_deref(), true, "You hold no call that could be taken in.")?;
    let path = |call: &Call| {
        OwnedObjectPath::try_from(call.path.clone())
            .map_err(|_| Fault::new(Exit::Error, "The daemon shows a call without a path."))
    };
    let manager = desk.bus.manager().await?;
    ask(manager.merge(&[path(&stays)?, path(&ends)?], &Dict::new())).await?;
    desk.show_effect(&stays.path).await.map(|()| Exit::Ok)
}

/// Runs `remove`.
pub(crate) async fn remove(desk: &Desk, args: RemoveArgs) -> Result<Exit, Fault> {
    let (call, peer) = one(&desk.bus.look().await?, &args.which, &args.who)?;
    ask(desk.bus.peer(&peer).await?.remove(&Dict::new())).await?;
    desk.show_effect(&call.path).await.map(|()| Exit::Ok)
}

/// Runs `volume`.
pub(crate) async fn volume(desk: &Desk, args: VolumeArgs) -> Result<Exit, Fault> {
    let world = desk.bus.look().await?;
    let (_, peer) = one(&world, &args.which, &args.who)?;
    let volume = f64::from(args.percent) / 100.0;
    ask(desk.bus.peer(&peer).await?.set_volume(volume)).await?;
    let name = world.peer(&peer).map(|props| props.text("Name").to_owned()).unwrap_or_default();
    let percent = format!("{} %", args.percent);
    desk.out.either(json!({"name": name, "volume": volume}), &[&name, &percent]).map(|()| Exit::Ok)
}

/// One of the others in a call: the path of their object.
fn one(world: &World, which: &Which, who: &str) -> Result<(Call, String), Fault> {
    let going_on = |call: &Call| !call.is_over();
    let call = pick::call(world, which.call.as_deref(), going_on, "There is no call.")?;
    let wanted = who.to_lowercase();
    let begins = |props: &Props| props.text("Name").to_lowercase().starts_with(&wanted);
    let mut fitting: Vec<(String, Props)> =
        world.peers(&call).into_iter().filter(|(_, props)| begins(props)).collect();
    if let Some(exact) = fitting.iter().position(|(_, props)| props.text("Name").to_lowercase() == wanted) {
        fitting = vec![fitting.swap_remove(exact)];
    }
    match &fitting[..] {
        [(path, _)] => Ok((call, path.clone())),
        [] => Err(Fault::new(Exit::NoSuch, format!("Nobody in the call is called \"{who}\"."))),
        several => {
            let names: Vec<&str> = several.iter().map(|(_, props)| props.text("Name")).collect();
            let sentence = format!("Several are meant by \"{who}\": {}.", names.join(", "));
            Err(Fault::new(Exit::Usage, sentence))
        }
    }
}
