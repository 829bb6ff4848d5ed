//! Members that break, networks that split, people who are blocked.
//!
//! Lives here: what a group makes of silence, of a crash, of a partition.
//! Must not: tell what members do on purpose.

use ahoy_call::{EndReason, EndedBy, Event, MemberState, State};
use ahoy_tests::world::{MINUTE, SECOND, World};

use super::{SOON, all_hear, five, three_talk};

/// Nothing passes between these two sides, neither sound nor a word.
fn split(w: &mut World, here: &[usize], apart: bool) {
    for one in 0..w.people.len() {
        for other in 0..w.people.len() {
            if here.contains(&one) && !here.contains(&other) {
                w.cut(one, other, apart);
                w.separate(one, other, apart);
            }
        }
    }
}

#[test]
fn a_member_whose_path_breaks_is_connecting_and_comes_back() {
    let (mut w, call) = three_talk();
    w.cut(1, 2, true);
    w.pass(4 * SECOND);
    assert_eq!(w.stands("bob", call, "eve"), Some(MemberState::Connecting));
    assert_eq!(w.state_of("bob", call), Some(State::Active), "he hears Ada");
    w.pass(2 * MINUTE);
    assert_eq!(w.stands("bob", call, "eve"), Some(MemberState::Connecting), "she lives: he hears of her");
    w.cut(1, 2, false);
    w.pass(20 * SECOND);
    all_hear(&w, call, &["ada", "bob", "eve"]);
}

#[test]
fn a_member_that_crashes_has_left_and_can_be_called_again() {
    let (mut w, call) = three_talk();
    w.crash(1);
    w.pass(40 * SECOND);
    for who in ["ada", "eve"] {
        assert_eq!(w.stands(who, call, "bob"), Some(MemberState::Left), "{who}");
    }
    all_hear(&w, call, &["ada", "eve"]);
    w.invite("eve", call, "bob").unwrap();
    w.pass(3 * SECOND);
    assert_eq!(w.state("bob"), Some(State::Incoming));
    w.answer("bob").unwrap();
    w.pass(2 * SOON);
    all_hear(&w, call, &["ada", "bob", "eve"]);
}

#[test]
fn a_member_that_falls_silent_without_a_word_has_left_after_the_window() {
    let (mut w, call) = three_talk();
    w.sleep(1, true);
    w.pass(28 * SECOND);
    assert_eq!(w.stands("ada", call, "bob"), Some(MemberState::Connecting));
    w.pass(10 * SECOND);
    for who in ["ada", "eve"] {
        assert_eq!(w.stands(who, call, "bob"), Some(MemberState::Left), "{who}");
    }
    w.sleep(1, false);
    w.pass(MINUTE);
    all_hear(&w, call, &["ada", "bob", "eve"]);
}

#[test]
fn the_group_goes_on_when_its_starter_crashes() {
    let (mut w, call) = three_talk();
    w.crash(0);
    w.pass(40 * SECOND);
    all_hear(&w, call, &["bob", "eve"]);
    let hosts = ["bob", "eve"].into_iter().filter(|who| w.view_of(who, call).unwrap().host).count();
    assert_eq!(hosts, 1, "the role has passed");
    w.leave("bob", call).unwrap();
    w.leave("eve", call).unwrap();
    w.until_quiet();
    w.check_quiet(true);
}

#[test]
fn a_starter_that_dies_while_it_rings_leaves_no_ring_behind() {
    let mut w = five();
    let call = w.start("ada", &["bob", "eve", "dan"]).unwrap();
    w.pass(2 * SECOND);
    w.answer("bob").unwrap();
    w.pass(3 * SECOND);
    w.crash(0);
    w.pass(2 * SECOND);
    w.answer("dan").ok();
    w.pass(2 * MINUTE);
    w.check();
    let inside: Vec<&str> = ["bob", "eve", "dan"]
        .into_iter()
        .filter(|who| w.state_of(who, call).is_some_and(|state| state == State::Active))
        .collect();
    assert!(inside.contains(&"bob"), "{inside:?}");
    assert_eq!(w.end("eve").0, EndReason::Missed);
    all_hear(&w, call, &inside);
}

#[test]
fn a_split_shorter_than_the_window_changes_nothing_for_anybody() {
    let mut w = five();
    let call = w.gather("ada", &["bob", "eve", "dan"]);
    split(&mut w, &[0, 1], true);
    w.pass(10 * SECOND);
    w.leave("dan", call).unwrap();
    w.pass(10 * SECOND);
    split(&mut w, &[0, 1], false);
    w.pass(30 * SECOND);
    all_hear(&w, call, &["ada", "bob", "eve"]);
    let left = |who: &str| w.member(who, call, "dan").unwrap();
    let times = ["ada", "bob", "eve"].map(|who| left(who).left.unwrap());
    for (who, at) in ["ada", "bob", "eve"].into_iter().zip(times) {
        assert_eq!(left(who).state, MemberState::Left, "{who}");
        assert!(at.since(times[0]) < SECOND && times[0].since(at) < SECOND, "{who}: {times:?}");
    }
}

#[test]
fn after_a_longer_split_each_side_goes_on_and_they_join_again_when_they_meet() {
    let mut w = five();
    let call = w.gather("ada", &["bob", "eve", "dan"]);
    split(&mut w, &[0, 1], true);
    w.pass(MINUTE);
    all_hear(&w, call, &["ada", "bob"]);
    all_hear(&w, call, &["eve", "dan"]);
    assert_eq!(w.stands("ada", call, "eve"), Some(MemberState::Left));
    split(&mut w, &[0, 1], false);
    w.pass(2 * MINUTE);
    all_hear(&w, call, &["ada", "bob", "eve", "dan"]);
}

#[test]
fn a_member_whose_network_is_gone_for_a_while_is_alone_and_back_later() {
    let (mut w, call) = three_talk();
    split(&mut w, &[1], true);
    w.pass(90 * SECOND);
    assert_eq!(w.state_of("bob", call), Some(State::Active));
    assert!(w.view_of("bob", call).unwrap().alone);
    split(&mut w, &[1], false);
    w.pass(2 * MINUTE);
    all_hear(&w, call, &["ada", "bob", "eve"]);
}

#[test]
fn with_a_blocked_member_nothing_is_exchanged_and_the_others_go_on() {
    let (mut w, call) = three_talk();
    w.block("bob", "eve").unwrap();
    w.pass(2 * MINUTE);
    let eve = w.member("bob", call, "eve").unwrap();
    assert!(eve.blocked && eve.state != MemberState::Joined, "{eve:?}");
    assert_ne!(w.stands("eve", call, "bob"), Some(MemberState::Joined), "she hears nothing");
    assert!(!w.hears(1, 2) && !w.hears(2, 1));
    all_hear(&w, call, &["ada", "bob"]);
    all_hear(&w, call, &["ada", "eve"]);
}

#[test]
fn a_group_of_whom_one_blocked_rings_nobody_any_more() {
    let mut w = five();
    w.start("ada", &["bob", "eve"]).unwrap();
    w.pass(2 * SECOND);
    w.block("bob", "ada").unwrap();
    w.pass(SECOND);
    assert_ne!(w.state("bob"), Some(State::Incoming));
    assert_eq!(w.state("eve"), Some(State::Incoming));
    w.check();
}

#[test]
fn a_daemon_that_stops_leaves_the_group() {
    let (mut w, call) = three_talk();
    w.event(1, Event::Stopping);
    w.pass(SECOND);
    assert_eq!(w.end("bob"), (EndReason::Shutdown, EndedBy::Local, ahoy_call::Outcome::Answered));
    assert_eq!(w.stands("ada", call, "bob"), Some(MemberState::Left));
    all_hear(&w, call, &["ada", "eve"]);
}
