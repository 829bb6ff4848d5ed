//! What becomes of a ring that lies at the relay when the person returns?
//!
//! Lives here: two real daemons and a relay; the one who is called is away when it rings, and back within the ring's lifetime.
//! Must not: wait by sleeping, or believe what a daemon says of a time without another's word for it.

use std::time::Duration;

use ahoy_dbus::{Dict, proxy};
use ahoy_tests::lab::{Desk, Place, dial, number, text, two_without_sound};

const SOON: Duration = Duration::from_secs(20);
const SECOND_US: i64 = 1_000_000;

type Outcome = anyhow::Result<()>;

/// Ana, and Ben who is away: both know each other.
async fn away() -> anyhow::Result<(Place, Desk, Desk)> {
    let (place, ana, mut ben) = two_without_sound().await?;
    ben.stop_daemon()?;
    Ok((place, ana, ben))
}

/// Ana rings for a minute, and the relay has it.
async fn ring(ana: &Desk) -> Outcome {
    let manager = proxy::ManagerProxy::new(&ana.bus().await?).await?;
    manager.dial("Ben", &Dict::new()).await?;
    ana.until_so(SOON, async || Ok(ana.logged().contains("input=\"carried\""))).await
}

#[tokio::test]
async fn who_gave_up_before_the_return_is_one_missed_row_of_that_time_and_no_ring() -> Outcome {
    let (place, ana, mut ben) = away().await?;
    ring(&ana).await?;
    ana.ctl_says(&["hangup"])?;
    let hers = ana.until_row(SOON, |row| number(row, "ended-at") != 0).await?;
    let called = number(&hers, "created-at");
    ben.start_daemon(&place.net)?;
    let row = ben.until_row(SOON, |row| text(row, "outcome") == "missed").await?;
    anyhow::ensure!(ben.logged().contains("input=\"rung\""), "the ring lay at the relay:\n{}", ben.tail());
    // Notes tell whole seconds. A ring that was waited for in vain would have ended by our own policy.
    let at = number(&row, "created-at");
    anyhow::ensure!((at - called).abs() < 2 * SECOND_US, "rang at {called}, but {at}: {row:?}");
    anyhow::ensure!(text(&row, "ended-by") == "remote", "the note has ended it: {row:?}");
    anyhow::ensure!(number(&row, "ringing-at") == 0 && text(&row, "name") == "Ana", "{row:?}");
    // Whatever else came of the ring has come before the next call is over.
    dial(&ana, "Ben").await?;
    ben.until_state("incoming", SOON).await?;
    ben.ctl_says(&["decline"])?;
    let rows = ben.history().await?;
    let outcomes: Vec<&str> = rows.iter().map(|row| text(row, "outcome")).collect();
    anyhow::ensure!(outcomes == ["declined", "missed"], "{rows:?}");
    let manager = proxy::ManagerProxy::new(&ben.bus().await?).await?;
    anyhow::ensure!(manager.missed_count().await? == 1, "one call was missed");
    Ok(())
}

#[tokio::test]
async fn who_still_calls_at_the_return_is_heard_to_ring_and_can_be_answered() -> Outcome {
    let (place, ana, mut ben) = away().await?;
    ring(&ana).await?;
    ben.start_daemon(&place.net)?;
    let theirs = ben.until_state("incoming", SOON).await?;
    ana.until_state("alerting", SOON).await?;
    ben.steer(&theirs).await?.answer(&Dict::new()).await?;
    ana.until_state("active", SOON).await?;
    ana.ctl_says(&["hangup"])?;
    ben.until_state("disconnected", SOON).await?;
    for (desk, direction) in [(&ana, "outgoing"), (&ben, "incoming")] {
        let rows = desk.history().await?;
        anyhow::ensure!(rows.len() == 1 && text(&rows[0], "outcome") == "answered", "{rows:?}");
        anyhow::ensure!(text(&rows[0], "direction") == direction, "{rows:?}");
    }
    Ok(())
}
