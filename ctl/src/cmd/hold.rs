//! `ahoyctl hold`, `resume`, `swap` and `silence`.
//!
//! Lives here: putting a call aside and taking it up again, changing between two, stopping our own ringing.
//! Must not: decide which of several calls has the ear; the daemon does.

use ahoy_dbus::Dict;
use serde_json::json;

use super::Desk;
use crate::bus::ask;
use crate::fault::{Exit, Fault};
use crate::pick;
use crate::print::FormArgs;
use crate::world::Call;

/// Put the call aside: neither hears the other
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ahoyctl hold && ahoyctl call ben")]
pub(crate) struct HoldArgs {
    /// Which call, if there are several: its id or the peer's name, or a beginning
    #[arg(add = crate::complete::calls())]
    call: Option<String>,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

/// Take a held call up again; another that you talk in is held for it
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ahoyctl resume ana")]
pub(crate) struct ResumeArgs {
    /// Which call, if several are held: its id or the peer's name, or a beginning
    #[arg(add = crate::complete::calls())]
    call: Option<String>,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

/// Change between the call you talk in and the one you hold
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ahoyctl swap")]
pub(crate) struct SwapArgs {
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

/// Stop the ringing here; theirs goes on, and you can still answer
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ahoyctl silence")]
pub(crate) struct SilenceArgs {
    /// Which call, if several ring: its id or the peer's name, or a beginning
    #[arg(add = crate::complete::calls())]
    call: Option<String>,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

/// Runs `hold`.
pub(crate) async fn hold(desk: &Desk, args: HoldArgs) -> Result<Exit, Fault> {
    let world = desk.bus.look().await?;
    let fits = |call: &Call| call.props.flag("CanHold") && !call.props.flag("LocalHold");
    let call = pick::call(&world, args.call.as_deref(), fits, "There is no call to hold.")?;
    ask(desk.bus.call(&call.path).await?.hold(&Dict::new())).await?;
    desk.show_effect(&call.path).await?;
    Ok(Exit::Ok)
}

/// Runs `resume`.
pub(crate) async fn resume(desk: &Desk, args: ResumeArgs) -> Result<Exit, Fault> {
    let world = desk.bus.look().await?;
    let fits = |call: &Call| call.props.flag("CanHold") && call.props.flag("LocalHold");
    let call = pick::call(&world, args.call.as_deref(), fits, "You hold no call.")?;
    ask(desk.bus.call(&call.path).await?.resume(&Dict::new())).await?;
    desk.show_effect(&call.path).await?;
    Ok(Exit::Ok)
}

/// Runs `swap`.
pub(crate) async fn swap(desk: &Desk) -> Result<Exit, Fault> {
    ask(desk.bus.manager().await?.swap_calls(&Dict::new())).await?;
    let calls = desk.bus.look().await?.calls();
    let answered = |call: &&Call| call.props.flag("CanHold");
    if desk.out.is_json() {
        let calls: Vec<_> = calls.iter().filter(answered).map(Call::json).collect();
        desk.out.object(json!({"calls": calls}))?;
    } else {
        calls.iter().filter(answered).try_for_each(|call| desk.show_call(call))?;
    }
    Ok(Exit::Ok)
}

/// Runs `silence`.
pub(crate) async fn silence(desk: &Desk, args: SilenceArgs) -> Result<Exit, Fault> {
    let world = desk.bus.look().await?;
    let fits = |call: &Call| call.props.flag("CanAnswer") && !call.props.flag("Silenced");
    let call = pick::call(&world, args.call.as_deref(), fits, "No call rings here.")?;
    ask(desk.bus.call(&call.path).await?.silence(&Dict::new())).await?;
    desk.show_effect(&call.path).await?;
    Ok(Exit::Ok)
}
