//! How members of group calls who are no contacts of ours call themselves, and what the groups are called.
//!
//! Lives here: the names that came with what members said of themselves, as long as there are calls.
//! Must not: name a contact: their name is what our own person gave them.

use std::collections::BTreeMap;

use ahoy_call::group::Entry;
use ahoy_call::{GroupId, Message, PeerId};
use ahoy_proto::group::card_of;
use ahoy_proto::words::{Form, Words};

/// Names that are kept: more than fit the calls of one person.
const MOST: usize = 256;
/// What of a name is shown: what is said behind it must not be cut off.
const SHOWN: Form = Form::line(40);

/// By whose they are.
#[derive(Debug, Default)]
pub(super) struct SelfNamed {
    people: BTreeMap<PeerId, String>,
    /// As who began a call of it calls it.
    groups: BTreeMap<GroupId, String>,
}

impl SelfNamed {
    /// A message of somebody in a group came. What stands in it was signed by whom it names.
    pub(super) fn hear(&mut self, message: &Message) {
        let (Message::Invite { news, .. } | Message::Log(news)) = message else { return };
        for Entry { author, peer, seal, .. } in &news.entries {
            // Of one call they stay the same: a seal is opened once.
            let unknown = !self.people.contains_key(peer) && self.people.len() < MOST;
            let begins = *author == news.start.leg && self.groups.len() < MOST;
            let group = news.start.group.filter(|group| begins && !self.groups.contains_key(group));
            if !unknown && group.is_none() {
                continue;
            }
            let Ok(card) = card_of(seal) else { continue };
            if let Some(group) = group.filter(|_| !card.group.is_empty()) {
                self.groups.insert(group, card.group.to_string());
            }
            if unknown && !card.name.is_empty() {
                // Anybody may call themselves as a contact is called.
                self.people.insert(*peer, format!("{} (no contact)", Words::of(card.name.as_str(), SHOWN)));
            }
        }
    }

    /// Of somebody who is no contact.
    pub(super) fn of(&self, peer: PeerId) -> Option<&String> {
        self.people.get(&peer)
    }

    /// Of a group that is not kept, or not yet.
    pub(super) fn group(&self, group: GroupId) -> Option<&String> {
        self.groups.get(&group)
    }

    /// There are no calls any more.
    pub(super) fn clear(&mut self) {
        self.people.clear();
        self.groups.clear();
    }
}
