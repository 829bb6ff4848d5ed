//! What a person may do to rows, and what time does.
//!
//! Lives here: seen, deleted, kept no longer, exported and read back by other programs.
//! Must not: judge an export by the code that wrote it.

use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use super::*;
use crate::values::request::Lease;
use crate::values::rows::ExportFormat;

impl Running {
    /// The answer of an order that changes rows, and what was told of it first.
    fn change(&mut self, request: HistoryRequest) -> (Result<Answer, Denied>, Vec<u64>, u32) {
        let (reply, _answer) = oneshot::channel();
        self.orders.blocking_send(HistoryOrder::Ask(request, reply)).unwrap();
        loop {
            if let Report::Changed { rows, missed, reply: Some(waiting), .. } =
                self.reports.blocking_recv().unwrap()
            {
                return (waiting.outcome, rows, missed);
            }
        }
    }

    fn export(&self, format: ExportFormat, filter: HistoryFilter) -> (Vec<u8>, Result<Answer, Denied>) {
        let (mut reader, writer) = io::pipe().unwrap();
        let (reply, answer) = oneshot::channel();
        let into = Lease(OwnedFd::from(writer));
        self.orders
            .blocking_send(HistoryOrder::Ask(HistoryRequest::Export { format, filter, into }, reply))
            .unwrap();
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        (bytes, answer.blocking_recv().unwrap())
    }
}

#[test]
fn a_missed_call_is_seen_once_and_that_is_an_event_too() {
    let (_dir, path, mut history) = fresh();
    for call in 1..=3 {
        history.write(call.into(), missed(call));
    }
    let (outcome, rows, left) = history.change(HistoryRequest::See(vec![2]));
    assert_eq!((outcome, rows, left), (Ok(Answer::Done), vec![2], 2));
    let (shown, folded) = row_and_fold(&history, &path, 2);
    assert_eq!(shown, folded);
    assert!(shown.seen);
    let (outcome, rows, left) = history.change(HistoryRequest::See(vec![2, 9]));
    assert_eq!(outcome.unwrap_err().kind, DeniedKind::NoSuchRecord);
    assert_eq!((rows, left), (vec![], 2), "all or nothing");
    let (_, rows, left) = history.change(HistoryRequest::See(vec![]));
    assert_eq!((rows, left), (vec![1, 3], 0), "none named: all");
    let (_, rows, _) = history.change(HistoryRequest::See(vec![2]));
    assert_eq!(rows, [0; 0], "seen already");
    history.drop_dead();
}

#[test]
fn a_deleted_row_is_gone_with_its_events_and_words_and_a_running_call_stays() {
    let (_dir, path, mut history) = fresh();
    let mut secret = missed(1);
    for entry in &mut secret {
        entry.record.view.note = Some("Xylophonmusik".into());
        entry.name = "Quentin".into();
    }
    history.write(1, secret);
    history.write(2, missed(2));
    let (_, running) = until_up(3);
    history.write(3, running);
    let (outcome, ..) = history.change(HistoryRequest::Delete(vec![1, 3]));
    assert_eq!(outcome.unwrap_err().kind, DeniedKind::InvalidState);
    let (outcome, ..) = history.change(HistoryRequest::Delete(vec![1, 9]));
    assert_eq!(outcome.unwrap_err().kind, DeniedKind::NoSuchRecord);
    assert_eq!(history.list(HistoryFilter::default()).len(), 3, "nothing was changed");
    let (outcome, rows, left) = history.change(HistoryRequest::Delete(vec![1]));
    assert_eq!((outcome, rows, left), (Ok(Answer::Done), vec![1], 1));
    assert_eq!(history.ask(HistoryRequest::Events(1)).unwrap_err().kind, DeniedKind::NoSuchRecord);
    for text in ["xylophon", "quentin"] {
        assert_eq!(history.list(HistoryFilter { text: Some(text.into()), ..HistoryFilter::default() }), []);
    }
    // Nothing of it can be read in the files either.
    for file in ["history.db", "history.db-wal"] {
        let bytes = std::fs::read(path.with_file_name(file)).unwrap();
        for word in ["Xylophonmusik", "xylophonmusik", "Quentin", "quentin"] {
            let found = bytes.windows(word.len()).any(|part| part == word.as_bytes());
            assert!(!found, "{word} is still in {file}");
        }
    }
    history.drop_dead();
    let db = Connection::open(&path).unwrap();
    db.execute("INSERT INTO told_index (told_index) VALUES ('integrity-check')", []).unwrap();
    let found: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(found, "ok");
}

#[test]
fn rows_that_are_too_old_or_too_many_go_and_a_running_call_stays() {
    let (_dir, path, mut history) = fresh();
    let (_, running) = until_up(99);
    history.write(1, running);
    for call in 1..=30 {
        history.write(u64::from(call) + 1, missed(call));
    }
    history.keep.send_replace(Retention { days: None, rows: Some(10) });
    until_changed(&mut history);
    let ids: Vec<u64> = history.list(HistoryFilter::default()).iter().map(|row| row.id).collect();
    assert_eq!(ids, [31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 1]);
    // All of these ended in 2023, but the newest: the calendar can be believed.
    let db = Connection::open(&path).unwrap();
    db.execute(
        "UPDATE calls SET created_at = ?1, ended_at = ?1 WHERE id = 31",
        [crate::system::clock::unix_us()],
    )
    .unwrap();
    history.keep.send_replace(Retention { days: Some(30), rows: None });
    until_changed(&mut history);
    let ids: Vec<u64> = history.list(HistoryFilter::default()).iter().map(|row| row.id).collect();
    assert_eq!(ids, [31, 1]);
    drop(db);
    history.drop_dead();
    let (history, found) = start_keeping(&path, Retention { days: Some(30), rows: None });
    drop(found);
    history.drop_dead();
}

#[test]
fn a_calendar_years_ahead_of_every_row_deletes_nothing_at_the_start() {
    let (_dir, _path, mut history) = fresh();
    for call in 1..=3 {
        // In 2023, as if that were now.
        history.write(u64::from(call), missed(call));
    }
    history.keep.send_replace(Retention { days: Some(30), rows: Some(2) });
    until_changed(&mut history);
    let ids: Vec<u64> = history.list(HistoryFilter::default()).iter().map(|row| row.id).collect();
    assert_eq!(ids, [3, 2], "what goes by number goes, and by age nothing");
    history.drop_dead();
}

fn until_changed(history: &mut Running) {
    while !matches!(history.reports.blocking_recv(), Some(Report::Changed { .. })) {}
}

#[test]
fn exports_are_read_back_by_other_programs_with_nothing_lost() {
    let (_dir, _path, mut history) = fresh();
    let texts = [
        "plain",
        "comma, \"quotes\" and; semicolon",
        "two\nlines\\and back",
        "Zoë ✆ 電話 ".repeat(9).trim(),
        "=1+1",
    ]
    .map(str::to_owned);
    for (call, text) in (1..).zip(&texts) {
        let mut entries = missed(call);
        for entry in &mut entries {
            entry.record.view.note = Some(text.clone());
            entry.name.clone_from(text);
        }
        history.write(call.into(), entries);
    }
    let (view, up) = until_up(40);
    history.write(40, up);
    history.write(41, vec![ended(&view, 75, EndReason::Completed, Outcome::Answered)]);
    let rows = history.list(HistoryFilter::default());
    for (format, script) in [(ExportFormat::Json, JSON), (ExportFormat::Csv, CSV), (ExportFormat::Ics, ICS)] {
        let (bytes, answer) = history.export(format, HistoryFilter::default());
        assert_eq!(answer, Ok(Answer::Count(6)), "{format:?}");
        let Some(read) = python(script, &bytes) else { continue };
        let read: Vec<serde_json::Value> = serde_json::from_str(&read).unwrap();
        assert_eq!(read.len(), rows.len(), "{format:?}");
        for (read, row) in read.iter().zip(&rows) {
            let formula = format == ExportFormat::Csv && row.note.starts_with('=');
            let text = |text: &str| if formula { format!("'{text}") } else { text.to_owned() };
            assert_eq!(read["name"], text(&row.name), "{format:?}");
            assert_eq!(read["note"], text(&row.note), "{format:?}");
            assert_eq!(read["outcome"], row.outcome, "{format:?}");
            // A calendar has whole seconds.
            assert_eq!(read["created"], row.created_at / SECOND, "{format:?}");
            assert_eq!(read["ended"], row.ended_at / SECOND, "{format:?}");
        }
    }
    let some = HistoryFilter { outcome: Some("answered".into()), ..HistoryFilter::default() };
    assert_eq!(history.export(ExportFormat::Csv, some).1, Ok(Answer::Count(1)));
    let wrong = HistoryFilter { outcome: Some("lost".into()), ..HistoryFilter::default() };
    assert_eq!(history.export(ExportFormat::Csv, wrong).1.unwrap_err().kind, DeniedKind::InvalidOption);
    history.drop_dead();
}

#[test]
fn an_export_into_a_closed_pipe_ends_with_a_sentence_and_holds_nobody_up() {
    let (_dir, _path, mut history) = fresh();
    history.write(1, missed(1));
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let (reply, answer) = oneshot::channel();
    let into = Lease(OwnedFd::from(writer));
    let filter = HistoryFilter::default();
    history
        .orders
        .blocking_send(HistoryOrder::Ask(
            HistoryRequest::Export { format: ExportFormat::Json, filter, into },
            reply,
        ))
        .unwrap();
    assert_eq!(answer.blocking_recv().unwrap().unwrap_err().kind, DeniedKind::Failed);
    history.drop_dead();
}

const JSON: &str = "
import json, sys
rows = json.load(sys.stdin)['rows']
print(json.dumps([{'name': r['name'], 'note': r['note'], 'outcome': r['outcome'],
    'created': r['created_at'] // 10**6, 'ended': r['ended_at'] // 10**6} for r in rows]))";

const CSV: &str = "
import csv, datetime, io, json, sys
def at(text): return int(datetime.datetime.fromisoformat(text.replace('Z', '+00:00')).timestamp())
rows = csv.DictReader(io.StringIO(sys.stdin.buffer.read().decode(), newline=''), strict=True)
print(json.dumps([{'name': r['name'], 'note': r['note'], 'outcome': r['outcome'],
    'created': at(r['created_at']), 'ended': at(r['ended_at'])} for r in rows]))";

const ICS: &str = "
import icalendar, json, sys
raw = sys.stdin.buffer.read()
assert all(len(line) <= 75 for line in raw.split(b'\\r\\n')) and b'\\n' not in raw.replace(b'\\r\\n', b'')
calendar = icalendar.Calendar.from_ical(raw)
assert calendar['version'] == '2.0' and calendar['prodid']
events = calendar.walk('VEVENT')
assert len({str(e['uid']) for e in events}) == len(events)
def item(e):
    way, rest = str(e['summary']).split(' ', 2)[1:]
    name, outcome = rest.rsplit(': ', 1)
    assert way in ('from', 'to') and e['class'] == 'PRIVATE' and e['dtstamp']
    return {'name': name, 'note': str(e['description']), 'outcome': outcome,
        'created': int(e['dtstart'].dt.timestamp()), 'ended': int(e['dtend'].dt.timestamp())}
print(json.dumps([item(e) for e in events]))";

/// What a Python program prints, or nothing where there is none or a module is missing.
fn python(script: &str, given: &[u8]) -> Option<String> {
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-c", script]).env_clear().env("PYTHONUTF8", "1");
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut child) = spawned else {
        println!("SKIPPED: no python3 to read exports back");
        return None;
    };
    child.stdin.take().unwrap().write_all(given).ok();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if said.contains("No module named 'icalendar'") {
        println!("SKIPPED: no icalendar for python3 to read a calendar back");
        return None;
    }
    assert!(output.status.success(), "{said}");
    Some(String::from_utf8(output.stdout).unwrap())
}
