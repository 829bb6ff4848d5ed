//! Where a callee speaks to first: its own relay, and no other before it has answered.
//!
//! Lives here: the tests of the reply inbox, with two relays that are names.
//! Must not: open a socket or read a clock.

use ahoy_call::CallId;

use super::*;

const OF_ANA: &str = "wss://ana.example";
const OF_BEN: &str = "wss://ben.example";

/// Ana and Ben hold each other's card, each has a relay of their own, and Ben shows nobody his address before he answers.
fn strangers_to_each_others_relay(preconnect: bool) -> (Phone, Phone) {
    let (mut ana, mut ben) = (Phone::at(1, OF_ANA), Phone::at(2, OF_BEN));
    let (card_of_ana, card_of_ben) = (ana.card(11), ben.card(22));
    ana.add(card_of_ben);
    ben.add(card_of_ana);
    ben.contacts[0].preconnect = preconnect;
    ben.tell();
    (ana, ben)
}

/// Rings, and lets Ben's rules say `Ready`. Message 1, and what Ben sends.
fn ring(ana: &mut Phone, ben: &mut Phone) -> (Envelope, Vec<Out>) {
    let out = ana.ring(0, ben.peer(), ben.leg());
    assert_eq!(relays(&out), [OF_BEN], "a ring goes where its owner wants it");
    let message_1 = posted(&out).remove(0).1;
    assert_eq!(events(&ben.take_by(10, OF_BEN, true, &message_1)).len(), 1);
    let out = ben.send(20, ana.leg(), Message::Ready { offers: false });
    (message_1, out)
}

#[test]
fn two_people_on_two_relays_ring_each_other_and_the_callee_speaks_to_its_own_relay_alone() {
    let (mut ana, mut ben) = strangers_to_each_others_relay(false);
    let (_, out) = ring(&mut ana, &mut ben);
    assert_eq!(relays(&out), [OF_BEN]);
    let message_2 = posted(&out).remove(0).1;
    let made = ana.table.reply_inboxes().next().unwrap().clone();
    assert_eq!((made.to.inbox, made.to.token), (message_2.inbox, message_2.token));
    assert_eq!((made.relays, made.key.is_some()), (vec![OF_BEN.to_owned()], true), "claimed at Ben's relay");
    assert_ne!(message_2.inbox, ana.inbox(), "made for this call");
    assert_eq!(
        events(&ana.take_by(30, OF_BEN, false, &message_2)),
        [heard(&ben, Message::Ready { offers: false })]
    );

    // Message 3, ringing, and every repeat until the answer.
    let out = ana.send(40, ben.leg(), offer());
    let mut said = ben.take_by(50, OF_BEN, true, &posted(&out)[0].1);
    said.extend(ben.send(60, ana.leg(), Message::Ringing));
    while let Some(due) = ben.table.deadline().filter(|due| *due < at(20_000).now) {
        said.extend(ben.table.tick(due));
    }
    assert!(said.len() > 5, "{said:?}");
    assert!(relays(&said).iter().all(|relay| relay == OF_BEN), "{:?}", relays(&said));
    let (_, first) = posted(&said).remove(0);
    ana.take_by(20_100, OF_BEN, false, &first);

    // The answer opens the second way.
    let out = ben.send(20_200, ana.leg(), Message::Accept);
    let mut heard_by = relays(&out);
    heard_by.sort();
    heard_by.dedup();
    assert_eq!(heard_by, [OF_ANA, OF_BEN]);
}

#[test]
fn a_decline_tells_the_callers_relay_nothing() {
    let (mut ana, mut ben) = strangers_to_each_others_relay(false);
    let (_, out) = ring(&mut ana, &mut ben);
    ana.take_by(30, OF_BEN, false, &posted(&out)[0].1);
    let out = ana.send(40, ben.leg(), offer());
    ben.take_by(50, OF_BEN, true, &posted(&out)[0].1);
    let decline = Message::Decline { reason: DeclineReason::Declined, scope: Scope::Everywhere, text: None };
    let mut said = ben.send(60, ana.leg(), decline);
    while let Some(due) = ben.table.deadline().filter(|due| *due < at(30_000).now) {
        said.extend(ben.table.tick(due));
    }
    assert!(relays(&said).iter().all(|relay| relay == OF_BEN), "{:?}", relays(&said));
}

#[test]
fn after_a_crash_the_relay_of_a_caller_whom_we_had_not_answered_hears_nothing() {
    for (preconnect, unanswered, said) in
        [(false, true, false), (false, false, true), (true, true, true), (true, false, true)]
    {
        let (ana, mut ben) = strangers_to_each_others_relay(preconnect);
        let order = SignalingOrder::Bye { call: CALL, peer: ana.peer(), unanswered };
        assert_eq!(!relays(&ben.table.order(at(0), order)).is_empty(), said, "{preconnect} {unanswered}");
    }
    // By a relay that both use it is said anyway.
    let (ana, mut ben) = friends();
    ben.contacts[0].preconnect = false;
    ben.tell();
    let order = SignalingOrder::Bye { call: CALL, peer: ana.peer(), unanswered: true };
    assert_eq!(relays(&ben.table.order(at(0), order)), [RELAY]);
}

#[test]
fn where_preconnect_allows_it_message_2_still_takes_one_relay_and_repeats_take_both() {
    let (mut ana, mut ben) = strangers_to_each_others_relay(true);
    let (message_1, out) = ring(&mut ana, &mut ben);
    assert_eq!(relays(&out), [OF_BEN]);
    assert_eq!(relays(&ben.take_by(600, OF_BEN, true, &message_1)), [OF_ANA], "the next time by the other");
}

#[test]
fn the_inbox_that_is_there_serves_if_both_use_one_relay() {
    let (mut ana, mut ben) = friends();
    let message_1 = posts(&ana.ring(0, ben.peer(), ben.leg())).remove(0);
    let reply = ana.table.reply_inboxes().next().unwrap().clone();
    assert_eq!((reply.to.inbox, reply.key.is_none()), (ana.inbox(), true));
    assert!(ana.table.tokens().contains(&reply.to.token.hash()), "the relay lets the answer in");
    assert!(ana.table.replies_changed());
    ben.take(10, &message_1);
    let message_2 = posts(&ben.send(20, ana.leg(), Message::Ready { offers: false })).remove(0);
    assert_eq!((message_2.inbox, message_2.token), (reply.to.inbox, reply.to.token));
    ana.take(30, &message_2);
    ana.table.order(at(40), SignalingOrder::Call { call: CALL, leg: ben.leg(), order: SignalOrder::Forget });
    assert!(ana.table.replies_changed());
    assert_eq!(ana.table.tokens().len(), 1, "the right to answer ends with the call");
}

#[test]
fn a_ring_by_an_inbox_of_its_own_is_carried_whether_or_not_our_relay_is_there() {
    let (mut ana, ben) = strangers_to_each_others_relay(false);
    let message_1 = posted(&ana.ring(0, ben.peer(), ben.leg())).remove(0).1;
    let out = ana.table.accepted(OF_BEN, message_1.id);
    assert_eq!(events(&out), [Event::Carried { call: CALL, leg: ben.leg() }]);
}

#[test]
fn an_inbox_that_was_made_for_a_call_takes_no_ring() {
    let (mut ana, mut ben) = strangers_to_each_others_relay(false);
    let message_1 = posted(&ana.ring(0, ben.peer(), ben.leg())).remove(0).1;
    ben.drops(Cause::UnknownSession, |ben| ben.take_by(10, OF_ANA, false, &message_1));
}

#[test]
fn a_relay_on_this_machine_counts_only_if_it_is_configured_here() {
    const LOCAL: &str = "ws://127.0.0.1:631/any/path";
    for (configured, rings) in [(OF_ANA, false), (LOCAL, true), ("ws://127.0.0.1:631/any/path/", true)] {
        let (mut ana, mut ben) = (Phone::at(1, configured), Phone::at(2, LOCAL));
        let card = ben.card(22);
        ana.add(card);
        let out = ana.ring(0, ben.peer(), ben.leg());
        let here = if rings { vec![configured.to_owned()] } else { Vec::new() };
        assert_eq!(relays(&out), here, "{configured}");
        if !rings {
            assert_eq!(events(&out), [Event::Undeliverable { call: CALL, leg: ben.leg() }]);
        }
    }
}

#[test]
fn a_device_whose_certificate_has_ended_is_not_rung() {
    let (mut ana, ben) = friends();
    let order = SignalOrder::Ring { peer: ben.peer(), lifetime: Duration::from_secs(60) };
    let late = Time { unix_s: 2_000, ..at(0) };
    let out = ana.table.order(late, SignalingOrder::Call { call: CALL, leg: ben.leg(), order });
    assert!(posts(&out).is_empty());
    assert_eq!(events(&out), [Event::Undeliverable { call: CALL, leg: ben.leg() }]);
}

#[test]
fn a_token_that_the_sender_names_otherwise_binds_nothing() {
    let (mut ana, mut ben) = friends();
    let mut eve = Phone::new(3);
    let card_of_eve = eve.card(33);
    ben.add(card_of_eve);
    // A token that Ben made for Eve and that nobody used yet.
    let fresh = Token::from_bytes([44; 16]).hash();
    ben.tokens.push(crate::values::roster::Token { hash: fresh.bytes(), bound: None, near: None });
    ben.tell();
    let message_1 = posts(&ana.ring(0, ben.peer(), ben.leg())).remove(0);
    ben.drops(Cause::ForeignToken, |ben| ben.table.delivered(at(1), came(fresh), message_1.body.bytes()));
    let out = ben.take(2, &message_1);
    let bound = out.iter().filter(|it| matches!(it, Out::Report(Report::Bound { .. }))).count();
    assert_eq!((events(&out).len(), bound), (1, 1), "with the token that she named it rings and binds");
}

#[test]
fn a_message_1_that_somebody_kept_for_long_is_dropped_whatever_is_remembered() {
    const DAY: i64 = 86_400;
    let account_lives = |ben: &mut Phone, days: i64, envelope: &Envelope, held: i64| {
        let time = Time { unix_s: UNIX_S + days * DAY + held, ..at(1) };
        ben.table.delivered(time, came(envelope.token.hash()), envelope.body.bytes())
    };
    let (mut ana, mut ben) = lasting_friends();
    let ring = posts(&ana.ring(0, ben.peer(), ben.leg())).remove(0);
    ben.drops(Cause::Replayed, |ben| account_lives(ben, 1, &ring, 61));
    assert_eq!(events(&account_lives(&mut ben, 1, &ring, 60)).len(), 1, "a clock may be a day off");
    let order = SignalOrder::Missed { peer: ben.peer() };
    let other = CallId::from_bytes([8; 16]);
    let note =
        posts(&ana.table.order(at(0), SignalingOrder::Call { call: other, leg: ben.leg(), order })).remove(0);
    ben.drops(Cause::Replayed, |ben| account_lives(ben, 8, &note, 1));
    assert_eq!(events(&account_lives(&mut ben, 8, &note, 0)).len(), 1, "a week in the mailbox, and a day");
}

/// As [`friends`], with certificates for years.
fn lasting_friends() -> (Phone, Phone) {
    let (mut ana, mut ben) = (Phone::new(1), Phone::new(2));
    for phone in [&mut ana, &mut ben] {
        let own = &phone.own;
        let public = PublicKey::from(&own.noise);
        let device = own.device.verifying_key();
        let certificate =
            DeviceCertificate::sign(own.holder().unwrap(), &device, &public, "desk", 1, 100_000_000).unwrap();
        phone.own = Arc::new(Own { certificate, ..(**own).clone() });
    }
    let (card_of_ana, card_of_ben) = (ana.card(11), ben.card(22));
    ana.add(card_of_ben);
    ben.add(card_of_ana);
    (ana, ben)
}
