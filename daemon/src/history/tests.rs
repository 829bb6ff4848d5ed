//! What history promises, with real files and the real thread.
//!
//! Lives here: tests of history as the engine sees it.
//! Must not: mock a file or a disk: they are real, in a directory of their own.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ahoy_call::{CallId, CallView, Can, Direction, EndReason, EndedBy, Fact, Moment, Outcome, PeerId, State};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::*;
use crate::request::{Answer, Denied, DeniedKind};

/// The calendar time of the moment 0 in these tests.
const BOOT: i64 = 1_700_000_000_000_000;
const SECOND: i64 = 1_000_000;

struct Running {
    orders: mpsc::Sender<Order>,
    reports: mpsc::Receiver<Report>,
    thread: std::thread::JoinHandle<()>,
}

/// A history that has told what it found.
fn start(path: &Path) -> (Running, Vec<Report>) {
    let (orders, inbox) = mpsc::channel(16);
    let (outbox, reports) = mpsc::channel(16);
    let thread = spawn(path.to_owned(), inbox, outbox).unwrap();
    let mut running = Running { orders, reports, thread };
    // The answer to a question comes after everything that the start had to tell.
    drop(running.ask(|reply| Order::Get(u64::MAX, reply)));
    let mut found = Vec::new();
    while let Ok(report) = running.reports.try_recv() {
        found.push(report);
    }
    (running, found)
}

impl Running {
    fn ask(&self, order: impl FnOnce(Reply) -> Order) -> Result<Answer, Denied> {
        let (reply, answer) = oneshot::channel();
        self.orders.blocking_send(order(reply)).unwrap();
        answer.blocking_recv().unwrap()
    }

    fn write(&mut self, ticket: u64, entries: Vec<Entry>) -> (Vec<(String, u64)>, u32, u64) {
        self.orders.blocking_send(Order::Write { ticket, entries }).unwrap();
        loop {
            if let Report::Committed { ticket: of, rows, missed, last_id } =
                self.reports.blocking_recv().unwrap()
            {
                assert_eq!(of, ticket);
                return (rows, missed, last_id);
            }
        }
    }

    fn list(&self, filter: HistoryFilter) -> Vec<HistoryRow> {
        match self.ask(|reply| Order::List(filter, reply)) {
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
    CallView {
        id: CallId::from_bytes([call; 16]),
        peer: PeerId::from_bytes([9; 16]),
        direction,
        state: if direction == Direction::Incoming { State::Incoming } else { State::Dialing },
        reason: None,
        ended_by: None,
        outcome: None,
        serial: 1,
        deadline: None,
        created: at(10),
        ringing: None,
        answered: None,
        ended: None,
        muted: false,
        remote_muted: false,
        local_hold: false,
        remote_hold: false,
        silenced: false,
        auto_answered: false,
        note: Some("lunch?".into()),
        message: None,
        can: Can::default(),
    }
}

fn at(second: u64) -> Moment {
    Moment::from_micros(second * 1_000_000)
}

fn entry(fact: Fact, second: u64, view: &CallView) -> Entry {
    Entry {
        record: Record { at: at(second), fact, view: view.clone(), at_unix_us: None },
        at_unix_us: BOOT + i64::try_from(second).unwrap() * SECOND,
        name: "Ben".into(),
        address: "benaddress".into(),
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
    let mut events = db.prepare("SELECT at, fact, data FROM events WHERE row = ?1 ORDER BY n").unwrap();
    let mut folded = HistoryRow { id: row, kind: "direct".into(), ..HistoryRow::default() };
    let events = events
        .query_map([i64::try_from(row).unwrap()], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
        })
        .unwrap();
    for event in events {
        let (at, fact, data) = event.unwrap();
        let data: serde_json::Value = serde_json::from_str(&data).unwrap();
        let text = |key: &str| data[key].as_str().unwrap().to_owned();
        match fact.as_str() {
            "dialed" | "offered" => {
                folded.created_at = at;
                (folded.direction, folded.contact) = (text("direction"), text("contact"));
                (folded.name, folded.address, folded.note) = (text("name"), text("address"), text("note"));
            }
            "ringing-there" | "ringing-here" => folded.ringing_at = at,
            "answered" => folded.answered_at = at,
            "ended" => {
                folded.ended_at = at;
                (folded.outcome, folded.reason, folded.ended_by) =
                    (text("outcome"), text("reason"), text("ended-by"));
                folded.duration_ms = data["duration-ms"].as_u64().unwrap();
                folded.seen = folded.outcome != "missed";
            }
            "connected" | "path-lost" | "path-restored" => {}
            other => panic!("an unknown fact {other}"),
        }
    }
    folded
}

/// The row, and what its events add up to; the call's id is the row's alone.
fn row_and_fold(running: &Running, path: &Path, row: u64) -> (HistoryRow, HistoryRow) {
    let Ok(Answer::Row(shown)) = running.ask(|reply| Order::Get(row, reply)) else { panic!("no row {row}") };
    let folded = HistoryRow { call: shown.call.clone(), ..fold(path, row) };
    (*shown, folded)
}

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("history.db");
    (dir, path)
}

#[test]
fn the_event_log_adds_up_to_the_row() {
    let (_dir, path) = scratch();
    let (mut history, found) = start(&path);
    assert_eq!(found, [Report::Committed { ticket: 0, rows: vec![], missed: 0, last_id: 0 }]);
    let (view, entries) = until_up(1);
    for (ticket, entry) in (1..).zip(entries) {
        assert_eq!(history.write(ticket, vec![entry]).0, [("01".repeat(16), 1)]);
    }
    let (shown, folded) = row_and_fold(&history, &path, 1);
    assert_eq!((shown.outcome.as_str(), shown.ended_at), ("", 0), "it runs");
    assert_eq!(shown, folded);
    let end = ended(&view, 75, EndReason::Completed, Outcome::Answered);
    let both = [vec![end], missed(2)].concat();
    let (rows, missed, last) = history.write(9, both);
    assert_eq!((rows.len(), missed, last), (2, 1, 2));
    let (shown, folded) = row_and_fold(&history, &path, 1);
    assert_eq!(shown, folded);
    assert_eq!(
        (shown.created_at, shown.ringing_at, shown.answered_at, shown.ended_at, shown.duration_ms),
        (BOOT + 10 * SECOND, BOOT + 11 * SECOND, BOOT + 15 * SECOND, BOOT + 75 * SECOND, 60_000)
    );
    assert_eq!(
        (shown.outcome.as_str(), shown.reason.as_str(), shown.ended_by.as_str()),
        ("answered", "completed", "remote")
    );
    assert_eq!((shown.name.as_str(), shown.note.as_str(), shown.seen), ("Ben", "lunch?", true));
    let (shown, folded) = row_and_fold(&history, &path, 2);
    assert_eq!(shown, folded);
    assert_eq!((shown.outcome.as_str(), shown.seen), ("missed", false));
    history.drop_dead();
}

#[test]
fn a_step_of_the_calendar_does_not_move_what_has_happened() {
    let (_dir, path) = scratch();
    let (mut history, _) = start(&path);
    let (view, entries) = until_up(1);
    history.write(1, entries);
    let mut end = ended(&view, 75, EndReason::Completed, Outcome::Answered);
    end.at_unix_us -= 3_600 * SECOND;
    history.write(2, vec![end]);
    let (shown, folded) = row_and_fold(&history, &path, 1);
    assert_eq!(shown, folded);
    assert_eq!((shown.answered_at, shown.duration_ms), (BOOT + 15 * SECOND, 60_000));
    history.drop_dead();
}

#[test]
fn a_closed_row_is_closed_for_good_and_events_are_never_changed() {
    let (_dir, path) = scratch();
    let (mut history, _) = start(&path);
    history.write(1, missed(1));
    let (view, _) = until_up(1);
    history.write(2, vec![ended(&view, 99, EndReason::Completed, Outcome::Answered)]);
    let (shown, _) = row_and_fold(&history, &path, 1);
    assert_eq!(
        (shown.outcome.as_str(), shown.ended_at, shown.answered_at),
        ("missed", BOOT + 71 * SECOND, 0)
    );
    history.drop_dead();
    let db = Connection::open(&path).unwrap();
    assert!(db.execute("UPDATE events SET at = 0", []).is_err());
}

#[test]
fn rows_that_a_crash_left_open_are_closed_and_told_once() {
    let (_dir, path) = scratch();
    let (mut history, _) = start(&path);
    let (_, up) = until_up(1);
    let incoming = view(2, Direction::Incoming);
    let outgoing = view(3, Direction::Outgoing);
    let open = vec![entry(Fact::Offered, 10, &incoming), entry(Fact::Dialed, 10, &outgoing)];
    history.write(1, [up, open, missed(4)].concat());
    history.drop_dead();
    let (history, found) = start(&path);
    let Report::Committed { missed, last_id, .. } = found[0] else { panic!("{found:?}") };
    assert_eq!((missed, last_id), (2, 4));
    let peer = PeerId::from_bytes([9; 16]);
    let unfinished = [1, 2, 3].map(|call| Unfinished { call: CallId::from_bytes([call; 16]), peer });
    assert_eq!(found[1..], [Report::Interrupted(unfinished.to_vec())]);
    for (row, outcome, ended_at, duration) in
        [(1, "answered", 22, 7_000), (2, "missed", 10, 0), (3, "interrupted", 10, 0)]
    {
        let (shown, folded) = row_and_fold(&history, &path, row);
        assert_eq!(shown, folded);
        assert_eq!((shown.outcome.as_str(), shown.reason.as_str()), (outcome, "interrupted"));
        assert_eq!(
            (shown.ended_at, shown.duration_ms),
            (BOOT + ended_at * SECOND, duration),
            "what is certain"
        );
    }
    history.drop_dead();
    assert_eq!(start(&path).1.len(), 1, "nothing is left to tell");
}

#[test]
fn lists_are_newest_first_filtered_and_paged() {
    let (_dir, path) = scratch();
    let (mut history, _) = start(&path);
    for call in 1..=5 {
        history.write(call.into(), missed(call));
    }
    let (view, entries) = until_up(6);
    history.write(6, entries);
    history.write(7, vec![ended(&view, 75, EndReason::Completed, Outcome::Answered)]);
    let ids = |filter: HistoryFilter| history.list(filter).iter().map(|row| row.id).collect::<Vec<_>>();
    let all = HistoryFilter::default;
    assert_eq!(ids(all()), [6, 5, 4, 3, 2, 1]);
    assert_eq!(ids(HistoryFilter { outcome: Some("missed".into()), limit: Some(2), ..all() }), [5, 4]);
    assert_eq!(ids(HistoryFilter { direction: Some("outgoing".into()), ..all() }), [6]);
    assert_eq!(ids(HistoryFilter { contact: Some("00".repeat(16)), ..all() }), [0; 0]);
    assert_eq!(ids(HistoryFilter { until: Some(BOOT), ..all() }), [0; 0]);
    assert_eq!(
        ids(HistoryFilter { since: Some(BOOT), text: Some("LUNCH".into()), limit: Some(1), ..all() }),
        [6]
    );
    assert_eq!(ids(HistoryFilter { text: Some("%".into()), ..all() }), [0; 0], "no pattern, a text");
    let page =
        |before| history.ask(|reply| Order::List(HistoryFilter { limit: Some(4), before, ..all() }, reply));
    let Ok(Answer::History(first, next)) = page(None) else { panic!() };
    let Ok(Answer::History(second, end)) = page(Some(next)) else { panic!() };
    assert_eq!((first.len(), next, second.len(), end), (4, 3, 2, 0));
    for bad in [
        HistoryFilter { limit: Some(0), ..all() },
        HistoryFilter { limit: Some(1001), ..all() },
        HistoryFilter { outcome: Some("lost".into()), ..all() },
        HistoryFilter { direction: Some("up".into()), ..all() },
    ] {
        let denied = history.ask(|reply| Order::List(bad, reply)).unwrap_err();
        assert_eq!(denied.kind, DeniedKind::InvalidOption);
    }
    assert_eq!(history.ask(|reply| Order::Get(7, reply)).unwrap_err().kind, DeniedKind::NoSuchRecord);
    history.drop_dead();
}

#[test]
fn a_damaged_database_is_kept_aside_and_a_new_one_begun() {
    let (dir, path) = scratch();
    let (mut history, _) = start(&path);
    history.write(1, missed(1));
    history.drop_dead();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[..100].fill(0x55);
    std::fs::write(&path, &bytes).unwrap();
    let (mut history, found) = start(&path);
    let Some(Report::Problem(sentence)) = found.last() else { panic!("{found:?}") };
    let kept = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let kept: Vec<PathBuf> = kept.filter(|path| path.to_string_lossy().contains(".damaged-")).collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(sentence.contains(kept[0].to_str().unwrap()), "{sentence}");
    assert_eq!(std::fs::read(&kept[0]).unwrap(), bytes, "as it was");
    assert_eq!(history.write(2, missed(2)).2, 1, "the new one works");
    assert_eq!(history.list(HistoryFilter::default()).len(), 1);
    history.drop_dead();
    assert_eq!(start(&path).1.len(), 1, "the next start has nothing to complain of");
}

#[test]
fn a_page_that_is_damaged_in_the_middle_is_noticed_too() {
    let (_dir, path) = scratch();
    let (mut history, _) = start(&path);
    history.write(1, missed(1));
    history.drop_dead();
    let mut bytes = std::fs::read(&path).unwrap();
    let second_page = 4096;
    bytes[second_page..second_page + 512].fill(0xff);
    std::fs::write(&path, &bytes).unwrap();
    let (history, found) = start(&path);
    assert!(matches!(found.last(), Some(Report::Problem(_))), "{found:?}");
    history.drop_dead();
}

#[test]
fn a_newer_database_is_left_alone_and_the_daemon_runs_without_history() {
    let (_dir, path) = scratch();
    let (mut history, _) = start(&path);
    history.write(1, missed(1));
    history.drop_dead();
    let db = Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let before = std::fs::read(&path).unwrap();
    let (mut history, found) = start(&path);
    let Some(Report::Problem(sentence)) = found.last() else { panic!("{found:?}") };
    assert!(sentence.contains("newer"), "{sentence}");
    assert_eq!(history.write(1, missed(2)), (vec![], 0, 0), "a write is answered all the same");
    assert_eq!(history.ask(|reply| Order::Get(1, reply)).unwrap_err().kind, DeniedKind::Failed);
    history.drop_dead();
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_foreign_database_is_never_written_to() {
    let (dir, path) = scratch();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE bookmarks (url TEXT)").unwrap();
    let before = std::fs::read(&path).unwrap();
    let (history, found) = start(&path);
    assert!(matches!(found.last(), Some(Report::Problem(_))), "{found:?}");
    history.drop_dead();
    let kept = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    assert!(kept.filter(|kept| kept != &path).any(|kept| std::fs::read(kept).unwrap() == before));
}

#[test]
fn what_the_disk_does_not_take_is_told_kept_and_written_when_it_does() {
    let (dir, _) = scratch();
    let away = dir.path().join("away");
    let path = away.join("history.db");
    let (mut history, found) = start(&path);
    assert!(matches!(found.last(), Some(Report::Problem(_))), "{found:?}");
    assert_eq!(history.write(1, missed(1)), (vec![], 0, 0), "nothing hangs");
    assert!(history.problem().contains("wait to be written"));
    std::fs::create_dir(&away).unwrap();
    let (rows, missed_now, last) = history.write(2, missed(2));
    assert_eq!((rows.len(), missed_now, last), (2, 2, 2), "the first came with the second");
    assert_eq!(history.problem(), "", "all is well again");
    history.drop_dead();
}

#[test]
fn a_database_that_another_program_holds_answers_every_write_and_catches_up() {
    let (_dir, path) = scratch();
    let (mut history, _) = start(&path);
    history.write(1, missed(1));
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert_eq!(history.write(2, missed(2)).0, [], "it is answered");
    let sentence = history.problem();
    assert!(sentence.contains("cannot be written") && sentence.contains("wait"), "{sentence}");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(history.write(3, missed(3)).2, 3);
    assert_eq!(history.problem(), "");
    history.drop_dead();
}

#[test]
fn only_its_user_can_read_the_history() {
    let (dir, path) = scratch();
    let (mut history, _) = start(&path);
    history.write(1, missed(1));
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
    }
    history.drop_dead();
}

#[test]
fn every_word_that_a_row_may_hold_is_one_that_a_filter_takes() {
    use Outcome::{
        Answered, Busy, Canceled, Declined, Elsewhere, Failed, Interrupted, Missed, NoAnswer, Unavailable,
    };
    let all =
        [Answered, Missed, Declined, Busy, NoAnswer, Unavailable, Canceled, Failed, Elsewhere, Interrupted];
    assert_eq!(all.map(words::outcome), words::OUTCOMES);
}

#[test]
fn a_stop_commits_and_ends() {
    let (_dir, path) = scratch();
    let (mut history, _) = start(&path);
    history.write(1, missed(1));
    history.orders.blocking_send(Order::Stop).unwrap();
    history.thread.join().unwrap();
    assert_eq!(history.reports.blocking_recv(), None);
    assert_eq!(start(&path).0.list(HistoryFilter::default()).len(), 1);
}
