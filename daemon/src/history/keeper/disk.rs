//! A database on a disk that may be full, read-only, away or damaged.
//!
//! Lives here: opening, writing, what is kept for later and what is given up, and the sentence about it.
//! Must not: let anybody wait for a write that cannot succeed; delete a database.

use super::super::file::{self, Fault};
use super::super::{Entry, events};
use super::{Base, Keeper, OLD};
use crate::system::clock;

/// Entries that are kept for a disk that may come back; more are dropped and counted.
const KEPT: usize = 1_000;

impl Keeper {
    /// Opens the database, a damaged one after setting it aside.
    pub(super) fn open(&mut self) {
        self.tried = clock::now();
        let opened = match file::open(&self.path) {
            Err(Fault::Damaged(why)) => {
                if !self.set_aside(&why) {
                    return;
                }
                file::open(&self.path)
            }
            other => other,
        };
        match opened {
            Ok((db, left_open)) => {
                self.read_only = db.is_readonly("main").unwrap_or(false);
                self.base = Base::Open(db);
                self.left_open.extend(left_open);
                self.failure.clear();
                if self.read_only {
                    self.failure = self.cannot_write("its folder or file is read-only");
                }
            }
            Err(fault) => self.fail(fault),
        }
    }

    /// Writes these, and what waits from before; the rows that changed.
    pub(super) fn write(&mut self, entries: Vec<Entry>) -> Vec<(String, u64)> {
        if matches!(self.base, Base::Newer) {
            return Vec::new();
        }
        self.tried = clock::now();
        self.waiting.extend(entries);
        if self.read_only || matches!(self.base, Base::Missing) {
            self.open();
        }
        if self.read_only {
            return self.give_up_some();
        }
        let rows = match self.try_write() {
            Err(error) if file::is_damage(&error) => {
                self.base = Base::Missing;
                if self.set_aside(&file::in_words(&error)) {
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
                let idle = clock::unix_us().saturating_sub(self.looked_at).unsigned_abs();
                self.look_for_old |= u128::from(idle) >= OLD.as_micros();
                rows
            }
            Ok(None) => self.give_up_some(),
            Err(error) => {
                self.failure = self.cannot_write(&file::in_words(&error));
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

    /// Everything that is wrong, in one sentence; empty when all is well.
    pub(super) fn problem(&self) -> String {
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
        let cannot = |why: String| format!("the history cannot be opened ({why}): {path}");
        (self.base, self.failure) = match fault {
            Fault::Newer => (
                Base::Newer,
                format!(
                    "the history was written by a newer ahoyd, it is left alone and calls are not recorded: {path}"
                ),
            ),
            Fault::Sql(error) => (Base::Missing, cannot(file::in_words(&error))),
            Fault::Disk(error) => (Base::Missing, cannot(error.to_string())),
            Fault::Damaged(why) => (Base::Missing, format!("the history is damaged ({why}): {path}")),
        };
    }

    fn cannot_write(&self, why: &str) -> String {
        format!("the history cannot be written ({why}): {}", self.path.display())
    }

    /// Nothing of a damaged database is ever deleted.
    fn set_aside(&mut self, why: &str) -> bool {
        match file::set_aside(&self.path) {
            Ok(kept) => {
                self.notice = format!(
                    "the history was damaged ({why}) and is kept as {}; a new one was begun",
                    kept.display()
                );
                tracing::warn!("the history was damaged; it is kept and a new one was begun");
                true
            }
            Err(error) => {
                self.failure = format!(
                    "the history is damaged ({why}) and cannot be set aside ({error}): {}",
                    self.path.display()
                );
                false
            }
        }
    }
}
