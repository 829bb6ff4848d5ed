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

/// Runs `hold`.
pub(crate) async fn hold(desk: &Desk, which: Which) -> Result<Exit, Fault> {
    let fits = |call: &Props| call.flag("CanHold") && !call.flag("LocalHold");
    let none = "There is no call to hold.";
    desk.act(which, fits, none, async |call| call.hold(&Dict::new()).await).await
}

/// Runs `resume`.
pub(crate) async fn resume(desk: &Desk, which: Which) -> Result<Exit, Fault> {
    let fits = |call: &Props| call.flag("CanHold") && call.flag("LocalHold");
    desk.act(which, fits, "You hold no call.", async |call| call.resume(&Dict::new()).await).await
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
pub(crate) async fn silence(desk: &Desk, which: Which) -> Result<Exit, Fault> {
    let fits = |call: &Props| call.flag("CanAnswer") && !call.flag("Silenced");
    desk.act(which, fits, "No call rings here.", async |call| call.silence(&Dict::new()).await).await
}
