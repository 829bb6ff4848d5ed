//! What a person, or the time that rows are kept, does to rows that are there.
//!
//! Lives here: marking as seen, deleting with all that belongs to a row, and what is too old to stay.
//! Must not: touch the row of a call that goes on.

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use serde_json::json;

use super::fold::Event;
use super::{Retention, events, select, words};
use crate::values::request::{Denied, DeniedKind};

/// Rows that one order may name.
const AT_ONCE: usize = 1_000;
/// Rows that go in one transaction, so that nothing else waits long.
const A_BITE: usize = 200;
/// Changed rows that are named one by one; more are told as many.
pub(super) const A_FEW: usize = 64;
const DAY_US: i64 = 86_400_000_000;

/// Marks missed rows as seen, all of them if none is named; which it changed. `now` is in the two clocks of an event.
pub(super) fn mark_seen(db: &mut Connection, ids: &[u64], now: (i64, i64)) -> Result<Vec<u64>, Denied> {
    at_most(ids)?;
    let change = begin(db)?;
    if let Some(missing) = ids.iter().find(|id| !is_there(&change, **id).unwrap_or(false)) {
        return Err(missing_row(*missing));
    }
    let unseen = unseen(&change, ids).map_err(|error| unwritable(&error))?;
    for call in &unseen {
        see(&change, call, now).map_err(|error| unwritable(&error))?;
    }
    let changed = unseen.iter().filter_map(|(id, _)| u64::try_from(*id).ok()).collect();
    change.commit().map_err(|error| unwritable(&error))?;
    Ok(changed)
}

fn unseen(change: &Transaction<'_>, ids: &[u64]) -> rusqlite::Result<Vec<(i64, String)>> {
    let all = "SELECT id, call FROM calls WHERE outcome = 'missed' AND seen = 0";
    if ids.is_empty() {
        let mut rows = change.prepare_cached(&format!("{all} ORDER BY id"))?;
        return rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect();
    }
    let mut one = change.prepare_cached(&format!("{all} AND id = ?1"))?;
    let mut found = Vec::new();
    for id in ids {
        found.extend(one.query_row([select::signed(*id)], |row| Ok((row.get(0)?, row.get(1)?))).optional()?);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn see(change: &Transaction<'_>, (id, call): &(i64, String), (at, boot): (i64, i64)) -> rusqlite::Result<()> {
    let Some((_, folded)) = events::load(change, call)? else { return Ok(()) };
    let event = Event {
        at,
        boot,
        fact: words::SEEN.to_owned(),
        source: "local".to_owned(),
        state: folded.state.clone(),
        data: json!({}),
    };
    events::take(change, *id, folded, &event)
}

/// Deletes rows with their events, or nothing if one of them is not there or still goes on.
pub(super) fn delete(db: &mut Connection, ids: &[u64]) -> Result<(), Denied> {
    at_most(ids)?;
    let change = begin(db)?;
    for id in ids {
        let ended: Option<i64> = change
            .prepare_cached("SELECT ended_at FROM calls WHERE id = ?1")
            .and_then(|mut row| row.query_row([select::signed(*id)], |row| row.get(0)).optional())
            .map_err(|error| unwritable(&error))?;
        match ended {
            None => return Err(missing_row(*id)),
            Some(0) => {
                let sentence = format!("The call of row {id} goes on: hang up first.");
                return Err(Denied::new(DeniedKind::InvalidState, sentence));
            }
            Some(_) => {}
        }
    }
    let ids: Vec<i64> = ids.iter().map(|id| select::signed(*id)).collect();
    remove(&change, &ids).and_then(|()| change.commit()).map_err(|error| unwritable(&error))?;
    // What was deleted must not stay readable in the log beside the database.
    let emptied = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    if emptied.is_err() {
        tracing::debug!("a reader keeps the log of the history for now");
    }
    Ok(())
}

fn remove(change: &Transaction<'_>, ids: &[i64]) -> rusqlite::Result<()> {
    for id in ids {
        let person: Option<i64> = change
            .prepare_cached("SELECT person FROM calls WHERE id = ?1")?
            .query_row([id], |row| row.get(0))
            .optional()?;
        for table in [
            "DELETE FROM events WHERE row = ?1",
            "DELETE FROM told WHERE id = ?1",
            "DELETE FROM calls WHERE id = ?1",
        ] {
            change.prepare_cached(table)?.execute([id])?;
        }
        change
            .prepare_cached(
                "DELETE FROM people WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM calls WHERE person = ?1)",
            )?
            .execute([person])?;
    }
    Ok(())
}

/// When the newest call began, by its own row.
pub(super) fn newest(db: &Connection) -> rusqlite::Result<i64> {
    let newest: Option<i64> = db.query_row("SELECT MAX(created_at) FROM calls", [], |row| row.get(0))?;
    newest.ok_or(rusqlite::Error::QueryReturnedNoRows)
}

/// Takes a bite out of what is kept too long; how many rows that were.
pub(super) fn bite(db: &mut Connection, keep: Retention, now: i64) -> rusqlite::Result<usize> {
    let limit = i64::try_from(A_BITE).unwrap_or(i64::MAX);
    let mut ids: Vec<i64> = Vec::new();
    if let Some(days) = keep.days {
        let oldest = now.saturating_sub(i64::from(days).saturating_mul(DAY_US));
        let mut old = db.prepare_cached(
            "SELECT id FROM calls WHERE created_at < ?1 AND ended_at > 0 AND ended_at < ?1 ORDER BY created_at LIMIT ?2",
        )?;
        let found = old.query_map(params![oldest, limit], |row| row.get(0))?;
        ids = found.collect::<rusqlite::Result<_>>()?;
    }
    if let Some(rows) = keep.rows.filter(|_| ids.is_empty()) {
        let last_kept: Option<i64> = db
            .prepare_cached("SELECT id FROM calls ORDER BY id DESC LIMIT 1 OFFSET ?1")?
            .query_row([i64::from(rows.saturating_sub(1))], |row| row.get(0))
            .optional()?;
        if let Some(last_kept) = last_kept {
            let mut beyond = db
                .prepare_cached("SELECT id FROM calls WHERE id < ?1 AND ended_at > 0 ORDER BY id LIMIT ?2")?;
            let found = beyond.query_map([last_kept, limit], |row| row.get(0))?;
            ids = found.collect::<rusqlite::Result<_>>()?;
        }
    }
    if !ids.is_empty() {
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        remove(&change, &ids)?;
        change.commit()?;
    }
    Ok(ids.len())
}

fn is_there(change: &Transaction<'_>, id: u64) -> rusqlite::Result<bool> {
    change.prepare_cached("SELECT 1 FROM calls WHERE id = ?1")?.exists([select::signed(id)])
}

fn begin(db: &mut Connection) -> Result<Transaction<'_>, Denied> {
    db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|error| unwritable(&error))
}

fn at_most(ids: &[u64]) -> Result<(), Denied> {
    if ids.len() <= AT_ONCE {
        return Ok(());
    }
    Err(Denied::new(DeniedKind::InvalidOption, format!("At most {AT_ONCE} rows at once.")))
}

fn missing_row(id: u64) -> Denied {
    let sentence =
        format!("There is no row {id}, and nothing was changed: `ahoyctl history` lists the rows.");
    Denied::new(DeniedKind::NoSuchRecord, sentence)
}

fn unwritable(error: &rusqlite::Error) -> Denied {
    Denied::new(DeniedKind::Failed, format!("The history cannot be written: {error}."))
}
