//! `ahoyctl test-call`.
//!
//! Lives here: following a call to oneself, and what it found in sentences.
//! Must not: measure anything: ahoyd does.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::UnixStream;
use zbus::Variant;

use super::Desk;
use crate::bus::ask;
use crate::fault::{Exit, Fault};
use crate::world::options;

/// What is no louder than this is silence, dBFS.
const SILENCE: f64 = -60.0;
/// A test that says nothing for longer than sound may flow in it is stuck.
const PATIENCE: Duration = Duration::from_secs(90);

/// Call yourself: speak, and hear yourself three seconds later
#[derive(Debug, clap::Args)]
#[command(after_help = "It uses what a call uses: microphone, codec, relay, an encrypted path, loudspeaker,
and then says what worked. Nobody rings. Ctrl-C ends it. Exit codes: 4 no relay
carried a word, 9 no path came about, 11 nothing was heard.
Example: ahoyctl test-call --for 10")]
pub(crate) struct Args {
    /// How long, in seconds
    #[arg(long = "for", value_name = "S", default_value_t = 20, value_parser = clap::value_parser!(u32).range(5..=60))]
    seconds: u32,
}

/// Runs it.
pub(crate) async fn run(desk: &Desk, args: Args) -> Result<Exit, Fault> {
    desk.bus.wake().await?;
    let options = options([("seconds", Some(Variant::from(args.seconds)))])?;
    let fd = ask(desk.bus.manager().await?.test_call(&options)).await?;
    let socket = std::os::unix::net::UnixStream::from(OwnedFd::from(fd));
    let broken = |error: io::Error| Fault::new(Exit::Error, format!("The test cannot be followed: {error}."));
    socket.set_nonblocking(true).map_err(broken)?;
    let ends = socket.try_clone().map_err(broken)?;
    let mut lines = BufReader::new(UnixStream::from_std(socket).map_err(broken)?).lines();
    let mut asked = false;
    loop {
        let line = tokio::select! {
            line = tokio::time::timeout(PATIENCE, lines.next_line()) => line,
            pressed = tokio::signal::ctrl_c(), if !asked => {
                pressed.map_err(broken)?;
                asked = true;
                // The test ends by that, and still says what it found.
                ends.shutdown(std::net::Shutdown::Write).map_err(broken)?;
                continue;
            }
        };
        let Ok(line) = line else { return Err(Fault::timed_out()) };
        let Some(line) = line.map_err(broken)? else {
            return Err(Fault::new(Exit::Error, "The test ended and did not say why. See: ahoyctl logs"));
        };
        let said: Value = serde_json::from_str(&line)
            .map_err(|error| Fault::new(Exit::Error, format!("ahoyd says what is no JSON: {error}.")))?;
        let over = said["state"] == "ended";
        show(desk, &said, over)?;
        if over {
            return Ok(exit(&said));
        }
    }
}

fn show(desk: &Desk, said: &Value, over: bool) -> Result<(), Fault> {
    if desk.out.is_json() {
        // A single object is the last one.
        return if over || desk.out.form != crate::print::Form::Json {
            desk.out.object(said.clone())
        } else {
            Ok(())
        };
    }
    if over {
        return sentences(said).iter().try_for_each(|sentence| desk.out.text(sentence));
    }
    if said["state"] == "active" {
        let seconds = |key: &str| said[key].as_u64().unwrap_or_default() / 1_000;
        let (after, lasts) = (seconds("echo_after_ms"), seconds("lasts_ms"));
        return desk.out.text(&format!(
            "Speak: you hear yourself {after} s later. It ends in {lasts} s, or with Ctrl-C."
        ));
    }
    Ok(())
}

/// What worked and what did not, one sentence each.
fn sentences(found: &Value) -> Vec<String> {
    let number = |key: &str| found[key].as_f64();
    let mut all = vec![relay(found)];
    if found["ended_by"] == "failure" {
        let reason = found["reason"].as_str().unwrap_or("internal");
        all.push(format!("Path: none came about or it broke ({reason}). See: ahoyctl logs"));
    }
    if let Some(setup) = number("setup_ms") {
        let known = [("rtt_ms", "round trip"), ("jitter_ms", "jitter"), ("playout_delay_ms", "waiting")];
        let mut parts = vec![format!("set up in {setup:.0} ms")];
        parts.extend(known.iter().filter_map(|(key, name)| Some(format!("{name} {:.1} ms", number(key)?))));
        parts.extend(number("concealed").map(|share| format!("{:.1} % made up", share * 100.0)));
        all.push(format!("Path: {}.", parts.join(", ")));
        all.push(microphone(found));
        all.push(match number("speaker_dbfs") {
            Some(loudest) if loudest > SILENCE => {
                format!("Loudspeaker: you were played, up to {loudest:.0} dBFS.")
            }
            _ => "Loudspeaker: nothing of you was played. See: ahoyctl device".to_owned(),
        });
    }
    all
}

fn relay(found: &Value) -> String {
    let count = |key: &str| found[key].as_u64().unwrap_or_default();
    match (count("relays"), count("relays_carried"), found["relay_ms"].as_f64()) {
        (0, ..) => {
            "Relay: none is in use, so nobody can call you: ahoyctl config set relay.urls wss://…".to_owned()
        }
        (of, 0, _) => format!("Relay: none of {of} carried anything. See: ahoyctl status"),
        (of, carried, Some(ms)) => {
            format!("Relay: {carried} of {of} carried your words, there and back in {ms:.0} ms.")
        }
        (of, carried, None) => format!("Relay: {carried} of {of} carried something, too late."),
    }
}

fn microphone(found: &Value) -> String {
    match found["microphone_dbfs"].as_f64() {
        _ if found["microphone"] == false => "Microphone: none gives sound. See: ahoyctl device".to_owned(),
        Some(loudest) if loudest > SILENCE => format!("Microphone: up to {loudest:.0} dBFS."),
        _ => "Microphone: silence. See: ahoyctl device meter".to_owned(),
    }
}

fn exit(found: &Value) -> Exit {
    let loud = |key: &str| found[key].as_f64().is_some_and(|loudest| loudest > SILENCE);
    if found["ended_by"] == "failure" || found["setup_ms"].is_null() {
        Exit::Unreachable
    } else if !loud("microphone_dbfs") || !loud("speaker_dbfs") {
        Exit::NoDevice
    } else if found["relays_carried"] == 0 {
        Exit::NotRegistered
    } else {
        Exit::Ok
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fine() -> Value {
        json!({
            "v": 1, "state": "ended", "ended_by": "time", "reason": null, "relays": 2, "relays_carried": 1,
            "relay_ms": 22.6, "setup_ms": 180.0, "microphone": true, "microphone_dbfs": -12.0,
            "speaker_dbfs": -14.0, "rtt_ms": 0.4, "jitter_ms": 1.25, "playout_delay_ms": 20.0,
            "concealed": 0.012, "packets_out": 900, "packets_in": 700,
        })
    }

    fn with(key: &str, value: Value) -> (String, Exit) {
        let mut found = fine();
        found[key] = value;
        (sentences(&found).join("\n"), exit(&found))
    }

    #[test]
    fn what_worked_is_said_with_its_numbers() {
        let expected = [
            "Relay: 1 of 2 carried your words, there and back in 23 ms.",
            "Path: set up in 180 ms, round trip 0.4 ms, jitter 1.2 ms, waiting 20.0 ms, 1.2 % made up.",
            "Microphone: up to -12 dBFS.",
            "Loudspeaker: you were played, up to -14 dBFS.",
        ];
        assert_eq!(sentences(&fine()), expected);
        assert_eq!(exit(&fine()), Exit::Ok);
    }

    #[test]
    fn what_did_not_work_is_named_and_has_its_exit_code() {
        for (key, value, word, code) in [
            ("relays", json!(0), "none is in use", Exit::Ok),
            ("relays_carried", json!(0), "none of 2 carried", Exit::NotRegistered),
            ("microphone_dbfs", json!(-90.0), "Microphone: silence", Exit::NoDevice),
            ("microphone", json!(false), "none gives sound", Exit::Ok),
            ("speaker_dbfs", Value::Null, "nothing of you was played", Exit::NoDevice),
            ("ended_by", json!("failure"), "Path: none came about", Exit::Unreachable),
        ] {
            let (said, exit) = with(key, value);
            assert!(said.contains(word), "{key}: {said}");
            assert_eq!(exit, code, "{key}");
        }
    }
}
