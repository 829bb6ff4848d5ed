//! Neighbours: rings that need no relay, or go by one as well.
//!
//! Lives here: two tables with a local network between them that is a list.
//! Must not: open a socket or read a clock.

use std::collections::BTreeSet;

use ahoy_proto::neighbour::tag::inbox_of;

use super::*;
use crate::values::near::NearPlace;

/// The connection that Ana has begun, as Ben names it.
const OF_ANA: &str = "near:#4";

/// How Ana names the place where Ben is.
fn near(ben: &Phone) -> String {
    NearPlace::Contact(ben.peer()).name()
}

/// Two who have no relay at all. Ana sees Ben.
fn at_home() -> (Phone, Phone) {
    let (mut ana, mut ben) = (Phone::new(1), Phone::new(2));
    for phone in [&mut ana, &mut ben] {
        Arc::make_mut(&mut phone.own).inboxes.clear();
    }
    let (card_of_ana, card_of_ben) = (ana.card(11), ben.card(22));
    ana.add(card_of_ben);
    ben.add(card_of_ana);
    let _nothing = ana.table.set_near(at(0), [ben.peer()].into());
    (ana, ben)
}

/// What the task does with an envelope that came from a neighbour.
fn bring(ms: u64, to: &mut Phone, place: &str, envelope: &Envelope) -> Option<Vec<Out>> {
    let standing = to.table.takes(envelope.inbox, envelope.token)?;
    Some(to.take_by(ms, place, standing, envelope))
}

#[test]
fn two_with_no_relay_ring_and_answer_by_the_connection_of_the_caller() {
    let (mut ana, mut ben) = at_home();
    let out = ana.ring(0, ben.peer(), ben.leg());
    let (place, message_1) = posted(&out).remove(0);
    assert_eq!((posted(&out).len(), place), (1, near(&ben)));
    assert_eq!(message_1.inbox, inbox_of(ben.own.certificate.device()));
    assert!(matches!(events(&bring(10, &mut ben, OF_ANA, &message_1).unwrap())[..], [Event::Rung { .. }]));
    // No inbox is claimed anywhere, and the ring is on its way all the same.
    let carried = events(&ana.table.accepted(&near(&ben), message_1.id));
    assert_eq!(carried, [Event::Carried { call: CALL, leg: ben.leg() }]);
    let out = ben.send(20, ana.leg(), Message::Ready { offers: false });
    let (place, message_2) = posted(&out).remove(0);
    assert_eq!((posted(&out).len(), place.as_str()), (1, OF_ANA));
    let came = bring(30, &mut ana, &near(&ben), &message_2).unwrap();
    assert_eq!(events(&came), [heard(&ben, Message::Ready { offers: false })]);
    let out = ana.send(40, ben.leg(), offer());
    let came = bring(50, &mut ben, OF_ANA, &posted(&out)[0].1).unwrap();
    assert!(events(&came).contains(&heard(&ana, offer())));
}

#[test]
fn nobody_is_rung_who_is_not_seen_and_who_comes_while_it_rings_is_rung_at_once() {
    let (mut ana, ben) = at_home();
    let _nothing = ana.table.set_near(at(0), BTreeSet::new());
    let out = ana.ring(0, ben.peer(), ben.leg());
    assert_eq!(events(&out), [Event::Undeliverable { call: CALL, leg: ben.leg() }]);

    let (mut ana, ben) = friends();
    let first = posted(&ana.ring(0, ben.peer(), ben.leg())).remove(0).1;
    let out = ana.table.set_near(at(100), [ben.peer()].into());
    let (place, again) = posted(&out).into_iter().find(|(place, _)| *place == near(&ben)).unwrap();
    assert_eq!((place, again.id, &again.body), (near(&ben), first.id, &first.body), "the same envelope");
    assert!(ana.table.set_near(at(200), [ben.peer()].into()).is_empty(), "once");
}

#[test]
fn a_ring_by_both_ways_is_one_ring_and_the_first_way_answers() {
    let (mut ana, mut ben) = friends();
    let _nothing = ana.table.set_near(at(0), [ben.peer()].into());
    let out = ana.ring(0, ben.peer(), ben.leg());
    assert_eq!(relays(&out), [RELAY.to_owned(), near(&ben)]);
    let both = posted(&out);
    assert_eq!((both[0].1.id, &both[0].1.body), (both[1].1.id, &both[1].1.body));
    let rung = bring(10, &mut ben, OF_ANA, &both[1].1).unwrap();
    assert!(matches!(events(&rung)[..], [Event::Rung { .. }]));
    assert!(ben.take(12, &both[0].1).is_empty(), "the other copy rings nobody");
    let out = ben.send(20, ana.leg(), Message::Ready { offers: false });
    assert_eq!(relays(&out), [OF_ANA], "and is answered where it came first");
    let message_2 = posted(&out).remove(0).1;
    assert!(bring(30, &mut ana, &near(&ben), &message_2).is_some(), "at the inbox that a relay has");
    // Who repeats it because the connection broke is answered by another way.
    assert_eq!(relays(&ben.take(600, &both[0].1)), [RELAY]);
}

#[test]
fn what_a_neighbour_brings_needs_a_token_of_ours_and_an_inbox_of_ours() {
    let (mut ana, mut ben) = at_home();
    let message_1 = posted(&ana.ring(0, ben.peer(), ben.leg())).remove(0).1;
    let foreign = Token::from_bytes([99; 16]);
    assert!(bring(10, &mut ben, OF_ANA, &Envelope { token: foreign, ..message_1.clone() }).is_none());
    let elsewhere = inbox_of(ana.own.certificate.device());
    assert!(bring(10, &mut ben, OF_ANA, &Envelope { inbox: elsewhere, ..message_1.clone() }).is_none());
    assert!(bring(10, &mut ben, OF_ANA, &message_1).is_some());
    // The right to answer ends with the ring.
    let out = ben.send(20, ana.leg(), Message::Ready { offers: false });
    let message_2 = posted(&out).remove(0).1;
    assert_eq!(ana.table.takes(message_2.inbox, message_2.token), Some(true));
    let forget = SignalingOrder::Call { call: CALL, leg: ben.leg(), order: SignalOrder::Forget };
    let _nothing = ana.table.order(at(30), forget);
    assert_eq!(ana.table.takes(message_2.inbox, message_2.token), None);
}

#[test]
fn who_shows_a_caller_no_address_does_not_connect_to_it_before_the_answer() {
    for (preconnect, connects) in [(false, false), (true, true)] {
        let (mut ana, mut ben) = friends();
        ben.contacts[0].preconnect = preconnect;
        ben.tell();
        let _nothing = ben.table.set_near(at(0), [ana.peer()].into());
        let message_1 = posted(&ana.ring(0, ben.peer(), ben.leg())).remove(0).1;
        let _rung = ben.take(10, &message_1);
        let mut said = ben.send(20, ana.leg(), Message::Ready { offers: false });
        said.extend(ben.send(30, ana.leg(), Message::Ringing));
        while let Some(due) = ben.table.deadline().filter(|due| *due < at(9_000).now) {
            said.extend(ben.table.tick(due));
        }
        assert_eq!(relays(&said).contains(&near(&ana)), connects, "{preconnect}");
    }
}

#[test]
fn what_nobody_asked_for_goes_to_no_neighbour_who_may_not_learn_our_address() {
    for preconnect in [false, true] {
        let (mut ana, mut ben) = friends();
        ben.contacts[0].preconnect = preconnect;
        ben.tell();
        let _nothing = ben.table.set_near(at(0), [ana.peer()].into());
        let card = Box::new(ben.card(23));
        let news = ben.table.order(at(10), SignalingOrder::GiveCard { peer: ana.peer(), card, news: true });
        let order = SignalingOrder::Bye { call: CALL, peer: ana.peer(), unanswered: true };
        let bye = ben.table.order(at(20), order);
        for (what, said) in [("card", news), ("bye", bye)] {
            assert!(
                !said.is_empty() && relays(&said).contains(&near(&ana)) == preconnect,
                "{what} {preconnect}"
            );
        }
        // A call of ours may show it.
        let rings = relays(&ben.ring(30, ana.peer(), ana.leg()));
        assert!(rings.contains(&near(&ana)), "{rings:?}");
        ana.tell();
    }
}

#[test]
fn a_device_without_an_inbox_is_one_of_a_neighbour_and_of_nobody_else() {
    let (mut ana, mut ben) = at_home();
    let message_1 = posted(&ana.ring(0, ben.peer(), ben.leg())).remove(0).1;
    ben.drops(Cause::UnknownDevice, |ben| ben.take_by(10, RELAY, true, &message_1));
}
