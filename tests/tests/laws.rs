//! Do the laws of the rules hold?
//!
//! Lives here: what whoever drives a phone may rely on, and what is their own fault.
//! Must not: tell a story of calling.

use std::time::Duration;

use ahoy_call::{
    CallId, Command, EndReason, Event, LegId, Message, Moment, PeerId, PhaseKind, Phone, Refusal, RingPolicy,
    Settings, State,
};
use ahoy_tests::world::{MINUTE, SECOND, World, device, peer};

const NOW: Moment = Moment::from_micros(10_000_000);

type Change = fn(&mut Phone);

fn phone() -> Phone {
    Phone::new(device(0), peer(0), Settings::default())
}

fn id(number: u8) -> CallId {
    CallId::from_bytes([number; 16])
}

fn dial(call: CallId, peer: PeerId, leg: LegId) -> Command {
    let (devices, lifetime) = (vec![leg], MINUTE);
    Command::Dial { call, peer, devices, lifetime, note: None, hold_others: true, both_tell: false }
}

fn rung(number: u8) -> Event {
    let from = usize::from(number);
    let (leg, peer, policy) = (device(from), peer(from), RingPolicy::Normal);
    Event::Rung {
        call: id(number),
        leg,
        peer,
        lifetime: MINUTE,
        preconnect: true,
        callee_offers: false,
        policy,
    }
}

#[test]
#[should_panic(expected = "time runs back")]
fn time_that_runs_back_is_a_fault_of_the_driver() {
    let mut phone = phone();
    let _dialed = phone.command(NOW, dial(id(1), peer(1), device(1))).unwrap();
    let _earlier = phone.event(Moment::from_micros(NOW.micros() - 1), Event::NetworkChanged);
}

#[test]
#[should_panic(expected = "a due tick was not fed first")]
fn an_input_before_a_tick_that_is_due_is_a_fault_of_the_driver() {
    let mut phone = phone();
    let _dialed = phone.command(NOW, dial(id(1), peer(1), device(1))).unwrap();
    let due = phone.deadline().unwrap().at;
    let _late = phone.command(due, Command::HangUpAll);
}

#[test]
fn phones_are_equal_that_decide_alike_whenever_that_was() {
    let mut other = phone();
    let _changed = other.event(NOW, Event::NetworkChanged);
    assert!(phone() == other, "when they last decided does not matter");

    let unlike: [(&str, Change); 4] = [
        ("settings", |it| it.configure(Settings { call_waiting: false, ..Settings::default() })),
        ("the switch for all", |it| drop(it.command(NOW, Command::SetAllMuted { muted: true }))),
        ("a call", |it| drop(it.command(NOW, dial(id(1), peer(1), device(1))))),
        ("one that ended", |it| {
            drop(it.event(NOW, Event::MissedNote { call: id(1), peer: peer(1), at_unix_us: 0, why: None }));
        }),
    ];
    for (what, change) in unlike {
        let mut other = phone();
        change(&mut other);
        assert!(phone() != other, "{what}");
    }
    assert!(phone() != Phone::new(device(1), peer(0), Settings::default()), "the device");
}

/// Message 3 of the call of this number.
fn proved(number: u8) -> Event {
    let message = Message::Offer { remaining: Duration::from_secs(60), text: None };
    Event::Received { call: id(number), leg: device(usize::from(number)), message }
}

#[test]
fn sixteen_contacts_may_ring_at_once_and_we_may_call_all_the_same() {
    let mut phone = phone();
    for number in 1..=17 {
        let _ready = phone.event(NOW, rung(number));
        let _rings = phone.event(NOW, proved(number));
        let dropped = phone.phase(id(number)) == PhaseKind::Nothing;
        assert_eq!(dropped, number == 17, "{number}: one beyond is dropped");
    }
    assert_eq!((phone.standing().len(), phone.cannot_dial()), (16, None));
    let _dialed = phone.command(NOW, dial(id(50), peer(50), device(50))).unwrap();
    assert_eq!(phone.cannot_dial(), Some(Refusal::Busy), "one at a time");
}

#[test]
fn one_contact_has_two_calls_and_two_that_it_did_not_prove_and_no_more() {
    let mut phone = phone();
    let of_one = |number: u8| {
        let Event::Rung { call, leg, lifetime, preconnect, callee_offers: false, policy, .. } = rung(number)
        else {
            panic!("a ring");
        };
        Event::Rung { call, leg, peer: peer(9), lifetime, preconnect, callee_offers: false, policy }
    };
    for number in 1..=40 {
        let _ready = phone.event(NOW, of_one(number));
        assert!(phone.standing().len() <= 2);
    }
    assert_eq!((phone.phase(id(39)), phone.phase(id(40))), (PhaseKind::Knocking, PhaseKind::Knocking));
    for number in 41..=60 {
        let _ready = phone.event(NOW, of_one(number));
        let _rings = phone.event(NOW, proved(number));
    }
    let rings = |phone: &Phone| {
        let public = |(_, phase): &&(CallId, PhaseKind)| *phase != PhaseKind::Knocking;
        phone.standing().iter().filter(public).count()
    };
    assert_eq!(rings(&phone), 2);
    let _ready = phone.event(NOW, rung(70));
    let _rings = phone.event(NOW, proved(70));
    assert_eq!(rings(&phone), 3, "another contact is not in its way");
    // Rings that nobody proves push each other out, and nothing else.
    for number in 100..=200 {
        let _ready = phone.event(NOW, rung(number));
    }
    assert_eq!((rings(&phone), phone.standing().len()), (3, 3 + 16));
}

#[test]
fn thirty_two_ended_calls_are_remembered_and_the_oldest_goes_with_its_sessions() {
    let mut w = World::new(7, &["ada", "bob"]);
    let mut calls = Vec::new();
    for _ in 0..33 {
        calls.push(w.dial("ada", "bob").unwrap());
        w.pass(Duration::from_millis(100));
        w.hang_up("ada").unwrap();
    }
    assert_eq!(w.people[0].published.len(), 32, "the first one was retired before its time");
    assert_eq!(w.state_of("ada", calls[0]), None);
    assert_eq!(w.state_of("ada", calls[1]), Some(State::Disconnected));
    w.pass(10 * SECOND);
    assert!(w.people[0].published.is_empty());
}

#[test]
fn nothing_is_due_in_a_conversation_and_ten_seconds_after_it_its_object_goes() {
    let mut w = World::new(7, &["ada", "bob"]);
    w.ring("ada", "bob");
    w.answer("bob").unwrap();
    w.pass(MINUTE);
    assert_eq!(w.people[0].phone.deadline(), None, "no timer keeps the machine awake");
    w.hang_up("ada").unwrap();
    let view = w.view("ada").unwrap();
    assert_eq!(view.deadline, Some(w.now + 10 * SECOND), "and it is shown when");
    assert_eq!(w.people[0].phone.deadline().map(|due| due.at), view.deadline);
    w.pass(10 * SECOND);
    assert_eq!(w.view("ada"), None);
    let words = w.people[0].phone.deadline().map(|due| due.at);
    assert_eq!(words, Some(w.now + 20 * SECOND), "the last words are repeated for thirty seconds");
}

#[test]
fn a_contact_has_eight_devices_at_most_and_no_id_is_used_twice() {
    let mut phone = phone();
    let (call, peer, devices, lifetime) = (id(1), peer(1), (1..=8).map(device).collect(), MINUTE);
    let dial_all =
        Command::Dial { call, peer, devices, lifetime, note: None, hold_others: true, both_tell: false };
    let _dialed = phone.command(NOW, dial_all).unwrap();
    let _ended = phone.command(NOW, Command::HangUpAll).unwrap();
    assert_eq!(phone.command(NOW, dial(id(1), peer, device(1))), Err(Refusal::OutOfRange));
}

#[test]
fn calls_are_told_in_the_order_of_their_coming() {
    let mut phone = phone();
    for (after, number) in [9, 3, 6].into_iter().enumerate() {
        let now = NOW + Duration::from_micros(u64::try_from(after).unwrap());
        let _rings = phone.event(now, rung(number));
    }
    let told: Vec<CallId> = phone.standing().into_iter().map(|(call, _)| call).collect();
    assert_eq!(told, [9, 3, 6].map(id), "whatever their ids are");
}

#[test]
fn a_device_that_shows_itself_was_reached_whatever_the_relay_says() {
    for ready in [false, true] {
        let mut phone = phone();
        let _dialed = phone.command(NOW, dial(id(1), peer(1), device(1))).unwrap();
        if ready {
            let message = Message::Ready { offers: false };
            let _begun = phone.event(NOW + SECOND, Event::Received { call: id(1), leg: device(1), message });
        }
        let due = phone.deadline().unwrap().at;
        assert_eq!(due, NOW + if ready { MINUTE } else { 10 * SECOND });
        let _over = phone.event(due, Event::Tick);
        let reason = if ready { EndReason::Unavailable } else { EndReason::Unreachable };
        assert_eq!(phone.views()[0].reason, Some(reason));
    }
}
