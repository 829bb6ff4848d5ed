//! Who hears whom by a room, and what must hold of rooms.
//!
//! Lives here: what members, keys and microphones come to; the invariants of rooms.
//! Must not: change anything.

use std::collections::BTreeSet;

use ahoy_call::{CallId, LegId, PhaseKind};

use super::rooms::{Keys, Seat};
use super::{World, device};

/// Whether what is sealed there now is opened by one of these keys.
fn opens(keys: &Keys, of: LegId, there: &Seat) -> bool {
    there.opened_by().any(|key| keys.contains(&(of, key)))
}

impl World {
    pub(super) fn can_hear(&self, (call, one): (CallId, usize), other: usize) -> bool {
        let (Some(here), Some(there)) =
            (self.rooms.seats.get(&(call, one)), self.rooms.seats.get(&(call, other)))
        else {
            return false;
        };
        let knows = self.rooms.keys.get(&(call, one));
        let member = self.rooms.members.get(&(call, one)).is_some_and(|set| set.contains(&device(other)));
        let stands = here.up && there.up && here.room == there.room && one != other;
        stands && member && knows.is_some_and(|keys| opens(keys, device(other), there))
    }

    /// Whether sound of that device is played on this one by a room.
    pub(super) fn hears_by_room(&self, who: usize, whom: usize) -> bool {
        let calls = self.rooms.seats.keys().filter(|(_, of)| *of == who).map(|(call, _)| *call);
        calls.into_iter().any(|call| {
            let open = |one: usize| {
                let mut paths = self.people[one].media.paths.iter();
                let held = self.people[one].media.held.contains(&(call, device(one)));
                !held
                    && paths.any(|(key, path)| (key.0, key.1) == (call, device(one)) && path.open && path.up)
            };
            self.can_hear((call, who), whom) && open(who) && open(whom)
        })
    }

    fn rings_in_room(&self, (call, who): (CallId, usize)) -> bool {
        let rings = |phase| matches!(phase, PhaseKind::Arriving | PhaseKind::Ringing | PhaseKind::Waiting);
        self.people[who].phone.standing().into_iter().any(|(wire, phase)| wire == call && rings(phase))
    }

    /// What must hold of those who ring in a room after every step: they may be there, hear nobody, and
    /// nobody hears them.
    pub(super) fn check_guests(&self) {
        for (call, who) in self.rooms.seats.keys().filter(|at| self.rings_in_room(**at)) {
            let name = &self.people[*who].name;
            assert!(
                self.rooms.early.contains(&(*call, *who)),
                "{name} may not be in a room before the answer"
            );
            let members = self.rooms.members.get(&(*call, *who));
            assert!(members.is_none_or(BTreeSet::is_empty), "{name} asks for voices before the answer");
            let open = self.people[*who].media.paths.iter().any(|(key, path)| key.0 == *call && path.open);
            assert!(!open, "{name}: a microphone is open while it rings");
            for other in 0..self.people.len() {
                let heard = self.hears_by_room(*who, other) || self.hears_by_room(other, *who);
                assert!(!heard, "{name} and {} hear each other while it rings", self.people[other].name);
            }
        }
    }

    /// What must hold of rooms once the world is quiet.
    ///
    /// # Panics
    /// If something does not.
    pub fn check_rooms(&self) {
        for ((call, who), seat) in &self.rooms.seats {
            assert_eq!(self.in_rooms(*call).1, 1, "one room for one call");
            if self.rings_in_room((*call, *who)) {
                // It seals nothing.
                continue;
            }
            let members = self.rooms.members.get(&(*call, *who)).cloned().unwrap_or_default();
            for other in (0..self.people.len()).filter(|other| other != who) {
                let knows = self.rooms.keys.get(&(*call, other));
                let knows = knows.is_some_and(|keys| opens(keys, device(*who), seat));
                let may = members.contains(&device(other));
                assert!(may || !knows, "{} can open what {who} seals", self.people[other].name);
            }
        }
    }
}
