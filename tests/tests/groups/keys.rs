//! Keys of frames in a room.
//!
//! Lives here: whose key opens what, when keys are others, who is told.
//! Must not: tell who gets into a room (`rooms.rs`), or who waits there (`early.rs`).

use std::time::Duration;

use ahoy_call::{Opaque, RoomWord};
use ahoy_tests::world::{SECOND, World};

use super::rooms::{SIX, all_sound, gathered, said};
use super::{SOON, all_hear};

#[test]
fn who_comes_later_opens_what_is_said_from_then_on_and_nothing_of_before() {
    let (mut w, call) = gathered(&SIX[1..]);
    w.pass(SOON);
    w.leave("gus", call).unwrap();
    w.pass(10 * SECOND);
    let before: Vec<Vec<u8>> = (0..5).map(|who| w.rooms.seals_with(call, who).unwrap()).collect();
    let (made, said) = (w.rooms.own_keys(call, 0), w.said.clone());
    w.join("gus", call).unwrap();
    w.pass(10 * SECOND);
    all_hear(&w, call, &["ada", "bob", "eve", "dan", "fay", "gus"]);
    let gus = w.who("gus");
    for (who, key) in before.iter().enumerate() {
        assert!(!w.rooms.was_told(call, gus, who, key), "what was said before");
        assert_ne!(w.rooms.seals_with(call, who).as_ref(), Some(key));
    }
    assert_eq!(w.rooms.own_keys(call, 0), made, "nobody else is told a key for it");
    let more = |one: usize, other: usize| {
        w.said.get(&(one, other)).unwrap_or(&0) - said.get(&(one, other)).unwrap_or(&0)
    };
    assert!(more(0, 1) <= 2, "{} messages to one who was there", more(0, 1));
}

#[test]
fn of_many_steps_of_a_key_some_are_told_so_that_nobody_falls_behind() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    let mut w = World::new(7, &names);
    w.give_rooms(&["a"]);
    let call = w.start("a", &names[1..]).unwrap();
    w.pass(3 * SECOND);
    for who in &names[1..] {
        w.answer(who).unwrap();
        w.pass(3 * SECOND);
    }
    all_hear(&w, call, &names);
    // Eight came after the second: the seventh step of the first one's key was told to all.
    assert_eq!([1, 9].map(|who| w.rooms.told_keys(call, who, 0)), [2, 1]);
}

#[test]
fn a_flood_of_keys_and_lies_about_hearing_cost_only_who_tells_them() {
    let (mut w, call) = gathered(&SIX[1..]);
    w.pass(SOON);
    for n in 0..2_000 {
        said(&mut w, call, "bob", "eve", RoomWord::Key { serial: 1_000 + n, key: Opaque(vec![1]) });
        said(&mut w, call, "bob", "eve", RoomWord::Hears { serial: 1_000 + n, heard: n % 2 == 0 });
        w.pass(Duration::from_millis(1));
    }
    w.pass(SOON);
    all_sound(&w, call, &["ada", "eve", "dan", "fay", "gus"]);
    let keys = w.rooms.keys_of(call, 2);
    assert!(keys < 40, "{keys} keys got to her port");
}

#[test]
fn the_key_of_one_who_does_not_take_part_gets_nowhere() {
    let (mut w, call) = gathered(&SIX[1..5]);
    w.pass(SOON);
    let before = w.rooms.keys_of(call, 0);
    said(&mut w, call, "gus", "ada", RoomWord::Key { serial: 1, key: Opaque(vec![1; 16]) });
    w.pass(SOON);
    assert_eq!(w.rooms.keys_of(call, 0), before);
    all_sound(&w, call, &SIX[..5]);
}
