//! Do lists keep their bounds, and go in the right order?
//!
//! Lives here: one test a rule of `Lists`.
//! Must not: know mail.

use std::net::IpAddr;
use std::time::Duration;

use super::*;

fn at(n: u8) -> Address {
    Address::from(IpAddr::from([192, 0, 2, n]))
}

fn inbox(n: u32) -> Inbox {
    Inbox::from_bytes(std::array::from_fn(|i| n.to_le_bytes()[i % 4]))
}

fn tokens(many: u32) -> Vec<TokenHash> {
    (0..many).map(|n| TokenHash::from_bytes(std::array::from_fn(|i| n.to_be_bytes()[i % 4]))).collect()
}

fn second(n: u64) -> Moment {
    Moment::default() + Duration::from_secs(n)
}

/// Claims with a list that comes in frames; whether all of it was taken.
fn claim(lists: &mut Lists, n: u32, from: u8, many: u32) -> bool {
    let all = tokens(many);
    let (first, rest) = all.split_at(all.len().min(1_024));
    let client = ClientId(n.into());
    let mut full = lists.claim(client, inbox(n), at(from), first, !rest.is_empty()).1.full;
    for (part, chunk) in rest.chunks(1_024).enumerate() {
        full |= lists.allow(inbox(n), chunk, (part + 1) * 1_024 < rest.len()).full;
    }
    !full
}

fn listed(lists: &Lists, n: u32) -> usize {
    lists.lists.get(&inbox(n)).map_or(0, |list| list.tokens.len())
}

#[test]
fn a_list_ends_at_its_limit_and_keeps_what_it_had() {
    let mut lists = Lists::new(10, 100_000);
    assert!(claim(&mut lists, 1, 1, 16_384));
    assert!(!lists.allow(inbox(1), &tokens(5), false).full, "known ones take no room");
    let more = tokens(16_385);
    assert!(lists.allow(inbox(1), &more[16_384..], false).full);
    assert_eq!(listed(&lists, 1), 16_384);
    lists.revoke(inbox(1), &more[..1]);
    assert!(!lists.allow(inbox(1), &more[16_384..], false).full);
}

#[test]
fn passers_by_go_first_of_the_address_that_has_most_and_nobody_who_is_here() {
    let mut lists = Lists::new(5, 0);
    for (n, from) in [(1, 1), (2, 2), (3, 3), (4, 3), (5, 3)] {
        claim(&mut lists, n, from, 1);
    }
    for (n, stayed) in [(1, true), (2, false), (3, false), (4, false)] {
        if stayed {
            lists.settled(inbox(n));
        }
        lists.left(second(n.into()), ClientId(n.into()), inbox(n));
    }
    let mut gone = Vec::new();
    for n in 10..15 {
        gone.extend(lists.claim(ClientId(n.into()), inbox(n), at(9), &tokens(1), false).1.forgotten);
    }
    assert_eq!(gone, [3, 4, 2, 1].map(inbox), "first of who has two; who stayed goes last");
    assert_eq!(listed(&lists, 5), 1, "who is here is not forgotten");
    assert_eq!(lists.lists.len(), 6, "and a newcomer is not refused");
}

#[test]
fn a_passer_by_is_forgotten_after_an_hour_and_who_stayed_after_a_week() {
    let mut lists = Lists::new(5, 0);
    for n in [1, 2] {
        claim(&mut lists, n, 1, 1);
    }
    lists.settled(inbox(2));
    for n in [1, 2] {
        lists.left(second(0), ClientId(n.into()), inbox(n));
    }
    let mut gone = Vec::new();
    lists.expire(second(3_599), &mut gone);
    assert_eq!(gone, []);
    lists.expire(second(3_600), &mut gone);
    assert_eq!(gone, [inbox(1)]);
    assert_eq!(lists.deadline(), Some(second(7 * 24 * 3_600)));
    lists.claim(ClientId(7), inbox(2), at(1), &tokens(1), false);
    assert_eq!(lists.deadline(), None, "who is here has no end");
}

#[test]
fn everybody_lists_a_few_tokens_however_full_it_is_and_whoever_holds_them() {
    let mut lists = Lists::new(1_000, 100_000);
    for n in 0..7 {
        claim(&mut lists, n, 1, 16_384);
    }
    assert!(claim(&mut lists, 100, 2, 64), "the floor");
    assert!(claim(&mut lists, 101, 2, 5_000), "and more, because another address has most");
    assert_eq!(listed(&lists, 101), 5_000);
    assert!(lists.long.total() <= 100_000);
}

#[test]
fn of_one_address_the_longest_list_gives_way_and_its_owner_is_told() {
    let mut lists = Lists::new(1_000, 10_000_000);
    for n in 0..20 {
        claim(&mut lists, n, 1, 16_384);
    }
    let (_, changed) = lists.claim(ClientId(100), inbox(100), at(1), &tokens(1_000), false);
    assert!(!changed.full && changed.whole);
    assert!(changed.gave_way.len() <= 1);
    assert!(lists.long.of(at(1).wide) <= budgets::TOKENS_OF_ADDRESS);
    assert_eq!(listed(&lists, 100), 1_000);
}

#[test]
fn who_comes_back_to_a_full_relay_keeps_the_list() {
    let mut lists = Lists::new(1_000, 20_000);
    assert!(claim(&mut lists, 1, 1, 5_000));
    lists.left(second(1), ClientId(1), inbox(1));
    assert!(claim(&mut lists, 2, 2, 14_000));
    assert!(claim(&mut lists, 1, 1, 5_000), "it takes no more room than before");
    assert_eq!(listed(&lists, 1), 5_000);
    // A longer one finds no room: the list that was there stays, and judges nothing.
    lists.left(second(2), ClientId(1), inbox(1));
    let mut full = Lists::new(1_000, 100);
    assert!(claim(&mut full, 1, 1, 150));
    assert!(!claim(&mut full, 1, 1, 1_000));
    assert_eq!((listed(&full, 1), full.judges(inbox(1))), (150, None));
}

#[test]
fn who_leaves_in_the_middle_of_a_list_has_the_one_before() {
    let mut lists = Lists::new(10, 10_000);
    claim(&mut lists, 1, 1, 500);
    lists.claim(ClientId(2), inbox(1), at(1), &tokens(3), true);
    assert_eq!(lists.judge(inbox(1), &tokens(400)[399]), Judged::Undecided);
    lists.left(second(1), ClientId(2), inbox(1));
    assert_eq!(lists.judge(inbox(1), &tokens(400)[399]), Judged::Listed(None));
}
