//! Our own side of a handshake: rings that we send, and what the rules say in a session.
//!
//! Lives here: making message 1, where it is answered, taking message 2; sending message 2 when the rules let a ring in.
//! Must not: decide who is rung or let in.

use std::time::Duration;

use ahoy_call::{CallId, LegId, Message, Moment, PeerId};
use ahoy_proto::envelope::Inbox;
use ahoy_proto::hello::{CALLEE_OFFERS, Hello, HelloKind, ReplyTo, VERSION};
use ahoy_proto::identity::DeviceCertificate;
use ahoy_proto::neighbour::tag::inbox_of;
use ahoy_proto::session::{Calling, Ephemeral, SessionId};
use ed25519_dalek::SigningKey;

use super::{Key, Sessions, Time};
use crate::signal::peer_line::{PeerLine, Repeat, ReplyInbox, Route, Stage, chance, fresh_token};
use crate::signal::peers::Way;
use crate::signal::replay::Mark;
use crate::values::near::NearPlace;
use crate::values::own::Own;

/// What a message 1 is about.
pub(super) struct About {
    /// The call.
    pub(super) call: CallId,
    /// The contact.
    pub(super) peer: PeerId,
    /// Its device.
    pub(super) leg: LegId,
    /// How long it lives.
    pub(super) lifetime: Duration,
    /// What for.
    pub(super) kind: HelloKind,
}

/// Message 1, and how it goes.
pub(super) type Begun = (Calling, Route);

impl Sessions {
    /// Rings a device. `None`: it cannot be reached.
    pub(super) fn ring(&mut self, time: Time, key: Key, peer: PeerId, lifetime: Duration) -> Option<()> {
        if self.lines.contains_key(&key) {
            return Some(());
        }
        let about = About { call: key.0, peer, leg: key.1, lifetime, kind: HelloKind::Ring };
        let begun = self.begin(time, &about)?;
        self.open_line(time, &about, begun)
    }

    /// Sends message 1 until it is answered, or its lifetime is over.
    pub(super) fn open_line(&mut self, time: Time, about: &About, (calling, route): Begun) -> Option<()> {
        let key = (about.call, about.leg);
        let message_1 = calling.message_1().to_vec();
        let repeat = Box::new(Repeat::new(route.clone(), message_1, time.now, about.lifetime)?);
        self.by_session.insert(calling.id(), key);
        self.replies_changed |= route.reply().is_some();
        let stage = Stage::Calling { calling, repeat, taken: false, carried: false };
        let mut line = PeerLine::new(key, about.peer, route, stage, time.now);
        line.flush(time.now, &mut self.out);
        self.lines.insert(key, line);
        Some(())
    }

    /// Message 1, and how it goes.
    pub(super) fn begin(&self, time: Time, about: &About) -> Option<Begun> {
        let devices = self.peers.devices(time.unix_s, about.peer);
        let (device, ways) = devices.into_iter().find(|(it, _)| it.leg_id() == about.leg)?;
        self.begin_by(time, about, &device, ways)
    }

    /// The same to a device that is reached these ways.
    pub(super) fn begin_by(
        &self,
        time: Time,
        about: &About,
        device: &DeviceCertificate,
        ways: Vec<Way>,
    ) -> Option<Begun> {
        let own = self.peers.own()?;
        let token = ways.first()?.token.hash();
        let reply = match about.kind {
            HelloKind::Ring | HelloKind::Meet | HelloKind::Ping => Some(reply_inbox(own, &ways)?),
            HelloKind::Bye | HelloKind::Missed | HelloKind::Card(_) => None,
        };
        let mut features = self.features(about.peer);
        if about.kind == HelloKind::Ring {
            features.push(CALLEE_OFFERS.to_owned());
        }
        let hello = Hello {
            certificate: own.certificate.clone(),
            revision: own.revision,
            call: about.call,
            lifetime: about.lifetime,
            versions: vec![VERSION],
            features,
            reply: reply.as_ref().map(|it| it.to),
            sent_s: Some(time.unix_s),
            token: Some(token),
            kind: about.kind.clone(),
        };
        let (id, ephemeral) = (SessionId(chance()?), Ephemeral(chance()?));
        let calling = Calling::begin(id, &ephemeral, &own.noise, device, &hello).ok()?;
        Some((calling, Route::to(ways, reply)))
    }

    /// The rules say something in a call.
    pub(super) fn send(&mut self, now: Moment, key: Key, message: &Message) {
        let revision = self.peers.own().map_or(0, |own| own.revision);
        let mut features = self.lines.get(&key).map(|line| self.features(line.peer)).unwrap_or_default();
        if !self.lines.contains_key(&key) {
            return;
        }
        let Some(message) = self.signed(key.0, message) else { return };
        let Some(line) = self.lines.get_mut(&key) else { return };
        match &mut line.stage {
            Stage::Open(_) => line.send(now, &message, &mut self.out),
            // The ring is taken back before anybody answered it: there is no session that could say so.
            Stage::Calling { repeat, .. } => repeat.stop(),
            Stage::Called { called, handshake, rings, .. } => {
                let Message::Ready { offers } = &*message else { return };
                if *offers {
                    features.push(CALLEE_OFFERS.to_owned());
                }
                let Some(called) = called.take() else { return };
                let (peer, handshake, rings) = (line.peer, *handshake, *rings);
                match called.reply(revision, &features) {
                    Ok((session, message_2)) => {
                        if let Err(cause) = line.answer(now, &message_2, &mut self.out) {
                            self.dropped.count(cause);
                        }
                        line.stage = Stage::Open(session);
                        // It is let in: only now does it cost the disk something. Of who is no contact the call card is the bound.
                        if self.peers.is_contact(peer) {
                            self.replay.insert(peer, handshake);
                            if rings {
                                self.replay.insert(peer, ring_mark(key.0));
                            }
                        } else {
                            self.keep_away(peer, handshake);
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot answer a handshake");
                        self.forget(key, now);
                    }
                }
            }
        }
    }
}

/// What stands for the ring of this call.
pub(super) fn ring_mark(call: CallId) -> Mark {
    Mark::of("ring", &call.bytes())
}

/// The inbox that we have at their relay, if they have only that one; otherwise one that is made for this call, at each of
/// their relays; where there is no relay, the one that we have among neighbours. A token of its own either way. A neighbour
/// answers by the connection that brought the ring, whichever inbox it is.
fn reply_inbox(own: &Own, ways: &[Way]) -> Option<ReplyInbox> {
    let by_relay = ways.iter().map(|way| &way.relay).filter(|relay| NearPlace::named(relay).is_none());
    let mut relays: Vec<String> = by_relay.cloned().collect();
    relays.dedup();
    let token = fresh_token()?;
    if relays.is_empty() {
        let inbox = inbox_of(own.certificate.device());
        return Some(ReplyInbox { to: ReplyTo { inbox, token }, key: None, relays });
    }
    if let [relay] = &relays[..]
        && let Some(standing) = own.inboxes.iter().find(|it| it.relay == *relay)
    {
        return Some(ReplyInbox { to: ReplyTo { inbox: standing.inbox(), token }, key: None, relays });
    }
    let key = SigningKey::from_bytes(&chance()?);
    let inbox = Inbox::of(key.verifying_key().as_bytes());
    Some(ReplyInbox { to: ReplyTo { inbox, token }, key: Some(key), relays })
}
