//! The thread that keeps the database.
//!
//! Lives here: its loop, and what becomes of a database that is damaged, newer, or that the disk does not take.
//! Must not: let anybody wait for a write that cannot succeed; delete a database.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::mpsc;

use super::schema::{self, Belongs};
use super::{Entry, Order, Report, Unfinished, events, query};
use crate::clock;
use crate::request::{Answer, Denied, DeniedKind};

/// Entries that are kept for a disk that may come back; more are dropped and counted.
const KEPT: usize = 1_000;
/// How long a write waits for another program that holds the file.
const HELD_BY_OTHERS: Duration = Duration::from_millis(250);
/// A larger database is not read through at the start; damage in it shows at the first use.
const READ_THROUGH: u64 = 16 * 1024 * 1024;

pub(super) fn run(path: PathBuf, mut orders: mpsc::Receiver<Order>, reports: &mpsc::Sender<Report>) {
    let mut keeper = Keeper::new(path);
    keeper.open();
    let mut told = String::new();
    let mut answers = vec![keeper.committed(0, Vec::new())];
    loop {
        if !keeper.left_open.is_empty() {
            answers.push(Report::Interrupted(std::mem::take(&mut keeper.left_open)));
        }
        let problem = keeper.problem();
        if problem != told {
            told.clone_from(&problem);
            answers.push(Report::Problem(problem));
        }
        for answer in answers.drain(..) {
            if reports.blocking_send(answer).is_err() {
                return;
            }
        }
        match orders.blocking_recv() {
            Some(Order::Write { ticket, entries }) => {
                let rows = keeper.write(entries);
                answers.push(keeper.committed(ticket, rows));
            }
            // Whoever asked may have left meanwhile.
            Some(Order::List(filter, reply)) => drop(reply.send(keeper.ask(|db| query::list(db, &filter)))),
            Some(Order::Get(id, reply)) => drop(reply.send(keeper.ask(|db| query::get(db, id)))),
            Some(Order::Stop) | None => return,
        }
    }
}

struct Keeper {
    path: PathBuf,
    base: Base,
    /// What was not written yet.
    waiting: Vec<Entry>,
    /// How many were given up.
    lost: usize,
    /// Why the last write failed; empty when it did not.
    failure: String,
    /// That a damaged database was set aside; told until the program ends.
    notice: String,
    /// Calls that the last run left open, closed now and not told yet.
    left_open: Vec<Unfinished>,
    missed: u32,
    last_id: u64,
}

enum Base {
    Open(Connection),
    /// Written by a later program: not touched in this run.
    Newer,
    /// Not there, for a reason that may pass.
    Missing,
}

/// Why a database is not open.
enum Fault {
    Damaged(String),
    Newer,
    Sql(rusqlite::Error),
    Disk(io::Error),
}

impl Keeper {
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            base: Base::Missing,
            waiting: Vec::new(),
            lost: 0,
            failure: String::new(),
            notice: String::new(),
            left_open: Vec::new(),
            missed: 0,
            last_id: 0,
        }
    }

    /// Opens the database, a damaged one after setting it aside.
    fn open(&mut self) {
        let opened = match open(&self.path) {
            Err(Fault::Damaged(why)) => {
                if !self.set_aside(&why) {
                    return;
                }
                open(&self.path)
            }
            other => other,
        };
        match opened {
            Ok((db, left_open)) => {
                self.base = Base::Open(db);
                self.left_open.extend(left_open);
                self.failure.clear();
            }
            Err(fault) => self.fail(fault),
        }
    }

    fn write(&mut self, entries: Vec<Entry>) -> Vec<(String, u64)> {
        if matches!(self.base, Base::Newer) {
            return Vec::new();
        }
        self.waiting.extend(entries);
        if matches!(self.base, Base::Missing) {
            self.open();
        }
        let rows = match self.try_write() {
            Err(error) if is_damage(&error) => {
                self.base = Base::Missing;
                if self.set_aside(&error.to_string()) {
                    self.open();
                }
                self.try_write()
            }
            other => other,
        };
        match rows {
            Ok(Some(rows)) => {
                self.waiting.clear();
                self.failure.clear();
                rows
            }
            Ok(None) => self.give_up_some(),
            Err(error) => {
                self.failure = format!("the history cannot be written ({error}): {}", self.path.display());
                self.give_up_some()
            }
        }
    }

    /// `None`: there is no database now.
    fn try_write(&mut self) -> rusqlite::Result<Option<Vec<(String, u64)>>> {
        match &mut self.base {
            Base::Open(db) => events::write(db, &self.waiting).map(Some),
            Base::Newer | Base::Missing => Ok(None),
        }
    }

    fn give_up_some(&mut self) -> Vec<(String, u64)> {
        let over = self.waiting.len().saturating_sub(KEPT);
        self.waiting.drain(..over);
        self.lost += over;
        Vec::new()
    }

    fn committed(&mut self, ticket: u64, rows: Vec<(String, u64)>) -> Report {
        if let Base::Open(db) = &self.base
            && let Ok((missed, last_id)) = query::figures(db)
        {
            (self.missed, self.last_id) = (missed, last_id);
        }
        Report::Committed { ticket, rows, missed: self.missed, last_id: self.last_id }
    }

    fn ask(
        &mut self,
        question: impl FnOnce(&Connection) -> Result<Answer, Denied>,
    ) -> Result<Answer, Denied> {
        if matches!(self.base, Base::Missing) {
            self.open();
        }
        match &self.base {
            Base::Open(db) => question(db),
            Base::Newer | Base::Missing => Err(Denied::new(DeniedKind::Failed, self.problem())),
        }
    }

    /// Everything that is wrong, in one sentence; empty when all is well.
    fn problem(&self) -> String {
        let lost = match (self.lost, self.waiting.len()) {
            (0, 0) => String::new(),
            (0, waiting) => format!("{waiting} entries of history wait to be written"),
            (lost, _) => format!("{lost} entries of history could not be written and are lost"),
        };
        let parts = [&self.notice, &self.failure, &lost].map(String::as_str);
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
    }

    fn fail(&mut self, fault: Fault) {
        let path = self.path.display();
        (self.base, self.failure) = match fault {
            Fault::Newer => (
                Base::Newer,
                format!(
                    "the history was written by a newer ahoyd, it is left alone and calls are not recorded: {path}"
                ),
            ),
            Fault::Sql(error) => (Base::Missing, format!("the history cannot be opened ({error}): {path}")),
            Fault::Disk(error) => (Base::Missing, format!("the history cannot be opened ({error}): {path}")),
            Fault::Damaged(why) => (Base::Missing, format!("the history is damaged ({why}): {path}")),
        };
    }

    /// Renames the damaged database with what belongs to it. Nothing of it is ever deleted.
    fn set_aside(&mut self, why: &str) -> bool {
        let kept = with_suffix(&self.path, &format!(".damaged-{}", clock::unix_us() / 1_000_000));
        if let Err(error) = std::fs::rename(&self.path, &kept) {
            self.failure = format!(
                "the history is damaged ({why}) and cannot be set aside ({error}): {}",
                self.path.display()
            );
            return false;
        }
        for suffix in ["-wal", "-shm"] {
            match std::fs::rename(with_suffix(&self.path, suffix), with_suffix(&kept, suffix)) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    tracing::warn!(%error, suffix, "a part of the damaged history stays where it is")
                }
            }
        }
        self.notice =
            format!("the history was damaged ({why}) and is kept as {}; a new one was begun", kept.display());
        tracing::warn!("the history was damaged; it is kept and a new one was begun");
        true
    }
}

fn open(path: &Path) -> Result<(Connection, Vec<Unfinished>), Fault> {
    // Made by us first, so that it and the files beside it are readable by this user only.
    match OpenOptions::new().create_new(true).write(true).mode(0o600).open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(Fault::Disk(error)),
    }
    let size = std::fs::metadata(path).map_err(Fault::Disk)?.len();
    let mut db = Connection::open(path).map_err(sort)?;
    db.busy_timeout(HELD_BY_OTHERS).map_err(sort)?;
    match schema::prepare(&mut db).map_err(sort)? {
        Belongs::Ready => {}
        Belongs::Newer => return Err(Fault::Newer),
        Belongs::Foreign => return Err(Fault::Damaged("it is another program's database".into())),
    }
    if size <= READ_THROUGH {
        let found: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(sort)?;
        if found != "ok" {
            return Err(Fault::Damaged(found.replace('\n', " ")));
        }
    }
    let left_open = events::close_open(&mut db).map_err(sort)?;
    Ok((db, left_open))
}

fn sort(error: rusqlite::Error) -> Fault {
    if is_damage(&error) { Fault::Damaged(error.to_string()) } else { Fault::Sql(error) }
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
