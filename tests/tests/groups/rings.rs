//! How a group rings, and what becomes of the rings.
//!
//! Lives here: its start until somebody has come or nobody will.
//! Must not: tell what those do who are in it.

use std::time::Duration;

use MemberState::{Connecting, Declined};
use ahoy_call::{DeclineReason, EndReason, EndedBy, Fact, MemberState, Outcome, Scope, State};
use ahoy_tests::world::{SECOND, World};

use super::{SOON, all_hear, five, states};

#[test]
fn a_group_rings_everybody_and_the_first_target_who_joins_makes_it_active() {
    let mut w = five();
    let call = w.start("ada", &["bob", "eve"]).unwrap();
    w.pass(2 * SECOND);
    let rings = [Some(State::Alerting), Some(State::Incoming), Some(State::Incoming)];
    assert_eq!(states(&w, &["ada", "bob", "eve"]), rings, "its starter alone makes nothing active");
    w.answer("bob").unwrap();
    w.pass(2 * SECOND);
    let talks = [Some(State::Active), Some(State::Active), Some(State::Incoming)];
    assert_eq!(states(&w, &["ada", "bob", "eve"]), talks);
    assert_eq!(w.stands("eve", call, "bob"), Some(Connecting), "she sees who is in it");
    w.answer("eve").unwrap();
    w.pass(SOON);
    all_hear(&w, call, &["ada", "bob", "eve"]);
    let joined = |who: &str, whom: &str| w.member(who, call, whom).unwrap().joined.unwrap();
    assert!(joined("ada", "bob") < joined("ada", "eve"));
    assert!(w.member("bob", call, "ada").unwrap().starter && w.view_of("ada", call).unwrap().host);
}

#[test]
fn less_than_300_ms_after_the_answer_a_member_and_the_starter_hear_each_other() {
    let mut w = five();
    w.network.delay = Duration::from_millis(25);
    w.start("ada", &["bob", "eve"]).unwrap();
    w.pass(2 * SECOND);
    w.answer("bob").unwrap();
    w.pass(Duration::from_millis(299));
    for who in ["ada", "bob"] {
        assert!(w.facts(who).contains(&Fact::Connected), "{who} hears nothing");
    }
}

#[test]
fn a_group_rings_for_its_lifetime_and_ends_as_no_answer() {
    let mut w = five();
    w.start("ada", &["bob", "eve"]).unwrap();
    w.pass(Duration::from_secs(89));
    assert_eq!(states(&w, &["ada", "bob"]), [Some(State::Alerting), Some(State::Incoming)]);
    w.pass(3 * SECOND);
    assert_eq!(w.end("ada"), (EndReason::NoAnswer, EndedBy::Policy, Outcome::NoAnswer));
    assert_eq!(w.end("bob").0, EndReason::Missed);
    assert_eq!(w.view("bob").map(|view| (view.state, view.can.join)), Some((State::Disconnected, false)));
}

#[test]
fn a_group_ends_when_every_target_has_declined_and_not_before() {
    let mut w = five();
    let call = w.start("ada", &["bob", "eve"]).unwrap();
    w.pass(2 * SECOND);
    w.decline("bob").unwrap();
    w.pass(SECOND);
    assert_eq!((w.state("ada"), w.stands("ada", call, "bob")), (Some(State::Alerting), Some(Declined)));
    assert_eq!(w.state("eve"), Some(State::Incoming), "only Bob's part has changed");
    assert_eq!(w.end("bob"), (EndReason::Declined, EndedBy::Local, Outcome::Declined));
    w.decline("eve").unwrap();
    w.pass(SECOND);
    assert_eq!(w.end("ada"), (EndReason::AllDeclined, EndedBy::Remote, Outcome::Declined));
    w.until_quiet();
    w.check_quiet(true);
    assert_eq!(w.rows("bob").len(), 1);
}

#[test]
fn who_has_two_devices_has_declined_when_both_have_or_one_for_both() {
    for scope in [Scope::ThisDevice, Scope::Everywhere] {
        let mut w = World::with_devices(7, &[("ada", 1), ("bob", 2), ("eve", 1)]);
        let call = w.start("ada", &["bob", "eve"]).unwrap();
        w.pass(2 * SECOND);
        w.decline_with("bob", DeclineReason::Declined, scope, None).unwrap();
        w.pass(SECOND);
        let (stands, other) = match scope {
            Scope::ThisDevice => (Some(MemberState::Ringing), State::Incoming),
            Scope::Everywhere => (Some(Declined), State::Disconnected),
        };
        assert_eq!(w.stands("ada", call, "bob"), stands);
        assert_eq!(w.state("bob2"), Some(other), "{scope:?}");
        if scope == Scope::ThisDevice {
            w.decline("bob2").unwrap();
            w.pass(SECOND);
            assert_eq!(w.stands("ada", call, "bob"), Some(Declined));
        } else {
            assert_eq!(w.end("bob2").0, EndReason::DeclinedElsewhere);
        }
        w.check();
    }
}

#[test]
fn of_two_devices_of_a_member_one_is_in_the_call_and_the_other_rings_no_more() {
    let mut w = World::with_devices(7, &[("ada", 1), ("bob", 2), ("eve", 1)]);
    let call = w.start("ada", &["bob", "eve"]).unwrap();
    w.pass(2 * SECOND);
    w.answer("bob2").unwrap();
    w.pass(Duration::from_millis(200));
    assert_eq!(w.end("bob").0, EndReason::AnsweredElsewhere);
    w.answer("eve").unwrap();
    w.pass(SOON);
    all_hear(&w, call, &["ada", "bob2", "eve"]);
}

#[test]
fn a_start_that_is_taken_back_stops_every_ring() {
    let mut w = five();
    let call = w.start("ada", &["bob", "eve"]).unwrap();
    w.pass(2 * SECOND);
    w.leave("ada", call).unwrap();
    w.pass(SECOND);
    assert_eq!(w.end("ada"), (EndReason::Canceled, EndedBy::Local, Outcome::Canceled));
    assert_eq!(w.view_of("ada", call).unwrap().connected, None);
    for who in ["bob", "eve"] {
        assert_eq!(w.end(who), (EndReason::Missed, EndedBy::Remote, Outcome::Missed));
    }
    w.until_quiet();
    w.check_quiet(true);
}
