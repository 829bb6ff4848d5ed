//! Two tables of sessions, and a relay that is a list.
//!
//! Lives here: phones with cards, what they send and report, a handshake done.
//! Must not: judge what it sees.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ahoy_call::{CallId, Event, LegId, Message, Moment, PeerId, SignalOrder};
use ahoy_proto::card::{Card, CardDevice, InboxAt};
use ahoy_proto::envelope::{Envelope, Inbox, Token};
use ahoy_proto::identity::DeviceCertificate;
use ed25519_dalek::SigningKey;
use x25519_dalek::{PublicKey, StaticSecret};

use crate::signal::dropped::Cause;
use crate::signal::peer_line::Out;
use crate::signal::replay::Replay;
use crate::signal::sessions::{Came, Sessions, Time};
use crate::signal::{Report, SignalingOrder};
use crate::values::own::{Account, Own, OwnInbox};
use crate::values::roster::{self, Known, Roster};

pub(crate) const RELAY: &str = "ws://127.0.0.1:1";
pub(crate) const UNIX_S: i64 = 1_000;

pub(crate) fn at(ms: u64) -> Time {
    Time { now: Moment::from_micros(ms * 1000), unix_s: UNIX_S }
}

pub(crate) struct Phone {
    pub(crate) own: Arc<Own>,
    pub(crate) table: Sessions,
    pub(crate) contacts: Vec<Known>,
    pub(crate) cards: BTreeMap<PeerId, Card>,
    pub(crate) tokens: Vec<roster::Token>,
}

impl Phone {
    pub(crate) fn new(seed: u8) -> Self {
        Self::at(seed, RELAY)
    }

    /// With its inbox at another relay.
    pub(crate) fn at(seed: u8, relay: &str) -> Self {
        let account = SigningKey::from_bytes(&[seed; 32]);
        let device = SigningKey::from_bytes(&[seed + 50; 32]);
        let noise = StaticSecret::from([seed; 32]);
        let public = PublicKey::from(&noise);
        let certificate =
            DeviceCertificate::sign(&account, &device.verifying_key(), &public, "desk", 1, 2_000).unwrap();
        let claim = SigningKey::from_bytes(&[seed + 100; 32]);
        let own = Own {
            account: Account::Holder(account),
            device,
            noise,
            certificate,
            inboxes: vec![OwnInbox { relay: relay.to_owned(), claim }],
            display_name: format!("phone {seed}"),
            revision: 1,
            apart: None,
        };
        let table = Sessions::new(Replay::default());
        Self { own: Arc::new(own), table, contacts: Vec::new(), cards: BTreeMap::new(), tokens: Vec::new() }
    }

    pub(crate) fn peer(&self) -> PeerId {
        self.own.certificate.peer_id()
    }

    pub(crate) fn leg(&self) -> LegId {
        self.own.certificate.leg_id()
    }

    pub(crate) fn inbox(&self) -> Inbox {
        Inbox::of(&self.own.inboxes[0].claim.verifying_key().to_bytes())
    }

    /// Hands out a card with a fresh token.
    pub(crate) fn card(&mut self, token: u8) -> Card {
        let hash = Token::from_bytes([token; 16]).hash().bytes();
        self.tokens.push(roster::Token { hash, bound: None, near: None });
        let at = |own: &OwnInbox| InboxAt { relay: own.relay.clone(), inbox: own.inbox() };
        let inboxes = self.own.inboxes.iter().map(at).collect();
        let device = CardDevice { certificate: self.own.certificate.clone(), inboxes };
        Card::sign(self.own.holder().unwrap(), "somebody", 1, &[device], [token; 16]).unwrap()
    }

    pub(crate) fn add(&mut self, card: Card) {
        self.contacts.push(Known { peer: card.peer_id(), blocked: false, preconnect: true, ping: false });
        self.cards.insert(card.peer_id(), card);
        self.tell();
    }

    pub(crate) fn tell(&mut self) {
        let (contacts, tokens) = (self.contacts.as_slice().into(), Arc::new(self.tokens.clone()));
        let cards = Arc::new(self.cards.clone());
        self.table.set_roster(Arc::new(Roster::new(Arc::clone(&self.own), contacts, cards, tokens)));
    }

    pub(crate) fn ring(&mut self, ms: u64, peer: PeerId, leg: LegId) -> Vec<Out> {
        let order = SignalOrder::Ring { peer, lifetime: Duration::from_secs(60) };
        self.table.order(at(ms), SignalingOrder::Call { call: CALL, leg, order })
    }

    pub(crate) fn send(&mut self, ms: u64, leg: LegId, message: Message) -> Vec<Out> {
        self.table.order(at(ms), SignalingOrder::Call { call: CALL, leg, order: SignalOrder::Send(message) })
    }

    pub(crate) fn take(&mut self, ms: u64, envelope: &Envelope) -> Vec<Out> {
        assert_eq!(envelope.inbox, self.inbox(), "the envelope is for this phone");
        self.take_after(ms, Duration::ZERO, envelope)
    }

    /// Takes an envelope that a relay has held.
    pub(crate) fn take_after(&mut self, ms: u64, held: Duration, envelope: &Envelope) -> Vec<Out> {
        let relay = self.own.inboxes[0].relay.clone();
        let came = Came { relay: &relay, standing: true, token: envelope.token.hash(), held };
        self.table.delivered(at(ms), came, envelope.body.bytes())
    }

    /// Takes an envelope by a relay, at the inbox on our card or at one that was made for a call.
    pub(crate) fn take_by(&mut self, ms: u64, relay: &str, standing: bool, envelope: &Envelope) -> Vec<Out> {
        let came = Came { relay, standing, token: envelope.token.hash(), held: Duration::ZERO };
        self.table.delivered(at(ms), came, envelope.body.bytes())
    }

    /// Everything that can be seen from outside after an input that must be dropped.
    pub(crate) fn drops(&mut self, cause: Cause, input: impl FnOnce(&mut Self) -> Vec<Out>) {
        let (before, total) = (self.table.dropped().of(cause), self.table.dropped().total());
        let out = input(self);
        assert!(out.is_empty(), "nothing sent, nothing reported: {out:?}");
        assert_eq!(self.table.dropped().of(cause), before + 1, "{:?}", self.table.dropped());
        assert_eq!(self.table.dropped().total(), total + 1);
    }
}

pub(crate) const CALL: CallId = CallId::from_bytes([7; 16]);

/// Ana and Ben hold each other's card.
pub(crate) fn friends() -> (Phone, Phone) {
    let (mut ana, mut ben) = (Phone::new(1), Phone::new(2));
    let (cards_a, cards_b) = (ana.card(11), ben.card(22));
    ana.add(cards_b);
    ben.add(cards_a);
    (ana, ben)
}

pub(crate) fn posts(out: &[Out]) -> Vec<Envelope> {
    out.iter()
        .filter_map(|it| match it {
            Out::Post { relay, envelope, .. } => {
                assert_eq!(relay, RELAY);
                Some(envelope.clone())
            }
            Out::Report(_) => None,
        })
        .collect()
}

/// What is sent, with the relay that it takes.
pub(crate) fn posted(out: &[Out]) -> Vec<(String, Envelope)> {
    out.iter()
        .filter_map(|it| match it {
            Out::Post { relay, envelope, .. } => Some((relay.clone(), envelope.clone())),
            Out::Report(_) => None,
        })
        .collect()
}

/// The relays that hear of it.
pub(crate) fn relays(out: &[Out]) -> Vec<String> {
    posted(out).into_iter().map(|(relay, _)| relay).collect()
}

pub(crate) fn frames(out: &[Out]) -> Vec<Vec<u8>> {
    out.iter()
        .filter_map(|it| match it {
            Out::Report(Report::Frame { bytes, .. }) => Some(bytes.clone()),
            Out::Report(_) | Out::Post { .. } => None,
        })
        .collect()
}

pub(crate) fn events(out: &[Out]) -> Vec<Event> {
    out.iter()
        .filter_map(|it| match it {
            Out::Report(Report::Event(event)) => Some(event.clone()),
            Out::Report(_) | Out::Post { .. } => None,
        })
        .collect()
}

pub(crate) fn heard(from: &Phone, message: Message) -> Event {
    Event::Received { call: CALL, leg: from.leg(), message }
}

/// Rings, answers with message 2, and delivers it. Returns message 1.
pub(crate) fn shake_hands(ana: &mut Phone, ben: &mut Phone) -> Envelope {
    let message_1 = posts(&ana.ring(0, ben.peer(), ben.leg())).remove(0);
    assert!(matches!(events(&ben.take(10, &message_1))[..], [Event::Rung { .. }]));
    let message_2 = posts(&ben.send(20, ana.leg(), Message::Ready { offers: false })).remove(0);
    assert_eq!(events(&ana.take(30, &message_2)), [heard(ben, Message::Ready { offers: false })]);
    message_1
}

/// Two who have shaken hands.
pub(crate) fn in_session() -> (Phone, Phone) {
    let (mut ana, mut ben) = friends();
    shake_hands(&mut ana, &mut ben);
    (ana, ben)
}

/// Carries what one sent to the other, back and forth, until nothing more is sent.
pub(crate) fn settle(ms: u64, ana: &mut Phone, ben: &mut Phone, out: Vec<Out>) -> Vec<Event> {
    let (mut seen, mut air) = (events(&out), posts(&out));
    while let Some(envelope) = air.pop() {
        let to = if envelope.inbox == ana.inbox() { &mut *ana } else { &mut *ben };
        let out = to.take(ms, &envelope);
        seen.extend(events(&out));
        air.extend(posts(&out));
    }
    seen
}

pub(crate) fn offer() -> Message {
    Message::Offer { remaining: Duration::from_secs(59), text: None }
}
