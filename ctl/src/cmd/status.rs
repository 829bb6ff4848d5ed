//! `ahoyctl status`.
//!
//! Lives here: the daemon at a glance, without starting it.
//! Must not: change anything.

use serde_json::{Value, json};

use super::steps::next_steps;
use super::{Desk, dnd, network};
use crate::fault::{Exit, Fault};
use crate::time;
use crate::world::World;

/// How things stand: online or not, the call, what is missing
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Starts nothing. Exit code 8 if ahoyd is not running.\nExample: ahoyctl status --json | jq -r .focus.state"
)]
pub(crate) struct Args {}

/// Runs it.
pub(crate) async fn run(desk: &Desk) -> Result<Exit, Fault> {
    let world = match desk.bus.look().await {
        Ok(world) => world,
        Err(fault) => {
            if fault.exit == Exit::NotRunning && desk.out.is_json() {
                desk.out.object(json!({"running": false}))?;
            }
            return Err(fault);
        }
    };
    if desk.out.is_json() {
        desk.out.object(json(&world))?;
    } else {
        desk.out.pairs(&pairs(&world))?;
        if world.focus().flag("CanAnswer") {
            desk.out.hint("To take it: ahoyctl answer. Or: ahoyctl silence, ahoyctl decline");
        }
        let steps = next_steps(&world);
        if !steps.is_empty() {
            desk.out.hint("\nWhat to do next:");
            desk.out.pairs(&steps)?;
            desk.out.hint("\nA relay of your own: man ahoy-relay. Everything else: man ahoyctl, or --help.");
        }
    }
    Ok(Exit::Ok)
}

/// The state without the calls: Manager's properties, `account` and `focus` as objects.
pub(crate) fn json(world: &World) -> Value {
    let mut object = world.manager().json();
    object.insert("running".into(), json!(true));
    object.insert("focus".into(), world.focus().value());
    object.insert("account".into(), world.account().map_or(Value::Null, |(_, account)| account.value()));
    Value::Object(object)
}

fn pairs(world: &World) -> Vec<(&'static str, String)> {
    let (manager, focus) = (world.manager(), world.focus());
    let relays = world.account().map_or(0, |(_, account)| account.list("Relays").len());
    let connection = match manager.text("ConnectionState") {
        // Nothing is wrong: it was never asked to be connected.
        "offline" if relays == 0 && network::is_home(&manager) => "at home, without a relay",
        state => state,
    };
    let mut pairs = vec![("ahoyd", format!("{} {connection}", manager.text("Version")))];
    if let Some((_, account)) = world.account() {
        pairs.push(("account", format!("{} {}", account.text("DisplayName"), account.text("Address"))));
        let error = account.text("ConnectionError");
        let told = manager.list("Problems").iter().any(|problem| problem.contains(error));
        if !error.is_empty() && !told {
            pairs.push(("relay", account.text("ConnectionError").to_owned()));
        }
    }
    let mut call = vec![focus.text("State").to_owned(), focus.text("PeerName").to_owned()];
    if focus.text("State") != "idle" {
        call.push(time::since(focus.number("SinceMonotonic")));
    }
    if focus.flag("Muted") {
        call.push("muted".to_owned());
    }
    call.push(focus.text("Quality").to_owned());
    call.retain(|word| !word.is_empty());
    pairs.push(("call", call.join(" ")));
    if !focus.text("WaitingName").is_empty() {
        pairs.push(("waiting", focus.text("WaitingName").to_owned()));
    }
    if !["", "off"].contains(&manager.text("Dnd")) {
        let words = [dnd::words(manager.text("Dnd")).to_owned(), dnd::ends(manager.at("DndUntil"))];
        pairs.push(("dnd", words.join(" ").trim_end().to_owned()));
    }
    if manager.flag("Muted") {
        pairs.push(("all calls", "muted".to_owned()));
    }
    pairs.extend(network::lines(&manager));
    pairs.push(("missed", manager.number("MissedCount").to_string()));
    if let Some(count) = world.request_count().filter(|count| *count > 0) {
        pairs.push(("requests", format!("{count}: ahoyctl contact requests")));
    }
    pairs.extend(manager.list("Problems").into_iter().map(|problem| ("problem", problem)));
    pairs
}
