//! What history promises, with real files and the real thread.
//!
//! Lives here: a history that runs, entries to write, and reading it by nothing but SQL.
//! Must not: mock a file or a disk: they are real, in a directory of their own.

mod changing;
mod faults;
mod log;
mod reading;
mod upgrading;

use std::path::{Path, PathBuf};

use ahoy_call::{CallId, CallView, Direction, EndReason, EndedBy, Fact, Moment, Outcome, PeerId, State};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::*;
use crate::values::request::{Answer, Denied, DeniedKind};

/// The calendar time of the moment 0 in these tests.
const BOOT: i64 = 1_700_000_000_000_000;
const SECOND: i64 = 1_000_000;

struct Running {
    keep: watch::Sender<Retention>,
    orders: mpsc::Sender<HistoryOrder>,
    reports: mpsc::Receiver<Report>,
    thread: std::thread::JoinHandle<()>,
}

/// A history that has told what it found.
fn start(path: &Path) -> (Running, Vec<Report>) {
    start_keeping(path, Retention::default())
}

fn start_keeping(path: &Path, keep: Retention) -> (Running, Vec<Report>) {
    let (orders, inbox) = mpsc::channel(16);
    let (outbox, reports) = mpsc::channel(16);
    let (keep, kept) = watch::channel(keep);
    let thread = spawn(path.to_owned(), kept, inbox, outbox).unwrap();
    let mut running = Running { keep, orders, reports, thread };
    // The answer to a question comes after everything that the start had to tell.
    drop(running.ask(HistoryRequest::Get(u64::MAX)));
    let mut found = Vec::new();
    while let Ok(report) = running.reports.try_recv() {
        found.push(report);
    }
    (running, found)
}

impl Running {
    fn ask(&self, request: HistoryRequest) -> Result<Answer, Denied> {
        let (reply, answer) = oneshot::channel();
        self.orders.blocking_send(HistoryOrder::Ask(request, reply)).unwrap();
        answer.blocking_recv().unwrap()
    }

    fn write(&mut self, ticket: u64, entries: Vec<Entry>) -> (Vec<(String, u64)>, u32, u64) {
        self.orders.blocking_send(HistoryOrder::Write { ticket, entries }).unwrap();
        loop {
            match self.reports.blocking_recv().unwrap() {
                // A try that nobody ordered, while the disk takes nothing.
                Report::Committed { ticket: 0, .. } => {}
                Report::Committed { ticket: of, rows, missed, last_id } => {
                    assert_eq!(of, ticket);
                    return (rows, missed, last_id);
                }
                Report::Changed { .. } | Report::Interrupted(_) | Report::Problem(_) => {}
            }
        }
    }

    fn list(&self, filter: HistoryFilter) -> Vec<HistoryRow> {
        match self.ask(HistoryRequest::List(filter)) {
            Ok(Answer::History(rows, _)) => rows,
            other => panic!("{other:?}"),
        }
    }

    fn problem(&mut self) -> String {
        match self.reports.blocking_recv() {
            Some(Report::Problem(sentence)) => sentence,
            other => panic!("{other:?}"),
        }
    }

    /// As a kill leaves it, as far as files go: no order to stop.
    fn drop_dead(self) {
        drop(self.orders);
        self.thread.join().unwrap();
    }
}

fn view(call: u8, direction: Direction) -> CallView {
    let state = if direction == Direction::Incoming { State::Incoming } else { State::Dialing };
    CallView {
        peer: PeerId::from_bytes([9; 16]),
        direction,
        created: at(10),
        note: Some("lunch?".into()),
        ..CallView::sample(call, state)
    }
}

fn at(second: u64) -> Moment {
    Moment::from_micros(second * 1_000_000)
}

fn entry(fact: Fact, second: u64, view: &CallView) -> Entry {
    Entry {
        record: Record { at: at(second), fact, view: view.clone(), about: None, at_unix_us: None },
        at_unix_us: BOOT + i64::try_from(second).unwrap() * SECOND,
        name: "Ben".into(),
        address: "benaddress".into(),
        about: None,
        peers: Vec::new(),
        line: None,
    }
}

/// A call that was dialed at 10 s, rang at 11 s, was answered at 15 s, heard, lost, mended; and is up.
fn until_up(call: u8) -> (CallView, Vec<Entry>) {
    let mut view = view(call, Direction::Outgoing);
    let mut entries = vec![entry(Fact::Dialed, 10, &view)];
    (view.state, view.ringing) = (State::Alerting, Some(at(11)));
    entries.push(entry(Fact::RingingThere, 11, &view));
    (view.state, view.answered) = (State::Connecting, Some(at(15)));
    entries.push(entry(Fact::Answered, 15, &view));
    for (second, fact, state) in [
        (16, Fact::Connected, State::Active),
        (20, Fact::PathLost, State::Reconnecting),
        (22, Fact::PathRestored, State::Active),
    ] {
        view.state = state;
        entries.push(entry(fact, second, &view));
    }
    (view, entries)
}

fn ended(view: &CallView, second: u64, reason: EndReason, outcome: Outcome) -> Entry {
    let mut view = view.clone();
    view.state = State::Disconnected;
    (view.reason, view.ended_by, view.outcome) = (Some(reason), Some(EndedBy::Remote), Some(outcome));
    view.ended = Some(at(second));
    entry(Fact::Ended, second, &view)
}

fn missed(call: u8) -> Vec<Entry> {
    let mut view = view(call, Direction::Incoming);
    let offered = entry(Fact::Offered, 10, &view);
    view.ringing = Some(at(11));
    vec![offered, entry(Fact::RingingHere, 11, &view), ended(&view, 71, EndReason::Missed, Outcome::Missed)]
}

/// What the event log of a row adds up to, read by nothing but SQL and JSON.
fn fold(path: &Path, row: u64) -> HistoryRow {
    let db = Connection::open(path).unwrap();
    let mut events = db.prepare("SELECT at, boot, fact, data FROM events WHERE row = ?1 ORDER BY n").unwrap();
    let mut folded = HistoryRow { id: row, kind: "direct".into(), ..HistoryRow::default() };
    let mut answered_boot = 0;
    let events = events
        .query_map([i64::try_from(row).unwrap()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?, row.get::<_, String>(3)?))
        })
        .unwrap();
    for (n, event) in events.enumerate() {
        let (at, boot, fact, data): (i64, i64, String, String) = event.unwrap();
        let data: serde_json::Value = serde_json::from_str(&data).unwrap();
        let text = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
        if n == 0 {
            folded.created_at = at;
            (folded.direction, folded.contact) = (text("direction"), text("contact"));
            (folded.name, folded.address, folded.note) = (text("name"), text("address"), text("note"));
        }
        match fact.as_str() {
            "ringing-there" | "ringing-here" => folded.ringing_at = at,
            "answered" => folded.answered_at = at,
            "connected" if answered_boot == 0 => answered_boot = boot,
            "ended" => {
                folded.ended_at = at;
                (folded.outcome, folded.reason, folded.ended_by) =
                    (text("outcome"), text("reason"), text("ended-by"));
                folded.message = text("message");
                (folded.path, folded.quality) = (text("path"), text("quality"));
                folded.repairs = data["repairs"].as_u64().unwrap_or(0);
                folded.seen = folded.outcome != "missed";
                if answered_boot != 0 {
                    folded.duration_ms = u64::try_from((boot - answered_boot) / 1_000).unwrap();
                }
            }
            "seen" => folded.seen = true,
            _ => {}
        }
    }
    folded
}

/// The row, and what its events add up to; the call's id is the row's alone.
fn row_and_fold(running: &Running, path: &Path, row: u64) -> (HistoryRow, HistoryRow) {
    let Ok(Answer::Row(shown)) = running.ask(HistoryRequest::Get(row)) else { panic!("no row {row}") };
    let folded = HistoryRow { call: shown.call.clone(), ..fold(path, row) };
    (*shown, folded)
}

/// A history that has nothing in it.
fn fresh() -> (tempfile::TempDir, PathBuf, Running) {
    let (dir, path) = scratch();
    let (history, _) = start(&path);
    (dir, path, history)
}

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("history.db");
    (dir, path)
}
