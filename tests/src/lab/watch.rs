//! What the bus said of calls, as text that can be compared.
//!
//! Lives here: the record of one call, without ids and times.
//! Must not: judge it.

use std::collections::HashMap;
use std::pin::Pin;
use std::time::Duration;

use ahoy_dbus::{Dict, interface};
use futures_util::{Stream, StreamExt};
use zbus::{Connection, Message, OwnedObjectPath};

use super::text;

/// Signals as they come.
type Signals = Pin<Box<dyn Stream<Item = zbus::Result<Message>> + Send>>;

/// A record of what the bus says of calls.
pub struct Watch {
    signals: Signals,
    _bus: Connection,
}

impl Watch {
    pub(super) fn new(signals: Signals, bus: Connection) -> Self {
        Self { signals, _bus: bus }
    }

    /// Every change of a call until one has ended: the object's kind, the names of what changed, states and reasons.
    /// Without ids and times, so that two calls can be compared.
    pub async fn until_end(mut self, patience: Duration) -> anyhow::Result<String> {
        let mut seen = String::new();
        let watching = async {
            while let Some(message) = self.signals.next().await {
                let line = describe(&message?)?;
                seen.push_str(&line);
                if line.contains("State=disconnected") {
                    break;
                }
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(patience, watching)
            .await
            .map_err(|_| anyhow::anyhow!("no end within {patience:?}"))??;
        Ok(seen)
    }
}

/// One line for a signal about a call; nothing for others.
fn describe(message: &Message) -> anyhow::Result<String> {
    let lines = changed_calls(message)?.into_iter().map(|(_, changed)| words(&changed).join(" "));
    Ok(lines.filter(|line| !line.is_empty()).map(|line| line + "\n").collect())
}

/// What a signal tells of calls that come or change: their paths, and their properties.
pub fn changed_calls(message: &Message) -> anyhow::Result<Vec<(String, Dict)>> {
    let (header, body) = (message.header(), message.body());
    let told: Vec<(String, String, Dict)> = match header.member().map(|member| member.as_str()) {
        Some("PropertiesChanged") => {
            let (interface, changed, _): (String, Dict, Vec<String>) = body.deserialize()?;
            header.path().map(|path| (path.to_string(), interface, changed)).into_iter().collect()
        }
        Some("InterfacesAdded") => {
            let (path, added): (OwnedObjectPath, HashMap<String, Dict>) = body.deserialize()?;
            added.into_iter().map(|(interface, row)| (path.to_string(), interface, row)).collect()
        }
        Some(_) | None => vec![],
    };
    let calls = told.into_iter().filter(|(_, interface, _)| interface == interface::CALL);
    Ok(calls.map(|(path, _, row)| (path, row)).collect())
}

/// What changed, sorted: names, and for states and reasons their words. When its row was committed is left out: that
/// depends on the disk here, not on the other side.
fn words(changed: &Dict) -> Vec<String> {
    let told = ["State", "StateReason", "EndedBy"];
    let word = |key: &String| {
        if told.contains(&key.as_str()) { format!("{key}={}", text(changed, key)) } else { key.clone() }
    };
    let mut words: Vec<String> = changed.keys().filter(|key| *key != "HistoryId").map(word).collect();
    words.sort();
    words
}
