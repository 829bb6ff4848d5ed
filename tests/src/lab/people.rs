//! What people do with each other before they can talk, and how they dial.
//!
//! Lives here: two of them at their desks, exchanging cards, dialing over the bus, the one row that is meant.
//! Must not: judge what comes of it.

use std::time::Duration;

use ahoy_dbus::{Dict, proxy};
use zbus::Variant;

use super::{Desk, Net, Relay};

/// Ana and Ben, online, without sound and without each other's card. `patience`: for each to come online.
pub async fn two_without_sound(net: &Net, relay: &Relay, patience: Duration) -> anyhow::Result<(Desk, Desk)> {
    let (ana, ben) = (Desk::prepare("Ana", &relay.url)?, Desk::prepare("Ben", &relay.url)?);
    let mut desks = [ana, ben];
    for desk in &mut desks {
        desk.begin("bus")?;
        desk.start_daemon(net)?;
        desk.until_online(patience).await?;
    }
    Ok(desks.into())
}

/// Each gets the other's card, as people do.
pub fn introduce(one: &Desk, other: &Desk) -> anyhow::Result<()> {
    for (from, to) in [(one, other), (other, one)] {
        let card = from.ctl_says(&["account", "card"])?;
        to.ctl_reads(&["contact", "add", "-"], &card)?;
    }
    Ok(())
}

/// Dials with the shortest lifetime; the path of the call.
pub async fn dial(from: &Desk, whom: &str) -> anyhow::Result<String> {
    let manager = proxy::ManagerProxy::new(&from.bus().await?).await?;
    let lifetime = Variant::from(10_u32).try_into()?;
    let options = Dict::from([("lifetime".to_owned(), lifetime)]);
    Ok(manager.dial(whom, &options).await?.to_string())
}
