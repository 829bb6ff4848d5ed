//! Two tables connected by hand: what gets through, and what gets nothing.
//!
//! Lives here: the tests of `sessions.rs` and `line.rs`, with a relay that is a list.
//! Must not: open a socket or read a clock.

mod budgets;
mod cards;
mod groups;
mod mirror;
mod near;
mod notes;
mod older;
mod pings;
mod repair;
mod reply;
mod rig;
mod together;

use std::sync::Arc;
use std::time::Duration;

use ahoy_call::{DeclineReason, Epoch, Event, LegId, Message, PeerId, Scope, SignalOrder};
use ahoy_proto::card::Card;
use ahoy_proto::envelope::{Envelope, Token, TokenHash};
use ahoy_proto::hello::HelloKind;
use ahoy_proto::identity::DeviceCertificate;
use ed25519_dalek::SigningKey;
use x25519_dalek::PublicKey;

use crate::signal::dropped::Cause;
use crate::signal::peer_line::Out;
use crate::signal::replay::Replay;
use crate::signal::sessions::{Came, Sessions, Time};
use crate::signal::{Report, SignalingOrder};
use crate::values::own::{Account, Own};
use rig::*;

#[test]
fn a_ring_is_opened_answered_and_followed_by_message_3() {
    let (mut ana, mut ben) = friends();
    let message_1 = posts(&ana.ring(0, ben.peer(), ben.leg())).remove(0);
    let out = ben.take(10, &message_1);
    assert!(posts(&out).is_empty(), "nothing is sent before the rules say so");
    let rung = Event::Rung {
        call: CALL,
        leg: ana.leg(),
        peer: ana.peer(),
        lifetime: Duration::from_secs(60),
        preconnect: true,
        callee_offers: true,
        policy: ahoy_call::RingPolicy::Normal,
    };
    assert_eq!(events(&out), [rung]);
    let bound = out.iter().any(|it| {
        matches!(it, Out::Report(Report::Bound { token, peer })
            if *token == Token::from_bytes([22; 16]).hash().bytes() && *peer == ana.peer())
    });
    assert!(bound, "the token is bound to its first user");
    let message_2 = posts(&ben.send(20, ana.leg(), Message::Ready { offers: true })).remove(0);
    let out = ana.take(30, &message_2);
    assert!(out.iter().any(|it| matches!(it, Out::Report(Report::Mutual(peer)) if *peer == ben.peer())));
    assert_eq!(events(&out), [heard(&ben, Message::Ready { offers: true })], "and an offer follows");
    let out = ana.send(40, ben.leg(), offer());
    let out = ben.take(50, &posts(&out)[0]);
    assert!(matches!(&out[..], [Out::Report(Report::Mutual(peer)), Out::Report(_)] if *peer == ana.peer()));
    assert_eq!(events(&out), [heard(&ana, offer())]);
    assert_eq!(posts(&ben.table.tick(at(200).now)).len(), 1, "its acknowledgement");
    assert_eq!((ana.table.dropped().total(), ben.table.dropped().total()), (0, 0));
}

#[test]
fn message_1_repeats_under_one_id_until_it_is_answered() {
    let (mut ana, ben) = friends();
    let first = posts(&ana.ring(0, ben.peer(), ben.leg())).remove(0);
    let mut times = Vec::new();
    while let Some(due) = ana.table.deadline() {
        for envelope in posts(&ana.table.tick(due)) {
            times.push(due.micros() / 1000);
            assert_eq!((envelope.id, &envelope.body), (first.id, &first.body));
        }
    }
    assert_eq!(times, [500, 1500, 3500, 7500, 15_500, 23_500, 31_500, 39_500, 47_500, 55_500]);

    let (ana, _ben) = in_session();
    assert_eq!(ana.table.deadline(), None, "answered: no more repeats");
}

#[test]
fn a_repeated_message_1_gets_the_same_message_2_again() {
    let (mut ana, mut ben) = friends();
    let message_1 = posts(&ana.ring(0, ben.peer(), ben.leg())).remove(0);
    ben.take(10, &message_1);
    assert!(ben.take(11, &message_1).is_empty(), "not answered yet");
    let first = posts(&ben.send(20, ana.leg(), Message::Ready { offers: false })).remove(0);
    ben.drops(Cause::TooMany, |ben| ben.take(419, &message_1));
    let again = ben.take(420, &message_1);
    assert_eq!(posts(&again)[0].body, first.body);
    assert!(events(&again).is_empty(), "it rings once");
    assert_eq!(events(&ana.take(430, &first)).len(), 1);
    ana.drops(Cause::Replayed, |ana| ana.take(431, &posts(&again)[0]));
}

/// With this token, at the inbox on our card.
fn came(token: TokenHash) -> Came<'static> {
    Came { relay: RELAY, standing: true, token, held: Duration::ZERO }
}

#[test]
fn carried_is_reported_once_and_only_with_a_claimed_inbox() {
    let (mut ana, ben) = friends();
    let message_1 = posts(&ana.ring(0, ben.peer(), ben.leg())).remove(0);
    assert!(ana.table.accepted(RELAY, message_1.id).is_empty());
    let out = ana.table.set_claimed(true);
    assert_eq!(events(&out), [Event::Carried { call: CALL, leg: ben.leg() }]);
    assert!(ana.table.accepted(RELAY, message_1.id).is_empty());
    assert!(ana.table.set_claimed(true).is_empty());
}

#[test]
fn who_is_unknown_blocked_or_without_a_right_token_gets_exactly_nothing() {
    let (mut ana, mut ben) = friends();
    let message_1 = posts(&ana.ring(0, ben.peer(), ben.leg())).remove(0);
    let contacts = std::mem::take(&mut ben.contacts);
    ben.tell();
    ben.drops(Cause::UnknownSender, |ben| ben.take(1, &message_1));
    ben.contacts = contacts;
    ben.contacts[0].blocked = true;
    ben.tell();
    ben.drops(Cause::Blocked, |ben| ben.take(2, &message_1));
    ben.contacts[0].blocked = false;
    ben.tell();
    let body = message_1.body.bytes();
    ben.drops(Cause::UnknownToken, |ben| {
        ben.table.delivered(at(3), came(TokenHash::from_bytes([0; 16])), body)
    });
    ben.drops(Cause::Expired, |ben| {
        let late = Time { unix_s: 2_000, ..at(4) };
        ben.table.delivered(late, came(message_1.token.hash()), body)
    });
    ben.tokens[0].bound = Some(PeerId::from_bytes([9; 16]));
    ben.tell();
    ben.drops(Cause::ForeignToken, |ben| ben.take(5, &message_1));
    assert_eq!(ben.table.deadline(), None);
    ben.tokens[0].bound = Some(ana.peer());
    ben.tell();
    assert_eq!(events(&ben.take(6, &message_1)).len(), 1, "and the same frame rings once all is right");
}

#[test]
fn a_token_serves_the_first_contact_that_used_it_alone() {
    let (mut ana, mut ben) = friends();
    let mut eve = Phone::new(3);
    let card_of_eve = eve.card(33);
    ben.add(card_of_eve);
    let stolen = ana.cards[&ben.peer()].clone();
    eve.add(stolen);
    shake_hands(&mut ana, &mut ben);
    let from_eve = posts(&eve.ring(0, ben.peer(), ben.leg())).remove(0);
    ben.drops(Cause::ForeignToken, |ben| ben.take(50, &from_eve));
    ben.tell();
    ben.drops(Cause::ForeignToken, |ben| ben.take(51, &from_eve));
}

#[test]
fn a_device_that_is_not_on_the_card_gets_nothing() {
    let (mut ana, mut ben) = friends();
    let mut other = Phone::new(4);
    let account = SigningKey::from_bytes(&[1; 32]);
    let device = other.own.device.verifying_key();
    let public = PublicKey::from(&other.own.noise);
    let certificate = DeviceCertificate::sign(&account, &device, &public, "new", 1, 2_000).unwrap();
    other.own = Arc::new(Own { account: Account::Holder(account), certificate, ..(*other.own).clone() });
    other.add(ana.cards.remove(&ben.peer()).unwrap());
    let message_1 = posts(&other.ring(0, ben.peer(), ben.leg())).remove(0);
    ben.drops(Cause::UnknownDevice, |ben| ben.take(1, &message_1));
}

#[test]
fn hostile_envelopes_change_nothing_and_are_counted() {
    let (mut ana, mut ben) = friends();
    let message_1 = posts(&ana.ring(0, ben.peer(), ben.leg())).remove(0);
    let token = message_1.token.hash();
    let body = message_1.body.bytes().to_vec();
    let hit = |ben: &mut Phone, cause, bytes: &[u8]| {
        ben.drops(cause, |ben| ben.table.delivered(at(1), came(token), bytes));
    };
    hit(&mut ben, Cause::Malformed, b"");
    hit(&mut ben, Cause::Malformed, &body[..26]);
    hit(&mut ben, Cause::Malformed, &vec![1; 40_000]);
    hit(&mut ben, Cause::Unsupported, &vec![0; 600]);
    hit(&mut ben, Cause::Seal, &body[..600]);
    let mut altered = body.clone();
    altered[100] ^= 1;
    hit(&mut ben, Cause::Seal, &altered);
    let mut other_session = body.clone();
    other_session[5] ^= 1;
    hit(&mut ben, Cause::Seal, &other_session);
    for kind in [2, 3] {
        let mut stray = body.clone();
        stray[17] = kind;
        hit(&mut ben, Cause::UnknownSession, &stray);
    }
    let reflected = message_1.body.bytes();
    ana.drops(Cause::Replayed, |ana| ana.table.delivered(at(1), came(token), reflected));
    assert_eq!(ben.table.deadline(), None);
    assert_eq!(events(&ben.take(2, &message_1)).len(), 1, "the true one still rings");
}

#[test]
fn a_replayed_message_1_gets_nothing_after_the_call_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (mut ana, mut ben) = friends();
    ben.table = Sessions::new(Replay::open(dir.path()));
    ben.tell();
    let message_1 = shake_hands(&mut ana, &mut ben);
    ben.table.marks().save();
    ben.tokens[0].bound = Some(ana.peer());
    ben.tell();
    ben.table.order(at(40), SignalingOrder::Call { call: CALL, leg: ana.leg(), order: SignalOrder::Forget });
    ben.drops(Cause::Replayed, |ben| ben.take(50, &message_1));
    ben.table = Sessions::new(Replay::open(dir.path()));
    ben.tell();
    ben.drops(Cause::Replayed, |ben| ben.take(60, &message_1));
    ben.table = Sessions::new(Replay::default());
    ben.tell();
    assert_eq!(events(&ben.take(70, &message_1)).len(), 1, "the file made the difference");
}

#[test]
fn the_same_call_id_in_a_new_handshake_is_a_replay_too() {
    let (mut ana, mut ben) = in_session();
    let order = SignalOrder::Forget;
    ana.table.order(at(40), SignalingOrder::Call { call: CALL, leg: ben.leg(), order });
    let again = posts(&ana.ring(50, ben.peer(), ben.leg())).remove(0);
    ben.drops(Cause::Replayed, |ben| ben.take(60, &again));
}

#[test]
fn the_same_call_id_of_two_contacts_is_two_calls() {
    let (mut ana, mut ben) = friends();
    let mut cleo = Phone::new(4);
    let (card_of_cleo, card_for_cleo) = (cleo.card(44), ben.card(45));
    cleo.add(card_for_cleo);
    ben.add(card_of_cleo);
    shake_hands(&mut ana, &mut ben);
    let out = ana.send(40, ben.leg(), offer());
    settle(40, &mut ana, &mut ben, out);
    let ring = posts(&cleo.ring(50, ben.peer(), ben.leg())).remove(0);
    assert!(matches!(events(&ben.take(60, &ring))[..], [Event::Rung { peer, .. }] if peer == cleo.peer()));
    let order = SignalOrder::Missed { peer: ben.peer() };
    let note = cleo.table.order(at(70), SignalingOrder::Call { call: CALL, leg: ben.leg(), order });
    let told = events(&ben.take(80, &posts(&note)[0]));
    assert!(matches!(told[..], [Event::MissedNote { peer, .. }] if peer == cleo.peer()), "{told:?}");
}

#[test]
fn frames_take_the_channel_when_it_is_open_and_closing_words_take_both() {
    let (mut ana, mut ben) = in_session();
    let out = ana.send(40, ben.leg(), offer());
    settle(40, &mut ana, &mut ben, out);
    for (phone, leg) in [(&mut ana, ben.leg()), (&mut ben, LegId::from_bytes([0; 16]))] {
        phone.table.order(at(50), SignalingOrder::Channel { call: CALL, leg, open: true });
    }
    let state = Message::State { serial: 1, muted: true, held: false, camera: false, listening: false };
    let out = ana.send(60, ben.leg(), state.clone());
    assert_eq!((posts(&out).len(), frames(&out).len()), (0, 1), "the channel alone");
    let leg = ana.leg();
    let order = SignalingOrder::Frame { call: CALL, leg, bytes: frames(&out).remove(0) };
    assert_eq!(events(&ben.table.order(at(61), order)), [heard(&ana, state)]);
    let decline = Message::Decline { reason: DeclineReason::Declined, scope: Scope::Everywhere, text: None };
    for message in [Message::Accept, decline] {
        let out = ana.send(70, ben.leg(), message.clone());
        let (posts, frames) = (posts(&out), frames(&out));
        let (posted, framed) = (posts.last().unwrap(), frames.last().unwrap());
        assert_eq!(posted.body.bytes(), &framed[..], "one frame, both paths");
        assert_eq!(events(&ben.take(80, posted)), [heard(&ana, message)]);
        ben.drops(Cause::Replayed, |ben| {
            ben.table.order(at(81), SignalingOrder::Frame { call: CALL, leg, bytes: framed.clone() })
        });
    }
}

#[test]
fn what_a_dead_channel_swallowed_goes_by_the_relay() {
    let (mut ana, mut ben) = in_session();
    ana.table.order(at(40), SignalingOrder::Channel { call: CALL, leg: ben.leg(), open: true });
    let out = ana.send(50, ben.leg(), offer());
    assert!(posts(&out).is_empty());
    let due = ana.table.deadline().unwrap();
    assert_eq!(due, at(550).now);
    let out = ana.table.tick(due);
    assert_eq!(events(&ben.take(560, &posts(&out)[0])), [heard(&ana, offer())]);
}

#[test]
fn a_session_whose_other_end_is_gone_is_undeliverable_once() {
    let (mut ana, ben) = in_session();
    ana.send(0, ben.leg(), offer());
    let mut seen = Vec::new();
    while let Some(due) = ana.table.deadline() {
        seen.extend(events(&ana.table.tick(due)));
        assert!(due <= at(90_000).now);
    }
    assert_eq!(seen, [Event::Undeliverable { call: CALL, leg: ben.leg() }]);
}

#[test]
fn a_ring_that_cannot_be_sent_is_undeliverable() {
    let (mut ana, ben) = friends();
    let stranger = PeerId::from_bytes([9; 16]);
    let undeliverable = |leg| [Event::Undeliverable { call: CALL, leg }];
    assert_eq!(events(&ana.ring(0, stranger, ben.leg())), undeliverable(ben.leg()));
    let no_device = LegId::from_bytes([9; 16]);
    assert_eq!(events(&ana.ring(0, ben.peer(), no_device)), undeliverable(no_device));
    ana.cards.get_mut(&ben.peer()).unwrap().devices[0].inboxes.clear();
    ana.tell();
    assert_eq!(events(&ana.ring(0, ben.peer(), ben.leg())), undeliverable(ben.leg()));
}

#[test]
fn a_bye_reaches_the_rules_once_and_stops_when_the_relay_took_it() {
    let (mut ana, mut ben) = friends();
    let out = ana.table.order(at(0), SignalingOrder::Bye { call: CALL, peer: ben.peer(), unanswered: false });
    let bye = posts(&out).remove(0);
    assert_eq!(events(&ben.take(10, &bye)), [Event::Bye { call: CALL, leg: ana.leg() }]);
    ben.drops(Cause::Replayed, |ben| ben.take(11, &bye));
    assert_eq!(ana.table.deadline(), Some(at(500).now));
    ana.table.accepted(RELAY, bye.id);
    assert_eq!(ana.table.deadline(), None);
    assert!(ana.table.is_idle());
}

#[test]
fn a_farewell_waits_a_week_for_who_is_away_marks_them_once_and_ends_no_call() {
    let (mut ana, mut ben) = friends();
    let word = posts(&ana.table.order(at(0), SignalingOrder::Farewell(ben.peer()))).remove(0);
    assert_eq!(word.ttl.duration(), Duration::from_secs(7 * 24 * 3_600));
    let told = ana.table.accepted(RELAY, word.id);
    assert!(matches!(told[..], [Out::Report(Report::Farewell { peer, told: true })] if peer == ben.peer()));
    assert!(ana.table.is_idle() && ana.table.accepted(RELAY, word.id).is_empty(), "said once");
    let out = ben.take_after(10, Duration::from_secs(6 * 24 * 3_600), &word);
    assert!(
        matches!(out[..], [Out::Report(Report::Bound { .. }), Out::Report(Report::Ended(peer))] if peer == ana.peer())
    );
    ben.drops(Cause::Replayed, |ben| ben.take(11, &word));
    let nobody = ben.peer();
    let out = ben.table.order(at(20), SignalingOrder::Farewell(nobody));
    assert!(
        matches!(out[..], [Out::Report(Report::Farewell { told: false, .. })]),
        "who cannot be told is said at once"
    );
}

#[test]
fn a_ring_taken_back_before_an_answer_is_no_longer_repeated() {
    let (mut ana, ben) = friends();
    ana.ring(0, ben.peer(), ben.leg());
    let cancel = Message::Cancel { reason: ahoy_call::CancelReason::Canceled };
    assert!(ana.send(100, ben.leg(), cancel).is_empty());
    assert_eq!(ana.table.deadline(), None);
}

#[test]
fn an_unanswered_ring_is_dropped_when_its_lifetime_ends() {
    let (mut ana, mut ben) = friends();
    let message_1 = posts(&ana.ring(0, ben.peer(), ben.leg())).remove(0);
    ben.take(10, &message_1);
    assert_eq!(ben.table.deadline(), Some(at(60_010).now));
    assert!(ben.table.tick(at(60_010).now).is_empty());
    assert_eq!(ben.table.deadline(), None);
    assert!(ben.send(60_020, ana.leg(), Message::Ready { offers: false }).is_empty());
}
