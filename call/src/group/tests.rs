//! Does a log come to the same in every order, and what does it make of lies?
//!
//! Lives here: entries by hand, merged, told and folded.
//! Must not: know a session or a phone.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use super::*;

const CALL: CallId = CallId::from_bytes([1; 16]);

fn leg(number: u8) -> LegId {
    LegId::from_bytes([number; 16])
}

fn peer(number: u8) -> PeerId {
    PeerId::from_bytes([number; 16])
}

fn start() -> Start {
    Start { call: CALL, leg: leg(1), peer: peer(1), group: None }
}

fn log_of(who: u8) -> Log {
    Log::new(start(), leg(who), peer(who))
}

fn says(number: u32, presence: Presence) -> Statement {
    Statement { number, presence, invited: vec![], removed: vec![], gone: vec![], ended: None, rooms: false }
}

const fn joined(at: u64) -> Presence {
    Presence::Joined { at: Age(at) }
}

const fn left(joined: u64, at: u64) -> Presence {
    Presence::Left { joined: Some(Age(joined)), at: Age(at) }
}

fn no(scope: Scope, at: u64) -> Presence {
    Presence::Declined { reason: DeclineReason::Declined, scope, at: Age(at) }
}

fn called(who: u8, at: u64) -> Invited {
    Invited { peer: peer(who), devices: 1, at: Age(at) }
}

/// What the port that checked it makes of a statement.
fn entry_of(author: u8, of: u8, statement: Statement) -> Entry {
    let text = alloc::format!("{author} {statement:?}");
    let print = text.bytes().fold(7, |all: u64, byte| all.wrapping_mul(131).wrapping_add(u64::from(byte)));
    Entry { author: leg(author), peer: peer(of), statement, seal: Opaque(vec![author]), print }
}

fn entry(author: u8, statement: Statement) -> Entry {
    entry_of(author, author, statement)
}

/// The starter, who called these at the beginning.
fn starter(number: u32, whom: &[u8]) -> Entry {
    let invited = whom.iter().map(|who| called(*who, 0)).collect();
    entry(1, Statement { invited, ..says(number, joined(0)) })
}

fn news(entries: Vec<Entry>) -> News {
    News { start: start(), age: Age(0), heads: vec![], entries, told: vec![] }
}

fn fold_of(entries: &[Entry]) -> Fold {
    let mut log = log_of(9);
    log.merge(&news(entries.to_vec()));
    log.fold(|_| false, None)
}

fn stands(entries: &[Entry], who: u8) -> Option<Standing> {
    fold_of(entries).standing(peer(who))
}

/// A long story of five people: calls, answers, a decline, a removal, a silent one, an end.
fn story() -> Vec<Entry> {
    let host = |number, removed: &[(u8, u64)], ended: Option<u64>| {
        let removed = removed.iter().map(|(who, at)| Removed { peer: peer(*who), at: Age(*at) }).collect();
        let ended = ended.map(|at| Ending { reason: EndReason::EndedByHost, at: Age(at) });
        let invited = vec![called(2, 0), called(3, 0), called(4, 0)];
        entry(1, Statement { invited, removed, ended, ..says(number, joined(0)) })
    };
    let silent = vec![Gone { leg: leg(5), number: 1, at: Age(900) }];
    vec![
        host(1, &[], None),
        host(2, &[(3, 500)], None),
        host(3, &[(3, 500)], Some(1_000)),
        entry(2, Statement { invited: vec![called(5, 300)], ..says(1, joined(100)) }),
        entry(2, Statement { invited: vec![called(5, 300)], gone: silent, ..says(2, joined(100)) }),
        entry(3, says(1, joined(200))),
        entry(4, says(1, no(Scope::Everywhere, 150))),
        entry(5, says(1, joined(400))),
    ]
}

/// Every order that a small generator draws.
fn orders(entries: &[Entry], count: usize) -> Vec<Vec<Entry>> {
    let mut seed = 7_u64;
    let mut draw = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap_or(0) % below
    };
    (0..count)
        .map(|_| {
            let mut rest = entries.to_vec();
            (0..entries.len()).map(|_| rest.swap_remove(draw(rest.len()))).collect()
        })
        .collect()
}

#[test]
fn the_order_in_which_entries_come_changes_nothing() {
    let expected = fold_of(&story());
    assert_eq!(expected.ended, Some((EndReason::EndedByHost, peer(1))));
    for order in orders(&story(), 500) {
        let mut log = log_of(9);
        for one in &order {
            log.merge(&news(vec![one.clone(), order[0].clone()]));
        }
        assert_eq!(log.fold(|_| false, None), expected, "{order:?}");
    }
}

#[test]
fn two_who_tell_each_other_what_the_other_lacks_know_the_same() {
    for order in orders(&story(), 100) {
        let (mut one, mut other) = (log_of(8), log_of(9));
        for (number, it) in order.iter().enumerate() {
            let log = if number % 2 == 0 { &mut one } else { &mut other };
            log.merge(&news(vec![it.clone()]));
        }
        let heads =
            |log: &Log| log.heads().into_iter().map(|head| (head.author, head)).collect::<BTreeMap<_, _>>();
        let (for_one, for_other) = (other.lacking(&heads(&one)), one.lacking(&heads(&other)));
        one.merge(&news(for_one));
        other.merge(&news(for_other));
        assert_eq!(one.fold(|_| false, None), other.fold(|_| false, None));
        assert!(!one.is_behind(&other.heads()) && !other.is_behind(&one.heads()));
        assert!(one.lacking(&heads(&other)).is_empty());
    }
}

#[test]
fn what_is_doubled_or_old_changes_nothing_and_what_is_withheld_is_made_up_for() {
    let mut log = log_of(9);
    assert!(log.merge(&news(vec![starter(1, &[2])])));
    assert!(!log.merge(&news(vec![starter(1, &[2])])), "doubled");
    assert!(log.merge(&news(vec![entry(2, says(7, joined(5)))])), "one to six were withheld");
    assert!(!log.merge(&news(vec![entry(2, says(3, left(1, 2)))])), "an old one");
    assert_eq!(log.fold(|_| false, None).standing(peer(2)), Some(Standing::Joined));
}

#[test]
fn what_is_of_another_call_or_another_s_device_is_not_taken() {
    let mut log = log_of(9);
    let foreign = Start { call: CallId::from_bytes([2; 16]), ..start() };
    assert!(!log.merge(&News { start: foreign, ..news(vec![starter(1, &[2])]) }));
    log.merge(&news(vec![starter(1, &[2]), entry(2, says(1, joined(5)))]));
    assert!(!log.merge(&news(vec![entry_of(2, 3, says(2, joined(6)))])), "the device belongs to another");
}

#[test]
fn who_was_called_by_nobody_has_no_place_and_no_say() {
    let ended = Some(Ending { reason: EndReason::EndedByHost, at: Age(9) });
    let stranger = entry(6, Statement { ended, invited: vec![called(7, 1)], ..says(1, joined(0)) });
    let fold = fold_of(&[starter(1, &[2]), stranger, entry(7, says(1, joined(3)))]);
    assert_eq!(fold.people.keys().copied().collect::<Vec<_>>(), [peer(1), peer(2)]);
    assert_eq!(fold.ended, None);
}

#[test]
fn an_author_that_says_two_things_under_one_number_has_left_for_all() {
    let (yes, no) = (entry(2, says(4, joined(5))), entry(2, says(4, left(5, 6))));
    let third = entry(2, says(4, joined(8)));
    let later = entry(2, says(9, joined(7)));
    let all = [starter(1, &[2, 3]), entry(3, says(1, joined(1))), yes.clone(), no.clone(), third, later];
    let expected = Some(Standing::Left);
    for order in orders(&all, 200) {
        // The proof is passed on as a whole: whoever has it convinces everybody.
        let (mut one, mut other) = (log_of(8), log_of(9));
        for it in &order {
            one.merge(&news(vec![it.clone()]));
        }
        other.merge(&news(vec![starter(1, &[2, 3]), yes.clone(), no.clone()]));
        for _ in 0..3 {
            let heads =
                |log: &Log| log.heads().into_iter().map(|it| (it.author, it)).collect::<BTreeMap<_, _>>();
            let (for_one, for_other) = (other.lacking(&heads(&one)), one.lacking(&heads(&other)));
            one.merge(&news(for_one));
            other.merge(&news(for_other));
        }
        assert_eq!(other.fold(|_| false, None).standing(peer(2)), expected);
        assert_eq!(one.fold(|_| false, None).standing(peer(2)), expected, "{order:?}");
    }
}

#[test]
fn a_person_has_said_no_when_each_device_has_or_one_for_all() {
    let two = Invited { devices: 2, ..called(2, 0) };
    let start = entry(1, Statement { invited: vec![two], ..says(1, joined(0)) });
    let (desk, phone) =
        (|scope| entry_of(2, 2, says(1, no(scope, 5))), entry_of(12, 2, says(1, no(Scope::ThisDevice, 6))));
    assert_eq!(stands(&[start.clone(), desk(Scope::ThisDevice)], 2), Some(Standing::Invited));
    assert_eq!(stands(&[start.clone(), desk(Scope::ThisDevice), phone], 2), Some(Standing::Declined));
    assert_eq!(stands(&[start, desk(Scope::Everywhere)], 2), Some(Standing::Declined));
}

#[test]
fn who_is_called_again_is_waited_for_again() {
    for presence in [no(Scope::Everywhere, 5), left(2, 5)] {
        let again = entry(1, Statement { invited: vec![called(2, 10)], ..says(2, joined(0)) });
        assert_eq!(stands(&[again, entry(2, says(1, presence))], 2), Some(Standing::Invited));
    }
    let removed = vec![Removed { peer: peer(2), at: Age(7) }];
    let out =
        entry(1, Statement { removed: removed.clone(), invited: vec![called(2, 0)], ..says(2, joined(0)) });
    assert_eq!(stands(&[out, entry(2, says(1, joined(5)))], 2), Some(Standing::Removed));
    let again = entry(1, Statement { removed, invited: vec![called(2, 10)], ..says(3, joined(0)) });
    assert_eq!(stands(&[again, entry(2, says(2, joined(12)))], 2), Some(Standing::Joined));
}

#[test]
fn only_who_might_puts_out_or_ends() {
    let ended = Some(Ending { reason: EndReason::EndedByHost, at: Age(100) });
    let ends = |number, at| entry(2, Statement { ended, ..says(number, joined(at)) });
    let third = entry(3, says(1, joined(20)));
    let with = |first: Entry, second: Entry| fold_of(&[first, second, third.clone()]).ended;
    assert_eq!(with(starter(1, &[2, 3]), ends(1, 10)), None, "the starter is in it");
    let gone = entry(1, Statement { invited: vec![called(2, 0), called(3, 0)], ..says(2, left(0, 50)) });
    assert_eq!(
        with(gone.clone(), ends(1, 10)),
        Some((EndReason::EndedByHost, peer(2))),
        "it has left before"
    );
    assert_eq!(with(gone.clone(), ends(1, 30)), None, "another joined first");
    let late = entry(1, Statement { invited: vec![called(2, 0), called(3, 0)], ..says(2, left(0, 150)) });
    assert_eq!(with(late, ends(1, 10)), None, "it left after that");
    assert_eq!(fold_of(&[gone, entry(2, says(1, joined(10))), third]).host, Some(peer(2)));
}

#[test]
fn whose_clock_lies_gains_no_rank_and_is_shown_no_earlier_than_it_was_called() {
    let invited = vec![called(2, 0), called(3, 500)];
    let host = entry(1, Statement { invited, ..says(1, left(0, 900)) });
    let fold = fold_of(&[host, entry(2, says(1, joined(400))), entry(3, says(1, joined(0)))]);
    assert_eq!(fold.people[&peer(3)].joined, Some(Age(500)));
    assert_eq!(fold.host, Some(peer(2)), "who joined first");
}

#[test]
fn of_two_devices_of_one_person_the_first_takes_part() {
    let all = [starter(1, &[2]), entry_of(2, 2, says(1, joined(9))), entry_of(12, 2, says(1, joined(8)))];
    assert_eq!(fold_of(&all).people[&peer(2)].device, Some(leg(12)));
}

#[test]
fn a_device_that_joins_long_after_another_of_the_same_person_takes_the_call_over() {
    let device = |first, second| {
        let two = [entry_of(2, 2, says(1, joined(second))), entry_of(12, 2, says(1, joined(first)))];
        let fold = fold_of(&[vec![starter(1, &[2])], two.to_vec()].concat());
        (fold.people[&peer(2)].device, fold.people[&peer(2)].joined)
    };
    assert_eq!(device(8, 10_008), (Some(leg(12)), Some(Age(8))), "they answered one ring");
    assert_eq!(device(8, 10_009), (Some(leg(2)), Some(Age(10_009))));
}

#[test]
fn who_is_given_up_has_left_until_it_says_something_newer_or_is_heard() {
    let gone = vec![Gone { leg: leg(2), number: 1, at: Age(40) }];
    let said = entry(3, Statement { gone, ..says(1, joined(1)) });
    let entries = [starter(1, &[2, 3]), said, entry(2, says(1, joined(2)))];
    let mut log = log_of(9);
    log.merge(&news(entries.to_vec()));
    assert_eq!(log.fold(|_| false, None).standing(peer(2)), Some(Standing::Left));
    assert_eq!(log.fold(|_| true, None).standing(peer(2)), Some(Standing::Joined), "who hears it");
    log.merge(&news(vec![entry(2, says(2, joined(2)))]));
    assert_eq!(log.fold(|_| false, None).standing(peer(2)), Some(Standing::Joined));
    assert_eq!(
        fold_of(&[starter(1, &[2]), entry(2, says(1, joined(2)))]).standing(peer(2)),
        Some(Standing::Joined)
    );
}

#[test]
fn a_device_that_forgot_what_it_said_never_says_two_things_under_one_number() {
    let mut log = log_of(2);
    assert!(log.say(says(0, joined(50))));
    assert_eq!(log.said().map(|said| said.number), Some(1));
    log.merge(&news(vec![entry(2, says(4, left(1, 2)))]));
    let said = log.said().unwrap();
    assert!(said.number > 1_000 && said.presence == joined(50), "it says again what it says now");
    let mut fresh = log_of(2);
    fresh.merge(&news(vec![starter(1, &[2]), entry(2, says(4, joined(1)))]));
    assert_eq!(fresh.fold(|_| false, None).standing(peer(2)), Some(Standing::Invited), "it is not in it now");
}

#[test]
fn nothing_grows_beyond_its_bound() {
    let mut log = log_of(9);
    let whom: Vec<u8> = (2..26).collect();
    log.merge(&news(vec![starter(1, &whom)]));
    let more =
        entry(2, Statement { invited: (30..50).map(|who| called(who, 5)).collect(), ..says(1, joined(1)) });
    log.merge(&news(vec![more]));
    assert_eq!(log.fold(|_| false, None).people.len(), PEOPLE);
    for stranger in 60..200 {
        log.merge(&news(vec![entry(stranger, says(1, joined(1)))]));
    }
    assert!(log.heads().len() <= AUTHORS);
    assert!(log.merge(&news(vec![entry(3, says(1, joined(1)))])), "a stranger gives way to a member");
    let wide = Statement { invited: (0..25).map(|who| called(who, 1)).collect(), ..says(2, joined(1)) };
    assert!(!log.merge(&news(vec![entry(4, wide)])));
    assert!(!log.merge(&news(vec![entry(4, says(NUMBERS + 1, joined(1)))])));
    assert!(!log.merge(&news(vec![entry(4, says(0, joined(1)))])));
}

#[test]
fn who_was_put_out_lets_nobody_in_again_and_least_of_all_themselves() {
    let removed = |who: u8, at| Removed { peer: peer(who), at: Age(at) };
    let first = Statement {
        invited: (2..5).map(|who| called(who, 0)).collect(),
        removed: vec![removed(4, 900), removed(3, 1_000)],
        ..says(2, joined(0))
    };
    let invites = |author, whom, at| {
        entry(author, Statement { invited: vec![called(whom, at)], ..says(1, joined(10)) })
    };
    let back = Statement { invited: vec![called(3, 1_500)], ..says(2, joined(1_600)) };
    let mut said = vec![entry(1, first), entry(3, back), invites(4, 3, 1_700)];
    assert_eq!(stands(&said, 3), Some(Standing::Removed), "by themselves, and by one who was put out, too");
    said.push(invites(2, 3, 1_800));
    assert_eq!(stands(&said, 3), Some(Standing::Joined), "one who takes part may call them again");
}

#[test]
fn one_person_does_not_fill_the_log() {
    let mut log = log_of(9);
    log.merge(&news(vec![starter(1, &[2, 3])]));
    for device in 60..200 {
        log.merge(&news(vec![entry_of(device, 3, says(1, joined(1)))]));
    }
    assert_eq!(log.heads().len(), 1 + usize::from(DEVICES));
    assert!(log.merge(&news(vec![entry(2, says(1, joined(1)))])));
}
