//! Who may speak to us.
//!
//! Lives here: the judgement of an opened message 1: contact, device, validity, token.
//! Must not: open or send anything; keep a card that the roster does not hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ahoy_call::{LegId, PeerId};
use ahoy_proto::card::{Card, CardDevice, InboxAt};
use ahoy_proto::envelope::{Inbox, Token, TokenHash};
use ahoy_proto::hello::{Hello, HelloKind};
use ahoy_proto::identity::DeviceCertificate;
use ahoy_proto::neighbour::tag::inbox_of;
use ahoy_proto::relay_url::RelayUrl;

use crate::signal::dropped::Cause;
use crate::values::budget;
use crate::values::near::NearPlace;
use crate::values::own::{Own, OwnInbox};
use crate::values::roster::{Known, Roster};

/// One place where somebody takes mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// The relay's URL.
    pub(super) relay: String,
    /// The inbox there.
    pub(super) inbox: Inbox,
    /// The right to write to it.
    pub(super) token: Token,
    /// The relay is one of our own.
    pub(super) ours: bool,
}

/// A sender that may speak to us.
#[derive(Clone, Debug)]
pub(super) struct Admitted {
    pub(super) peer: PeerId,
    pub(super) leg: LegId,
    pub(super) preconnect: bool,
    /// Where its card says that it takes mail, as far as we would speak to those relays at all.
    pub(super) ways: Vec<Way>,
    /// The token was not bound before; it is now.
    pub(super) newly_bound: bool,
}

/// The newest roster, and the bindings that it does not know yet.
#[derive(Debug, Default)]
pub(super) struct Peers {
    roster: Option<Arc<Roster>>,
    bound: BTreeMap<TokenHash, PeerId>,
    /// Contacts that are seen on a local network.
    near: BTreeSet<PeerId>,
}

impl Peers {
    /// Replaces what was known. Bindings made meanwhile stay.
    pub(super) fn replace(&mut self, roster: Arc<Roster>) {
        self.bound.retain(|hash, _| roster.token(hash.bytes()).is_some());
        self.roster = Some(roster);
    }

    /// Our own keys.
    pub(super) fn own(&self) -> Option<&Arc<Own>> {
        self.roster.as_ref().map(|it| &it.own)
    }

    /// What relays list as ours.
    pub(super) fn tokens(&self) -> Vec<TokenHash> {
        let roster = self.roster.iter();
        roster.flat_map(|it| it.tokens()).map(|it| TokenHash::from_bytes(it.hash)).collect()
    }

    /// Whether a contact may learn our network address before we answer.
    pub(super) fn may_preconnect(&self, peer: PeerId) -> bool {
        self.roster.as_ref().and_then(|it| it.contact(peer)).is_some_and(|known| known.preconnect)
    }

    /// Whether this is a contact, and not a blocked one.
    pub(super) fn may_speak(&self, peer: PeerId) -> bool {
        self.roster.as_ref().and_then(|it| it.contact(peer)).is_some_and(|known| !known.blocked)
    }

    /// Whether this is a contact at all.
    pub(super) fn is_contact(&self, peer: PeerId) -> bool {
        self.roster.as_ref().is_some_and(|it| it.contact(peer).is_some())
    }

    /// Whether this is a contact whom we blocked.
    pub(super) fn is_blocked(&self, peer: PeerId) -> bool {
        self.roster.as_ref().and_then(|it| it.contact(peer)).is_some_and(|known| known.blocked)
    }

    /// Whether a contact may see that we can be reached.
    pub(super) fn may_ping(&self, peer: PeerId) -> bool {
        self.roster.as_ref().and_then(|it| it.contact(peer)).is_some_and(|known| known.ping)
    }

    /// A contact's devices that can be reached, with the ways to each. One whose certificate has ended is none of its
    /// devices any more.
    pub(super) fn devices(&self, unix_s: i64, peer: PeerId) -> Vec<(DeviceCertificate, Vec<Way>)> {
        let Some(card) = self.roster.as_ref().and_then(|it| it.card(peer)) else { return Vec::new() };
        let token = Token::from_bytes(card.token);
        let mut relays: Vec<String> = Vec::new();
        let living = card.devices.into_iter().filter(|it| !it.certificate.has_ended_at(unix_s));
        let mut devices = Vec::new();
        for device in living {
            let mut ways = self.ways(token, &device.inboxes);
            ways.retain(|way| {
                let known = relays.contains(&way.relay);
                if !known && relays.len() < budget::RELAYS {
                    relays.push(way.relay.clone());
                }
                known || relays.contains(&way.relay)
            });
            ways.extend(self.near_way(peer, token, &device.certificate));
            if !ways.is_empty() {
                devices.push((device.certificate, ways));
            }
        }
        devices
    }

    /// Contacts that are seen on a local network from now on. True for one that was not seen before.
    pub(super) fn set_near(&mut self, near: BTreeSet<PeerId>) -> impl Fn(PeerId) -> bool + use<> {
        let new: BTreeSet<PeerId> = near.difference(&self.near).copied().collect();
        self.near = near;
        move |peer| new.contains(&peer)
    }

    /// The way to a device on a local network, if its owner is seen there. To connect says where we are: it is a way of ours to
    /// nobody who may not learn our address before an answer.
    fn near_way(&self, peer: PeerId, token: Token, device: &DeviceCertificate) -> Option<Way> {
        let relay = self.near.contains(&peer).then(|| NearPlace::Contact(peer).name())?;
        Some(Way { relay, inbox: inbox_of(device.device()), token, ours: self.may_preconnect(peer) })
    }

    /// The inboxes of a card, less those at relays that only its owner knows to be on this machine: a card must not make
    /// us knock at whatever listens here. A relay that is ours is spelled as we spell it.
    pub(super) fn ways(&self, token: Token, inboxes: &[InboxAt]) -> Vec<Way> {
        let way = |at: &InboxAt| {
            let url = RelayUrl::parse(&at.relay).ok()?;
            let known = self.as_ours(&url);
            let usable = known.is_some() || url.is_sealed();
            let ours = known.is_some();
            let relay = known.unwrap_or(&at.relay).to_owned();
            usable.then_some(Way { relay, inbox: at.inbox, token, ours })
        };
        inboxes.iter().filter_map(way).collect()
    }

    /// Whether a relay that somebody names is asked: one on this machine only where it is ours.
    pub(super) fn may_knock(&self, relay: &str) -> bool {
        RelayUrl::parse(relay).is_ok_and(|url| url.is_sealed() || self.as_ours(&url).is_some())
    }

    /// A relay as we spell it, if it is one of ours.
    fn as_ours(&self, url: &RelayUrl) -> Option<&str> {
        let ours = self.own().map(|own| &own.inboxes[..]).unwrap_or_default();
        let is_it = |own: &&OwnInbox| RelayUrl::parse(&own.relay).is_ok_and(|own| own == *url);
        ours.iter().find(is_it).map(|own| &own.relay[..])
    }

    /// Whether the sender of an opened message 1 may speak to us, as far as that can be said without its card, which costs
    /// a file and signatures.
    pub(super) fn known(&self, unix_s: i64, token: TokenHash, hello: &Hello) -> Result<Known, Cause> {
        let roster = self.roster.as_ref().ok_or(Cause::UnknownSender)?;
        let known = *roster.contact(hello.certificate.peer_id()).ok_or(Cause::UnknownSender)?;
        if known.blocked {
            return Err(Cause::Blocked);
        }
        if !hello.certificate.is_valid_at(unix_s) {
            return Err(Cause::Expired);
        }
        let foreign = self.owner(token)?.is_some_and(|owner| owner != known.peer);
        if foreign || hello.token.is_some_and(|said| said != token) {
            return Err(Cause::ForeignToken);
        }
        Ok(known)
    }

    /// The same with its card, and where it takes mail. A free token is bound to it: a sender that names another token than
    /// the relay does was dropped before. One that names none, as the first release did, is bound all the same, or leaving
    /// the name out would keep a token that no block and no removal takes away.
    /// `near`: it came on a local network, where nobody needs an inbox at a relay.
    pub(super) fn admit(
        &mut self,
        known: Known,
        token: TokenHash,
        hello: &Hello,
        near: bool,
    ) -> Result<Admitted, Cause> {
        let roster = self.roster.as_ref().ok_or(Cause::UnknownSender)?;
        let certificate = &hello.certificate;
        // A new device, or a new key of an old one, is on the newest card alone: that is signed by the same account.
        let card = match &hello.kind {
            HelloKind::Card(card) => Card::clone(card),
            HelloKind::Ring | HelloKind::Meet | HelloKind::Bye | HelloKind::Missed | HelloKind::Ping => {
                roster.card(known.peer).ok_or(Cause::UnknownSender)?
            }
        };
        let token_on_card = Token::from_bytes(card.token);
        let device = sender(card, hello)?;
        if !near && device.inboxes.is_empty() && !matches!(hello.kind, HelloKind::Card(_)) {
            return Err(Cause::UnknownDevice);
        }
        let mut ways = self.ways(token_on_card, &device.inboxes);
        // To connect to them says where we are.
        ways.extend(
            self.near_way(known.peer, token_on_card, &device.certificate).filter(|_| known.preconnect),
        );
        let newly_bound = self.owner(token)?.is_none();
        if newly_bound {
            self.bound.insert(token, known.peer);
        }
        Ok(Admitted {
            peer: known.peer,
            leg: certificate.leg_id(),
            preconnect: known.preconnect,
            ways,
            newly_bound,
        })
    }

    /// Whether a stranger may ask to be a contact: with a token of ours that belongs to nobody else, which it names itself,
    /// and with a card of its own account that has its device.
    pub(super) fn may_ask(&self, unix_s: i64, token: TokenHash, hello: &Hello) -> Result<(), Cause> {
        let HelloKind::Card(card) = &hello.kind else { return Err(Cause::UnknownSender) };
        let peer = hello.certificate.peer_id();
        if self.own().is_none_or(|own| own.peer_id() == peer) {
            return Err(Cause::UnknownSender);
        }
        if !hello.certificate.is_valid_at(unix_s) {
            return Err(Cause::Expired);
        }
        let foreign = self.owner(token)?.is_some_and(|owner| owner != peer);
        if foreign || hello.token != Some(token) {
            return Err(Cause::ForeignToken);
        }
        sender(Card::clone(card), hello).map(|_device| ())
    }

    /// To whom a token of ours is bound. An error: it is none of ours.
    pub(super) fn owner(&self, token: TokenHash) -> Result<Option<PeerId>, Cause> {
        let listed =
            self.roster.as_ref().and_then(|it| it.token(token.bytes())).ok_or(Cause::UnknownToken)?;
        Ok(listed.bound.or_else(|| self.bound.get(&token).copied()))
    }
}

/// The device on a card that sent this: the handshake has proved its Noise key.
fn sender(card: Card, hello: &Hello) -> Result<CardDevice, Cause> {
    let certificate = &hello.certificate;
    if card.account != *certificate.account() {
        return Err(Cause::UnknownSender);
    }
    let device = card.devices.into_iter().find(|it| it.certificate.device() == certificate.device());
    device.filter(|it| it.certificate.noise() == certificate.noise()).ok_or(Cause::UnknownDevice)
}
