//! Groups that began as calls of two.
//!
//! Lives here: calling a third person into a conversation; two conversations that become one.
//! Must not: tell of groups that began as such.

use ahoy_call::{CallKind, Command, EndReason, Fact, MemberState, Refusal, State};
use ahoy_tests::world::{SECOND, World};

use super::{SOON, all_hear, five};

fn merge(w: &mut World, who: &str, call: ahoy_call::CallId, other: ahoy_call::CallId) -> Result<(), Refusal> {
    w.command(w.who(who), Command::Merge { call, other })
}

#[test]
fn either_of_two_calls_a_third_into_the_same_call_and_the_same_row() {
    for host in ["ada", "bob"] {
        let mut w = five();
        let call = w.talk("ada", "bob");
        w.invite(host, call, "eve").unwrap();
        w.pass(2 * SECOND);
        all_hear(&w, call, &["ada", "bob"]);
        for who in ["ada", "bob"] {
            assert_eq!(w.view_of(who, call).unwrap().kind, CallKind::Group, "{who}");
            assert!(w.facts(who).contains(&Fact::Grown), "{who}");
        }
        assert_eq!(w.state("eve"), Some(State::Incoming));
        w.answer("eve").unwrap();
        w.pass(SOON);
        all_hear(&w, call, &["ada", "bob", "eve"]);
        assert!(w.view_of("ada", call).unwrap().host, "she began it, whoever called Eve");
        w.leave("ada", call).unwrap();
        w.pass(SECOND);
        all_hear(&w, call, &["bob", "eve"]);
        assert_eq!(w.rows("ada").len(), 1);
    }
}

#[test]
fn both_of_two_call_a_third_at_the_same_moment() {
    let mut w = five();
    let call = w.talk("ada", "bob");
    w.invite("ada", call, "eve").unwrap();
    w.invite("bob", call, "dan").unwrap();
    w.pass(3 * SECOND);
    for who in ["eve", "dan"] {
        w.answer(who).unwrap();
        w.pass(SECOND);
    }
    w.pass(2 * SOON);
    all_hear(&w, call, &["ada", "bob", "eve", "dan"]);
}

#[test]
fn of_two_devices_that_answer_at_once_the_one_that_lost_has_no_group_of_it() {
    let mut w = World::with_devices(7, &[("ada", 2), ("bob", 1), ("eve", 1)]);
    let call = w.dial("bob", "ada").unwrap();
    w.pass(2 * SECOND);
    w.answer("ada").unwrap();
    w.answer("ada2").unwrap();
    // Each takes itself for the one; the caller hears one of them first.
    for device in ["ada", "ada2"] {
        w.invite(device, call, "eve").unwrap();
    }
    w.pass(SOON);
    let lost = if w.state("ada").is_some() { "ada2" } else { "ada" };
    assert_eq!(w.end(lost).0, EndReason::AnsweredElsewhere);
    assert_eq!(w.state("eve"), Some(State::Incoming));
    w.answer("eve").unwrap();
    w.pass(2 * SOON);
    let stayed = if lost == "ada" { "ada2" } else { "ada" };
    all_hear(&w, call, &[stayed, "bob", "eve"]);
    w.until_quiet();
    w.check_quiet(true);
}

#[test]
fn a_third_who_declines_leaves_the_two_in_a_group_of_two() {
    let mut w = five();
    let call = w.talk("ada", "bob");
    w.invite("ada", call, "eve").unwrap();
    w.pass(2 * SECOND);
    w.decline("eve").unwrap();
    w.pass(SOON);
    all_hear(&w, call, &["ada", "bob"]);
    assert_eq!(w.stands("bob", call, "eve"), Some(MemberState::Declined));
    w.leave("bob", call).unwrap();
    w.leave("ada", call).unwrap();
    w.until_quiet();
    w.check_quiet(true);
}

#[test]
fn who_is_in_it_is_not_called_into_it_and_who_left_is_called_again() {
    let mut w = five();
    let call = w.gather("ada", &["bob", "eve"]);
    assert_eq!(w.invite("ada", call, "bob"), Err(Refusal::AlreadyHandled));
    assert_eq!(w.invite("ada", call, "ada"), Err(Refusal::NoDevice));
    w.leave("bob", call).unwrap();
    w.pass(15 * SECOND);
    w.invite("eve", call, "bob").unwrap();
    w.pass(3 * SECOND);
    assert_eq!(w.state_of("bob", call), Some(State::Incoming), "the same call rings again");
    w.answer("bob").unwrap();
    w.pass(SOON);
    all_hear(&w, call, &["ada", "bob", "eve"]);
}

#[test]
fn two_conversations_become_one_and_nobody_has_to_answer() {
    let mut w = five();
    let first = w.talk("ada", "bob");
    let second = w.talk("ada", "eve");
    assert_eq!(w.state_of("ada", first), Some(State::Held));
    merge(&mut w, "ada", first, second).unwrap();
    w.pass(2 * SOON);
    all_hear(&w, first, &["ada", "bob", "eve"]);
    for who in ["ada", "eve"] {
        assert!(w.reasons(who).contains(&EndReason::Superseded), "{who}");
        assert_eq!(w.state_of(who, first), Some(State::Active), "{who}");
    }
    assert_eq!(w.rows("bob").len(), 0, "his call is the same");
    w.check();
}

#[test]
fn what_is_no_conversation_cannot_be_merged() {
    let mut w = five();
    let first = w.talk("ada", "bob");
    assert_eq!(merge(&mut w, "ada", first, first), Err(Refusal::InvalidState));
    let second = w.ring("eve", "ada");
    assert_eq!(merge(&mut w, "ada", first, second), Err(Refusal::InvalidState));
}
