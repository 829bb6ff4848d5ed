//! Does `doctor` find what is missing, say what to do, and hold up nobody?
//!
//! Lives here: real daemons with a real relay, TURN server, bus and sound server, of which some are missing.
//! Must not: judge a sentence's wording beyond what a person needs in it.

#![expect(clippy::print_stdout, reason = "a skipped test says why")]

#[path = "doctor/turn.rs"]
mod turn;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use ahoy_dbus::{Dict, proxy};
use ahoy_tests::lab::{Desk, Net, Place, Relay, binary};
use ahoy_tests::notifications::Server;
use anyhow::{Context as _, ensure};
use serde_json::Value;
use turn::TurnServer;

const SOON: Duration = Duration::from_secs(60);

type Outcome = anyhow::Result<()>;

/// What `doctor --json` said: its exit code, and verdict and sentence of each check.
struct Told {
    code: Option<i32>,
    checks: BTreeMap<String, (String, String, Value)>,
    all: String,
}

impl Told {
    async fn by(desk: &Desk) -> anyhow::Result<Self> {
        let mut command = desk.local(&binary("ahoyctl").to_string_lossy());
        command.args(["doctor", "--json"]).stdin(Stdio::null());
        // What is served in this thread must be served meanwhile.
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        let all = String::from_utf8(output.stdout)?;
        let said: Value = serde_json::from_str(&all).with_context(|| all.clone())?;
        let rows = said["checks"].as_array().context("no checks")?;
        let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let checks = rows.iter().map(|row| {
            (text(row, "check"), (text(row, "verdict"), text(row, "sentence"), row["data"].clone()))
        });
        let checks = checks.collect();
        for address in ["127.0.0.1", "localhost", "ws:", "wss:/", "3478", "5349"] {
            ensure!(
                !all.contains(address) || address == "wss:/" && all.contains("wss://…"),
                "it names an address: {all}"
            );
        }
        Ok(Self { code: output.status.code(), checks, all })
    }

    fn verdict(&self, check: &str) -> &str {
        self.checks.get(check).map_or("none", |(verdict, _, _)| verdict)
    }

    fn is(&self, expected: &[(&str, &str)]) -> Outcome {
        let wrong: Vec<_> =
            expected.iter().filter(|(check, verdict)| self.verdict(check) != *verdict).collect();
        ensure!(wrong.is_empty(), "not {wrong:?}: {}", self.all);
        Ok(())
    }

    fn says(&self, check: &str, word: &str) -> Outcome {
        ensure!(
            self.checks.get(check).is_some_and(|(_, said, _)| said.contains(word)),
            "{check}: {}",
            self.all
        );
        Ok(())
    }
}

/// A relay that hands out that TURN server, with its secret or another one.
fn relay(net: &Net, turn: &TurnServer, secret: &str) -> anyhow::Result<Relay> {
    let config = turn.folder().join("relay.toml");
    std::fs::write(turn.folder().join("secret"), secret)?;
    std::fs::write(
        &config,
        format!(
            "[ice]\nstun = [\"stun:127.0.0.1:3478\"]\nturn = [\"turn:127.0.0.1:3478?transport=udp\", \"turn:127.0.0.1:3478?transport=tcp\", \"turns:localhost:5349?transport=tcp\"]\nturn-secret-file = \"{}\"\n",
            turn.folder().join("secret").display()
        ),
    )?;
    Ok(Relay::start_with(net, &config)?)
}

/// A desk whose daemon believes the TURN server's certificate, and is online.
async fn desk(net: &Net, relay: &Relay, ca_file: &Path, parts: &[&str]) -> anyhow::Result<Desk> {
    let mut ana = Desk::prepare("Ana", &relay.url)?;
    let config = format!(
        "[account]\nname = \"Ana\"\n[relay]\nurls = [\"{}\"]\nca-file = \"{}\"\n[log]\nlevel = \"debug\"\n[ring]\nmuted = true\n",
        relay.url,
        ca_file.display()
    );
    ana.configure(&config)?;
    parts.iter().try_for_each(|part| ana.begin(part))?;
    ana.start_daemon(net)?;
    ana.until_online(SOON).await?;
    Ok(ana)
}

fn no_turn_server() -> Outcome {
    println!("SKIPPED: coturn is not installed (tests/lab/install.sh net)");
    Ok(())
}

#[tokio::test]
async fn where_nothing_is_missing_each_check_is_well_and_every_allocation_is_given_back() -> Outcome {
    let net = Net::new()?;
    let Some(turn) = TurnServer::start(&net)? else { return no_turn_server() };
    let relay = relay(&net, &turn, turn::SECRET)?;
    let ana = desk(&net, &relay, &turn.ca_file(), &["bus", "sound"]).await?;
    let _server = Server::on(ana.bus().await?, 0, vec!["actions", "body"]).await?;
    let told = Told::by(&ana).await?;
    let well = [
        "daemon",
        "bus",
        "relay",
        "stun",
        "turn-udp",
        "turn-tcp",
        "turn-tls",
        "sound-server",
        "microphone",
        "loudspeaker",
        "notifications",
        "clock",
    ];
    told.is(&well.map(|check| (check, "ok")))?;
    ensure!(told.code == Some(0), "{:?}: {}", told.code, told.all);
    let took = |check: &str, key: &str| told.checks.get(check).and_then(|(_, _, data)| data[key].as_f64());
    ensure!(took("relay", "rtt_ms").is_some_and(|ms| ms > 0.0), "{}", told.all);
    ensure!(
        took("clock", "ahead_s").is_some_and(|s| s.abs() < 60.0),
        "the relay tells its time: {}",
        told.all
    );
    turn.until_released(3)
}

#[tokio::test]
async fn a_turn_server_with_another_secret_fails_and_one_that_udp_does_not_reach_is_a_warning() -> Outcome {
    let mut net = Net::new()?;
    let Some(turn) = TurnServer::start(&net)? else { return no_turn_server() };
    let wrong = relay(&net, &turn, "another secret")?;
    let ana = desk(&net, &wrong, &turn.ca_file(), &["bus"]).await?;
    let told = Told::by(&ana).await?;
    told.is(&[("stun", "fail"), ("turn-udp", "fail"), ("turn-tcp", "fail"), ("turn-tls", "fail")]
        .map(|(check, verdict)| if check == "stun" { (check, "ok") } else { (check, verdict) }))?;
    told.says("turn-udp", "401")?;
    ensure!(told.code == Some(1), "{:?}", told.code);
    drop(ana);
    let right = relay(&net, &turn, turn::SECRET)?;
    let ana = desk(&net, &right, &turn.ca_file(), &["bus"]).await?;
    net.cut_udp()?;
    let told = Told::by(&ana).await?;
    told.is(&[("stun", "warn"), ("turn-udp", "warn"), ("turn-tcp", "ok"), ("turn-tls", "ok")])?;
    told.says("turn-udp", "firewall")?;
    net.mend_udp()?;
    // Its own authority is not the system's.
    drop(ana);
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let stranger = turn.folder().join("stranger.pem");
    std::fs::write(&stranger, other.cert.pem())?;
    let ana = desk(&net, &right, &stranger, &["bus"]).await?;
    let told = Told::by(&ana).await?;
    told.is(&[("turn-tcp", "ok"), ("turn-tls", "warn")])?;
    told.says("turn-tls", "ca-file")
}

#[tokio::test]
async fn a_relay_that_is_away_no_sound_server_and_no_notification_server_are_each_told() -> Outcome {
    let place = Place::new()?;
    let ana = place.start_without_sound("Ana").await?;
    let Place { relay, net: _net } = place;
    relay.kill();
    ana.until_problem(Some("no relay is connected"), SOON).await?;
    let told = Told::by(&ana).await?;
    told.is(&[
        ("relay", "fail"),
        ("stun", "warn"),
        ("sound-server", "fail"),
        ("notifications", "warn"),
        ("bus", "ok"),
        ("clock", "ok"),
    ])?;
    for (check, word) in [("relay", "relay.urls"), ("sound-server", "systemctl"), ("notifications", "dunst")]
    {
        told.says(check, word)?;
    }
    ensure!(told.code == Some(1), "{:?}: {}", told.code, told.all);
    Ok(())
}

#[tokio::test]
async fn while_a_relay_is_silent_the_daemon_serves_everybody_and_all_who_ask_get_the_same() -> Outcome {
    let place = Place::new()?;
    let ana = place.start_without_sound("Ana").await?;
    let relay = rustix::process::Pid::from_raw(place.relay.pid().cast_signed()).context("it has a number")?;
    rustix::process::kill_process(relay, rustix::process::Signal::STOP)?;
    let bus = ana.bus().await?;
    let manager = proxy::ManagerProxy::new(&bus).await?;
    let (none, mut served) = (Dict::new(), 0);
    let both = async { tokio::join!(manager.diagnose(&none), manager.diagnose(&none)) };
    tokio::pin!(both);
    let (one, other) = loop {
        tokio::select! {
            biased;
            found = &mut both => break found,
            done = manager.set_muted(served % 2 == 0, &none) => {
                done?;
                served += 1;
            }
        }
    };
    rustix::process::kill_process(relay, rustix::process::Signal::CONT)?;
    let (one, other) = (one?, other?);
    ensure!(served > 100, "while it was looked around {served} verbs were served");
    let words = |rows: &[(String, String, String, Dict)]| {
        rows.iter()
            .map(|(check, verdict, said, _)| [check, verdict, said].map(String::clone))
            .collect::<Vec<_>>()
    };
    ensure!(words(&one) == words(&other), "{one:?}\n{other:?}");
    ensure!(
        words(&one)
            .iter()
            .any(|row| row[0] == "relay" && row[1] == "fail" && row[2].contains("does not answer")),
        "{one:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_clock_that_is_two_hours_ahead_is_told() -> Outcome {
    let library = format!("/usr/lib/{}-linux-gnu/faketime/libfaketime.so.1", std::env::consts::ARCH);
    if !Path::new(&library).exists() {
        println!("SKIPPED: libfaketime is not installed (tests/lab/install.sh test)");
        return Ok(());
    }
    let place = Place::new()?;
    let mut ana = place.desk("Ana")?;
    for (variable, value) in
        [("LD_PRELOAD", library.as_str()), ("FAKETIME", "+7200"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")]
    {
        ana.daemon_variable(variable, Some(value));
    }
    place.run(&mut ana, &["bus"]).await?;
    let told = Told::by(&ana).await?;
    told.is(&[("clock", "warn")])?;
    told.says("clock", "min ahead of the relay's")
}

#[tokio::test]
async fn without_a_daemon_it_says_why_and_what_it_would_meet_and_starts_nothing() -> Outcome {
    let ana = Desk::prepare("Ana", "ws://127.0.0.1:9")?;
    // No bus at all.
    let told = Told::by(&ana).await?;
    told.is(&[("bus", "fail"), ("configuration", "ok"), ("sound-server", "fail")])?;
    ensure!(told.code == Some(8), "{:?}", told.code);
    ana.begin("bus")?;
    let told = Told::by(&ana).await?;
    told.is(&[
        ("daemon", "fail"),
        ("bus", "ok"),
        ("configuration", "ok"),
        ("relay", "warn"),
        ("notifications", "warn"),
    ])?;
    told.says("daemon", "systemctl --user start ahoyd")?;
    ensure!(told.code == Some(8), "{:?}", told.code);
    ana.configure("[relay]\nurls = [1]\n")?;
    let told = Told::by(&ana).await?;
    told.is(&[("configuration", "fail"), ("relay", "none")])?;
    told.says("configuration", "line 2")?;
    ana.configure("")?;
    Told::by(&ana).await?.is(&[("configuration", "ok"), ("relay", "fail")])
}
