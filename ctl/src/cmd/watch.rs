//! `ahoyctl watch`.
//!
//! Lives here: the state first, then each change, for people and programs.
//! Must not: start the daemon, or end because it restarts.

use ahoy_dbus::interface;
use serde_json::{Value, json};

use super::{Desk, status};
use crate::fault::{Exit, Fault};
use crate::print::Form;
use crate::wait::{Follower, Next};
use crate::world::{Call, Change, Props, World};
use crate::{bar, template, time};

/// Follow everything that happens
#[derive(Debug, clap::Args)]
#[command(after_help = "The full state first, then each change. It outlives ahoyd: it says \"gone\", and
gives the full state again when ahoyd is back. It never starts ahoyd.
JSON lines say \"event\": state, changed, added, removed, event, contact,\nhistory or gone. A template sees what `status` shows, and prints what differs.\nExample: ahoyctl watch --jsonl | jq -c 'select(.event==\"added\")'")]
pub(crate) struct Args {
    /// Lines for a waybar module: the call, its time, classes for its style
    #[arg(long, conflicts_with_all = ["json", "jsonl", "format"])]
    waybar: bool,
}

/// Runs it. Ends only with the bus, or when nobody reads any more.
pub(crate) async fn run(desk: &Desk, args: &Args) -> Result<Exit, Fault> {
    let mut follower = Follower::subscribe(&desk.bus).await?.for_a_reader();
    if args.waybar {
        let line = |world: Option<&World>| {
            let others = world.map(others).unwrap_or_default();
            Ok(bar::waybar(world.map(World::focus).as_ref(), &others).to_string())
        };
        return ticking(desk, &mut follower, line).await;
    }
    if let Form::Template(template) = desk.out.form {
        let line = |world: Option<&World>| {
            world.map_or_else(|| Ok(String::new()), |world| template::render(template, &status::json(world)))
        };
        return ticking(desk, &mut follower, line).await;
    }
    match follower.refresh().await {
        Ok(()) => state(desk, &follower.world)?,
        Err(fault) if fault.exit == Exit::NotRunning => gone(desk)?,
        Err(fault) => return Err(fault),
    }
    loop {
        match follower.next().await? {
            Next::Change(change) if desk.out.is_json() => desk.out.object(json(&follower.world, change))?,
            Next::Change(change) => line(desk, &follower.world, &change)?,
            Next::Here => state(desk, &follower.world)?,
            Next::Gone => gone(desk)?,
        }
    }
}

/// Who else is in the group that has the focus; nobody in a call of two.
fn others(world: &World) -> Vec<Props> {
    let call = world.call(world.focus().text("Call")).filter(|call| call.props.text("Kind") == "group");
    call.map(|call| world.peers(&call).into_iter().map(|(_, peer)| peer).collect()).unwrap_or_default()
}

/// A line for each change of what `line` makes of the state (`None`: no daemon), and for each second of a call.
async fn ticking(
    desk: &Desk,
    follower: &mut Follower,
    line: impl Fn(Option<&World>) -> Result<String, Fault>,
) -> Result<Exit, Fault> {
    let mut here = match follower.refresh().await {
        Ok(()) => true,
        Err(fault) if fault.exit == Exit::NotRunning => false,
        Err(fault) => return Err(fault),
    };
    let mut shown = None;
    loop {
        let text = line(here.then_some(&follower.world))?;
        if shown.as_ref() != Some(&text) {
            desk.out.text(&text)?;
            shown = Some(text);
        }
        let since = follower.world.focus().number("SinceMonotonic");
        let limit = (here && since != 0).then(|| time::to_next_second(since));
        match follower.next_within(limit).await? {
            Some(Next::Gone) => here = false,
            Some(Next::Here) => here = true,
            Some(Next::Change(_)) | None => {}
        }
    }
}

fn state(desk: &Desk, world: &World) -> Result<(), Fault> {
    let calls = world.calls();
    if desk.out.is_json() {
        let mut object = status::json(world);
        if let Value::Object(map) = &mut object {
            map.insert("event".into(), json!("state"));
            map.insert("calls".into(), calls.iter().map(Call::json).collect());
        }
        return desk.out.object(object);
    }
    desk.out.words(&["ahoyd".to_owned(), world.manager().text("ConnectionState").to_owned()])?;
    calls.iter().try_for_each(|call| desk.show_call(call))
}

fn gone(desk: &Desk) -> Result<(), Fault> {
    desk.out.either(json!({"event": "gone"}), &["ahoyd", "gone"])
}

fn json(world: &World, change: Change) -> Value {
    match change {
        Change::Changed { path, interface, props } => {
            let mut object = json!({"event": "changed", "object": object_name(&interface), "path": path});
            if let Value::Object(map) = &mut object {
                if let Some(call) = world.call(&path) {
                    map.insert("id".into(), json!(call.props.text("Id")));
                }
                map.insert("properties".into(), Value::Object(props.json()));
            }
            object
        }
        Change::Added(path) => match world.call(&path) {
            Some(call) => json!({"event": "added", "path": path, "call": call.json()}),
            None => json!({"event": "added", "path": path}),
        },
        Change::Removed(call) => json!({"event": "removed", "path": call.path, "id": call.props.text("Id")}),
        Change::Event(Value::Object(mut event)) => {
            event.insert("event".into(), json!("event"));
            Value::Object(event)
        }
        Change::Event(other) => other,
        Change::Contact(id) => json!({"event": "contact", "id": id}),
        Change::History(id) => json!({"event": "history", "row": id}),
    }
}

fn object_name(interface: &str) -> &str {
    match interface {
        interface::MANAGER => "manager",
        interface::FOCUS => "focus",
        interface::CALL => "call",
        interface::PEER => "peer",
        interface::CONTACTS => "contacts",
        interface::ACCOUNT => "account",
        interface::HISTORY => "history",
        other => other,
    }
}

/// For people only what they would care about: calls, and whether we can be called.
fn line(desk: &Desk, world: &World, change: &Change) -> Result<(), Fault> {
    match change {
        Change::Changed { path, interface, props } if interface == interface::CALL && matters(props) => {
            world.call(path).map_or(Ok(()), |call| desk.show_call(&call))
        }
        Change::Changed { interface, props, .. } if interface == interface::MANAGER => {
            let state = props.text("ConnectionState");
            if state.is_empty() { Ok(()) } else { desk.out.words(&["ahoyd".to_owned(), state.to_owned()]) }
        }
        Change::Added(path) => world.call(path).map_or(Ok(()), |call| desk.show_call(&call)),
        Change::Changed { .. }
        | Change::Removed(_)
        | Change::Event(_)
        | Change::Contact(_)
        | Change::History(_) => Ok(()),
    }
}

fn matters(props: &Props) -> bool {
    let changed = props.json();
    ["state", "muted", "speaking_muted", "remote_muted", "hears_only", "remote_hears_only"]
        .iter()
        .any(|name| changed.contains_key(*name))
}
