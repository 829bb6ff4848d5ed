//! Rows as files that other programs read.
//!
//! Lives here: JSON, CSV (RFC 4180) and a calendar (RFC 5545), page by page into a file descriptor that may be a pipe.
//! Must not: hold all rows at once, or wait for a reader that does not read.

use std::fs::OpenOptions;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::net::SendFlags;

use super::{HistoryFilter, HistoryRow, calendar, query, schema};
use crate::values::request::{Answer, Denied, DeniedKind};
use crate::values::rows::ExportFormat;

/// The cells of a line, which are the names of a row in JSON and in `ahoyctl history --json`, too.
const COLUMNS: &str = "id,call,direction,kind,contact,name,address,outcome,reason,ended_by,note,message,created_at,ringing_at,answered_at,ended_at,duration_ms,seen,path,quality,repairs,peers";
/// Rows that are read together.
const PAGE: u32 = 500;
/// A pipe that takes anything takes that much without blocking (PIPE_BUF).
const PIECE: usize = 4_096;
/// A reader that takes nothing for so long is given up, in seconds.
const PATIENCE: i64 = 10;

/// Writes all rows that fit; answers with their number. Reads by a connection of its own, beside the writer.
pub(super) fn write(
    path: &Path,
    format: ExportFormat,
    filter: HistoryFilter,
    into: &OwnedFd,
) -> Result<Answer, Denied> {
    let db = open(path).map_err(|error| query::unreadable(&error))?;
    let mut filter = HistoryFilter { limit: Some(PAGE), before: None, ..filter };
    let into = &Reader::of(into);
    put(into, &head(format), PATIENCE)?;
    let mut count: u32 = 0;
    loop {
        let (rows, next) = query::page(&db, &filter)?;
        let mut text = String::new();
        for row in &rows {
            text.push_str(&item(format, row, count == 0));
            count += 1;
        }
        put(into, &text, PATIENCE)?;
        if next == 0 {
            break;
        }
        filter.before = Some(next);
    }
    put(into, tail(format), PATIENCE)?;
    Ok(Answer::Count(count))
}

/// The whole database, in a new file that only this user can read.
pub(super) fn copy(path: &Path, to: &Path) -> Result<Answer, Denied> {
    let unwritten = |error: &dyn std::fmt::Display| {
        let sentence = format!("The history cannot be copied: {error}.");
        Denied::new(DeniedKind::Failed, sentence)
    };
    // SQLite fills an empty file that is there, and leaves its mode.
    OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(to)
        .map_err(|error| unwritten(&error))?;
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
    let db = db.map_err(|error| query::unreadable(&error))?;
    let into = to.to_str().ok_or_else(|| unwritten(&"the folder's name is no text"))?;
    db.execute("VACUUM INTO ?1", [into]).map_err(|error| unwritten(&error))?;
    Ok(Answer::Done)
}

/// All of a file at once.
#[cfg(any(test, feature = "sample"))]
pub(super) fn whole(format: ExportFormat, rows: &[HistoryRow]) -> String {
    let items = rows.iter().enumerate().map(|(at, row)| item(format, row, at == 0));
    head(format) + &items.collect::<String>() + tail(format)
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    schema::lean(&db)?;
    // One moment for all pages.
    db.execute_batch("BEGIN")?;
    Ok(db)
}

/// Where rows go, by a way of writing that never waits: what we were given may be open so that a write does.
struct Reader<'a> {
    given: &'a OwnedFd,
    /// A pipe, opened once more for ourselves: what the two ends share stays as it was.
    own: Option<OwnedFd>,
    socket: bool,
}

impl<'a> Reader<'a> {
    fn of(given: &'a OwnedFd) -> Self {
        let kind = rustix::fs::fstat(given).map(|stat| FileType::from_raw_mode(stat.st_mode));
        let again = || {
            let path = format!("/proc/self/fd/{}", given.as_raw_fd());
            rustix::fs::open(path, OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()).ok()
        };
        let own = if kind == Ok(FileType::Fifo) { again() } else { None };
        Self { given, own, socket: kind == Ok(FileType::Socket) }
    }

    /// As much as it takes now.
    fn write(&self, bytes: &[u8]) -> rustix::io::Result<usize> {
        match &self.own {
            Some(pipe) => rustix::io::write(pipe, bytes),
            None if self.socket => {
                rustix::net::send(self.given, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)
            }
            None => rustix::io::write(self.given, bytes),
        }
    }
}

fn put(into: &Reader<'_>, text: &str, patience: i64) -> Result<(), Denied> {
    let failed =
        |what: &str| Err(Denied::new(DeniedKind::Failed, format!("The export was broken off: {what}.")));
    let mut left = text.as_bytes();
    while !left.is_empty() {
        let mut waits = [PollFd::from_borrowed_fd(into.given.as_fd(), PollFlags::OUT)];
        match poll(&mut waits, Some(&Timespec { tv_sec: patience, tv_nsec: 0 })) {
            Ok(0) => return failed(&format!("the reader took nothing for {patience} seconds")),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return failed(&error.to_string()),
        }
        match into.write(left.get(..PIECE).unwrap_or(left)) {
            Ok(taken) => left = left.get(taken..).unwrap_or_default(),
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(error) => return failed(&error.to_string()),
        }
    }
    Ok(())
}

fn head(format: ExportFormat) -> String {
    match format {
        ExportFormat::Json => "{\"v\":1,\"rows\":[".to_owned(),
        ExportFormat::Csv => COLUMNS.to_owned() + "\r\n",
        ExportFormat::Ics => {
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//ahoy//history//EN\r\nCALSCALE:GREGORIAN\r\n"
                .to_owned()
        }
    }
}

fn tail(format: ExportFormat) -> &'static str {
    match format {
        ExportFormat::Json => "\n]}\n",
        ExportFormat::Csv => "",
        ExportFormat::Ics => "END:VCALENDAR\r\n",
    }
}

/// One row; of JSON those after the first begin with what parts them.
fn item(format: ExportFormat, row: &HistoryRow, first: bool) -> String {
    match format {
        ExportFormat::Json => {
            let object = serde_json::to_string(row).unwrap_or_default();
            if first { format!("\n{object}") } else { format!(",\n{object}") }
        }
        ExportFormat::Csv => csv(row),
        ExportFormat::Ics => ics(row),
    }
}

/// Texts are always quoted: half of the world separates cells by `;`.
fn csv(row: &HistoryRow) -> String {
    let row = serde_json::to_value(row).unwrap_or_default();
    let cells = COLUMNS.split(',').map(|column| match row[column].as_str() {
        Some(text) => no_formula(text),
        None if column.ends_with("_at") => calendar::iso(row[column].as_i64().unwrap_or_default()),
        None => row[column].to_string(),
    });
    let mut form = csv::WriterBuilder::new();
    form.quote_style(csv::QuoteStyle::NonNumeric).terminator(csv::Terminator::CRLF).buffer_capacity(PIECE);
    let mut line = form.from_writer(Vec::new());
    let _never_fails = line.write_record(cells);
    String::from_utf8(line.into_inner().unwrap_or_default()).unwrap_or_default()
}

/// A line that a spreadsheet would take for a formula gets an apostrophe: others wrote it.
fn no_formula(text: &str) -> String {
    const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
    let line = |line: &str| {
        let formula = line.trim_start().starts_with(FORMULA);
        if formula { format!("'{line}") } else { line.to_owned() }
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// Ours, because `icalendar` ends a folded line at 76 octets and brings a second library of calendars along.
fn ics(row: &HistoryRow) -> String {
    let who = if row.name.is_empty() { &row.address } else { &row.name };
    let way = if row.direction == "incoming" { "from" } else { "to" };
    let outcome = if row.outcome.is_empty() { "going on" } else { &row.outcome };
    let told: Vec<&str> =
        [&row.note, &row.message].into_iter().map(String::as_str).filter(|told| !told.is_empty()).collect();
    let mut lines = vec![
        "BEGIN:VEVENT".to_owned(),
        format!("UID:{}-{}@history.ahoy.invalid", row.call, row.id),
        format!("DTSTAMP:{}", calendar::basic(row.created_at)),
        format!("DTSTART:{}", calendar::basic(row.created_at)),
    ];
    if row.ended_at.div_euclid(1_000_000) > row.created_at.div_euclid(1_000_000) {
        lines.push(format!("DTEND:{}", calendar::basic(row.ended_at)));
    }
    lines.push(format!("SUMMARY:{}", value(&format!("Call {way} {who}: {outcome}"))));
    if !told.is_empty() {
        lines.push(format!("DESCRIPTION:{}", value(&told.join("\n"))));
    }
    lines.push(format!("CATEGORIES:{}", value(outcome)));
    lines.extend(["CLASS:PRIVATE", "TRANSP:TRANSPARENT", "END:VEVENT"].map(str::to_owned));
    lines.iter().map(|line| fold(line)).collect()
}

/// A text value: what has a meaning of its own is escaped, control characters are not allowed.
fn value(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '\\' | ';' | ',' => escaped.extend(['\\', letter]),
            '\n' => escaped.push_str("\\n"),
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// A line has at most 75 octets; a longer one goes on in the next, after a space.
fn fold(line: &str) -> String {
    let (mut text, mut used) = (String::new(), 0);
    for letter in line.chars() {
        if used + letter.len_utf8() > 75 {
            text.push_str("\r\n ");
            used = 1;
        }
        used += letter.len_utf8();
        text.push(letter);
    }
    text + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a reader that does not read gets: the export is broken off and its thread goes on.
    fn gives_up(into: OwnedFd) {
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        std::thread::Builder::new()
            .spawn(move || {
                let text = "x".repeat(4 << 20);
                let outcome = put(&Reader::of(&into), &text, 1);
                tell.send(outcome.map_err(|denied| denied.sentence)).unwrap();
            })
            .unwrap();
        let outcome = told.recv_timeout(std::time::Duration::from_secs(60)).expect("it does not hang");
        assert!(outcome.unwrap_err().contains("took nothing for 1 second"));
    }

    #[test]
    fn a_reader_that_takes_nothing_is_given_up_be_it_a_socket_or_a_pipe_that_makes_writers_wait() {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        gives_up(ours.into());
        let (reader, writer) = std::io::pipe().unwrap();
        gives_up(writer.try_clone().unwrap().into());
        drop((theirs, reader, writer));
    }

    /// Writes until it takes no more, as when somebody else has filled it after the poll.
    fn fills(into: OwnedFd) {
        let ours = into.try_clone().unwrap();
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        std::thread::Builder::new()
            .spawn(move || {
                let reader = Reader::of(&into);
                let refused = (0..10_000).find_map(|_| reader.write(&[0; PIECE]).err());
                tell.send(refused).unwrap();
            })
            .unwrap();
        let refused = told.recv_timeout(std::time::Duration::from_secs(20)).expect("it does not hang");
        assert_eq!(refused, Some(rustix::io::Errno::AGAIN));
        let theirs = rustix::fs::fcntl_getfl(&ours).unwrap();
        assert!(!theirs.contains(OFlags::NONBLOCK), "what we were given stays as it was");
    }

    #[test]
    fn what_another_writer_has_filled_since_the_poll_holds_up_nobody() {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        fills(ours.into());
        let (reader, writer) = std::io::pipe().unwrap();
        fills(writer.into());
        drop((theirs, reader));
    }

    #[test]
    fn a_long_line_is_folded_between_characters() {
        let text = fold(&"ü".repeat(100));
        assert!(text.split("\r\n").all(|line| line.len() <= 75));
        assert_eq!(text.replace("\r\n ", "").trim_end(), "ü".repeat(100));
    }

    #[test]
    fn what_others_wrote_is_no_formula() {
        assert_eq!(no_formula("=1+1"), "'=1+1");
        assert_eq!(no_formula("a\n @b\n＝c"), "a\n' @b\n'＝c");
        assert_eq!(no_formula("a;=1+1"), "a;=1+1", "one cell, whatever separates them");
        let line = csv(&HistoryRow { name: "a;\"=1+1\"".to_owned(), ..HistoryRow::default() });
        let escaped = line.contains(",\"a;\"\"=1+1\"\"\",");
        assert!(line.starts_with("0,\"\",") && escaped && line.ends_with("\r\n"), "{line}");
    }
}
