//! The relay links: one a relay, claimed where we have an inbox, for sending alone elsewhere.
//!
//! Lives here: which links there are, which one an envelope takes, what their state amounts to.
//! Must not: open an envelope, know a session.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use ahoy_proto::envelope::{Envelope, EnvelopeId, TokenHash};
use ahoy_proto::frame::Deliver;
use ahoy_proto::plate::{PlateAsk, PlateNews};
use ahoy_proto::room::{RoomAsk, RoomNews};
use ed25519_dalek::SigningKey;
use tokio::sync::mpsc;

use crate::signal;
use crate::signal::link::{FromLink, Link, LinkHandle, LinkId, LinkRole};
use crate::signal::peer_line::{ReplyInbox, chance};
use crate::signal::tls::{RelayUrl, Trust};
use crate::values::diagnosis::{LinkEar, LinkNews};
use crate::values::ice::IceServers;
use crate::values::own::OwnInbox;

/// What a link's report means to the sessions.
pub(super) enum News {
    /// Only the state of the links changed, if anything.
    Nothing,
    /// A relay took an envelope.
    Accepted(EnvelopeId),
    /// A relay refuses what is too much.
    TooMuch,
    /// Mail.
    Deliver(Deliver),
    /// Something about a number.
    Plate(PlateNews),
    /// Something about a room.
    Room(RoomNews),
    /// The connection is another, or none: what the relay held for the last one is gone.
    Anew,
}

struct One {
    relay: String,
    handle: LinkHandle,
    serves: Serves,
    up: bool,
    /// It has rooms.
    rooms: bool,
    why: String,
    ice_servers: IceServers,
    /// What is asked about a number once it is there.
    to_ask: Option<PlateAsk>,
}

impl One {
    fn is_asked_about_rooms(&self) -> bool {
        matches!(self.serves, Serves::Standing(_) | Serves::Sending)
    }
}

/// What a link is for, with the public key of the inbox that it claims.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Serves {
    /// The inbox that is on our card.
    Standing([u8; 32]),
    /// The answers to a ring of ours, at a relay of who is rung.
    Ring([u8; 32]),
    /// Nobody: it only sends.
    Sending,
    /// A pairing, at a relay that is none of ours. An inbox that nobody knows is claimed: relays speak of numbers to their own only.
    Pairing,
}

/// All links.
pub(super) struct Links {
    trust: Trust,
    reports: mpsc::Sender<(LinkId, FromLink)>,
    next: u32,
    links: BTreeMap<LinkId, One>,
    /// Why a relay of ours cannot even be tried.
    unusable: String,
}

impl Links {
    pub(super) fn new(trust: Trust, reports: mpsc::Sender<(LinkId, FromLink)>) -> Self {
        let unusable = "no relay is configured".to_owned();
        Self { trust, reports, next: 0, links: BTreeMap::new(), unusable }
    }

    /// Claims exactly these inboxes from now on, and lists these tokens.
    pub(super) fn claim(&mut self, inboxes: &[OwnInbox], tokens: &[TokenHash]) {
        let wanted: BTreeMap<[u8; 32], &OwnInbox> =
            inboxes.iter().map(|it| (it.claim.verifying_key().to_bytes(), it)).collect();
        self.links.retain(|_, one| match one.serves {
            Serves::Standing(key) => wanted.get(&key).is_some_and(|it| it.relay == one.relay),
            Serves::Ring(_) | Serves::Sending | Serves::Pairing => true,
        });
        self.unusable = if inboxes.is_empty() { "no relay is configured".to_owned() } else { String::new() };
        for (key, inbox) in wanted {
            if let Some(one) = self.links.values().find(|one| one.serves == Serves::Standing(key)) {
                one.handle.set_tokens(tokens.to_vec());
                continue;
            }
            let role = LinkRole::Claimed { key: inbox.claim.clone(), tokens: tokens.to_vec() };
            // A link that only sent to this relay has no more use.
            self.links.retain(|_, one| one.relay != inbox.relay || one.serves != Serves::Sending);
            self.begin(&inbox.relay, role, Serves::Standing(key));
        }
    }

    /// Claims exactly these inboxes, made for rings of ours, at the relays of those who are rung.
    pub(super) fn claim_for_calls<'a>(&mut self, inboxes: impl Iterator<Item = &'a ReplyInbox>) {
        let made: Vec<&ReplyInbox> = inboxes.filter(|it| it.key.is_some()).collect();
        let wanted = |one: &One, it: &ReplyInbox| {
            it.claims().is_some_and(|key| one.serves == Serves::Ring(key)) && it.relays.contains(&one.relay)
        };
        self.links.retain(|_, one| match one.serves {
            Serves::Ring(_) => made.iter().any(|it| wanted(one, it)),
            Serves::Standing(_) | Serves::Sending | Serves::Pairing => true,
        });
        for inbox in made {
            let (Some(key), Some(public)) = (&inbox.key, inbox.claims()) else { continue };
            for relay in &inbox.relays {
                let there = self.links.values().any(|one| one.relay == *relay && wanted(one, inbox));
                if !there {
                    let role = LinkRole::Claimed { key: key.clone(), tokens: vec![inbox.to.token.hash()] };
                    self.begin(relay, role, Serves::Ring(public));
                }
            }
        }
    }

    /// Sends by the link to this relay that claims `from` there, otherwise by any that outlives a call; it begins if there
    /// is none. What does not fit is lost, and repeated later.
    pub(super) fn post(&mut self, relay: &str, from: Option<[u8; 32]>, envelope: Envelope) {
        let serves = |one: &One| match (one.serves, from) {
            (Serves::Ring(key), Some(from)) => key == from,
            (Serves::Standing(_) | Serves::Sending, None) => true,
            (Serves::Pairing, _)
            | (Serves::Ring(_), None)
            | (Serves::Standing(_) | Serves::Sending, Some(_)) => false,
        };
        let id = self.links.iter().find(|(_, one)| one.relay == relay && serves(one)).map(|(id, _)| *id);
        let begin = || from.is_none().then(|| self.begin(relay, LinkRole::Sender, Serves::Sending)).flatten();
        let Some(id) = id.or_else(begin) else { return };
        let sent = self.links.get(&id).map(|one| one.handle.send(envelope));
        if let Some(Err(error)) = sent {
            tracing::debug!(link = id.0, %error, "an envelope is lost");
        }
    }

    /// Asks the relay at this address something about a number, where our standing inbox is. Another is linked to when somebody is
    /// looked for there, until that number is left.
    pub(super) fn ask(&mut self, relay: &str, ask: PlateAsk) {
        let (joins, leaves) = (matches!(ask, PlateAsk::Join(_)), ask == PlateAsk::Leave);
        let id = self.plate_link(relay).or_else(|| joins.then(|| self.begin_pairing(relay)).flatten());
        let one = id.and_then(|id| self.links.get_mut(&id));
        let asked = one.map(|one| {
            if one.serves == Serves::Pairing && !one.up {
                one.to_ask = Some(ask);
                return Ok(());
            }
            one.handle.ask(ask)
        });
        if !matches!(asked, Some(Ok(()))) {
            tracing::debug!("a relay is not asked for a number: it is not there, or its queue is full");
        }
        if leaves {
            self.links.retain(|_, one| one.serves != Serves::Pairing || one.relay != relay);
        }
    }

    fn plate_link(&self, relay: &str) -> Option<LinkId> {
        let at = |serves: fn(Serves) -> bool| {
            self.links.iter().find(|(_, one)| one.relay == relay && serves(one.serves)).map(|(id, _)| *id)
        };
        at(|it| it == Serves::Pairing).or_else(|| at(|it| matches!(it, Serves::Standing(_))))
    }

    /// One at a time, as there is one pairing.
    fn begin_pairing(&mut self, relay: &str) -> Option<LinkId> {
        self.links.retain(|_, one| one.serves != Serves::Pairing);
        let key = SigningKey::from_bytes(&chance()?);
        self.begin(relay, LinkRole::Claimed { key, tokens: Vec::new() }, Serves::Pairing)
    }

    /// The relay that is asked about numbers by this link; whether that is ours.
    pub(super) fn plate_relay(&self, link: LinkId) -> Option<(&str, bool)> {
        let one = self.links.get(&link)?;
        match one.serves {
            Serves::Standing(_) => Some((&one.relay, true)),
            Serves::Pairing => Some((&one.relay, false)),
            Serves::Ring(_) | Serves::Sending => None,
        }
    }

    /// Asks the relay at this address something about a room, by the link that envelopes take there; it begins if there is none.
    /// False: it cannot be asked.
    pub(super) fn ask_room(&mut self, relay: &str, ask: RoomAsk) -> bool {
        let there = self.links.iter().find(|(_, one)| one.relay == relay && one.is_asked_about_rooms());
        let id = there.map(|(id, _)| *id);
        let Some(id) = id.or_else(|| self.begin(relay, LinkRole::Sender, Serves::Sending)) else {
            return false;
        };
        self.links.get(&id).is_some_and(|one| one.handle.ask_room(ask).is_ok())
    }

    /// Whether this link stands.
    pub(super) fn is_up(&self, link: LinkId) -> bool {
        self.links.get(&link).is_some_and(|one| one.up)
    }

    /// The relay that is asked about rooms by this link, and whether it is there.
    pub(super) fn room_relay(&self, link: LinkId) -> Option<(&str, bool)> {
        let one = self.links.get(&link).filter(|one| one.is_asked_about_rooms())?;
        Some((&one.relay, one.up))
    }

    /// An envelope was dealt with, and what must survive is on disk.
    pub(super) fn ack(&self, link: LinkId, envelope: EnvelopeId) {
        if let Some(Err(error)) = self.links.get(&link).map(|one| one.handle.ack(envelope)) {
            tracing::debug!(link = link.0, %error, "an envelope will come again");
        }
    }

    /// Our own network has changed: every link looks whether it still stands.
    pub(super) fn network_changed(&self) {
        self.links.values().for_each(|one| one.handle.network_changed());
    }

    /// A call waits for a path: every link looks whether it still stands, and does not wait long for its next try.
    pub(super) fn hurry(&self) {
        self.links.values().for_each(|one| one.handle.hurry());
    }

    /// Credentials are about to end and a path waits for fresh ones.
    pub(super) fn refresh(&self) {
        self.links.values().filter(|one| one.ice_servers.end.is_some()).for_each(|one| one.handle.refresh());
    }

    /// Tells `ear` how each of these inboxes' relays stands; they are counted from 1. What a relay answers is told when it does.
    pub(super) fn look(&self, inboxes: &[OwnInbox], ear: &LinkEar) {
        for (relay, inbox) in (1..).zip(inboxes) {
            let key = inbox.claim.verifying_key().to_bytes();
            let one = self.links.values().find(|one| one.serves == Serves::Standing(key));
            let news = match one {
                Some(one) if one.up => LinkNews::Up(relay),
                Some(one) if one.why.is_empty() => LinkNews::Down(relay, "it does not answer yet".to_owned()),
                Some(one) => LinkNews::Down(relay, one.why.clone()),
                None => LinkNews::Down(relay, self.unusable.clone()),
            };
            let up = matches!(news, LinkNews::Up(_));
            // Who asked may not wait any more.
            let _gone = ear.try_send(news);
            if let Some(Err(error)) = one.filter(|_| up).map(|one| one.handle.look(relay, ear.clone())) {
                tracing::debug!(relay, %error, "a relay is not looked at");
            }
        }
    }

    /// Other certificates are believed from now on.
    pub(super) fn set_trust(&mut self, trust: Trust) {
        self.links.values().for_each(|one| one.handle.set_trust(trust.clone()));
        self.trust = trust;
    }

    /// A link reports. Late words of a link that is gone mean nothing.
    pub(super) fn hear(&mut self, link: LinkId, report: FromLink) -> News {
        let Some(one) = self.links.get_mut(&link) else { return News::Nothing };
        match report {
            FromLink::Up { ice_servers, rooms } => {
                (one.up, one.why, one.ice_servers) = (true, String::new(), ice_servers);
                one.rooms = rooms;
                let asked = one.to_ask.take().map(|ask| one.handle.ask(ask));
                if let Some(Err(error)) = asked {
                    tracing::debug!(link = link.0, %error, "a relay is not asked for a number");
                }
                return News::Anew;
            }
            FromLink::Rooms(rooms) => one.rooms = rooms,
            FromLink::Fresh { ice_servers } => one.ice_servers = ice_servers,
            FromLink::Down { why } => {
                (one.up, one.why) = (false, why);
                return News::Anew;
            }
            FromLink::Displaced => {
                (one.up, one.why) = (false, "another daemon took our place at the relay".to_owned());
                return News::Anew;
            }
            FromLink::Plate(news) => return News::Plate(news),
            FromLink::Room(news) => return News::Room(news),
            FromLink::Accepted { id } => return News::Accepted(id),
            FromLink::TooMuch => return News::TooMuch,
            // A relay that we only speak to has no mail for us.
            FromLink::Deliver(_) if matches!(one.serves, Serves::Sending | Serves::Pairing) => {}
            FromLink::Deliver(deliver) => return News::Deliver(deliver),
        }
        News::Nothing
    }

    /// The relay behind a link, and whether the link serves the inbox that is on our card.
    pub(super) fn place(&self, link: LinkId) -> Option<(&str, bool)> {
        let one = self.links.get(&link)?;
        Some((&one.relay, matches!(one.serves, Serves::Standing(_))))
    }

    /// Ends links that only sent, to relays that nobody is reached through now.
    pub(super) fn prune(&mut self, used: &BTreeSet<&str>) {
        self.links.retain(|_, one| one.serves != Serves::Sending || used.contains(&one.relay[..]));
    }

    /// What the links amount to.
    pub(super) fn state(&self) -> signal::LinkState {
        let own = || self.links.values().filter(|one| matches!(one.serves, Serves::Standing(_)));
        let error = own().map(|one| &one.why).find(|why| !why.is_empty()).unwrap_or(&self.unusable);
        signal::LinkState {
            online: own().any(|one| one.up),
            up: own().filter(|one| one.up).map(|one| one.relay.clone()).collect(),
            rooms: own().filter(|one| one.up && one.rooms).map(|one| one.relay.clone()).collect(),
            error: error.clone(),
            ice_servers: own().fold(IceServers::default(), |all, one| all.and(&one.ice_servers)),
        }
    }

    /// Sends what is queued, for at most a second, and ends.
    pub(super) async fn finish(self) {
        let ends = self.links.into_values().map(|one| one.handle.finish());
        futures_util::future::join_all(ends).await;
    }

    fn begin(&mut self, relay: &str, role: LinkRole, serves: Serves) -> Option<LinkId> {
        let url = match RelayUrl::parse(relay) {
            Ok(url) => url,
            Err(error) => {
                tracing::debug!(%error, "a relay cannot be used");
                if matches!(serves, Serves::Standing(_)) {
                    self.unusable = error.to_string();
                }
                return None;
            }
        };
        let id = LinkId(self.next);
        self.next = self.next.wrapping_add(1);
        let handle = Link::spawn(id, url, role, self.trust.clone(), self.reports.clone());
        let one = One {
            relay: relay.to_owned(),
            handle,
            serves,
            up: false,
            rooms: false,
            why: String::new(),
            ice_servers: IceServers::default(),
            to_ask: None,
        };
        self.links.insert(id, one);
        Some(id)
    }
}
