//! What a caller tells of a named group.
//!
//! Lives here: who may tell it, and what is to be kept of it.
//! Must not: find out what becomes of a group that is known (`groups.rs`).

use ahoy_call::group::PEOPLE;
use ahoy_call::{Message, PeerId};
use ahoy_proto::group::card_of;

use super::Engine;
use super::requests::{Components, group_learned};

impl Engine {
    /// A contact may ring us by a named group, and tell who else is in it.
    pub(super) fn hear_of_group(&mut self, message: &Message) {
        let Message::Invite { news, .. } = message else { return };
        let Some(id) = news.start.group else { return };
        let by = news.start.peer;
        let Some(entry) =
            news.entries.iter().find(|entry| entry.author == news.start.leg && entry.peer == by)
        else {
            return;
        };
        let known = self.contacts.manner(by).is_some_and(|(_, blocked)| !blocked);
        let Some(card) = card_of(&entry.seal).ok().filter(|card| known && !card.group.is_empty()) else {
            return;
        };
        let own = self.own.peer_id();
        let invited = entry.statement.invited.iter().map(|one| one.peer).filter(|peer| *peer != own);
        let members: Vec<PeerId> = std::iter::once(by).chain(invited).take(PEOPLE - 1).collect();
        if self.groups.learned(by, id, &card.group, &members).is_none() {
            return;
        }
        let wish = move |with: &mut Components<'_>| group_learned(with, by, id, &card.group, &members);
        self.keep(Box::new(wish), None);
    }
}
