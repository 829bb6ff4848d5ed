//! Calls from and to a daemon of the first release, which knows no reply inbox.
//!
//! Lives here: its messages 1, 2 and 3 as it wrote them (frozen in the vectors of `proto`), against this table.
//! Must not: open a socket or read a clock.

use ahoy_call::CallId;
use ahoy_proto::codec;
use ahoy_proto::envelope::{Body, EnvelopeId, Inbox, Ttl};
use ahoy_proto::hello::{CALLEE_OFFERS, Hello, HelloKind};
use ahoy_proto::reliable::{Manner, Reliable};
use ahoy_proto::session::{Called, Calling, Ephemeral, Session, SessionId};
use x25519_dalek::StaticSecret;

use super::*;

const VECTORS: &str = include_str!("../../../../proto/tests/vectors/session.json");
const ELSEWHERE: &str = "wss://ana.example";

fn frozen(name: &str) -> Vec<u8> {
    let all: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
    data_encoding::HEXLOWER.decode(all[name].as_str().unwrap().as_bytes()).unwrap()
}

/// The device of this number in the vectors, with its inbox at this relay.
fn known(seed: u8, relay: &str) -> Phone {
    let mut phone = Phone::at(seed, relay);
    let account = SigningKey::from_bytes(&[seed; 32]);
    let device = SigningKey::from_bytes(&[seed + 100; 32]);
    let noise = StaticSecret::from([seed + 50; 32]);
    let public = PublicKey::from(&noise);
    let certificate =
        DeviceCertificate::sign(&account, &device.verifying_key(), &public, "desk", 1_000, 2_000).unwrap();
    phone.own = Arc::new(Own {
        account: Account::Holder(account),
        device,
        noise,
        certificate,
        ..(*phone.own).clone()
    });
    phone
}

/// Ana is of the first release, Ben is of today; they hold each other's card.
fn older_ana(relay: &str, preconnect: bool) -> (Phone, Phone) {
    let (mut ana, mut ben) = (known(1, relay), known(2, RELAY));
    let (card_of_ana, card_of_ben) = (ana.card(11), ben.card(22));
    ana.add(card_of_ben);
    ben.add(card_of_ana);
    ben.contacts[0].preconnect = preconnect;
    ben.tell();
    (ana, ben)
}

fn older_hello(of: &Phone, kind: HelloKind) -> Hello {
    Hello {
        certificate: of.own.certificate.clone(),
        revision: 3,
        call: CALL,
        lifetime: Duration::from_secs(60),
        versions: vec![1],
        features: Vec::new(),
        reply: None,
        sent_s: None,
        token: None,
        kind,
    }
}

/// Her end of the handshake whose message 1 is frozen.
fn older_calling(ana: &Phone, ben: &Phone) -> Calling {
    let hello = older_hello(ana, HelloKind::Ring);
    let id = SessionId([5; 16]);
    let to = &ben.own.certificate;
    let calling = Calling::begin(id, &Ephemeral([31; 32]), &ana.own.noise, to, &hello).unwrap();
    assert_eq!(calling.message_1(), frozen("message_1"), "as the first release wrote it");
    calling
}

fn envelope(to: Inbox, token: u8, body: Vec<u8>) -> Envelope {
    Envelope {
        inbox: to,
        token: Token::from_bytes([token; 16]),
        id: EnvelopeId::from_bytes([1; 16]),
        ttl: Ttl::new(Duration::from_secs(60)),
        body: Body::try_from(body).unwrap(),
    }
}

/// What the first release makes of a message of the rules.
fn older_frame(session: &mut Session, reliable: &mut Reliable, message: &Message) -> Vec<u8> {
    reliable.send(codec::encode(message).unwrap(), Manner::default()).unwrap();
    session.seal(&reliable.due(at(0).now).unwrap()[0].bytes).unwrap()
}

#[test]
fn an_older_callers_ring_is_answered_at_the_relay_that_both_use_whatever_preconnect_says() {
    for preconnect in [true, false] {
        let (ana, mut ben) = older_ana(RELAY, preconnect);
        let mut calling = older_calling(&ana, &ben);
        let message_1 = envelope(ben.inbox(), 22, frozen("message_1"));
        let out = ben.take(0, &message_1);
        assert!(matches!(events(&out)[..], [Event::Rung { call: CALL, callee_offers: false, .. }]));
        let bound = out.iter().filter(|it| matches!(it, Out::Report(Report::Bound { .. }))).count();
        assert_eq!(bound, 1, "who does not name the token is bound to it like everybody else");
        let message_2 = posts(&ben.send(10, ana.leg(), Message::Ready { offers: false })).remove(0);
        assert_eq!((message_2.inbox, message_2.token), (ana.inbox(), Token::from_bytes([11; 16])));
        let (mut session, _) = calling.finish(message_2.body.bytes()).unwrap();
        let mut reliable = Reliable::default();
        let message_3 = older_frame(&mut session, &mut reliable, &offer());
        let out = ben.take(20, &envelope(ben.inbox(), 22, message_3));
        assert_eq!(events(&out), [heard(&ana, offer())]);
        let ringing = posts(&ben.send(30, ana.leg(), Message::Ringing)).remove(0);
        let packet = session.open(ringing.body.bytes()).unwrap();
        let body = reliable.receive(&packet).unwrap().unwrap();
        assert_eq!(codec::decode(body), Ok(Some(Message::Ringing)));
        assert_eq!(ben.table.dropped().total(), 0, "{:?}", ben.table.dropped());
    }
}

#[test]
fn an_older_caller_at_another_relay_is_answered_there_where_preconnect_allows() {
    let (ana, mut ben) = older_ana(ELSEWHERE, true);
    let message_1 = envelope(ben.inbox(), 22, frozen("message_1"));
    assert_eq!(events(&ben.take(0, &message_1)).len(), 1);
    assert_eq!(relays(&ben.send(10, ana.leg(), Message::Ready { offers: false })), [ELSEWHERE]);
}

#[test]
fn an_older_caller_who_may_not_learn_our_address_does_not_ring_and_the_row_says_why() {
    let (ana, mut ben) = older_ana(ELSEWHERE, false);
    let message_1 = envelope(ben.inbox(), 22, frozen("message_1"));
    let out = ben.take(0, &message_1);
    assert!(posted(&out).is_empty(), "nothing is sent");
    let events = events(&out);
    let [Event::MissedNote { call: CALL, peer, at_unix_us, why: Some(why) }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((*peer, *at_unix_us), (ana.peer(), UNIX_S * 1_000_000));
    assert!(why.contains("did not ring"), "{why}");
    ben.drops(Cause::Replayed, |ben| ben.take(10, &message_1));

    // The note that her daemon leaves of that call is no second row.
    let hello = older_hello(&ana, HelloKind::Missed);
    let to = &ben.own.certificate;
    let note = Calling::begin(SessionId([6; 16]), &Ephemeral([33; 32]), &ana.own.noise, to, &hello).unwrap();
    let note = envelope(ben.inbox(), 22, note.message_1().to_vec());
    ben.drops(Cause::Replayed, |ben| ben.take(20, &note));
}

#[test]
fn an_older_callee_answers_at_the_inbox_on_our_card() {
    let (mut ben, mut ana) = older_ana(ELSEWHERE, true);
    // Here the one of the first release is rung: the names are changed round.
    std::mem::swap(&mut ana, &mut ben);
    let (mut ben, mut ana) = (ana, ben);
    let out = ana.ring(0, ben.peer(), ben.leg());
    assert_eq!(relays(&out), [ELSEWHERE]);
    let message_1 = posted(&out).remove(0).1;
    let own = &ben.own;
    let (called, hello) =
        Called::open(&own.noise, own.certificate.device(), &Ephemeral([32; 32]), message_1.body.bytes())
            .unwrap();
    as_the_first_release_reads_it(&hello.encode().unwrap());
    let (mut session, message_2) = called.reply(1, &[]).unwrap();
    let came = envelope(ana.inbox(), 22, message_2);
    assert_eq!(events(&ana.take(10, &came)), [heard(&ben, Message::Ready { offers: false })]);
    let message_3 = posted(&ana.send(20, ben.leg(), offer())).remove(0).1;
    let packet = session.open(message_3.body.bytes()).unwrap();
    let mut reliable = Reliable::default();
    assert_eq!(codec::decode(reliable.receive(&packet).unwrap().unwrap()), Ok(Some(offer())));
    let ringing = older_frame(&mut session, &mut reliable, &Message::Ringing);
    let out = ana.take(30, &envelope(ana.inbox(), 22, ringing));
    assert_eq!(events(&out), [heard(&ben, Message::Ringing)]);
    ben.tell();
}

/// The first release's own reading of a message 1: what it does not know does no harm.
fn as_the_first_release_reads_it(payload: &[u8]) {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Older {
        kind: String,
        certificate: DeviceCertificate,
        #[serde(default)]
        revision: u64,
        call: String,
        lifetime_ms: u64,
        versions: Vec<u16>,
        #[serde(default)]
        features: Vec<String>,
        #[serde(default)]
        card: Option<String>,
    }
    let it: Older = serde_json::from_slice(payload).unwrap();
    assert_eq!((it.kind.as_str(), it.revision, it.lifetime_ms, it.versions), ("ring", 1, 60_000, vec![1]));
    assert!(it.features == [CALLEE_OFFERS] && it.card.is_none() && !it.call.is_empty());
    assert_eq!(it.certificate.name(), "desk");
    assert!(payload.len() <= 1_022, "it is padded no further than theirs: {}", payload.len());
}

#[test]
fn message_2_of_the_first_release_opens_as_it_did() {
    let (ana, ben) = older_ana(RELAY, true);
    let mut calling = older_calling(&ana, &ben);
    let (session, reply) = calling.finish(&frozen("message_2")).unwrap();
    assert_eq!((session.id(), reply.revision), (SessionId([5; 16]), 4));
    assert_eq!(calling.call(), CallId::from_bytes([7; 16]));
}
