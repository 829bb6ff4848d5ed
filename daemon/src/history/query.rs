//! Reading rows.
//!
//! Lives here: lists with filters and a cursor, single rows and their events, the two figures that everybody sees.
//! Must not: write.

use ahoy_call::Outcome;
use rusqlite::{Connection, OptionalExtension as _};

use super::select::{COLUMNS, Where, read, signed};
use super::{HistoryFilter, HistoryRow, mend, search};
use crate::values::request::{Answer, Denied, DeniedKind};
use crate::values::rows::{HistoryEvent, Told};

/// Rows that fit, newest first, and the id to go on before (0: no more).
pub(super) fn list(db: &Connection, filter: &HistoryFilter) -> Result<Answer, Denied> {
    let (rows, next) = page(db, filter)?;
    Ok(Answer::History(rows, next))
}

/// The same, as values.
pub(super) fn page(db: &Connection, filter: &HistoryFilter) -> Result<(Vec<HistoryRow>, u64), Denied> {
    let limit = filter.limit.unwrap_or(50);
    let invalid = |sentence: &str| Err(Denied::new(DeniedKind::InvalidOption, sentence));
    if !(1..=1000).contains(&limit) {
        return invalid("`limit` is 1 to 1000.");
    }
    if filter.direction.as_deref().is_some_and(|word| word != "incoming" && word != "outgoing") {
        return invalid("`direction` is \"incoming\" or \"outgoing\".");
    }
    if filter.outcome.as_deref().is_some_and(|word| Outcome::named(word).is_none()) {
        return invalid(&format!("`outcome` is one of {}.", Outcome::WORDS.join(", ")));
    }
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let text = filter.text.as_deref().filter(|text| !text.is_empty());
    let found = Where::of(db, filter).and_then(|fits| match text {
        None => fits.select(db, "calls", "calls.id", wanted + 1),
        Some(text) => search::rows(db, text, &fits, wanted + 1),
    });
    let mut rows = found.map_err(|error| unreadable(&error))?;
    let more = rows.len() > wanted;
    rows.truncate(wanted);
    let next = if more { rows.last().map_or(0, |row| row.id) } else { 0 };
    rows.shrink_to_fit();
    Ok((rows, next))
}

/// One row.
pub(super) fn get(db: &Connection, id: u64) -> Result<Answer, Denied> {
    let row = db
        .prepare_cached(&format!("SELECT {COLUMNS} FROM calls WHERE id = ?1"))
        .and_then(|mut rows| rows.query_row([signed(id)], read).optional())
        .map_err(|error| unreadable(&error))?;
    row.map(|row| Answer::Row(Box::new(row))).ok_or_else(no_such_row)
}

/// The event log of one row, in order.
pub(super) fn events(db: &Connection, id: u64) -> Result<Answer, Denied> {
    let events = db
        .prepare_cached("SELECT at, boot, fact, source, state, data FROM events WHERE row = ?1 ORDER BY n")
        .and_then(|mut found| {
            let mut first = None;
            found
                .query_map([signed(id)], |row| {
                    let boot: i64 = row.get(1)?;
                    let after = boot.saturating_sub(*first.get_or_insert(boot)) / 1_000;
                    Ok(HistoryEvent {
                        at: row.get(0)?,
                        after_ms: u64::try_from(after).unwrap_or(0),
                        event: row.get(2)?,
                        source: row.get(3)?,
                        state: row.get(4)?,
                        data: told(&row.get::<_, String>(5)?),
                    })
                })?
                .collect::<rusqlite::Result<Vec<_>>>()
        })
        .map_err(|error| unreadable(&error))?;
    if events.is_empty() { Err(no_such_row()) } else { Ok(Answer::Events(events)) }
}

/// Unseen missed calls, and the newest row.
pub(super) fn figures(db: &Connection) -> rusqlite::Result<(u32, u64)> {
    let missed: i64 = db
        .prepare_cached("SELECT count(*) FROM calls WHERE outcome = 'missed' AND seen = 0")?
        .query_row([], |row| row.get(0))?;
    let last: i64 =
        db.prepare_cached("SELECT coalesce(max(id), 0) FROM calls")?.query_row([], |row| row.get(0))?;
    Ok((u32::try_from(missed).unwrap_or(u32::MAX), u64::try_from(last).unwrap_or(0)))
}

/// What an event tells, for clients. A name that ends with `-at` is a time.
fn told(data: &str) -> Vec<(String, Told)> {
    let Ok(serde_json::Value::Object(data)) = serde_json::from_str(&mend::told(data)) else {
        return Vec::new();
    };
    let value = |key: &str, value: serde_json::Value| match value {
        serde_json::Value::String(text) => Some(Told::Text(text)),
        serde_json::Value::Number(number) if key.ends_with("-at") => number.as_i64().map(Told::Time),
        serde_json::Value::Number(number) => number.as_u64().map(Told::Number),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Array(_)
        | serde_json::Value::Object(_) => None,
    };
    data.into_iter().filter_map(|(key, it)| value(&key, it).map(|it| (key, it))).collect()
}

pub(super) fn no_such_row() -> Denied {
    Denied::new(DeniedKind::NoSuchRecord, "There is no such row: `ahoyctl history` lists them.")
}

pub(super) fn unreadable(error: &rusqlite::Error) -> Denied {
    Denied::new(DeniedKind::Failed, format!("The history cannot be read: {error}."))
}
