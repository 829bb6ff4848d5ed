//! Rings that do-not-disturb keeps away, and of which nobody knows: it may end while they last.
//!
//! Lives here: the few that are kept, oldest first.
//! Must not: judge one.

use ahoy_call::Moment;

use super::{Dropped, Ring};

/// Rings that are kept away at once, and of one contact.
const KEPT: usize = 8;
const KEPT_OF_A_CONTACT: usize = 2;

/// The rings that are kept away, oldest first.
#[derive(Debug, Default)]
pub(super) struct KeptAway(Vec<Ring>);

impl KeptAway {
    /// One more. Returns those that are kept no longer for it; what its caller has given up goes too.
    pub(super) fn keep(&mut self, now: Moment, one: Ring) -> Vec<Dropped> {
        let mut over: Vec<Ring> = self.0.extract_if(.., |kept| kept.until <= now).collect();
        if self.0.iter().filter(|kept| kept.peer == one.peer).count() >= KEPT_OF_A_CONTACT
            && let Some(oldest) = self.0.iter().position(|kept| kept.peer == one.peer)
        {
            over.push(self.0.remove(oldest));
        }
        if self.0.len() >= KEPT {
            over.push(self.0.remove(0));
        }
        self.0.push(one);
        over.into_iter().map(|kept| (kept.call, kept.leg)).collect()
    }

    /// Those whose caller still waits. None is kept after that.
    pub(super) fn take(&mut self, now: Moment) -> Vec<Ring> {
        let all = std::mem::take(&mut self.0);
        all.into_iter().filter(|kept| kept.until > now).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ahoy_call::{CallId, LegId, PeerId};

    use super::*;

    fn kept(number: u8, peer: u8, until: Moment) -> Ring {
        let (call, leg) = (CallId::from_bytes([number; 16]), LegId::from_bytes([number; 16]));
        Ring {
            call,
            leg,
            peer: PeerId::from_bytes([peer; 16]),
            preconnect: false,
            callee_offers: false,
            until,
        }
    }

    #[test]
    fn few_rings_are_kept_away_and_none_longer_than_its_caller_waits() {
        let now = Moment::from_micros(1_000_000);
        let until = now + Duration::from_secs(60);
        let mut away = KeptAway::default();
        assert_eq!(away.keep(now, kept(1, 1, now + Duration::from_secs(1))), []);
        assert_eq!(away.keep(now, kept(2, 1, until)), []);
        let first = (CallId::from_bytes([1; 16]), LegId::from_bytes([1; 16]));
        assert_eq!(away.keep(now, kept(3, 1, until)), [first], "two of a contact");
        for number in 4..10 {
            assert_eq!(away.keep(now, kept(number, number, until)), []);
        }
        assert_eq!(away.keep(now, kept(10, 10, until)).len(), 1, "and eight of all");
        assert_eq!(away.take(now).len(), KEPT);
        away.keep(now, kept(11, 11, until));
        assert_eq!((away.take(until), away.0.len()), (Vec::new(), 0));
    }
}
