//! Does a phone behave when a call comes in or is dialed beside another one?
//!
//! Lives here: waiting, busy, dialing twice, calls in quick succession: told as stories.
//! Must not: use real time, sockets or sound.

use std::collections::BTreeSet;
use std::time::Duration;

use ahoy_call::{
    Command, EndReason, EndedBy, Event, Fact, Others, Outcome, Refusal, RingPolicy, Settings, State,
};
use ahoy_tests::world::scenes::{talking, waiting};
use ahoy_tests::world::{MINUTE, SECOND, World};

fn without_waiting(w: &mut World, who: &str) {
    let who = w.who(who);
    w.configure(who, Settings { call_waiting: false, ..Settings::default() });
}

#[test]
fn a_second_call_waits_and_the_caller_hears_it_ring() {
    let (mut w, first, second) = waiting();
    assert_eq!(w.state("eve"), Some(State::Alerting));
    let view = w.view_of("bob", second).unwrap();
    assert!(view.can.answer && view.can.decline);
    w.pass(MINUTE);
    assert_eq!(w.end("eve"), (EndReason::NoAnswer, EndedBy::Policy, Outcome::NoAnswer));
    assert_eq!(w.end("bob").2, Outcome::Missed);
    assert_eq!(w.state_of("bob", first), Some(State::Active));
}

#[test]
fn a_call_that_waits_rings_when_the_other_one_is_over() {
    let (mut w, first, second) = waiting();
    let before = w.view_of("bob", second).unwrap().serial;
    w.command(0, Command::HangUp { call: first, everyone: false }).unwrap();
    w.pass(SECOND);
    let view = w.view_of("bob", second).unwrap();
    assert_eq!((view.state, view.serial), (State::Incoming, before + 1), "a guard must notice");
}

#[test]
fn without_call_waiting_a_second_call_hears_busy_and_the_first_is_untouched() {
    let (mut w, first) = talking();
    without_waiting(&mut w, "bob");
    w.ring("eve", "bob");
    assert_eq!(w.end("eve"), (EndReason::Busy, EndedBy::Remote, Outcome::Busy));
    assert_eq!(w.end("bob"), (EndReason::Busy, EndedBy::Policy, Outcome::Missed));
    assert_eq!(w.state_of("bob", first), Some(State::Active));
    assert_eq!(w.people[1].published.len(), 1, "the second one was never shown");
}

#[test]
fn a_repair_of_the_same_call_is_never_busy() {
    let (mut w, call) = talking();
    without_waiting(&mut w, "bob");
    without_waiting(&mut w, "ada");
    w.event(0, Event::NetworkChanged);
    w.cut(0, 1, true);
    w.pass(3 * SECOND);
    assert_eq!(w.state_of("bob", call), Some(State::Reconnecting));
    w.cut(0, 1, false);
    w.pass(3 * SECOND);
    assert_eq!(
        (w.state_of("ada", call), w.state_of("bob", call)),
        (Some(State::Active), Some(State::Active))
    );
    assert!(w.rows("ada").is_empty() && w.rows("bob").is_empty());
}

#[test]
fn a_repeated_ring_of_the_call_one_is_in_is_no_second_call() {
    let (mut w, call) = talking();
    without_waiting(&mut w, "bob");
    let leg = ahoy_tests::world::device(0);
    let (lifetime, policy) = (MINUTE, RingPolicy::Normal);
    w.event(
        1,
        Event::Rung {
            call,
            leg,
            peer: ahoy_tests::world::peer(0),
            lifetime,
            preconnect: true,
            callee_offers: false,
            policy,
        },
    );
    w.pass(SECOND);
    assert_eq!(w.state_of("bob", call), Some(State::Active));
    assert_eq!(w.state_of("ada", call), Some(State::Active));
}

#[test]
fn a_second_dial_while_one_is_being_dialed_is_refused() {
    let mut w = World::new(3, &["ada", "bob", "eve"]);
    w.dial("ada", "bob").unwrap();
    assert_eq!(w.dial("ada", "eve"), Err(Refusal::Busy));
    assert_eq!(w.people[0].phone.cannot_dial(), Some(Refusal::Busy));
    w.pass(SECOND);
    assert_eq!(w.dial("ada", "eve"), Err(Refusal::Busy));
    w.pick_up("bob");
    assert_eq!(w.people[0].phone.cannot_dial(), None);
    assert_eq!(w.dial("ada", "bob"), Err(Refusal::Busy), "one call with one person");
}

#[test]
fn answering_while_dialing_takes_the_dial_back() {
    let mut w = World::new(3, &["ada", "bob", "eve"]);
    w.ring("ada", "bob");
    let call = w.ring("eve", "ada");
    assert_eq!(w.state_of("ada", call), Some(State::Waiting));
    w.pick_up("ada");
    assert_eq!(w.state_of("ada", call), Some(State::Active));
    assert_eq!(w.end("ada"), (EndReason::Canceled, EndedBy::Local, Outcome::Canceled));
    assert_eq!(w.end("bob").0, EndReason::Missed);
}

#[test]
fn to_dial_who_rings_here_is_to_answer() {
    let mut w = World::new(3, &["ada", "bob"]);
    let call = w.ring("ada", "bob");
    assert_eq!(w.people[1].phone.ringing_from(ahoy_tests::world::peer(0)), Some(call));
    w.ring("bob", "ada");
    assert_eq!(
        (w.state_of("ada", call), w.state_of("bob", call)),
        (Some(State::Active), Some(State::Active))
    );
    assert_eq!(w.people[1].published.len(), 1, "no second call was made");
}

#[test]
fn hanging_up_twice_at_once_cleans_up_once() {
    let (mut w, _) = talking();
    w.hang_up("ada").unwrap();
    w.hang_up("bob").unwrap();
    w.pass(MINUTE);
    for (number, who) in ["ada", "bob"].iter().enumerate() {
        assert_eq!(w.end(who), (EndReason::Completed, EndedBy::Local, Outcome::Answered), "{who}");
        assert_eq!(w.facts(who).iter().filter(|fact| **fact == Fact::Ended).count(), 1);
        assert!(w.people[number].media.paths.is_empty() && w.people[number].published.is_empty());
    }
}

#[test]
fn call_end_call_in_quick_succession_are_two_calls() {
    for pause in [0, 10, 30, 50, 90, 200, 700, 2_000] {
        let mut w = World::new(3 + pause, &["ada", "bob"]);
        let first = w.dial("ada", "bob").unwrap();
        w.pass(Duration::from_millis(pause));
        w.hang_up("ada").unwrap();
        let second = w.dial("ada", "bob").unwrap();
        w.pass(2 * SECOND);
        assert_eq!(w.state_of("bob", second), Some(State::Incoming), "after {pause} ms");
        w.pick_up("bob");
        assert_eq!(w.state_of("ada", second), Some(State::Active), "after {pause} ms");
        w.hang_up("bob").unwrap();
        w.pass(MINUTE);
        assert_eq!(w.reasons("ada"), [EndReason::Canceled, EndReason::Completed], "after {pause} ms");
        let of = |call| w.rows("bob").iter().find(|row| row.view.id == call).and_then(|row| row.view.reason);
        let (bob, told) = ((of(first), of(second)), (Some(EndReason::Missed), Some(EndReason::Completed)));
        assert_eq!(bob, told, "after {pause} ms");
    }
}

#[test]
fn of_several_that_ring_the_first_one_rings_and_the_next_one_when_it_is_over() {
    let mut w = World::new(3, &["ada", "bob", "eve", "dan"]);
    let calls = ["bob", "eve", "dan"].map(|caller| w.ring(caller, "ada"));
    for rings in 0..3 {
        for (number, call) in calls.iter().enumerate().skip(rings) {
            let state = if number == rings { State::Incoming } else { State::Waiting };
            assert_eq!(w.state_of("ada", *call), Some(state), "{number}, while {rings} rings");
        }
        w.hang_up(["bob", "eve", "dan"][rings]).unwrap();
        w.pass(SECOND);
    }
}

#[test]
fn only_two_paths_are_set_up_or_gathered_for_before_an_answer() {
    for (preconnect, answered) in [(true, 0), (true, 2), (false, 0), (false, 1), (false, 2)] {
        let mut w = World::new(3, &["ada", "bob", "eve", "dan"]);
        w.preconnect = preconnect;
        let calls = ["bob", "eve", "dan"].map(|caller| w.dial(caller, "ada").unwrap());
        w.pass(2 * SECOND);
        assert_eq!(w.people[0].phone.views().len(), 3, "all three ring or wait");
        let with_path: BTreeSet<_> = w.people[0].media.paths.keys().map(|key| key.0).collect();
        assert_eq!(with_path.len(), 2, "preconnect {preconnect}");
        let call = calls[answered];
        w.command(0, Command::Answer { call, others: Others::Hold }).unwrap();
        w.pass(2 * SECOND);
        assert_eq!(w.state_of("ada", call), Some(State::Active), "preconnect {preconnect}, {answered}");
    }
}
