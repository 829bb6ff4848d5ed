//! Does a call behave whose daemon was killed, or stopped?
//!
//! Lives here: kills in every phase on both sides, and what the other one sees.
//! Must not: use real time, sockets or sound; look at what is on the disk.

use std::time::Duration;

use ahoy_call::{EndReason, EndedBy, Event, Outcome, State};
use ahoy_tests::world::{SECOND, World};

/// Leads to a phase.
type Way = fn(&mut World);

fn rings(w: &mut World) {
    w.ring("ada", "bob");
}

fn talks(w: &mut World) {
    rings(w);
    w.pick_up("bob");
}

fn reconnects(w: &mut World) {
    talks(w);
    w.cut(0, 1, true);
    w.pass(3 * SECOND);
    assert_eq!(w.state("bob"), Some(State::Reconnecting));
}

#[test]
fn the_other_side_ends_within_moments_of_the_return_with_the_reason_of_its_phase() {
    let cases: [(&str, Way, usize, &str, EndReason, Outcome); 6] = [
        ("the caller while it rings", rings, 0, "bob", EndReason::Missed, Outcome::Missed),
        ("the callee while it rings", rings, 1, "ada", EndReason::NoAnswer, Outcome::NoAnswer),
        ("the caller in a call", talks, 0, "bob", EndReason::ConnectionLost, Outcome::Answered),
        ("the callee in a call", talks, 1, "ada", EndReason::ConnectionLost, Outcome::Answered),
        ("the caller while reconnecting", reconnects, 0, "bob", EndReason::ConnectionLost, Outcome::Answered),
        ("the callee while reconnecting", reconnects, 1, "ada", EndReason::ConnectionLost, Outcome::Answered),
    ];
    for (story, way, killed, other, reason, outcome) in cases {
        let mut w = World::new(7, &["ada", "bob"]);
        way(&mut w);
        w.crash(killed);
        w.pass(2 * SECOND);
        assert_eq!(w.end(other), (reason, EndedBy::Remote, outcome), "{story}");
        assert!(w.people.iter().all(|person| person.media.paths.is_empty()), "{story}: no sound is left");
        w.cut(0, 1, false);
        w.dial("bob", "ada").unwrap_or_else(|why| panic!("{story}: the next call works ({why:?})"));
        w.pass(SECOND);
        w.pick_up("ada");
        assert_eq!((w.state("ada"), w.state("bob")), (Some(State::Active), Some(State::Active)), "{story}");
    }
}

#[test]
fn a_callee_killed_before_it_rang_was_unavailable() {
    let mut w = World::new(7, &["ada", "bob"]);
    w.cut(0, 1, true);
    w.dial("ada", "bob").unwrap();
    // Its row is written with message 3; it would ring a moment later.
    w.pass(Duration::from_millis(300));
    assert_eq!(w.state("bob"), None);
    w.crash(1);
    w.pass(2 * SECOND);
    assert_eq!(w.end("ada"), (EndReason::Unavailable, EndedBy::Remote, Outcome::Unavailable));
}

#[test]
fn without_a_word_of_the_killed_side_the_window_ends_the_call() {
    let mut w = World::new(7, &["ada", "bob"]);
    talks(&mut w);
    w.network.offline.insert(0);
    w.crash(0);
    w.pass(31 * SECOND);
    assert_eq!(w.state("bob"), Some(State::Reconnecting));
    w.pass(4 * SECOND);
    assert_eq!(w.end("bob"), (EndReason::ConnectionLost, EndedBy::Network, Outcome::Answered));
}

#[test]
fn a_bye_of_a_device_that_is_not_talked_to_ends_nothing() {
    let mut w = World::with_devices(7, &[("ada", 1), ("bob", 2)]);
    let call = w.talk("ada", "bob");
    w.event(0, Event::Bye { call, leg: ahoy_tests::world::device(2) });
    assert_eq!(w.state("ada"), Some(State::Active));
    w.event(0, Event::Bye { call, leg: ahoy_tests::world::device(1) });
    assert_eq!(w.end("ada").0, EndReason::ConnectionLost);
}

#[test]
fn a_daemon_that_stops_ends_every_call_and_says_so() {
    let mut w = World::new(7, &["ada", "bob", "eve"]);
    talks(&mut w);
    w.ring("ada", "eve");
    w.event(0, Event::Stopping);
    assert_eq!(w.reasons("ada"), [EndReason::Shutdown, EndReason::Shutdown]);
    w.pass(SECOND);
    assert_eq!(w.end("bob"), (EndReason::Completed, EndedBy::Remote, Outcome::Answered));
    assert_eq!(w.end("eve"), (EndReason::Missed, EndedBy::Remote, Outcome::Missed));
}

#[test]
fn a_callee_that_stops_while_it_rings_says_so_at_once() {
    for (devices, reason) in [(1, EndReason::NoAnswer), (2, EndReason::Declined)] {
        let mut w = World::with_devices(7, &[("ada", 1), ("bob", devices)]);
        w.ring("ada", "bob");
        w.event(1, Event::Stopping);
        assert_eq!(w.end("bob"), (EndReason::Shutdown, EndedBy::Local, Outcome::Missed));
        w.pass(SECOND);
        if devices == 2 {
            assert_eq!(w.state("ada"), Some(State::Alerting), "the other device rings on");
            w.decline("bob2").unwrap();
            w.pass(SECOND);
        }
        assert_eq!(w.end("ada").0, reason, "nobody waits for who is gone");
    }
}
