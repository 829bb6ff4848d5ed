//! Who may ring now, and how often we may dial.
//!
//! Lives here: do-not-disturb with its end by the calendar, what a contact's policy makes of a ring, counts of the last minute.
//! Must not: know a call, send anything, write a file.

use std::collections::VecDeque;
use std::time::Duration;

use ahoy_call::{CallId, Moment, PeerId, RingPolicy};

use crate::values::budget::{self, Budget};
use crate::values::contact_rules::{self, ContactRules};
use crate::values::dnd::{Dnd, DndMode};

/// The span in which rings and dials are counted.
const MINUTE: Duration = Duration::from_secs(60);
/// Rings that are remembered, over all contacts. Who is behind that has been away for most of a minute.
const REMEMBERED: usize = 1024;

/// Who rings.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// Which contact.
    pub peer: PeerId,
    /// What a person decided about it.
    pub manner: &'a ContactRules,
    /// We are dialing it at this moment.
    pub dialed: bool,
}

/// What decides that.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    /// Do-not-disturb as it was set last; it may be over.
    pub dnd: Dnd,
    rings: VecDeque<(Moment, PeerId)>,
    dials: VecDeque<Moment>,
    frames: Frames,
}

/// Sealed frames that come by the data channels of calls.
#[derive(Clone, Debug)]
struct Frames(Budget<CallId>);

impl Default for Frames {
    fn default() -> Self {
        Self(Budget::new(budget::FRAMES))
    }
}

impl Admission {
    /// With what was kept over a restart: the file's content. What cannot be read is as if nothing was set.
    pub fn open(kept: Option<&[u8]>) -> Self {
        let dnd = kept.and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default();
        Self { dnd, ..Self::default() }
    }

    /// What a ring does here; `None`: nothing at all, and nothing is sent.
    pub fn ring(&mut self, now: Moment, unix_us: i64, caller: Caller<'_>) -> Option<RingPolicy> {
        let often = often(&mut self.rings, now, caller.peer, budget::RINGS_A_MINUTE);
        let how = how_it_rings(caller.manner);
        if caller.dialed {
            return Some(how);
        }
        if often || caller.manner.ring_policy == contact_rules::RingPolicy::Never {
            return None;
        }
        (!self.is_kept_away(unix_us, caller.manner)).then_some(how)
    }

    /// Whether do-not-disturb is what keeps such a contact away.
    pub fn is_kept_away(&self, unix_us: i64, manner: &ContactRules) -> bool {
        let comes_through = match self.dnd.mode {
            DndMode::Off => true,
            DndMode::Favorites => manner.favorite,
            DndMode::All => false,
        };
        let always = manner.ring_policy == contact_rules::RingPolicy::Always;
        let never = manner.ring_policy == contact_rules::RingPolicy::Never;
        !never && !always && !comes_through && !self.dnd.is_over(unix_us)
    }

    /// Whether one more frame of this call's data channel is taken: it has no other bound than the network.
    pub fn frame(&mut self, now: Moment, call: CallId) -> bool {
        self.frames.0.take(now, call)
    }

    /// Whether one more dial of ours is taken; it counts if so.
    pub fn dial(&mut self, now: Moment) -> bool {
        self.dials.retain(|at| now.since(*at) < MINUTE);
        let free = self.dials.len() < budget::DIALS_A_MINUTE;
        if free {
            self.dials.push_back(now);
        }
        free
    }
}

/// What the phone does when such a contact rings and may.
pub fn how_it_rings(manner: &ContactRules) -> RingPolicy {
    match manner.ring_policy {
        contact_rules::RingPolicy::Normal
        | contact_rules::RingPolicy::Always
        | contact_rules::RingPolicy::Never => RingPolicy::Normal,
        contact_rules::RingPolicy::Silent => RingPolicy::Silent,
        // A microphone opens for nobody whose keys were not compared; it rings instead.
        contact_rules::RingPolicy::AutoAnswer if manner.verified => RingPolicy::AutoAnswer,
        contact_rules::RingPolicy::AutoAnswer => RingPolicy::Normal,
    }
}

/// Counts one more of `peer`, and tells whether that is more than `most` in a minute.
fn often(seen: &mut VecDeque<(Moment, PeerId)>, now: Moment, peer: PeerId, most: usize) -> bool {
    seen.retain(|(at, _)| now.since(*at) < MINUTE);
    if seen.len() == REMEMBERED {
        seen.pop_front();
    }
    seen.push_back((now, peer));
    seen.iter().filter(|(_, of)| *of == peer).count() > most
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANA: PeerId = PeerId::from_bytes([1; 16]);

    fn at(seconds: u64) -> Moment {
        Moment::from_micros(1_000_000 * seconds)
    }

    fn manner(ring_policy: contact_rules::RingPolicy, favorite: bool) -> ContactRules {
        ContactRules { ring_policy, favorite, verified: true, ..ContactRules::default() }
    }

    /// What a single ring of such a contact does under this mode.
    fn ring(mode: DndMode, manner: &ContactRules, dialed: bool) -> Option<RingPolicy> {
        let mut admission = Admission { dnd: Dnd { mode, until: 0 }, ..Admission::default() };
        admission.ring(at(1), 1, Caller { peer: ANA, manner, dialed })
    }

    #[test]
    fn every_mode_and_policy_has_its_answer() {
        use contact_rules::RingPolicy::{Always, AutoAnswer, Never, Normal, Silent};
        let rings = Some(RingPolicy::Normal);
        let (quiet, itself) = (Some(RingPolicy::Silent), Some(RingPolicy::AutoAnswer));
        // policy, favourite, then the answers for off, favorites, all.
        let table = [
            (Normal, false, [rings, None, None]),
            (Normal, true, [rings, rings, None]),
            (Always, false, [rings, rings, rings]),
            (Always, true, [rings, rings, rings]),
            (Silent, false, [quiet, None, None]),
            (Silent, true, [quiet, quiet, None]),
            (Never, false, [None, None, None]),
            (Never, true, [None, None, None]),
            (AutoAnswer, false, [itself, None, None]),
            (AutoAnswer, true, [itself, itself, None]),
        ];
        for (policy, favorite, answers) in table {
            let manner = manner(policy, favorite);
            for (mode, answer) in [DndMode::Off, DndMode::Favorites, DndMode::All].into_iter().zip(answers) {
                assert_eq!(ring(mode, &manner, false), answer, "{mode:?} {policy:?} {favorite}");
            }
        }
    }

    #[test]
    fn nobody_is_answered_by_themselves_before_their_safety_number_was_compared() {
        let known = manner(contact_rules::RingPolicy::AutoAnswer, false);
        let unknown = ContactRules { verified: false, ..known.clone() };
        assert_eq!(ring(DndMode::Off, &known, false), Some(RingPolicy::AutoAnswer));
        assert_eq!(ring(DndMode::Off, &unknown, false), Some(RingPolicy::Normal));
        let change =
            contact_rules::MannerChange { ring_policy: Some(known.ring_policy), ..Default::default() };
        assert!(ContactRules::default().changed(&change).is_err(), "and a person hears so when it is set");
        let verified = ContactRules { verified: true, ..ContactRules::default() };
        assert_eq!(verified.changed(&change).unwrap().ring_policy, known.ring_policy);
    }

    #[test]
    fn who_is_dialed_comes_through_whatever_keeps_others_away() {
        for policy in [contact_rules::RingPolicy::Normal, contact_rules::RingPolicy::Never] {
            assert_eq!(ring(DndMode::All, &manner(policy, false), true), Some(RingPolicy::Normal));
        }
    }

    #[test]
    fn do_not_disturb_ends_by_the_calendar_and_comes_back_with_it() {
        let mut admission =
            Admission { dnd: Dnd { mode: DndMode::All, until: 1_000 }, ..Admission::default() };
        let manner = ContactRules::default();
        let caller = Caller { peer: ANA, manner: &manner, dialed: false };
        assert_eq!(admission.ring(at(1), 999, caller), None);
        assert_eq!(admission.ring(at(2), 1_000, caller), Some(RingPolicy::Normal));
        assert!(!admission.dnd.is_over(999) && admission.dnd.is_over(1_000));
    }

    #[test]
    fn the_sixth_ring_in_a_minute_is_not_heard_and_a_quiet_minute_forgives() {
        let mut admission = Admission::default();
        let manner = manner(contact_rules::RingPolicy::Always, true);
        let caller = Caller { peer: ANA, manner: &manner, dialed: false };
        for second in 0..5 {
            assert!(admission.ring(at(second), 1, caller).is_some(), "{second}");
        }
        assert_eq!(admission.ring(at(5), 1, caller), None);
        let other = Caller { peer: PeerId::from_bytes([2; 16]), ..caller };
        assert!(admission.ring(at(6), 1, other).is_some(), "others are not in it");
        assert!(admission.ring(at(66), 1, caller).is_some());
    }

    #[test]
    fn a_flood_by_one_data_channel_is_cut_and_another_call_has_its_own_room() {
        let mut admission = Admission::default();
        let (theirs, other) = (CallId::from_bytes([1; 16]), CallId::from_bytes([2; 16]));
        let taken = (0..60_000).filter(|_| admission.frame(at(1), theirs)).count();
        assert_eq!(taken, 256, "more than a call's set-up and a repair need");
        assert!((0..200).all(|_| admission.frame(at(1), other)));
        assert!(admission.frame(at(2), theirs), "and it is not cut off for ever");
    }

    #[test]
    fn twenty_dials_in_a_minute_are_enough() {
        let mut admission = Admission::default();
        assert!((0..20).all(|second| admission.dial(at(second))));
        assert!(!admission.dial(at(59)));
        assert!(admission.dial(at(60)), "the first is a minute old");
        assert!(!admission.dial(at(60)));
    }

    #[test]
    fn what_is_kept_is_read_again_and_nonsense_is_nothing() {
        let dnd = Dnd { mode: DndMode::Favorites, until: 77 };
        let kept = serde_json::to_vec(&dnd).unwrap();
        assert_eq!(Admission::open(Some(&kept)).dnd, dnd);
        assert_eq!(Admission::open(Some(b"{\"mode\":\"sometimes\"}")).dnd, Dnd::default());
        assert_eq!(Admission::open(None).dnd, Dnd::default());
    }

    #[test]
    fn the_words_are_those_of_the_file() {
        for word in DndMode::WORDS {
            let mode = DndMode::named(word).unwrap();
            assert_eq!((mode.word(), serde_json::to_value(mode).unwrap()), (word, word.into()));
        }
    }

    #[test]
    fn the_memory_of_rings_is_bounded() {
        let mut admission = Admission::default();
        let manner = ContactRules::default();
        for n in 0..3000_u16 {
            let [high, low] = n.to_be_bytes();
            let mut id = [0; 16];
            (id[0], id[1]) = (high, low);
            admission.ring(at(1), 1, Caller { peer: PeerId::from_bytes(id), manner: &manner, dialed: false });
        }
        assert_eq!(admission.rings.len(), REMEMBERED);
    }
}
