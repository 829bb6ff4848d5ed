//! How long does each part of a call last at most?
//!
//! Lives here: lifetimes of rings, windows of repair, and when they are shown to end.
//! Must not: use real time, sockets or sound.

use super::*;

#[test]
fn a_ring_lives_as_long_as_it_was_dialed_for() {
    for seconds in [10, 30, 60, 90, 180] {
        let mut w = ada_and_bob();
        w.dial_for("ada", "bob", seconds * SECOND).unwrap();
        w.pass(SECOND);
        let deadline = w.view("bob").unwrap().deadline.unwrap();
        w.pass((seconds - 2) * SECOND);
        assert_eq!(states(&w), (Some(State::Alerting), Some(State::Incoming)), "{seconds} s");
        w.pass(2 * SECOND);
        assert_eq!(w.end("ada").0, EndReason::NoAnswer, "{seconds} s");
        assert_eq!(w.end("bob").0, EndReason::Missed, "{seconds} s");
        assert!(deadline <= w.now, "it was shown when it would end");
    }
    let mut w = ada_and_bob();
    for seconds in [0, 9, 181, 3_600] {
        assert_eq!(w.dial_for("ada", "bob", seconds * SECOND), Err(Refusal::OutOfRange), "{seconds} s");
    }
}

#[test]
fn the_callee_stops_by_itself_when_nobody_tells_it() {
    let mut w = ada_and_bob();
    w.dial_for("ada", "bob", 20 * SECOND).unwrap();
    w.pass(SECOND);
    w.network.offline.insert(0);
    w.pass(18 * SECOND);
    assert_eq!(w.state("bob"), Some(State::Incoming));
    w.pass(2 * SECOND);
    assert_eq!(w.end("bob"), (EndReason::Missed, EndedBy::Policy, Outcome::Missed));
}

#[test]
fn our_own_limit_is_the_shorter_one() {
    let mut w = ada_and_bob();
    w.configure(1, Settings { ring_at_most: 15 * SECOND, ..Settings::default() });
    w.dial("ada", "bob").unwrap();
    w.pass(14 * SECOND);
    assert_eq!(w.state("bob"), Some(State::Incoming));
    w.pass(2 * SECOND);
    assert_eq!(w.end("bob").0, EndReason::Missed);
    assert_eq!(w.state("ada"), Some(State::Alerting), "the caller is the one who decides for itself");
    w.pass(60 * SECOND);
    assert_eq!(w.end("ada").0, EndReason::NoAnswer);
}

#[test]
fn while_a_path_is_mended_it_is_shown_when_that_ends() {
    for window in [5, 30, 60] {
        let mut w = ada_and_bob();
        for who in 0..2 {
            w.configure(who, Settings { reconnect_window: window * SECOND, ..Settings::default() });
        }
        w.talk("ada", "bob");
        assert_eq!(w.view("bob").unwrap().deadline, None, "a conversation has no end of its own");
        w.cut(0, 1, true);
        w.pass(2 * SECOND);
        let view = w.view("bob").unwrap();
        assert_eq!(view.state, State::Reconnecting);
        let left = view.deadline.unwrap() - w.now;
        assert!(left <= window * SECOND && left >= (window - 1) * SECOND, "{left:?} of {window} s");
        w.pass(left);
        assert_eq!(w.end("bob").0, EndReason::ConnectionLost, "{window} s");
    }
}
