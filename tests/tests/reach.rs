//! Can two who both allow it see whether the other can be reached, and nobody else?
//!
//! Lives here: real daemons with a relay, no sound, `ahoyctl ping`, and a dial to who is away.
//! Must not: judge bytes on the wire: the tests of signaling do.

use ahoy_tests::lab::{Desk, two_without_sound};
use anyhow::ensure;
use serde_json::Value;

type Outcome = anyhow::Result<()>;

/// How it ended, and what it said.
fn ping(from: &Desk, whom: &str) -> anyhow::Result<(Option<i32>, Value)> {
    let output = from.ctl(&["ping", whom, "--json"], "")?;
    let said = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    Ok((output.status.code(), said))
}

fn allow(desk: &Desk, whom: &str, so: &str) -> Outcome {
    desk.ctl_says(&["contact", "set", whom, "--ping", so]).map(drop)
}

fn knows(desk: &Desk, whom: &str) -> anyhow::Result<bool> {
    let row: Value = serde_json::from_str(&desk.ctl_says(&["contact", "show", whom, "--json"])?)?;
    Ok(row["contact"]["ping_there"] == true)
}

#[tokio::test]
async fn two_who_both_allow_it_see_each_other_and_one_alone_sees_nothing() -> Outcome {
    let (_place, ana, ben) = two_without_sound().await?;
    ensure!(ping(&ana, "Ben")?.0 == Some(1), "without our own word nobody is asked");
    allow(&ana, "Ben", "yes")?;
    let (code, said) = ping(&ana, "Ben")?;
    ensure!(code == Some(9) && said["state"] == "silent" && said.get("rtt_ms").is_none(), "{code:?} {said}");
    ensure!(!knows(&ana, "Ben")? && knows(&ben, "Ana")?.eq(&false), "who does not answer does not say why");
    allow(&ben, "Ana", "yes")?;
    let (code, said) = ping(&ana, "Ben")?;
    ensure!(code == Some(0) && said["state"] == "answered" && said["path"] == "relay", "{code:?} {said}");
    ensure!(said["rtt_ms"].as_f64().is_some_and(|ms| ms > 0.0 && ms < 5_000.0), "{said}");
    ensure!(knows(&ana, "Ben")? && knows(&ben, "Ana")?, "each knows from now on that the other answers");
    let rows = ben.ctl_says(&["history", "--json"])?;
    ensure!(!rows.contains("Ana"), "nothing rang: {rows}");
    // Whose ring would be kept away is told nothing.
    ben.ctl_says(&["dnd", "on"])?;
    ensure!(ping(&ana, "Ben")?.0 == Some(9), "do-not-disturb looks like being away");
    ben.ctl_says(&["dnd", "off"])?;
    ensure!(ping(&ana, "Ben")?.0 == Some(0));
    Ok(())
}

#[tokio::test]
async fn a_dial_between_the_two_does_not_wait_for_who_is_away_and_any_other_does() -> Outcome {
    let (_place, ana, mut ben) = two_without_sound().await?;
    allow(&ana, "Ben", "yes")?;
    allow(&ben, "Ana", "yes")?;
    ensure!(ping(&ana, "Ben")?.0 == Some(0));
    ben.stop_daemon()?;
    let (soon, reason) = dial_in_vain(&ana, "180")?;
    ensure!(soon && reason == "unavailable", "{soon} {reason}");
    // What they said last holds no more once we take our own word back.
    allow(&ana, "Ben", "no")?;
    let (soon, reason) = dial_in_vain(&ana, "10")?;
    ensure!(!soon && reason == "unavailable", "as long as it rings: {soon} {reason}");
    Ok(())
}

/// Whether the call was over before its lifetime was, and why.
fn dial_in_vain(from: &Desk, lifetime_s: &str) -> anyhow::Result<(bool, String)> {
    let output = from.ctl(&["call", "Ben", "--wait", "--lifetime", lifetime_s, "--json"], "")?;
    let call: Value = serde_json::from_slice(&output.stdout)?;
    let at = |key: &str| call["call"][key].as_i64().unwrap_or_default();
    let lasted_us = at("ended_at") - at("created_at");
    let lifetime_us = lifetime_s.parse::<i64>()? * 1_000_000;
    ensure!(output.status.code() == Some(9), "{call}");
    Ok((
        lasted_us < lifetime_us - 1_000_000,
        call["call"]["state_reason"].as_str().unwrap_or_default().to_owned(),
    ))
}
