//! Envelopes on their way to one relay, until it has them.
//!
//! Lives here: what is not yet accepted, in order, for as long as its ttl lasts. Time is an argument.
//! Must not: send, or know whether there is a connection.

use std::collections::VecDeque;

use ahoy_call::Moment;
use ahoy_proto::envelope::{Envelope, EnvelopeId, Ttl};

/// Envelopes that wait. More than a relay would keep for one inbox is of no use.
const MOST: usize = ahoy_proto::limits::MAILBOX_ENTRIES;

/// The envelopes of one link.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<Unsent>,
}

#[derive(Debug)]
struct Unsent {
    envelope: Envelope,
    until: Moment,
    sent: bool,
}

impl Outbox {
    /// Takes an envelope. A repeat of one that waits is sent again; the oldest gives way to the 65th.
    pub(super) fn put(&mut self, envelope: Envelope, now: Moment) {
        self.done(envelope.id);
        if self.waiting.len() >= MOST {
            self.waiting.pop_front();
        }
        let until = now + envelope.ttl.duration();
        self.waiting.push_back(Unsent { envelope, until, sent: false });
    }

    /// The next that was not sent on this connection, with what is left of its ttl.
    pub(super) fn next(&mut self, now: Moment) -> Option<Envelope> {
        self.expire(now);
        let waiting = self.waiting.iter_mut().find(|w| !w.sent)?;
        waiting.sent = true;
        Some(Envelope { ttl: Ttl::new(waiting.until.since(now)), ..waiting.envelope.clone() })
    }

    /// The relay has it.
    pub(super) fn done(&mut self, id: EnvelopeId) {
        self.waiting.retain(|w| w.envelope.id != id);
    }

    /// A new connection: all that was not accepted is sent again.
    pub(super) fn again(&mut self) {
        for waiting in &mut self.waiting {
            waiting.sent = false;
        }
    }

    /// Drops what came too late.
    pub(super) fn expire(&mut self, now: Moment) {
        self.waiting.retain(|w| w.until > now);
    }

    /// Whether the relay has everything.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ahoy_proto::envelope::{Body, Inbox, Token};

    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_micros(seconds * 1_000_000)
    }

    fn envelope(id: u8, seconds: u64) -> Envelope {
        Envelope {
            inbox: Inbox::from_bytes([1; 16]),
            token: Token::from_bytes([2; 16]),
            id: EnvelopeId::from_bytes([id; 16]),
            ttl: Ttl::new(Duration::from_secs(seconds)),
            body: Body::try_from(vec![id]).unwrap(),
        }
    }

    fn ids(outbox: &mut Outbox, now: Moment) -> Vec<u8> {
        std::iter::from_fn(|| outbox.next(now)).map(|e| e.id.bytes()[0]).collect()
    }

    #[test]
    fn what_was_not_accepted_goes_again_on_the_next_connection() {
        let mut o = Outbox::default();
        for id in 1..=3 {
            o.put(envelope(id, 60), at(0));
        }
        assert_eq!(ids(&mut o, at(0)), [1, 2, 3]);
        assert_eq!(ids(&mut o, at(0)), [0_u8; 0], "each once a connection");
        o.done(EnvelopeId::from_bytes([2; 16]));
        o.again();
        assert_eq!(ids(&mut o, at(0)), [1, 3]);
        assert!(!o.is_empty());
    }

    #[test]
    fn what_waited_has_less_time_left_and_none_after_its_ttl() {
        let mut o = Outbox::default();
        o.put(envelope(1, 60), at(0));
        assert_eq!(o.next(at(20)).unwrap().ttl.duration(), Duration::from_secs(40));
        o.again();
        assert_eq!(o.next(at(60)), None);
        assert!(o.is_empty());
    }

    #[test]
    fn the_sixty_fifth_takes_the_place_of_the_first() {
        let mut o = Outbox::default();
        for id in 0..65 {
            o.put(envelope(id, 60), at(0));
        }
        assert_eq!(ids(&mut o, at(0)), (1..65).collect::<Vec<u8>>());
    }

    #[test]
    fn a_repeat_is_sent_again_but_waits_only_once() {
        let mut o = Outbox::default();
        o.put(envelope(1, 60), at(0));
        assert_eq!(ids(&mut o, at(0)), [1]);
        o.put(envelope(1, 60), at(1));
        assert_eq!(ids(&mut o, at(1)), [1]);
        o.done(EnvelopeId::from_bytes([1; 16]));
        assert!(o.is_empty());
    }
}
