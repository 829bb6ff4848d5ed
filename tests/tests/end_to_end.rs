//! Do two real daemons and a relay complete a call through a real sound server, and is what was said heard?
//!
//! Lives here: whole calls, steered over the bus and by ahoyctl, judged by what the other one's speaker plays.
//! Must not: look into a daemon, or trust what it says of itself where sound or rows can be asked instead.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use ahoy_dbus::{Dict, proxy};
use ahoy_tests::lab::{
    ANA, BEN, Desk, Net, Place, Relay, Running, Talkers, dial, dial_in_vain, introduce, text, two,
    two_without_sound,
};
use rustix::process::{Pid, Signal, kill_process};
use zbus::Variant;

const SOON: Duration = Duration::from_secs(30);
/// How fast a part that comes must be taken up.
const TAKEN_UP: Duration = Duration::from_secs(5);

type Outcome = anyhow::Result<()>;

/// Ana and Ben, each with the other's card, humming.
async fn pair() -> anyhow::Result<Talkers> {
    Talkers::of(two().await?)
}

/// Ana calls, Ben answers, both hear the other; the paths of the call at Ana's and at Ben's.
async fn talk(pair: &mut Talkers) -> anyhow::Result<(String, String)> {
    let paths = pair.call().await?;
    pair.both_hear("they talk")?;
    Ok(paths)
}

/// Both histories have one row, with that reason.
async fn row(pair: &Talkers, reason: &str) -> Outcome {
    for desk in [&pair.ana, &pair.ben] {
        let rows = desk.history().await?;
        anyhow::ensure!(rows.len() == 1, "{}: {rows:?}", desk.name);
        anyhow::ensure!(text(&rows[0], "reason") == reason, "{}: {rows:?}", desk.name);
    }
    Ok(())
}

#[tokio::test]
async fn what_is_said_is_heard_and_mute_is_silent_and_both_histories_have_the_call() -> Outcome {
    let mut pair = pair().await?;
    dial(&pair.ana, "Ben").await?;
    pair.ben.until_state("incoming", SOON).await?;
    pair.ana.until_state("alerting", SOON).await?;
    may_dial(&pair.ana, "a call is being dialed already").await?;
    may_dial(&pair.ben, "").await?;
    // Both hum, and nobody has answered.
    let early = pair
        .ben_hears
        .loudest(Duration::from_millis(500))?
        .max(pair.ana_hears.loudest(Duration::from_millis(500))?);
    anyhow::ensure!(early < -70.0, "heard before the answer: {early} dBFS");

    pair.ben.ctl_says(&["answer"])?;
    let call = pair.ana.until_state("active", SOON).await?;
    pair.both_hear("in the call")?;

    pair.ana.steer(&call).await?.set_muted(true, &Dict::new()).await?;
    pair.ben_hears.until_silent_for(Duration::from_secs(2), SOON)?;
    pair.ana_hears.until_tone(BEN, SOON)?;
    pair.ana.ctl_says(&["mute", "off"])?;
    pair.ben_hears.until_tone(ANA, SOON)?;
    may_dial(&pair.ana, "").await?;
    let focus = proxy::FocusProxy::new(&pair.ana.bus().await?).await?;
    for muted in [true, false] {
        let now = focus.toggle_mute(&Dict::new()).await?;
        let seen = pair.ana.call(&call).await?.get("Muted").cloned();
        anyhow::ensure!(now == muted && seen == Some(Variant::from(muted).try_into()?), "{now}, {seen:?}");
    }

    pair.ben.ctl_says(&["hangup"])?;
    let ended = pair.ana.until_state("disconnected", SOON).await?;
    anyhow::ensure!(ended == call && text(&pair.ana.call(&call).await?, "StateReason") == "completed");
    pair.ben.until_state("disconnected", SOON).await?;
    pair.ana_hears.until_silence(SOON)?;
    pair.ben_hears.until_silence(SOON)?;
    row(&pair, "completed").await?;
    for desk in [&pair.ana, &pair.ben] {
        nothing_private_was_logged(desk).await?;
    }
    Ok(())
}

/// Whether dialing is possible there stands beside the verb, and why not: an empty sentence if it is.
async fn may_dial(desk: &Desk, why_not: &str) -> Outcome {
    let manager = proxy::ManagerProxy::new(&desk.bus().await?).await?;
    let (can, why) = (manager.can_dial().await?, manager.cannot_dial_reason().await?);
    anyhow::ensure!(can == why_not.is_empty() && why == why_not, "{}: {can}, {why:?}", desk.name);
    Ok(())
}

/// The most talkative log of a whole call holds no name, address, card, description or candidate.
async fn nothing_private_was_logged(desk: &Desk) -> Outcome {
    let log = desk.logged();
    anyhow::ensure!(log.contains("DEBUG") && log.contains("Answered"), "another log");
    let account = desk.ctl_says(&["account", "card"])?;
    let rows = desk.history().await?;
    let private = [
        text(&rows[0], "address"),
        text(&rows[0], "contact"),
        &account[..12],
        "fingerprint",
        "candidate:",
        "ufrag",
    ];
    for word in private.into_iter().chain(["\"Ana\"", "\"Ben\"", " Ana ", " Ben ", "=Ana", "=Ben"]) {
        anyhow::ensure!(!word.is_empty() && !log.contains(word), "{}: {word} is in the log", desk.name);
    }
    Ok(())
}

#[tokio::test]
async fn a_sound_server_that_comes_late_is_taken_up_by_the_same_process() -> Outcome {
    let place = Place::new()?;
    let mut ana = place.desk("Ana")?;
    ana.begin("bus")?;
    ana.start_daemon(&place.net)?;
    ana.until_problem(Some("sound"), SOON).await?;
    let before = ana.daemon()?;
    ana.begin("sound")?;
    ana.until_problem(None, TAKEN_UP).await?;
    anyhow::ensure!(ana.daemon()? == before && before.1.is_none(), "the same process goes on");

    let ben = place.start("Ben").await?;
    introduce(&ana, &ben)?;
    talk(&mut Talkers::of((place, ana, ben))?).await?;
    Ok(())
}

#[tokio::test]
async fn a_relay_that_comes_late_is_taken_up_by_the_same_process() -> Outcome {
    let Place { relay: first, net } = Place::new()?;
    let (url, port) = (first.url.clone(), first.port());
    first.kill();
    let mut ana = Desk::prepare("Ana", &url)?;
    ana.begin("bus")?;
    ana.begin("sound")?;
    ana.start_daemon(&net)?;
    ana.until_problem(Some("relay"), SOON).await?;
    let before = ana.daemon()?;
    let place = Place { relay: Relay::start(&net, port)?, net };
    ana.until_online(TAKEN_UP).await?;
    anyhow::ensure!(ana.daemon()? == before && before.1.is_none(), "the same process goes on");
    let ben = place.start("Ben").await?;
    introduce(&ana, &ben)?;
    dial(&ana, "Ben").await?;
    ben.until_state("incoming", SOON).await?;
    Ok(())
}

#[tokio::test]
async fn a_bus_that_comes_late_is_taken_up_by_the_same_process() -> Outcome {
    let place = Place::new()?;
    let mut ana = place.desk("Ana")?;
    ana.begin("sound")?;
    ana.start_daemon(&place.net)?;
    // Ben's start is the time that Ana's daemon has to be without a bus.
    let ben = place.start("Ben").await?;
    let before = ana.daemon()?;
    anyhow::ensure!(before.1.is_none(), "the daemon runs without a bus: {}", ana.logged());
    anyhow::ensure!(ana.logged().contains("bus"), "and says so: {}", ana.logged());
    ana.begin("bus")?;
    ana.until_online(TAKEN_UP).await?;
    anyhow::ensure!(ana.daemon()? == before, "the same process goes on");
    introduce(&ana, &ben)?;
    dial(&ben, "Ana").await?;
    ana.until_state("incoming", SOON).await?;
    Ok(())
}

/// A daemon without a relay.
async fn alone() -> anyhow::Result<(Net, Desk)> {
    let (net, mut ana) = (Net::new()?, Desk::prepare("Ana", "ws://127.0.0.1:9")?);
    ana.begin("bus")?;
    ana.start_daemon(&net)?;
    ana.until_problem(Some("relay"), SOON).await?;
    Ok((net, ana))
}

#[tokio::test]
async fn a_second_daemon_says_so_and_ends_with_success() -> Outcome {
    let (net, mut ana) = alone().await?;
    let second = ana.daemon_command(&net).stdin(Stdio::null()).output()?;
    let said = [second.stdout, second.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    anyhow::ensure!(second.status.code() == Some(0), "{:?}: {said}", second.status);
    anyhow::ensure!(said.contains("already"), "{said}");
    anyhow::ensure!(ana.daemon()?.1.is_none(), "the first goes on");
    Ok(())
}

#[tokio::test]
async fn a_daemon_begun_while_another_is_ending_waits_for_its_end_and_serves() -> Outcome {
    let (net, mut ana) = alone().await?;
    let old = Pid::from_raw(i32::try_from(ana.daemon()?.0)?).expect("a process has a number");
    // One that takes its time to end.
    kill_process(old, Signal::STOP)?;
    kill_process(old, Signal::TERM)?;
    let mut second = Running::start(ana.daemon_command(&net).stdin(Stdio::null()).stderr(Stdio::piped()))?;
    let mut said = BufReader::new(second.child().stderr.take().expect("its output is ours"));
    let mut line = String::new();
    said.read_line(&mut line)?;
    anyhow::ensure!(line.contains("waiting up to 5 seconds"), "{line}");
    anyhow::ensure!(second.child().try_wait()?.is_none(), "it waits");
    kill_process(old, Signal::CONT)?;
    ana.stop_daemon()?;
    // What it logs from now on must not stop it.
    let log = std::thread::Builder::new().spawn(move || std::io::copy(&mut said, &mut std::io::sink()))?;
    ana.until_problem(Some("relay"), SOON).await?;
    anyhow::ensure!(second.child().try_wait()?.is_none(), "the second serves");
    drop(second);
    log.join().expect("reading cannot panic")?;
    Ok(())
}

#[tokio::test]
async fn a_bad_key_in_the_configuration_is_named_with_line_and_column() -> Outcome {
    let net = Net::new()?;
    let ana = Desk::prepare("Ana", "ws://127.0.0.1:9")?;
    ana.configure("[account]\nname = \"Ana\"\n[call]\n  lifetiem = 60\n")?;
    let run = ana.daemon_command(&net).stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&run.stderr);
    anyhow::ensure!(!run.status.success(), "it does not start");
    anyhow::ensure!(said.contains("lifetiem") && said.contains("4:3"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_path_that_is_cut_for_three_seconds_is_mended_in_the_same_call() -> Outcome {
    let mut pair = pair().await?;
    let (ours, theirs) = talk(&mut pair).await?;
    pair.place.net.cut_udp()?;
    let lost = pair.ana.until_state("reconnecting", SOON).await?;
    pair.ben_hears.until_silence(SOON)?;
    // The rest of the three seconds, in sound.
    pair.ben_hears.loudest(Duration::from_secs(1))?;
    let dropped = pair.place.net.mend_udp()?;
    anyhow::ensure!(dropped > 0, "nothing was cut");
    pair.both_hear("mended")?;
    let back = pair.ana.until_state("active", SOON).await?;
    anyhow::ensure!(lost == ours && back == ours, "the same call for Ana");
    anyhow::ensure!(pair.ben.until_state("active", SOON).await? == theirs, "the same call for Ben");
    pair.ana.ctl_says(&["hangup"])?;
    pair.ben.until_state("disconnected", SOON).await?;
    row(&pair, "completed").await
}

#[tokio::test]
async fn a_path_that_stays_cut_ends_the_call_as_lost_on_both_sides() -> Outcome {
    let mut pair = pair().await?;
    talk(&mut pair).await?;
    pair.place.net.cut_udp()?;
    let window = Duration::from_secs(40);
    pair.ana.until_state("disconnected", window).await?;
    pair.ben.until_state("disconnected", SOON).await?;
    anyhow::ensure!(pair.place.net.mend_udp()? > 0, "nothing was cut");
    row(&pair, "connection-lost").await
}

#[tokio::test]
async fn nobody_notices_that_the_relay_is_killed_in_a_call() -> Outcome {
    let mut pair = pair().await?;
    let (ours, theirs) = talk(&mut pair).await?;
    let Talkers { ana, ben, mut ana_hears, mut ben_hears, mouths: _mouths, place } = pair;
    place.relay.kill();
    ana.until_problem(Some("relay"), SOON).await?;
    // Five more rounds of talk, each with both tones; a loaded machine may drop a frame of sound now and then.
    for _ in 0..5 {
        ana_hears.until_tone(BEN, Duration::from_secs(4))?;
        ben_hears.until_tone(ANA, Duration::from_secs(4))?;
        ben_hears.loudest(Duration::from_millis(800))?;
    }
    for (desk, call) in [(&ana, &ours), (&ben, &theirs)] {
        anyhow::ensure!(text(&desk.call(call).await?, "State") == "active", "{} noticed", desk.name);
    }
    // The end goes over the call's own channel.
    ben.ctl_says(&["hangup"])?;
    ana.until_state("disconnected", SOON).await?;
    anyhow::ensure!(text(&ana.call(&ours).await?, "StateReason") == "completed");
    drop(place.net);
    Ok(())
}

#[tokio::test]
async fn a_blocked_caller_a_stranger_and_an_offline_inbox_look_the_same_to_the_caller() -> Outcome {
    let mut pair = pair().await?;
    let contacts = proxy::ContactsProxy::new(&pair.ben.bus().await?).await?;
    let (known, _) = contacts.list(&Dict::new(), &Dict::new()).await?;
    let id = text(&known[0], "id").to_owned();

    contacts.block(&id, &Dict::new()).await?;
    let blocked = seen_by_a_caller(&pair).await?;
    contacts.remove(&id, &Dict::new()).await?;
    let stranger = seen_by_a_caller(&pair).await?;
    anyhow::ensure!(pair.ben.history().await?.is_empty(), "Ben's phone shows nothing of it");
    pair.ben.kill_daemon();
    let offline = seen_by_a_caller(&pair).await?;

    anyhow::ensure!(blocked.contains("unavailable"), "{blocked}");
    anyhow::ensure!(blocked == stranger && stranger == offline, "{blocked}\n{stranger}\n{offline}");
    Ok(())
}

/// All that Ana's bus says of one call to Ben that never rings, apart from ids and times.
async fn seen_by_a_caller(pair: &Talkers) -> anyhow::Result<String> {
    let watch = pair.ana.watch().await?;
    dial_in_vain(&pair.ana, "Ben").await?;
    watch.until_end(Duration::from_secs(20)).await
}

#[tokio::test]
async fn the_log_says_as_much_as_it_is_told_to_while_the_daemon_runs() -> Outcome {
    let (_place, ana, ben) = two_without_sound().await?;
    let manager = proxy::ManagerProxy::new(&ana.bus().await?).await?;
    let none = Dict::new();
    let refused = manager.set_log_level("loud", &none).await.unwrap_err().to_string();
    anyhow::ensure!(refused.contains("error, warn, info, debug, trace"), "{refused}");
    for (level, facts, inputs) in [("warn", false, false), ("info", true, false), ("debug", true, true)] {
        manager.set_log_level(level, &none).await?;
        let before = ana.logged().len();
        let call = dial(&ana, "Ben").await?;
        ben.until_state("incoming", SOON).await?;
        ben.ctl_says(&["decline"])?;
        ana.until_call(&call, SOON, |it| text(it, "State") == "disconnected").await?;
        let log = ana.logged();
        let said = (log[before..].contains("fact=Dialed"), log[before..].contains("input="));
        anyhow::ensure!(said == (facts, inputs), "{level}: {}", &log[before..]);
    }
    Ok(())
}
