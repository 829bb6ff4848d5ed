//! Do several calls, do-not-disturb and calls that were missed do the right thing between real daemons?
//!
//! Lives here: days of three people, steered by ahoyctl and the bus, judged by what the speakers play and by the rows.
//! Must not: repeat what the simulation shows better.

use std::time::Duration;

use ahoy_dbus::{Dict, proxy};
use ahoy_tests::lab::{
    ANA, BEN, Desk, Ears, Mouth, Place, dial, dial_in_vain, flag, introduce, number, put_through, text, two,
};

const CLEO: f64 = 1_450.0;
const SOON: Duration = Duration::from_secs(30);

type Outcome = anyhow::Result<()>;

/// A desk with somebody who hums and listens.
struct Person {
    desk: Desk,
    hears: Ears,
    _mouth: Mouth,
}

impl Person {
    async fn start(name: &str, pitch: f64, place: &Place) -> anyhow::Result<Self> {
        let desk = place.start(name).await?;
        let (hears, _mouth) = (desk.listen()?, desk.hum(pitch)?);
        Ok(Self { desk, hears, _mouth })
    }
}

#[tokio::test]
async fn a_second_call_waits_is_answered_and_swapped_and_the_sound_goes_with_it() -> Outcome {
    let place = Place::new()?;
    let mut ana = Person::start("Ana", ANA, &place).await?;
    let mut ben = Person::start("Ben", BEN, &place).await?;
    let mut cleo = Person::start("Cleo", CLEO, &place).await?;
    introduce(&ana.desk, &ben.desk)?;
    introduce(&ana.desk, &cleo.desk)?;

    let (with_ben, _) = put_through(&ana.desk, &ben.desk).await?;
    ana.hears.until_tone(BEN, SOON)?;
    ben.hears.until_tone(ANA, SOON)?;

    // A second call rings beside the first, which goes on.
    let at_cleo = dial(&cleo.desk, "Ana").await?;
    let with_cleo = ana.desk.until_state("waiting", SOON).await?;
    let focus = proxy::FocusProxy::new(&ana.desk.bus().await?).await?;
    anyhow::ensure!(focus.call().await?.as_str() == with_ben && focus.state().await? == "active");
    anyhow::ensure!(focus.waiting().await?.as_str() == with_cleo && focus.waiting_name().await? == "Cleo");
    anyhow::ensure!(focus.can_answer().await? && focus.can_hold().await?);

    // Answered, it takes the place of the first.
    ana.desk.ctl_says(&["answer"])?;
    ana.hears.until_tone(CLEO, SOON)?;
    cleo.hears.until_tone(ANA, SOON)?;
    ben.hears.until_silence(SOON)?;
    anyhow::ensure!(text(&ana.desk.call(&with_ben).await?, "State") == "held");
    let at_ben = ben.desk.until_state("active", SOON).await?;
    until(&ben.desk, &at_ben, "RemoteHold", true).await?;
    anyhow::ensure!(!flag(&ben.desk.call(&at_ben).await?, "LocalHold"), "only Ana holds it");

    ana.desk.ctl_says(&["swap"])?;
    ana.hears.until_tone(BEN, SOON)?;
    ben.hears.until_tone(ANA, SOON)?;
    cleo.hears.until_silence(SOON)?;
    until(&ben.desk, &at_ben, "RemoteHold", false).await?;
    until(&cleo.desk, &at_cleo, "RemoteHold", true).await?;

    // The one who waits is still there when the other has gone.
    ben.desk.ctl_says(&["hangup"])?;
    cleo.hears.until_silence(SOON)?;
    ana.desk.ctl_says(&["resume", "cleo"])?;
    ana.hears.until_tone(CLEO, SOON)?;
    cleo.hears.until_tone(ANA, SOON)?;
    ana.desk.ctl_says(&["hangup"])?;
    cleo.desk.until_state("disconnected", SOON).await?;
    let rows = ana.desk.history().await?;
    anyhow::ensure!(rows.len() == 2 && rows.iter().all(|row| text(row, "outcome") == "answered"), "{rows:?}");
    Ok(())
}

#[tokio::test]
async fn who_may_not_disturb_hears_what_the_offline_would_say_and_a_favourite_rings() -> Outcome {
    let (place, ana, mut ben) = two().await?;
    let cleo = place.start("Cleo").await?;
    introduce(&cleo, &ben)?;
    ben.ctl_says(&["contact", "set", "ana", "--favorite", "on"])?;
    ben.ctl_says(&["dnd", "favorites", "--for", "1h"])?;
    let manager = proxy::ManagerProxy::new(&ben.bus().await?).await?;
    let (until, now) = (manager.dnd_until().await?, ahoyd::system::clock::unix_us());
    anyhow::ensure!(
        manager.dnd().await? == "favorites" && (3_500..3_700).contains(&((until - now) / 1_000_000))
    );

    // It outlives a restart.
    ben.kill_daemon();
    place.run(&mut ben, &[]).await?;
    anyhow::ensure!(ben.ctl_says(&["dnd"])?.contains("except favourites"));

    let watch = cleo.watch().await?;
    dial_in_vain(&cleo, "Ben").await?;
    dial(&ana, "Ben").await?;
    ben.until_state("incoming", SOON).await?;
    ben.ctl_says(&["decline", "--message", "in an hour"])?;
    let ended = ana.until_state("disconnected", SOON).await?;
    anyhow::ensure!(text(&ana.call(&ended).await?, "Message") == "in an hour");
    let disturbed = watch.until_end(Duration::from_secs(20)).await?;
    anyhow::ensure!(disturbed.contains("unavailable"), "{disturbed}");
    // Nothing rang; a note says that she called.
    let row = ben.until_row(SOON, |row| text(row, "name") == "Cleo").await?;
    anyhow::ensure!(text(&row, "outcome") == "missed" && number(&row, "ringing-at") == 0, "{row:?}");

    // The same call to somebody who is away looks the same to her.
    ben.kill_daemon();
    let watch = cleo.watch().await?;
    dial_in_vain(&cleo, "Ben").await?;
    let offline = watch.until_end(Duration::from_secs(20)).await?;
    anyhow::ensure!(disturbed == offline, "{disturbed}\n{offline}");
    Ok(())
}

#[tokio::test]
async fn who_is_blocked_while_it_rings_is_told_no_more_than_that_it_is_over() -> Outcome {
    let (_place, ana, ben) = two().await?;
    let call = dial_in_vain(&ana, "Ben").await?;
    let theirs = ben.until_state("incoming", SOON).await?;
    ben.ctl_says(&["contact", "block", "ana"])?;
    anyhow::ensure!(text(&ben.call(&theirs).await?, "State") == "disconnected", "it rings no more");
    ana.until_state("disconnected", Duration::from_secs(15)).await?;
    let reason = text(&ana.call(&call).await?, "StateReason").to_owned();
    anyhow::ensure!(["declined", "no-answer"].contains(&&*reason), "{reason}");
    anyhow::ensure!(text(&ana.call(&call).await?, "Message").is_empty());
    Ok(())
}

#[tokio::test]
async fn an_intercom_answers_by_itself_and_says_so_and_who_never_rings_is_not_heard() -> Outcome {
    let (_place, ana, ben) = two().await?;
    let manager = proxy::ManagerProxy::new(&ben.bus().await?).await?;
    anyhow::ensure!(manager.hold_and_answer(&Dict::new()).await.is_err(), "nothing rings here");

    anyhow::ensure!(
        ben.ctl_says(&["contact", "set", "ana", "--ring", "auto-answer"]).is_err(),
        "the safety number was not compared"
    );
    ben.ctl_says(&["contact", "verify", "ana"])?;
    ben.ctl_says(&["contact", "set", "ana", "--ring", "auto-answer"])?;
    let call = dial(&ana, "Ben").await?;
    let theirs = ben.until_state("active", SOON).await?;
    anyhow::ensure!(flag(&ben.call(&theirs).await?, "AutoAnswered"), "a client can tell");
    ana.until_call(&call, SOON, |row| text(row, "State") == "active").await?;
    ana.ctl_says(&["hangup"])?;
    ben.until_state("disconnected", SOON).await?;

    ben.ctl_says(&["contact", "set", "ana", "--ring", "never"])?;
    let call = dial_in_vain(&ana, "Ben").await?;
    ana.until_call(&call, Duration::from_secs(20), |row| text(row, "StateReason") == "unavailable").await?;
    // Only the note tells of it.
    let row = ben.until_row(SOON, |row| text(row, "outcome") == "missed").await?;
    anyhow::ensure!(number(&row, "ringing-at") == 0, "{row:?}");
    Ok(())
}

/// Waits until a flag of a call is so.
async fn until(desk: &Desk, call: &str, name: &str, value: bool) -> Outcome {
    desk.until_call(call, SOON, |row| flag(row, name) == value).await.map(|_| ())
}
