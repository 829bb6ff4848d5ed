//! Does a call to oneself play what was said, say what worked, and leave no trace?
//!
//! Lives here: test calls by ahoyctl with a real sound server and relay, and each thing that may be missing.
//! Must not: look into a daemon.

use std::process::Stdio;
use std::time::Duration;

use ahoy_tests::lab::{ANA, Desk, Net, Place, introduce};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(30);

/// What the last line of a test says, and how ahoyctl ended.
fn test(desk: &Desk, seconds: &str) -> anyhow::Result<(Value, Option<i32>)> {
    let output = desk.ctl(&["test-call", "--for", seconds, "--json"], "")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let found = serde_json::from_str(&said)
        .map_err(|error| anyhow::anyhow!("{error}: {said} {}", String::from_utf8_lossy(&output.stderr)))?;
    Ok((found, output.status.code()))
}

#[tokio::test]
async fn what_is_said_comes_back_over_a_real_path_and_the_relay_and_it_is_no_call() -> anyhow::Result<()> {
    let place = Place::new()?;
    let ana = place.start("Ana").await?;
    let _mouth = ana.hum(ANA)?;
    let mut ears = ana.listen()?;
    ears.until_silence(SOON)?;
    let running = std::thread::scope(|scope| {
        let running = scope.spawn(|| test(&ana, "8"));
        let heard = ears.until_tone(ANA, SOON);
        let calls = ana.ctl_says(&["list", "--json"]);
        let second = ana.ctl(&["test-call"], "");
        heard.map_err(|error| anyhow::anyhow!("{error}\n{}", ana.tail_of_sound()))?;
        anyhow::ensure!(calls?.contains("\"calls\":[]"), "it is no call");
        anyhow::ensure!(second?.status.code() == Some(7), "one at a time");
        running.join().expect("no panic")
    });
    let (found, code) = running?;
    anyhow::ensure!(code == Some(0), "{found}");
    anyhow::ensure!(found["ended_by"] == "time" && found["relays_carried"] == 1, "{found}");
    let number = |key: &str| found[key].as_f64().unwrap_or(f64::NAN);
    anyhow::ensure!(number("microphone_dbfs") > -35.0 && number("speaker_dbfs") > -35.0, "{found}");
    anyhow::ensure!(number("relay_ms") > 0.0 && number("setup_ms") > number("relay_ms"), "{found}");
    anyhow::ensure!(number("packets_in") > 100.0 && number("rtt_ms") >= 0.0, "{found}");
    ears.until_silence(SOON)?;
    anyhow::ensure!(ana.history().await?.is_empty(), "no row");
    anyhow::ensure!(!ana.logged().contains("candidate:"), "no address in the log");
    Ok(())
}

#[tokio::test]
async fn what_is_missing_is_said_and_the_rest_is_tested() -> anyhow::Result<()> {
    let place = Place::new()?;
    let mut ana = place.start("Ana").await?;
    // The microphone is silent: nobody hums.
    let (found, code) = test(&ana, "5")?;
    anyhow::ensure!(code == Some(11) && found["relays_carried"] == 1, "{found}");
    anyhow::ensure!(found["microphone_dbfs"].as_f64().is_none_or(|loudest| loudest < -60.0), "{found}");

    let _mouth = ana.hum(ANA)?;
    let Place { relay, net } = place;
    relay.kill();
    ana.until_problem(Some("relay"), SOON).await?;
    let (found, code) = test(&ana, "6")?;
    anyhow::ensure!(code == Some(4) && found["relays"] == 1 && found["relays_carried"] == 0, "{found}");
    anyhow::ensure!(found["setup_ms"].as_f64().is_some_and(|ms| ms > 4_000.0), "it was waited for: {found}");
    anyhow::ensure!(found["speaker_dbfs"].as_f64().is_some_and(|loudest| loudest > -35.0), "{found}");

    ana.stop_daemon()?;
    ana.configure("[account]\nname = \"Ana\"\n[log]\nlevel = \"debug\"\n[ring]\nmuted = true\n")?;
    ana.start_daemon(&net)?;
    ana.until_problem(Some("relay"), SOON).await?;
    let (found, code) = test(&ana, "6")?;
    anyhow::ensure!(code == Some(4) && found["relays"] == 0, "{found}");
    anyhow::ensure!(found["speaker_dbfs"].as_f64().is_some_and(|loudest| loudest > -35.0), "{found}");
    Ok(())
}

#[tokio::test]
async fn it_ends_with_ctrl_c_with_its_client_with_hanging_up_and_with_a_call() -> anyhow::Result<()> {
    let place = Place::new()?;
    let (ana, ben) = (place.start("Ana").await?, place.start("Ben").await?);
    introduce(&ana, &ben)?;
    let _mouth = ana.hum(ANA)?;
    let mut ears = ana.listen()?;
    let begin = || {
        let mut ctl = ana.local(ahoy_tests::lab::binary("ahoyctl").to_str().unwrap_or_default());
        ctl.args(["test-call", "--for", "60", "--jsonl"]).stdout(Stdio::piped()).spawn()
    };
    for (signal, says) in [(Signal::INT, true), (Signal::KILL, false)] {
        let ctl = begin()?;
        ears.until_tone(ANA, SOON)?;
        kill_process(Pid::from_child(&ctl), signal)?;
        let said = String::from_utf8(ctl.wait_with_output()?.stdout)?;
        anyhow::ensure!(said.contains("\"ended_by\":\"client\"") == says, "{signal:?}: {said}");
        ears.until_silence(SOON)?;
    }
    let ctl = begin()?;
    ears.until_tone(ANA, SOON)?;
    ana.ctl_says(&["hangup"])?;
    let said = String::from_utf8(ctl.wait_with_output()?.stdout)?;
    anyhow::ensure!(said.contains("\"ended_by\":\"daemon\""), "{said}");
    anyhow::ensure!(ana.ctl(&["hangup"], "")?.status.code() == Some(5), "there is nothing more to hang up");
    // Who calls is heard, and no test beside.
    let ctl = begin()?;
    ears.until_tone(ANA, SOON)?;
    ben.ctl_says(&["call", "Ana"])?;
    ana.until_state("incoming", SOON).await?;
    ana.ctl_says(&["answer"])?;
    let said = String::from_utf8(ctl.wait_with_output()?.stdout)?;
    anyhow::ensure!(said.contains("\"ended_by\":\"daemon\""), "{said}");
    anyhow::ensure!(test(&ana, "5").is_err(), "there is a call");
    ears.until_silence(SOON)?;
    Ok(())
}

#[tokio::test]
async fn a_daemon_without_sound_says_so() -> anyhow::Result<()> {
    let (net, mut ana) = (Net::new()?, Desk::prepare("Ana", "ws://127.0.0.1:9")?);
    ana.begin("bus")?;
    ana.start_daemon(&net)?;
    ana.until_problem(Some("relay"), SOON).await?;
    let (found, code) = test(&ana, "5")?;
    anyhow::ensure!(code == Some(11), "{found}");
    anyhow::ensure!(found["microphone"] == false && found["packets_out"].as_u64() > Some(100), "{found}");
    Ok(())
}
