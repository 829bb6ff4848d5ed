//! `ahoyctl events`.
//!
//! Lives here: what happens, one line each, for scripts that wait for something.
//! Must not: start the daemon, or tell of state: that is `watch`.

use serde_json::{Value, json};

use super::Desk;
use crate::fault::{Exit, Fault};
use crate::wait::{Follower, Next};
use crate::world::Change;

/// Follow what happens, one line each
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Types: call.incoming call.answered call.ended call.missed and others, the same\nthat hooks are run for. In a pipe: type, serial, name, contact, reason,\n\
call, direction, outcome, milliseconds, apart by tabs. It outlives ahoyd, and never starts it.\n\
Example: ahoyctl events call.missed --once && notify-send 'missed'"
)]
pub(crate) struct Args {
    /// Only of these types; `call` for every one that begins so
    types: Vec<String>,
    /// End after the first
    #[arg(long)]
    once: bool,
}

/// Runs it. Ends with the first event that was waited for, with the bus, or when nobody reads any more.
pub(crate) async fn run(desk: &Desk, args: Args) -> Result<Exit, Fault> {
    let mut follower = Follower::subscribe(&desk.bus).await?.for_a_reader();
    match follower.refresh().await {
        Ok(()) => {}
        Err(fault) if fault.exit == Exit::NotRunning => {
            desk.out.hint("ahoyd is not running; waiting for it.")
        }
        Err(fault) => return Err(fault),
    }
    loop {
        let Next::Change(Change::Event(event)) = follower.next().await? else { continue };
        if wanted(&args.types, event["type"].as_str().unwrap_or_default()) {
            show(desk, event)?;
            if args.once {
                return Ok(Exit::Ok);
            }
        }
    }
}

fn wanted(types: &[String], kind: &str) -> bool {
    let family = |name: &str| kind.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
    types.is_empty() || types.iter().any(|name| kind == name || family(name))
}

fn show(desk: &Desk, event: Value) -> Result<(), Fault> {
    let data = event["data"].clone();
    if desk.out.is_json() {
        // What it is about stands beside its type, so that a template and jq find it alike.
        let mut object = json!({"type": event["type"], "serial": event["serial"]});
        if let (Value::Object(object), Value::Object(data)) = (&mut object, data) {
            object.extend(data);
        }
        return desk.out.object(object);
    }
    let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
    desk.out.words(&[
        event["type"].as_str().unwrap_or_default().to_owned(),
        event["serial"].to_string(),
        text("name"),
        text("contact"),
        text("reason"),
        text("call"),
        text("direction"),
        text("outcome"),
        data["duration-ms"].as_u64().map(|duration| duration.to_string()).unwrap_or_default(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_of_types_is_wanted_by_its_first_word() {
        let types = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert!(wanted(&types(&[]), "call.ended"));
        assert!(wanted(&types(&["relay.down", "call"]), "call.ended"));
        assert!(!wanted(&types(&["call.end", "cal"]), "call.ended"));
    }
}
