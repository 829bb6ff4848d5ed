//! Which relays and inboxes the frames of one session take.
//!
//! Lives here: the ways to the other device, those that may be taken only after the answer, and our own inbox for the
//! replies to a ring of ours.
//! Must not: seal anything, or choose a relay that the rules of `sessions/handshake.rs` did not allow.

use std::time::Duration;

use ahoy_call::PeerId;
use ahoy_proto::envelope::{Body, Envelope, EnvelopeId, Token, Ttl};
use ahoy_proto::hello::ReplyTo;
use ed25519_dalek::SigningKey;

use super::{Out, chance};
use crate::signal::peers::Way;
use crate::values::near::NearPlace;

/// How the other device is reached.
#[derive(Clone, Debug)]
pub(in crate::signal) struct Route {
    /// Taken now; a first copy takes the first.
    ways: Vec<Way>,
    /// Taken once we have answered: relays of a caller who may not know before that we are there.
    after_answer: Vec<Way>,
    /// A first copy takes all ways too: we rang them, at relays that they chose for that.
    widely: bool,
    /// The first way is the inbox that the caller named for its answers.
    named: bool,
    /// Where they answer us, if we rang.
    reply: Option<ReplyInbox>,
}

/// An inbox of ours at the relays of somebody whom we ring: who is rung need not speak to any other relay.
#[derive(Clone, Debug)]
pub(in crate::signal) struct ReplyInbox {
    /// What message 1 says of it.
    pub(in crate::signal) to: ReplyTo,
    /// Made for this call; none where the inbox that we have at that relay anyway serves.
    pub(in crate::signal) key: Option<SigningKey>,
    /// At these relays.
    pub(in crate::signal) relays: Vec<String>,
}

impl ReplyInbox {
    /// The public key of an inbox that was made for this call.
    pub(in crate::signal) fn claims(&self) -> Option<[u8; 32]> {
        self.key.as_ref().map(|key| key.verifying_key().to_bytes())
    }
}

impl Route {
    /// To somebody whom we ring.
    pub(in crate::signal) fn to(ways: Vec<Way>, reply: Option<ReplyInbox>) -> Self {
        Self { ways, after_answer: Vec::new(), widely: true, named: false, reply }
    }

    /// To a caller. `named`: the first way is the inbox that it named for its answers.
    pub(in crate::signal) fn back(named: bool, ways: Vec<Way>, after_answer: Vec<Way>) -> Self {
        Self { ways, after_answer, widely: false, named, reply: None }
    }

    /// Where the answers to our ring come.
    pub(in crate::signal) fn reply(&self) -> Option<&ReplyInbox> {
        self.reply.as_ref()
    }

    /// Relays through which it goes, now.
    pub(in crate::signal) fn relays(&self) -> impl Iterator<Item = &str> {
        self.ways.iter().map(|way| &way.relay[..])
    }

    /// Whether one of the ways leads to a neighbour on a local network.
    pub(in crate::signal) fn is_near(&self) -> bool {
        self.relays().any(|relay| NearPlace::named(relay).is_some())
    }

    /// One more way, if it is not among them.
    pub(in crate::signal) fn add(&mut self, way: &Way) {
        if !self.ways.contains(way) {
            self.ways.push(way.clone());
        }
    }

    /// This relay has taken what goes this way. True: no other is left.
    pub(in crate::signal) fn taken(&mut self, relay: &str) -> bool {
        self.ways.retain(|way| way.relay != relay);
        self.ways.is_empty()
    }

    /// Only the ways by relays of our own. False: there is none.
    pub(in crate::signal) fn keep_ours(&mut self) -> bool {
        self.ways.retain(|way| way.ours);
        !self.ways.is_empty()
    }

    /// Another relay of ours brought their message 1 too: the inbox that they named is there as well.
    pub(in crate::signal) fn add_relay(&mut self, relay: &str) {
        let Some(first) = self.ways.first().filter(|way| self.named && way.relay != relay) else { return };
        let way = Way { relay: relay.to_owned(), ..first.clone() };
        if !self.ways.contains(&way) {
            self.ways.retain(|other| other.relay != relay);
            self.ways.insert(1, way);
        }
    }

    /// We have answered: the caller may know where we are, and its own relays are a second way.
    pub(in crate::signal) fn open_all(&mut self) {
        self.ways.append(&mut self.after_answer);
    }

    /// Sends a frame, by all ways or by the first.
    pub(super) fn post(&self, peer: PeerId, frame: &[u8], lives: Duration, all: bool, out: &mut Vec<Out>) {
        let Some(id) = chance() else { return };
        let ways = if all || self.widely { &self.ways[..] } else { self.ways.get(..1).unwrap_or_default() };
        self.post_by(ways, Some(peer), EnvelopeId::from_bytes(id), frame, lives, out);
    }

    /// Sends a frame by one way, another each turn.
    pub(in crate::signal) fn post_one(
        &self,
        turn: u32,
        peer: PeerId,
        frame: &[u8],
        lives: Duration,
        out: &mut Vec<Out>,
    ) {
        let (Some(id), Ok(turn)) = (chance(), usize::try_from(turn)) else { return };
        let way = self.ways.iter().cycle().nth(turn % self.ways.len().max(1));
        let ways = way.map(std::slice::from_ref).unwrap_or_default();
        self.post_by(ways, Some(peer), EnvelopeId::from_bytes(id), frame, lives, out);
    }

    /// Sends a message 1 of ours by all ways.
    pub(super) fn post_first(&self, id: EnvelopeId, frame: &[u8], lives: Duration, out: &mut Vec<Out>) {
        self.post_by(&self.ways, None, id, frame, lives, out);
    }

    fn post_by(
        &self,
        ways: &[Way],
        budget: Option<PeerId>,
        id: EnvelopeId,
        frame: &[u8],
        lives: Duration,
        out: &mut Vec<Out>,
    ) {
        let from = self.reply.as_ref().and_then(ReplyInbox::claims);
        for way in ways {
            // A frame of ours is never longer than a body may be.
            let Ok(body) = Body::try_from(frame.to_vec()) else { continue };
            let (inbox, token) = (way.inbox, way.token);
            let envelope = Envelope { inbox, token, id, ttl: Ttl::new(lives), body };
            out.push(Out::Post { relay: way.relay.clone(), from, budget, envelope });
        }
    }
}

/// A right that nobody else has.
pub(in crate::signal) fn fresh_token() -> Option<Token> {
    Some(Token::from_bytes(chance()?))
}
