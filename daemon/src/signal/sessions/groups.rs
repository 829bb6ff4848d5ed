//! Groups: what we say of ourselves is sealed, and members who are no contacts are met by their call cards.
//!
//! Lives here: our own call card in each group, sessions with members whom we did not ring.
//! Must not: decide who has a place in a call, or ring anybody.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ahoy_call::{CallId, Event, GroupId, Message, Moment, Opaque, PeerId};
use ahoy_proto::card::InboxAt;
use ahoy_proto::envelope::TokenHash;
use ahoy_proto::group::{CallCard, Sealer, card_of, seal};
use ahoy_proto::hello::{Hello, HelloKind};
use ahoy_proto::session::{Called, Ephemeral, SessionId};
use ahoy_proto::words::{NAME, Words};

use super::handshake::{Knocker, is_kept_for_too_long, route};
use super::rings::{About, Begun};
use super::{Came, Key, Sessions, Time};
use crate::signal::dropped::Cause;
use crate::signal::peer_line::{PeerLine, Stage, chance, fresh_token};
use crate::signal::peers::Admitted;
use crate::signal::replay::Mark;
use crate::values::budget;
use crate::values::own::Own;

/// A call card is kept for so long behind the last session of its call: who is alone in a group may be joined again, and another card
/// would make another entry of the same number.
const KEPT: Duration = Duration::from_secs(600);
/// Calls with a card of ours at once. Nobody can make us take part in so many.
const MOST: usize = 32;

/// Our call cards, by the call's name on the wire.
#[derive(Default)]
pub(super) struct CallCards {
    cards: BTreeMap<CallId, Kept>,
    names: Arc<BTreeMap<GroupId, Words>>,
}

struct Kept {
    card: CallCard,
    /// When its last session ended.
    idle: Option<Moment>,
}

impl CallCards {
    /// The tokens on them: who has one may write to our standing inboxes, for that call alone.
    pub(super) fn tokens(&self) -> impl Iterator<Item = TokenHash> {
        self.cards.values().map(|kept| kept.card.token.hash())
    }

    fn call_of(&self, token: TokenHash) -> Option<CallId> {
        self.cards.iter().find(|(_, kept)| kept.card.token.hash() == token).map(|(call, _)| *call)
    }

    /// The one of this call, made where there is none; whether it is new. `group`: of which named group it is.
    fn of(&mut self, call: CallId, group: Option<GroupId>, own: &Own) -> Option<(&CallCard, bool)> {
        let new = !self.cards.contains_key(&call);
        if new {
            if self.cards.len() >= MOST {
                // That of a call which is over for longest gives way: rings that are never answered do not use up all.
                let over = self.cards.iter().filter_map(|(call, kept)| Some((kept.idle?, *call)));
                let (_, call) = over.min()?;
                self.cards.remove(&call);
            }
            let inboxes = own.inboxes.iter().map(|at| InboxAt { relay: at.relay.clone(), inbox: at.inbox() });
            let certificate = own.certificate.clone();
            let name = Words::of(&own.display_name, NAME);
            let group = group.and_then(|group| self.names.get(&group)).cloned().unwrap_or_default();
            let card =
                CallCard { certificate, inboxes: inboxes.collect(), name, group, token: fresh_token()? };
            self.cards.insert(call, Kept { card, idle: None });
        }
        self.cards.get(&call).map(|kept| (&kept.card, new))
    }

    /// These calls have sessions, and of the others what is idle for too long is dropped; whether any is.
    fn settle(&mut self, now: Moment, living: &BTreeSet<CallId>) -> bool {
        let before = self.cards.len();
        self.cards.retain(|call, kept| {
            kept.idle = if living.contains(call) { None } else { kept.idle.or(Some(now)) };
            kept.idle.is_none_or(|since| now.since(since) < KEPT)
        });
        before != self.cards.len()
    }
}

impl Sessions {
    /// What named groups are called here, from now on.
    pub(in crate::signal) fn set_groups(&mut self, names: Arc<BTreeMap<GroupId, Words>>) {
        self.call_cards.names = names;
    }

    /// What a message of a group says of us is signed before it is written.
    pub(super) fn signed<'m>(&mut self, call: CallId, message: &'m Message) -> Option<Cow<'m, Message>> {
        let (Message::Invite { news, .. } | Message::Log(news)) = message else {
            return Some(Cow::Borrowed(message));
        };
        let own = Arc::clone(self.peers.own()?);
        let (card, new) = self.call_cards.of(call, news.start.group, &own)?;
        let mut message = message.clone();
        let sealed = seal(&mut message, &Sealer { device: &own.device, card });
        self.replies_changed |= new;
        if let Err(error) = sealed {
            tracing::warn!(%error, "what we say of ourselves in a group cannot be signed");
            return None;
        }
        Some(Cow::Owned(message))
    }

    /// Drops the call cards of calls that are long over.
    pub(super) fn settle_groups(&mut self, now: Moment) {
        let living = self.lines.keys().map(|(call, _)| *call).collect();
        if self.call_cards.settle(now, &living) {
            self.replies_changed = true;
            // What was kept away of people who are no contacts went with the call.
            let peers = &self.peers;
            self.kept_away.retain(|peer, _| peers.is_contact(*peer));
        }
    }

    /// Opens a session with a member of a group whom we did not ring: by what we know of a contact, else by the call card in `seal`.
    pub(super) fn meet(
        &mut self,
        time: Time,
        key: Key,
        peer: PeerId,
        seal: &Opaque,
        lifetime: Duration,
    ) -> Option<()> {
        if self.lines.contains_key(&key) {
            return Some(());
        }
        let about = About { call: key.0, peer, leg: key.1, lifetime, kind: HelloKind::Meet };
        let begun = match self.begin(time, &about) {
            Some(begun) => begun,
            None => self.begin_by_card(time, &about, seal)?,
        };
        self.open_line(time, &about, begun)
    }

    fn begin_by_card(&self, time: Time, about: &About, seal: &Opaque) -> Option<Begun> {
        let CallCard { certificate, inboxes, token, .. } = card_of(seal).ok()?;
        let theirs = certificate.leg_id() == about.leg && certificate.peer_id() == about.peer;
        if !theirs || !certificate.is_valid_at(time.unix_s) || self.peers.is_blocked(about.peer) {
            return None;
        }
        let mut ways = self.peers.ways(token, &inboxes);
        ways.truncate(budget::RELAYS);
        self.begin_by(time, about, &certificate, ways)
    }

    /// A message 1 with the token of a call card of ours: of who is no contact, or does not know that they are.
    pub(super) fn met_by_card(
        &mut self,
        time: Time,
        came: Came<'_>,
        session: SessionId,
        frame: &[u8],
    ) -> Result<(), Cause> {
        let call = self.call_cards.call_of(came.token).ok_or(Cause::UnknownToken)?;
        let own = Arc::clone(self.peers.own().ok_or(Cause::UnknownSender)?);
        self.within_handshakes(time.now, Knocker::Token(came.token.bytes()))?;
        let ephemeral = Ephemeral(chance().ok_or(Cause::Unsupported)?);
        let (called, hello) = Called::open(&own.noise, own.certificate.device(), &ephemeral, frame)?;
        debug_assert_eq!(called.id(), session);
        if hello.kind != HelloKind::Meet || hello.call != call || hello.token != Some(came.token) {
            return Err(Cause::ForeignToken);
        }
        let (peer, leg) = (hello.certificate.peer_id(), hello.certificate.leg_id());
        if self.peers.is_blocked(peer) {
            return Err(Cause::Blocked);
        }
        if !hello.certificate.is_valid_at(time.unix_s) || is_kept_for_too_long(time.unix_s, &hello) {
            return Err(Cause::Expired);
        }
        let handshake = Mark::of("handshake", frame);
        self.is_new(peer, handshake)?;
        // Nothing is said of our address but to our own relay, where they named an inbox.
        let sender = Admitted { peer, leg, preconnect: false, ways: Vec::new(), newly_bound: false };
        self.met(time, came, called, &hello, sender, handshake)
    }

    /// A member of a group opens a session. If one of ours crosses it, that of the higher device stands; a session that stood is
    /// one that the other has forgotten.
    pub(super) fn met(
        &mut self,
        time: Time,
        came: Came<'_>,
        called: Called,
        hello: &Hello,
        sender: Admitted,
        handshake: Mark,
    ) -> Result<(), Cause> {
        let (key, peer) = ((hello.call, sender.leg), sender.peer);
        let own = self.peers.own().map(|own| own.certificate.leg_id());
        let ours_stands =
            |line: &PeerLine| matches!(line.stage, Stage::Calling { .. }) && own > Some(sender.leg);
        let of_them = self.lines.values().filter(|line| line.peer == peer).count();
        if self.lines.get(&key).is_some_and(ours_stands) || of_them >= budget::UNANSWERED_OF_ALL {
            return Err(Cause::TooMany);
        }
        let route = route(came, hello, sender.preconnect, sender.ways).ok_or(Cause::Unsupported)?;
        self.forget(key, time.now);
        self.by_session.insert(called.id(), key);
        let stage =
            Stage::Called { called: Some(called), until: time.now + hello.lifetime, handshake, rings: false };
        self.lines.insert(key, PeerLine::new(key, peer, route, stage, time.now));
        if self.peers.is_contact(peer) {
            self.hear_features(peer, &hello.features);
        }
        self.report(Event::Met { call: key.0, leg: key.1, peer });
        Ok(())
    }
}
