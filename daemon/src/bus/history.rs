//! `org.ahoyd.Calls1.History`: rows of calls.
//!
//! Lives here: its members, one line each, and how a row is spelled.
//! Must not: keep a row.

use std::collections::BTreeMap;

use zbus::object_server::SignalEmitter;
use zbus::{Variant, interface};

use super::desk::{Desk, surprised};
use super::fault::Fault;
use super::options::{Dictionary, Options};
use super::shown::History;
use super::spell;
use crate::request::{Answer, Request};
use crate::rows::{HistoryFilter, HistoryRow};

/// A row as it is sent, `a{sv}`.
type Row = BTreeMap<&'static str, Variant<'static>>;

/// The object of the whole history.
#[derive(Debug)]
pub(super) struct HistoryObject(pub(super) Desk);

#[interface(name = "org.ahoyd.Calls1.History", spawn = false, introspection_docs = false)]
impl HistoryObject {
    #[zbus(out_args("rows", "next"))]
    async fn list(&self, filter: Dictionary, options: Dictionary) -> Result<(Vec<Row>, u64), Fault> {
        Options::none(options)?;
        let answer = self.0.ask(Request::ListHistory(read_filter(filter)?)).await?;
        let Answer::History(rows, next) = answer else { return Err(surprised()) };
        Ok((rows.into_iter().map(row).collect(), next))
    }

    #[zbus(out_args("row"))]
    async fn get(&self, id: u64, options: Dictionary) -> Result<Row, Fault> {
        Options::none(options)?;
        let answer = self.0.ask(Request::GetHistory(id)).await?;
        let Answer::Row(found) = answer else { return Err(surprised()) };
        Ok(row(*found))
    }

    /// A row came or changed.
    #[zbus(signal)]
    pub(super) async fn changed(emitter: &SignalEmitter<'_>, id: u64) -> zbus::Result<()>;

    #[zbus(property)]
    fn missed(&self) -> u32 {
        History::of(&self.0.board()).missed
    }

    #[zbus(property)]
    fn last_id(&self) -> u64 {
        History::of(&self.0.board()).last_id
    }
}

fn read_filter(filter: Dictionary) -> Result<HistoryFilter, Fault> {
    let mut filter = Options::from(filter);
    let read = HistoryFilter {
        since: filter.time("since")?,
        until: filter.time("until")?,
        contact: filter.string("contact")?,
        direction: filter.string("direction")?,
        outcome: filter.string("outcome")?,
        text: filter.string("text")?,
        limit: filter.limit()?,
        before: filter.u64("before")?,
    };
    filter.finish()?;
    Ok(read)
}

/// `call` is spelled as the `Id` of the call's object was.
fn row(row: HistoryRow) -> Row {
    BTreeMap::from([
        ("id", row.id.into()),
        ("call", spell::parse_call(&row.call).map_or(row.call, spell::uuid).into()),
        ("direction", row.direction.into()),
        ("kind", row.kind.into()),
        ("contact", row.contact.into()),
        ("name", row.name.into()),
        ("address", row.address.into()),
        ("outcome", row.outcome.into()),
        ("reason", row.reason.into()),
        ("ended-by", row.ended_by.into()),
        ("note", row.note.into()),
        ("created-at", row.created_at.into()),
        ("ringing-at", row.ringing_at.into()),
        ("answered-at", row.answered_at.into()),
        ("ended-at", row.ended_at.into()),
        ("duration-ms", row.duration_ms.into()),
        ("seen", row.seen.into()),
    ])
}
