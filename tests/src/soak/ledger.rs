//! What was done to the people's world, how their calls ended, and whether the one explains the other.
//!
//! Lives here: faults with their times, the reasons that each may be blamed for, the verdict on an end.
//! Must not: read a clock or do anything: times are seconds since the soak began.

use std::collections::BTreeMap;

/// A fault is an excuse for so long after it is over.
const EXCUSE: f64 = 60.0;

/// What is done to the world on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// No sound passes between the people for a while; what the relay carries does.
    Link,
    /// The relay is killed, and started again.
    Relay,
    /// A person's sound server is stopped, and started again.
    Sound,
    /// A person's daemon stands still, as in the machine's sleep.
    Suspend,
    /// A person's calendar is years off, and put right.
    Clock,
}

impl Fault {
    /// All of them, in the order in which they are tried.
    pub const ALL: [Self; 5] = [Self::Link, Self::Relay, Self::Sound, Self::Suspend, Self::Clock];

    /// The reasons of ends that it may be blamed for.
    fn excuses(self) -> &'static [&'static str] {
        match self {
            Self::Link => &["connection-lost", "ice-failed", "media-failed"],
            Self::Relay => {
                &["unreachable", "unavailable", "no-answer", "missed", "signaling-failed", "connection-lost"]
            }
            Self::Sound => &["media-failed"],
            Self::Suspend => &[
                "connection-lost",
                "ice-failed",
                "media-failed",
                "unavailable",
                "no-answer",
                "missed",
                "signaling-failed",
            ],
            Self::Clock => {
                &["unreachable", "unavailable", "no-answer", "missed", "security-failed", "signaling-failed"]
            }
        }
    }
}

/// How a call ended for one of its people.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) who: String,
    /// What a call of that kind ends with, one of these.
    pub(super) expected: &'static [&'static str],
    /// What it ended with; `None`: not at all.
    pub(super) reason: Option<String>,
}

/// The book of faults and ends.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    /// Each with its beginning and, when it is over, its end.
    faults: Vec<(Fault, f64, Option<f64>)>,
    pub(super) unexplained: usize,
    /// What was wrong, in sentences.
    pub(super) wrong: Vec<String>,
}

impl Ledger {
    pub(super) fn begin(&mut self, fault: Fault, now: f64) {
        self.faults.push((fault, now, None));
    }

    /// All faults of that kind are over.
    pub(super) fn end(&mut self, fault: Fault, now: f64) {
        for (_, _, end) in self.faults.iter_mut().filter(|(kind, _, end)| *kind == fault && end.is_none()) {
            *end = Some(now);
        }
    }

    /// How often each was done.
    pub(super) fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for (fault, _, _) in &self.faults {
            *counts.entry(format!("{fault:?}").to_lowercase()).or_default() += 1;
        }
        counts
    }

    /// The end of a call that was, at its earliest, begun then.
    pub(super) fn judge(&mut self, call: &str, end: &End, now: f64) {
        let Some(reason) = &end.reason else {
            return self.note(format!("{call}: it did not end for {}", end.who));
        };
        if !end.expected.contains(&reason.as_str()) && !self.excused(reason, now) {
            self.note(format!(
                "{call}: for {} it ended {reason}, expected was {}",
                end.who,
                end.expected.join(" or ")
            ));
        }
    }

    /// A call that did not come to its end in the way of its kind.
    pub(super) fn failed(&mut self, call: &str, why: &str, now: f64) {
        // Whatever a fault delays may time out.
        if !self.recent(now).next().is_some_and(|_| true) {
            self.note(format!("{call}: {why}"));
        }
    }

    fn note(&mut self, what: String) {
        self.unexplained += 1;
        self.wrong.push(what);
    }

    fn excused(&self, reason: &str, now: f64) -> bool {
        self.recent(now).any(|fault| fault.excuses().contains(&reason))
    }

    fn recent(&self, now: f64) -> impl Iterator<Item = Fault> {
        let near = move |end: &Option<f64>| end.is_none_or(|end| now - end <= EXCUSE);
        self.faults.iter().filter(move |(_, _, end)| near(end)).map(|(fault, _, _)| *fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(reason: Option<&str>) -> End {
        End { who: "Ana".into(), expected: &["completed"], reason: reason.map(str::to_owned) }
    }

    #[test]
    fn an_end_that_no_fault_of_the_last_minute_explains_is_counted() {
        let mut ledger = Ledger::default();
        ledger.judge("a", &end(Some("completed")), 10.0);
        assert_eq!(ledger.unexplained, 0);
        ledger.judge("b", &end(Some("connection-lost")), 20.0);
        ledger.judge("c", &end(None), 30.0);
        assert_eq!(ledger.unexplained, 2);
        ledger.begin(Fault::Link, 40.0);
        ledger.judge("d", &end(Some("connection-lost")), 400.0);
        ledger.end(Fault::Link, 401.0);
        ledger.judge("e", &end(Some("connection-lost")), 460.0);
        assert_eq!(ledger.unexplained, 2, "{:?}", ledger.wrong);
        ledger.judge("f", &end(Some("connection-lost")), 462.0);
        assert_eq!(ledger.unexplained, 3, "more than a minute later it is none");
    }

    #[test]
    fn a_fault_explains_only_what_it_can_cause() {
        let mut ledger = Ledger::default();
        ledger.begin(Fault::Sound, 1.0);
        ledger.judge("a", &end(Some("connection-lost")), 2.0);
        assert_eq!(ledger.unexplained, 1);
        ledger.begin(Fault::Suspend, 1.0);
        ledger.judge("b", &end(None), 2.0);
        assert_eq!(ledger.unexplained, 2, "no fault explains a call that never ends");
    }
}
