//! Do digits reach the other side's loudspeaker, and nothing else?
//!
//! Lives here: whole calls with real sound servers, in which somebody presses keys by ahoyctl.
//! Must not: look into a packet; `daemon/tests/paths/digits.rs` does.

use std::time::Duration;

use ahoy_dbus::{Dict, proxy};
use ahoy_tests::lab::{ANA, Desk, Talkers, two};

const SOON: Duration = Duration::from_secs(20);

/// How ahoyctl ends, asked to send these.
fn refused(desk: &Desk, tones: &str) -> anyhow::Result<Option<i32>> {
    Ok(desk.ctl(&["dtmf", "-"], tones)?.status.code())
}

#[tokio::test]
async fn pressed_keys_are_heard_at_the_other_side_muted_or_not_and_leave_no_trace() -> anyhow::Result<()> {
    let mut pair = Talkers::of(two().await?)?;
    anyhow::ensure!(refused(&pair.ana, "1")? == Some(5), "there is no call");
    let (ours, _) = pair.call().await?;
    pair.both_hear("they talk")?;

    pair.ana.ctl_reads(&["dtmf", "-"], ",80519*#\n")?;
    anyhow::ensure!(pair.ben_hears.digits(7, SOON)? == "80519*#");
    pair.ben_hears("the voice goes on", ANA)?;

    pair.ana.ctl_says(&["mute", "on"])?;
    pair.ben_hears.until_silence(SOON)?;
    pair.ana.ctl_says(&["dtmf", "ben", ",666,222"])?;
    anyhow::ensure!(pair.ben_hears.digits(2, SOON)? == "62", "muted is the microphone");
    pair.ben_hears.until_silence(SOON)?;
    pair.ana.ctl_says(&["mute", "off"])?;
    pair.ben_hears("not muted any more", ANA)?;

    for wrong in ["", "1 2", "E", &"1".repeat(65)] {
        anyhow::ensure!(refused(&pair.ana, wrong)? == Some(2), "{wrong:?}");
    }
    // Twice as many as may wait, and the third finds no place.
    for _ in 0..2 {
        pair.ana.ctl_reads(&["dtmf", "-"], &"9".repeat(64))?;
    }
    let call = proxy::CallProxy::builder(&pair.ana.bus().await?).path(ours).build().await?;
    let error = call.send_tones("9", &Dict::new()).await.unwrap_err().to_string();
    anyhow::ensure!(error.contains("RateLimited"), "{error}");

    // Who holds sends nothing, neither what waits nor what is asked for.
    pair.ben_hears.digits(1, SOON)?;
    pair.ana.ctl_says(&["hold"])?;
    pair.ben_hears.until_silence(SOON)?;
    anyhow::ensure!(refused(&pair.ana, "1")? == Some(5), "held");
    anyhow::ensure!(refused(&pair.ben, "1")? == Some(5), "held by the other");
    pair.ana.ctl_says(&["resume"])?;
    pair.ben_hears("what waited is gone", ANA)?;
    pair.ana.ctl_says(&["dtmf", ",333"])?;
    anyhow::ensure!(pair.ben_hears.digits(1, SOON)? == "3", "and new ones go at once");
    pair.ana.ctl_says(&["hangup"])?;
    anyhow::ensure!(refused(&pair.ana, "1")? == Some(5), "over");

    for desk in [&pair.ana, &pair.ben] {
        anyhow::ensure!(!desk.logged().contains("80519"), "{}: in the log", desk.name);
        let rows = desk.history().await?;
        anyhow::ensure!(rows.len() == 1 && !format!("{rows:?}").contains("80519"), "{rows:?}");
    }
    Ok(())
}
