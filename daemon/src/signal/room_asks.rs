//! Questions to relays about rooms.
//!
//! Lives here: which one each relay is asked now and which wait. An answer names no question, so a relay has one at a time.
//! Must not: speak to a relay, or know what a question means.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use ahoy_call::Moment;
use ahoy_proto::room::RoomAsk;

/// A relay answers within this time, its server of rooms included.
const ANSWER: Duration = Duration::from_secs(10);
/// What was not answered in time may be answered yet: for so long nothing else is asked, unless the connection is another.
const OWED: Duration = Duration::from_secs(30);
/// Questions that wait for one relay.
const WAITING: usize = 16;
/// Relays that are asked at a time.
const RELAYS: usize = 16;

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct RoomAsks {
    of: BTreeMap<String, AtRelay>,
}

#[derive(Debug, Default)]
struct AtRelay {
    waiting: VecDeque<(u64, RoomAsk)>,
    /// What it is asked now, and until when it may answer.
    now: Option<(u64, Moment)>,
    /// It owes an answer to what is given up, and until when it is waited for.
    owes: Option<Moment>,
}

impl AtRelay {
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.now.is_none() && self.owes.is_none()
    }
}

impl RoomAsks {
    /// One more question. False: there are too many, and it is not asked.
    pub(super) fn put(&mut self, relay: &str, job: u64, ask: RoomAsk) -> bool {
        if !self.of.contains_key(relay) && self.of.len() >= RELAYS {
            return false;
        }
        let at = self.of.entry(relay.to_owned()).or_default();
        let fits = at.waiting.len() < WAITING && at.owes.is_none();
        if fits {
            at.waiting.push_back((job, ask));
        }
        fits
    }

    /// What this relay is to be asked from now on, if it is asked nothing.
    pub(super) fn next(&mut self, now: Moment, relay: &str) -> Option<(u64, RoomAsk)> {
        let at = self.of.get_mut(relay).filter(|at| at.now.is_none() && at.owes.is_none())?;
        let Some((job, ask)) = at.waiting.pop_front() else {
            self.of.remove(relay);
            return None;
        };
        at.now = Some((job, now + ANSWER));
        Some((job, ask))
    }

    /// This relay answers. None: to nothing that anybody waits for.
    pub(super) fn answered(&mut self, relay: &str) -> Option<u64> {
        let at = self.of.get_mut(relay)?;
        if at.owes.take().is_some() {
            self.forget_idle();
            return None;
        }
        at.now.take().map(|(job, _)| job)
    }

    /// The connection to this relay is another: it owes nothing.
    pub(super) fn fresh(&mut self, relay: &str) {
        if let Some(at) = self.of.get_mut(relay) {
            at.owes = None;
        }
        self.forget_idle();
    }

    /// There is no connection to this relay. Returns what is not answered any more.
    pub(super) fn lost(&mut self, relay: &str) -> Vec<u64> {
        let Some(at) = self.of.remove(relay) else { return Vec::new() };
        at.now.into_iter().map(|(job, _)| job).chain(at.waiting.into_iter().map(|(job, _)| job)).collect()
    }

    /// What was not answered in time, and what waited behind it.
    pub(super) fn late(&mut self, now: Moment) -> Vec<u64> {
        let mut late = Vec::new();
        for at in self.of.values_mut() {
            if at.owes.is_some_and(|until| until <= now) {
                at.owes = None;
            }
            if at.now.is_some_and(|(_, until)| until <= now) {
                late.extend(at.now.take().map(|(job, _)| job));
                late.extend(at.waiting.drain(..).map(|(job, _)| job));
                at.owes = Some(now + OWED);
            }
        }
        self.forget_idle();
        late
    }

    /// When [`RoomAsks::late`] is due.
    pub(super) fn deadline(&self) -> Option<Moment> {
        let due = |at: &AtRelay| at.now.map(|(_, until)| until).into_iter().chain(at.owes).min();
        self.of.values().filter_map(due).min()
    }

    /// Relays that are asked something, or owe an answer.
    pub(super) fn relays(&self) -> impl Iterator<Item = &str> {
        self.of.keys().map(|relay| &relay[..])
    }

    fn forget_idle(&mut self) {
        self.of.retain(|_, at| !at.is_idle());
    }
}

#[cfg(test)]
mod tests {
    use ahoy_proto::room::{TICKET_BYTES, Ticket};

    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_micros(seconds * 1_000_000)
    }

    fn ask(n: u8) -> RoomAsk {
        RoomAsk::Enter { pass: Ticket([n; TICKET_BYTES]) }
    }

    #[test]
    fn a_relay_is_asked_one_thing_after_the_other_and_another_beside_it() {
        let mut asks = RoomAsks::default();
        assert!(asks.put("one", 1, ask(1)) && asks.put("one", 2, ask(2)) && asks.put("other", 3, ask(3)));
        assert_eq!(asks.next(at(0), "one"), Some((1, ask(1))));
        assert_eq!(asks.next(at(0), "one"), None, "it has not answered yet");
        assert_eq!(asks.next(at(0), "other"), Some((3, ask(3))));
        assert_eq!(asks.answered("one"), Some(1));
        assert_eq!(asks.next(at(1), "one"), Some((2, ask(2))));
        assert_eq!(asks.answered("one"), Some(2));
        assert_eq!(asks.next(at(1), "one"), None);
        assert_eq!(asks.answered("one"), None, "nobody asked");
        assert_eq!(asks.relays().collect::<Vec<_>>(), ["other"]);
    }

    #[test]
    fn a_late_answer_is_nobodys_and_until_it_came_or_the_connection_is_another_nothing_is_asked() {
        let mut asks = RoomAsks::default();
        for job in 1..=2 {
            assert!(asks.put("one", job, ask(1)));
        }
        assert!(asks.next(at(0), "one").is_some());
        assert_eq!(asks.deadline(), Some(at(10)));
        assert_eq!(asks.late(at(9)), [0_u64; 0]);
        assert_eq!(asks.late(at(10)), [1, 2]);
        assert!(!asks.put("one", 3, ask(3)), "the answer to the first could be taken for its own");
        assert_eq!(asks.answered("one"), None);
        assert!(asks.put("one", 4, ask(4)));
        assert_eq!(asks.next(at(11), "one"), Some((4, ask(4))));
        assert_eq!(asks.late(at(21)), [4]);
        asks.fresh("one");
        assert!(asks.put("one", 5, ask(5)));
        assert!(asks.next(at(22), "one").is_some() && asks.put("one", 6, ask(6)));
        assert_eq!(asks.lost("one"), [5, 6]);
        assert_eq!(asks.deadline(), None);
    }

    #[test]
    fn questions_are_bounded() {
        let mut asks = RoomAsks::default();
        let most = u64::try_from(WAITING).unwrap();
        assert!((0..most).all(|job| asks.put("one", job, ask(0))) && !asks.put("one", most, ask(0)));
        let others = (1..RELAYS).map(|n| format!("relay {n}"));
        assert!(others.fold(true, |all, relay| all & asks.put(&relay, 99, ask(0))));
        assert!(!asks.put("one more", 99, ask(0)));
    }
}
