//! Called into a room, and inside before the answer.
//!
//! Lives here: who may come in while it rings, what is heard before and after the answer, what is left of who does not answer.
//! Must not: tell what a room does once all have answered.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails its test")]

use std::time::Duration;

use ahoy_call::{
    CallId, EndReason, EndedBy, Event, Fact, MemberState, Message, Opaque, Outcome, RoomWord, State,
};
use ahoy_tests::world::{MINUTE, SECOND, World, device};

use super::all_hear;

const SIX: [&str; 6] = ["ada", "bob", "eve", "dan", "fay", "gus"];
/// A few trips of a message, and less than it takes to come into a room.
const AT_ONCE: Duration = Duration::from_millis(300);

/// Ada's relay has rooms; she calls five others, and it rings.
fn ringing(preconnect: bool) -> (World, CallId) {
    let mut w = World::new(7, &SIX);
    w.network.delay = Duration::from_millis(25);
    w.preconnect = preconnect;
    w.give_rooms(&["ada"]);
    let call = w.start("ada", &SIX[1..]).unwrap();
    w.pass(3 * SECOND);
    (w, call)
}

/// The devices that have a way into a room.
fn on_the_way(w: &World) -> Vec<&str> {
    let own = |name: &&str| {
        let number = w.who(name);
        w.people[number].media.paths.keys().any(|key| key.1 == device(number))
    };
    SIX.into_iter().filter(own).collect()
}

#[test]
fn who_is_called_comes_in_while_it_rings_and_is_heard_at_once_after_the_answer() {
    let (mut w, call) = ringing(true);
    assert_eq!((w.state("bob"), w.in_rooms(call)), (Some(State::Incoming), (6, 1)));
    for second in 0..25 {
        assert_eq!(w.in_rooms(call), (6, 1), "after {second} s: nobody is taken for a stranger");
        w.pass(SECOND);
        w.check();
    }
    w.answer("bob").unwrap();
    w.pass(AT_ONCE);
    assert!(w.hears(0, 1) && w.hears(1, 0));
    for who in ["ada", "bob"] {
        assert!(w.facts(who).contains(&Fact::Connected), "{who} hears nothing");
    }
    w.answer("eve").unwrap();
    w.pass(2 * AT_ONCE);
    all_hear(&w, call, &["ada", "bob", "eve"]);
    assert!(w.hears(1, 2) && w.hears(2, 1), "those who rang beside each other, too");
    assert_eq!(w.in_rooms(call), (6, 1));
}

#[test]
fn nobody_is_shown_one_who_rings_in_the_room_as_joined_and_neither_hears_the_other() {
    let (mut w, call) = ringing(true);
    for who in &SIX[1..4] {
        w.answer(who).unwrap();
    }
    w.pass(10 * SECOND);
    all_hear(&w, call, &SIX[..4]);
    assert_eq!(w.in_rooms(call), (6, 1));
    for who in &SIX[..4] {
        for guest in ["fay", "gus"] {
            let stands = w.stands(who, call, guest);
            assert!(matches!(stands, Some(MemberState::Invited | MemberState::Ringing)), "{stands:?}");
            assert!(!w.hears(w.who(who), w.who(guest)) && !w.hears(w.who(guest), w.who(who)));
        }
    }
    assert_eq!(w.rooms.keys_of(call, 4), 0, "who may still say no gets no key");
    assert!(!w.people[4].media.microphone_open());
    let seen = |whom: &str| w.stands("fay", call, whom);
    assert_eq!(seen("bob"), Some(MemberState::Connecting), "who rings hears nobody");
    assert_eq!(seen("gus"), Some(MemberState::Invited));
}

#[test]
fn one_who_declines_or_lets_it_ring_is_out_of_the_room_and_its_key_opens_nothing() {
    let (mut w, call) = ringing(true);
    w.answer("bob").unwrap();
    w.pass(2 * SECOND);
    w.decline("eve").unwrap();
    w.pass(SECOND);
    assert_eq!(w.in_rooms(call), (5, 1));
    let before = w.rooms.keys_of(call, 0);
    w.pass(2 * MINUTE);
    assert_eq!((w.state("dan"), w.in_rooms(call)), (Some(State::Disconnected), (2, 1)));
    all_hear(&w, call, &["ada", "bob"]);
    assert_eq!(on_the_way(&w), ["ada", "bob"]);
    // Eve comes in again, under another name and key.
    w.join("eve", call).unwrap();
    w.pass(20 * SECOND);
    all_hear(&w, call, &["ada", "bob", "eve"]);
    assert!(w.rooms.keys_of(call, 0) > before);
    w.until_quiet();
    w.check_quiet(true);
}

#[test]
fn one_who_declines_in_the_room_and_comes_after_all_is_heard_at_once() {
    let (mut w, call) = ringing(true);
    w.answer("bob").unwrap();
    w.pass(2 * SECOND);
    w.decline("eve").unwrap();
    w.pass(SECOND);
    w.join("eve", call).unwrap();
    w.pass(2 * SECOND);
    all_hear(&w, call, &["ada", "bob", "eve"]);
}

#[test]
fn the_key_of_a_guest_is_another_once_its_caller_has_left() {
    let (mut w, call) = ringing(true);
    for who in ["bob", "eve"] {
        w.answer(who).unwrap();
    }
    w.pass(4 * SECOND);
    w.leave("ada", call).unwrap();
    w.pass(SECOND);
    assert_eq!(w.state("dan"), Some(State::Incoming), "those who are in it are still there to be met");
    w.answer("dan").unwrap();
    w.pass(20 * SECOND);
    all_hear(&w, call, &["bob", "eve", "dan"]);
    w.check_rooms();
}

#[test]
fn without_preconnect_nothing_goes_to_a_room_before_the_answer() {
    let (mut w, call) = ringing(false);
    w.pass(20 * SECOND);
    assert_eq!((w.in_rooms(call), on_the_way(&w)), ((1, 1), vec!["ada"]));
    w.answer("bob").unwrap();
    w.pass(2 * SECOND);
    all_hear(&w, call, &["ada", "bob"]);
    assert_eq!(on_the_way(&w), ["ada", "bob"]);
}

#[test]
fn a_pass_of_one_whom_we_did_not_let_ring_leads_nowhere() {
    let (mut w, call) = ringing(true);
    let stranger = CallId::from_bytes([9; 16]);
    for (from, of) in [("gus", call), ("fay", call), ("ada", stranger)] {
        let (leg, bob) = (device(w.who(from)), w.who("bob"));
        let before = w.people[bob].media.paths.clone();
        let message = Message::Room(RoomWord::Pass(Opaque(vec![1])));
        w.event(bob, Event::Received { call: of, leg, message });
        w.pass(SECOND);
        assert_eq!(w.people[bob].media.paths, before, "{from}");
    }
}

#[test]
fn it_rings_as_soon_as_the_room_is_reached_and_anyhow_after_a_while() {
    let mut w = World::new(7, &SIX);
    w.give_rooms(&["ada"]);
    w.rooms.silent = true;
    let call = w.start("ada", &SIX[1..]).unwrap();
    w.pass(2 * SECOND);
    assert_eq!((w.state("bob"), w.in_rooms(call).0), (Some(State::Incoming), 0));
    w.rooms.silent = false;
    w.pass(20 * SECOND);
    w.answer("bob").unwrap();
    w.pass(20 * SECOND);
    all_hear(&w, call, &["ada", "bob"]);
}

#[test]
fn another_device_that_answers_takes_the_first_out_of_the_room() {
    let mut w = World::with_devices(7, &[("ada", 1), ("bob", 2), ("eve", 1), ("dan", 1), ("fay", 1)]);
    w.give_rooms(&["ada"]);
    let call = w.start("ada", &["bob", "eve", "dan", "fay"]).unwrap();
    w.pass(3 * SECOND);
    assert_eq!(w.in_rooms(call), (6, 1));
    w.answer("bob2").unwrap();
    w.pass(2 * SECOND);
    assert_eq!(w.in_rooms(call), (5, 1));
    all_hear(&w, call, &["ada", "bob2"]);
}

/// Bob has two devices; all but his second have answered.
fn on_the_first_device() -> (World, CallId) {
    let mut w = World::with_devices(7, &[("ada", 1), ("bob", 2), ("eve", 1), ("dan", 1), ("fay", 1)]);
    w.give_rooms(&["ada"]);
    let call = w.start("ada", &["bob", "eve", "dan", "fay"]).unwrap();
    w.pass(3 * SECOND);
    w.decline("bob2").unwrap();
    for who in ["bob", "eve", "dan", "fay"] {
        w.answer(who).unwrap();
    }
    w.pass(15 * SECOND);
    all_hear(&w, call, &["ada", "bob", "eve", "dan", "fay"]);
    (w, call)
}

#[test]
fn a_device_that_joins_supersedes_another_of_the_same_person_which_is_out_of_the_room() {
    let (mut w, call) = on_the_first_device();
    w.join("bob2", call).unwrap();
    w.pass(2 * SECOND);
    assert_eq!(w.end("bob"), (EndReason::Superseded, EndedBy::Remote, Outcome::Answered));
    assert!(!w.people[w.who("bob")].media.microphone_open());
    w.pass(20 * SECOND);
    all_hear(&w, call, &["ada", "bob2", "eve", "dan", "fay"]);
    let (bob, bob2) = (w.who("bob"), w.who("bob2"));
    for other in ["ada", "eve", "dan", "fay"].map(|name| w.who(name)) {
        assert!(w.hears(other, bob2) && w.hears(bob2, other));
        assert!(!w.hears(other, bob) && !w.hears(bob, other));
    }
    assert_eq!(w.in_rooms(call), (5, 1));
    w.until_quiet();
    w.check_quiet(true);
    // What rings later rings there as well, and nothing answers by itself.
    w.end_for_all("ada", call).unwrap();
    w.pass(15 * SECOND);
    w.start("ada", &["bob", "eve", "dan", "fay"]).unwrap();
    w.pass(3 * SECOND);
    assert_eq!((w.state("bob"), w.state("bob2")), (Some(State::Incoming), Some(State::Incoming)));
}

#[test]
fn of_two_devices_that_answer_at_once_the_first_stays_and_the_other_leaves_the_room() {
    let mut w = World::with_devices(7, &[("ada", 1), ("bob", 2), ("eve", 1), ("dan", 1), ("fay", 1)]);
    w.network.delay = Duration::from_millis(200);
    w.give_rooms(&["ada"]);
    let call = w.start("ada", &["bob", "eve", "dan", "fay"]).unwrap();
    w.pass(5 * SECOND);
    w.answer("bob").unwrap();
    w.pass(Duration::from_millis(50));
    w.answer("bob2").unwrap();
    w.pass(20 * SECOND);
    assert_eq!(w.end("bob2").0, EndReason::AnsweredElsewhere);
    all_hear(&w, call, &["ada", "bob"]);
}
