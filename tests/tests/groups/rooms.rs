//! More voices than a mesh holds: rooms.
//!
//! Lives here: how a call moves into a room and out of it, who is let in, what becomes of it when the server fails.
//! Must not: tell what a mesh does by itself.

use std::time::Duration;

use ahoy_call::{
    CallId, Command, EndReason, EndedBy, Event, LegId, MemberState, Message, Opaque, Outcome, Refusal,
    RoomWord, State,
};
use ahoy_tests::world::{MINUTE, SECOND, World, device, digits};

use super::{SOON, all_hear};

pub(super) const SIX: [&str; 6] = ["ada", "bob", "eve", "dan", "fay", "gus"];

fn six() -> World {
    World::new(7, &SIX)
}

/// Each of them hears each other one, by a room or not.
pub(super) fn all_sound(w: &World, call: CallId, who: &[&str]) {
    all_hear(w, call, who);
    for one in who {
        for other in who.iter().filter(|other| *other != one) {
            assert!(w.hears(w.who(one), w.who(other)), "{one} hears {other}");
        }
    }
}

/// How many direct paths these devices have.
fn direct(w: &World, who: &[&str]) -> usize {
    let of = |name: &&str| {
        let number = w.who(name);
        w.people[number].media.paths.keys().filter(|key| key.1 != device(number)).count()
    };
    who.iter().map(of).sum()
}

/// Ada's relay has rooms; these talk, Ada began it.
pub(super) fn gathered(others: &[&str]) -> (World, CallId) {
    let mut w = six();
    w.give_rooms(&["ada"]);
    let call = w.gather("ada", others);
    (w, call)
}

pub(super) fn said(w: &mut World, call: CallId, from: &str, to: &str, word: RoomWord) {
    let (leg, to) = (device(w.who(from)), w.who(to));
    w.event(to, Event::Received { call, leg, message: Message::Room(word) });
}

fn leg(w: &World, name: &str) -> LegId {
    device(w.who(name))
}

#[test]
fn up_to_four_meet_without_a_room_even_where_one_can_be_had() {
    let (w, call) = gathered(&["bob", "eve", "dan"]);
    all_sound(&w, call, &SIX[..4]);
    assert_eq!((w.rooms.opened, w.in_rooms(call)), (0, (0, 0)));
    assert!(w.view_of("ada", call).unwrap().can.invite, "there is place for more");
}

#[test]
fn a_fifth_joins_and_nobody_falls_silent_while_all_move_into_the_room() {
    let (mut w, call) = gathered(&["bob", "eve", "dan"]);
    w.invite("ada", call, "fay").unwrap();
    w.pass(2 * SECOND);
    w.answer("fay").unwrap();
    for _ in 0..200 {
        w.pass(Duration::from_millis(50));
        all_sound(&w, call, &SIX[..4]);
    }
    all_sound(&w, call, &SIX[..5]);
    assert_eq!((w.rooms.opened, w.in_rooms(call)), (1, (5, 1)));
    assert_eq!(direct(&w, &SIX), 0, "what the room carries goes no other way");
    w.check_quiet(true);
}

#[test]
fn six_meet_in_one_room_and_stay_there_when_they_are_fewer() {
    let (mut w, call) = gathered(&SIX[1..]);
    w.pass(SOON);
    all_sound(&w, call, &SIX);
    assert_eq!((w.rooms.opened, w.in_rooms(call)), (1, (6, 1)));
    for who in ["gus", "fay", "dan"] {
        w.leave(who, call).unwrap();
        w.pass(2 * SECOND);
        w.check_quiet(true);
    }
    w.pass(MINUTE);
    all_sound(&w, call, &SIX[..3]);
    assert_eq!((w.in_rooms(call), direct(&w, &SIX)), ((3, 1), 0));
    w.join("gus", call).unwrap();
    w.pass(SOON);
    all_sound(&w, call, &["ada", "bob", "eve", "gus"]);
    assert_eq!(w.in_rooms(call), (4, 1));
    w.end_for_all("ada", call).unwrap();
    w.pass(SOON);
    assert_eq!(w.in_rooms(call), (0, 0));
    w.until_quiet();
    w.check_quiet(true);
}

#[test]
fn the_first_who_answers_is_heard_by_the_room_within_a_second() {
    let mut w = six();
    w.give_rooms(&["ada"]);
    w.start("ada", &SIX[1..]).unwrap();
    w.pass(2 * SECOND);
    w.answer("bob").unwrap();
    w.pass(SECOND);
    assert!(w.hears(0, 1) && w.hears(1, 0));
}

#[test]
fn who_comes_an_hour_later_gets_a_fresh_pass_from_one_who_is_there() {
    let mut w = six();
    w.give_rooms(&["ada", "eve"]);
    let call = w.gather("ada", &SIX[1..5]);
    w.pass(SOON);
    w.leave("ada", call).unwrap();
    w.pass(60 * MINUTE);
    all_sound(&w, call, &["bob", "eve", "dan", "fay"]);
    w.invite("bob", call, "gus").unwrap();
    w.pass(2 * SECOND);
    w.answer("gus").unwrap();
    w.pass(SOON);
    all_sound(&w, call, &["bob", "eve", "dan", "fay", "gus"]);
    assert_eq!((w.rooms.opened, w.in_rooms(call)), (1, (5, 1)));
    w.join("ada", call).unwrap();
    w.pass(SOON);
    all_sound(&w, call, &SIX);
    assert_eq!((w.rooms.opened, w.in_rooms(call)), (1, (6, 1)), "its opener comes back as a guest");
    w.check_quiet(true);
}

#[test]
fn who_answers_after_a_pass_has_lived_gets_another() {
    let (mut w, call) = gathered(&SIX[1..5]);
    w.pass(SOON);
    w.invite("ada", call, "gus").unwrap();
    w.pass(85 * SECOND);
    w.answer("gus").unwrap();
    w.pass(SOON);
    all_sound(&w, call, &SIX);
}

#[test]
fn those_inside_go_on_when_the_only_one_who_could_open_a_room_leaves() {
    let (mut w, call) = gathered(&SIX[1..]);
    w.pass(SOON);
    w.leave("ada", call).unwrap();
    w.pass(2 * MINUTE);
    all_sound(&w, call, &SIX[1..]);
    assert_eq!(w.in_rooms(call), (5, 1));
}

#[test]
fn all_meet_in_one_room_when_the_only_one_who_could_open_one_leaves_and_comes_back() {
    let (mut w, call) = gathered(&SIX[1..]);
    w.pass(SOON);
    w.leave("ada", call).unwrap();
    w.pass(SECOND);
    w.join("ada", call).unwrap();
    w.pass(MINUTE);
    all_sound(&w, call, &SIX);
    assert_eq!(w.in_rooms(call), (6, 1));
    w.check_quiet(true);
}

#[test]
fn where_the_server_refuses_the_fifth_finds_no_place_and_four_go_on() {
    let (mut w, call) = gathered(&["bob", "eve", "dan"]);
    w.rooms.refuses = true;
    w.invite("ada", call, "fay").unwrap();
    w.pass(2 * SECOND);
    let _ = w.answer("fay");
    w.pass(SOON);
    assert_eq!(w.end("fay"), (EndReason::RoomFull, EndedBy::Policy, Outcome::Missed));
    all_sound(&w, call, &SIX[..4]);
    assert!(!w.view_of("ada", call).unwrap().can.invite);
    w.until_quiet();
    all_sound(&w, call, &SIX[..4]);
}

#[test]
fn where_the_server_lets_nobody_in_four_go_on_as_a_mesh_and_the_rest_hears_why() {
    let mut w = six();
    w.give_rooms(&["ada"]);
    w.rooms.silent = true;
    let call = w.gather("ada", &SIX[1..]);
    w.pass(15 * SECOND);
    let inside: Vec<&str> =
        SIX.into_iter().filter(|who| w.state_of(who, call) == Some(State::Active)).collect();
    assert_eq!(inside.len(), 4, "{inside:?}");
    all_sound(&w, call, &inside);
}

#[test]
fn a_server_that_dies_under_four_is_replaced_by_a_mesh_at_once() {
    let (mut w, call) = gathered(&SIX[1..5]);
    w.pass(SOON);
    w.leave("fay", call).unwrap();
    w.pass(SOON);
    assert_eq!((w.in_rooms(call), direct(&w, &SIX)), ((4, 1), 0));
    w.kill_rooms();
    w.pass(4 * SECOND);
    all_sound(&w, call, &SIX[..4]);
}

#[test]
fn a_server_that_dies_under_six_and_comes_back_has_them_again() {
    let (mut w, call) = gathered(&SIX[1..]);
    w.pass(SOON);
    w.kill_rooms();
    w.pass(8 * SECOND);
    w.rooms.dead = false;
    w.pass(20 * SECOND);
    all_sound(&w, call, &SIX);
    assert_eq!((w.rooms.opened, w.in_rooms(call)), (2, (6, 1)));
}

#[test]
fn a_server_that_dies_under_six_for_good_leaves_four_in_a_mesh() {
    let (mut w, call) = gathered(&SIX[1..]);
    w.pass(SOON);
    w.kill_rooms();
    w.pass(MINUTE);
    let inside: Vec<&str> =
        SIX.into_iter().filter(|who| w.state_of(who, call) == Some(State::Active)).collect();
    assert_eq!(inside.len(), 4, "{inside:?}");
    all_sound(&w, call, &inside);
    w.until_quiet();
    w.check_quiet(true);
}

#[test]
fn who_reaches_the_server_no_more_is_connecting_and_comes_back() {
    let (mut w, call) = gathered(&SIX[1..]);
    w.pass(SOON);
    w.cut_from_rooms(2, true);
    w.pass(5 * SECOND);
    assert_eq!(w.stands("ada", call, "eve"), Some(MemberState::Connecting));
    all_sound(&w, call, &["ada", "bob", "dan", "fay", "gus"]);
    w.cut_from_rooms(2, false);
    w.pass(MINUTE);
    all_sound(&w, call, &SIX);
    assert_eq!(w.in_rooms(call), (6, 1));
}

#[test]
fn one_who_crashes_in_a_room_has_left_and_can_be_called_again() {
    let (mut w, call) = gathered(&SIX[1..]);
    w.pass(SOON);
    w.crash(2);
    w.pass(40 * SECOND);
    assert_eq!(w.stands("ada", call, "eve"), Some(MemberState::Left));
    w.invite("bob", call, "eve").unwrap();
    w.pass(3 * SECOND);
    w.answer("eve").unwrap();
    w.pass(2 * SOON);
    all_sound(&w, call, &SIX);
}

#[test]
fn the_room_goes_on_when_its_opener_crashes() {
    let mut w = six();
    w.give_rooms(&["ada", "dan"]);
    let call = w.gather("ada", &SIX[1..5]);
    w.pass(SOON);
    w.crash(0);
    w.pass(40 * SECOND);
    all_sound(&w, call, &SIX[1..5]);
    w.invite("dan", call, "gus").unwrap();
    w.pass(3 * SECOND);
    w.answer("gus").unwrap();
    w.pass(SOON);
    all_sound(&w, call, &SIX[1..]);
    assert_eq!((w.rooms.opened, w.in_rooms(call)), (1, (5, 1)));
}

#[test]
fn who_was_put_out_hears_nothing_two_seconds_later() {
    let (mut w, call) = gathered(&SIX[1..]);
    w.pass(SOON);
    w.remove("ada", call, "gus").unwrap();
    w.pass(2 * SECOND);
    assert!((0..5).all(|other| !w.hears(5, other) && !w.hears(other, 5)));
    w.check_rooms();
    all_sound(&w, call, &SIX[..5]);
}

#[test]
fn one_who_is_blocked_is_not_heard_in_a_room_and_does_not_hear() {
    let (mut w, call) = gathered(&SIX[1..]);
    w.pass(SOON);
    w.block("bob", "eve").unwrap();
    w.pass(3 * SECOND);
    assert!(!w.hears(1, 2) && !w.hears(2, 1));
    assert_ne!(w.stands("eve", call, "bob"), Some(MemberState::Joined));
    all_sound(&w, call, &["ada", "bob", "dan", "fay", "gus"]);
    all_sound(&w, call, &["ada", "eve", "dan", "fay", "gus"]);
}

#[test]
fn held_and_muted_hold_in_a_room() {
    let (mut w, call) = gathered(&SIX[1..]);
    w.pass(SOON);
    w.hold("bob", call).unwrap();
    w.mute("eve", true).unwrap();
    w.pass(2 * SECOND);
    assert!(!w.hears(1, 0) && !w.hears(0, 1));
    assert!(w.people[2].media.muted.contains(&call));
    w.resume("bob", call).unwrap();
    w.pass(2 * SECOND);
    all_sound(&w, call, &SIX);
}

#[test]
fn digits_go_into_the_room_and_not_while_it_is_held() {
    let (mut w, call) = gathered(&SIX[1..]);
    w.pass(SOON);
    let command = Command::SendTones { call, digits: digits() };
    w.command(1, command.clone()).unwrap();
    let of: Vec<LegId> = w.people[1].media.digits.iter().map(|(leg, _)| *leg).collect();
    assert_eq!(of, [leg(&w, "bob")], "once, in the voice that goes into the room");
    w.hold("bob", call).unwrap();
    assert_eq!(w.command(1, command), Err(Refusal::InvalidState));
    // In a mesh they go by a path, once as well.
    let (mut w, call) = gathered(&["bob", "eve"]);
    w.command(0, Command::SendTones { call, digits: digits() }).unwrap();
    assert_eq!(w.people[0].media.digits.len(), 1);
    assert_ne!(w.people[0].media.digits[0].0, leg(&w, "ada"));
}

#[test]
fn a_pass_counts_only_from_one_who_takes_part_and_can_open_a_room() {
    let (mut w, call) = gathered(&["bob", "eve", "dan"]);
    for from in ["bob", "fay"] {
        for n in 0..40 {
            said(&mut w, call, from, "eve", RoomWord::Pass(Opaque(vec![n])));
        }
    }
    w.pass(SECOND);
    assert!(w.people[2].media.paths.keys().all(|key| key.1 != leg(&w, "eve")), "she went nowhere");
    all_sound(&w, call, &SIX[..4]);
}

#[test]
fn a_pass_of_another_pulls_nobody_out_of_a_room_that_works() {
    let mut w = six();
    w.give_rooms(&["ada", "bob"]);
    let call = w.gather("ada", &SIX[1..]);
    w.pass(SOON);
    let before = w.people[2].media.paths.clone();
    for n in 0..40 {
        said(&mut w, call, "bob", "eve", RoomWord::Pass(Opaque(vec![n])));
    }
    assert_eq!(w.people[2].media.paths, before);
    w.pass(SOON);
    all_sound(&w, call, &SIX);
}

#[test]
fn the_eleventh_voice_finds_no_place() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"];
    let mut w = World::new(7, &names);
    w.give_rooms(&["a"]);
    let call = w.gather("a", &names[1..10]);
    w.pass(SOON);
    all_sound(&w, call, &names[..10]);
    assert_eq!((w.rooms.opened, w.in_rooms(call)), (1, (10, 1)));
    assert_eq!(w.invite("a", call, "k"), Err(Refusal::RoomFull));
}
