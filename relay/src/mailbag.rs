//! What one client has been given of its mail, and what it wants next.
//!
//! Lives here: `Mailbag`: how far it has read, what it has not acknowledged. After a claim not all comes at once, so that
//! a full mailbox never cuts its own owner off.
//! Must not: keep mail.

use std::collections::BTreeMap;

use ahoy_proto::envelope::{EnvelopeId, TokenHash};
use ahoy_proto::frame::Deliver;
use ahoy_proto::limits;

use crate::store::{Mail, Place};
use crate::time::Moment;

/// Envelopes under way that are remembered: more than a mailbox has.
const UNACKED: usize = 2 * limits::MAILBOX_ENTRIES;

/// One client's mail, under way.
#[derive(Debug, Default)]
pub(crate) struct Mailbag {
    /// What it has up to there.
    read: Place,
    state: State,
    /// What comes next does not fit beside what is under way.
    stuck: bool,
    /// Delivered and not acknowledged.
    unacked: BTreeMap<EnvelopeId, Unacked>,
}

#[derive(Debug)]
struct Unacked {
    bytes: usize,
    token: TokenHash,
    until: Moment,
}

/// Whether the store has more for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// It has all; what comes is delivered at once.
    #[default]
    Level,
    /// More waits.
    Behind,
    /// The store was asked; `again` if something came since.
    Asked { again: bool },
}

impl Mailbag {
    /// The list is whole, so that mail may be read.
    pub(crate) fn is_whole(&mut self) {
        self.more_waits();
    }

    /// Mail came. `None`: it is read with the rest, in its turn.
    pub(crate) fn arrived(&mut self, now: Moment, mail: Mail, place: Option<Place>) -> Option<Deliver> {
        match place {
            // Nobody keeps it: now or never.
            None if self.unacked.contains_key(&mail.id) => None,
            None => Some(self.deliver(now, mail)),
            Some(place) if self.state == State::Level => {
                self.read = place;
                Some(self.deliver(now, mail))
            }
            Some(_) => {
                self.more_waits();
                None
            }
        }
    }

    /// What the store was asked for.
    pub(crate) fn waited(&mut self, now: Moment, mail: Vec<(Place, Mail)>, more: bool) -> Vec<Deliver> {
        let again = self.state == State::Asked { again: true };
        self.state = if more || again { State::Behind } else { State::Level };
        self.stuck = more && mail.is_empty();
        let mut out = Vec::new();
        for (place, mail) in mail {
            self.read = self.read.max(place);
            if !self.unacked.contains_key(&mail.id) {
                out.push(self.deliver(now, mail));
            }
        }
        out
    }

    /// Where to read on, how many, and how many bytes, if now is the time.
    pub(crate) fn wants(&mut self, now: Moment) -> Option<(Place, usize, usize)> {
        if self.state != State::Behind {
            return None;
        }
        // What is over will never be acknowledged.
        let before = self.unacked.len();
        self.unacked.retain(|_, under_way| under_way.until > now);
        if self.stuck && self.unacked.len() == before {
            return None;
        }
        let bytes: usize = self.unacked.values().map(|under_way| under_way.bytes).sum();
        let entries = limits::BACKLOG_MESSAGES.saturating_sub(self.unacked.len());
        let bytes = limits::BACKLOG_BYTES.saturating_sub(bytes);
        if entries == 0 || bytes == 0 {
            return None;
        }
        self.state = State::Asked { again: false };
        Some((self.read, entries, bytes))
    }

    /// It has one.
    pub(crate) fn acknowledged(&mut self, id: EnvelopeId) {
        self.stuck = false;
        self.unacked.remove(&id);
    }

    /// What came with these tokens is over.
    pub(crate) fn revoked(&mut self, tokens: &[TokenHash]) {
        self.stuck = false;
        self.unacked.retain(|_, under_way| !tokens.contains(&under_way.token));
    }

    fn more_waits(&mut self) {
        self.state = match self.state {
            State::Level | State::Behind => State::Behind,
            State::Asked { .. } => State::Asked { again: true },
        };
    }

    fn deliver(&mut self, now: Moment, mail: Mail) -> Deliver {
        let Mail { id, token, body, came, until, .. } = mail;
        let bytes = body.bytes().len();
        // Who never acknowledges is not remembered for it.
        if self.unacked.len() >= UNACKED {
            self.unacked.pop_first();
        }
        self.unacked.insert(id, Unacked { bytes, token, until });
        let held_ms = u64::try_from(now.since(came).as_millis()).unwrap_or(u64::MAX);
        Deliver { id, held_ms, token, body }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use ahoy_proto::envelope::Body;

    use super::*;

    const NOW: Moment = Moment::from_micros(7);

    fn mail(id: u8, bytes: usize) -> Mail {
        Mail {
            id: EnvelopeId::from_bytes([id; 16]),
            token: TokenHash::from_bytes([id % 2; 16]),
            body: Body::try_from(vec![id; bytes]).unwrap(),
            from: IpAddr::from([192, 0, 2, 1]).into(),
            came: NOW,
            until: NOW + Duration::from_secs(60),
        }
    }

    fn ids(out: &[Deliver]) -> Vec<u8> {
        out.iter().map(|deliver| deliver.id.bytes()[0]).collect()
    }

    #[test]
    fn what_comes_while_the_store_is_asked_is_read_in_its_turn_and_once() {
        let mut bag = Mailbag::default();
        bag.is_whole();
        assert_eq!(bag.wants(NOW), Some((Place(0), 16, limits::BACKLOG_BYTES)));
        assert_eq!(bag.wants(NOW), None, "it was asked");
        assert_eq!(bag.arrived(NOW, mail(3, 10), Some(Place(3))), None);
        let waited = bag.waited(NOW, vec![(Place(1), mail(1, 10)), (Place(2), mail(2, 10))], false);
        assert_eq!(ids(&waited), [1, 2]);
        let Some((after, ..)) = bag.wants(NOW) else { panic!("it asks again") };
        assert_eq!(after, Place(2));
        assert_eq!(ids(&bag.waited(NOW, vec![(Place(3), mail(3, 10))], false)), [3]);
        assert_eq!(bag.wants(NOW), None);
        assert!(bag.arrived(NOW, mail(4, 10), Some(Place(4))).is_some(), "now at once");
    }

    #[test]
    fn what_nobody_keeps_is_delivered_however_much_waits_and_once() {
        let mut bag = Mailbag::default();
        bag.is_whole();
        assert!(bag.arrived(NOW, mail(9, 10), None).is_some());
        assert!(bag.arrived(NOW, mail(9, 10), None).is_none());
    }

    #[test]
    fn who_never_acknowledges_is_not_remembered_without_end() {
        let mut bag = Mailbag::default();
        for n in 0..1_000_u32 {
            let id = EnvelopeId::from_bytes(std::array::from_fn(|i| n.to_le_bytes()[i % 4]));
            assert!(bag.arrived(NOW, Mail { id, ..mail(1, 10) }, Some(Place(n.into()))).is_some());
        }
        assert_eq!(bag.unacked.len(), UNACKED);
    }

    #[test]
    fn more_comes_as_it_is_acknowledged_revoked_or_over() {
        let mut bag = Mailbag::default();
        bag.is_whole();
        bag.wants(NOW);
        let full = (1..=16).map(|n| (Place(n.into()), mail(n, 10))).collect();
        bag.waited(NOW, full, true);
        assert_eq!(bag.wants(NOW), None, "16 are under way");
        bag.acknowledged(mail(1, 0).id);
        assert_eq!(bag.wants(NOW).map(|(after, entries, _)| (after, entries)), Some((Place(16), 1)));
        bag.waited(NOW, vec![], true);
        bag.revoked(&[TokenHash::from_bytes([1; 16])]);
        assert_eq!(bag.wants(NOW).map(|(_, entries, _)| entries), Some(8));
        bag.waited(NOW, vec![], true);
        assert_eq!(bag.wants(NOW + Duration::from_secs(60)).map(|(_, entries, _)| entries), Some(16));
    }
}
