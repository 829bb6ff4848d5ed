//! Words of others in rows, as they may be shown.
//!
//! Lives here: what rows and events hold of others, cleaned: for what is read, and for the rows of versions that took words
//! as they came.
//! Must not: change anything else of a row.

use ahoy_proto::words::{self, NOTE, Words};
use serde_json::Value;

use crate::values::rows::{HistoryPeer, HistoryRow};

/// A name; what has no letter that can be seen is somebody all the same.
pub(super) fn name(said: &str) -> String {
    if said.is_empty() { String::new() } else { words::name(said, "Somebody") }
}

/// A note, or the text of a decline.
pub(super) fn note(said: &str) -> String {
    Words::of(said, NOTE).into()
}

/// What an event tells, a JSON object.
pub(super) fn told(data: &str) -> String {
    let Ok(Value::Object(mut object)) = serde_json::from_str(data) else { return data.to_owned() };
    for (key, clean) in [("name", name as fn(&str) -> String), ("note", note), ("message", note)] {
        if let Some(Value::String(said)) = object.get_mut(key) {
            *said = clean(said);
        }
    }
    Value::Object(object).to_string()
}

/// A row, whatever wrote it.
pub(super) fn row(row: HistoryRow) -> HistoryRow {
    let peers = row.peers.into_iter().map(|peer| HistoryPeer { name: name(&peer.name), ..peer }).collect();
    HistoryRow { name: name(&row.name), note: note(&row.note), message: note(&row.message), peers, ..row }
}
