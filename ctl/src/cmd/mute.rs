//! `ahoyctl mute`.
//!
//! Lives here: our microphone in one call or in all.
//! Must not: touch a sound device.

use ahoy_dbus::Dict;
use serde_json::json;

use super::Desk;
use crate::bus::ask;
use crate::fault::{Exit, Fault};
use crate::pick;
use crate::world::{Call, World, options};

/// Mute or unmute your microphone
#[derive(Debug, clap::Args)]
#[command(after_help = "Once `mute on` has returned, nothing you say goes out.\nExample: ahoyctl mute off")]
pub(crate) struct Args {
    /// What to do
    #[arg(value_enum, default_value_t = What::Toggle)]
    what: What,
    /// Which call, if there are several: its id or the peer's name, or a beginning
    #[arg(long, value_name = "CALL", add = crate::complete::calls())]
    call: Option<String>,
    /// The switch for all calls, later ones too
    #[arg(long, conflicts_with = "call")]
    all: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum What {
    On,
    Off,
    Toggle,
}

impl What {
    fn of(self, muted: bool) -> bool {
        match self {
            Self::On => true,
            Self::Off => false,
            Self::Toggle => !muted,
        }
    }
}

/// Runs it.
pub(crate) async fn run(desk: &Desk, args: Args) -> Result<Exit, Fault> {
    let world = desk.bus.look().await?;
    if args.all {
        return all(desk, &world, args.what).await;
    }
    let fits = |call: &Call| call.props.flag("CanMute");
    let call = pick::call(
        &world,
        args.call.as_deref(),
        fits,
        "There is no call to mute. For all later ones: --all",
    )?;
    let focused = world.focus().text("Call") == call.path;
    if args.what == What::Toggle && focused {
        // The daemon toggles, so that two hotkeys at once are two toggles.
        let path = zbus::OwnedObjectPath::try_from(call.path.as_str())?;
        let options = options([("expect-call", Some(path.into()))])?;
        ask(desk.bus.focus().await?.toggle_mute(&options)).await?;
    } else {
        let muted = args.what.of(call.props.flag("Muted"));
        ask(desk.bus.call(&call.path).await?.set_muted(muted, &Dict::new())).await?;
    }
    desk.show_effect(&call.path).await?;
    Ok(Exit::Ok)
}

async fn all(desk: &Desk, world: &World, what: What) -> Result<Exit, Fault> {
    let muted = what.of(world.manager().flag("Muted"));
    ask(desk.bus.manager().await?.set_muted(muted, &Dict::new())).await?;
    let muted = desk.bus.look().await?.manager().flag("Muted");
    let word = if muted { "muted" } else { "not muted" };
    desk.out.either(json!({"muted": muted}), &["all calls", word])?;
    Ok(Exit::Ok)
}
