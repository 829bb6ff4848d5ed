//! Rows that fit a filter.
//!
//! Lives here: the conditions and the cursor, the columns and how a row is read from them.
//! Must not: know a text that is looked for, or write.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{HistoryFilter, HistoryRow, mend};

/// Rows that were found.
pub(super) type Rows = rusqlite::Result<Vec<HistoryRow>>;

/// What [`read`] reads, in its order.
pub(super) const COLUMNS: &str =
    "calls.id, call, direction, kind, contact, name, address, outcome, reason, ended_by, note, message,
     created_at, ringing_at, answered_at, ended_at, duration_ms, seen, path, quality, repairs, peers";

/// The conditions of a filter, text aside.
#[derive(Clone, Debug, Default)]
pub(super) struct Where {
    conditions: Vec<String>,
    values: Vec<Value>,
    /// Only rows with a lower id.
    before: Option<i64>,
}

impl Where {
    pub(super) fn of(db: &Connection, filter: &HistoryFilter) -> rusqlite::Result<Self> {
        let mut fits = Self::default();
        if let Some(before) = filter.before.filter(|&id| id != 0) {
            fits.and("calls.id < ?", signed(before));
            fits.before = Some(signed(before));
        }
        if let Some(since) = filter.since {
            // Only rows that are not late ascend in time; a late one lies behind a row that is newer than itself.
            let first = db
                .prepare_cached(
                    "SELECT id FROM calls WHERE created_at >= ? AND late = 0 ORDER BY created_at, id LIMIT 1",
                )?
                .query_row([since], |row| row.get::<_, i64>(0))
                .optional()?;
            fits.and("calls.id >= ?", first.unwrap_or(i64::MAX));
            fits.and("+created_at >= ?", since);
        }
        if let Some(until) = filter.until {
            let last = db
                .prepare_cached(
                    "SELECT max(
                         coalesce((SELECT id FROM calls WHERE created_at < ?1 AND late = 0 ORDER BY created_at DESC, id DESC LIMIT 1), 0),
                         coalesce((SELECT id FROM calls WHERE late = 1 AND +created_at < ?1 ORDER BY id DESC LIMIT 1), 0))",
                )?
                .query_row([until], |row| row.get::<_, i64>(0))?;
            fits.and("calls.id <= ?", last);
            fits.and("+created_at < ?", until);
        }
        if let Some(contact) = &filter.contact {
            fits.and("contact = ?", contact.clone());
        }
        if let Some(direction) = &filter.direction {
            fits.and("direction = ?", direction.clone());
        }
        if let Some(outcome) = &filter.outcome {
            fits.and("outcome = ?", outcome.clone());
        }
        Ok(fits)
    }

    /// One more condition with one value.
    pub(super) fn and(&mut self, condition: impl Into<String>, value: impl Into<Value>) {
        self.conditions.push(condition.into());
        self.values.push(value.into());
    }

    /// At most so many rows that fit, the highest `key` first.
    pub(super) fn select(&self, db: &Connection, from: &str, key: &str, limit: usize) -> Rows {
        let all = if self.conditions.is_empty() { "1".to_owned() } else { self.conditions.join(" AND ") };
        let sql = format!("SELECT {COLUMNS} FROM {from} WHERE {all} ORDER BY {key} DESC LIMIT {limit}");
        let mut statement = db.prepare_cached(&sql)?;
        let values = rusqlite::params_from_iter(self.values.iter());
        statement.query_map(values, read)?.collect()
    }

    /// Nothing but the cursor narrows the list.
    pub(super) fn is_wide(&self) -> bool {
        self.conditions.len() == usize::from(self.before.is_some())
    }

    /// The cursor; the end if there is none.
    pub(super) fn before(&self) -> i64 {
        self.before.unwrap_or(i64::MAX)
    }
}

/// A row in the order of [`COLUMNS`].
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<HistoryRow> {
    let unsigned = |n: i64| u64::try_from(n).unwrap_or(0);
    Ok(mend::row(HistoryRow {
        id: unsigned(row.get(0)?),
        call: row.get(1)?,
        direction: row.get(2)?,
        kind: row.get(3)?,
        contact: row.get(4)?,
        name: row.get(5)?,
        address: row.get(6)?,
        outcome: row.get(7)?,
        reason: row.get(8)?,
        ended_by: row.get(9)?,
        note: row.get(10)?,
        message: row.get(11)?,
        created_at: row.get(12)?,
        ringing_at: row.get(13)?,
        answered_at: row.get(14)?,
        ended_at: row.get(15)?,
        duration_ms: unsigned(row.get(16)?),
        seen: row.get(17)?,
        path: row.get(18)?,
        quality: row.get(19)?,
        repairs: unsigned(row.get(20)?),
        peers: serde_json::from_str(&row.get::<_, String>(21)?).unwrap_or_default(),
    }))
}

/// An id as SQLite has it; one that is too high for it is no row's.
pub(super) fn signed(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}
