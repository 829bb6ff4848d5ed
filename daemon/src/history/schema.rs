//! The shape of the database.
//!
//! Lives here: who a file belongs to, its version, and the steps from each version to the next.
//! Must not: change a step that was ever released; go back.

use ahoy_proto::words::folded;
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, TransactionBehavior};

use super::mend;

/// `application_id` of our databases: "ahoy".
const APPLICATION: i32 = 0x6168_6f79;

/// Step `n` leads from version `n` to `n + 1`. Frozen: a database in the world has run them.
pub(super) const STEPS: [&str; 5] = [
    include_str!("steps/1.sql"),
    include_str!("steps/2.sql"),
    include_str!("steps/3.sql"),
    include_str!("steps/4.sql"),
    include_str!("steps/5.sql"),
];

/// What a file turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Belongs {
    /// It is ours and of this version now.
    Ready,
    /// A later program wrote it.
    Newer,
    /// It is a database of somebody else.
    Foreign,
}

/// Looks whose file it is and brings it to the present version; touches neither a newer nor a foreign one.
pub(super) fn prepare(db: &mut Connection) -> rusqlite::Result<Belongs> {
    let pragma = |db: &Connection, name: &str| db.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let application = pragma(db, "application_id")?;
    let version = pragma(db, "user_version")?;
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let fresh = application == 0 && version == 0 && tables == 0;
    if !fresh && application != APPLICATION {
        return Ok(Belongs::Foreign);
    }
    let done = usize::try_from(version).unwrap_or(0);
    if done > STEPS.len() {
        return Ok(Belongs::Newer);
    }
    settle(db)?;
    mending(db)?;
    for (step, to) in STEPS.iter().zip(1_i32..).skip(done) {
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        change.execute_batch(step)?;
        change.pragma_update(None, "application_id", APPLICATION)?;
        change.pragma_update(None, "user_version", to)?;
        change.commit()?;
    }
    Ok(Belongs::Ready)
}

/// A killed process loses nothing with these; a loss of power may cost the last moments, never the file.
fn settle(db: &Connection) -> rusqlite::Result<()> {
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    db.pragma_update(None, "foreign_keys", true)?;
    // What a person deletes is overwritten.
    db.pragma_update(None, "secure_delete", true)?;
    db.pragma_update(None, "journal_size_limit", 1_048_576)?;
    lean(db)
}

/// For every connection: little memory, however large the database.
pub(super) fn lean(db: &Connection) -> rusqlite::Result<()> {
    db.pragma_update(None, "cache_size", -256)?;
    db.pragma_update(None, "mmap_size", 0)?;
    db.set_prepared_statement_cache_capacity(24);
    text_function(db, "ahoy_fold", fold)
}

/// For the steps: words that a version before took as they came.
pub(super) fn mending(db: &Connection) -> rusqlite::Result<()> {
    text_function(db, "ahoy_name", mend::name)?;
    text_function(db, "ahoy_note", mend::note)?;
    text_function(db, "ahoy_told", mend::told)
}

fn text_function(db: &Connection, name: &str, of: fn(&str) -> String) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    db.create_scalar_function(name, 1, flags, move |call| call.get::<String>(0).map(|text| of(&text)))
}

/// Text as it is searched: large and small letters alike, composed and decomposed ones too.
pub(super) fn fold(text: &str) -> String {
    folded(text)
}
