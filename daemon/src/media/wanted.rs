//! What the media of a call are to be now, as a state.
//!
//! Lives here: the state, and which orders of the rules are no more than a change of it.
//! Must not: wait in a queue: of two states the newer one counts, and neither can be lost on the way.

use std::collections::BTreeMap;

use ahoy_call::{Epoch, LegId, MediaOrder};

/// One generation of the path to one device.
pub type Key = (LegId, Epoch);

/// Every path that may be there, and what may be done with the sound. The default is nothing: everything is closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Paths that were prepared and not closed; the how many-eth each was, and whether sound may flow on it.
    paths: BTreeMap<Key, (u64, bool)>,
    prepared: u64,
    /// The devices that paths lead to.
    talks: BTreeMap<LegId, Talk>,
    muted: bool,
    /// Everybody is held whom sound may flow to. Stays when the last of them goes.
    held: bool,
    /// Nothing of the others is played.
    pub deafened: bool,
    /// Paths that begin from now on show our address to our TURN servers alone.
    pub relay_only: bool,
}

/// What one device of the others may have of us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Talk {
    /// Our voice goes to it.
    reading: bool,
    /// Silence in place of it, and nothing of theirs is played.
    held: bool,
}

impl Wanted {
    /// Takes an order in. `false`: it is more than a change of the state, and has to be carried out itself, too.
    pub fn take(&mut self, key: Key, order: &MediaOrder) -> bool {
        let there = self.paths.contains_key(&key);
        match order {
            MediaOrder::Prepare(_) => {
                self.prepared += 1;
                self.paths.entry(key).or_insert((self.prepared, false));
                return false;
            }
            MediaOrder::Remote(_)
            | MediaOrder::Candidates { .. }
            | MediaOrder::Probe
            | MediaOrder::SendDigits(_) => return false,
            MediaOrder::Open { tracks, muted, held } if there => {
                self.paths.entry(key).and_modify(|(_, opened)| *opened = true);
                self.talks.insert(key.0, Talk { reading: tracks.voice, held: *held });
                self.muted = *muted;
            }
            MediaOrder::Pause if there => self.talk(key.0).reading = false,
            MediaOrder::SetMuted(muted) if there => self.muted = *muted,
            MediaOrder::SetHeld(held) if there => self.talk(key.0).held = *held,
            MediaOrder::Close => {
                self.paths.remove(&key);
                if !self.is_open(key.0) {
                    self.talk(key.0).reading = false;
                }
                if !self.paths.keys().any(|(leg, _)| *leg == key.0) {
                    self.talks.remove(&key.0);
                }
            }
            // It is about a path that is gone.
            MediaOrder::Open { .. }
            | MediaOrder::Pause
            | MediaOrder::SetMuted(_)
            | MediaOrder::SetHeld(_) => {}
        }
        self.held = self.everybody_is_held().unwrap_or(self.held);
        true
    }

    /// Which path may be there under this name: one that was closed and prepared again is another one.
    pub fn which(&self, key: Key) -> Option<u64> {
        self.paths.get(&key).map(|(number, _)| *number)
    }

    /// Whether sound may flow on this path.
    pub fn is_opened(&self, key: Key) -> bool {
        self.paths.get(&key).is_some_and(|(_, opened)| *opened)
    }

    /// Whether the microphone may be read.
    pub fn reads(&self) -> bool {
        self.talks.values().any(|talk| talk.reading)
    }

    /// Whether our voice may go to this device.
    pub fn talks_to(&self, leg: LegId) -> bool {
        self.talks.get(&leg).is_some_and(|talk| talk.reading)
    }

    /// Whether this device gets silence, and is not played.
    pub fn holds(&self, leg: LegId) -> bool {
        self.talks.get(&leg).is_some_and(|talk| talk.held)
    }

    /// Whether encoded silence is to be sent.
    pub fn is_muted(&self) -> bool {
        self.muted
    }

    /// Whether the devices are left to other calls.
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// A word about a device counts for all of its paths.
    fn talk(&mut self, leg: LegId) -> &mut Talk {
        self.talks.entry(leg).or_default()
    }

    fn is_open(&self, leg: LegId) -> bool {
        self.paths.iter().any(|((of, _), (_, opened))| *of == leg && *opened)
    }

    /// Of those whom sound may flow to; while there is nobody, of those who were spoken of.
    fn everybody_is_held(&self) -> Option<bool> {
        let all = |open: bool| {
            let mut held =
                self.talks.iter().filter(|(leg, _)| !open || self.is_open(**leg)).map(|(_, talk)| talk.held);
            held.next().map(|first| first && held.all(|held| held))
        };
        all(true).or_else(|| all(false))
    }
}

#[cfg(test)]
mod tests {
    use ahoy_call::{Role, Tracks};

    use super::*;

    const OPEN: MediaOrder = MediaOrder::Open { tracks: Tracks::VOICE, muted: false, held: false };

    fn key(epoch: u16) -> Key {
        (LegId::from_bytes([1; 16]), Epoch(epoch))
    }

    #[test]
    fn a_path_is_wanted_from_its_first_order_to_its_last_and_no_late_one_brings_it_back() {
        let mut wanted = Wanted::default();
        assert!(wanted.take(key(1), &OPEN) && wanted == Wanted::default(), "it was never prepared");
        assert!(!wanted.take(key(1), &MediaOrder::Prepare(Role::Offerer)), "a path has to be built");
        let first = wanted.which(key(1));
        assert!(first.is_some() && !wanted.is_opened(key(1)) && !wanted.reads());
        assert!(wanted.take(key(1), &OPEN) && wanted.is_opened(key(1)) && wanted.reads());
        wanted.take(key(1), &MediaOrder::SetMuted(true));
        wanted.take(key(1), &MediaOrder::SetHeld(true));
        assert!(wanted.is_muted() && wanted.is_held());
        wanted.take(key(1), &MediaOrder::Close);
        wanted.take(key(1), &OPEN);
        assert!(wanted.which(key(1)).is_none() && !wanted.reads(), "closed is closed");
        wanted.take(key(1), &MediaOrder::Prepare(Role::Offerer));
        assert!(wanted.which(key(1)).is_some_and(|again| Some(again) != first), "it is another one");
    }

    #[test]
    fn the_microphone_is_read_until_the_last_open_path_is_closed_or_it_is_paused() {
        let mut wanted = Wanted::default();
        for epoch in [1, 2, 3] {
            wanted.take(key(epoch), &MediaOrder::Prepare(Role::Offerer));
        }
        wanted.take(key(1), &OPEN);
        wanted.take(key(2), &OPEN);
        wanted.take(key(1), &MediaOrder::Close);
        assert!(wanted.reads());
        wanted.take(key(2), &MediaOrder::Pause);
        assert!(!wanted.reads() && wanted.is_opened(key(2)), "what comes may still be played");
        wanted.take(key(2), &OPEN);
        wanted.take(key(2), &MediaOrder::Close);
        assert!(!wanted.reads() && wanted.which(key(3)).is_some(), "what was only prepared reads nothing");
    }

    fn of(leg: u8) -> Key {
        (LegId::from_bytes([leg; 16]), Epoch(1))
    }

    fn conversation(legs: &[u8]) -> Wanted {
        let mut wanted = Wanted::default();
        for leg in legs {
            wanted.take(of(*leg), &MediaOrder::Prepare(Role::Offerer));
            wanted.take(of(*leg), &OPEN);
        }
        wanted
    }

    #[test]
    fn one_of_several_is_paused_or_closed_and_the_microphone_is_read_on_for_the_others() {
        let mut wanted = conversation(&[1, 2, 3]);
        wanted.take(of(1), &MediaOrder::Pause);
        assert!(wanted.reads() && !wanted.talks_to(of(1).0) && wanted.talks_to(of(2).0));
        wanted.take(of(2), &MediaOrder::Close);
        assert!(wanted.reads() && !wanted.talks_to(of(2).0) && wanted.talks_to(of(3).0));
        wanted.take(of(3), &MediaOrder::Close);
        assert!(!wanted.reads() && wanted.is_opened(of(1)), "who is left is paused");
        wanted.take(of(1), &OPEN);
        assert!(wanted.reads() && wanted.talks_to(of(1).0));
    }

    #[test]
    fn the_devices_are_left_to_others_when_everybody_is_held_and_not_before() {
        let mut wanted = conversation(&[1, 2]);
        wanted.take(of(1), &MediaOrder::SetHeld(true));
        assert!(!wanted.is_held() && wanted.holds(of(1).0) && !wanted.holds(of(2).0));
        wanted.take(of(2), &MediaOrder::SetHeld(true));
        assert!(wanted.is_held());
        wanted.take(of(1), &MediaOrder::SetHeld(false));
        assert!(!wanted.is_held() && wanted.holds(of(2).0));
        wanted.take(of(1), &MediaOrder::Close);
        assert!(wanted.is_held(), "who is left holds");
        wanted.take(of(2), &MediaOrder::Close);
        assert!(wanted.is_held() && !wanted.reads(), "the devices are not taken up for nobody");
    }
}
