//! `ahoyctl status`.
//!
//! Lives here: the daemon at a glance, without starting it.
//! Must not: change anything.

use serde_json::{Value, json};

use super::{Desk, dnd};
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
            desk.out.hint("\nWhat to do next, in this order:");
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

/// What a newcomer still has to do before a call is possible, each with the command that does it.
fn next_steps(world: &World) -> Vec<(&'static str, String)> {
    let Some((_, account)) = world.account() else { return Vec::new() };
    let relays = account.list("Relays");
    let lonely = world.contact_count() == Some(0);
    let mut steps = Vec::new();
    let mut step = |what: &'static str, how: String| steps.push((what, how));
    if relays.is_empty() && lonely {
        step(
            "your name",
            format!("ahoyctl account name '{}'", account.text("DisplayName").replace('\'', "'\\''")),
        );
    }
    if relays.is_empty() {
        step("a relay", "ahoyctl config set relay.urls wss://relay.example".to_owned());
    }
    if lonely {
        step("your card, to give away", "ahoyctl account card --for Ben > for-ben.card".to_owned());
        step("the card you got", "ahoyctl contact add from-ben.card".to_owned());
        step("call", "ahoyctl call Ben --wait".to_owned());
    }
    steps
}

fn pairs(world: &World) -> Vec<(&'static str, String)> {
    let (manager, focus) = (world.manager(), world.focus());
    let mut pairs =
        vec![("ahoyd", format!("{} {}", manager.text("Version"), manager.text("ConnectionState")))];
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
    pairs.push(("missed", manager.number("MissedCount").to_string()));
    pairs.extend(manager.list("Problems").into_iter().map(|problem| ("problem", problem)));
    pairs
}
