//! Pings of ours and what came of them.
//!
//! Lives here: the last one to each contact, since the daemon began, and how often one may be sent.
//! Must not: know how one travels, or the engine.

use std::collections::BTreeMap;
use std::time::Duration;

use ahoy_call::{CallId, Moment, PeerId};

use crate::values::budget::{self, Budget};
use crate::values::rows::{Ping, PingState};

/// Contacts whose last ping is remembered.
const REMEMBERED: usize = 256;

/// The last ping to each.
#[derive(Debug)]
pub(super) struct Pings {
    last: BTreeMap<PeerId, Ping>,
    sent: Budget<PeerId>,
}

impl Default for Pings {
    fn default() -> Self {
        Self { last: BTreeMap::new(), sent: Budget::new(budget::PINGS_OF_OURS) }
    }
}

impl Pings {
    /// One is sent now, `at` by the calendar. False: there were too many to this contact.
    pub(super) fn begin(&mut self, now: Moment, peer: PeerId, job: CallId, at: i64) -> bool {
        if !self.sent.take(now, peer) {
            return false;
        }
        if self.last.len() >= REMEMBERED && !self.last.contains_key(&peer) {
            let oldest = self.last.iter().min_by_key(|(_, ping)| ping.at).map(|(peer, _)| *peer);
            oldest.and_then(|oldest| self.last.remove(&oldest));
        }
        self.last.insert(peer, Ping { job: job.bytes(), state: PingState::Asking, took: None, at });
        true
    }

    /// It is over. False: a later one took its place.
    pub(super) fn over(&mut self, peer: PeerId, job: CallId, took: Option<Duration>) -> bool {
        let Some(ping) = self.last.get_mut(&peer).filter(|ping| ping.job == job.bytes()) else {
            return false;
        };
        ping.state = if took.is_some() { PingState::Answered } else { PingState::Silent };
        ping.took = took;
        true
    }

    /// The last one to this contact.
    pub(super) fn last(&self, peer: PeerId) -> Option<Ping> {
        self.last.get(&peer).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ping_of_each_contact_is_remembered_and_none_is_sent_without_end() {
        let mut pings = Pings::default();
        let (ana, ben) = (PeerId::from_bytes([1; 16]), PeerId::from_bytes([2; 16]));
        let job = |n| CallId::from_bytes([n; 16]);
        let now = Moment::from_micros(7);
        assert!(pings.begin(now, ana, job(1), 10) && pings.begin(now, ana, job(2), 20));
        assert!(!pings.over(ana, job(1), Some(Duration::from_millis(3))), "a later one took its place");
        assert!(pings.over(ana, job(2), Some(Duration::from_millis(4))));
        let last = pings.last(ana).unwrap();
        assert_eq!(
            (last.state, last.took, last.at),
            (PingState::Answered, Some(Duration::from_millis(4)), 20)
        );
        assert_eq!((3..20).filter(|n| pings.begin(now, ana, job(*n), 30)).count(), 2, "four at once");
        assert!(pings.begin(now, ben, job(1), 30) && pings.over(ben, job(1), None));
        assert_eq!(pings.last(ben).unwrap().state, PingState::Silent);
        for n in 0..1_000_u16 {
            let mut id = [9; 16];
            id[..2].copy_from_slice(&n.to_be_bytes());
            pings.begin(now, PeerId::from_bytes(id), job(3), i64::from(n) + 100);
        }
        assert!(pings.last.len() <= REMEMBERED && pings.last(ana).is_none(), "the oldest go");
    }
}
