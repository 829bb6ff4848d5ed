//! `ahoyctl` alone.
//!
//! Lives here: to a newcomer the next command in three lines at most, to others how things stand.
//! Must not: start anything; be in the way of who knows their way.

use super::steps::{meet, next_steps};
use super::{Desk, status};
use crate::bus::Bus;
use crate::fault::{Exit, Fault};
use crate::print::Printer;

/// Runs `ahoyctl` without a command.
pub(crate) async fn run(out: Printer) -> Result<Exit, Fault> {
    let world = match Bus::connect().await {
        Ok(bus) => match bus.look().await {
            Ok(world) => Some((Desk { bus, out }, world)),
            Err(fault) if fault.exit == Exit::NotRunning => None,
            Err(fault) => return Err(fault),
        },
        Err(fault) => return Err(fault),
    };
    match world {
        // Any verb starts it.
        None if !out.is_json() => out.pairs(&meet())?,
        Some((_, world)) if !out.is_json() && world.contact_count() == Some(0) => {
            let steps = next_steps(&world);
            out.pairs(&steps)?;
        }
        Some((desk, _)) => {
            status::run(&desk).await?;
            out.hint("\nAll commands: ahoyctl --help");
        }
        None => return Err(Fault::not_running()),
    }
    Ok(Exit::Ok)
}
