//! What becomes of a call when the one in it is no contact any more?
//!
//! Lives here: two real daemons in a call, and a removal.
//! Must not: repeat what the tests of contacts show without a daemon.

use std::time::Duration;

use ahoy_tests::lab::{Net, Relay, dial, introduce, text, two_without_sound};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn who_is_removed_is_out_of_the_call() -> anyhow::Result<()> {
    let net = Net::new()?;
    let relay = Relay::start(&net, 0)?;
    let (ana, ben) = two_without_sound(&net, &relay, SOON).await?;
    introduce(&ana, &ben)?;
    let call = dial(&ana, "Ben").await?;
    ben.until_state("incoming", SOON).await?;
    ben.ctl_says(&["answer"])?;
    ana.until_state("active", SOON).await?;
    ben.ctl_says(&["contact", "rm", "Ana"])?;
    ana.until_call(&call, SOON, |row| text(row, "State") == "disconnected").await?;
    anyhow::ensure!(ben.until_state("disconnected", SOON).await.is_ok());
    Ok(())
}
