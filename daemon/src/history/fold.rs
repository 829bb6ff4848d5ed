//! State is the fold of events: what one event makes of a call's row.
//!
//! Lives here: the event as it is logged, and the one function that brings a row up to date by it.
//! Must not: know SQL, a clock, or the rules' own types.

use serde::Deserialize as _;
use serde_json::Value;

use super::words;
use crate::values::rows::HistoryRow;

/// An event as it is logged.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    /// When, microseconds since the Unix epoch.
    pub(super) at: i64,
    /// When, microseconds of CLOCK_BOOTTIME of the boot in which the call was. Durations are counted with it.
    pub(super) boot: i64,
    /// What.
    pub(super) fact: String,
    /// Who made it so.
    pub(super) source: String,
    /// The call's state after it.
    pub(super) state: String,
    /// What else it tells: an object.
    pub(super) data: Value,
}

/// A row while it is folded.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Folded {
    /// What is shown.
    pub(super) row: HistoryRow,
    /// The state after the last event that counted.
    pub(super) state: String,
    /// `boot` of the first sound, from which a duration is counted; 0 for none.
    pub(super) answered_boot: i64,
}

impl Folded {
    /// Takes one event in. Times that stand in the row stay, so that a step of the calendar moves nothing that has
    /// happened. An ended row is closed: after that it can only be seen, or
    /// a group be entered again.
    pub(super) fn apply(&mut self, event: &Event) {
        if event.fact == words::SEEN {
            self.row.seen = true;
            return;
        }
        if event.fact == "rejoined" {
            self.reopen();
        }
        if self.row.ended_at != 0 {
            return;
        }
        self.state.clone_from(&event.state);
        for (field, key) in [
            (&mut self.row.direction, "direction"),
            (&mut self.row.contact, "contact"),
            (&mut self.row.name, "name"),
            (&mut self.row.address, "address"),
            (&mut self.row.note, "note"),
            (&mut self.row.message, "message"),
        ] {
            if field.is_empty()
                && let Some(text) = event.data.get(key).and_then(Value::as_str)
            {
                text.clone_into(field);
            }
        }
        if self.row.created_at == 0 {
            self.row.created_at = event.at;
        }
        if let Some(peers) = event.data.get("peers") {
            "group".clone_into(&mut self.row.kind);
            self.row.peers = Vec::deserialize(peers).unwrap_or_default();
        }
        match event.fact.as_str() {
            "ringing-there" | "ringing-here" if self.row.ringing_at == 0 => self.row.ringing_at = event.at,
            "answered" | "rejoined" if self.row.answered_at == 0 => self.row.answered_at = event.at,
            "connected" if self.answered_boot == 0 => self.answered_boot = event.boot,
            "ended" => self.end(event),
            _ => {}
        }
    }

    /// Whoever enters a group again that they had been out of goes on in its row.
    fn reopen(&mut self) {
        let row = &mut self.row;
        for word in [&mut row.outcome, &mut row.reason, &mut row.ended_by, &mut row.path, &mut row.quality] {
            word.clear();
        }
        (row.ended_at, row.seen, row.repairs) = (0, false, 0);
    }

    /// Nobody has to be told of a call that they took part in: only what was missed is unseen.
    fn end(&mut self, event: &Event) {
        let text = |key: &str| event.data.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let row = &mut self.row;
        (row.outcome, row.reason, row.ended_by) = (text("outcome"), text("reason"), text("ended-by"));
        (row.path, row.quality) = (text("path"), text("quality"));
        row.repairs = event.data.get("repairs").and_then(Value::as_u64).unwrap_or(0);
        row.ended_at = event.at;
        row.seen = row.outcome != "missed";
        if self.answered_boot != 0 {
            let talked = event.boot.saturating_sub(self.answered_boot) / 1_000;
            row.duration_ms = u64::try_from(talked).unwrap_or(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(fact: &str, second: i64, data: Value) -> Event {
        Event {
            at: 1_000_000_000 + second * 1_000_000,
            boot: second * 1_000_000,
            fact: fact.into(),
            source: "local".into(),
            state: "active".into(),
            data,
        }
    }

    #[test]
    fn a_duration_is_counted_between_events_whatever_the_calendar_does() {
        let mut folded = Folded::default();
        folded.apply(&event("dialed", 10, json!({"name": "Ben"})));
        folded.apply(&event("answered", 12, json!({})));
        folded.apply(&event("connected", 15, json!({})));
        folded.apply(&event("path-lost", 20, json!({})));
        folded.apply(&event("connected", 30, json!({})));
        let mut end = event("ended", 75, json!({"outcome": "answered"}));
        end.at -= 3_600_000_000;
        folded.apply(&end);
        assert_eq!((folded.row.duration_ms, folded.row.name.as_str()), (60_000, "Ben"));
    }

    #[test]
    fn a_group_that_is_entered_again_goes_on_in_its_row() {
        let peers = |state: &str| json!([{"contact": "02", "name": "Ben", "state": state, "joined_at": 0, "left_at": 0}]);
        let mut folded = Folded::default();
        folded.apply(&event("offered", 1, json!({"peers": peers("invited")})));
        folded.apply(&event(
            "ended",
            2,
            json!({"outcome": "missed", "reason": "missed", "ended-by": "remote"}),
        ));
        folded.apply(&event("rejoined", 10, json!({"peers": peers("joined")})));
        let row = &folded.row;
        assert_eq!(
            (row.kind.as_str(), row.ended_at, row.outcome.as_str(), row.seen),
            ("group", 0, "", false)
        );
        folded.apply(&event("connected", 11, json!({})));
        folded.apply(&event("ended", 20, json!({"outcome": "answered", "peers": peers("left")})));
        let row = &folded.row;
        assert_eq!((row.outcome.as_str(), row.duration_ms, row.seen), ("answered", 9_000, true));
        assert_eq!((row.peers.len(), row.peers[0].state.as_str()), (1, "left"));
    }

    #[test]
    fn what_comes_after_the_end_changes_nothing_but_that_it_was_seen() {
        let mut folded = Folded::default();
        folded.apply(&event("offered", 1, json!({})));
        folded.apply(&event("ended", 2, json!({"outcome": "missed"})));
        let ended = folded.clone();
        folded.apply(&event("answered", 3, json!({"message": "late"})));
        assert_eq!(folded, ended);
        folded.apply(&event(words::SEEN, 4, json!({})));
        assert!(folded.row.seen && !ended.row.seen);
    }
}
