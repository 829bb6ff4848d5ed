//! Keys in a model of a room: numbers, each a step from the one before or made anew.
//!
//! Lives here: what a device seals with, by which keys that is opened, which were told to whom.
//! Must not: change anything.

use std::collections::BTreeSet;

use ahoy_call::CallId;

use super::device;
use super::rooms::{Rooms, Seat};

/// Steps of a key that a listener looks for.
const STEPS: u64 = 8;

impl Seat {
    pub(super) fn key(&self, number: u64) -> Vec<u8> {
        [self.name.to_be_bytes(), number.to_be_bytes()].concat()
    }

    /// The keys by which one opens what it seals: the one that it seals with, and those of which that is found.
    pub(super) fn opened_by(&self) -> impl Iterator<Item = Vec<u8>> {
        let before =
            (0..STEPS).take_while(|back| self.steps.contains(&(self.seals - back))).map(|back| back + 1);
        core::iter::once(0).chain(before).map(|back| self.key(self.seals - back))
    }
}

impl Rooms {
    /// How many keys this device has made anew in that call, which everybody is told.
    pub fn own_keys(&self, call: CallId, who: usize) -> u64 {
        self.seats.get(&(call, who)).map_or(0, |seat| seat.told - seat.steps.len() as u64)
    }

    /// How many steps it has made.
    pub fn steps(&self, call: CallId, who: usize) -> usize {
        self.seats.get(&(call, who)).map_or(0, |seat| seat.steps.len())
    }

    /// What this device seals with, as it would be told.
    pub fn seals_with(&self, call: CallId, who: usize) -> Option<Vec<u8>> {
        self.seats.get(&(call, who)).map(|seat| seat.key(seat.seals))
    }

    /// How many keys of that device the port of this one got.
    pub fn told_keys(&self, call: CallId, who: usize, whose: usize) -> usize {
        let all = self.keys.get(&(call, who));
        all.map_or(0, |keys| keys.iter().filter(|(leg, _)| *leg == device(whose)).count())
    }

    /// Whether the port of this device ever got that key of that one.
    pub fn was_told(&self, call: CallId, who: usize, whose: usize, key: &[u8]) -> bool {
        self.keys.get(&(call, who)).is_some_and(|keys| keys.contains(&(device(whose), key.to_vec())))
    }

    /// How many keys the port of this device got in that call.
    pub fn keys_of(&self, call: CallId, who: usize) -> usize {
        self.keys.get(&(call, who)).map_or(0, BTreeSet::len)
    }
}
