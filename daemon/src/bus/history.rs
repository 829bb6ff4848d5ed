//! `org.ahoyd.Calls1.History`: rows of calls.
//!
//! Lives here: its members, one line each, and how a row is spelled.
//! Must not: keep a row.

use std::collections::BTreeMap;

use zbus::object_server::SignalEmitter;
use zbus::{OwnedFd, Variant, fdo, interface};

use super::engine_handle::{EngineHandle, FROM_DISK, surprised};
use super::fault::Fault;
use super::object::{Object, Properties};
use super::options::{Dictionary, Options};
use super::{names, shown};
use crate::values::request::{Answer, HistoryRequest, Lease};
use crate::values::rows::{ExportFormat, HistoryEvent, HistoryFilter, HistoryPeer, HistoryRow, Told};

/// A row as it is sent, `a{sv}`.
pub(super) type Row = BTreeMap<String, Variant<'static>>;

/// The object of the whole history.
#[derive(Clone, Debug)]
pub(super) struct HistoryObject(pub(super) EngineHandle);

// Its methods are spawned, in the order of their coming: an export whose reader is slow must not hold up the others.
#[interface(name = "org.ahoyd.Calls1.History", spawn = true, introspection_docs = false)]
impl HistoryObject {
    #[zbus(out_args("rows", "next"))]
    async fn list(&self, filter: Dictionary, options: Dictionary) -> Result<(Vec<Row>, u64), Fault> {
        Options::none(options)?;
        let answer = self.0.ask_within(FROM_DISK, HistoryRequest::List(read_filter(filter)?)).await?;
        let Answer::History(rows, next) = answer else { return Err(surprised()) };
        Ok((rows.into_iter().map(row).collect(), next))
    }

    #[zbus(out_args("row"))]
    async fn get(&self, id: u64, options: Dictionary) -> Result<Row, Fault> {
        Options::none(options)?;
        let answer = self.0.ask_within(FROM_DISK, HistoryRequest::Get(id)).await?;
        let Answer::Row(found) = answer else { return Err(surprised()) };
        Ok(row(*found))
    }

    #[zbus(out_args("events"))]
    async fn events(&self, id: u64, options: Dictionary) -> Result<Vec<Row>, Fault> {
        Options::none(options)?;
        let Answer::Events(events) = self.0.ask_within(FROM_DISK, HistoryRequest::Events(id)).await? else {
            return Err(surprised());
        };
        Ok(events.into_iter().map(event).collect())
    }

    async fn mark_seen(&self, ids: Vec<u64>, options: Dictionary) -> Result<(), Fault> {
        Options::none(options)?;
        self.0.ask_within(FROM_DISK, HistoryRequest::See(ids)).await.map(|_done| ())
    }

    async fn delete(&self, ids: Vec<u64>, options: Dictionary) -> Result<(), Fault> {
        Options::none(options)?;
        self.0.ask_within(FROM_DISK, HistoryRequest::Delete(ids)).await.map(|_done| ())
    }

    #[zbus(out_args("count"))]
    async fn export(&self, format: &str, into: OwnedFd, options: Dictionary) -> Result<u32, Fault> {
        let mut options = Options::from(options);
        let filter = narrow(&mut options)?;
        options.finish()?;
        let format = ExportFormat::named(format)
            .ok_or_else(|| Fault::arguments("The format of an export is json, csv or ics."))?;
        let into = Lease(into.into());
        let Answer::Count(count) = self.0.ask(HistoryRequest::Export { format, filter, into }).await? else {
            return Err(surprised());
        };
        Ok(count)
    }

    /// A row came or changed.
    #[zbus(signal)]
    pub(super) async fn changed(emitter: &SignalEmitter<'_>, id: u64) -> zbus::Result<()>;
}

impl Object for HistoryObject {
    fn changing(&self) -> fdo::Result<Properties> {
        Ok(shown::history(&self.0.board()))
    }
}

fn read_filter(filter: Dictionary) -> Result<HistoryFilter, Fault> {
    let mut filter = Options::from(filter);
    let mut read = narrow(&mut filter)?;
    read.limit = filter.limit()?;
    read.before = filter.u64("before")?;
    filter.finish()?;
    Ok(read)
}

/// What narrows a list and an export alike.
fn narrow(filter: &mut Options) -> Result<HistoryFilter, Fault> {
    Ok(HistoryFilter {
        since: filter.time("since")?,
        until: filter.time("until")?,
        contact: filter.string("contact")?,
        direction: filter.string("direction")?,
        outcome: filter.string("outcome")?,
        text: filter.string("text")?,
        limit: None,
        before: None,
    })
}

/// What an event tells besides stands beside it, under its own name.
pub(super) fn event(event: HistoryEvent) -> Row {
    let mut row = Row::from([
        ("at".to_owned(), event.at.into()),
        ("after-ms".to_owned(), event.after_ms.into()),
        ("event".to_owned(), event.event.into()),
        ("source".to_owned(), event.source.into()),
        ("state".to_owned(), event.state.into()),
    ]);
    for (key, told) in event.data {
        let value = match told {
            Told::Text(text) => text.into(),
            Told::Number(number) => number.into(),
            Told::Time(at) => at.into(),
        };
        row.entry(key).or_insert(value);
    }
    row
}

/// `call` is spelled as the `Id` of the call's object was.
pub(super) fn row(row: HistoryRow) -> Row {
    let peers: Vec<Row> = row.peers.into_iter().map(peer).collect();
    let pairs: [(&str, Variant<'static>); 22] = [
        ("id", row.id.into()),
        ("call", names::parse_call(&row.call).map_or(row.call, names::uuid).into()),
        ("direction", row.direction.into()),
        ("kind", row.kind.into()),
        ("contact", row.contact.into()),
        ("name", row.name.into()),
        ("address", row.address.into()),
        ("outcome", row.outcome.into()),
        ("reason", row.reason.into()),
        ("ended-by", row.ended_by.into()),
        ("note", row.note.into()),
        ("message", row.message.into()),
        ("created-at", row.created_at.into()),
        ("ringing-at", row.ringing_at.into()),
        ("answered-at", row.answered_at.into()),
        ("ended-at", row.ended_at.into()),
        ("duration-ms", row.duration_ms.into()),
        ("seen", row.seen.into()),
        ("path", row.path.into()),
        ("quality", row.quality.into()),
        ("repairs", row.repairs.into()),
        ("peers", peers.into()),
    ];
    pairs.map(|(key, value)| (key.to_owned(), value)).into()
}

fn peer(peer: HistoryPeer) -> Row {
    let pairs: [(&str, Variant<'static>); 5] = [
        ("contact", peer.contact.into()),
        ("name", peer.name.into()),
        ("state", peer.state.into()),
        ("joined-at", peer.joined_at.into()),
        ("left-at", peer.left_at.into()),
    ];
    pairs.map(|(key, value)| (key.to_owned(), value)).into()
}
