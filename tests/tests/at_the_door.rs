//! Does do-not-disturb mean now, for calls that are there already?
//!
//! Lives here: two real daemons and a relay, without sound: it is switched on while it rings, and off while somebody calls.
//! Must not: need a sound server.

use std::time::Duration;

use ahoy_dbus::{Dict, proxy};
use ahoy_tests::lab::{Net, Relay, introduce, text, two_without_sound};

const SOON: Duration = Duration::from_secs(20);

type Outcome = anyhow::Result<()>;

#[tokio::test]
async fn switched_on_while_it_rings_it_falls_silent_and_switched_off_while_somebody_calls_it_rings() -> Outcome
{
    let net = Net::new()?;
    let relay = Relay::start(&net, 0)?;
    let (ana, ben) = two_without_sound(&net, &relay, SOON).await?;
    introduce(&ana, &ben)?;
    let manager = proxy::ManagerProxy::new(&ana.bus().await?).await?;

    let theirs = manager.dial("Ben", &Dict::new()).await?;
    let here = ben.until_state("incoming", SOON).await?;
    ana.until_state("alerting", SOON).await?;
    ben.ctl_says(&["dnd", "on"])?;
    ben.until_flag(&here, "Silenced", true, SOON).await?;
    let row = ana.call(theirs.as_str()).await?;
    anyhow::ensure!(text(&row, "State") == "alerting", "the caller learns nothing of it: {row:?}");
    ben.ctl_says(&["hangup"])?;
    ana.until_state("disconnected", SOON).await?;
    ben.until_state("disconnected", SOON).await?;

    // It is on. Who calls now is kept away, and rings as soon as it is off.
    let before = ben.logged().matches("a ring was kept away").count();
    manager.dial("Ben", &Dict::new()).await?;
    ana.until_state("dialing", SOON).await?;
    let kept = async {
        while ben.logged().matches("a ring was kept away").count() == before {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, kept).await?;
    ana.until_state("dialing", SOON).await?;
    ben.ctl_says(&["dnd", "off"])?;
    let here = ben.until_state("incoming", SOON).await?;
    ana.until_state("alerting", SOON).await?;
    let row = ben.call(&here).await?;
    anyhow::ensure!(
        row.get("Silenced").and_then(|one| bool::try_from(one).ok()) == Some(false),
        "aloud: {row:?}"
    );
    ben.ctl_says(&["answer"])?;
    ana.until_state("active", SOON).await?;
    Ok(())
}
