//! Known values of the wire, all made of fixed keys and fixed chance.
//!
//! Lives here: what `vectors/` and the fuzz corpora hold. `cargo run -p ahoy-proto --example known` writes both anew.
//! Must not: change what is written without a new version of the wire.

#[path = "../../../fuzz/src/decoders.rs"]
#[expect(unreachable_pub, reason = "the same file is a part of a library, where it is reached")]
pub(crate) mod decoders;

use std::collections::BTreeMap;
use std::time::Duration;

use ahoy_call::group::{Age, Entry, Head, Invited, News, Presence, Start, Statement};
use ahoy_call::{
    CallId, CancelReason, DeclineReason, Description, EndReason, Epoch, Message, Moment, Opaque, RoomWord,
    Scope, SdpKind,
};
use ahoy_proto::card::{Card, CardDevice, InboxAt};
use ahoy_proto::codec;
use ahoy_proto::envelope::{Body, Envelope, EnvelopeId, Inbox, Token, Ttl};
use ahoy_proto::frame::{Claim, Nonce, ToClient, ToRelay};
use ahoy_proto::group::{self, CallCard, Sealer};
use ahoy_proto::hello::{Hello, HelloKind, Reply, ReplyTo};
use ahoy_proto::identity::{address, leg_id, peer_id, safety_number};
use ahoy_proto::neighbour::knock::Knock;
use ahoy_proto::neighbour::said::Said;
use ahoy_proto::neighbour::tag::inbox_of;
use ahoy_proto::pair::meeting::{Meeting, Next};
use ahoy_proto::plate::PlateOver;
use ahoy_proto::relay_list::{ListKey, Lists, RelayList, Said as ListSaid};
use ahoy_proto::reliable::{Manner, Reliable};
use ahoy_proto::words::Words;
use data_encoding::HEXLOWER;
use decoders::{handshake_of, known, known_code, meeting, neighbour_key, neighbours, ring};
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// Of device 2, with one inbox.
pub(crate) fn card() -> Card {
    let ben = known(2);
    let claim = SigningKey::from_bytes(&[77; 32]).verifying_key();
    let inboxes =
        vec![InboxAt { relay: "wss://relay.example".to_owned(), inbox: Inbox::of(claim.as_bytes()) }];
    let device = CardDevice { certificate: ben.certificate, inboxes };
    Card::sign(&ben.account, "Ben", 4, &[device], [9; 16]).unwrap()
}

/// A list of relays and the one before it, which handed over to another key.
fn relay_lists() -> String {
    let keys = [1, 2].map(|of| known(of).device);
    let mut lists = Lists::default();
    for (serial, (by, next)) in (1..).zip([(0, 1), (1, 1)]) {
        let said = ListSaid {
            serial,
            issued_s: 1_790_000_000,
            expires_s: 1_810_000_000,
            relays: vec!["wss://relay.example".to_owned(), "ws://127.0.0.1:8790".to_owned()],
            keys: vec![ListKey::of(&keys[next])],
        };
        lists.push(RelayList::sign(&keys[by], &said).unwrap()).unwrap();
    }
    lists.to_text()
}

/// A ring as programs later than the first release make it.
fn ring_with_reply() -> Hello {
    let (inbox, token) = (Inbox::from_bytes([8; 16]), Token::from_bytes([9; 16]));
    let reply = Some(ReplyTo { inbox, token });
    Hello { reply, sent_s: Some(1_500), token: Some(Token::from_bytes([10; 16]).hash()), ..ring() }
}

/// One of each kind.
pub(crate) fn messages() -> Vec<Message> {
    let description = |kind, body: &str| Message::Description {
        epoch: Epoch(1),
        description: Description { kind, body: Opaque(body.as_bytes().to_vec()) },
    };
    vec![
        Message::Ready { offers: false },
        Message::Offer { remaining: Duration::from_millis(59_500), text: Some("about tonight".to_owned()) },
        description(SdpKind::Offer, "v=0\r\n"),
        description(SdpKind::Answer, "v=0\r\n"),
        Message::Candidates { epoch: Epoch(1), list: vec![Opaque(b"candidate:1".to_vec())], complete: true },
        Message::Ringing,
        Message::Accept,
        Message::Decline { reason: DeclineReason::Busy, scope: Scope::Everywhere, text: None },
        Message::Cancel { reason: CancelReason::AnsweredElsewhere },
        Message::End { reason: EndReason::Completed },
        Message::State { serial: 2, muted: true, held: false, camera: false, listening: false },
        Message::Room(RoomWord::Pass(Opaque(b"pass".to_vec()))),
        Message::Room(RoomWord::Key { serial: 3, key: Opaque(b"key".to_vec()) }),
        Message::Room(RoomWord::Hears { serial: 4, heard: true }),
    ]
}

/// What members of a group say: who starts it, and one who joined.
pub(crate) fn group() -> Vec<Message> {
    let cards = [1, 2].map(|seed| {
        let certificate = known(seed).certificate;
        let inbox = Inbox::from_bytes([seed; 16]);
        let inboxes = vec![InboxAt { relay: "wss://relay.example".to_owned(), inbox }];
        CallCard {
            certificate,
            inboxes,
            name: Words::default(),
            group: Words::default(),
            token: Token::from_bytes([seed; 16]),
        }
    });
    let ids = [0, 1].map(|at: usize| (cards[at].certificate.leg_id(), cards[at].certificate.peer_id()));
    let start = Start { call: CallId::from_bytes([7; 16]), leg: ids[0].0, peer: ids[0].1, group: None };
    let said = |presence, invited: &[Invited], number| Statement {
        number,
        presence,
        invited: invited.to_vec(),
        removed: vec![],
        gone: vec![],
        ended: None,
        rooms: false,
    };
    let (third, joined) = (ahoy_call::PeerId::from_bytes([3; 16]), |at| Presence::Joined { at: Age(at) });
    let targets = [ids[1].1, third].map(|peer| Invited { peer, devices: 1, at: Age(0) });
    let mut all = Vec::new();
    let mut push = |by: usize, statement: Statement, before: &[Entry], invite: bool| {
        let (author, peer) = ids[by];
        let own = Entry { author, peer, statement, seal: Opaque(Vec::new()), print: 0 };
        let entries = [before, std::slice::from_ref(&own)].concat();
        let head = |it: &Entry| Head {
            author: it.author,
            number: it.statement.number,
            print: it.print,
            contradicted: false,
        };
        let heads = entries.iter().map(head).collect();
        let news = Box::new(News { start, age: Age(1_500), heads, entries, told: vec![ids[1 - by].0] });
        let remaining = Duration::from_millis(88_500);
        let mut message = match invite {
            true => Message::Invite { remaining, text: Some("the book".to_owned()), instead_of: None, news },
            false => Message::Log(news),
        };
        let device = known(u8::try_from(by).unwrap() + 1).device;
        group::seal(&mut message, &Sealer { device: &device, card: &cards[by] }).unwrap();
        let (Message::Invite { news, .. } | Message::Log(news)) = &message else {
            unreachable!("one of both")
        };
        let sealed = news.entries.clone();
        all.push(message);
        sealed
    };
    let first = push(0, said(joined(0), &targets, 1), &[], true);
    let second = push(1, said(joined(2_500), &[], 1), &first, false);
    push(1, said(Presence::Left { joined: Some(Age(2_500)), at: Age(9_000) }, &[], 2), &second[..1], false);
    all
}

/// Three packets with a body each, and the acknowledgement of the first and the third.
pub(crate) fn packets() -> (Vec<Vec<u8>>, Vec<u8>) {
    let (mut here, mut there) = (Reliable::default(), Reliable::default());
    for body in ["one", "two", "three"] {
        here.send(body.as_bytes().to_vec(), Manner::default()).unwrap();
    }
    let packets: Vec<_> = here.due(Moment::default()).unwrap().into_iter().map(|it| it.bytes).collect();
    there.receive(&packets[0]).unwrap();
    there.receive(&packets[2]).unwrap();
    let acknowledgement = there.last_word().unwrap();
    (packets, acknowledgement)
}

/// All that two say who pair: device 1 shows the code, device 2 types it.
pub(crate) fn pairing() -> Vec<Vec<u8>> {
    let cards = [1, 2].map(|seed| {
        let of = known(seed);
        let device = CardDevice { certificate: of.certificate, inboxes: Vec::new() };
        Card::sign(&of.account, "Ana", 1, &[device], [seed; 16]).unwrap().to_text()
    });
    let (mut started, first) = meeting(true);
    let (mut joined, _) = meeting(false);
    let mut said = vec![first];
    let mut at = 0;
    while let Some(message) = said.get(at).cloned() {
        let sides: [(&mut Meeting, &String); 2] = [(&mut started, &cards[0]), (&mut joined, &cards[1])];
        // Who started says the first, third, fourth and sixth.
        let (side, card) = sides.into_iter().nth(usize::from([0, 2, 3, 5].contains(&at))).unwrap();
        let mut next: std::collections::VecDeque<Next> = side.hear(&message).unwrap().into();
        while let Some(it) = next.pop_front() {
            match it {
                Next::Say(message) => said.push(message),
                Next::WantsCard => next.extend(side.give(card.clone()).unwrap()),
                Next::Keep(_) => said.extend(side.kept().ok()),
            }
        }
        at += 1;
    }
    said
}

/// Every frame about numbers.
fn plates() -> Value {
    let body = || Body::try_from(vec![1, 2, 3]).unwrap();
    let up = [
        ToRelay::PlateClaim,
        ToRelay::PlateJoin { number: 4711 },
        ToRelay::PlateSay { body: body() },
        ToRelay::PlateLeave,
    ];
    let over = [
        PlateOver::NoSuch,
        PlateOver::Expired,
        PlateOver::Left,
        PlateOver::Rate,
        PlateOver::Full,
        PlateOver::TooMuch,
    ];
    let mut down = vec![
        ToClient::PlateClaimed { number: 4711, lives_s: 600 },
        ToClient::PlateMet,
        ToClient::PlateSaid { body: body() },
    ];
    down.extend(over.map(|why| ToClient::PlateOver { why }));
    json!({
        "to_relay": up.map(|frame| frame.to_text()).to_vec(),
        "to_client": down.iter().map(ToClient::to_text).collect::<Vec<_>>(),
    })
}

/// What neighbours say to each other: an envelope, and that it came.
pub(crate) fn neighbours_say() -> [Said; 2] {
    let id = EnvelopeId::from_bytes([1; 16]);
    let (inbox, token) = (inbox_of(&known(2).device.verifying_key()), Token::from_bytes([9; 16]));
    let (ttl, body) = (Ttl::new(Duration::from_secs(60)), Body::try_from(vec![1, 2, 3]).unwrap());
    [Said::Send(Envelope { inbox, token, id, ttl, body }), Said::Accepted(id)]
}

/// A connection between two of them, each step in bytes.
fn neighbour() -> Value {
    let (key, hour) = neighbour_key();
    let (mut here, mut there, opening, answer) = neighbours();
    let [send, accepted] = neighbours_say();
    json!({
        "token": hex(&[9; 16]),
        "key": hex(&key.bytes()),
        "hour": hour.0,
        "tag": hex(&key.tag(hour).0),
        "ephemeral": [hex(&[51; 32]), hex(&[52; 32])],
        "knock": hex(&Knock::Contact { tag: key.tag(hour), opening }.encode()),
        "answer": hex(&answer),
        "device": hex(known(2).device.verifying_key().as_bytes()),
        "said": [hex(&send.encode()), hex(&accepted.encode())],
        "sealed": [hex(&here.seal(&send).unwrap()), hex(&there.seal(&accepted).unwrap())],
        "knock_to_pair": hex(&Knock::Pair(4711).encode()),
    })
}

/// The files in `vectors/`, by name.
pub(crate) fn vectors() -> BTreeMap<&'static str, Value> {
    let (ana, ben) = (known(1), known(2));
    let account = ben.account.verifying_key();
    let identity = json!({
        "account_secret": hex(ben.account.as_bytes()),
        "device_secret": hex(ben.device.as_bytes()),
        "noise_secret": hex(ben.noise.as_bytes()),
        "account": hex(account.as_bytes()),
        "address": address(&account),
        "contact_id": hex(&peer_id(&account).bytes()),
        "device_id": hex(&leg_id(&ben.device.verifying_key()).bytes()),
        "certificate": hex(ben.certificate.as_bytes()),
        "safety_number_with_device_1": safety_number(&ana.account.verifying_key(), &account),
    });
    let card = card();
    let card = json!({ "text": card.to_text(), "name": card.name, "revision": card.revision });
    let (mut here, _, message_1, message_2) = handshake_of(&ring());
    let sealed: Vec<_> = ["", "offer"]
        .map(|content| json!({ "content": content, "frame": hex(&here.seal(content.as_bytes()).unwrap()) }))
        .to_vec();
    let session = json!({
        "caller": 1, "callee": 2,
        "session": hex(&[5; 16]),
        "caller_ephemeral": hex(&[31; 32]),
        "callee_ephemeral": hex(&[32; 32]),
        "payload_1": String::from_utf8(ring().encode().unwrap()).unwrap(),
        "payload_1_with_reply": String::from_utf8(ring_with_reply().encode().unwrap()).unwrap(),
        "message_1": hex(&message_1),
        "message_2": hex(&message_2),
        "sealed_by_caller": sealed,
    });
    let messages: Vec<_> =
        messages().iter().map(|it| String::from_utf8(codec::encode(it).unwrap()).unwrap()).collect();
    let said = |it: &Message| String::from_utf8(codec::encode(it).unwrap()).unwrap();
    let group_said: Vec<String> = group().iter().map(said).collect();
    let (packets, acknowledgement) = packets();
    let packets = json!({
        "packets": packets.iter().map(|it| hex(it)).collect::<Vec<_>>(),
        "acknowledgement_of_1_and_3": hex(&acknowledgement),
    });
    let pairing = json!({
        "code": known_code().say(),
        "secret": [hex(&[41; 64]), hex(&[42; 64])],
        "session": hex(&[43; 16]),
        "messages": pairing().iter().map(|it| hex(it)).collect::<Vec<_>>(),
    });
    BTreeMap::from([
        ("identity", identity),
        ("card", card),
        ("session", session),
        ("messages", json!(messages)),
        ("group", json!(group_said)),
        ("packets", packets),
        ("pairing", pairing),
        ("plates", plates()),
        ("rooms", crate::rooms::frames()),
        ("neighbour", neighbour()),
    ])
}

/// The files in the fuzz corpora, by target and name.
pub(crate) fn corpora() -> BTreeMap<(&'static str, String), Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut put = |target, name: &str, bytes: Vec<u8>| {
        files.insert((target, name.to_owned()), bytes);
    };
    let text = card().to_text();
    put("card", "good", text.clone().into_bytes());
    put("card", "cut", text.as_bytes()[..text.len() - 4].to_vec());
    put("card", "other_version", text.replace("ahoy:1", "ahoy:2").into_bytes());
    let lists = relay_lists();
    put("relay_list", "good", lists.clone().into_bytes());
    put("relay_list", "handed_over", lists.lines().next().unwrap_or_default().as_bytes().to_vec());
    put("relay_list", "cut", lists.as_bytes()[..lists.len() - 9].to_vec());
    let body = |more: &str| {
        let by = ListKey::of(&known(1).device);
        format!(
            "{{\"by\":\"{by}\",\"serial\":7,\"issued\":1790000000,\"expires\":1810000000,\"relays\":[\"wss://relay.example\"{more}],\"keys\":[\"{by}\"]}}"
        )
    };
    put("relay_list", "body", body("").into_bytes());
    put("relay_list", "body_plain_relay", body(",\"ws://relay.example\"").into_bytes());
    let key = SigningKey::from_bytes(&[77; 32]);
    let envelope = Envelope {
        inbox: Inbox::of(key.verifying_key().as_bytes()),
        token: Token::from_bytes([9; 16]),
        id: EnvelopeId::from_bytes([1; 16]),
        ttl: Ttl::new(Duration::from_secs(60)),
        body: Body::try_from(vec![1, 2, 3]).unwrap(),
    };
    let claim = Claim::sign(&key, &Nonce([3; 32]), vec![Token::from_bytes([9; 16]).hash()], false);
    put("frame", "send", ToRelay::Send(envelope).to_text().into_bytes());
    put("frame", "claim", ToRelay::Claim(claim).to_text().into_bytes());
    let accepted = ToClient::Accepted { id: EnvelopeId::from_bytes([1; 16]) };
    put("frame", "accepted", accepted.to_text().into_bytes());
    put("frame", "unknown", br#"{"kind":"dance"}"#.to_vec());
    put("frame", "broken", br#"{"kind":"send","inbox":7}"#.to_vec());
    let (mut here, mut there, message_1, message_2) = handshake_of(&ring());
    let sealed = here.seal(b"offer").unwrap();
    let mut later = message_1.clone();
    later[0] = 2;
    put("header", "message_1", message_1[..64].to_vec());
    put("header", "message_2", message_2[..64].to_vec());
    put("header", "later_version", later[..64].to_vec());
    put("header", "short", vec![1; 26]);
    let mut altered = message_1.clone();
    altered[200] ^= 1;
    put("handshake", "good", message_1);
    put("handshake", "altered", altered);
    put("sealed", "good", sealed.clone());
    put("sealed", "reflected", there.seal(b"offer").unwrap());
    put("sealed", "cut", sealed[..60].to_vec());
    let mut plain = vec![0; 512];
    plain[..4].copy_from_slice(&[0, 2, b'h', b'i']);
    put("padding", "good", plain.clone());
    plain[511] = 1;
    put("padding", "dirty", plain);
    put("padding", "long", vec![255; 512]);
    let ring = ring();
    put("hello", "ring", ring.encode().unwrap());
    let with_card = Hello { kind: HelloKind::Card(Box::new(card())), ..ring };
    put("hello", "meet", Hello { kind: HelloKind::Meet, ..ring_with_reply() }.encode().unwrap());
    put("hello", "ring_with_reply", ring_with_reply().encode().unwrap());
    put("hello", "card", with_card.encode().unwrap());
    let reply = Reply { version: 1, revision: 3, features: vec!["dred".to_owned()] };
    put("hello", "reply", reply.encode().unwrap());
    put("hello", "broken", br#"{"kind":"ring","certificate":"AAAA"}"#.to_vec());
    for (n, message) in messages().iter().enumerate() {
        put("message", &format!("{n:02}"), codec::encode(message).unwrap());
    }
    for (n, message) in group().iter().enumerate() {
        put("message", &format!("group_{n}"), codec::encode(message).unwrap());
    }
    for (n, body) in codec::encode_all(&messages()[..5]).unwrap().into_iter().enumerate() {
        put("message", &format!("several_{n}"), body);
    }
    put("message", "group_empty", br#"{"kind":"log","news":{}}"#.to_vec());
    put("message", "room_key", br#"{"kind":"room-key","serial":-1,"key":""}"#.to_vec());
    let long = format!(r#"{{"kind":"room-pass","pass":"{}"}}"#, "A".repeat(1_368));
    put("message", "room_pass", long.into_bytes());
    put("message", "unknown", br#"{"kind":"dance"}"#.to_vec());
    put("message", "trailing", br#"{"kind":"accept"}{}"#.to_vec());
    put("message", "epoch", br#"{"kind":"candidates","epoch":70000,"list":[]}"#.to_vec());
    let framed = |packets: &[Vec<u8>]| {
        packets
            .iter()
            .flat_map(|it| [&[u8::try_from(it.len()).unwrap()][..], it].concat())
            .collect::<Vec<_>>()
    };
    let (packets, acknowledgement) = packets();
    let framed_2 = |messages: &[Vec<u8>]| {
        let of = |it: &Vec<u8>| [&u16::try_from(it.len()).unwrap().to_be_bytes()[..], it].concat();
        messages.iter().flat_map(of).collect::<Vec<u8>>()
    };
    let said = pairing();
    for (n, message) in said.iter().enumerate() {
        put("pairing", &format!("{n}"), framed_2(&said[..=n]));
        put(
            "pairing",
            &format!("{n}_twice"),
            framed_2(&[&said[..=n], std::slice::from_ref(message)].concat()),
        );
    }
    put("pairing", "nothing", Vec::new());
    put("pairing_code", "whole", known_code().say().into_bytes());
    put("pairing_code", "blanks", b" 4711 Abandon\xe2\x80\x93ABILITY ".to_vec());
    put("pairing_code", "slip", b"4711-abandom-ability".to_vec());
    put("pairing_code", "short", b"471-abandon-ability".to_vec());
    put("pairing_code", "no_relay", b"4711-abandon-ability@a b".to_vec());
    for (n, frame) in [ToRelay::PlateClaim, ToRelay::PlateJoin { number: 4711 }].iter().enumerate() {
        put("frame", &format!("plate_{n}"), frame.to_text().into_bytes());
    }
    put("frame", "plate_over", ToClient::PlateOver { why: PlateOver::NoSuch }.to_text().into_bytes());
    let [send, accepted] = neighbours_say();
    let (mut here, _, opening, _) = neighbours();
    let (key, hour) = neighbour_key();
    let knock = Knock::Contact { tag: key.tag(hour), opening }.encode();
    let frames = [here.seal(&send).unwrap(), here.seal(&accepted).unwrap()].concat();
    put("neighbour", "link", [&knock[..], &frames].concat());
    put("neighbour", "cut", [&knock[..], &frames[..frames.len() - 1]].concat());
    put("neighbour", "other_tag", [&[1, 0][..], &knock[2..], &frames].concat());
    put("neighbour", "pair", Knock::Pair(4711).encode());
    put("neighbour", "no_number", Knock::Pair(1).encode());
    put("neighbour_said", "send", send.encode());
    put("neighbour_said", "accepted", accepted.encode());
    put("neighbour_said", "later", vec![9, 9]);
    put("neighbour_said", "cut", send.encode()[..40].to_vec());
    put("packets", "three", framed(&packets));
    put("packets", "acknowledgement", framed(&[acknowledgement]));
    put("packets", "short", framed(&[vec![0; 7]]));
    put("packets", "ahead", framed(&[[&[0; 12][..], &[255; 4], b"x"].concat()]));
    files
}
