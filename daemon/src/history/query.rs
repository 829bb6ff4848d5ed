//! Reading rows.
//!
//! Lives here: lists with filters and a cursor, single rows, the two figures that everybody sees.
//! Must not: write.

use rusqlite::{Connection, OptionalExtension as _, Row, named_params};

use super::{HistoryFilter, HistoryRow, words};
use crate::request::{Answer, Denied, DeniedKind};

const COLUMNS: &str = "id, call, direction, kind, contact, name, address, outcome, reason, ended_by, note,
     created_at, ringing_at, answered_at, ended_at, duration_ms, seen";

/// Rows that fit, newest first, and the id to go on before (0: no more).
pub(super) fn list(db: &Connection, filter: &HistoryFilter) -> Result<Answer, Denied> {
    let limit = filter.limit.unwrap_or(50);
    let invalid = |sentence: &str| Err(Denied::new(DeniedKind::InvalidOption, sentence));
    if !(1..=1000).contains(&limit) {
        return invalid("`limit` is 1 to 1000.");
    }
    if filter.direction.as_deref().is_some_and(|word| word != "incoming" && word != "outgoing") {
        return invalid("`direction` is \"incoming\" or \"outgoing\".");
    }
    if filter.outcome.as_deref().is_some_and(|word| !words::OUTCOMES.contains(&word)) {
        return invalid(&format!("`outcome` is one of {}.", words::OUTCOMES.join(", ")));
    }
    let (mut rows, more) = select(db, filter, limit).map_err(|error| unreadable(&error))?;
    let next = if more { rows.last().map_or(0, |row| row.id) } else { 0 };
    rows.shrink_to_fit();
    Ok(Answer::History(rows, next))
}

/// One row.
pub(super) fn get(db: &Connection, id: u64) -> Result<Answer, Denied> {
    let nothing =
        || Denied::new(DeniedKind::NoSuchRecord, "There is no such row: `ahoyctl history` lists them.");
    let id = i64::try_from(id).map_err(|_| nothing())?;
    let row = db
        .prepare_cached(&format!("SELECT {COLUMNS} FROM calls WHERE id = ?1"))
        .and_then(|mut rows| rows.query_row([id], read).optional())
        .map_err(|error| unreadable(&error))?;
    row.map(|row| Answer::Row(Box::new(row))).ok_or_else(nothing)
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

fn select(db: &Connection, filter: &HistoryFilter, limit: u32) -> rusqlite::Result<(Vec<HistoryRow>, bool)> {
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let text = filter.text.as_deref().filter(|text| !text.is_empty()).map(pattern);
    let before = filter.before.filter(|&id| id != 0).map(|id| i64::try_from(id).unwrap_or(i64::MAX));
    let mut statement = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM calls
         WHERE (:before IS NULL OR id < :before)
           AND (:since IS NULL OR created_at >= :since)
           AND (:until IS NULL OR created_at < :until)
           AND (:contact IS NULL OR contact = :contact)
           AND (:direction IS NULL OR direction = :direction)
           AND (:outcome IS NULL OR outcome = :outcome)
           AND (:text IS NULL OR name LIKE :text ESCAPE '\\' OR address LIKE :text ESCAPE '\\'
                OR note LIKE :text ESCAPE '\\')
         ORDER BY id DESC LIMIT :limit"
    ))?;
    let found = statement.query_map(
        named_params! {
            ":before": before,
            ":since": filter.since,
            ":until": filter.until,
            ":contact": filter.contact,
            ":direction": filter.direction,
            ":outcome": filter.outcome,
            ":text": text,
            ":limit": i64::from(limit) + 1,
        },
        read,
    )?;
    let mut rows = found.collect::<rusqlite::Result<Vec<HistoryRow>>>()?;
    let more = rows.len() > wanted;
    rows.truncate(wanted);
    Ok((rows, more))
}

/// A part of a text as a pattern of LIKE, in which nothing that a person types is special.
fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

fn read(row: &Row<'_>) -> rusqlite::Result<HistoryRow> {
    let unsigned = |n: i64| u64::try_from(n).unwrap_or(0);
    Ok(HistoryRow {
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
        created_at: row.get(11)?,
        ringing_at: row.get(12)?,
        answered_at: row.get(13)?,
        ended_at: row.get(14)?,
        duration_ms: unsigned(row.get(15)?),
        seen: row.get(16)?,
    })
}

fn unreadable(error: &rusqlite::Error) -> Denied {
    Denied::new(DeniedKind::Failed, format!("The history cannot be read: {error}."))
}
