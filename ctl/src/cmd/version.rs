//! `ahoyctl version`.
//!
//! Lives here: both versions, side by side.
//! Must not: start the daemon, or fail because it is not there.

use serde_json::json;

use super::Desk;
use crate::fault::{Exit, Fault};

/// Versions of ahoyctl and of the running ahoyd
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ahoyctl version")]
pub(crate) struct Args {}

/// Runs it.
pub(crate) async fn run(desk: &Desk) -> Result<Exit, Fault> {
    let ours = env!("CARGO_PKG_VERSION");
    let theirs = match desk.bus.look().await {
        Ok(world) => Some(world.manager().text("Version").to_owned()),
        Err(fault) if fault.exit == Exit::NotRunning => None,
        Err(fault) => return Err(fault),
    };
    if desk.out.is_json() {
        desk.out.object(json!({"ahoyctl": ours, "ahoyd": theirs}))?;
    } else {
        let theirs = theirs.unwrap_or_else(|| "not running".to_owned());
        desk.out.pairs(&[("ahoyctl", ours.to_owned()), ("ahoyd", theirs)])?;
    }
    Ok(Exit::Ok)
}
