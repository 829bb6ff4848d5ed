//! Call cards: who has one may be met in that call, and do nothing else with it.
//!
//! Lives here: what the owner of a card makes of those who come with it.
//! Must not: open a socket or read a clock.

use ahoy_call::group::{Age, Entry, News, Presence, Start, Statement};
use ahoy_call::{CallId, Opaque};
use ahoy_proto::envelope::{Body, EnvelopeId, Ttl};
use ahoy_proto::group::{CallCard, card_of};
use ahoy_proto::hello::{Hello, ReplyTo};
use ahoy_proto::session::{Calling, Ephemeral, SessionId};

use super::*;
use crate::values::roster;

const OTHER_CALL: CallId = CallId::from_bytes([8; 16]);

/// What Ben says of himself in the group of Ana: his call card is on it.
fn card_of_ben(ana: &mut Phone, ben: &mut Phone) -> CallCard {
    let statement = Statement {
        number: 1,
        presence: Presence::Joined { at: Age(1) },
        invited: vec![],
        removed: vec![],
        gone: vec![],
        ended: None,
        rooms: false,
    };
    let (author, peer, seal) = (ben.leg(), ben.peer(), Opaque(vec![]));
    let entry = Entry { author, peer, statement, seal, print: 0 };
    let start = Start { call: CALL, leg: ana.leg(), peer: ana.peer(), group: None };
    let news = News { start, age: Age(1), heads: vec![], entries: vec![entry], told: vec![] };
    assert!(posts(&ben.send(40, ana.leg(), Message::Log(Box::new(news)))).is_empty(), "more may follow");
    let said = posts(&ben.table.tick(at(50).now)).remove(0);
    let heard = events(&ana.take(50, &said));
    let Some(Event::Received { message: Message::Log(news), .. }) = heard.into_iter().next() else {
        panic!("no log")
    };
    card_of(&news.entries[0].seal).unwrap()
}

/// Ben in a call with Ana, and Cleo, of whom he has never heard, with his call card.
fn in_a_group() -> (Phone, Phone, CallCard) {
    let (mut ana, mut ben) = in_session();
    let card = card_of_ben(&mut ana, &mut ben);
    (ben, Phone::new(3), card)
}

/// A message 1 of this kind in that call, with the token of the card.
fn knock(from: &Phone, card: &CallCard, call: CallId, kind: HelloKind, n: u8) -> Envelope {
    let hello = Hello {
        certificate: from.own.certificate.clone(),
        revision: 1,
        call,
        lifetime: Duration::from_secs(60),
        versions: vec![1],
        features: vec![],
        reply: Some(ReplyTo { inbox: from.inbox(), token: Token::from_bytes([n; 16]) }),
        sent_s: Some(UNIX_S),
        token: Some(card.token.hash()),
        kind,
    };
    let ephemeral = Ephemeral([n; 32]);
    let calling =
        Calling::begin(SessionId([n; 16]), &ephemeral, &from.own.noise, &card.certificate, &hello).unwrap();
    Envelope {
        inbox: card.inboxes[0].inbox,
        token: card.token,
        id: EnvelopeId::from_bytes([n; 16]),
        ttl: Ttl::new(Duration::from_secs(60)),
        body: Body::try_from(calling.message_1().to_vec()).unwrap(),
    }
}

#[test]
fn who_has_a_call_card_is_met_in_its_call_and_is_no_contact_by_it() {
    let (mut ben, cleo, card) = in_a_group();
    let out = ben.take(100, &knock(&cleo, &card, CALL, HelloKind::Meet, 1));
    assert_eq!(events(&out), [Event::Met { call: CALL, leg: cleo.leg(), peer: cleo.peer() }]);
    assert!(posts(&out).is_empty(), "nothing is said of us before the rules say so");
}

#[test]
fn a_call_card_rings_nobody_asks_for_nothing_and_opens_no_other_call() {
    let (mut ben, mut cleo, card) = in_a_group();
    let own = Box::new(cleo.card(33));
    let kinds = [HelloKind::Ring, HelloKind::Bye, HelloKind::Missed, HelloKind::Ping, HelloKind::Card(own)];
    for (n, kind) in kinds.into_iter().enumerate() {
        let knock = knock(&cleo, &card, CALL, kind, u8::try_from(n).unwrap());
        ben.drops(Cause::ForeignToken, |ben| ben.take(100, &knock));
    }
    let elsewhere = knock(&cleo, &card, OTHER_CALL, HelloKind::Meet, 9);
    ben.drops(Cause::ForeignToken, |ben| ben.take(110, &elsewhere));
}

#[test]
fn a_call_card_is_good_for_ten_minutes_behind_its_call() {
    let (mut ben, cleo, card) = in_a_group();
    let ana = Phone::new(1).leg();
    let over = |ben: &mut Phone, ms: u64, leg: LegId| {
        let order = SignalingOrder::Call { call: CALL, leg, order: SignalOrder::Forget };
        ben.table.order(at(ms), order);
        ben.table.tick(at(ms + 1_000).now);
    };
    over(&mut ben, 1_000, ana);
    let back = ben.take(500_000, &knock(&cleo, &card, CALL, HelloKind::Meet, 1));
    assert_eq!(events(&back).len(), 1, "who is left alone may be joined again");
    over(&mut ben, 501_000, cleo.leg());
    ben.table.tick(at(1_110_000).now);
    ben.drops(Cause::UnknownToken, |ben| ben.take(1_110_100, &knock(&cleo, &card, CALL, HelloKind::Meet, 2)));
}

#[test]
fn who_is_blocked_is_not_met_by_a_call_card_either() {
    let (mut ben, mut cleo, card) = in_a_group();
    ben.contacts.push(roster::Known { peer: cleo.peer(), blocked: true, preconnect: true, ping: false });
    ben.cards.insert(cleo.peer(), cleo.card(33));
    ben.tell();
    ben.drops(Cause::Blocked, |ben| ben.take(100, &knock(&cleo, &card, CALL, HelloKind::Meet, 1)));
}

#[test]
fn a_relay_that_a_pass_names_is_asked_unless_it_is_one_of_this_machine_and_not_ours() {
    let (_, ben) = friends();
    let knocks = |relay: &str| ben.table.peers().may_knock(relay);
    assert!(knocks(RELAY) && knocks("wss://else.example"));
    for relay in ["ws://127.0.0.1:9", "ws://localhost:1", "http://127.0.0.1:1", ""] {
        assert!(!knocks(relay), "{relay}");
    }
}
