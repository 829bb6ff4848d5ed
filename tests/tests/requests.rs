//! Does a card that is added ask the other to add ours, and does a newer one reach contacts, with real daemons and a relay?
//!
//! Lives here: requests accepted, dismissed, kept and told; cards that become newer.
//! Must not: need sound.

use std::time::Duration;

use ahoy_dbus::{Dict, ErrorName, proxy::ContactsProxy};
use ahoy_tests::lab::{Desk, Place, Relay, dial, text};
use ahoy_tests::notifications::{Server, Told};
use anyhow::ensure;
use serde_json::Value;

/// Long enough for a machine that has much to do.
const SOON: Duration = Duration::from_secs(60);

type Outcome = anyhow::Result<()>;

/// Ana and Ben, who have never heard of each other.
async fn strangers() -> anyhow::Result<(Place, Desk, Desk)> {
    let place = Place::new()?;
    let (ana, ben) = (place.start_without_sound("Ana").await?, place.start_without_sound("Ben").await?);
    Ok((place, ana, ben))
}

/// Ana gives a card to Ben, who adds it.
fn ask(ana: &Desk, ben: &Desk, for_whom: &str) -> anyhow::Result<String> {
    let card = ana.ctl_says(&["account", "card", "--for", for_whom])?;
    ben.ctl_reads(&["contact", "add", "-"], &card)?;
    Ok(card)
}

async fn requests(desk: &Desk) -> anyhow::Result<Vec<Dict>> {
    Ok(ContactsProxy::new(&desk.bus().await?).await?.requests(&Dict::new()).await?)
}

async fn until_asked(desk: &Desk, count: u32) -> Outcome {
    let contacts = ContactsProxy::new(&desk.bus().await?).await?;
    desk.until_so(SOON, async || Ok(contacts.request_count().await? == count)).await
}

fn contact(desk: &Desk, whom: &str) -> anyhow::Result<Value> {
    let said: Value = serde_json::from_str(&desk.ctl_says(&["contact", "show", whom, "--json"])?)?;
    Ok(said["contact"].clone())
}

async fn until_contact(desk: &Desk, whom: &str, fits: impl Fn(&Value) -> bool) -> Outcome {
    desk.until_so(SOON, async || Ok(contact(desk, whom).is_ok_and(|row| fits(&row)))).await
}

/// The daemon of a desk will use these relays.
fn at_relays(desk: &Desk, relays: &[&Relay]) -> Outcome {
    let urls: Vec<String> = relays.iter().map(|relay| format!("\"{}\"", relay.url)).collect();
    let (name, urls) = (&desk.name, urls.join(", "));
    let text = format!("[account]\nname = \"{name}\"\n[relay]\nurls = [{urls}]\n[log]\nlevel = \"debug\"\n");
    Ok(desk.configure(&format!("{text}[ring]\nmuted = true\ntones = false\n"))?)
}

/// Its daemon has taken a second newer card.
async fn until_taken(desk: &Desk) -> Outcome {
    let taken = || desk.logged().matches("a contact has a newer card").count();
    desk.until_so(SOON, async || Ok(taken() >= 2)).await
}

#[tokio::test]
async fn a_card_that_is_added_asks_and_accepting_it_makes_both_contacts_who_can_call() -> Outcome {
    let (_place, ana, ben) = strangers().await?;
    let mut screen = Server::on(ana.bus().await?, 0, vec!["body", "actions"]).await?;
    ask(&ana, &ben, "Ben at work")?;
    until_asked(&ana, 1).await?;
    let row = &requests(&ana).await?[0];
    let number = contact(&ben, "Ana")?["safety_number"].as_str().unwrap_or_default().to_owned();
    ensure!((text(row, "name"), text(row, "given-to")) == ("Ben", "Ben at work"), "{row:?}");
    ensure!(!number.is_empty() && text(row, "safety-number") == number, "{row:?}");
    let Told::Notify { summary, buttons, urgency, category, .. } = screen.told().await else {
        anyhow::bail!("a notice was taken away")
    };
    ensure!(
        summary == "Ben asks to be your contact" && urgency < 2 && category != "call.incoming",
        "{summary}"
    );
    ensure!(buttons == ["accept", "Accept", "dismiss", "Dismiss"], "{buttons:?}");
    let status = ana.ctl_says(&["status"])?;
    ensure!(status.contains("requests\t1: ahoyctl contact requests"), "{status}");
    let listed = ana.ctl_says(&["contact", "requests"])?;
    ensure!(listed.contains("\tBen\t") && listed.contains("\tBen at work\t"), "{listed}");
    ensure!(ana.ctl_says(&["contact", "list"])?.is_empty(), "nobody is a contact by asking");
    ensure!(ana.ctl_says(&["history"])?.is_empty(), "nothing rang");
    ensure!(contact(&ben, "Ana")?["mutual"] == false);

    let accepted = ana.ctl_says(&["contact", "accept", "ben"])?;
    ensure!(accepted.contains("\tBen\t") && accepted.contains("mutual"), "{accepted}");
    ensure!(matches!(screen.told().await, Told::Close(_)), "an answered request has no notice");
    until_asked(&ana, 0).await?;
    until_contact(&ben, "Ana", |row| row["mutual"] == true).await?;
    ensure!(requests(&ben).await?.is_empty(), "Ana's card asks nobody who has it");
    for desk in [&ana, &ben] {
        ensure!(desk.ctl_says(&["account", "cards"])?.is_empty(), "every card is somebody's");
    }
    dial(&ana, "Ben").await?;
    ben.until_state("incoming", SOON).await?;
    ben.ctl_says(&["decline"])?;
    ana.until_state("disconnected", SOON).await?;
    dial(&ben, "Ana").await?;
    ana.until_state("incoming", SOON).await?;
    Ok(())
}

#[tokio::test]
async fn a_request_outlives_a_restart_is_dismissed_without_a_word_and_cannot_be_answered_twice() -> Outcome {
    let (place, mut ana, ben) = strangers().await?;
    ask(&ana, &ben, "")?;
    until_asked(&ana, 1).await?;
    ana.stop_daemon()?;
    ana.start_daemon(&place.net)?;
    ana.until_online(SOON).await?;
    until_asked(&ana, 1).await?;
    let dismissed = ana.ctl_says(&["contact", "dismiss", "Ben"])?;
    ensure!(dismissed.starts_with("dismissed"), "{dismissed}");
    until_asked(&ana, 0).await?;
    ensure!(ana.ctl_says(&["account", "cards"])?.is_empty(), "the card that he has is taken back");
    let contacts = ContactsProxy::new(&ana.bus().await?).await?;
    for answer in ["accept", "dismiss"] {
        let again = ana.ctl(&["contact", answer, "Ben"], "")?;
        let complaint = String::from_utf8_lossy(&again.stderr).into_owned();
        ensure!(again.status.code() == Some(10) && complaint.contains("contact requests"), "{complaint}");
    }
    let refused = contacts.accept("00000000000000000000000000000000", &Dict::new()).await.err();
    let name = refused.and_then(|error| ahoy_dbus::Error::from_zbus(&error)).map(|error| error.name);
    ensure!(name == Some(ErrorName::NoSuchRecord), "{name:?}");
    // What he sees is what he saw before, and his next calls ring nobody.
    ensure!(contact(&ben, "Ana")?["mutual"] == false);
    let called = ben.ctl(&["call", "Ana", "--wait", "--lifetime", "10"], "")?;
    ensure!(called.status.code() == Some(9), "{called:?}");
    ensure!(requests(&ana).await?.is_empty() && ana.ctl_says(&["history"])?.is_empty());
    Ok(())
}

#[tokio::test]
async fn who_adds_the_card_while_the_other_is_away_is_heard_of_later_and_asks_once() -> Outcome {
    let (place, mut ana, ben) = strangers().await?;
    let card = ana.ctl_says(&["account", "card"])?;
    ana.stop_daemon()?;
    ben.ctl_reads(&["contact", "add", "-"], &card)?;
    ben.ctl_reads(&["contact", "add", "-"], &card)?;
    ana.start_daemon(&place.net)?;
    ana.until_online(SOON).await?;
    until_asked(&ana, 1).await?;
    // His own words for himself, and not those that would steer a terminal.
    let name = "Benjamin";
    ben.ctl_says(&["config", "set", "account.name", name])?;
    ana.until_so(SOON, async || Ok(requests(&ana).await?.iter().any(|row| text(row, "name") == name)))
        .await?;
    ensure!(requests(&ana).await?.len() == 1, "one person asks once");
    Ok(())
}

#[tokio::test]
async fn a_newer_card_reaches_contacts_with_its_name_and_its_relay_and_a_call_finds_the_new_one() -> Outcome {
    let place = Place::new()?;
    let second = Relay::start(&place.net, 0)?;
    let mut ana = place.desk("Ana")?;
    at_relays(&ana, &[&place.relay, &second])?;
    place.run(&mut ana, &["bus"]).await?;
    let ben = place.start_without_sound("Ben").await?;
    ask(&ana, &ben, "")?;
    until_asked(&ana, 1).await?;
    ana.ctl_says(&["contact", "accept", "ben"])?;
    until_contact(&ben, "Ana", |row| row["mutual"] == true).await?;

    ben.ctl_says(&["config", "set", "account.name", "Benjamin"])?;
    until_contact(&ana, "Benjamin", |row| row["mutual"] == true).await?;

    // Ben moves to Ana's second relay, and his first one goes.
    ben.ctl_says(&["config", "set", "relay.urls", &second.url])?;
    until_taken(&ana).await?;
    place.relay.kill();
    ana.until_so(SOON, async || {
        // Each try rings at the relays of the card that she has by then.
        let path = dial(&ana, "Benjamin").await?;
        let rang = ben.until_state("incoming", Duration::from_secs(3)).await.is_ok();
        ana.ctl_says(&["hangup"])?;
        ana.until_call(&path, SOON, |row| text(row, "State") == "disconnected").await?;
        Ok(rang)
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_relay_that_takes_no_card_is_asked_again_when_it_is_back() -> Outcome {
    let (place, ana, ben) = strangers().await?;
    let card = ana.ctl_says(&["account", "card"])?;
    let Place { relay, net } = place;
    let port = relay.port();
    relay.kill();
    ben.until_problem(Some("relay"), SOON).await?;
    ben.ctl_reads(&["contact", "add", "-"], &card)?;
    let _relay = Relay::start(&net, port)?;
    ana.until_online(SOON).await?;
    until_asked(&ana, 1).await
}
