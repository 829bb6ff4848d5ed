//! Members that say what no honest one would.
//!
//! Lives here: what one member can make the others do by words alone.
//! Must not: tell what an honest member does when it breaks (`faults.rs`).

use std::time::Duration;

use ahoy_call::group::{Age, Gone, Presence, Statement};
use ahoy_call::{CallId, EndReason, State};
use ahoy_tests::world::{SECOND, World, device};

use super::{SOON, all_hear, five, three_talk};

/// Above all that an honest device says, and so far from each other that its own next words are no contradiction.
const FIRST: u32 = 1_000;

fn says(number: u32, presence: Presence) -> Statement {
    Statement {
        number: FIRST + 50 * number,
        presence,
        invited: vec![],
        removed: vec![],
        gone: vec![],
        ended: None,
        rooms: false,
    }
}

fn told(w: &World, from: usize, to: usize) -> u32 {
    w.said.get(&(from, to)).copied().unwrap_or(0)
}

/// Words that go from one to another in a minute, in each step of which this happens.
fn in_a_minute(w: &mut World, (from, to): (usize, usize), mut each: impl FnMut(&mut World, u32)) -> u32 {
    let before = told(w, from, to);
    for step in 0..240 {
        each(w, step);
        w.pass(Duration::from_millis(250));
    }
    told(w, from, to) - before
}

#[test]
fn whatever_one_says_of_the_others_the_phones_of_who_is_called_ring_on() {
    let mut w = five();
    let call = w.start("ada", &["bob", "eve", "dan"]).unwrap();
    w.pass(2 * SECOND);
    w.answer("bob").unwrap();
    w.pass(SOON);
    let gone = [0, 3].map(|who| Gone { leg: device(who), number: FIRST, at: Age(1) }).to_vec();
    let left = Presence::Left { joined: Some(Age(2_000)), at: Age(2_001) };
    w.slip(call, "bob", "ada", Statement { gone, ..says(0, left) });
    w.pass(3 * SECOND);
    assert_eq!(w.state("eve"), Some(State::Incoming));
}

#[test]
fn one_who_has_always_forgotten_everything_is_told_it_seldom() {
    let (mut w, call) = three_talk();
    let words = in_a_minute(&mut w, (0, 1), |w, _| w.slip_nothing(call, "bob", "ada"));
    assert!((1..=60).contains(&words), "{words} words");
}

#[test]
fn what_one_says_all_the_time_the_others_do_not_pass_on_each_time() {
    let (mut w, call) = three_talk();
    let joined = Presence::Joined { at: Age(2_000) };
    let words = in_a_minute(&mut w, (0, 2), |w, step| w.slip(call, "bob", "ada", says(step, joined)));
    assert!((1..=40).contains(&words), "{words} words");
}

/// Seven in a room.
fn in_room() -> (World, CallId) {
    let mut w = World::new(7, &["ada", "bob", "eve", "dan", "fay", "gus", "hal"]);
    w.give_rooms(&["ada"]);
    let call = w.gather("ada", &["bob", "eve", "dan", "fay", "gus", "hal"]);
    w.pass(SOON);
    (w, call)
}

/// In each step of a minute one of three says that it left, or came.
fn three_come_and_go(w: &mut World, call: CallId) {
    in_a_minute(w, (0, 1), |w, step| {
        let at = Age(20_000 + 250 * u64::from(step));
        let presence = match step / 4 % 2 {
            0 => Presence::Left { joined: Some(Age(2_000)), at },
            _ => Presence::Joined { at },
        };
        let who = ["dan", "fay", "hal"][step as usize % 3];
        w.slip(call, who, "ada", says(step, presence));
    });
}

#[test]
fn some_who_come_and_go_all_the_time_do_not_make_the_others_change_keys_each_time() {
    let (mut w, call) = in_room();
    let before = w.rooms.own_keys(call, 0);
    three_come_and_go(&mut w, call);
    let keys = w.rooms.own_keys(call, 0) - before;
    assert!((8..=32).contains(&keys), "{keys} keys in a minute");
    let steps = w.rooms.steps(call, 0);
    assert!((16..=34).contains(&steps), "{steps} steps in a minute");
}

#[test]
fn steps_of_a_key_have_a_bound_and_who_comes_meanwhile_waits_for_one() {
    let (mut w, call) = in_room();
    w.leave("gus", call).unwrap();
    w.pass(SOON);
    let before = w.rooms.steps(call, 0);
    three_come_and_go(&mut w, call);
    let steps = w.rooms.steps(call, 0) - before;
    assert!((16..=34).contains(&steps), "{steps} steps in a minute");
    let sealed = w.rooms.seals_with(call, 0).unwrap();
    w.join("gus", call).unwrap();
    for _ in 0..40 {
        w.pass(Duration::from_millis(250));
        assert!(!w.rooms.was_told(call, 5, 0, &sealed), "what was sealed before he came");
    }
    w.pass(2 * SOON);
    assert!(w.hears(5, 0), "and in the end he hears her");
}

#[test]
fn a_room_of_ten_is_made_with_few_messages_a_pair() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    let mut w = World::new(7, &names);
    w.give_rooms(&["a"]);
    let call = w.start("a", &names[1..]).unwrap();
    w.pass(2 * SECOND);
    for name in &names[1..] {
        w.answer(name).unwrap();
        w.pass(Duration::from_millis(200));
    }
    w.pass(2 * SOON);
    assert_eq!(w.in_rooms(call), (10, 1));
    all_hear(&w, call, &names);
    let all: u32 = w.said.values().sum();
    assert!(10 * all <= 97 * 45, "{all} messages of 45 pairs");
    w.end_for_all("a", call).unwrap();
    w.pass(SOON);
    for name in names {
        assert_eq!(w.end(name).0, EndReason::EndedByHost, "{name}");
    }
    let end = w.said.values().sum::<u32>() - all;
    assert!(end <= 2 * 9, "{end} messages for the end");
}

#[test]
fn a_starter_who_ends_it_for_all_and_tells_one_of_them_nothing_is_found_out() {
    let mut w = World::new(7, &["ada", "bob", "eve", "dan"]);
    let call = w.gather("ada", &["bob", "eve", "dan"]);
    all_hear(&w, call, &["ada", "bob", "eve", "dan"]);
    for left_out in ["bob", "eve", "dan"] {
        let mut w = w.clone();
        w.separate(w.who("ada"), w.who(left_out), true);
        w.end_for_all("ada", call).unwrap();
        // Bob and the others are told that this one was told as well.
        w.pass(SECOND);
        for name in ["bob", "eve", "dan"] {
            assert_eq!(w.end(name).0, EndReason::EndedByHost, "{name} without {left_out}");
        }
    }
}
