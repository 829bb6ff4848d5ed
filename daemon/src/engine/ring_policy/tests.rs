//! Who may ring now: every mode and policy, and what is too often.
//!
//! Lives here: the policy asked as the engine asks it.
//! Must not: repeat which rings are kept away for later.

use super::*;
use crate::values::contact_rules::MannerChange;

const ANA: PeerId = PeerId::from_bytes([1; 16]);

fn at(seconds: u64) -> Moment {
    Moment::from_micros(1_000_000 * seconds)
}

fn ruled(ring_policy: Ruled, favorite: bool) -> ContactRules {
    ContactRules { ring_policy, favorite, verified: true, ..ContactRules::default() }
}

/// What a ring of this contact does; None when it is not heard.
fn judged(
    policy: &mut RingPolicy,
    second: u64,
    peer: PeerId,
    rules: &ContactRules,
    dialed: bool,
) -> Option<Rings> {
    let (call, leg) = (CallId::from_bytes([7; 16]), LegId::from_bytes([7; 16]));
    let ring = Ring { call, leg, peer, preconnect: false, callee_offers: false, until: at(second + 60) };
    let now = Now { moment: at(second), unix_us: 1 };
    policy.judge(now, ring, Some(&(rules.clone(), false)), dialed).ok()
}

fn off() -> RingPolicy {
    RingPolicy::with(Dnd::default())
}

/// What a single ring of such a contact does under this mode.
fn ring(mode: DndMode, rules: &ContactRules, dialed: bool) -> Option<Rings> {
    judged(&mut RingPolicy::with(Dnd { mode, until: 0 }), 1, ANA, rules, dialed)
}

#[test]
fn every_mode_and_policy_has_its_answer() {
    use Ruled::{Always, AutoAnswer, Never, Normal, Silent};
    let rings = Some(Rings::Normal);
    let (quiet, itself) = (Some(Rings::Silent), Some(Rings::AutoAnswer));
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
        let rules = ruled(policy, favorite);
        for (mode, answer) in [DndMode::Off, DndMode::Favorites, DndMode::All].into_iter().zip(answers) {
            assert_eq!(ring(mode, &rules, false), answer, "{mode:?} {policy:?} {favorite}");
        }
    }
}

#[test]
fn nobody_is_answered_by_themselves_before_their_safety_number_was_compared() {
    let known = ruled(Ruled::AutoAnswer, false);
    let unknown = ContactRules { verified: false, ..known.clone() };
    assert_eq!(ring(DndMode::Off, &known, false), Some(Rings::AutoAnswer));
    assert_eq!(ring(DndMode::Off, &unknown, false), Some(Rings::Normal));
    let change = MannerChange { ring_policy: Some(known.ring_policy), ..Default::default() };
    assert!(ContactRules::default().changed(&change).is_err(), "and a person hears so when it is set");
    let verified = ContactRules { verified: true, ..ContactRules::default() };
    assert_eq!(verified.changed(&change).unwrap().ring_policy, known.ring_policy);
}

#[test]
fn who_is_dialed_comes_through_whatever_keeps_others_away() {
    for policy in [Ruled::Normal, Ruled::Never] {
        assert_eq!(ring(DndMode::All, &ruled(policy, false), true), Some(Rings::Normal));
    }
}

#[test]
fn what_rings_falls_silent_for_a_contact_that_becomes_silent_and_for_no_other() {
    let silences =
        |policy, dnd| RingPolicy::with(Dnd { mode: dnd, until: 0 }).silences(1, &ruled(policy, false));
    assert!(silences(Ruled::Silent, DndMode::Off) && silences(Ruled::Normal, DndMode::All));
    assert!(!silences(Ruled::Normal, DndMode::Off) && !silences(Ruled::Always, DndMode::All));
}

#[test]
fn do_not_disturb_ends_by_the_calendar_and_comes_back_with_it() {
    let mut policy = RingPolicy::with(Dnd { mode: DndMode::All, until: 1_000 });
    let rules = ContactRules::default();
    assert!(policy.keeps_away(999, &rules) && !policy.keeps_away(1_000, &rules));
    policy.end_dnd(999);
    assert_eq!(policy.dnd().mode, DndMode::All);
    policy.end_dnd(1_000);
    assert_eq!(policy.dnd(), Dnd::default());
}

#[test]
fn the_sixth_ring_in_a_minute_is_not_heard_and_a_quiet_minute_forgives() {
    let (mut policy, rules) = (off(), ruled(Ruled::Always, true));
    for second in 0..5 {
        assert!(judged(&mut policy, second, ANA, &rules, false).is_some(), "{second}");
    }
    assert_eq!(judged(&mut policy, 5, ANA, &rules, false), None);
    let other = PeerId::from_bytes([2; 16]);
    assert!(judged(&mut policy, 6, other, &rules, false).is_some(), "others are not in it");
    assert!(judged(&mut policy, 66, ANA, &rules, false).is_some());
}

#[test]
fn a_flood_by_one_data_channel_is_cut_and_others_in_the_call_and_beside_it_have_their_own_room() {
    let mut policy = off();
    let (call, other) = (CallId::from_bytes([1; 16]), CallId::from_bytes([2; 16]));
    let [ana, ben] = [1, 2].map(|leg| LegId::from_bytes([leg; 16]));
    let taken = (0..60_000).filter(|_| policy.frame(at(1), call, ana)).count();
    assert_eq!(taken, 256, "more than a call's set-up and a repair need");
    assert!((0..200).all(|_| policy.frame(at(1), call, ben)), "another in the same call");
    assert!((0..200).all(|_| policy.frame(at(1), other, ana)));
    assert!(policy.frame(at(2), call, ana), "and it is not cut off for ever");
}

#[test]
fn twenty_dials_in_a_minute_are_enough() {
    let mut policy = off();
    assert!((0..20).all(|second| policy.dial(at(second))));
    assert!(!policy.dial(at(59)));
    assert!(policy.dial(at(60)), "the first is a minute old");
    assert!(!policy.dial(at(60)));
}

#[test]
fn what_is_kept_is_read_again_and_nonsense_is_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dnd.json");
    assert_eq!(RingPolicy::open(&path).dnd(), Dnd::default());
    let dnd = Dnd { mode: DndMode::Favorites, until: 77 };
    std::fs::write(&path, serde_json::to_vec(&dnd).unwrap()).unwrap();
    assert_eq!(RingPolicy::open(&path).dnd(), dnd);
    std::fs::write(&path, b"{\"mode\":\"sometimes\"}").unwrap();
    assert_eq!(RingPolicy::open(&path).dnd(), Dnd::default());
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
    let mut policy = off();
    for n in 0..3000_u16 {
        let [high, low] = n.to_be_bytes();
        let mut id = [0; 16];
        (id[0], id[1]) = (high, low);
        judged(&mut policy, 1, PeerId::from_bytes(id), &ContactRules::default(), false);
    }
    assert_eq!(policy.rings.len(), REMEMBERED);
}
