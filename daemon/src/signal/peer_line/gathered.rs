//! Candidates that come one by one go together.
//!
//! Lives here: what waits, and until when. Pure: time is an argument.
//! Must not: send.

use std::time::Duration;

use ahoy_call::{Epoch, Message, Moment, Opaque};
use ahoy_proto::limits;

/// How long one candidate waits for others: the answers of several servers come close to each other.
const TOGETHER: Duration = Duration::from_millis(60);

/// The candidates of one path that wait. The first message of a path never waits: it may be all that is needed.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    epoch: Option<Epoch>,
    list: Vec<Opaque>,
    complete: bool,
    /// When [`Self::due`] has them.
    pub(super) until: Option<Moment>,
}

impl Gathered {
    /// Keeps them back; false: they are the first of their path, and are sent now. What waits of an earlier path goes:
    /// it means nothing any more.
    pub(super) fn take(&mut self, now: Moment, epoch: Epoch, list: &[Opaque], complete: bool) -> bool {
        if self.epoch != Some(epoch) {
            *self = Self { epoch: Some(epoch), ..Self::default() };
            return false;
        }
        self.list.extend_from_slice(list);
        self.complete |= complete;
        let full = self.list.len() >= limits::CANDIDATES;
        let until = self.until.get_or_insert(now + TOGETHER);
        if full {
            *until = now;
        }
        true
    }

    /// What has waited long enough, as one message; more than fits in one waits for the next call.
    pub(super) fn due(&mut self, now: Moment) -> Option<Message> {
        let epoch = self.epoch.filter(|_| self.until.is_some_and(|until| until <= now))?;
        let rest = self.list.split_off(self.list.len().min(limits::CANDIDATES));
        let list = std::mem::replace(&mut self.list, rest);
        let last = self.list.is_empty();
        self.until = (!last).then_some(now);
        Some(Message::Candidates { epoch, list, complete: last && self.complete })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_micros(ms * 1_000)
    }

    fn some(from: u8, to: u8) -> Vec<Opaque> {
        (from..to).map(|n| Opaque(vec![n])).collect()
    }

    #[test]
    fn the_first_go_at_once_and_what_follows_goes_together() {
        let mut g = Gathered::default();
        assert!(!g.take(at(0), Epoch(1), &some(0, 4), false));
        for n in 4..7 {
            assert!(g.take(at(u64::from(n)), Epoch(1), &some(n, n + 1), n == 6));
        }
        assert_eq!((g.until, g.due(at(63))), (Some(at(64)), None));
        let together = Message::Candidates { epoch: Epoch(1), list: some(4, 7), complete: true };
        assert_eq!((g.due(at(64)), g.until), (Some(together), None));
        assert!(g.take(at(70), Epoch(1), &some(7, 8), false), "late ones wait again");
        assert!(!g.take(at(71), Epoch(2), &some(0, 1), false), "another path: its first goes at once");
        assert_eq!((g.until, g.due(at(500))), (None, None), "and what waited of the one before is dropped");
    }

    #[test]
    fn no_message_holds_more_than_the_wire_takes_and_none_is_lost() {
        let mut g = Gathered::default();
        g.take(at(0), Epoch(1), &[], false);
        g.take(at(1), Epoch(1), &some(0, 20), false);
        g.take(at(2), Epoch(1), &some(20, 40), true);
        let first = Message::Candidates { epoch: Epoch(1), list: some(0, 32), complete: false };
        let second = Message::Candidates { epoch: Epoch(1), list: some(32, 40), complete: true };
        assert_eq!([g.due(at(2)), g.due(at(2)), g.due(at(2))], [Some(first), Some(second), None]);
    }
}
