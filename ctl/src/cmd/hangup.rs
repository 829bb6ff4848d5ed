//! `ahoyctl hangup`.
//!
//! Lives here: ending one call or all.
//! Must not: decide which end reason that makes.

use ahoy_dbus::Dict;
use serde_json::json;

use super::{Desk, Which};
use crate::bus::ask;
use crate::fault::{Exit, Fault};
use crate::world::{Props, options};

/// Hang up
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ahoyctl hangup --all")]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// All calls; succeeds with none
    #[arg(long, conflicts_with = "call")]
    all: bool,
    /// End a group for all in it, if you may
    #[arg(long, conflicts_with = "all")]
    everyone: bool,
}

/// Runs it.
pub(crate) async fn run(desk: &Desk, args: Args) -> Result<Exit, Fault> {
    if args.all {
        ask(desk.bus.manager().await?.hangup_all(&Dict::new())).await?;
        if desk.out.is_json() {
            desk.out.object(json!({"done": true}))?;
        }
        return Ok(Exit::Ok);
    }
    let fits = |call: &Props| call.flag("CanHangup");
    let none = "There is no call to hang up.";
    let calls = desk.bus.look().await?.calls();
    if args.which.call.is_none() && !calls.iter().any(|call| fits(&call.props)) {
        // It may be a test call, which is on no list.
        let ended = ask(desk.bus.focus().await?.hangup(&Dict::new())).await;
        ended.map_err(|_: Fault| Fault::new(Exit::NoCall, none))?;
        return desk.out.either(json!({"done": true}), &["test call", "ended"]).map(|()| Exit::Ok);
    }
    let options = options([("everyone", args.everyone.then(|| true.into()))])?;
    desk.act(args.which, fits, none, async |call| call.hangup(&options).await).await
}
