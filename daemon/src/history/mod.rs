//! The history port: the only user of SQLite.
//!
//! Lives here: the thread that owns the connection; orders in, reports out.
//! Must not: decide anything about a call, or know who asks.

mod believed;
mod calendar;
mod events;
mod export;
mod file;
mod fold;
mod keeper;
mod mend;
mod prune;
mod query;
mod schema;
mod search;
mod select;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "sample"))]
mod through;
mod words;

use std::io;
use std::path::PathBuf;

use ahoy_call::Record;
use tokio::sync::{mpsc, watch};

use crate::values::line::LineSummary;
use crate::values::request::{Answer, Denied, HistoryRequest, Reply};

#[cfg(any(test, feature = "sample"))]
pub use self::through::Files;
#[cfg(any(test, feature = "sample"))]
pub(crate) use self::through::through;
pub use crate::values::rows::{HistoryFilter, HistoryPeer, HistoryRow, Retention};

/// Starts the thread `history` on the database at `path`, making it if it is missing. It first reports `Committed` of
/// ticket 0 with what the database holds, then what a crash left open. It ends at `Order::Stop` or when nobody orders any more.
/// `keep` is how long rows stay, the newest word counting.
pub fn spawn(
    path: PathBuf,
    keep: watch::Receiver<Retention>,
    orders: mpsc::Receiver<HistoryOrder>,
    reports: mpsc::Sender<Report>,
) -> io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new()
        .name("history".into())
        .spawn(move || keeper::run(path, keep, orders, &reports))
}

/// What the engine asks.
#[derive(Debug)]
pub enum HistoryOrder {
    /// Append these entries in one transaction, and answer with `Report::Committed` of the same ticket.
    Write {
        /// Rises with each write.
        ticket: u64,
        /// The entries, in order.
        entries: Vec<Entry>,
    },
    /// Answer this: what only reads, by itself; what changes rows, through `Report::Changed`; a file is written on a thread of
    /// its own.
    Ask(HistoryRequest, Reply),
    /// Nothing goes on: what was read is not kept in memory any longer, and then all that is free is given back.
    Rest,
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
    /// The name of whom it is about, of the others in a group.
    pub about: Option<String>,
    /// The others in a group, as they are then.
    pub peers: Vec<HistoryPeer>,
    /// Of the end of a call, how its line was.
    pub line: Option<LineSummary>,
}

/// What the engine hears.
#[derive(Debug)]
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
    /// A person, or the time that rows are kept, has changed rows. Show it, then answer who waits.
    Changed {
        /// Which rows; 0 alone: many.
        rows: Vec<u64>,
        /// Unseen missed calls now.
        missed: u32,
        /// The newest row now.
        last_id: u64,
        /// Who waits, and for what.
        reply: Option<HeldAnswer>,
    },
    /// Rows that were open when the daemon was last killed, now closed: say `bye` to these contacts.
    Interrupted(Vec<Unfinished>),
    /// A sentence about what is wrong with the history; empty when all is well.
    Problem(String),
}

/// An answer that comes after the publication of what it did.
#[derive(Debug)]
pub struct HeldAnswer {
    /// Who waits.
    pub reply: Reply,
    /// For what.
    pub outcome: Result<Answer, Denied>,
}

/// A call that a crash cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// The call.
    pub call: ahoy_call::CallId,
    /// The contact.
    pub peer: ahoy_call::PeerId,
    /// They called and we had not answered.
    pub unanswered: bool,
}
