//! Do calls between several behave? Real phones under a virtual clock, a seeded network between them.
//!
//! Lives here: a group from its start to its end, told as stories.
//! Must not: use real time, sockets or sound.

#[path = "groups/early.rs"]
mod early;
#[path = "groups/enemies.rs"]
mod enemies;
#[path = "groups/faults.rs"]
mod faults;
#[path = "groups/grown.rs"]
mod grown;
#[path = "groups/keys.rs"]
mod keys;
#[path = "groups/rings.rs"]
mod rings;
#[path = "groups/rooms.rs"]
mod rooms;
#[path = "groups/twice.rs"]
mod twice;
#[path = "groups/verbs.rs"]
mod verbs;

use std::time::Duration;

use MemberState::{Joined, Left};
use ahoy_call::{CallId, EndReason, EndedBy, Fact, MemberState, Outcome, Refusal, State};
use ahoy_tests::world::{MINUTE, SECOND, World};

const SOON: Duration = Duration::from_secs(5);

fn five() -> World {
    World::new(7, &["ada", "bob", "eve", "dan", "fay"])
}

fn states(w: &World, who: &[&str]) -> Vec<Option<State>> {
    who.iter().map(|who| w.state(who)).collect()
}

/// Ada, Bob and Eve are in a group that Ada began.
fn three_talk() -> (World, CallId) {
    let mut w = five();
    let call = w.gather("ada", &["bob", "eve"]);
    all_hear(&w, call, &["ada", "bob", "eve"]);
    (w, call)
}

/// Each of them hears each other one.
fn all_hear(w: &World, call: CallId, who: &[&str]) {
    w.check();
    for one in who {
        for other in who.iter().filter(|other| *other != one) {
            assert_eq!(w.stands(one, call, other), Some(Joined), "{one} hears {other}");
        }
    }
}

#[test]
fn who_leaves_is_out_the_others_go_on_and_the_last_one_ends_it() {
    let (mut w, call) = three_talk();
    w.leave("bob", call).unwrap();
    w.pass(SECOND);
    assert_eq!(w.end("bob"), (EndReason::Completed, EndedBy::Local, Outcome::Answered));
    all_hear(&w, call, &["ada", "eve"]);
    let seen = w.member("eve", call, "bob").unwrap();
    assert_eq!((seen.state, seen.left.is_some()), (Left, true));
    w.leave("ada", call).unwrap();
    w.pass(SECOND);
    assert_eq!(w.state_of("eve", call), Some(State::Active), "she is still in it, alone");
    w.leave("eve", call).unwrap();
    w.pass(SECOND);
    assert_eq!(w.end("eve"), (EndReason::LastLeft, EndedBy::Local, Outcome::Answered));
    for who in ["ada", "bob", "eve"] {
        assert!(!w.view_of(who, call).unwrap().can.join, "{who}: nobody is there");
        assert_eq!(w.rows(who).len(), 1);
    }
    w.until_quiet();
    w.check_quiet(true);
}

#[test]
fn all_who_leave_at_once_end_it_once() {
    let (mut w, call) = three_talk();
    for who in ["ada", "bob", "eve"] {
        w.leave(who, call).unwrap();
    }
    w.pass(45 * SECOND);
    for who in ["ada", "bob", "eve"] {
        assert_eq!((w.rows(who).len(), w.view(who)), (1, None), "{who}");
    }
    w.check_quiet(true);
}

#[test]
fn who_is_alone_hears_of_it_after_half_a_minute_and_it_ends_after_five() {
    let (mut w, call) = three_talk();
    w.leave("bob", call).unwrap();
    w.leave("eve", call).unwrap();
    w.pass(28 * SECOND);
    assert!(!w.view_of("ada", call).unwrap().alone);
    w.pass(4 * SECOND);
    let view = w.view_of("ada", call).unwrap();
    assert_eq!((view.state, view.alone), (State::Active, true));
    assert!(w.facts("ada").contains(&Fact::Alone));
    let due = view.deadline.unwrap().since(w.now);
    assert!(due > 4 * MINUTE && due < 5 * MINUTE, "{due:?}");
    w.pass(due + SECOND);
    assert_eq!(w.end("ada"), (EndReason::LastLeft, EndedBy::Policy, Outcome::Answered));
    w.until_quiet();
    w.check_quiet(true);
}

#[test]
fn who_is_alone_is_so_no_more_when_somebody_comes_back() {
    let (mut w, call) = three_talk();
    w.leave("bob", call).unwrap();
    w.leave("eve", call).unwrap();
    w.pass(40 * SECOND);
    assert!(w.view_of("ada", call).unwrap().alone);
    w.join("bob", call).unwrap();
    w.pass(SOON);
    all_hear(&w, call, &["ada", "bob"]);
    assert!(!w.view_of("ada", call).unwrap().alone);
    w.pass(10 * MINUTE);
    all_hear(&w, call, &["ada", "bob"]);
}

#[test]
fn a_call_that_one_declined_or_missed_can_be_joined_while_it_runs() {
    let mut w = five();
    let call = w.start("ada", &["bob", "eve", "dan"]).unwrap();
    w.pass(2 * SECOND);
    w.answer("bob").unwrap();
    w.decline("eve").unwrap();
    w.pass(100 * SECOND);
    assert_eq!(w.end("dan").0, EndReason::Missed);
    for who in ["eve", "dan"] {
        let view = w.view_of(who, call).unwrap();
        assert_eq!((view.state, view.can.join), (State::Disconnected, true), "{who}");
        assert_eq!(w.stands(who, call, "bob"), Some(Joined), "{who} sees who is in it");
        w.join(who, call).unwrap();
        w.pass(SOON);
    }
    all_hear(&w, call, &["ada", "bob", "eve", "dan"]);
    w.end_for_all("ada", call).unwrap();
    w.pass(SECOND);
    assert_eq!(w.end("ada"), (EndReason::EndedByHost, EndedBy::Local, Outcome::Answered));
    for who in ["bob", "eve", "dan"] {
        assert_eq!(w.end(who), (EndReason::EndedByHost, EndedBy::Remote, Outcome::Answered), "{who}");
        assert_eq!(w.ender(who), Some("ada"));
    }
    w.until_quiet();
    w.check_quiet(true);
}

#[test]
fn one_who_left_hears_who_comes_and_goes_and_enters_again_in_the_same_row() {
    let (mut w, call) = three_talk();
    w.leave("eve", call).unwrap();
    w.pass(SOON);
    w.leave("bob", call).unwrap();
    w.pass(20 * SECOND);
    assert_eq!(w.stands("eve", call, "bob"), Some(Left), "she was told");
    assert_eq!(w.stands("eve", call, "ada"), Some(Joined));
    w.join("eve", call).unwrap();
    w.pass(SOON);
    all_hear(&w, call, &["ada", "eve"]);
    assert_eq!(w.view_of("eve", call).unwrap().ended, None);
    let rejoined = w.facts("eve").iter().filter(|fact| **fact == Fact::Rejoined).count();
    assert_eq!(rejoined, 1);
}

#[test]
fn a_second_join_does_nothing_and_quick_ones_are_limited() {
    let (mut w, call) = three_talk();
    assert_eq!(w.join("bob", call), Ok(()), "he is in it");
    let mut refused = 0;
    for _ in 0..12 {
        w.leave("bob", call).unwrap();
        w.pass(SECOND);
        refused += u32::from(w.join("bob", call) == Err(Refusal::TooSoon));
        w.pass(SECOND);
        w.check();
    }
    assert!(refused > 0);
    w.pass(MINUTE);
    w.join("bob", call).unwrap();
    w.pass(SOON);
    all_hear(&w, call, &["ada", "bob", "eve"]);
}

#[test]
fn only_the_starter_ends_it_for_all_or_puts_somebody_out() {
    let (mut w, call) = three_talk();
    assert_eq!(w.end_for_all("bob", call), Err(Refusal::NotHost));
    assert_eq!(w.remove("bob", call, "eve"), Err(Refusal::NotHost));
    w.remove("ada", call, "eve").unwrap();
    w.pass(SECOND);
    assert_eq!(w.end("eve"), (EndReason::Removed, EndedBy::Remote, Outcome::Answered));
    assert!(!w.view_of("eve", call).unwrap().can.join, "she is out");
    assert_eq!(w.join("eve", call), Err(Refusal::InvalidState));
    all_hear(&w, call, &["ada", "bob"]);
    assert_eq!(w.stands("bob", call, "eve"), Some(Left));
    w.invite("ada", call, "eve").unwrap();
    w.pass(2 * SECOND);
    w.check();
}

#[test]
fn the_starter_s_role_passes_to_who_joined_first() {
    let mut w = five();
    let call = w.start("ada", &["bob", "eve", "dan"]).unwrap();
    w.pass(2 * SECOND);
    for who in ["eve", "bob", "dan"] {
        w.answer(who).unwrap();
        w.pass(2 * SECOND);
    }
    w.pass(SOON);
    w.leave("ada", call).unwrap();
    w.pass(SECOND);
    assert!(w.view_of("eve", call).unwrap().host && w.member("bob", call, "eve").unwrap().host);
    assert_eq!(w.remove("bob", call, "dan"), Err(Refusal::NotHost));
    w.remove("eve", call, "dan").unwrap();
    w.pass(SECOND);
    assert_eq!((w.end("dan").0, w.ender("dan")), (EndReason::Removed, Some("eve")));
    w.end_for_all("eve", call).unwrap();
    w.pass(SECOND);
    assert_eq!((w.end("bob").0, w.ender("bob")), (EndReason::EndedByHost, Some("eve")));
    w.until_quiet();
    w.check_quiet(true);
}

#[test]
fn what_the_next_host_put_out_stays_out_when_that_one_has_left_too() {
    let mut w = five();
    let call = w.gather("ada", &["bob", "eve", "dan"]);
    w.leave("ada", call).unwrap();
    w.pass(SECOND);
    let host = ["bob", "eve", "dan"].into_iter().find(|who| w.view_of(who, call).unwrap().host).unwrap();
    let others: Vec<&str> = ["bob", "eve", "dan"].into_iter().filter(|who| *who != host).collect();
    w.remove(host, call, others[0]).unwrap();
    w.pass(SECOND);
    w.leave(host, call).unwrap();
    w.pass(SOON);
    assert_eq!(w.stands(others[1], call, others[0]), Some(Left));
    assert_eq!(w.join(others[0], call), Err(Refusal::InvalidState));
}

#[test]
fn without_a_room_four_meet_and_the_next_finds_no_place() {
    let mut w = five();
    let call = w.start("ada", &["bob", "eve", "dan", "fay"]).unwrap();
    w.pass(2 * SECOND);
    for who in ["bob", "eve", "dan"] {
        w.answer(who).unwrap();
        w.pass(2 * SECOND);
    }
    w.pass(SOON);
    all_hear(&w, call, &["ada", "bob", "eve", "dan"]);
    w.answer("fay").unwrap();
    w.pass(SECOND);
    assert_eq!(w.end("fay"), (EndReason::RoomFull, EndedBy::Policy, Outcome::Missed));
    assert_eq!(w.join("fay", call), Err(Refusal::RoomFull));
    w.leave("dan", call).unwrap();
    w.pass(20 * SECOND);
    assert!(w.view_of("fay", call).unwrap().can.join, "there is a place now");
    w.join("fay", call).unwrap();
    w.pass(SOON);
    all_hear(&w, call, &["ada", "bob", "eve", "fay"]);
}

#[test]
fn of_more_than_four_who_answer_at_once_the_same_four_stay_everywhere() {
    let mut w = five();
    let call = w.start("ada", &["bob", "eve", "dan", "fay"]).unwrap();
    w.pass(2 * SECOND);
    for who in ["bob", "eve", "dan", "fay"] {
        w.answer(who).unwrap();
    }
    w.pass(2 * SOON);
    let inside: Vec<&str> = ["ada", "bob", "eve", "dan", "fay"]
        .into_iter()
        .filter(|who| w.state_of(who, call) == Some(State::Active))
        .collect();
    assert_eq!(inside.len(), 4, "{inside:?}");
    all_hear(&w, call, &inside);
}

#[test]
fn held_and_muted_are_told_to_every_member_and_to_who_comes_later() {
    let mut w = five();
    let call = w.start("ada", &["bob", "eve"]).unwrap();
    w.pass(2 * SECOND);
    w.answer("bob").unwrap();
    w.pass(SOON);
    w.mute("bob", true).unwrap();
    w.hold("bob", call).unwrap();
    w.pass(2 * SECOND);
    w.answer("eve").unwrap();
    w.pass(SOON);
    for who in ["ada", "eve"] {
        let bob = w.member(who, call, "bob").unwrap();
        assert_eq!((bob.muted, bob.held), (true, true), "{who}");
    }
    all_hear(&w, call, &["ada", "eve"]);
    assert_eq!(w.state("bob"), Some(State::Held));
    w.resume("bob", call).unwrap();
    w.pass(2 * SECOND);
    assert!(!w.member("eve", call, "bob").unwrap().held);
    all_hear(&w, call, &["ada", "bob", "eve"]);
}

#[test]
fn another_call_waits_beside_a_group_and_a_group_beside_another_call() {
    let (mut w, group) = three_talk();
    let second = w.ring("dan", "bob");
    assert_eq!(w.state_of("bob", second), Some(State::Waiting));
    w.answer("bob").unwrap();
    w.pass(2 * SECOND);
    assert_eq!(
        (w.state_of("bob", group), w.state_of("bob", second)),
        (Some(State::Held), Some(State::Active))
    );
    w.leave("bob", second).unwrap();
    w.resume("bob", group).unwrap();
    w.pass(2 * SECOND);
    all_hear(&w, group, &["ada", "bob", "eve"]);

    let mut w = five();
    let first = w.talk("dan", "bob");
    let group = w.start("ada", &["bob", "eve"]).unwrap();
    w.pass(2 * SECOND);
    assert_eq!(w.state_of("bob", group), Some(State::Waiting));
    w.answer("bob").unwrap();
    w.pass(2 * SECOND);
    assert_eq!(
        (w.state_of("bob", first), w.state_of("bob", group)),
        (Some(State::Held), Some(State::Active))
    );
    w.check();
}

#[test]
fn two_of_a_group_can_have_a_call_of_their_own_beside_it() {
    let (mut w, group) = three_talk();
    let direct = w.dial("ada", "bob").unwrap();
    w.pass(SECOND);
    assert_eq!(w.state_of("bob", direct), Some(State::Waiting));
    w.answer("bob").unwrap();
    w.pass(2 * SECOND);
    for who in ["ada", "bob"] {
        assert_eq!(w.state_of(who, direct), Some(State::Active), "{who}");
        assert_eq!(w.state_of(who, group), Some(State::Held), "{who}");
    }
    w.leave("ada", direct).unwrap();
    w.pass(SECOND);
    for who in ["ada", "bob"] {
        w.resume(who, group).unwrap();
    }
    w.pass(2 * SECOND);
    all_hear(&w, group, &["ada", "bob", "eve"]);
}

#[test]
fn a_start_is_refused_as_a_whole_if_one_target_is_wrong() {
    let mut w = five();
    assert_eq!(w.start("ada", &[]), Err(Refusal::OutOfRange), "nobody");
    assert_eq!(w.start("ada", &["bob", "bob"]), Err(Refusal::OutOfRange), "somebody twice");
    assert_eq!(w.start("ada", &["ada", "bob"]), Err(Refusal::OutOfRange), "oneself");
    assert_eq!(w.views_of("ada"), 0);
}

#[test]
fn nobody_answers_a_group_by_a_rule() {
    let mut w = five();
    w.people[1].policy = ahoy_call::RingPolicy::AutoAnswer;
    w.start("ada", &["bob", "eve"]).unwrap();
    w.pass(5 * SECOND);
    assert_eq!(w.state("bob"), Some(State::Incoming));
    assert_eq!(w.member("ada", w.last_call(0), "bob").unwrap().state, MemberState::Ringing);
}
