//! The history port: the only user of SQLite.
//!
//! Lives here: the thread that owns the connection; orders in, reports out.
//! Must not: decide anything about a call, or know who asks.

use ahoy_call::Record;

use crate::request::Reply;

/// What the engine asks.
#[derive(Debug)]
pub enum Order {
    /// Append these entries in one transaction, and answer with `Report::Committed` of the same ticket.
    Write {
        /// Rises with each write.
        ticket: u64,
        /// The entries, in order.
        entries: Vec<Entry>,
    },
    /// Rows, newest first. Answers by itself.
    List(HistoryFilter, Reply),
    /// One row. Answers by itself.
    Get(u64, Reply),
    /// Commit and end.
    Stop,
}

/// A record of the rules with what only the engine knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The rules' record.
    pub record: Record,
    /// When it happened, microseconds since the Unix epoch.
    pub at_unix_us: i64,
    /// The contact's name then.
    pub name: String,
    /// The contact's address.
    pub address: String,
}

/// What the engine hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// A write is safe (or its failure was reported once as a problem).
    Committed {
        /// Its ticket.
        ticket: u64,
        /// The row of each call in it: 32 hex digits of the call id, row id.
        rows: Vec<(String, u64)>,
        /// Unseen missed calls now.
        missed: u32,
        /// The newest row now.
        last_id: u64,
    },
    /// Rows that were open when the daemon was last killed, now closed: say `bye` to these contacts.
    Interrupted(Vec<Unfinished>),
    /// A sentence about what is wrong with the history; empty when all is well.
    Problem(String),
}

/// A call that a crash cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// The call.
    pub call: ahoy_call::CallId,
    /// The contact.
    pub peer: ahoy_call::PeerId,
}

/// Which rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryFilter {
    /// Created at or after, microseconds since the Unix epoch.
    pub since: Option<i64>,
    /// Created before.
    pub until: Option<i64>,
    /// Contact id, 32 hex digits.
    pub contact: Option<String>,
    /// `incoming` or `outgoing`.
    pub direction: Option<String>,
    /// An outcome's spelling.
    pub outcome: Option<String>,
    /// A part of the name, the address or the note.
    pub text: Option<String>,
    /// At most so many, 1 to 1000; 50 if none.
    pub limit: Option<u32>,
    /// Rows older than this id.
    pub before: Option<u64>,
}

/// One call in history. Times are microseconds since the Unix epoch, 0: never.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryRow {
    /// The row.
    pub id: u64,
    /// The call, 32 hex digits.
    pub call: String,
    /// `incoming` or `outgoing`.
    pub direction: String,
    /// `direct`.
    pub kind: String,
    /// The contact's id, 32 hex digits.
    pub contact: String,
    /// Its name then.
    pub name: String,
    /// Its address.
    pub address: String,
    /// How it is filed; empty while it runs.
    pub outcome: String,
    /// Why it ended; empty while it runs.
    pub reason: String,
    /// On whose side; empty while it runs.
    pub ended_by: String,
    /// The dial's note.
    pub note: String,
    /// When it was made.
    pub created_at: i64,
    /// When it first rang.
    pub ringing_at: i64,
    /// When it was answered.
    pub answered_at: i64,
    /// When it ended.
    pub ended_at: i64,
    /// Answer to end, milliseconds.
    pub duration_ms: u64,
    /// Somebody has seen it.
    pub seen: bool,
}
