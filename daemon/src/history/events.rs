//! The event log and the rows that it adds up to.
//!
//! Lives here: appending an event and bringing its call's row up to date, in one transaction; closing what a crash left open.
//! Must not: change or drop an event, or give a call a second row.

use ahoy_call::{CallId, CallKind, Direction, EndReason, EndedBy, Fact, Outcome, PeerId, State};
use data_encoding::HEXLOWER;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use serde_json::{Map, Value, json};

use super::fold::{Event, Folded};
use super::{Entry, Unfinished, schema, select, words};
use crate::system::failpoint;
use crate::values::line::{PathKind, Quality};
use crate::values::rows::HistoryRow;

/// Appends the entries and answers with the row of each call in them.
pub(super) fn write(db: &mut Connection, entries: &[Entry]) -> rusqlite::Result<Vec<(String, u64)>> {
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut rows: Vec<(String, u64)> = Vec::new();
    for entry in entries {
        let (call, row) = append(&change, entry)?;
        // Mostly it is the call of the entry before.
        if !rows.iter().rev().any(|(known, _)| *known == call) {
            rows.push((call, u64::try_from(row).unwrap_or(0)));
        }
    }
    entries.iter().for_each(|entry| failpoint::reached("commit", entry.record.fact));
    change.commit()?;
    entries.iter().for_each(|entry| failpoint::reached("committed", entry.record.fact));
    Ok(rows)
}

/// The first event of a call makes its row and tells whom it is with.
fn append(change: &Transaction<'_>, entry: &Entry) -> rusqlite::Result<(String, i64)> {
    let view = &entry.record.view;
    let call = HEXLOWER.encode(&view.id.bytes());
    let known = load(change, &call)?;
    let mut data = Map::new();
    let mut tell = |key: &str, value: &str| data.insert(key.to_owned(), value.into());
    let before = known.as_ref().map(|(_, folded)| &folded.row);
    if before.is_none() {
        tell("direction", view.direction.word());
        tell("contact", &HEXLOWER.encode(&view.peer.bytes()));
        tell("name", &entry.name);
        tell("address", &entry.address);
    }
    if let Some(note) = view.note.as_deref().filter(|_| before.is_none_or(|row| row.note.is_empty())) {
        tell("note", note);
    }
    if let Some(text) = view.message.as_deref().filter(|_| before.is_none_or(|row| row.message.is_empty())) {
        tell("message", text);
    }
    if entry.record.fact == Fact::Ended {
        tell("outcome", view.outcome.unwrap_or(Outcome::Failed).word());
        tell("reason", view.reason.unwrap_or(EndReason::Internal).word());
        tell("ended-by", view.ended_by.unwrap_or(EndedBy::Local).word());
    }
    if let Some(who) = &entry.about {
        tell("who", who);
    }
    if let Some(line) = entry.line {
        tell("path", line.path.map_or("", PathKind::word));
        tell("quality", line.quality.map_or("", Quality::word));
        data.insert("repairs".to_owned(), line.repairs.into());
    }
    if view.kind == CallKind::Group && before.is_none_or(|row| row.peers != entry.peers) {
        data.insert("peers".to_owned(), json!(entry.peers));
    }
    let event = Event {
        at: entry.at_unix_us,
        boot: i64::try_from(entry.record.at.micros()).unwrap_or(i64::MAX),
        fact: entry.record.fact.word().to_owned(),
        source: words::source(entry.record.fact, view).to_owned(),
        state: view.state.word().to_owned(),
        data: Value::Object(data),
    };
    let row = match known {
        Some((row, folded)) => {
            take(change, row, folded, &event)?;
            row
        }
        None => begin(change, call.clone(), &event)?,
    };
    Ok((call, row))
}

/// A call's row with what the fold needs besides.
pub(super) fn load(db: &Connection, call: &str) -> rusqlite::Result<Option<(i64, Folded)>> {
    db.prepare_cached(&format!(
        "SELECT {}, state, answered_boot FROM calls WHERE call = ?1",
        select::COLUMNS
    ))?
    .query_row([call], |found| {
        let row = select::read(found)?;
        let folded = Folded { state: found.get("state")?, answered_boot: found.get("answered_boot")?, row };
        Ok((found.get("id")?, folded))
    })
    .optional()
}

/// A new row with its first event.
fn begin(change: &Transaction<'_>, call: String, event: &Event) -> rusqlite::Result<i64> {
    let mut folded = Folded {
        row: HistoryRow { call, kind: "direct".into(), ..HistoryRow::default() },
        ..Folded::default()
    };
    folded.apply(event);
    let row = &folded.row;
    let person = person(change, row)?;
    change
        .prepare_cached(
            "INSERT INTO calls (call, direction, kind, contact, name, address, state, created_at, person, late)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, coalesce(?8 < (SELECT max(created_at) FROM calls), 0))",
        )?
        .execute(params![
            row.call,
            row.direction,
            row.kind,
            row.contact,
            row.name,
            row.address,
            folded.state,
            row.created_at,
            person
        ])?;
    let id = change.last_insert_rowid();
    log(change, id, event)?;
    save(change, id, &folded)?;
    search_by(change, id, row)?;
    Ok(id)
}

/// One more event of a row that is there.
pub(super) fn take(
    change: &Transaction<'_>,
    id: i64,
    mut folded: Folded,
    event: &Event,
) -> rusqlite::Result<()> {
    log(change, id, event)?;
    let before = folded.clone();
    folded.apply(event);
    if folded != before {
        save(change, id, &folded)?;
    }
    if (&folded.row.note, &folded.row.message) != (&before.row.note, &before.row.message) {
        search_by(change, id, &folded.row)?;
    }
    Ok(())
}

fn person(change: &Transaction<'_>, row: &HistoryRow) -> rusqlite::Result<i64> {
    let known = change
        .prepare_cached("SELECT id FROM people WHERE contact = ?1 AND name = ?2 AND address = ?3")?
        .query_row([&row.contact, &row.name, &row.address], |found| found.get(0))
        .optional()?;
    if let Some(known) = known {
        return Ok(known);
    }
    let folded = schema::fold(&format!("{}\n{}", row.name, row.address));
    change
        .prepare_cached("INSERT INTO people (contact, name, address, folded) VALUES (?1, ?2, ?3, ?4)")?
        .execute([&row.contact, &row.name, &row.address, &folded])?;
    Ok(change.last_insert_rowid())
}

/// What events change in a row.
fn save(change: &Transaction<'_>, id: i64, folded: &Folded) -> rusqlite::Result<()> {
    let row = &folded.row;
    change
        .prepare_cached(
            "UPDATE calls SET state = ?2, note = ?3, message = ?4, ringing_at = ?5, answered_at = ?6,
                 answered_boot = ?7, ended_at = ?8, outcome = ?9, reason = ?10, ended_by = ?11, duration_ms = ?12,
                 seen = ?13, path = ?14, quality = ?15, repairs = ?16, kind = ?17, peers = ?18
             WHERE id = ?1",
        )?
        .execute(params![
            id,
            folded.state,
            row.note,
            row.message,
            row.ringing_at,
            row.answered_at,
            folded.answered_boot,
            row.ended_at,
            row.outcome,
            row.reason,
            row.ended_by,
            i64::try_from(row.duration_ms).unwrap_or(i64::MAX),
            row.seen,
            row.path,
            row.quality,
            i64::try_from(row.repairs).unwrap_or(i64::MAX),
            row.kind,
            json!(row.peers).to_string()
        ])?;
    Ok(())
}

/// Keeps the words that are searched beside the row.
fn search_by(change: &Transaction<'_>, id: i64, row: &HistoryRow) -> rusqlite::Result<()> {
    if row.note.is_empty() && row.message.is_empty() {
        return Ok(());
    }
    let folded = schema::fold(&format!("{}\n{}", row.note, row.message));
    change
        .prepare_cached(
            "INSERT INTO told (id, folded) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET folded = excluded.folded",
        )?
        .execute(params![id, folded])?;
    Ok(())
}

fn log(change: &Transaction<'_>, row: i64, event: &Event) -> rusqlite::Result<()> {
    change
        .prepare_cached(
            "INSERT INTO events (row, n, at, boot, fact, source, state, data)
             VALUES (?1, (SELECT coalesce(max(n), 0) + 1 FROM events WHERE row = ?1), ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            row,
            event.at,
            event.boot,
            event.fact,
            event.source,
            event.state,
            event.data.to_string()
        ])?;
    Ok(())
}

/// Closes rows that the last run left open. Nobody saw their end, so the last event that was logged stands for it:
/// the time and the duration are what is certain, never more. `now` is when it was noticed.
pub(super) fn close_open(db: &mut Connection, now: i64) -> rusqlite::Result<Vec<Unfinished>> {
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let open: Vec<(String, i64, i64)> = change
        .prepare(
            "SELECT c.call, e.at, e.boot FROM calls c
             JOIN events e ON e.row = c.id AND e.n = (SELECT max(n) FROM events WHERE row = c.id)
             WHERE c.ended_at = 0 ORDER BY c.id",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut unfinished = Vec::new();
    for (call, at, boot) in open {
        let Some((id, folded)) = load(&change, &call)? else { continue };
        let incoming = folded.row.direction == Direction::Incoming.word();
        let outcome = match (folded.row.answered_at != 0, incoming) {
            (true, _) => Outcome::Answered,
            (false, true) => Outcome::Missed,
            (false, false) => Outcome::Interrupted,
        };
        let event = Event {
            at,
            boot,
            fact: Fact::Ended.word().to_owned(),
            source: words::RESTART.to_owned(),
            state: State::Disconnected.word().to_owned(),
            data: json!({
                "outcome": outcome.word(),
                "reason": EndReason::Interrupted.word(),
                "ended-by": EndedBy::Local.word(),
                "noticed-at": now,
            }),
        };
        let contact = id_bytes(&folded.row.contact);
        take(&change, id, folded, &event)?;
        if let (Some(call), Some(peer)) = (id_bytes(&call), contact) {
            let (call, peer) = (CallId::from_bytes(call), PeerId::from_bytes(peer));
            unfinished.push(Unfinished { call, peer, unanswered: outcome == Outcome::Missed });
        }
    }
    change.commit()?;
    Ok(unfinished)
}

fn id_bytes(hex: &str) -> Option<[u8; 16]> {
    HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok()
}
