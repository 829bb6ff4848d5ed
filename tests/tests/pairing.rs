//! Do two people become each other's contacts by a code, with real daemons, a real relay and ahoyctl?
//!
//! Lives here: the two terminals, what the bus shows meanwhile, codes that fail, and that no log holds one.
//! Must not: need sound.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

use ahoy_dbus::proxy::ManagerProxy;
use ahoy_dbus::{Dict, ErrorName};
use ahoy_tests::lab::{Desk, Place, Relay, Running, binary, dial, text};
use rustix::process::{Pid, Signal, kill_process};

/// Long enough for a machine that has much to do.
const SOON: Duration = Duration::from_secs(60);

type Outcome = anyhow::Result<()>;

/// `ahoyctl pair` in a terminal of its own, with the code that it shows.
struct Showing {
    running: Running,
    rest: BufReader<ChildStdout>,
    code: String,
}

impl Showing {
    fn at(desk: &Desk) -> anyhow::Result<Self> {
        let mut running = Running::start(ctl(desk).arg("pair").stderr(Stdio::piped()))?;
        let out = running.child().stdout.take().ok_or_else(|| anyhow::anyhow!("no output"))?;
        let mut rest = BufReader::new(out);
        let mut code = String::new();
        rest.read_line(&mut code)?;
        Ok(Self { running, rest, code: code.trim().to_owned() })
    }

    /// How it ends: what else it printed, what it complained of, its exit code.
    fn end(mut self) -> anyhow::Result<(String, String, Option<i32>)> {
        let (mut out, mut complaint) = (String::new(), String::new());
        self.rest.read_to_string(&mut out)?;
        if let Some(mut errors) = self.running.child().stderr.take() {
            errors.read_to_string(&mut complaint)?;
        }
        Ok((out, complaint, self.running.child().wait()?.code()))
    }
}

/// ahoyctl on this desk, to be followed while it runs.
fn ctl(desk: &Desk) -> Command {
    let mut command = desk.local(&binary("ahoyctl").to_string_lossy());
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// Two at their desks who have never heard of each other.
async fn strangers() -> anyhow::Result<(Place, Desk, Desk)> {
    let place = Place::new()?;
    let (ana, ben) = (place.start_without_sound("Ana").await?, place.start_without_sound("Ben").await?);
    Ok((place, ana, ben))
}

fn contacts(desk: &Desk) -> anyhow::Result<usize> {
    Ok(desk.ctl_says(&["contact", "list"])?.lines().count())
}

/// What `ahoyctl pair` says of a contact.
fn said<'a>(out: &'a str, what: &str) -> &'a str {
    out.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix('\t')).unwrap_or_default()
}

/// The code with another last word.
fn mistyped(code: &str) -> String {
    let (said, relay) = code.split_once('@').unwrap_or((code, ""));
    let (before, last) = said.rsplit_once('-').unwrap_or((said, ""));
    let other = if last == "abandon" { "ability" } else { "abandon" };
    format!("{before}-{other}@{relay}")
}

#[tokio::test]
async fn a_code_in_two_terminals_makes_two_contacts_with_one_safety_number_who_can_call() -> Outcome {
    let (place, ana, ben) = strangers().await?;
    let shows = Showing::at(&ana)?;
    let code = shows.code.clone();
    anyhow::ensure!(code.ends_with(&format!("@127.0.0.1:{}", place.relay.port())), "{code}");
    let typed = ben.ctl_says(&["pair", &code.to_uppercase().replace('-', " ")])?;
    let (shown, complaint, exit) = shows.end()?;
    anyhow::ensure!((exit, complaint.as_str()) == (Some(0), ""), "{exit:?}: {complaint}");
    anyhow::ensure!(said(&shown, "contact") == "Ben" && said(&typed, "contact") == "Ana", "{shown}{typed}");
    let number = said(&shown, "safety number");
    anyhow::ensure!(number.len() == 71 && said(&typed, "safety number") == number, "{shown}{typed}");
    for (desk, other) in [(&ana, "Ben"), (&ben, "Ana")] {
        let row = desk.ctl_says(&["contact", "show", other, "--json"])?;
        anyhow::ensure!(row.contains(number) && row.contains("\"mutual\":true"), "{row}");
        let unused = desk.ctl_says(&["account", "cards"])?;
        anyhow::ensure!(unused.is_empty(), "the card is theirs: {unused}");
    }
    // The code is spent.
    let again = ben.ctl(&["pair", &code], "")?;
    anyhow::ensure!(again.status.code() == Some(10), "{again:?}");

    dial(&ana, "Ben").await?;
    ben.until_state("incoming", SOON).await?;
    ben.ctl_says(&["decline"])?;
    ana.until_state("disconnected", SOON).await?;
    dial(&ben, "Ana").await?;
    ana.until_state("incoming", SOON).await?;
    nothing_was_logged(&[&ana, &ben], &code)
}

/// The most talkative logs hold no word of a code.
fn nothing_was_logged(desks: &[&Desk], code: &str) -> Outcome {
    let said = code.split('@').next().unwrap_or_default();
    for desk in desks {
        let log = desk.logged();
        anyhow::ensure!(log.contains("DEBUG"), "another log");
        // "media" and the like are words of codes, too, and stand in a log by themselves: a code's two never beside each other.
        let words: Vec<&str> = said.split('-').skip(1).collect();
        let parts: Vec<&str> =
            log.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()).collect();
        let found = parts.windows(words.len()).any(|parts| parts == words);
        anyhow::ensure!(!words.is_empty() && !found, "{}: {words:?} are in the log", desk.name);
    }
    Ok(())
}

#[tokio::test]
async fn wrong_words_spend_the_code_and_both_hear_so_and_the_third_makes_them_wait() -> Outcome {
    let (_place, ana, ben) = strangers().await?;
    for _ in 0..3 {
        let shows = Showing::at(&ana)?;
        let wrong = mistyped(&shows.code);
        let typed = ben.ctl(&["pair", &wrong], "")?;
        let (_, complaint, exit) = shows.end()?;
        let heard = String::from_utf8_lossy(&typed.stderr).into_owned();
        for (complaint, exit) in [(&complaint, exit), (&heard, typed.status.code())] {
            anyhow::ensure!(
                exit == Some(1) && complaint.contains("words did not fit"),
                "{exit:?}: {complaint}"
            );
        }
    }
    for desk in [&ana, &ben] {
        let waits = desk.ctl(&["pair"], "")?;
        let complaint = String::from_utf8_lossy(&waits.stderr).into_owned();
        anyhow::ensure!(complaint.contains("10 min"), "{complaint}");
        anyhow::ensure!(contacts(desk)? == 0 && desk.ctl_says(&["account", "cards"])?.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn what_is_no_code_is_refused_by_name_and_spends_nothing() -> Outcome {
    let (_place, ana, ben) = strangers().await?;
    let shows = Showing::at(&ana)?;
    for (typed, exit, word) in [
        ("47", 2, "a number and two words"),
        ("471-abandon-ability", 2, "four or five digits"),
        ("4711-abandom-ability", 2, "is it \"abandon\""),
        ("4711-abandon-ability@127.0.0.1:9", 4, "cannot be reached from here"),
    ] {
        let out = ben.ctl(&["pair", typed], "")?;
        let complaint = String::from_utf8_lossy(&out.stderr).into_owned();
        anyhow::ensure!(out.status.code() == Some(exit) && complaint.contains(word), "{typed}: {complaint}");
    }
    let own = ana.ctl(&["pair", &shows.code], "")?;
    anyhow::ensure!(own.status.code() == Some(2), "her own: {own:?}");
    ben.ctl_says(&["pair", &shows.code])?;
    anyhow::ensure!(shows.end()?.2 == Some(0));
    Ok(())
}

#[tokio::test]
async fn ctrl_c_takes_the_code_back_and_the_bus_never_shows_one() -> Outcome {
    let (_place, ana, ben) = strangers().await?;
    let manager = ManagerProxy::new(&ana.bus().await?).await?;
    anyhow::ensure!(manager.pairing().await?.is_empty(), "there was none yet");
    let shows = Showing::at(&ana)?;
    let row = manager.get_fresh().await?;
    anyhow::ensure!(text(&row, "state") == "waiting" && row.contains_key("deadline-monotonic"), "{row:?}");
    for word in shows.code.split(['-', '@']).take(3) {
        anyhow::ensure!(!format!("{row:?}").contains(word), "{row:?}");
    }
    let (id, code) = (i32::try_from(shows.running.id())?, shows.code.clone());
    let id = Pid::from_raw(id).ok_or_else(|| anyhow::anyhow!("no process"))?;
    kill_process(id, Signal::INT)?;
    let (_, complaint, exit) = shows.end()?;
    anyhow::ensure!(exit == Some(1) && complaint.contains("Canceled"), "{exit:?}: {complaint}");
    anyhow::ensure!(text(&manager.get_fresh().await?, "reason") == "canceled");
    let late = ben.ctl(&["pair", &code], "")?;
    anyhow::ensure!(late.status.code() == Some(10), "{late:?}");
    anyhow::ensure!(contacts(&ben)? == 0);
    Ok(())
}

/// Reads the property anew.
trait Fresh {
    async fn get_fresh(&self) -> zbus::Result<Dict>;
}

impl Fresh for ManagerProxy<'_> {
    async fn get_fresh(&self) -> zbus::Result<Dict> {
        let bus = self.inner().connection();
        let properties = zbus::fdo::PropertiesProxy::new(bus, ahoy_dbus::BUS_NAME, ahoy_dbus::ROOT).await?;
        let value = properties.get(self.inner().interface().clone(), "Pairing").await?;
        Dict::try_from(value)
    }
}

#[tokio::test]
async fn a_relay_that_dies_ends_the_code_with_a_sentence() -> Outcome {
    let (place, ana, _ben) = strangers().await?;
    let shows = Showing::at(&ana)?;
    let Place { relay, net } = place;
    let port = relay.port();
    relay.kill();
    let (_, complaint, exit) = shows.end()?;
    anyhow::ensure!(exit == Some(4) && complaint.contains("relay broke"), "{exit:?}: {complaint}");
    let manager = ManagerProxy::new(&ana.bus().await?).await?;
    let refused =
        manager.start_pairing(&Dict::new()).await.err().and_then(|error| ahoy_dbus::Error::from_zbus(&error));
    anyhow::ensure!(refused.is_some_and(|error| error.name == ErrorName::NotConnected));
    // And with the next one it works again.
    let _relay = Relay::start(&net, port)?;
    ana.until_online(SOON).await?;
    let shows = Showing::at(&ana)?;
    anyhow::ensure!(!shows.code.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_program_gets_code_and_contact_as_json_lines() -> Outcome {
    let (_place, ana, ben) = strangers().await?;
    let mut running = Running::start(ctl(&ana).args(["pair", "--jsonl"]))?;
    let out = running.child().stdout.take().ok_or_else(|| anyhow::anyhow!("no output"))?;
    let mut lines = BufReader::new(out).lines();
    let mut next = || -> anyhow::Result<serde_json::Value> {
        let line = lines.next().ok_or_else(|| anyhow::anyhow!("no more lines"))??;
        Ok(serde_json::from_str(&line)?)
    };
    let first = next()?;
    anyhow::ensure!(first["v"] == 1 && first["lives_s"] == 600 && first["state"] == "waiting", "{first}");
    let code = first["code"].as_str().unwrap_or_default().to_owned();
    let typed: serde_json::Value = serde_json::from_str(&ben.ctl_says(&["pair", &code, "--json"])?)?;
    let last = next()?;
    anyhow::ensure!(running.child().wait()?.success());
    anyhow::ensure!(
        last["name"] == "Ben" && typed["name"] == "Ana" && typed["state"] == "paired",
        "{last} {typed}"
    );
    anyhow::ensure!(last["safety_number"] == typed["safety_number"] && binary("ahoyctl").exists());
    Ok(())
}
