//! The event log and the rows that it adds up to.
//!
//! Lives here: appending an event and bringing its call's row up to date, in one transaction; closing what a crash left open.
//! Must not: change or drop an event, or give a call a second row.

use std::time::Duration;

use ahoy_call::{CallId, Direction, EndReason, EndedBy, Fact, Moment, Outcome, PeerId, State};
use data_encoding::HEXLOWER;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use serde_json::json;

use super::{Entry, Unfinished, words};

/// Appends the entries and answers with the row of each call in them.
pub(super) fn write(db: &mut Connection, entries: &[Entry]) -> rusqlite::Result<Vec<(String, u64)>> {
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut rows: Vec<(String, u64)> = Vec::new();
    for entry in entries {
        let (call, row) = append(&change, entry)?;
        if !rows.iter().any(|(known, _)| *known == call) {
            rows.push((call, u64::try_from(row).unwrap_or(0)));
        }
    }
    change.commit()?;
    Ok(rows)
}

/// The first event makes the row, later ones fill what is still empty in it, the end closes it for good. Times that stand
/// in the row stay, so that a step of the calendar clock in a call does not move what has happened.
fn append(change: &Transaction<'_>, entry: &Entry) -> rusqlite::Result<(String, i64)> {
    let view = &entry.record.view;
    let call = HEXLOWER.encode(&view.id.bytes());
    let known: Option<i64> = change
        .prepare_cached("SELECT id FROM calls WHERE call = ?1")?
        .query_row([&call], |row| row.get(0))
        .optional()?;
    let unix = |moment: Moment| entry.at_unix_us.saturating_sub(micros(entry.record.at.since(moment)));
    let row = match known {
        Some(row) => row,
        None => {
            change
                .prepare_cached(
                    "INSERT INTO calls (call, direction, kind, contact, name, address, state, note, created_at)
                     VALUES (?1, ?2, 'direct', ?3, ?4, ?5, ?6, ?7, ?8)",
                )?
                .execute(params![
                    call,
                    words::direction(view.direction),
                    HEXLOWER.encode(&view.peer.bytes()),
                    entry.name,
                    entry.address,
                    words::state(view.state),
                    view.note.as_deref().unwrap_or(""),
                    unix(view.created),
                ])?;
            change.last_insert_rowid()
        }
    };
    let end = view.ended.is_some().then(|| End {
        outcome: view.outcome.unwrap_or(Outcome::Failed),
        reason: view.reason.unwrap_or(EndReason::Internal),
        by: view.ended_by.unwrap_or(EndedBy::Local),
        at: view.ended.map_or(entry.at_unix_us, unix),
        duration: view.answered.zip(view.ended).map_or(Duration::ZERO, |(answered, ended)| ended - answered),
    });
    let data = match (entry.record.fact, &end) {
        (Fact::Dialed | Fact::Offered | Fact::Noted, _) => json!({
            "direction": words::direction(view.direction),
            "contact": HEXLOWER.encode(&view.peer.bytes()),
            "name": entry.name,
            "address": entry.address,
            "note": view.note.as_deref().unwrap_or(""),
        }),
        (Fact::Ended, Some(end)) => end.data(),
        (
            Fact::RingingThere
            | Fact::RingingHere
            | Fact::Answered
            | Fact::Connected
            | Fact::PathLost
            | Fact::PathRestored
            | Fact::Held
            | Fact::Resumed
            | Fact::HeldThere
            | Fact::ResumedThere
            | Fact::GlareMerged
            | Fact::Ended,
            _,
        ) => json!({}),
    };
    log(change, row, entry.at_unix_us, entry.record.fact, view.state, &data)?;
    change
        .prepare_cached(
            "UPDATE calls SET state = ?2,
                 ringing_at = iif(ringing_at = 0, ?3, ringing_at),
                 answered_at = iif(answered_at = 0, ?4, answered_at),
                 note = iif(note = '', ?5, note)
             WHERE id = ?1 AND ended_at = 0",
        )?
        .execute(params![
            row,
            words::state(view.state),
            view.ringing.map_or(0, unix),
            view.answered.map_or(0, unix),
            view.note.as_deref().unwrap_or("")
        ])?;
    if let Some(end) = end {
        close(change, row, &end)?;
    }
    Ok((call, row))
}

struct End {
    outcome: Outcome,
    reason: EndReason,
    by: EndedBy,
    at: i64,
    duration: Duration,
}

impl End {
    fn data(&self) -> serde_json::Value {
        json!({
            "outcome": words::outcome(self.outcome),
            "reason": words::reason(self.reason),
            "ended-by": words::ended_by(self.by),
            "duration-ms": u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

fn log(
    change: &Transaction<'_>,
    row: i64,
    at: i64,
    fact: Fact,
    state: State,
    data: &serde_json::Value,
) -> rusqlite::Result<()> {
    change
        .prepare_cached(
            "INSERT INTO events (row, n, at, fact, state, data)
             VALUES (?1, (SELECT coalesce(max(n), 0) + 1 FROM events WHERE row = ?1), ?2, ?3, ?4, ?5)",
        )?
        .execute(params![row, at, words::fact(fact), words::state(state), data.to_string()])?;
    Ok(())
}

/// Nobody has to be told of a call that they took part in: only what was missed is unseen.
fn close(change: &Transaction<'_>, row: i64, end: &End) -> rusqlite::Result<()> {
    change
        .prepare_cached(
            "UPDATE calls SET state = 'disconnected', outcome = ?2, reason = ?3, ended_by = ?4, ended_at = ?5,
                 duration_ms = ?6, seen = ?7
             WHERE id = ?1 AND ended_at = 0",
        )?
        .execute(params![
            row,
            words::outcome(end.outcome),
            words::reason(end.reason),
            words::ended_by(end.by),
            end.at,
            i64::try_from(end.duration.as_millis()).unwrap_or(i64::MAX),
            end.outcome != Outcome::Missed,
        ])?;
    Ok(())
}

/// Closes rows that the last run left open. Nobody saw their end, so the last event that was logged stands for it:
/// the time and the duration are what is certain, never more.
pub(super) fn close_open(db: &mut Connection) -> rusqlite::Result<Vec<Unfinished>> {
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut open: Vec<(i64, String, String, String, i64, i64)> = Vec::new();
    {
        let mut rows = change.prepare(
            "SELECT id, call, contact, direction, answered_at,
                 max(created_at, (SELECT coalesce(max(at), 0) FROM events WHERE row = calls.id))
             FROM calls WHERE ended_at = 0 ORDER BY id",
        )?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            open.push((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?));
        }
    }
    let mut unfinished = Vec::new();
    for (row, call, contact, direction, answered_at, last) in open {
        let incoming = direction == words::direction(Direction::Incoming);
        let outcome = match (answered_at != 0, incoming) {
            (true, _) => Outcome::Answered,
            (false, true) => Outcome::Missed,
            (false, false) => Outcome::Interrupted,
        };
        let talked =
            if answered_at == 0 { 0 } else { u64::try_from(last.saturating_sub(answered_at)).unwrap_or(0) };
        let end = End {
            outcome,
            reason: EndReason::Interrupted,
            by: EndedBy::Local,
            at: last,
            duration: Duration::from_micros(talked),
        };
        log(&change, row, last, Fact::Ended, State::Disconnected, &end.data())?;
        close(&change, row, &end)?;
        if let (Some(call), Some(peer)) = (id(&call), id(&contact)) {
            unfinished.push(Unfinished { call: CallId::from_bytes(call), peer: PeerId::from_bytes(peer) });
        }
    }
    change.commit()?;
    Ok(unfinished)
}

fn id(hex: &str) -> Option<[u8; 16]> {
    HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok()
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
