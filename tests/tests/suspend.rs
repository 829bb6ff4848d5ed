//! Does a phone behave that slept?
//!
//! Lives here: deadlines that pass in sleep, clicks that come before the timer, calls of one who sleeps.
//! Must not: use real time, sockets or sound.

use std::time::Duration;

use ahoy_call::{EndReason, EndedBy, Fact, Outcome, Refusal, State};
use ahoy_tests::world::{MINUTE, SECOND, World};

fn ringing() -> World {
    let mut w = World::new(7, &["ada", "bob"]);
    w.ring("ada", "bob");
    assert_eq!(w.state("bob"), Some(State::Incoming));
    w
}

#[test]
fn a_ring_that_ended_in_sleep_cannot_be_answered_after_it() {
    let mut w = ringing();
    w.sleep(1, true);
    w.pass(70 * SECOND);
    // The person clicks before any timer has fired.
    w.people[1].asleep = false;
    assert_eq!(w.answer("bob"), Err(Refusal::AlreadyHandled));
    assert_eq!(w.end("bob"), (EndReason::Missed, EndedBy::Policy, Outcome::Missed));
    assert!(!w.facts("bob").contains(&Fact::Answered));
    assert!(w.people[1].media.paths.is_empty());
}

#[test]
fn a_ring_that_outlives_the_sleep_is_answered_as_ever() {
    let mut w = ringing();
    w.sleep(1, true);
    w.pass(20 * SECOND);
    w.sleep(1, false);
    w.answer("bob").unwrap();
    w.pass(5 * SECOND);
    assert_eq!((w.state("ada"), w.state("bob")), (Some(State::Active), Some(State::Active)));
}

#[test]
fn a_caller_that_slept_over_its_ring_ends_it_before_anything_else() {
    let mut w = ringing();
    w.sleep(0, true);
    w.pass(30 * SECOND);
    w.answer("bob").unwrap();
    w.pass(60 * SECOND);
    w.sleep(0, false);
    // Bob's answer has waited all the time, but the ring was over first; on his side the set-up gave up long ago.
    w.pass(5 * SECOND);
    assert_eq!(w.end("ada"), (EndReason::NoAnswer, EndedBy::Policy, Outcome::NoAnswer));
    assert_ne!(w.end("bob").0, EndReason::Completed);
    w.until_quiet();
    w.check_quiet(true);
}

#[test]
fn a_short_sleep_in_a_call_is_mended_and_a_long_one_ends_it_on_both_sides() {
    for (slept, goes_on) in [(5, true), (25, true), (45, false), (3_600, false)] {
        let mut w = ringing();
        w.pick_up("bob");
        w.sleep(1, true);
        w.pass(Duration::from_secs(slept));
        w.sleep(1, false);
        w.pass(MINUTE);
        if goes_on {
            assert_eq!(
                (w.state("ada"), w.state("bob")),
                (Some(State::Active), Some(State::Active)),
                "{slept} s"
            );
        } else {
            for who in ["ada", "bob"] {
                assert_eq!(w.end(who).0, EndReason::ConnectionLost, "{who} after {slept} s");
                assert_eq!(w.end(who).2, Outcome::Answered, "{who} after {slept} s");
            }
        }
    }
}

#[test]
fn the_reconnect_window_counts_the_sleep() {
    let mut w = ringing();
    w.pick_up("bob");
    w.cut(0, 1, true);
    w.pass(3 * SECOND);
    assert_eq!(w.state("bob"), Some(State::Reconnecting));
    w.sleep(1, true);
    w.pass(40 * SECOND);
    w.people[1].asleep = false;
    w.cut(0, 1, false);
    w.mute("bob", true).expect_err("the call was over before the click");
    assert_eq!(w.end("bob"), (EndReason::ConnectionLost, EndedBy::Network, Outcome::Answered));
}

#[test]
fn what_lingers_is_gone_after_sleep() {
    let mut w = ringing();
    w.decline("bob").unwrap();
    w.sleep(1, true);
    w.pass(20 * SECOND);
    w.people[1].asleep = false;
    assert_eq!(w.decline("bob"), Err(Refusal::NoSuchCall));
    assert!(w.people[1].published.is_empty());
}

#[test]
fn durations_are_of_the_clock_that_never_jumps() {
    // The rules know no calendar: whatever it does, the order and the distance of moments stay.
    let mut w = ringing();
    w.answer("bob").unwrap();
    w.pass(MINUTE);
    w.sleep(0, true);
    w.pass(10 * SECOND);
    w.sleep(0, false);
    w.pass(20 * SECOND);
    w.put_down("ada");
    for who in ["ada", "bob"] {
        let rows = w.rows(who);
        let view = &rows.last().unwrap().view;
        let talked = view.ended.unwrap() - view.answered.unwrap();
        assert!(talked >= Duration::from_secs(89) && talked <= Duration::from_secs(92), "{who}: {talked:?}");
        assert!(view.created <= view.ringing.unwrap() && view.ringing <= view.answered, "{who}");
        let moments: Vec<_> = w.people[w.who(who)].records.iter().map(|record| record.at).collect();
        assert!(moments.is_sorted(), "{who}");
    }
}
