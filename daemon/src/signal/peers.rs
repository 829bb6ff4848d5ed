//! Who may speak to us.
//!
//! Lives here: the judgement of an opened message 1: contact, device, validity, token.
//! Must not: open or send anything; keep a card that the roster does not hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use ahoy_call::{LegId, PeerId};
use ahoy_proto::card::InboxAt;
use ahoy_proto::envelope::{Token, TokenHash};
use ahoy_proto::identity::DeviceCertificate;

use crate::identity::Own;
use crate::roster::Roster;
use crate::signal::dropped::Cause;

/// How a device is reached.
#[derive(Clone, Debug)]
pub(super) struct Route {
    /// What its owner gave us.
    pub(super) token: Token,
    /// Where it takes mail; never empty.
    pub(super) inboxes: Vec<InboxAt>,
}

/// A sender that may speak to us.
#[derive(Clone, Debug)]
pub(super) struct Admitted {
    pub(super) peer: PeerId,
    pub(super) leg: LegId,
    pub(super) preconnect: bool,
    pub(super) route: Route,
    /// The token was not bound before; it is now.
    pub(super) newly_bound: bool,
}

/// The newest roster, and the bindings that it does not know yet.
#[derive(Debug, Default)]
pub(super) struct Peers {
    roster: Option<Arc<Roster>>,
    bound: BTreeMap<TokenHash, PeerId>,
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

    /// A contact's devices that can be reached, with the way to each.
    pub(super) fn devices(&self, peer: PeerId) -> Vec<(DeviceCertificate, Route)> {
        let Some(card) = self.roster.as_ref().and_then(|it| it.card(peer)) else { return Vec::new() };
        let token = Token::from_bytes(card.token);
        let devices = card.devices.into_iter();
        devices
            .filter(|it| !it.inboxes.is_empty())
            .map(|it| (it.certificate, Route { token, inboxes: it.inboxes }))
            .collect()
    }

    /// Whether the sender of an opened message 1 may speak to us, and how it is answered. The token is bound to it
    /// if it was free.
    pub(super) fn admit(
        &mut self,
        unix_s: i64,
        token: TokenHash,
        certificate: &DeviceCertificate,
    ) -> Result<Admitted, Cause> {
        let roster = self.roster.as_ref().ok_or(Cause::UnknownSender)?;
        let known = *roster.contact(certificate.peer_id()).ok_or(Cause::UnknownSender)?;
        if known.blocked {
            return Err(Cause::Blocked);
        }
        if !certificate.is_valid_at(unix_s) {
            return Err(Cause::Expired);
        }
        // Before the card, which costs a file and signatures.
        let owner = self.owner(token)?;
        if owner.is_some_and(|owner| owner != known.peer) {
            return Err(Cause::ForeignToken);
        }
        let card = roster.card(known.peer).ok_or(Cause::UnknownSender)?;
        if card.account != *certificate.account() {
            return Err(Cause::UnknownSender);
        }
        let device = card
            .devices
            .into_iter()
            .find(|it| it.certificate.device() == certificate.device())
            .filter(|it| it.certificate.noise() == certificate.noise() && !it.inboxes.is_empty())
            .ok_or(Cause::UnknownDevice)?;
        let admitted = Admitted {
            peer: known.peer,
            leg: certificate.leg_id(),
            preconnect: known.preconnect,
            route: Route { token: Token::from_bytes(card.token), inboxes: device.inboxes },
            newly_bound: owner.is_none(),
        };
        self.bound.insert(token, admitted.peer);
        Ok(admitted)
    }

    /// To whom a token of ours is bound.
    fn owner(&self, token: TokenHash) -> Result<Option<PeerId>, Cause> {
        let listed =
            self.roster.as_ref().and_then(|it| it.token(token.bytes())).ok_or(Cause::UnknownToken)?;
        Ok(listed.bound.or_else(|| self.bound.get(&token).copied()))
    }
}
