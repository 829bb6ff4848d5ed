//! Notes of missed calls: who leaves one, who reads it, and once only.
//!
//! Lives here: the tests of notes, between the same two tables.
//! Must not: open a socket or read a clock.

use super::*;

#[test]
fn a_missed_call_leaves_a_note_that_waits_a_week_and_is_read_once_with_its_own_time() {
    let (mut ana, mut ben) = friends();
    ana.ring(0, ben.peer(), ben.leg());
    let order = SignalOrder::Missed { peer: ben.peer() };
    let note = ana.table.order(at(40_000), SignalingOrder::Call { call: CALL, leg: ben.leg(), order });
    let note = posts(&note).remove(0);
    assert_eq!(note.ttl.duration(), Duration::from_secs(7 * 24 * 3_600));

    // Ben is back an hour later: the call began an hour and forty seconds ago.
    let out = ben.take_after(50_000, Duration::from_secs(3_600), &note);
    let at_unix_us = (UNIX_S - 3_640) * 1_000_000;
    assert_eq!(events(&out), [Event::MissedNote { call: CALL, peer: ana.peer(), at_unix_us, why: None }]);
    assert!(posts(&out).is_empty(), "nobody learns that it was read");
    ben.drops(Cause::Replayed, |ben| ben.take(60_000, &note));
}

#[test]
fn a_note_is_offered_to_the_relay_until_it_is_taken_or_ten_minutes_are_over() {
    let (mut ana, ben) = friends();
    let note = |ana: &mut Phone| {
        let order = SignalOrder::Missed { peer: ben.peer() };
        posts(&ana.table.order(at(0), SignalingOrder::Call { call: CALL, leg: ben.leg(), order })).remove(0)
    };
    let first = note(&mut ana);
    assert!(!ana.table.is_idle());
    assert!(ana.table.accepted(RELAY, first.id).is_empty());
    assert!(ana.table.is_idle(), "taken: nothing more to do");

    let second = note(&mut ana);
    let mut last = 0;
    while let Some(due) = ana.table.deadline() {
        for again in posts(&ana.table.tick(due)) {
            assert_eq!((again.id, again.body.bytes()), (second.id, second.body.bytes()));
        }
        last = due.micros() / 1_000_000;
    }
    assert!((600..610).contains(&last), "{last}");
}

#[test]
fn a_note_of_somebody_blocked_or_unknown_gets_exactly_nothing() {
    let (mut ana, mut ben) = friends();
    let order = SignalOrder::Missed { peer: ben.peer() };
    let note = ana.table.order(at(0), SignalingOrder::Call { call: CALL, leg: ben.leg(), order });
    let note = posts(&note).remove(0);
    ben.contacts[0].blocked = true;
    ben.tell();
    ben.drops(Cause::Blocked, |ben| ben.take(1, &note));
    ben.contacts.clear();
    ben.tell();
    ben.drops(Cause::UnknownSender, |ben| ben.take(2, &note));
}

/// Ana's note of the call that she gave up.
fn note(ana: &mut Phone, ben: &Phone) -> Envelope {
    let order = SignalOrder::Missed { peer: ben.peer() };
    posts(&ana.table.order(at(40), SignalingOrder::Call { call: CALL, leg: ben.leg(), order })).remove(0)
}

#[test]
fn a_note_of_a_ring_that_nobody_proved_is_told_and_of_one_that_was_let_in_not_after_a_restart_either() {
    for proved in [false, true] {
        let (mut ana, mut ben) = friends();
        let dir = tempfile::tempdir().unwrap();
        ben.table = Sessions::new(Replay::open(dir.path()));
        ben.tell();
        shake_hands(&mut ana, &mut ben);
        ben.tokens[0].bound = Some(ana.peer());
        ben.tell();
        if proved {
            let out = ana.send(
                35,
                ben.leg(),
                Message::Candidates { epoch: Epoch(1), list: vec![], complete: true },
            );
            settle(36, &mut ana, &mut ben, out);
        }
        let note = note(&mut ana, &ben);
        if proved {
            ben.table.marks().save();
            ben.table = Sessions::new(Replay::open(dir.path()));
            ben.tell();
            ben.drops(Cause::Replayed, |ben| ben.take(50, &note));
        } else {
            let told = events(&ben.take(50, &note));
            assert!(matches!(told[..], [Event::MissedNote { call: CALL, .. }]), "{told:?}");
        }
    }
}

#[test]
fn a_note_that_comes_after_a_ring_was_waited_for_in_vain_is_told_for_that_ring_left_no_row() {
    let (mut ana, mut ben) = in_session();
    ben.tokens[0].bound = Some(ana.peer());
    ben.tell();
    let forget = SignalingOrder::Call { call: CALL, leg: ana.leg(), order: SignalOrder::Forget };
    ben.table.order(at(30_000), forget);
    let note = note(&mut ana, &ben);
    let told = events(&ben.take(31_000, &note));
    assert!(matches!(told[..], [Event::MissedNote { call: CALL, .. }]), "{told:?}");
}
