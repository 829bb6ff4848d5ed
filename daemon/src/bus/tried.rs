//! What the bus would carry, without a bus.
//!
//! Lives here: the messages that a board and a row become, and every text in a message, for tests and the fuzzer.
//! Must not: be used to show anything.

use std::sync::Arc;

use zbus::wire::Structure;
use zbus::{Message, Variant};

use super::publish::{changes, everything};
use super::{border, names};
use crate::bus::history;
use crate::values::board::Board;
use crate::values::rows::{HistoryEvent, HistoryRow};

/// What is sent when all of this board is told, and when this row and its events are asked for.
pub(crate) fn marshalled(
    board: Arc<Board>,
    row: HistoryRow,
    events: Vec<HistoryEvent>,
) -> zbus::Result<Vec<Message>> {
    let board = border::board(board);
    let mut messages = Vec::new();
    for changed in everything(&board) {
        let signal =
            Message::signal(changed.path.clone(), "org.freedesktop.DBus.Properties", "PropertiesChanged");
        messages.push(signal.build(&changes(&changed))?);
    }
    let Answers { rows, told } = Answers::of(row, events);
    let reply = |member| Message::signal(names::HISTORY, "org.ahoyd.Calls1.History", member);
    messages.push(reply("List").build(&(rows, 0_u64))?);
    messages.push(reply("Events").build(&told)?);
    Ok(messages)
}

/// Rows as the methods spell them.
struct Answers {
    rows: Vec<history::Row>,
    told: Vec<history::Row>,
}

impl Answers {
    fn of(row: HistoryRow, events: Vec<HistoryEvent>) -> Self {
        let rows = border::rows(vec![row]).into_iter().map(history::row).collect();
        let told = border::events(events).into_iter().map(history::event).collect();
        Self { rows, told }
    }
}

/// Every text in a message's body.
pub(crate) fn texts(message: &Message) -> Vec<String> {
    let mut found = Vec::new();
    let body = message.body();
    if let Ok(structure) = body.deserialize::<Structure<'_>>() {
        structure.fields().iter().for_each(|value| collect(value, &mut found));
    }
    found
}

fn collect(value: &Variant<'_>, found: &mut Vec<String>) {
    match value {
        Variant::Str(text) => found.push(text.as_str().to_owned()),
        Variant::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Variant::Dict(entries) => {
            for (key, value) in entries.iter() {
                collect(key, found);
                collect(value, found);
            }
        }
        Variant::Structure(inner) => inner.fields().iter().for_each(|field| collect(field, found)),
        Variant::Variant(inner) => collect(inner, found),
        Variant::U8(_)
        | Variant::Bool(_)
        | Variant::I16(_)
        | Variant::U16(_)
        | Variant::I32(_)
        | Variant::U32(_)
        | Variant::I64(_)
        | Variant::U64(_)
        | Variant::F64(_)
        | Variant::Signature(_)
        | Variant::ObjectPath(_)
        | Variant::Fd(_) => {}
    }
}
