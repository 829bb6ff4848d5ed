//! What a newer program makes of an older database.
//!
//! Lives here: a file of every older version, as that version left it, and what stands in it afterwards.
//! Must not: make an old file by today's steps alone: the rows in it are what the old program wrote.

use super::*;
use crate::history::schema::{STEPS, lean, mending};

/// What version 1 wrote of a missed call, an answered one, one that a crash cut off, and one that it left open;
/// the calendar was set back before the second.
const VERSION_1: &str = r#"
INSERT INTO calls (id, call, direction, kind, contact, name, address, state, outcome, reason, ended_by, note,
    created_at, ringing_at, answered_at, ended_at, duration_ms, seen) VALUES
    (1, '01010101010101010101010101010101', 'incoming', 'direct', '09090909090909090909090909090909', 'ÉMILE', 'adr', 'disconnected',
     'missed', 'missed', 'remote', 'Über morgen', 9000000, 11000000, 0, 71000000, 0, 0),
    (2, '02020202020202020202020202020202', 'outgoing', 'direct', '09090909090909090909090909090909', 'ÉMILE', 'adr', 'disconnected',
     'answered', 'completed', 'remote', '', 8000000, 8500000, 9000000, 5000000, 60000, 1),
    (3, '03030303030303030303030303030303', 'outgoing', 'direct', '09090909090909090909090909090909', 'Ben', 'adr', 'dialing',
     '', '', '', '', 90000000, 0, 0, 0, 0, 0);
INSERT INTO events (row, n, at, fact, state, data) VALUES
    (1, 1, 9000000, 'offered', 'incoming', '{"direction":"incoming","contact":"09090909090909090909090909090909","name":"ÉMILE","address":"adr","note":"Über morgen"}'),
    (1, 2, 11000000, 'ringing-here', 'incoming', '{}'),
    (1, 3, 71000000, 'ended', 'disconnected', '{"outcome":"missed","reason":"missed","ended-by":"remote","duration-ms":0}'),
    (2, 1, 8000000, 'dialed', 'dialing', '{"direction":"outgoing","contact":"09090909090909090909090909090909","name":"ÉMILE","address":"adr","note":""}'),
    (2, 2, 8500000, 'ringing-there', 'alerting', '{}'),
    (2, 3, 9000000, 'answered', 'connecting', '{}'),
    (2, 4, 9000000, 'connected', 'active', '{}'),
    (2, 5, 5000000, 'ended', 'disconnected', '{"outcome":"answered","reason":"completed","ended-by":"remote","duration-ms":60000}'),
    (3, 1, 90000000, 'dialed', 'dialing', '{"direction":"outgoing","contact":"09090909090909090909090909090909","name":"Ben","address":"adr","note":""}');
"#;

/// What version 2 wrote of the same calls.
const VERSION_2: &str = r#"
INSERT INTO people (id, contact, name, address, folded) VALUES
    (1, '09090909090909090909090909090909', 'ÉMILE', 'adr', 'émile' || char(10) || 'adr'),
    (2, '09090909090909090909090909090909', 'Ben', 'adr', 'ben' || char(10) || 'adr');
INSERT INTO calls (id, call, direction, kind, contact, name, address, state, outcome, reason, ended_by, note,
    created_at, ringing_at, answered_at, ended_at, duration_ms, seen, person, answered_boot, late) VALUES
    (1, '01010101010101010101010101010101', 'incoming', 'direct', '09090909090909090909090909090909', 'ÉMILE', 'adr', 'disconnected',
     'missed', 'missed', 'remote', 'Über morgen', 9000000, 11000000, 0, 71000000, 0, 0, 1, 0, 0),
    (2, '02020202020202020202020202020202', 'outgoing', 'direct', '09090909090909090909090909090909', 'ÉMILE', 'adr', 'disconnected',
     'answered', 'completed', 'remote', '', 8000000, 8500000, 9000000, 5000000, 60000, 1, 1, 9000000, 1),
    (3, '03030303030303030303030303030303', 'outgoing', 'direct', '09090909090909090909090909090909', 'Ben', 'adr', 'dialing',
     '', '', '', '', 90000000, 0, 0, 0, 0, 0, 2, 0, 0);
INSERT INTO told (id, folded) VALUES (1, 'über morgen' || char(10));
INSERT INTO events (row, n, at, boot, fact, source, state, data) VALUES
    (1, 1, 9000000, 9000000, 'offered', 'remote', 'incoming', '{"direction":"incoming","contact":"09090909090909090909090909090909","name":"ÉMILE","address":"adr","note":"Über morgen"}'),
    (1, 2, 11000000, 11000000, 'ringing-here', 'local', 'incoming', '{}'),
    (1, 3, 71000000, 71000000, 'ended', 'remote', 'disconnected', '{"outcome":"missed","reason":"missed","ended-by":"remote"}'),
    (2, 1, 8000000, 8000000, 'dialed', 'local', 'dialing', '{"direction":"outgoing","contact":"09090909090909090909090909090909","name":"ÉMILE","address":"adr"}'),
    (2, 2, 8500000, 8500000, 'ringing-there', 'remote', 'alerting', '{}'),
    (2, 3, 9000000, 9000000, 'answered', 'remote', 'connecting', '{}'),
    (2, 4, 9000000, 9000000, 'connected', 'network', 'active', '{}'),
    (2, 5, 5000000, 69000000, 'ended', 'remote', 'disconnected', '{"outcome":"answered","reason":"completed","ended-by":"remote"}'),
    (3, 1, 90000000, 90000000, 'dialed', 'local', 'dialing', '{"direction":"outgoing","contact":"09090909090909090909090909090909","name":"Ben","address":"adr"}');
"#;

/// Words as version 2 took them: a note and a name that no bus carries, and a name that only looks like another.
const DECEIVING: &str = r#"
INSERT INTO people (id, contact, name, address, folded) VALUES
    (11, '0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a', 'A' || char(0x200b) || 'na', 'ana', 'a' || char(0x200b) || 'na' || char(10) || 'ana'),
    (12, '0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a', 'Ana', 'ana', 'ana' || char(10) || 'ana');
INSERT INTO calls (id, call, direction, kind, contact, name, address, state, outcome, reason, ended_by, note, message,
    created_at, ended_at, seen, person) VALUES
    (11, '0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b', 'incoming', 'direct', '0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a', 'A' || char(0x200b) || 'na', 'ana',
     'disconnected', 'missed', 'missed', 'remote', 'lun' || char(0) || 'ch?' || char(0x202e), '', 100000000, 110000000, 0, 11),
    (12, '0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c', 'outgoing', 'direct', '0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a', 'Ana', 'ana',
     'disconnected', 'declined', 'declined', 'remote', '', 'la' || char(0) || 'ter', 120000000, 130000000, 1, 12);
INSERT INTO told (id, folded) VALUES (11, 'lun' || char(0) || 'ch?'), (12, 'la' || char(0) || 'ter');
INSERT INTO events (row, n, at, boot, fact, source, state, data) VALUES
    (11, 1, 100000000, 100000000, 'offered', 'remote', 'incoming', '{"direction":"incoming","contact":"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a","name":"A\u200bna","address":"ana","note":"lun\u0000ch?\u202e"}'),
    (11, 2, 110000000, 110000000, 'ended', 'remote', 'disconnected', '{"outcome":"missed","reason":"missed","ended-by":"remote"}'),
    (12, 1, 120000000, 120000000, 'dialed', 'local', 'dialing', '{"direction":"outgoing","contact":"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a","name":"Ana","address":"ana"}'),
    (12, 2, 130000000, 130000000, 'ended', 'remote', 'disconnected', '{"outcome":"declined","reason":"declined","ended-by":"remote","message":"la\u0000ter"}');
"#;

/// What each version left behind, by its number. Version 3 wrote these rows as version 2 did, and so did version 4 where it did not
/// know how the line was.
const LEFT: [&str; 4] = [VERSION_1, VERSION_2, VERSION_2, VERSION_2];

/// A file as that version left it.
fn old_file(path: &Path, version: usize) {
    let db = Connection::open(path).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    lean(&db).unwrap();
    mending(&db).unwrap();
    for step in &STEPS[..version] {
        db.execute_batch(step).unwrap();
    }
    db.execute_batch(LEFT[version - 1]).unwrap();
    db.pragma_update(None, "application_id", 0x6168_6f79).unwrap();
    db.pragma_update(None, "user_version", i64::try_from(version).unwrap()).unwrap();
}

#[test]
fn a_file_of_every_older_version_is_brought_up_with_nothing_lost() {
    assert_eq!(LEFT.len(), STEPS.len() - 1, "each older version has its file here");
    for version in 1..STEPS.len() {
        let (_dir, path) = scratch();
        old_file(&path, version);
        let (mut history, found) = start(&path);
        assert!(matches!(found[1..], [Report::Interrupted(_)]), "{found:?}");
        for row in 1..=3 {
            let (shown, folded) = row_and_fold(&history, &path, row);
            assert_eq!(shown, folded, "version {version}");
        }
        let find = |text: &str| {
            let found = history.list(HistoryFilter { text: Some(text.into()), ..HistoryFilter::default() });
            found.iter().map(|row| row.id).collect::<Vec<_>>()
        };
        assert_eq!(find("émile"), [2, 1], "names are found");
        assert_eq!(find("über"), [1], "and notes");
        let until = HistoryFilter { until: Some(8_500_000), ..HistoryFilter::default() };
        assert_eq!(history.list(until).iter().map(|row| row.id).collect::<Vec<_>>(), [2], "and times");
        let Ok(Answer::Events(events)) = history.ask(HistoryRequest::Events(2)) else { panic!() };
        let sources: Vec<&str> = events.iter().map(|event| event.source.as_str()).collect();
        assert_eq!(sources, ["local", "remote", "remote", "network", "remote"]);
        history.write(1, missed(7));
        history.drop_dead();
        let db = Connection::open(&path).unwrap();
        let broken: Option<String> = db.query_row("PRAGMA foreign_key_check", [], |row| row.get(0)).ok();
        assert_eq!(broken, None);
        db.execute("INSERT INTO told_index (told_index) VALUES ('integrity-check')", []).unwrap();
        assert_eq!(start(&path).1.len(), 1, "the next start has nothing to do");
    }
}

#[test]
fn words_that_an_older_version_took_as_they_came_are_mended() {
    let (_dir, path) = scratch();
    old_file(&path, 2);
    Connection::open(&path).unwrap().execute_batch(DECEIVING).unwrap();
    let (history, _) = start(&path);
    for row in [11, 12] {
        let (shown, folded) = row_and_fold(&history, &path, row);
        assert_eq!(shown, folded, "the events say the same");
    }
    let find = |text: &str| {
        let found = history.list(HistoryFilter { text: Some(text.into()), ..HistoryFilter::default() });
        found.into_iter().map(|row| (row.id, row.name, row.note, row.message)).collect::<Vec<_>>()
    };
    let first = (11, "Ana".to_owned(), "lunch?".to_owned(), String::new());
    let second = (12, "Ana".to_owned(), String::new(), "later".to_owned());
    assert_eq!(find("ana"), [second.clone(), first.clone()], "they are one person");
    assert_eq!((find("lunch"), find("later")), (vec![first], vec![second]));
    history.drop_dead();
    let db = Connection::open(&path).unwrap();
    let raw: i64 = db
        .query_row(
            "SELECT (SELECT count(*) FROM events WHERE instr(data, 'u0000') OR instr(data, 'u200b'))
                  + (SELECT count(*) FROM calls WHERE instr(name || note || message, char(0)))",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(raw, 0, "nothing of it is left in the file");
}

#[test]
fn the_steps_that_databases_have_run_are_never_changed() {
    // A changed step would leave two kinds of databases of one version in the world: add a new one instead.
    let sums = STEPS.iter().map(|step| {
        step.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
            (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    });
    assert_eq!(
        sums.collect::<Vec<_>>(),
        [
            11_120_637_667_850_811_139,
            10_729_042_720_784_712_378,
            6_459_661_083_716_793_624,
            5_190_838_091_868_642_979,
            13_894_518_363_941_659_099
        ]
    );
}
