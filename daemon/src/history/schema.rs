//! The shape of the database.
//!
//! Lives here: who a file belongs to, its version, and the steps from each version to the next.
//! Must not: change a step that was ever released; go back.

use rusqlite::{Connection, TransactionBehavior};

/// `application_id` of our databases: "ahoy".
const APPLICATION: i32 = 0x6168_6f79;

/// Step `n` leads from version `n` to `n + 1`. Frozen: a database in the world has run them.
const STEPS: [&str; 1] = [
    "CREATE TABLE calls (
         id INTEGER PRIMARY KEY AUTOINCREMENT,
         call TEXT NOT NULL UNIQUE,
         direction TEXT NOT NULL,
         kind TEXT NOT NULL,
         contact TEXT NOT NULL,
         name TEXT NOT NULL,
         address TEXT NOT NULL,
         state TEXT NOT NULL,
         outcome TEXT NOT NULL DEFAULT '',
         reason TEXT NOT NULL DEFAULT '',
         ended_by TEXT NOT NULL DEFAULT '',
         note TEXT NOT NULL DEFAULT '',
         created_at INTEGER NOT NULL,
         ringing_at INTEGER NOT NULL DEFAULT 0,
         answered_at INTEGER NOT NULL DEFAULT 0,
         ended_at INTEGER NOT NULL DEFAULT 0,
         duration_ms INTEGER NOT NULL DEFAULT 0,
         seen INTEGER NOT NULL DEFAULT 0
     ) STRICT;
     CREATE INDEX calls_by_contact ON calls (contact, id);
     CREATE INDEX calls_by_time ON calls (created_at);
     CREATE INDEX calls_open ON calls (id) WHERE ended_at = 0;
     CREATE INDEX calls_missed ON calls (id) WHERE outcome = 'missed' AND seen = 0;
     CREATE TABLE events (
         row INTEGER NOT NULL REFERENCES calls (id),
         n INTEGER NOT NULL,
         at INTEGER NOT NULL,
         fact TEXT NOT NULL,
         state TEXT NOT NULL,
         data TEXT NOT NULL,
         PRIMARY KEY (row, n)
     ) STRICT, WITHOUT ROWID;
     CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;",
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
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    db.pragma_update(None, "foreign_keys", true)?;
    for (step, to) in STEPS.iter().zip(1_i32..).skip(done) {
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        change.execute_batch(step)?;
        change.pragma_update(None, "application_id", APPLICATION)?;
        change.pragma_update(None, "user_version", to)?;
        change.commit()?;
    }
    Ok(Belongs::Ready)
}
