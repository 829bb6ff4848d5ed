//! Do two who pair find each other at a relay, and nobody too much?
//!
//! Lives here: numbers, from one's claim to both's leaving; their end, their bounds, strangers who try them.
//! Must not: know what two who pair say.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails its test")]

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ahoy_proto::envelope::Body;
use ahoy_proto::frame::{ToClient, ToRelay, Why};
use ahoy_proto::limits;
use ahoy_proto::plate::PlateOver;
use ahoy_relay::switchboard::{ClientId, Delivery, What};

use crate::rig::{Owner, Relay};

fn at(n: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + n))
}

/// Somebody with an inbox, at an address of its own.
fn person(r: &mut Relay, n: u32) -> ClientId {
    r.claim_from(at(n), &Owner::numbered(n)).0
}

fn heard(out: &[Delivery], client: ClientId) -> Vec<ToClient> {
    let of = out.iter().filter(|d| d.to == client);
    of.filter_map(|d| if let What::Say(frame) = &d.what { Some(frame.clone()) } else { None }).collect()
}

fn claim(r: &mut Relay, client: ClientId) -> Result<u32, PlateOver> {
    let out = r.say(client, ToRelay::PlateClaim);
    match heard(&out, client).last() {
        Some(ToClient::PlateClaimed { number, lives_s: 600 }) => Ok(*number),
        Some(ToClient::PlateOver { why }) => Err(*why),
        other => panic!("{other:?}"),
    }
}

fn join(r: &mut Relay, client: ClientId, number: u32) -> Vec<Delivery> {
    r.say(client, ToRelay::PlateJoin { number })
}

fn over(why: PlateOver) -> Vec<ToClient> {
    vec![ToClient::PlateOver { why }]
}

fn says(bytes: usize) -> ToRelay {
    ToRelay::PlateSay { body: Body::try_from(vec![7; bytes]).unwrap() }
}

/// Two who have met.
fn met() -> (Relay, ClientId, ClientId, u32) {
    let mut r = Relay::new();
    let (ana, ben) = (person(&mut r, 1), person(&mut r, 2));
    let number = claim(&mut r, ana).unwrap();
    let out = join(&mut r, ben, number);
    for who in [ana, ben] {
        assert_eq!(heard(&out, who), [ToClient::PlateMet]);
    }
    (r, ana, ben, number)
}

#[test]
fn two_meet_by_a_number_and_hear_each_other_alone() {
    let (mut r, ana, ben, number) = met();
    assert!((1_000..=9_999).contains(&number));
    let out = r.say(ana, says(50));
    let said = ToClient::PlateSaid { body: Body::try_from(vec![7; 50]).unwrap() };
    assert_eq!((heard(&out, ben), out.len()), (vec![said.clone()], 1));
    assert_eq!(heard(&r.say(ben, says(50)), ana), [said]);
    let out = r.say(ben, ToRelay::PlateLeave);
    assert_eq!((heard(&out, ana), out.len()), (over(PlateOver::Left), 1));
    assert_eq!(r.say(ana, says(50)), [], "nobody is there");
}

#[test]
fn a_number_is_good_once() {
    let (mut r, ana, ben, number) = met();
    let eve = person(&mut r, 3);
    let out = join(&mut r, eve, number);
    assert_eq!((heard(&out, eve), out.len()), (over(PlateOver::NoSuch), 1), "two are there");
    r.say(ana, ToRelay::PlateLeave);
    assert_eq!(heard(&join(&mut r, eve, number), eve), over(PlateOver::NoSuch));
    assert_eq!(heard(&join(&mut r, ben, number), ben), over(PlateOver::NoSuch));
}

#[test]
fn a_number_that_was_never_given_is_no_number_and_ones_own_brings_nobody() {
    let mut r = Relay::new();
    let ana = person(&mut r, 1);
    for number in [0, 999, 4_711, u32::MAX] {
        assert_eq!(heard(&join(&mut r, ana, number), ana), over(PlateOver::NoSuch));
    }
    let own = claim(&mut r, ana).unwrap();
    assert_eq!(heard(&join(&mut r, ana, own), ana), over(PlateOver::NoSuch));
}

#[test]
fn who_asks_anew_replaces_what_was() {
    let (mut r, ana, ben, first) = met();
    let out = r.say(ana, ToRelay::PlateClaim);
    assert_eq!(heard(&out, ben), over(PlateOver::Left));
    assert_eq!(heard(&join(&mut r, ben, first), ben), over(PlateOver::NoSuch));
    let second = claim(&mut r, ana).unwrap();
    assert_eq!(heard(&join(&mut r, ben, second), ben), [ToClient::PlateMet]);
}

#[test]
fn a_number_ends_after_ten_minutes_and_both_who_have_met_after_one() {
    let mut r = Relay::new();
    let (ana, ben) = (person(&mut r, 1), person(&mut r, 2));
    let number = claim(&mut r, ana).unwrap();
    let early = r.after(limits::PLATE_LIVES - Duration::from_secs(1));
    assert_eq!(heard(&early, ana), []);
    let late = r.after(Duration::from_secs(1));
    assert_eq!(heard(&late, ana), over(PlateOver::Expired));
    assert_eq!(heard(&join(&mut r, ben, number), ben), over(PlateOver::NoSuch));

    // Who is met in the last second has the time that it takes.
    let number = claim(&mut r, ana).unwrap();
    r.after(limits::PLATE_LIVES - Duration::from_secs(1));
    assert_eq!(heard(&join(&mut r, ben, number), ben), [ToClient::PlateMet]);
    assert_eq!(r.after(limits::PLATE_TALKS - Duration::from_secs(1)), []);
    let late = r.after(Duration::from_secs(1));
    assert_eq!((heard(&late, ana), heard(&late, ben)), (over(PlateOver::Expired), over(PlateOver::Expired)));
}

#[test]
fn who_is_gone_leaves_and_the_other_is_told() {
    for goes_host in [true, false] {
        let (mut r, ana, ben, number) = met();
        let (goes, stays) = if goes_host { (ana, ben) } else { (ben, ana) };
        r.board.disconnect(r.now, goes);
        let out = r.after(Duration::ZERO);
        assert_eq!(heard(&out, stays), over(PlateOver::Left));
        assert_eq!(heard(&join(&mut r, stays, number), stays), over(PlateOver::NoSuch));
    }
    let mut r = Relay::new();
    let ana = Owner::numbered(1);
    let (older, _) = r.claim_from(at(1), &ana);
    let number = claim(&mut r, older).unwrap();
    r.claim_from(at(1), &ana);
    let ben = person(&mut r, 2);
    assert_eq!(heard(&join(&mut r, ben, number), ben), over(PlateOver::NoSuch), "displaced");
}

#[test]
fn only_who_has_an_inbox_may_ask() {
    let mut r = Relay::new();
    let guest = r.sender();
    for frame in [ToRelay::PlateClaim, ToRelay::PlateJoin { number: 4_711 }, says(1), ToRelay::PlateLeave] {
        let out = r.say(guest, frame);
        assert_eq!(heard(&out, guest), [ToClient::Refused { id: None, why: Why::NotClaimed }]);
    }
}

#[test]
fn two_who_say_too_much_are_parted() {
    for (bytes, fits) in [(1, limits::PLATE_MESSAGES), (limits::PLATE_BYTES / 2, 2)] {
        let (mut r, ana, ben, _) = met();
        for _ in 0..fits {
            assert_eq!(heard(&r.say(ana, says(bytes)), ben).len(), 1);
        }
        let out = r.say(ana, says(bytes));
        assert_eq!(heard(&out, ana), over(PlateOver::TooMuch));
        assert_eq!(heard(&out, ben), over(PlateOver::Left));
    }
}

#[test]
fn an_address_tries_ten_numbers_a_minute_whoever_it_says_it_is() {
    let mut r = Relay::new();
    let ana = person(&mut r, 1);
    let number = claim(&mut r, ana).unwrap();
    let eves: Vec<ClientId> = (0..5).map(|n| r.claim_from(at(9), &Owner::numbered(100 + n)).0).collect();
    let mut answers = Vec::new();
    for tried in 0..50 {
        let eve = eves[tried % eves.len()];
        answers.extend(heard(&join(&mut r, eve, 1_000 + u32::try_from(tried).unwrap()), eve));
    }
    let found = |why| answers.iter().filter(|answer| **answer == ToClient::PlateOver { why }).count();
    assert_eq!((found(PlateOver::NoSuch), found(PlateOver::Rate)), (10, 40));
    assert_eq!(heard(&join(&mut r, eves[0], number), eves[0]), over(PlateOver::Rate), "nor the right one");
    let ben = person(&mut r, 2);
    assert_eq!(heard(&join(&mut r, ben, number), ben), [ToClient::PlateMet], "another address may");
    r.after(Duration::from_secs(60));
    assert_eq!(heard(&join(&mut r, eves[0], 1_000), eves[0]), over(PlateOver::NoSuch), "a minute later");
}

#[test]
fn the_networks_of_one_customer_try_forty() {
    let mut r = Relay::new();
    let mut answers = Vec::new();
    for n in 0..20_u16 {
        let net = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, n, 0, 0, 0, 1));
        let eve = r.claim_from(net, &Owner::numbered(u32::from(n))).0;
        for _ in 0..10 {
            answers.extend(heard(&join(&mut r, eve, 1_000), eve));
        }
    }
    let refused = answers.iter().filter(|it| **it == ToClient::PlateOver { why: PlateOver::Rate }).count();
    assert_eq!((answers.len(), refused), (200, 160));
}

#[test]
fn ten_numbers_wait_at_one_address_and_an_end_makes_room() {
    let mut r = Relay::new();
    let holders: Vec<ClientId> = (0..11).map(|n| r.claim_from(at(9), &Owner::numbered(n)).0).collect();
    for holder in &holders[..10] {
        claim(&mut r, *holder).unwrap();
    }
    r.after(Duration::from_secs(60));
    assert_eq!(claim(&mut r, holders[10]), Err(PlateOver::Full));
    let elsewhere = person(&mut r, 1);
    assert!(claim(&mut r, elsewhere).is_ok());
    r.say(holders[0], ToRelay::PlateLeave);
    assert!(claim(&mut r, holders[10]).is_ok());
}

#[test]
fn numbers_follow_no_order() {
    let mut r = Relay::new();
    let given: Vec<u32> = (0..200)
        .map(|n| {
            let who = person(&mut r, n);
            claim(&mut r, who).unwrap()
        })
        .collect();
    let thousands: BTreeSet<u32> = given.iter().map(|number| number / 1_000).collect();
    assert_eq!(thousands.len(), 9, "{given:?}");
    assert!(given.windows(2).filter(|two| two[0] < two[1]).count() < 130, "{given:?}");
}
