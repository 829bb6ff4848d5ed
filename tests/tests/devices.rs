//! Does a call behave with a contact that has several devices?
//!
//! Lives here: arbitration between answers, declines for one and for all, words of several devices: told as stories.
//! Must not: use real time, sockets or sound.

use std::time::Duration;

use ahoy_call::{CallId, DeclineReason, Effect, EndReason, EndedBy, Outcome, Refusal, Scope, State};
use ahoy_tests::world::{MINUTE, SECOND, World};

/// Ada's call rings on both devices of Bob.
fn ringing() -> (World, CallId) {
    let mut w = World::with_devices(7, &[("ada", 1), ("bob", 2)]);
    let call = w.ring("ada", "bob");
    assert_eq!((w.state("bob"), w.state("bob2")), (Some(State::Incoming), Some(State::Incoming)));
    (w, call)
}

#[test]
fn the_first_answer_wins_and_the_other_device_stops_within_200_ms() {
    let (mut w, _) = ringing();
    w.answer("bob2").unwrap();
    w.pass(Duration::from_millis(200));
    assert_eq!(w.end("bob"), (EndReason::AnsweredElsewhere, EndedBy::Remote, Outcome::Elsewhere));
    assert_eq!((w.state("ada"), w.state("bob2")), (Some(State::Active), Some(State::Active)));
    assert_eq!(w.answer("bob"), Err(Refusal::AnsweredElsewhere));
    assert_eq!(w.decline("bob"), Err(Refusal::AnsweredElsewhere));
}

#[test]
fn of_two_answers_at_once_the_caller_takes_one_and_the_other_ends_elsewhere() {
    for seed in 0..200 {
        let mut w = World::with_devices(seed, &[("ada", 1), ("bob", 2)]);
        w.network.jitter = Duration::from_millis(300);
        w.network.loss = 0.1;
        w.dial("ada", "bob").unwrap();
        w.pass(20 * SECOND);
        w.answer("bob").unwrap();
        w.answer("bob2").unwrap();
        w.pass(14 * SECOND);
        let states = [w.state("bob"), w.state("bob2")];
        let talk = states.iter().filter(|it| **it == Some(State::Active));
        assert_eq!(talk.count(), 1, "seed {seed}: {states:?}");
        let loser = if states[0] == Some(State::Active) { "bob2" } else { "bob" };
        assert_eq!(w.end(loser).0, EndReason::AnsweredElsewhere, "seed {seed}");
        assert_eq!(w.end(loser).2, Outcome::Elsewhere, "seed {seed}");
        assert!(w.people[w.who(loser)].media.paths.is_empty(), "seed {seed}");
    }
}

#[test]
fn a_decline_on_one_device_lets_the_other_ring_on() {
    let (mut w, _) = ringing();
    w.decline("bob").unwrap();
    w.pass(SECOND);
    assert_eq!((w.state("ada"), w.state("bob2")), (Some(State::Alerting), Some(State::Incoming)));
    w.pick_up("bob2");
    assert_eq!(w.state("ada"), Some(State::Active));
}

#[test]
fn declined_on_every_device_is_declined() {
    let (mut w, _) = ringing();
    w.decline("bob").unwrap();
    w.decline("bob2").unwrap();
    w.pass(SECOND);
    assert_eq!(w.end("ada"), (EndReason::Declined, EndedBy::Remote, Outcome::Declined));
}

#[test]
fn a_decline_for_all_stops_every_device() {
    let (mut w, _) = ringing();
    w.decline_with("bob", DeclineReason::Declined, Scope::Everywhere, Some("no")).unwrap();
    w.pass(SECOND);
    assert_eq!(w.end("ada"), (EndReason::Declined, EndedBy::Remote, Outcome::Declined));
    assert_eq!(w.view("ada").unwrap().message.as_deref(), Some("no"));
    assert_eq!(w.end("bob2"), (EndReason::DeclinedElsewhere, EndedBy::Remote, Outcome::Elsewhere));
    assert_eq!(w.end("bob").0, EndReason::Declined);
}

#[test]
fn a_decline_of_who_is_not_called_does_nothing() {
    let (mut w, call) = ringing();
    let stranger = ahoy_tests::world::device(9);
    let message =
        ahoy_call::Message::Decline { reason: DeclineReason::Declined, scope: Scope::Everywhere, text: None };
    w.event(0, ahoy_call::Event::Received { call, leg: stranger, message });
    assert_eq!(w.state("ada"), Some(State::Alerting));
}

#[test]
fn when_the_last_device_is_gone_the_strongest_word_stands() {
    let words: [(DeclineReason, Option<DeclineReason>, EndReason); 4] = [
        (DeclineReason::Declined, Some(DeclineReason::Busy), EndReason::Declined),
        (DeclineReason::Busy, Some(DeclineReason::Declined), EndReason::Declined),
        (DeclineReason::Declined, None, EndReason::Declined),
        (DeclineReason::Busy, None, EndReason::Busy),
    ];
    for (first, second, stands) in words {
        let (mut w, _) = ringing();
        w.decline_with("bob", first, Scope::ThisDevice, None).unwrap();
        w.pass(SECOND);
        if let Some(second) = second {
            w.decline_with("bob2", second, Scope::ThisDevice, None).unwrap();
        }
        w.pass(MINUTE);
        assert_eq!(w.end("ada").0, stands, "{first:?}, then {second:?}");
    }
}

#[test]
fn a_device_that_is_away_does_not_hinder_the_other() {
    let mut w = World::with_devices(7, &[("ada", 1), ("bob", 2)]);
    w.network.offline.insert(1);
    w.ring("ada", "bob");
    assert_eq!(w.state("ada"), Some(State::Alerting));
    w.pick_up("bob2");
    assert_eq!(w.state("ada"), Some(State::Active));
    w.network.offline.clear();
    w.pass(5 * SECOND);
    assert_eq!(w.state("bob"), None, "who comes back late is not rung for a call that runs");
}

#[test]
fn a_path_that_fails_to_one_device_stops_its_ringing_and_lets_the_other_ring() {
    let (mut w, call) = ringing();
    let leg = ahoy_tests::world::device(1);
    let epoch = w.people[0].media.paths.keys().find(|key| key.1 == leg).unwrap().2;
    let report = ahoy_call::MediaReport::Failed(ahoy_call::MediaFault::Media);
    w.event(0, ahoy_call::Event::Media { call, leg, epoch, report });
    w.pass(SECOND);
    assert_eq!(w.end("bob").0, EndReason::Missed, "it must not ring on for nothing");
    assert_eq!((w.state("ada"), w.state("bob2")), (Some(State::Alerting), Some(State::Incoming)));
}

#[test]
fn the_flags_of_a_device_that_lost_count_for_nothing() {
    for seed in 0..100 {
        let mut w = World::with_devices(seed, &[("ada", 1), ("bob", 2)]);
        w.network.jitter = Duration::from_millis(300);
        let call = w.dial("ada", "bob").unwrap();
        w.pass(5 * SECOND);
        w.answer("bob").unwrap();
        w.hold("bob", call).unwrap();
        w.answer("bob2").unwrap();
        w.pass(5 * SECOND);
        let held = w.state("bob") == Some(State::Held);
        assert_eq!(w.view("ada").unwrap().remote_hold(), held, "seed {seed}");
    }
}

#[test]
fn our_own_device_is_nobody_to_dial() {
    let mut w = World::with_devices(7, &[("ada", 2), ("bob", 1)]);
    assert_eq!(w.dial("ada", "ada2"), Err(Refusal::NoDevice));
}

#[test]
fn a_device_that_lost_hears_of_it_once() {
    let (mut w, call) = ringing();
    w.pick_up("bob");
    let (ended, lost) = (ahoy_call::Command::HangUp { call, everyone: false }, ahoy_tests::world::device(2));
    let effects = w.people[0].phone.clone().command(w.now, ended).unwrap();
    let told = effects.into_iter().any(|effect| match effect {
        Effect::Signal { leg, .. } => leg == lost,
        Effect::Media { .. }
        | Effect::Room { .. }
        | Effect::EndMedia(_)
        | Effect::Record(_)
        | Effect::Publish(_)
        | Effect::Retire(_) => false,
    });
    assert!(!told, "that the others hang up is nothing to it");
}
