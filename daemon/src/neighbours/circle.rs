//! Whose tags are whose, hour by hour.
//!
//! Lives here: what we announce in an hour, and whom a tag that somebody else announces, or names when they connect, belongs to.
//! Must not: read a card or a clock, know an address.

use std::collections::BTreeMap;

use ahoy_call::PeerId;
use ahoy_proto::limits;
use ahoy_proto::neighbour::tag::{Hour, NeighbourKey, Tag};

/// The fewest tags that are announced: how many contacts somebody has is nobody's business.
const FEWEST: usize = 8;

/// Tags that mean nothing.
pub(super) type Filler = [[u8; 8]; limits::NEIGHBOUR_TAGS];

/// Keys of contacts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Keys {
    /// Of tokens that we gave out, those first that count most.
    pub(super) ours: Vec<NeighbourKey>,
    /// Of those that others gave us, with whose they are.
    pub(super) theirs: Vec<(NeighbourKey, PeerId)>,
}

/// The keys with their tags of some hours.
#[derive(Debug, Default)]
pub(super) struct Circle {
    keys: Keys,
    hour: Option<Hour>,
    /// The same for as long as the tags are, and for all networks: two announcements laid beside each other do not show which mean
    /// something.
    filler: Option<(Hour, Filler)>,
    ours: BTreeMap<Tag, (NeighbourKey, Hour)>,
    theirs: BTreeMap<Tag, (NeighbourKey, Hour, PeerId)>,
}

impl Circle {
    /// Other keys. False: they are the same, in whatever order.
    pub(super) fn set(&mut self, mut keys: Keys) -> bool {
        keys.ours.truncate(limits::NEIGHBOUR_TAGS);
        keys.ours.sort_unstable();
        keys.theirs.sort_unstable();
        if self.keys == keys {
            return false;
        }
        self.keys = keys;
        self.hour = None;
        true
    }

    /// For which hour it was turned last; none since its keys changed.
    pub(super) fn hour(&self) -> Option<Hour> {
        self.hour
    }

    /// It is that hour now. Tags of the hours around it are good, for clocks differ. `fresh`: bytes of chance, drawn once an hour;
    /// without them nothing is announced.
    pub(super) fn turn(&mut self, hour: Hour, fresh: impl FnOnce() -> Option<Filler>) {
        if self.filler.is_none_or(|(of, _)| of != hour) {
            self.filler = fresh().map(|filler| (hour, filler));
        }
        if self.hour.replace(hour) == Some(hour) {
            return;
        }
        let hours = hour.around();
        let ours = |key: &NeighbourKey| hours.map(|hour| (key.tag(hour), (*key, hour)));
        self.ours = self.keys.ours.iter().flat_map(ours).collect();
        let theirs =
            |(key, peer): &(NeighbourKey, PeerId)| hours.map(|hour| (key.tag(hour), (*key, hour, *peer)));
        self.theirs = self.keys.theirs.iter().flat_map(theirs).collect();
    }

    /// What is announced: tags of this hour in an order that says nothing, filled up to one of few numbers with such as mean
    /// nothing.
    pub(super) fn announced(&self) -> Vec<Tag> {
        let Some(hour) = self.hour.filter(|_| !self.keys.ours.is_empty()) else { return Vec::new() };
        let Some((_, filler)) = self.filler.filter(|(of, _)| *of == hour) else { return Vec::new() };
        let mut tags: Vec<Tag> = self.keys.ours.iter().map(|key| key.tag(hour)).collect();
        let full = tags.len().max(FEWEST).next_power_of_two().min(limits::NEIGHBOUR_TAGS);
        tags.extend(filler.iter().take(full - tags.len()).map(|random| Tag(*random)));
        // Each tag is a random number to all others.
        tags.sort_unstable();
        tags
    }

    /// Whose connection it is that names this tag of ours.
    pub(super) fn named(&self, tag: Tag) -> Option<(NeighbourKey, Hour)> {
        self.ours.get(&tag).copied()
    }

    /// Who announces one of these.
    pub(super) fn recognize(&self, tags: &[Tag]) -> Option<(NeighbourKey, Hour, PeerId)> {
        tags.iter().find_map(|tag| self.theirs.get(tag).copied())
    }
}

#[cfg(test)]
mod tests {
    use ahoy_proto::envelope::Token;

    use super::*;

    /// A filler of that byte.
    fn filler(byte: u8) -> Option<Filler> {
        Some([[byte; 8]; limits::NEIGHBOUR_TAGS])
    }

    fn key(of: u8) -> NeighbourKey {
        NeighbourKey::of(&Token::from_bytes([of; 16]))
    }

    fn circle(ours: u8, theirs: u8) -> Circle {
        let peer = |of| PeerId::from_bytes([of; 16]);
        let mut circle = Circle::default();
        circle.set(Keys {
            ours: (0..ours).map(key).collect(),
            theirs: (0..theirs).map(|of| (key(of), peer(of))).collect(),
        });
        circle.turn(Hour(100), || filler(0xaa));
        circle
    }

    #[test]
    fn a_contact_is_recognized_by_the_tag_of_its_token_also_where_clocks_are_an_hour_apart() {
        let (us, mut them) = (circle(3, 0), circle(0, 2));
        for hour in [99, 100, 101] {
            them.turn(Hour(hour), || None);
            let (key, of, peer) = them.recognize(&us.announced()).unwrap();
            assert_eq!(us.named(key.tag(of)), Some((key, Hour(100))));
            assert!(peer.bytes()[0] < 2);
        }
        them.turn(Hour(102), || None);
        assert_eq!(them.recognize(&us.announced()), None);
        assert_eq!(circle(0, 0).recognize(&us.announced()), None);
    }

    #[test]
    fn no_tag_outlives_its_hour_and_none_tells_how_many_there_are() {
        let mut us = circle(3, 0);
        let now = us.announced();
        us.turn(Hour(101), || filler(0xbb));
        let later = us.announced();
        assert!(now.iter().all(|tag| !later.contains(tag)));
        for (contacts, shown) in [(0, 0), (1, 8), (8, 8), (9, 16), (33, 64), (64, 64), (200, 64)] {
            assert_eq!(circle(contacts, 0).announced().len(), shown, "{contacts}");
        }
        assert!(us.announced().is_sorted(), "whose is first says nothing");
    }

    #[test]
    fn within_an_hour_the_same_is_announced_and_a_contact_more_changes_one_tag_of_it() {
        let mut us = circle(3, 0);
        let first = us.announced();
        let keys = |of: &[u8]| Keys { ours: of.iter().copied().map(key).collect(), theirs: vec![] };
        assert!(!us.set(keys(&[2, 0, 1])), "another order is nothing new");
        us.turn(Hour(100), || filler(0xbb));
        assert_eq!(us.announced(), first);
        assert!(us.set(keys(&[0, 1, 2, 3])));
        us.turn(Hour(100), || filler(0xcc));
        let more = us.announced();
        assert_eq!(more.iter().filter(|tag| !first.contains(tag)).count(), 1);
        let mut silent = Circle::default();
        silent.set(keys(&[1]));
        silent.turn(Hour(100), || None);
        assert!(silent.announced().is_empty(), "without chance nothing is said");
    }
}
