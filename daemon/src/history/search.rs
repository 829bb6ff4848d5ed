//! Finding rows by a part of a text.
//!
//! Lives here: who was called so, and what was told, each by its own way, and the two put together.
//! Must not: read more of a large database than the page that is asked for needs.

use rusqlite::types::Value;
use rusqlite::{Connection, params};

use super::schema;
use super::select::{self, Rows, Where};

/// The trigram index answers for texts of at least that many characters.
const INDEXED: usize = 3;
/// Trigrams that are looked up; the text itself is compared with what they find.
const TRIGRAMS: usize = 12;

/// The newest rows that fit and have `text` in name, address, note or message.
///
/// Names and addresses repeat, so the few that there are get compared, and then the newest calls with those people are
/// taken. Notes and messages do not repeat: an index of their trigrams finds them.
pub(super) fn rows(db: &Connection, text: &str, fits: &Where, limit: usize) -> Rows {
    let text = schema::fold(text);
    let mut found = by_person(db, &text, fits, limit)?;
    // Where people fill the page, only newer calls can still change it.
    let after = found.get(limit - 1).map_or(0, |last| last.id);
    found.extend(by_words(db, &text, fits, after, limit)?);
    found.sort_unstable_by_key(|row| std::cmp::Reverse(row.id));
    found.dedup_by_key(|row| row.id);
    found.truncate(limit);
    Ok(found)
}

fn by_person(db: &Connection, text: &str, fits: &Where, limit: usize) -> Rows {
    if !fits.is_wide() {
        let mut fits = fits.clone();
        fits.and("+person IN (SELECT id FROM people WHERE instr(folded, ?) > 0)", text.to_owned());
        return fits.select(db, "calls", "calls.id", limit);
    }
    // The newest `limit` calls are with people of whom each has one among the newest `limit` last calls.
    let before = fits.before();
    let people: Vec<i64> = db
        .prepare_cached(
            "SELECT people.id, (SELECT max(id) FROM calls WHERE person = people.id AND id < ?2) AS newest
             FROM people WHERE instr(folded, ?1) > 0 AND newest IS NOT NULL ORDER BY newest DESC LIMIT ?3",
        )?
        .query_map(params![text, before, i64::try_from(limit).unwrap_or(i64::MAX)], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut ids: Vec<i64> = Vec::new();
    let mut calls =
        db.prepare_cached("SELECT id FROM calls WHERE person = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3")?;
    for person in people {
        let of_person = calls
            .query_map(params![person, before, i64::try_from(limit).unwrap_or(i64::MAX)], |row| row.get(0))?;
        for id in of_person {
            ids.push(id?);
        }
    }
    ids.sort_unstable_by_key(|id| std::cmp::Reverse(*id));
    ids.truncate(limit);
    let mut one = db.prepare_cached(&format!("SELECT {} FROM calls WHERE id = ?1", select::COLUMNS))?;
    ids.into_iter().map(|id| one.query_row([id], select::read)).collect()
}

fn by_words(db: &Connection, text: &str, fits: &Where, after: u64, limit: usize) -> Rows {
    let letters: Vec<char> = text.chars().collect();
    let before = fits.before();
    let after = select::signed(after);
    let mut fits = fits.clone();
    fits.and("instr(told.folded, ?) > 0", text.to_owned());
    if letters.len() < INDEXED {
        fits.and("told.id < ?", before);
        fits.and("told.id > ?", after);
        return fits.select(db, "told CROSS JOIN calls ON calls.id = told.id", "told.id", limit);
    }
    fits.and("told_index MATCH ?", Value::Text(trigrams(&letters)));
    fits.and("told_index.rowid < ?", before);
    fits.and("told_index.rowid > ?", after);
    let from = "told_index CROSS JOIN told ON told.id = told_index.rowid CROSS JOIN calls ON calls.id = told_index.rowid";
    fits.select(db, from, "told_index.rowid", limit)
}

/// All trigrams of a text must be there, each as a quoted term.
fn trigrams(letters: &[char]) -> String {
    let all = letters.windows(INDEXED).take(TRIGRAMS);
    let terms = all.map(|trigram| format!("\"{}\"", trigram.iter().collect::<String>().replace('"', "\"\"")));
    terms.collect::<Vec<_>>().join(" AND ")
}
