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
    let header = message.header();
    let body = message.body();
    let changes: Vec<(String, Dict)> = match header.member().map(|member| member.as_str()) {
        Some("PropertiesChanged") => {
            let (interface, changed, _): (String, Dict, Vec<String>) = body.deserialize()?;
            vec![(interface, changed)]
        }
        Some("InterfacesAdded") => {
            let (_, added): (OwnedObjectPath, HashMap<String, Dict>) = body.deserialize()?;
            added.into_iter().collect()
        }
        Some(_) | None => vec![],
    };
    let call = changes.into_iter().filter(|(interface, _)| interface == interface::CALL);
    let lines = call.map(|(_, changed)| words(&changed).join(" ")).filter(|line| !line.is_empty());
    Ok(lines.map(|line| line + "\n").collect())
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
