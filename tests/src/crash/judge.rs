//! What is left after a kill, compared with what was announced before.
//!
//! Lives here: the database as Python's own SQLite reads it, and the verdicts.
//! Must not: use the code that wrote the database.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use serde_json::Value;

use super::plan::Role;
use super::recorder::Heard;

/// What was wrong after one kill.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) lost_events: usize,
    pub(super) left_open: usize,
    pub(super) corrupt: usize,
    pub(super) other_side: usize,
    pub(super) next_call_failed: usize,
    /// The machine was too slow for the 50 ms that a publication waits for its commit, and the daemon said so.
    pub(super) overtaken: bool,
    pub(super) wrong: Vec<String>,
}

/// A database as another program reads it.
#[derive(Debug)]
pub(super) struct Left {
    integrity: String,
    rows: Vec<Value>,
}

const READ: &str = "
import json, sqlite3, sys
db = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True, timeout=10)
db.row_factory = sqlite3.Row
# The index of words belongs to a module that this program may lack.
integrity = [row[0] for table in ('calls', 'events', 'people', 'told') for row in db.execute(f'PRAGMA integrity_check({table})')]
rows = [dict(row) for row in db.execute('SELECT * FROM calls ORDER BY id')]
for row in rows:
    row['facts'] = [dict(e) for e in db.execute('SELECT fact, source, state FROM events WHERE row = ? ORDER BY n', (row['id'],))]
print(json.dumps({'integrity': ' '.join(sorted(set(integrity))), 'rows': rows}))";

impl Left {
    /// Reads it while its daemon runs.
    pub(super) fn read(state: &Path) -> anyhow::Result<Self> {
        let base = state.join("history.db");
        let output = Command::new("/usr/bin/python3").args(["-c", READ]).arg(base).output();
        let output = output.context("starting python3")?;
        anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut read: Value = serde_json::from_slice(&output.stdout)?;
        let rows = read["rows"].as_array_mut().map(std::mem::take).unwrap_or_default();
        Ok(Self { integrity: read["integrity"].as_str().unwrap_or_default().to_owned(), rows })
    }

    /// The row of a call, by the call's path.
    fn row(&self, path: &str) -> Option<&Value> {
        let id = path.rsplit("call_").next()?.replace(['-', '_'], "");
        self.rows.iter().find(|row| row["call"] == id.as_str())
    }
}

fn has(row: &Value, fact: &str) -> bool {
    row["facts"].as_array().is_some_and(|facts| facts.iter().any(|event| event["fact"] == fact))
}

/// The fact that must have been recorded before the bus may say so.
fn fact_of_state(state: &str) -> &'static [&'static str] {
    match state {
        "dialing" => &["dialed"],
        "alerting" => &["ringing-there"],
        "incoming" | "waiting" => &["ringing-here"],
        "connecting" => &["answered"],
        "active" => &["connected", "path-restored", "resumed"],
        "reconnecting" => &["path-lost"],
        "disconnected" => &["ended"],
        _ => &[],
    }
}

impl Found {
    /// Adds what was found elsewhere, in numbers.
    pub(super) fn sum(&mut self, other: &Self) {
        self.lost_events += other.lost_events;
        self.left_open += other.left_open;
        self.corrupt += other.corrupt;
        self.other_side += other.other_side;
        self.next_call_failed += other.next_call_failed;
    }

    fn note(&mut self, what: String) {
        self.wrong.push(what);
    }

    /// The database of who was killed, after the restart: everything announced before is there, nothing is open.
    pub(super) fn killed(&mut self, heard: &[Heard], left: &Left) {
        if left.integrity != "ok" {
            self.corrupt += 1;
            self.note(format!("the database is broken: {}", left.integrity));
        }
        for it in heard {
            let (path, wanted): (&str, &[&str]) = match it {
                Heard::State(path, state, _) => (path, fact_of_state(state)),
                Heard::Event(kind, path) => match kind.as_str() {
                    "call.incoming" => (path, &["ringing-here"]),
                    "call.answered" => (path, &["answered"]),
                    "call.ended" | "call.missed" => (path, &["ended"]),
                    _ => continue,
                },
                Heard::Row(0) | Heard::Owner(_) => continue,
                Heard::Row(id) => {
                    if !left.rows.iter().any(|row| row["id"] == *id) {
                        self.lost_events += 1;
                        self.note(format!("row {id} was announced and is gone"));
                    }
                    continue;
                }
            };
            let recorded = left
                .row(path)
                .is_some_and(|row| wanted.is_empty() || wanted.iter().any(|fact| has(row, fact)));
            // An end that the restart made up is not the one that was announced.
            let made_up = left.row(path).is_some_and(closed_by_restart) && wanted.contains(&"ended");
            if !recorded || made_up {
                self.lost_events += 1;
                self.note(format!("announced and not recorded: {it:?}"));
            }
        }
        for row in &left.rows {
            if let Some(sentence) = badly_closed(row) {
                self.left_open += 1;
                self.note(format!("row {} {sentence}", row["id"]));
            }
        }
    }

    /// How the call ended at the other side: as its own events demand.
    pub(super) fn other(&mut self, path: &str, killed: Role, left: &Left, end: Option<&str>) {
        let Some(reason) = end else {
            self.other_side += 1;
            return self.note("the other side's call did not end within 35 s".to_owned());
        };
        let Some(row) = left.row(path) else {
            self.other_side += 1;
            return self.note("the other side has no row of its call".to_owned());
        };
        let hung_up = reason == "completed" && has(row, "answered");
        let fits = match killed {
            _ if has(row, "answered") => reason == "connection-lost" || hung_up,
            Role::Callee if has(row, "ringing-there") => reason == "no-answer",
            Role::Callee => reason == "unavailable",
            Role::Caller => reason == "missed",
        };
        if !fits || row["reason"] != reason {
            self.other_side += 1;
            let facts = row["facts"].as_array().into_iter().flatten();
            let facts: Vec<&str> = facts.filter_map(|event| event["fact"].as_str()).collect();
            self.note(format!(
                "the other side ended {reason:?} after {facts:?}, its row says {}",
                row["reason"]
            ));
        }
    }
}

fn closed_by_restart(row: &Value) -> bool {
    let last =
        row["facts"].as_array().and_then(|facts| facts.iter().rev().find(|event| event["fact"] == "ended"));
    last.is_some_and(|event| event["source"] == "restart")
}

/// Why a row is not closed as it should be.
fn badly_closed(row: &Value) -> Option<String> {
    if row["ended_at"] == 0 {
        return Some("is open".to_owned());
    }
    if !closed_by_restart(row) {
        return None;
    }
    let outcome = match (row["answered_at"] != 0, row["direction"] == "incoming") {
        (true, _) => "answered",
        (false, true) => "missed",
        (false, false) => "interrupted",
    };
    (row["outcome"] != outcome || row["reason"] != "interrupted").then(|| {
        format!("was closed as {} ({}), not as {outcome} (interrupted)", row["outcome"], row["reason"])
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn left(facts: &[(&str, &str)], ended_at: i64) -> Left {
        let facts: Vec<Value> =
            facts.iter().map(|(fact, source)| json!({"fact": fact, "source": source})).collect();
        let row = json!({"id": 1, "call": "ab", "facts": facts, "ended_at": ended_at, "answered_at": 0,
            "direction": "incoming", "outcome": "missed", "reason": "interrupted"});
        Left { integrity: "ok".to_owned(), rows: vec![row] }
    }

    fn state(state: &str) -> Heard {
        Heard::State("/x/call_ab".to_owned(), state.to_owned(), String::new())
    }

    #[test]
    fn what_was_announced_and_is_not_recorded_is_found() {
        let mut found = Found::default();
        found.killed(&[state("incoming")], &left(&[("offered", "remote"), ("ended", "restart")], 5));
        assert_eq!((found.lost_events, found.wrong.len()), (1, 1));
        let mut found = Found::default();
        found.killed(&[state("disconnected")], &left(&[("ringing-here", "local"), ("ended", "restart")], 5));
        assert_eq!(found.lost_events, 1, "an end that was made up is not the announced one");
        let mut found = Found::default();
        found.killed(&[Heard::Row(7), state("incoming")], &left(&[("ringing-here", "local")], 0));
        assert_eq!((found.lost_events, found.left_open), (1, 1));
    }

    #[test]
    fn the_other_side_must_end_as_its_own_events_demand() {
        let left = |facts| {
            let mut left = left(facts, 5);
            left.rows[0]["reason"] = "no-answer".into();
            left
        };
        let verdict = |facts, killed| {
            let mut found = Found::default();
            found.other("/x/call_ab", killed, &left(facts), Some("no-answer"));
            found.other_side
        };
        assert_eq!(verdict(&[("ringing-there", "remote")], Role::Callee), 0);
        assert_eq!(verdict(&[("dialed", "local")], Role::Callee), 1);
        assert_eq!(verdict(&[("answered", "remote")], Role::Callee), 1);
        assert_eq!(verdict(&[("ringing-here", "local")], Role::Caller), 1);
    }
}
