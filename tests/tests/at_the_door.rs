//! What becomes of a call that is there already when do-not-disturb or a contact's ring policy is changed?
//!
//! Lives here: two real daemons without sound, one of them disturbed or not.
//! Must not: repeat which contacts come through: a unit test has the table.

use std::time::Duration;

use ahoy_tests::lab::{dial, flag, text, two_without_sound};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn switched_on_while_it_rings_it_falls_silent_and_switched_off_while_somebody_calls_it_rings()
-> anyhow::Result<()> {
    let (_place, ana, ben) = two_without_sound().await?;
    let first = dial(&ana, "Ben").await?;
    let ringing = ben.until_state("incoming", SOON).await?;
    anyhow::ensure!(!flag(&ben.call(&ringing).await?, "Silenced"));
    ben.ctl_says(&["dnd", "on"])?;
    anyhow::ensure!(flag(&ben.call(&ringing).await?, "Silenced"), "it falls silent here");
    ana.until_call(&first, SOON, |row| text(row, "State") == "alerting").await?;
    ana.ctl_says(&["hangup"])?;
    ben.until_call(&ringing, SOON, |row| text(row, "State") == "disconnected").await?;

    // Who is kept away hears nothing: the debug log alone tells that a ring came.
    let kept = || ben.logged().matches("a ring was kept away").count();
    let before = kept();
    let second = dial(&ana, "Ben").await?;
    ben.until_so(SOON, async || Ok(kept() > before)).await?;
    anyhow::ensure!(text(&ana.call(&second).await?, "State") == "dialing", "and learns nothing");
    ben.ctl_says(&["dnd", "off"])?;
    let rings_on = ben.until_state("incoming", SOON).await?;
    ana.until_call(&second, SOON, |row| text(row, "State") == "alerting").await?;

    anyhow::ensure!(!flag(&ben.call(&rings_on).await?, "Silenced"));
    ben.ctl_says(&["contact", "set", "ana", "--ring", "silent"])?;
    anyhow::ensure!(flag(&ben.call(&rings_on).await?, "Silenced"), "a contact that becomes silent, too");
    Ok(())
}
