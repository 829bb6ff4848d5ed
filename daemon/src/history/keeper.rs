//! The thread that keeps the database.
//!
//! Lives here: its loop and what each order asks; a disk that does not take what is written: `keeper/disk.rs`.
//! Must not: let anybody wait for a write that cannot succeed; delete a database.

mod disk;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ahoy_call::Moment;
use rusqlite::Connection;
use tokio::sync::{mpsc, watch};

use super::believed::Calendar;
use super::{Entry, HeldAnswer, HistoryOrder, Report, Retention, Unfinished, export, prune, query};
use crate::system::{clock, failpoint, memory};
use crate::values::request::{Answer, Denied, DeniedKind, HistoryRequest, Reply};

/// Exports that may run at once.
const EXPORTS: usize = 2;
/// A disk that may be back is tried again after this.
const AGAIN: Duration = Duration::from_secs(4);
/// Rows that have grown too old are looked for after this, and after the first write that comes later.
const OLD: Duration = Duration::from_secs(6 * 3_600);

pub(super) fn run(
    path: PathBuf,
    keep: watch::Receiver<Retention>,
    mut orders: mpsc::Receiver<HistoryOrder>,
    reports: &mpsc::Sender<Report>,
) {
    let mut keeper = Keeper::new(path, keep);
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
        match keeper.next(&mut orders) {
            Next::Order(HistoryOrder::Stop) | Next::End => return,
            Next::Order(order) => answers.extend(keeper.on_order(order)),
            Next::Idle => answers.extend(keeper.tidy()),
        }
    }
}

enum Next {
    Order(HistoryOrder),
    /// Nobody wants anything, and there is something to do.
    Idle,
    End,
}

struct Keeper {
    path: PathBuf,
    base: Base,
    keep: watch::Receiver<Retention>,
    /// Rows may be too old or too many.
    look_for_old: bool,
    /// When they were last looked for.
    looked_at: i64,
    calendar: Calendar,
    /// When a write was last tried.
    tried: Moment,
    /// What was not written yet.
    waiting: Vec<Entry>,
    /// How many were given up.
    lost: usize,
    /// Why the last write failed; empty when it did not.
    failure: String,
    /// It can be read and not written; SQLite says so only when it is written to.
    read_only: bool,
    /// That a damaged database was set aside; told until the program ends.
    notice: String,
    /// Calls that the last run left open, closed now and not told yet.
    left_open: Vec<Unfinished>,
    exports: Arc<AtomicUsize>,
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

impl Keeper {
    fn new(path: PathBuf, keep: watch::Receiver<Retention>) -> Self {
        Self {
            path,
            base: Base::Missing,
            keep,
            look_for_old: true,
            looked_at: clock::unix_us(),
            calendar: Calendar::new(clock::now(), clock::unix_us()),
            tried: Moment::default(),
            waiting: Vec::new(),
            lost: 0,
            failure: String::new(),
            read_only: false,
            notice: String::new(),
            left_open: Vec::new(),
            exports: Arc::default(),
            missed: 0,
            last_id: 0,
        }
    }

    /// The next order, or the time to do something without one.
    fn next(&mut self, orders: &mut mpsc::Receiver<HistoryOrder>) -> Next {
        self.look_for_old |= self.keep.has_changed().unwrap_or(false);
        let trouble = self.read_only || !self.waiting.is_empty() || matches!(self.base, Base::Missing);
        let again = self.tried + AGAIN;
        // Before anybody's order: who asks often must not keep the disk from being tried.
        if trouble && again <= clock::now() {
            return Next::Idle;
        }
        match orders.try_recv() {
            Ok(order) => return Next::Order(order),
            Err(mpsc::error::TryRecvError::Disconnected) => return Next::End,
            Err(mpsc::error::TryRecvError::Empty) => {}
        }
        if self.look_for_old
            && !self.read_only
            && self.waiting.is_empty()
            && matches!(self.base, Base::Open(_))
        {
            return Next::Idle;
        }
        let pause = if trouble {
            Some(again.since(clock::now()))
        } else {
            self.keep.borrow_and_update().days.map(|_| OLD)
        };
        let news = async {
            tokio::select! {
                order = orders.recv() => order.map_or(Next::End, Next::Order),
                Ok(()) = self.keep.changed() => {
                    self.look_for_old = true;
                    Next::Idle
                }
            }
        };
        // This thread has no runtime but for this.
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else {
            return Next::End;
        };
        runtime.block_on(async {
            match pause {
                Some(pause) => clock::timeout(pause, news).await.unwrap_or(Next::Idle),
                None => news.await,
            }
        })
    }

    fn on_order(&mut self, order: HistoryOrder) -> Option<Report> {
        failpoint::disk();
        match order {
            HistoryOrder::Write { ticket, entries } => {
                let rows = self.write(entries);
                return Some(self.committed(ticket, rows));
            }
            HistoryOrder::Ask(request, reply) => return self.on_request(request, reply),
            HistoryOrder::Rest => self.rest(),
            HistoryOrder::Stop => {}
        }
        None
    }

    fn on_request(&mut self, request: HistoryRequest, reply: Reply) -> Option<Report> {
        let answer = match request {
            HistoryRequest::List(filter) => self.ask(|db| query::list(db, &filter)),
            HistoryRequest::Get(id) => self.ask(|db| query::get(db, id)),
            HistoryRequest::Events(id) => self.ask(|db| query::events(db, id)),
            HistoryRequest::See(ids) => {
                let now = (clock::unix_us(), i64::try_from(clock::now().micros()).unwrap_or(i64::MAX));
                let changed = self.ask(|db| prune::mark_seen(db, &ids, now));
                return Some(self.changed(changed, reply));
            }
            HistoryRequest::Delete(ids) => {
                let changed = self.ask(|db| prune::delete(db, &ids)).map(|()| ids);
                return Some(self.changed(changed, reply));
            }
            HistoryRequest::Export { format, filter, into } => {
                self.export(reply, move |path| {
                    let outcome = export::write(path, format, filter, &into.0);
                    drop(into);
                    outcome
                });
                return None;
            }
            HistoryRequest::Copy(to) => {
                self.export(reply, move |path| export::copy(path, &to));
                return None;
            }
        };
        // Whoever asked may have left meanwhile.
        drop(reply.send(answer));
        None
    }

    /// SQLite keeps up to two megabytes of pages, which the next question reads again from the system's cache. The memory of the
    /// whole program is given back behind it: nothing may run afterwards that brings pages in again.
    fn rest(&self) {
        if let Base::Open(db) = &self.base
            && let Err(error) = db.execute_batch("PRAGMA shrink_memory")
        {
            tracing::debug!(%error, "what the history has read stays in memory");
        }
        memory::rest();
    }

    /// What is done when nobody asks: a disk that was away is tried, old rows go.
    fn tidy(&mut self) -> Option<Report> {
        if self.read_only || !self.waiting.is_empty() || matches!(self.base, Base::Missing) {
            let rows = self.write(Vec::new());
            // Of no ticket that anybody waits for.
            return Some(self.committed(0, rows));
        }
        self.look_for_old = false;
        self.looked_at = clock::unix_us();
        let Base::Open(db) = &mut self.base else { return None };
        let newest = prune::newest(db).unwrap_or(self.looked_at);
        let judged = self.calendar.judge(clock::now(), self.looked_at, newest);
        // By number they may go whatever the calendar says.
        let keep = *self.keep.borrow_and_update();
        let keep = Retention { days: keep.days.filter(|_| judged.is_some()), ..keep };
        match prune::bite(db, keep, judged.unwrap_or(self.looked_at)) {
            Ok(0) => None,
            Ok(_) => {
                self.look_for_old = true;
                self.count();
                Some(Report::Changed {
                    rows: vec![0],
                    missed: self.missed,
                    last_id: self.last_id,
                    reply: None,
                })
            }
            Err(error) => {
                tracing::warn!(%error, "old rows of the history cannot be removed now");
                None
            }
        }
    }

    fn committed(&mut self, ticket: u64, rows: Vec<(String, u64)>) -> Report {
        self.count();
        Report::Committed { ticket, rows, missed: self.missed, last_id: self.last_id }
    }

    fn changed(&mut self, changed: Result<Vec<u64>, Denied>, reply: Reply) -> Report {
        self.count();
        let (rows, outcome) = match changed {
            Ok(rows) if rows.len() > prune::A_FEW => (vec![0], Ok(Answer::Done)),
            Ok(rows) => (rows, Ok(Answer::Done)),
            Err(denied) => (Vec::new(), Err(denied)),
        };
        let reply = Some(HeldAnswer { reply, outcome });
        Report::Changed { rows, missed: self.missed, last_id: self.last_id, reply }
    }

    fn count(&mut self) {
        if let Base::Open(db) = &self.base
            && let Ok((missed, last_id)) = query::figures(db)
        {
            (self.missed, self.last_id) = (missed, last_id);
        }
    }

    fn ask<T>(&mut self, question: impl FnOnce(&mut Connection) -> Result<T, Denied>) -> Result<T, Denied> {
        if matches!(self.base, Base::Missing) {
            self.open();
        }
        match &mut self.base {
            Base::Open(db) => question(db),
            Base::Newer | Base::Missing => Err(Denied::new(DeniedKind::Failed, self.problem())),
        }
    }

    /// A reader may be slow, so that nobody else waits for it here.
    fn export(&mut self, reply: Reply, write: impl FnOnce(&Path) -> Result<Answer, Denied> + Send + 'static) {
        let running = Arc::clone(&self.exports);
        if running.load(Ordering::Relaxed) >= EXPORTS {
            let sentence = "Two exports run already: wait for one to end.";
            return drop(reply.send(Err(Denied::new(DeniedKind::RateLimited, sentence))));
        }
        if let Err(denied) = self.ask(|_| Ok(())) {
            return drop(reply.send(Err(denied)));
        }
        running.fetch_add(1, Ordering::Relaxed);
        let path = self.path.clone();
        let work = move || {
            let outcome = write(&path);
            running.fetch_sub(1, Ordering::Relaxed);
            drop(reply.send(outcome));
        };
        if let Err(error) = std::thread::Builder::new().name("export".into()).spawn(work) {
            self.exports.fetch_sub(1, Ordering::Relaxed);
            tracing::warn!(%error, "no thread for an export");
        }
    }
}
