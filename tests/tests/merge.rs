//! What does one phone do in the moments in which two calls become one?
//!
//! Lives here: own call and theirs, message by message: who yields, what is told, what is remembered.
//! Must not: use real time, sockets or sound.

#![expect(clippy::unwrap_used, reason = "helpers of tests, too")]

use std::time::Duration;

use ahoy_call::{
    CallId, CancelReason, Command, DeclineReason, EndReason, Event, Fact, LegId, Message, PeerId, PhaseKind,
    RingPolicy, Scope, SignalOrder, State,
};
use ahoy_tests::talk::{HIGH, LOW, MINUTE, PEER, SECOND, Talk};

const MS: Duration = Duration::from_millis(1);
/// Their other device.
const OTHER: LegId = LegId::from_bytes([3; 16]);
/// Our own call; one of theirs that yields to it, and one that it yields to.
const OURS: CallId = CallId::from_bytes([0x55; 16]);
const LOSES: CallId = CallId::from_bytes([0x11; 16]);
const WINS: CallId = CallId::from_bytes([0xee; 16]);

const ELSEWHERE: SignalOrder = SignalOrder::Send(Message::Cancel { reason: CancelReason::AnsweredElsewhere });
const ACCEPT: SignalOrder = SignalOrder::Send(Message::Accept);

/// We dial both of their devices.
fn dialing() -> Talk {
    let mut t = Talk::idle(LOW, HIGH, OURS);
    let (peer, devices, lifetime) = (PEER, vec![HIGH, OTHER], MINUTE);
    t.command(Command::Dial {
        call: OURS,
        peer,
        devices,
        lifetime,
        note: None,
        hold_others: true,
        both_tell: false,
    })
    .unwrap();
    t.forget();
    t
}

fn rung(t: &mut Talk, call: CallId, leg: LegId) {
    let (peer, lifetime, policy) = (PEER, MINUTE, RingPolicy::Normal);
    t.event(Event::Rung { call, leg, peer, lifetime, preconnect: true, callee_offers: false, policy });
}

fn said(t: &mut Talk, call: CallId, leg: LegId, message: Message) {
    t.event(Event::Received { call, leg, message });
}

fn offer(t: &mut Talk, call: CallId, leg: LegId) {
    said(t, call, leg, Message::Offer { remaining: MINUTE, text: None });
}

/// They call us from one device, and prove it.
fn called(t: &mut Talk, call: CallId, leg: LegId) {
    rung(t, call, leg);
    offer(t, call, leg);
}

fn told(t: &Talk, session: (CallId, LegId), order: &SignalOrder) -> bool {
    t.signals.iter().any(|(to, said)| *to == session && said == order)
}

fn canceled(reason: CancelReason) -> Message {
    Message::Cancel { reason }
}

#[test]
fn the_lower_call_yields_at_once_and_goes_on_as_the_other() {
    let mut t = dialing();
    called(&mut t, WINS, HIGH);
    assert!(told(&t, (WINS, HIGH), &ACCEPT));
    assert!(told(&t, (OURS, HIGH), &ELSEWHERE) && told(&t, (OURS, OTHER), &ELSEWHERE));
    assert_eq!(t.facts, [(OURS, Fact::GlareMerged), (OURS, Fact::Answered)]);
    assert_eq!((t.phone.on_wire(OURS), t.state()), (WINS, Some(State::Connecting)));
    assert_eq!(t.phone.standing().len(), 1);
}

#[test]
fn the_higher_call_waits_two_seconds_for_a_device_that_shows_nothing_of_it() {
    for reached in [false, true] {
        let mut t = dialing();
        said(&mut t, OURS, OTHER, Message::Ready { offers: false });
        called(&mut t, LOSES, HIGH);
        if reached {
            said(&mut t, OURS, HIGH, Message::Ready { offers: false });
        }
        t.pass(2 * SECOND - MS);
        assert_eq!(t.phone.phase(LOSES), PhaseKind::Parked);
        t.pass(MS);
        assert_eq!(t.phone.on_wire(OURS) == LOSES, !reached, "that another device knows of it does not help");
        assert_eq!(t.phone.phase(LOSES), if reached { PhaseKind::Parked } else { PhaseKind::Connecting });
        t.pass(5 * SECOND);
        assert_eq!(t.phone.on_wire(OURS) == LOSES, !reached, "once decided it stays so");
    }
}

#[test]
fn when_our_call_is_answered_theirs_goes_without_a_row_if_it_is_of_that_device_and_older() {
    for (from, before, shadowed) in [(HIGH, true, true), (OTHER, true, false), (HIGH, false, false)] {
        let mut t = dialing();
        if before {
            rung(&mut t, LOSES, from);
            t.pass(10 * MS);
        }
        said(&mut t, OURS, HIGH, Message::Ready { offers: false });
        said(&mut t, OURS, HIGH, Message::Accept);
        t.pass(10 * MS);
        t.forget();
        if before {
            offer(&mut t, LOSES, from);
        } else {
            called(&mut t, LOSES, from);
        }
        let story = format!("of {from:?}, before: {before}");
        t.pass(SECOND);
        let phase = if shadowed { PhaseKind::Nothing } else { PhaseKind::Waiting };
        assert_eq!(t.phone.phase(LOSES), phase, "{story}");
        assert_eq!(t.facts.is_empty(), shadowed, "{story}");
    }
}

#[test]
fn a_parked_call_goes_or_rings_when_ours_is_decided() {
    // Answered by the device that calls; answered by the other one; declined.
    let ends: [(Message, LegId, PhaseKind); 3] = [
        (Message::Accept, HIGH, PhaseKind::Nothing),
        (Message::Accept, OTHER, PhaseKind::Waiting),
        (
            Message::Decline { reason: DeclineReason::Declined, scope: Scope::Everywhere, text: None },
            OTHER,
            PhaseKind::Ringing,
        ),
    ];
    for (message, from, phase) in ends {
        let mut t = dialing();
        said(&mut t, OURS, HIGH, Message::Ready { offers: false });
        said(&mut t, OURS, OTHER, Message::Ready { offers: false });
        called(&mut t, LOSES, HIGH);
        assert_eq!(t.phone.phase(LOSES), PhaseKind::Parked);
        said(&mut t, OURS, from, message.clone());
        t.pass(SECOND);
        assert_eq!(t.phone.phase(LOSES), phase, "{message:?} of {from:?}");
    }
}

#[test]
fn who_takes_back_a_call_that_waits_for_ours_has_a_row_and_ours_goes_on() {
    let taken_back = [
        (canceled(CancelReason::Canceled), true),
        (canceled(CancelReason::NoAnswer), false),
        (canceled(CancelReason::AnsweredElsewhere), false),
        (canceled(CancelReason::DeclinedElsewhere), true),
    ];
    for (message, row) in taken_back {
        let mut t = dialing();
        called(&mut t, LOSES, HIGH);
        t.forget();
        said(&mut t, LOSES, HIGH, message.clone());
        let facts: &[_] = if row { &[(LOSES, Fact::Offered), (LOSES, Fact::Ended)] } else { &[] };
        assert_eq!(t.facts, facts, "{message:?}");
        assert_eq!(t.phone.standing(), [(OURS, PhaseKind::Dialing)]);
    }
}

#[test]
fn answered_elsewhere_is_a_part_of_a_conversation_with_that_device_and_else_a_row() {
    for (with, over) in [(HIGH, false), (HIGH, true), (OTHER, false), (OTHER, true)] {
        let mut t = dialing();
        said(&mut t, OURS, with, Message::Ready { offers: false });
        said(&mut t, OURS, with, Message::Accept);
        t.pass(10 * MS);
        rung(&mut t, LOSES, HIGH);
        if over {
            t.command(Command::HangUp { call: OURS, everyone: false }).unwrap();
        }
        t.forget();
        said(&mut t, LOSES, HIGH, canceled(CancelReason::AnsweredElsewhere));
        assert_eq!(t.facts.is_empty(), with == HIGH, "with {with:?}, over: {over}");
    }
}

#[test]
fn without_our_call_answered_elsewhere_is_a_row() {
    let mut t = Talk::idle(LOW, HIGH, OURS);
    rung(&mut t, LOSES, HIGH);
    said(&mut t, LOSES, HIGH, canceled(CancelReason::AnsweredElsewhere));
    assert_eq!(t.facts, [(LOSES, Fact::Offered), (LOSES, Fact::Ended)]);
    assert_eq!(t.reason(), None, "nobody saw it");
}

#[test]
fn a_device_that_hears_of_a_merged_call_late_is_told_that_it_is_answered() {
    let mut t = dialing();
    called(&mut t, WINS, HIGH);
    t.forget();
    for leg in [HIGH, OTHER] {
        said(&mut t, OURS, leg, Message::Ready { offers: false });
        assert_eq!(t.signals, [((OURS, leg), ELSEWHERE)], "it must not wait for the rest of the ring");
        t.forget();
    }
    said(&mut t, OURS, OTHER, Message::Ringing);
    said(&mut t, OURS, LOW, Message::Ready { offers: false });
    said(&mut t, LOSES, HIGH, Message::Ready { offers: false });
    said(&mut t, WINS, HIGH, Message::Ready { offers: false });
    assert_eq!(t.signals, [], "and nobody else");
    t.command(Command::HangUp { call: OURS, everyone: false }).unwrap();
    t.forget();
    said(&mut t, OURS, OTHER, Message::Ready { offers: false });
    assert_eq!(t.signals, [((OURS, OTHER), ELSEWHERE)], "when it is over, too");
    t.forget();
    said(&mut t, WINS, HIGH, Message::Ready { offers: false });
    assert_eq!(t.signals, []);
}

#[test]
fn a_call_that_was_not_merged_tells_nobody_that_it_is_answered_elsewhere() {
    let mut t = dialing();
    said(&mut t, OURS, HIGH, Message::Ready { offers: false });
    said(
        &mut t,
        OURS,
        OTHER,
        Message::Decline { reason: DeclineReason::Busy, scope: Scope::ThisDevice, text: None },
    );
    said(&mut t, OURS, HIGH, Message::Accept);
    t.forget();
    said(&mut t, OURS, OTHER, Message::Ready { offers: false });
    assert_eq!(t.signals, []);
    t.command(Command::HangUp { call: OURS, everyone: false }).unwrap();
    t.forget();
    said(&mut t, OURS, HIGH, Message::Ready { offers: false });
    assert_eq!(t.signals, []);
}

#[test]
fn whose_daemon_comes_back_ends_a_merged_call_by_either_name() {
    for (name, leg, ends) in
        [(OURS, HIGH, true), (WINS, HIGH, true), (OURS, OTHER, false), (LOSES, HIGH, false)]
    {
        let mut t = dialing();
        called(&mut t, WINS, HIGH);
        t.event(Event::Bye { call: name, leg });
        assert_eq!(t.reason(), ends.then_some(EndReason::ConnectionLost), "{name:?} of {leg:?}");
    }
}

#[test]
fn every_session_of_a_merged_call_is_dropped_when_its_last_words_are_over() {
    let mut t = dialing();
    called(&mut t, WINS, HIGH);
    // One more of theirs: the same person dials from the other device, too, and hears that we are taken.
    t.command(Command::HangUp { call: OURS, everyone: false }).unwrap();
    t.forget();
    t.pass(30 * SECOND - MS);
    assert_eq!(t.signals, []);
    t.pass(MS);
    let dropped: Vec<_> = t.signals.iter().map(|(session, order)| (*session, order.clone())).collect();
    for session in [(WINS, HIGH), (OURS, HIGH), (OURS, OTHER)] {
        let once = dropped.iter().filter(|it| **it == (session, SignalOrder::Forget));
        assert_eq!(once.count(), 1, "{session:?}");
    }
    assert_eq!(dropped.len(), 3);
}

#[test]
fn the_session_of_a_call_that_vanished_is_dropped_with_the_one_that_stands_for_it() {
    for over in [false, true] {
        let mut t = dialing();
        said(&mut t, OURS, HIGH, Message::Ready { offers: false });
        called(&mut t, LOSES, HIGH);
        if over {
            said(&mut t, OURS, HIGH, Message::Accept);
            assert_eq!(t.phone.phase(LOSES), PhaseKind::Nothing);
        } else {
            said(&mut t, LOSES, HIGH, canceled(CancelReason::NoAnswer));
        }
        assert_eq!(t.phone.standing().len(), 1);
        rung(&mut t, LOSES, HIGH);
        assert_eq!(t.phone.standing().len(), 1, "its ring, repeated, is known");
        t.command(Command::HangUp { call: OURS, everyone: false }).unwrap();
        rung(&mut t, LOSES, HIGH);
        assert_eq!(t.phone.standing().len(), 0, "and still when all is over");
        t.forget();
        t.pass(MINUTE);
        let dropped =
            |call| t.signals.iter().filter(|it| **it == ((call, HIGH), SignalOrder::Forget)).count();
        assert_eq!((dropped(OURS), dropped(LOSES)), (1, 1), "answered: {over}");
    }
}

#[test]
fn a_call_that_vanished_leaves_its_session_with_the_one_it_was_a_part_of_and_with_no_other() {
    // It vanishes while we dial somebody else, or when the conversation is over and another one, too.
    for over in [false, true] {
        let mut t = dialing();
        said(&mut t, OURS, HIGH, Message::Ready { offers: false });
        rung(&mut t, LOSES, HIGH);
        said(&mut t, OURS, HIGH, Message::Accept);
        let (call, peer, devices) =
            (CallId::from_bytes([5; 16]), PeerId::from_bytes([8; 16]), vec![LegId::from_bytes([4; 16])]);
        let lifetime = MINUTE;
        t.command(Command::Dial {
            call,
            peer,
            devices,
            lifetime,
            note: None,
            hold_others: true,
            both_tell: false,
        })
        .unwrap();
        if over {
            t.command(Command::HangUp { call: OURS, everyone: false }).unwrap();
            t.pass(5 * SECOND);
            t.command(Command::HangUp { call, everyone: false }).unwrap();
            said(&mut t, LOSES, HIGH, canceled(CancelReason::AnsweredElsewhere));
        } else {
            offer(&mut t, LOSES, HIGH);
            t.command(Command::HangUp { call: OURS, everyone: false }).unwrap();
        }
        t.forget();
        t.pass(if over { 26 } else { 31 } * SECOND);
        let dropped = t.signals.iter().filter(|it| **it == ((LOSES, HIGH), SignalOrder::Forget)).count();
        assert_eq!(dropped, 1, "over: {over}");
    }
}
