//! `ahoyctl hold`, `resume`, `swap` and `silence`.
//!
//! Lives here: putting a call aside and taking it up again, changing between two, stopping our own ringing.
//! Must not: decide which of several calls has the ear; the daemon does.

use ahoy_dbus::Dict;
use serde_json::json;

use super::{Desk, Which};
use crate::bus::ask;
use crate::fault::{Exit, Fault};
use crate::world::{Call, Props};

/// Put the call aside: neither hears the other
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ahoyctl hold && ahoyctl call ben")]
pub(crate) struct HoldArgs {
    #[command(flatten)]
    which: Which,
}

/// Take a held call up again; another that you talk in is held for it
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ahoyctl resume ana")]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    which: Which,
}

/// Change between the call you talk in and the one you hold
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ahoyctl swap")]
pub(crate) struct SwapArgs {}

/// Stop the ringing here; theirs goes on, and you can still answer
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ahoyctl silence")]
pub(crate) struct SilenceArgs {
    #[command(flatten)]
    which: Which,
}

/// Runs `hold`.
pub(crate) async fn hold(desk: &Desk, args: HoldArgs) -> Result<Exit, Fault> {
    let fits = |call: &Props| call.flag("CanHold") && !call.flag("LocalHold");
    let none = "There is no call to hold.";
    desk.act(args.which, fits, none, async |call| call.hold(&Dict::new()).await).await
}

/// Runs `resume`.
pub(crate) async fn resume(desk: &Desk, args: ResumeArgs) -> Result<Exit, Fault> {
    let fits = |call: &Props| call.flag("CanHold") && call.flag("LocalHold");
    desk.act(args.which, fits, "You hold no call.", async |call| call.resume(&Dict::new()).await).await
}

/// Runs `swap`.
pub(crate) async fn swap(desk: &Desk) -> Result<Exit, Fault> {
    ask(desk.bus.manager().await?.swap_calls(&Dict::new())).await?;
    let mut calls = desk.bus.look().await?.calls();
    calls.retain(|call| call.props.flag("CanHold"));
    if desk.out.is_json() {
        let calls: Vec<_> = calls.iter().map(Call::json).collect();
        desk.out.object(json!({"calls": calls}))?;
    } else {
        calls.iter().try_for_each(|call| desk.show_call(call))?;
    }
    Ok(Exit::Ok)
}

/// Runs `silence`.
pub(crate) async fn silence(desk: &Desk, args: SilenceArgs) -> Result<Exit, Fault> {
    let fits = |call: &Props| call.flag("CanAnswer") && !call.flag("Silenced");
    desk.act(args.which, fits, "No call rings here.", async |call| call.silence(&Dict::new()).await).await
}
