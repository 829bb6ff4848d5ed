//! The same group started more than once.
//!
//! Lives here: starts that cross each other; a start while it runs.
//! Must not: know which of two ids a test draws: both orders are told.

use ahoy_call::{CallId, EndReason, GroupId, State};
use ahoy_tests::world::{SECOND, World};

use super::{SOON, all_hear, five};

const LOW: CallId = CallId::from_bytes([1; 16]);
const HIGH: CallId = CallId::from_bytes([0xfe; 16]);
const BOOK: GroupId = GroupId::from_bytes([0xb0; 16]);

fn one_call_of_all(w: &World) {
    all_hear(w, HIGH, &["ada", "bob", "eve"]);
    for who in ["ada", "bob", "eve"] {
        assert!(w.view_of(who, LOW).is_none_or(|view| view.state == State::Disconnected), "{who}");
    }
}

#[test]
fn two_who_start_the_same_group_at_once_end_up_in_the_call_with_the_higher_id() {
    for (ada, bob) in [(LOW, HIGH), (HIGH, LOW)] {
        for group in [None, Some(BOOK)] {
            let mut w = five();
            w.start_as(ada, group, "ada", &["bob", "eve"]).unwrap();
            w.start_as(bob, group, "bob", &["ada", "eve"]).unwrap();
            w.pass(3 * SECOND);
            let loser = if ada == LOW { "ada" } else { "bob" };
            assert_eq!(w.reasons(loser), [EndReason::Superseded]);
            assert_eq!(w.state("eve"), Some(State::Incoming), "she has one ring");
            w.answer("eve").unwrap();
            w.pass(2 * SOON);
            one_call_of_all(&w);
        }
    }
}

#[test]
fn who_had_joined_the_call_that_loses_goes_on_in_the_other() {
    let mut w = five();
    w.start_as(LOW, None, "ada", &["bob", "eve"]).unwrap();
    // Bob's link is down: he does not hear of it, and starts the same.
    w.network.offline.insert(1);
    w.pass(2 * SECOND);
    w.answer("eve").unwrap();
    w.pass(3 * SECOND);
    w.start_as(HIGH, None, "bob", &["ada", "eve"]).unwrap();
    w.network.offline.remove(&1);
    w.pass(4 * SOON);
    one_call_of_all(&w);
    for who in ["ada", "eve"] {
        assert_eq!(w.reasons(who), [EndReason::Superseded], "{who}");
    }
}

#[test]
fn a_start_while_the_group_rings_or_runs_joins_it() {
    let mut w = five();
    let call = w.start("ada", &["bob", "eve"]).unwrap();
    w.pass(2 * SECOND);
    w.start("bob", &["eve", "ada"]).unwrap();
    w.pass(2 * SECOND);
    assert_eq!(w.state_of("bob", call), Some(State::Active), "to start it is to answer it");
    w.decline("eve").unwrap();
    w.pass(SECOND);
    w.start("eve", &["bob", "ada"]).unwrap();
    w.pass(SOON);
    all_hear(&w, call, &["ada", "bob", "eve"]);
    for who in ["ada", "bob", "eve"] {
        let living = w.people[w.who(who)].phone.standing().len();
        assert_eq!(living, 1, "{who} has one call");
    }
}

#[test]
fn another_group_of_some_of_them_is_another_call() {
    let mut w = five();
    let first = w.gather("ada", &["bob", "eve"]);
    let second = w.start("ada", &["bob", "dan"]).unwrap();
    w.pass(2 * SECOND);
    assert_eq!(w.state_of("bob", second), Some(State::Waiting));
    assert_eq!(w.state_of("ada", first), Some(State::Held));
    w.check();
}

#[test]
fn who_merely_knows_the_name_of_a_group_rings_and_takes_nobody_out_of_its_call() {
    let mut w = five();
    w.start_as(LOW, Some(BOOK), "ada", &["bob", "eve"]).unwrap();
    w.pass(2 * SECOND);
    w.answer("bob").unwrap();
    w.answer("eve").unwrap();
    w.pass(SOON);
    let in_low = |w: &World, who: &[&str]| {
        for who in who {
            assert_eq!(w.view_of(who, LOW).map(|view| view.state), Some(State::Active), "{who}");
            assert!(w.view_of(who, HIGH).is_none_or(|view| view.state != State::Active), "{who}");
        }
    };
    // Dan was never in it.
    w.start_as(HIGH, Some(BOOK), "dan", &["ada", "bob", "eve"]).unwrap();
    w.pass(SOON);
    in_low(&w, &["ada", "bob", "eve"]);
    assert_eq!(w.view_of("bob", HIGH).map(|view| view.state), Some(State::Waiting), "it rings");
    w.leave("dan", HIGH).unwrap();
    w.pass(SOON);
    in_low(&w, &["ada", "bob", "eve"]);
}

#[test]
fn who_was_put_out_of_a_group_takes_nobody_out_of_its_call() {
    let mut w = five();
    w.start_as(LOW, None, "ada", &["bob", "eve"]).unwrap();
    w.pass(2 * SECOND);
    w.answer("bob").unwrap();
    w.answer("eve").unwrap();
    w.pass(SOON);
    w.remove("ada", LOW, "eve").unwrap();
    w.pass(SOON);
    w.start_as(HIGH, None, "eve", &["ada", "bob"]).unwrap();
    w.pass(SOON);
    for who in ["ada", "bob"] {
        assert_eq!(w.view_of(who, LOW).map(|view| view.state), Some(State::Active), "{who}");
        assert_eq!(w.view_of(who, HIGH).map(|view| view.state), Some(State::Waiting), "{who}");
    }
}
