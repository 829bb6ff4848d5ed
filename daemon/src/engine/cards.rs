//! Cards that travel: ours to contacts who lack it, theirs when it is a newer one, those of people who ask to be contacts.
//!
//! Lives here: what passes between signaling, the contacts and the disk for them.
//! Must not: decide who is to have one (`greetings.rs`, `contacts/`), or answer anybody.

use ahoy_call::{Moment, PeerId};
use ahoy_proto::card::Card;

use crate::engine::Engine;
use crate::engine::requests::{self, CardDone};
use crate::signal::SignalingOrder;
use crate::values::happening::EventData;

impl Engine {
    /// Everybody who has an earlier card of ours, or none.
    pub(super) fn greet_all(&mut self) {
        let lacking = self.contacts.lacking();
        self.greetings.want_all(lacking);
    }

    /// Relays came or went, or contacts on a local network: whether a card could go anywhere now.
    pub(super) fn follow_ways(&mut self, now: Moment) {
        let near = !self.networks.view().seen.is_empty();
        self.greetings.set_online(now, self.links.online || near);
    }

    /// These contacts are seen on a local network, who were not before: those who lack our card get it there.
    pub(super) fn greet_near(&mut self, came: &[PeerId]) {
        if came.is_empty() {
            return;
        }
        let lacking = self.contacts.lacking();
        let lacking: Vec<PeerId> = came.iter().copied().filter(|peer| lacking.contains(peer)).collect();
        self.greetings.want(&lacking);
    }

    /// We call somebody: who may lack our card, or has an earlier one, gets it along with that.
    pub(super) fn greet_with_call(&mut self, now: Moment, peer: PeerId) {
        let has_it = self.contacts.get(peer).is_some_and(|row| row.mutual);
        if !has_it || self.contacts.lacking().contains(&peer) {
            self.greetings.called(now, peer);
        }
    }

    /// Sends what is due.
    pub(super) fn greet(&mut self, now: Moment) {
        while let Some(peer) = self.greetings.due(now) {
            self.keep(Box::new(move |with| requests::card_for(with, peer)), None);
        }
    }

    /// A card for a contact was made, and its token is kept.
    pub(super) fn on_card_made(&mut self, CardDone { peer, made }: CardDone) {
        match made {
            Some((change, Ok(()), card)) => {
                let news = self.contacts.was_told(peer);
                if !change.is_empty() {
                    self.contacts.commit(change);
                    self.send_roster();
                }
                self.order_signal(SignalingOrder::GiveCard { peer, card, news });
            }
            Some((change, Err(error), _)) => {
                tracing::warn!(%error, "no card could be made for a contact");
                self.contacts.commit(change);
                self.on_card_over(peer, None);
            }
            None => self.on_card_over(peer, None),
        }
    }

    /// All relays of this contact have our card of that revision; or not.
    pub(super) fn on_card_over(&mut self, peer: PeerId, taken: Option<u64>) {
        let now = self.now();
        if let Some(revision) = taken {
            self.contacts.set_told(peer, revision);
        }
        // Who was removed meanwhile waits for nothing.
        let gone = self.contacts.get(peer).is_none();
        self.greetings.over(now, peer, taken.is_some() || gone);
    }

    /// A contact sent its card.
    pub(super) fn on_card(&mut self, peer: PeerId, card: Card) {
        self.keep(Box::new(move |with| requests::newer_card(with, peer, &card)), None);
    }

    /// Somebody asks to be a contact.
    pub(super) fn on_asked(&mut self, token: [u8; 16], card: Card) {
        self.keep(Box::new(move |with| requests::stranger(with, token, &card)), None);
    }

    /// Their request is kept: a person hears of it.
    pub(super) fn tell_of_request(&mut self, peer: PeerId, name: String) {
        // Who hears of it sees who asks.
        self.refresh();
        let at_unix_us = crate::system::clock::unix_us();
        let data = EventData { contact: Some(peer), name: Some(name), at_unix_us, ..EventData::default() };
        self.shown.happened("contact.request", data);
    }
}
