//! `ahoyctl hangup`.
//!
//! Lives here: ending one call or all.
//! Must not: decide which end reason that makes.

use ahoy_dbus::Dict;
use serde_json::json;

use super::Desk;
use crate::bus::ask;
use crate::fault::{Exit, Fault};
use crate::pick;
use crate::print::FormArgs;

/// Hang up
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ahoyctl hangup --all")]
pub(crate) struct Args {
    /// Which call, if there are several: its id or the peer's name, or a beginning
    #[arg(add = crate::complete::calls())]
    call: Option<String>,
    /// All calls; succeeds with none
    #[arg(long, conflicts_with = "call")]
    all: bool,
    #[command(flatten)]
    pub(crate) form: FormArgs,
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
    let world = desk.bus.look().await?;
    let fits = |call: &crate::world::Call| call.props.flag("CanHangup");
    let call = pick::call(&world, args.call.as_deref(), fits, "There is no call to hang up.")?;
    ask(desk.bus.call(&call.path).await?.hangup(&Dict::new())).await?;
    desk.show_effect(&call.path).await?;
    Ok(Exit::Ok)
}
