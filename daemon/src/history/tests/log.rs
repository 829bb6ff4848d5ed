//! What the event log and the rows promise.
//!
//! Lives here: that state is the fold of events, also after a crash.
//! Must not: read rows by the code that wrote them alone.

use super::*;
use crate::values::line::{LineSummary, PathKind, Quality};
use crate::values::rows::Told;

#[test]
fn the_event_log_adds_up_to_the_row() {
    let (_dir, path) = scratch();
    let (mut history, found) = start(&path);
    assert!(matches!(found[..], [Report::Committed { ticket: 0, missed: 0, last_id: 0, .. }]), "{found:?}");
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
        (BOOT + 10 * SECOND, BOOT + 11 * SECOND, BOOT + 15 * SECOND, BOOT + 75 * SECOND, 59_000)
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
fn the_end_of_a_call_keeps_how_its_line_was_and_a_call_without_one_keeps_nothing() {
    let (_dir, path, mut history) = fresh();
    let (view, entries) = until_up(1);
    history.write(1, entries);
    let mut end = ended(&view, 75, EndReason::Completed, Outcome::Answered);
    end.line = Some(LineSummary { quality: Some(Quality::Good), path: Some(PathKind::RelayUdp), repairs: 2 });
    history.write(2, [vec![end], missed(2)].concat());
    for (row, line) in [(1, ("relay-udp", "good", 2)), (2, ("", "", 0))] {
        let (shown, folded) = row_and_fold(&history, &path, row);
        assert_eq!(shown, folded);
        assert_eq!((shown.path.as_str(), shown.quality.as_str(), shown.repairs), line);
    }
    let Ok(Answer::Events(events)) = history.ask(HistoryRequest::Events(1)) else { panic!() };
    let told = &events.last().unwrap().data;
    for pair in [("path", Told::Text("relay-udp".into())), ("repairs", Told::Number(2))] {
        assert!(told.contains(&(pair.0.to_owned(), pair.1)), "{told:?}");
    }
    history.drop_dead();
}

#[test]
fn a_step_of_the_calendar_does_not_move_what_has_happened() {
    let (_dir, path, mut history) = fresh();
    let (view, entries) = until_up(1);
    history.write(1, entries);
    let mut end = ended(&view, 75, EndReason::Completed, Outcome::Answered);
    end.at_unix_us -= 3_600 * SECOND;
    history.write(2, vec![end]);
    let (shown, folded) = row_and_fold(&history, &path, 1);
    assert_eq!(shown, folded);
    assert_eq!((shown.answered_at, shown.duration_ms), (BOOT + 15 * SECOND, 59_000));
    history.drop_dead();
}

#[test]
fn a_closed_row_is_closed_for_good_and_events_are_never_changed() {
    let (_dir, path, mut history) = fresh();
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
    let (_dir, path, mut history) = fresh();
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
    let unfinished = [1, 2, 3].map(|call| Unfinished {
        call: CallId::from_bytes([call; 16]),
        peer,
        unanswered: call == 2,
    });
    assert!(matches!(&found[1..], [Report::Interrupted(all)] if *all == unfinished), "{found:?}");
    for (row, outcome, ended_at, duration) in
        [(1, "answered", 22, 6_000), (2, "missed", 10, 0), (3, "interrupted", 10, 0)]
    {
        let (shown, folded) = row_and_fold(&history, &path, row);
        assert_eq!(shown, folded);
        assert_eq!((shown.outcome.as_str(), shown.reason.as_str()), (outcome, "interrupted"));
        assert_eq!((shown.ended_at, shown.duration_ms), (BOOT + ended_at * SECOND, duration), "sure");
    }
    history.drop_dead();
    assert_eq!(start(&path).1.len(), 1, "nothing is left to tell");
}

#[test]
fn a_stop_commits_and_ends() {
    let (_dir, path, mut history) = fresh();
    history.write(1, missed(1));
    history.orders.blocking_send(HistoryOrder::Stop).unwrap();
    history.thread.join().unwrap();
    assert!(history.reports.blocking_recv().is_none());
    assert_eq!(start(&path).0.list(HistoryFilter::default()).len(), 1);
}
