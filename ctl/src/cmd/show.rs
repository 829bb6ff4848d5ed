//! `ahoyctl list` and `ahoyctl show`.
//!
//! Lives here: the calls there are, and all about one.
//! Must not: change anything, or start the daemon.

use serde_json::{Value, json};

use super::{Desk, Which, remark};
use crate::bar;
use crate::fault::{Exit, Fault};
use crate::pick;
use crate::time;
use crate::world::{Call, World};

/// List the calls, ended ones of the last ten seconds too
#[derive(Debug, clap::Args)]
#[command(
    after_help = "In a pipe: id, name, direction, state, remark, quality, path, apart by tabs.\nExample: ahoyctl list --jsonl"
)]
pub(crate) struct ListArgs {}

/// Runs `list`.
pub(crate) async fn list(desk: &Desk) -> Result<Exit, Fault> {
    let world = desk.bus.look().await?;
    let calls = world.calls();
    if calls.is_empty() {
        desk.out.hint("There are no calls.");
    }
    let row = |call: &Call| {
        let [id, name, way] = ["Id", "RemoteName", "Direction"].map(|key| call.props.text(key).to_owned());
        let [quality, path] = ["Quality", "Path"].map(|key| call.props.text(key).to_owned());
        vec![id, name, way, call.state().to_string(), remark(call), quality, path]
    };
    let json = |call: &Call| whole(&world, call);
    let heads = ["ID", "NAME", "DIRECTION", "STATE", "", "QUALITY", "PATH"];
    desk.out.rows(&heads, &calls, row, ("calls", json), json!({}))?;
    Ok(Exit::Ok)
}

/// Runs `show`.
pub(crate) async fn show(desk: &Desk, which: Which) -> Result<Exit, Fault> {
    let world = desk.bus.look().await?;
    let living = world.calls().iter().any(|call| !call.is_over());
    // With no call going on, the one that has just ended is meant.
    let fits = |call: &Call| !living || !call.is_over();
    let call = pick::call(&world, which.call.as_deref(), fits, "There is no call.")?;
    if desk.out.is_json() {
        return desk.out.object(json!({"call": whole(&world, &call)})).map(|()| Exit::Ok);
    }
    let Value::Object(all) = call.json() else { return Ok(Exit::Ok) };
    let mut pairs: Vec<(&str, String)> = all
        .iter()
        .filter(|(name, value)| !name.starts_with("can_") && !is_nothing(value))
        .map(|(name, value)| (name.as_str(), readable(name, value)))
        .collect();
    if call.props.text("Kind") == "group" {
        pairs.extend(world.peers(&call).iter().map(|(_, peer)| ("member", bar::member(peer))));
    }
    desk.out.pairs(&pairs)?;
    Ok(Exit::Ok)
}

/// A call with the others in it.
fn whole(world: &World, call: &Call) -> Value {
    let mut json = call.json();
    let members: Vec<Value> = world.peers(call).iter().map(|(_, peer)| peer.value()).collect();
    if let Value::Object(all) = &mut json {
        all.insert("members".to_owned(), members.into());
    }
    json
}

fn is_nothing(value: &Value) -> bool {
    *value == json!("") || *value == json!(0) || *value == json!(false)
}

fn readable(name: &str, value: &Value) -> String {
    match value {
        Value::Number(number) if name.ends_with("_at") => time::local(number.as_i64().unwrap_or_default()),
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}
