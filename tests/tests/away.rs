//! Is a call that came while we were away told when we are back?
//!
//! Lives here: who leaves a note, what a note becomes: told as stories.
//! Must not: use real time, sockets or sound.

#![expect(clippy::unwrap_used, reason = "helpers of tests, too")]

use std::time::Duration;

use ahoy_call::{
    CallId, Command, Effect, EndReason, EndedBy, Epoch, Event, Fact, MediaFault, MediaReport, Message,
    Moment, Outcome, PhaseKind, Phone, Settings, SignalOrder, State,
};
use ahoy_tests::world::{MINUTE, SECOND, World, device, peer};

/// Bob is away, Ada calls him in vain, Bob comes back.
fn missed(lifetime: Duration, give_up_after: Option<Duration>) -> World {
    let mut w = World::new(7, &["ada", "bob"]);
    w.network.offline.insert(1);
    w.dial_for("ada", "bob", lifetime).unwrap();
    if let Some(after) = give_up_after {
        w.pass(after);
        w.hang_up("ada").unwrap();
    }
    w.pass(5 * MINUTE);
    assert!(w.facts("bob").is_empty());
    w.network.offline.clear();
    w.pass(2 * MINUTE);
    w
}

#[test]
fn a_call_in_vain_is_a_row_of_its_own_time_and_never_a_ring() {
    let w = missed(30 * SECOND, None);
    assert_eq!(w.end("ada").0, EndReason::Unavailable);
    assert_eq!(w.facts("bob"), [Fact::Noted, Fact::Ended]);
    assert_eq!(w.end("bob"), (EndReason::Missed, EndedBy::Remote, Outcome::Missed));
    let row = w.rows("bob")[0];
    // The world's calendar is its clock: Ada gave up 30 s after the first second.
    assert_eq!(row.at_unix_us, Some(31_000_000), "not when we heard of it");
    assert!(w.people[1].published.is_empty() && row.view.ringing.is_none(), "nothing was ever shown");
}

#[test]
fn who_hangs_up_before_it_rang_leaves_a_note_too() {
    let w = missed(MINUTE, Some(5 * SECOND));
    assert_eq!(w.end("ada").0, EndReason::Canceled);
    assert_eq!(w.end("bob").0, EndReason::Missed);
}

#[test]
fn a_ring_and_its_note_in_one_mailbox_are_one_row_of_the_ring_and_no_ring() {
    let mut w = World::new(7, &["ada", "bob"]);
    let (leg, lifetime, policy) = (device(0), MINUTE, ahoy_call::RingPolicy::Normal);
    let rung = |call| Event::Rung {
        call,
        leg,
        peer: peer(0),
        lifetime,
        preconnect: true,
        callee_offers: false,
        policy,
    };
    let call = CallId::from_bytes([9; 16]);
    w.event(1, rung(call));
    // Somebody else's word about it does nothing.
    w.event(1, Event::MissedNote { call, peer: peer(3), at_unix_us: 5, why: None });
    assert_eq!(w.people[1].phone.phase(call), PhaseKind::Knocking);
    w.event(1, Event::MissedNote { call, peer: peer(0), at_unix_us: 7, why: None });
    assert_eq!(w.facts("bob"), [Fact::Noted, Fact::Ended]);
    assert_eq!(w.end("bob"), (EndReason::Missed, EndedBy::Remote, Outcome::Missed));
    w.pass(MINUTE);
    assert_eq!(w.rows("bob").len(), 1, "and nothing comes of the knock any more");
    assert_eq!(w.rows("bob")[0].at_unix_us, Some(7), "it has the time of the ring, not of our return");
    assert!(w.people[1].published.is_empty(), "nothing was ever shown");
}

#[test]
fn a_device_that_rang_needs_no_note_and_one_that_was_away_gets_one() {
    let mut w = World::with_devices(7, &[("ada", 1), ("bob", 2)]);
    w.network.offline.insert(2);
    w.dial_for("ada", "bob", 20 * SECOND).unwrap();
    w.pass(30 * SECOND);
    assert_eq!(w.end("ada").0, EndReason::NoAnswer, "one of them rang");
    w.network.offline.clear();
    w.pass(2 * MINUTE);
    assert!(!w.facts("bob").contains(&Fact::Noted));
    assert_eq!(w.facts("bob2"), [Fact::Noted, Fact::Ended]);
    assert_eq!((w.rows("bob").len(), w.rows("bob2").len()), (1, 1));
}

#[test]
fn a_call_that_was_answered_or_declined_leaves_no_note() {
    for answered in [true, false] {
        let mut w = World::with_devices(7, &[("ada", 1), ("bob", 2)]);
        w.network.offline.insert(2);
        w.dial_for("ada", "bob", 20 * SECOND).unwrap();
        w.pass(SECOND);
        if answered {
            w.pick_up("bob");
            w.hang_up("ada").unwrap();
        } else {
            w.decline("bob").unwrap();
        }
        w.pass(30 * SECOND);
        w.network.offline.clear();
        w.pass(2 * MINUTE);
        assert!(!w.facts("bob2").contains(&Fact::Noted), "answered: {answered}");
    }
}

#[test]
fn busy_on_one_device_leaves_a_note_with_the_other() {
    let mut w = World::with_devices(7, &[("ada", 1), ("bob", 2), ("eve", 1)]);
    w.network.offline.insert(2);
    w.configure(1, Settings { call_waiting: false, ..Settings::default() });
    w.talk("eve", "bob");
    w.dial_for("ada", "bob", 20 * SECOND).unwrap();
    w.pass(30 * SECOND);
    assert_eq!(w.end("ada").0, EndReason::Busy);
    w.network.offline.clear();
    w.pass(2 * MINUTE);
    assert!(w.rows("bob2").iter().any(|row| row.view.peer == peer(0) && row.at_unix_us.is_some()));
}

#[test]
fn a_note_of_a_call_that_is_known_changes_nothing() {
    let mut w = World::new(7, &["ada", "bob"]);
    let call = w.ring("ada", "bob");
    let note = Event::MissedNote { call, peer: peer(0), at_unix_us: 5, why: None };
    let before = w.people[1].phone.clone();
    w.event(1, note.clone());
    assert!(before == w.people[1].phone, "it rings here");
    w.decline("bob").unwrap();
    let before = w.people[1].phone.clone();
    w.event(1, note);
    assert!(before == w.people[1].phone, "it was declined here");
    assert_eq!(w.rows("bob").len(), 1);
}

#[test]
fn a_note_that_comes_twice_is_one_row_and_rings_no_more() {
    let mut w = World::new(7, &["ada", "bob"]);
    let call = CallId::from_bytes([9; 16]);
    let note = Event::MissedNote { call, peer: peer(0), at_unix_us: 5, why: None };
    w.event(1, note.clone());
    w.event(1, note);
    assert_eq!(w.rows("bob").len(), 1);
    assert_eq!(w.people[1].phone.phase(call), PhaseKind::Ended);
    // Its ring, late from some mailbox.
    let (leg, lifetime, policy) = (device(0), MINUTE, ahoy_call::RingPolicy::Normal);
    w.event(
        1,
        Event::Rung { call, leg, peer: peer(0), lifetime, preconnect: true, callee_offers: false, policy },
    );
    w.pass(MINUTE);
    assert_eq!(w.rows("bob").len(), 1);
}

#[test]
fn many_notes_at_once_do_not_push_out_a_call_that_has_just_ended() {
    let mut w = World::new(7, &["ada", "bob"]);
    let call = w.ring("ada", "bob");
    w.decline("bob").unwrap();
    for number in 0..200 {
        let call = CallId::from_bytes([number; 16]);
        w.event(1, Event::MissedNote { call, peer: peer(0), at_unix_us: i64::from(number), why: None });
    }
    assert_eq!(w.rows("bob").len(), 201, "each is a row");
    assert_eq!(w.state_of("bob", call), Some(State::Disconnected), "and this one is still to be seen");
    let phase = |number| w.people[1].phone.phase(CallId::from_bytes([number; 16]));
    assert_eq!((phase(30), phase(31)), (PhaseKind::Ended, PhaseKind::Nothing), "32 are remembered in all");
}

#[test]
fn a_ring_that_nobody_proves_leaves_no_trace_and_the_note_of_it_is_taken_all_the_same() {
    let mut w = World::new(7, &["ada", "bob"]);
    let call = CallId::from_bytes([9; 16]);
    let (leg, lifetime, policy) = (device(0), MINUTE, ahoy_call::RingPolicy::Normal);
    w.event(
        1,
        Event::Rung { call, leg, peer: peer(0), lifetime, preconnect: true, callee_offers: false, policy },
    );
    w.pass(29 * SECOND);
    assert_eq!(w.people[1].phone.standing().len(), 1);
    w.pass(2 * SECOND);
    assert_eq!(w.people[1].phone.standing(), [], "it is over");
    assert!(w.facts("bob").is_empty() && w.people[1].published.is_empty(), "who kept it may have sent it");
    w.event(1, Event::MissedNote { call, peer: peer(0), at_unix_us: 1, why: None });
    assert_eq!(w.end("bob").2, Outcome::Missed);
}

#[test]
fn a_ring_that_its_caller_takes_back_before_the_proof_is_a_missed_call() {
    let mut w = World::new(7, &["ada", "bob"]);
    let call = CallId::from_bytes([9; 16]);
    let (leg, lifetime, policy) = (device(0), MINUTE, ahoy_call::RingPolicy::Normal);
    w.event(
        1,
        Event::Rung { call, leg, peer: peer(0), lifetime, preconnect: true, callee_offers: false, policy },
    );
    let message = Message::Cancel { reason: ahoy_call::CancelReason::Canceled };
    w.event(1, Event::Received { call, leg, message });
    assert_eq!((w.facts("bob"), w.end("bob").2), (vec![Fact::Offered, Fact::Ended], Outcome::Missed));
}

#[test]
fn the_order_for_a_note_names_the_contact_and_goes_to_the_silent_device() {
    let mut phone = Phone::new(device(0), peer(0), Settings::default());
    let (call, now) = (CallId::from_bytes([9; 16]), Moment::from_micros(1));
    let devices = vec![device(1), device(2)];
    let lifetime = 10 * SECOND;
    let dial = Command::Dial {
        call,
        peer: peer(1),
        devices,
        lifetime,
        note: None,
        hold_others: true,
        both_tell: false,
    };
    let _dialed = phone.command(now, dial).unwrap();
    let message = Message::Ringing;
    let _rings = phone.event(now, Event::Received { call, leg: device(2), message });
    let effects = phone.command(now, Command::HangUp { call, everyone: false }).unwrap();
    let note = |it: &Effect| matches!(it, Effect::Signal { order: SignalOrder::Missed { .. }, .. });
    let notes: Vec<_> = effects.into_iter().filter(note).collect();
    let order = SignalOrder::Missed { peer: peer(1) };
    assert_eq!(notes, [Effect::Signal { call, leg: device(1), order }]);
}

#[test]
fn a_device_that_was_given_up_before_it_rang_gets_a_note_too() {
    let (call, now) = (CallId::from_bytes([9; 16]), Moment::from_micros(1));
    for rang in [false, true] {
        let failed = [
            Event::Undeliverable { call, leg: device(1) },
            Event::Media {
                call,
                leg: device(1),
                epoch: Epoch::first(device(0), device(1)),
                report: MediaReport::Failed(MediaFault::Media),
            },
        ];
        for event in failed {
            let mut phone = Phone::new(device(0), peer(0), Settings::default());
            let (devices, lifetime) = (vec![device(1), device(2)], 10 * SECOND);
            let dial = Command::Dial {
                call,
                peer: peer(1),
                devices,
                lifetime,
                note: None,
                hold_others: true,
                both_tell: false,
            };
            let _dialed = phone.command(now, dial).unwrap();
            let said = |leg, message| Event::Received { call, leg, message };
            let _ready = phone.event(now, said(device(1), Message::Ready { offers: false }));
            if rang {
                let _rings = phone.event(now, said(device(1), Message::Ringing));
            }
            let _gone = phone.event(now, event.clone());
            let effects = phone.command(now, Command::HangUp { call, everyone: false }).unwrap();
            let noted = |leg| {
                let order = SignalOrder::Missed { peer: peer(1) };
                effects.0.contains(&Effect::Signal { call, leg, order })
            };
            assert_eq!((noted(device(1)), noted(device(2))), (!rang, true), "{event:?}, it rang: {rang}");
        }
    }
}

#[test]
fn between_two_who_tell_each_other_who_does_not_answer_is_not_reachable_after_five_seconds() {
    let mut w = World::new(7, &["ada", "bob"]);
    w.let_tell("ada", "bob");
    w.network.offline.insert(1);
    w.dial_for("ada", "bob", MINUTE).unwrap();
    w.pass(4 * SECOND);
    assert_eq!(w.state("ada"), Some(State::Dialing), "they may still answer");
    w.pass(2 * SECOND);
    assert_eq!(w.end("ada"), (EndReason::Unavailable, EndedBy::Policy, Outcome::Unavailable));
    w.network.offline.clear();
    w.pass(2 * MINUTE);
    assert_eq!(
        w.facts("bob"),
        [Fact::Noted, Fact::Ended],
        "they hear of it when they are back, and it does not ring"
    );
}

#[test]
fn a_contact_that_does_not_tell_rings_for_the_whole_lifetime_whether_it_is_there_or_not() {
    let in_vain = |tells: bool| {
        let mut w = World::new(7, &["ada", "bob", "eve"]);
        if tells {
            // Between others it changes nothing.
            w.let_tell("ada", "eve");
        }
        w.network.offline.insert(1);
        w.dial_for("ada", "bob", 30 * SECOND).unwrap();
        w.pass(29 * SECOND);
        assert_eq!(w.state("ada"), Some(State::Dialing));
        w.pass(2 * SECOND);
        let shown = w.people[0].published.values().cloned().collect::<Vec<_>>();
        (w.end("ada"), w.facts("ada"), shown)
    };
    let (without, with) = (in_vain(false), in_vain(true));
    assert_eq!(without.0, (EndReason::Unavailable, EndedBy::Policy, Outcome::Unavailable));
    assert_eq!(without, with, "the caller sees the same, to the last change");
}

#[test]
fn who_answers_the_ring_within_five_seconds_is_rung_for_as_long_as_ever() {
    let mut w = World::with_devices(7, &[("ada", 1), ("bob", 2)]);
    w.let_tell("ada", "bob");
    // One of the two devices is away: the other is enough.
    w.network.offline.insert(2);
    w.dial_for("ada", "bob", 30 * SECOND).unwrap();
    w.pass(29 * SECOND);
    assert_eq!(w.state("ada"), Some(State::Alerting));
    w.pass(2 * SECOND);
    assert_eq!(w.end("ada").0, EndReason::NoAnswer);
}

#[test]
fn a_ring_that_no_relay_took_says_nothing_of_them() {
    let mut w = World::new(7, &["ada", "bob"]);
    w.let_tell("ada", "bob");
    w.network.offline.insert(0);
    w.dial_for("ada", "bob", MINUTE).unwrap();
    w.pass(9 * SECOND);
    assert_eq!(w.state("ada"), Some(State::Dialing), "it is we who are away");
    w.pass(2 * SECOND);
    assert_eq!(w.end("ada"), (EndReason::Unreachable, EndedBy::Network, Outcome::Unavailable));
}
