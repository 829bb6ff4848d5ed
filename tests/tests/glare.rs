//! Do two people who call each other at once end up in one call?
//!
//! Lives here: both ways to win, lost legs, other devices, second thoughts: told as stories.
//! Must not: use real time, sockets or sound.

#![expect(clippy::unwrap_used, reason = "helpers of tests, too")]

use std::time::Duration;

use ahoy_call::{CallId, Direction, EndReason, Fact, Outcome, RingPolicy, Settings, State};
use ahoy_tests::world::{MINUTE, SECOND, World, peer};

const LOW: CallId = CallId::from_bytes([0x11; 16]);
const HIGH: CallId = CallId::from_bytes([0xee; 16]);

/// Ada dials with the first id, Bob with the second one, so many milliseconds later.
fn both_dial(w: &mut World, (ada, bob): (CallId, CallId), later: u64) {
    w.dial_as(ada, "ada", "bob", MINUTE, None, true).unwrap();
    w.pass(Duration::from_millis(later));
    w.dial_as(bob, "bob", "ada", MINUTE, None, true).unwrap();
}

/// Both sit in the same call, each in the one that they dialed.
fn assert_merged(w: &World, (ada, bob): (CallId, CallId), story: &str) {
    for (who, call) in [("ada", ada), ("bob", bob)] {
        let view = w.view_of(who, call).unwrap_or_else(|| panic!("{story}: {who}'s own call lives on"));
        assert_eq!((view.state, view.direction), (State::Active, Direction::Outgoing), "{story}: {who}");
        let person = &w.people[w.who(who)];
        assert_eq!(person.published.len(), 1, "{story}: {who} sees one call");
        assert!(!w.facts(who).contains(&Fact::RingingHere), "{story}: nothing rang at {who}");
    }
    let wire = |who: &str, call| w.people[w.who(who)].phone.on_wire(call);
    assert_eq!(wire("ada", ada), wire("bob", bob), "{story}: it is one call");
}

/// When one of them hangs up it is over for both, with one row a side.
fn assert_ends_as_one(w: &mut World, story: &str) {
    w.hang_up("ada").unwrap();
    w.until_quiet();
    for who in ["ada", "bob"] {
        assert_eq!(w.reasons(who), [EndReason::Completed], "{story}: {who} has one row");
        assert_eq!(w.end(who).2, Outcome::Answered, "{story}: {who}");
    }
    w.check_quiet(true);
}

#[test]
fn two_people_dialing_each_other_are_in_one_call_at_once_with_one_row_a_side() {
    for ids in [(HIGH, LOW), (LOW, HIGH)] {
        let mut w = World::new(7, &["ada", "bob"]);
        both_dial(&mut w, ids, 0);
        w.pass(Duration::from_millis(500));
        assert_merged(&w, ids, "at once");
        let loser = if ids.0 == LOW { "ada" } else { "bob" };
        assert!(w.facts(loser).contains(&Fact::GlareMerged), "the event log says it");
        assert_ends_as_one(&mut w, "at once");
    }
}

#[test]
fn it_does_not_matter_how_much_later_the_second_one_dials() {
    for ids in [(HIGH, LOW), (LOW, HIGH)] {
        for later in (0..400).step_by(5) {
            let mut w = World::new(7 + later, &["ada", "bob"]);
            both_dial(&mut w, ids, later);
            w.pass(3 * SECOND);
            // Later than that it rings already, and the dial was an answer.
            if w.people[1].phone.on_wire(ids.1) == ids.1 && w.state_of("bob", ids.1).is_none() {
                assert_eq!(w.state_of("bob", ids.0), Some(State::Active), "{later} ms: an answer");
            } else {
                assert_merged(&w, ids, &format!("{later} ms"));
            }
            assert_ends_as_one(&mut w, &format!("{later} ms"));
        }
    }
}

#[test]
fn it_holds_on_networks_that_lose_double_and_reorder() {
    for seed in 0..1_000 {
        for ids in [(HIGH, LOW), (LOW, HIGH)] {
            let mut w = World::new(seed, &["ada", "bob"]);
            w.network.loss = 0.2;
            w.network.doubling = 0.3;
            w.network.jitter = Duration::from_millis(400);
            both_dial(&mut w, ids, seed % 40);
            w.pass(40 * SECOND);
            assert_merged(&w, ids, &format!("seed {seed}"));
            assert_ends_as_one(&mut w, &format!("seed {seed}"));
        }
    }
}

#[test]
fn the_winner_answers_theirs_after_two_seconds_if_its_own_ring_is_lost() {
    let (mut w, ids) = (World::new(7, &["ada", "bob"]), (HIGH, LOW));
    w.network.lost_rings.insert((0, 1));
    both_dial(&mut w, ids, 0);
    w.pass(Duration::from_millis(1_900));
    assert_eq!(w.state("ada"), Some(State::Dialing), "theirs waits, ours may still be answered");
    w.pass(Duration::from_millis(700));
    assert_merged(&w, ids, "the winner's leg is lost");
    assert_eq!(w.people[0].phone.on_wire(HIGH), LOW, "their call stands on the wire");
    assert_ends_as_one(&mut w, "the winner's leg is lost");
}

#[test]
fn the_loser_answers_at_once_even_if_its_own_ring_is_lost() {
    let (mut w, ids) = (World::new(7, &["ada", "bob"]), (HIGH, LOW));
    w.network.lost_rings.insert((1, 0));
    both_dial(&mut w, ids, 0);
    w.pass(Duration::from_millis(500));
    assert_merged(&w, ids, "the loser's leg is lost");
    assert_ends_as_one(&mut w, "the loser's leg is lost");
}

#[test]
fn the_other_devices_stop_ringing_and_say_elsewhere() {
    for ids in [(HIGH, LOW), (LOW, HIGH)] {
        let mut w = World::with_devices(7, &[("ada", 2), ("bob", 2)]);
        both_dial(&mut w, ids, 0);
        w.pass(3 * SECOND);
        assert_merged(&w, ids, "two devices each");
        for who in ["ada2", "bob2"] {
            assert_eq!(w.reasons(who), [EndReason::AnsweredElsewhere], "{who}");
            assert_eq!(w.end(who).2, Outcome::Elsewhere, "{who}");
        }
    }
}

#[test]
fn a_device_that_is_dialed_by_two_devices_of_one_person_takes_one_of_them() {
    for seed in 0..100 {
        let mut w = World::with_devices(seed, &[("ada", 1), ("bob", 2)]);
        w.network.jitter = Duration::from_millis(200);
        w.dial("ada", "bob").unwrap();
        w.dial("bob", "ada").unwrap();
        w.dial("bob2", "ada").unwrap();
        w.pass(MINUTE);
        w.check();
        let talking = |who: &str| w.people[w.who(who)].phone.views().iter().any(|v| v.state == State::Active);
        assert!(talking("ada"), "seed {seed}");
        let active = ["bob", "bob2"].iter().filter(|who| talking(who)).count();
        assert_eq!(active, 1, "seed {seed}");
        w.until_quiet();
        w.check_quiet(true);
    }
}

#[test]
fn glare_in_the_middle_of_another_call_holds_that_one() {
    let mut w = World::new(7, &["ada", "bob", "eve"]);
    let first = w.talk("ada", "eve");
    both_dial(&mut w, (LOW, HIGH), 0);
    w.pass(SECOND);
    assert_eq!(w.state_of("ada", LOW), Some(State::Active));
    assert_eq!(w.state_of("ada", first), Some(State::Held));
    assert!(w.view_of("eve", first).unwrap().remote_hold());
}

#[test]
fn without_call_waiting_glare_is_no_busy() {
    let (mut w, ids) = (World::new(7, &["ada", "bob"]), (LOW, HIGH));
    for who in 0..2 {
        w.configure(who, Settings { call_waiting: false, ..Settings::default() });
    }
    both_dial(&mut w, ids, 0);
    w.pass(SECOND);
    assert_merged(&w, ids, "no call waiting");
}

#[test]
fn who_is_dialed_is_let_through() {
    let mut w = World::new(7, &["ada", "bob"]);
    assert!(!w.people[0].phone.dials(peer(1)));
    w.dial("ada", "bob").unwrap();
    assert!(w.people[0].phone.dials(peer(1)) && !w.people[0].phone.dials(peer(0)));
    w.pass(SECOND);
    w.pick_up("bob");
    assert!(!w.people[0].phone.dials(peer(1)), "who has answered needs no leave");
}

#[test]
fn a_second_thought_in_the_middle_of_glare_leaves_both_at_peace() {
    for ids in [(HIGH, LOW), (LOW, HIGH)] {
        for (who, other) in [("ada", "bob"), ("bob", "ada")] {
            for after in (0..260).step_by(4) {
                let mut w = World::new(100 + after, &["ada", "bob"]);
                both_dial(&mut w, ids, 0);
                w.pass(Duration::from_millis(after));
                w.hang_up(who).unwrap();
                w.check();
                w.until_quiet();
                w.check();
                w.check_quiet(true);
                let story = format!("{who} hangs up after {after} ms with {ids:?}");
                let mine = w.view_of(who, if who == "ada" { ids.0 } else { ids.1 });
                assert!(mine.is_none(), "{story}: it is over");
                let own = |it: &str| if it == "ada" { ids.0 } else { ids.1 };
                let ended = |it: &str, call| w.rows(it).iter().filter(|row| row.view.id == call).count();
                assert_eq!((ended(who, own(who)), ended(other, own(other))), (1, 1), "{story}");
            }
        }
    }
}

#[test]
fn a_call_that_comes_before_ours_is_no_second_row() {
    // Bob dials in the moments between Ada's first message and her proof.
    for ids in [(HIGH, LOW), (LOW, HIGH)] {
        for later in 20..62 {
            let mut w = World::new(7, &["ada", "bob"]);
            w.people[1].policy = RingPolicy::Silent;
            both_dial(&mut w, ids, later);
            w.pass(3 * SECOND);
            assert_ends_as_one(&mut w, &format!("{later} ms"));
        }
    }
}
