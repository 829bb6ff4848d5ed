//! What becomes of a call when the one in it is no contact any more?
//!
//! Lives here: two real daemons in a call, and a removal.
//! Must not: repeat what the tests of contacts show without a daemon.

use std::time::Duration;

use ahoy_tests::lab::{put_through, text, two_without_sound};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn who_is_removed_is_out_of_the_call() -> anyhow::Result<()> {
    let (_place, ana, ben) = two_without_sound().await?;
    let (call, _) = put_through(&ana, &ben).await?;
    ben.ctl_says(&["contact", "rm", "Ana"])?;
    ana.until_call(&call, SOON, |row| text(row, "State") == "disconnected").await?;
    anyhow::ensure!(ben.until_state("disconnected", SOON).await.is_ok());
    Ok(())
}
