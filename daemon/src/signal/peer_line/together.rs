//! What is said of a group goes together: much of it is said to the same device within a moment.
//!
//! Lives here: what waits for more, and until when. Pure: time is an argument.
//! Must not: send.

use std::time::Duration;

use ahoy_call::{Message, Moment, RoomWord};
use ahoy_proto::limits;

/// How long a message waits for others. Nobody hears or sees it.
const MOMENT: Duration = Duration::from_millis(10);
/// How long the word that somebody is heard waits: nobody waits for it.
const HEARS: Duration = Duration::from_millis(100);

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Together {
    waiting: Vec<Message>,
    /// When [`Self::due`] has it.
    pub(super) until: Option<Moment>,
}

impl Together {
    /// Keeps it back, if it may wait; false: it may not, and is sent now.
    pub(super) fn take(&mut self, now: Moment, message: &Message) -> bool {
        let until = match message {
            Message::Room(RoomWord::Hears { .. }) => now + HEARS,
            Message::Log(_) | Message::Room(_) => now + MOMENT,
            Message::Ready { .. }
            | Message::Offer { .. }
            | Message::Invite { .. }
            | Message::Description { .. }
            | Message::Candidates { .. }
            | Message::Ringing
            | Message::Accept
            | Message::Decline { .. }
            | Message::Cancel { .. }
            | Message::End { .. }
            | Message::State { .. } => return false,
        };
        self.waiting.push(message.clone());
        let until = if self.waiting.len() < limits::MESSAGES_IN_BODY { until } else { now };
        self.until = Some(self.until.map_or(until, |at| at.min(until)));
        true
    }

    /// What has waited long enough, with all that came meanwhile.
    pub(super) fn due(&mut self, now: Moment) -> Vec<Message> {
        if self.until.is_none_or(|until| until > now) {
            return Vec::new();
        }
        self.until = None;
        std::mem::take(&mut self.waiting)
    }

    /// Nothing waits any longer.
    pub(super) fn hurry(&mut self, now: Moment) {
        self.until = self.until.map(|_| now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_micros(ms * 1_000)
    }

    fn hears(serial: u32) -> Message {
        Message::Room(RoomWord::Hears { serial, heard: true })
    }

    fn key(serial: u32) -> Message {
        Message::Room(RoomWord::Key { serial, key: ahoy_call::Opaque(vec![1]) })
    }

    #[test]
    fn what_is_said_in_a_moment_goes_together_and_takes_along_what_may_wait_longer() {
        let mut together = Together::default();
        assert!(together.take(at(0), &hears(1)));
        assert_eq!((together.until, together.due(at(99))), (Some(at(100)), vec![]));
        assert!(together.take(at(50), &key(2)) && together.take(at(55), &key(3)));
        assert_eq!((together.until, together.due(at(59))), (Some(at(60)), vec![]));
        assert_eq!(together.due(at(60)), [hears(1), key(2), key(3)]);
        assert_eq!((together.until, together.due(at(500))), (None, vec![]));
    }

    #[test]
    fn no_more_wait_than_go_in_one_body_and_what_rings_or_ends_a_call_does_not_wait() {
        let mut together = Together::default();
        for message in [Message::Ringing, Message::Accept, Message::Ready { offers: false }] {
            assert!(!together.take(at(0), &message));
        }
        assert_eq!(together.until, None);
        for serial in 1..=8 {
            assert_eq!(together.due(at(1)), []);
            assert!(together.take(at(1), &key(serial)));
        }
        assert_eq!(together.due(at(1)).len(), 8);
    }
}
