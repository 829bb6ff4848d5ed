//! What each fuzz target feeds, and what must hold of whatever comes out.
//!
//! Lives here: one function a decoder; `true` for what it read, `false` for what it refused. Shared by the fuzz targets
//! and by the test that replays the corpora.
//! Must not: depend on the fuzzer.

use ahoy_call::{CallId, Moment};
use ahoy_proto::card::Card;
use ahoy_proto::codec;
use ahoy_proto::envelope::Token;
use ahoy_proto::frame::{ToClient, ToRelay};
use ahoy_proto::hello::{Hello, HelloKind, Reply, VERSION};
use ahoy_proto::identity::DeviceCertificate;
use ahoy_proto::neighbour::knock::{ANSWER, Knock, OPENING};
use ahoy_proto::neighbour::link::{self, Dialing, Link};
use ahoy_proto::neighbour::said::Said;
use ahoy_proto::neighbour::tag::{Hour, NeighbourKey};
use ahoy_proto::pair::code::{Code, relay_name};
use ahoy_proto::pair::link as code_link;
use ahoy_proto::pair::meeting::{Chance, Meeting, Next};
use ahoy_proto::relay_list::{ListKey, Lists, PREFIX};
use ahoy_proto::relay_url::RelayUrl;
use ahoy_proto::reliable::{Manner, Reliable};
use ahoy_proto::session::{Called, Calling, Ephemeral, Header, Session, SessionId, unpad};
use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::{Signer as _, SigningKey};
use x25519_dalek::{PublicKey, StaticSecret};

/// A target's name, which is its corpus' folder, and its decoder.
pub type Target = (&'static str, fn(&[u8]) -> bool);

/// All of them.
pub const TARGETS: [Target; 14] = [
    ("card", card),
    ("frame", frame),
    ("header", header),
    ("handshake", handshake),
    ("sealed", sealed),
    ("padding", padding),
    ("hello", hello),
    ("message", message),
    ("packets", packets),
    ("pairing", pairing),
    ("pairing_code", pairing_code),
    ("neighbour", neighbour),
    ("neighbour_said", neighbour_said),
    ("relay_list", relay_list),
];

/// A device with keys made of one number.
pub struct Known {
    /// Its account.
    pub account: SigningKey,
    /// Its signing key.
    pub device: SigningKey,
    /// Its Noise key.
    pub noise: StaticSecret,
    /// The account's word for it.
    pub certificate: DeviceCertificate,
}

/// The device of a number.
pub fn known(seed: u8) -> Known {
    let account = SigningKey::from_bytes(&[seed; 32]);
    let device = SigningKey::from_bytes(&[seed + 100; 32]);
    let noise = StaticSecret::from([seed + 50; 32]);
    let public = PublicKey::from(&noise);
    let certificate =
        DeviceCertificate::sign(&account, &device.verifying_key(), &public, "desk", 1_000, 2_000)
            .expect("the name and the times are in range");
    Known { account, device, noise, certificate }
}

/// A ring from device 1.
pub fn ring() -> Hello {
    Hello {
        certificate: known(1).certificate,
        revision: 3,
        call: CallId::from_bytes([7; 16]),
        lifetime: std::time::Duration::from_secs(60),
        versions: vec![VERSION],
        features: Vec::new(),
        reply: None,
        sent_s: None,
        token: None,
        kind: HelloKind::Ring,
    }
}

/// A handshake from device 1 to device 2 with known chance: both ends, message 1 and message 2.
pub fn handshake_of(hello: &Hello) -> (Session, Session, Vec<u8>, Vec<u8>) {
    let (caller, callee) = (known(1), known(2));
    let id = SessionId([5; 16]);
    let mut calling = Calling::begin(id, &Ephemeral([31; 32]), &caller.noise, &callee.certificate, hello)
        .expect("the keys are good");
    let message_1 = calling.message_1().to_vec();
    let (called, _) = open(&message_1).expect("it is for device 2");
    let (there, message_2) = called.reply(4, &[]).expect("the handshake goes on");
    let (here, _) = calling.finish(&message_2).expect("it is for device 1");
    (here, there, message_1, message_2)
}

fn open(frame: &[u8]) -> Option<(Called, Hello)> {
    thread_local! {
        static CALLEE: Known = known(2);
    }
    CALLEE.with(|it| Called::open(&it.noise, it.certificate.device(), &Ephemeral([32; 32]), frame).ok())
}

/// The text of a card.
pub fn card(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let Ok(card) = Card::parse(text) else { return false };
    let bare: String = text.trim_start_matches('\u{feff}').split_whitespace().collect();
    assert_eq!(card.to_text(), bare, "a card has one spelling");
    true
}

/// What a client and a relay say.
pub fn frame(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let up = ToRelay::parse(text).ok().filter(|it| *it != ToRelay::Unknown);
    let down = ToClient::parse(text).ok().filter(|it| *it != ToClient::Unknown);
    if let Some(frame) = &up {
        assert_eq!(ToRelay::parse(&frame.to_text()).ok().as_ref(), Some(frame));
    }
    if let Some(frame) = &down {
        assert_eq!(ToClient::parse(&frame.to_text()).ok().as_ref(), Some(frame));
    }
    up.is_some() || down.is_some()
}

/// The clear part of a sealed frame.
pub fn header(data: &[u8]) -> bool {
    Header::read(data).is_ok()
}

/// Message 1, at the callee.
pub fn handshake(data: &[u8]) -> bool {
    open(data).is_some()
}

/// A sealed frame, at the callee.
pub fn sealed(data: &[u8]) -> bool {
    thread_local! {
        static HELLO: Hello = ring();
    }
    let (_, mut there, _, _) = HELLO.with(handshake_of);
    let opened = there.open(data).is_ok();
    assert!(!opened || there.open(data).is_err(), "each nonce once");
    opened
}

/// A plaintext, behind the seal.
pub fn padding(data: &[u8]) -> bool {
    unpad(data).is_ok()
}

/// The payloads of messages 1 and 2, behind the seal.
pub fn hello(data: &[u8]) -> bool {
    let reply =
        Reply::decode(data).map(|it| assert_eq!(Reply::decode(&it.encode().unwrap_or_default()), Ok(it)));
    let hello = Hello::decode(data);
    if let Ok(Some(hello)) = &hello {
        let again = hello.encode().expect("what was read can be written");
        assert_eq!(Hello::decode(&again).ok().flatten().as_ref(), Some(hello));
    }
    hello.is_ok() || reply.is_ok()
}

/// A message of a call, behind the seal.
pub fn message(data: &[u8]) -> bool {
    let Ok(read) = codec::decode_all(data) else { return false };
    // Their own spelling may be longer than that of a careless sender, but is read as the same.
    if let Ok(again) = codec::encode_all(&read) {
        let read_again: Vec<_> = again.iter().flat_map(|body| codec::decode_all(body).unwrap()).collect();
        assert_eq!(read_again, read);
    }
    true
}

/// Packets of the reliable layer, behind the seal: each with one byte of length before it.
pub fn packets(data: &[u8]) -> bool {
    let mut reliable = Reliable::default();
    for _ in 0..3 {
        reliable.send(vec![1], Manner::default()).expect("three fit");
    }
    let mut rest = data;
    let mut bodies = 0_usize;
    let mut good = false;
    while let Some((length, after)) = rest.split_first() {
        let (packet, after) = after.split_at(usize::from(*length).min(after.len()));
        rest = after;
        let got = reliable.receive(packet);
        good |= got.is_ok();
        bodies += usize::from(matches!(got, Ok(Some(_))));
        let due = reliable.due(Moment::from_micros(1)).expect("nothing was repeated for long");
        assert!(due.len() <= 4, "three bodies, or one acknowledgement");
    }
    assert!(bodies <= data.len());
    good
}

/// The code of the known meeting.
pub fn known_code() -> Code {
    let relay = RelayUrl::parse("wss://relay.example").expect("a relay's address");
    Code::draw(4711, &relay, [0, 0, 0, 1]).expect("a fair draw")
}

/// One side of a meeting with known chance, and what it says first, if it begins.
pub fn meeting(started: bool) -> (Meeting, Vec<u8>) {
    let (code, relay) = (known_code(), "relay.example");
    let chance = |seed| Chance { secret: [seed; 64].into(), session: [43; 16] };
    if started {
        Meeting::start(&code, relay, chance(41))
    } else {
        (Meeting::join(&code, relay, chance(42)), Vec::new())
    }
}

/// What two say who pair, each message with two bytes of length before it: to who began and to who joined, as it fits.
pub fn pairing(data: &[u8]) -> bool {
    let mut sides = [meeting(true).0, meeting(false).0];
    let (mut rest, mut good) = (data, false);
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (message, after) = after.split_at(usize::from(u16::from_be_bytes(*length)).min(after.len()));
        rest = after;
        // What a side has said goes to the other: of the kinds of messages only the second and a card are for who began.
        for (n, side) in sides.iter_mut().enumerate() {
            if (n == 0) != (message.first() == Some(&2)) {
                continue;
            }
            let Ok(next) = side.hear(message) else { continue };
            good = true;
            for it in next {
                assert!(
                    !matches!(it, Next::Keep(_)) || side.is_confirmed() || n == 1,
                    "a card without a key"
                );
                if it == Next::WantsCard {
                    let given = side.give("ahoy:1".to_owned());
                    assert!(given.is_ok(), "it is wanted");
                }
            }
        }
    }
    good
}

/// A code as somebody typed it.
pub fn pairing_code(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    if let Ok(code_link::Link::Pair(code)) = code_link::parse(text) {
        let written = code_link::of(&code);
        assert_eq!(code_link::parse(&written), Ok(code_link::Link::Pair(code)), "one form, read alike");
        return true;
    }
    let Ok(code) = Code::parse(text) else { return false };
    assert_eq!(Code::parse(&code.say()).as_ref(), Ok(&code), "what is said is read alike");
    if let Some(relay) = &code.relay {
        let url = RelayUrl::parse(&format!("wss://{relay}")).expect("the name of a relay is one");
        assert_eq!(relay_name(&url), *relay);
    }
    true
}

/// A signed list of relays: the text of one, or the body of one that the key of the first known device has signed.
pub fn relay_list(data: &[u8]) -> bool {
    let key = known(1).device;
    let text = match std::str::from_utf8(data) {
        Ok(text) if text.starts_with(PREFIX) => text.to_owned(),
        Ok(_) | Err(_) => {
            let signature = key.sign(&[b"ahoy relay list 1\0", data].concat()).to_bytes();
            format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&[&signature[..], data].concat()))
        }
    };
    let Ok(lists) = Lists::parse(&text) else { return false };
    assert_eq!(Lists::parse(&lists.to_text()).as_ref(), Ok(&lists), "what is written is read alike");
    if let Ok(Some(list)) = lists.newest(&[ListKey::of(&key)], None, 1_800_000_000) {
        assert!(list.said.expires_s > 1_800_000_000 && !list.said.keys.is_empty());
        assert!(list.said.relays.iter().all(|relay| RelayUrl::parse(relay).is_ok()));
    }
    true
}

/// The key of the known token, and an hour.
pub fn neighbour_key() -> (NeighbourKey, Hour) {
    (NeighbourKey::of(&Token::from_bytes([9; 16])), Hour(490_000))
}

/// A connection of neighbours with known chance: who dials, who answers, and the two messages of the handshake.
pub fn neighbours() -> (Link, Link, [u8; OPENING], [u8; ANSWER]) {
    let (key, hour) = neighbour_key();
    let (dialing, opening) = Dialing::begin(&key, hour, &Ephemeral([51; 32])).expect("the key is good");
    let (there, answer) =
        link::answer(&key, hour, &Ephemeral([52; 32]), &opening).expect("it is for this key");
    (dialing.finish(&answer).expect("it is the answer"), there, opening, answer)
}

/// All that somebody says who connects: how it begins, and then frames, each with its length before it.
pub fn neighbour(data: &[u8]) -> bool {
    let Some(length) = data.first().and_then(|first| Knock::length_behind(*first)) else { return false };
    let Some((knock, mut rest)) = data.split_at_checked(1 + length) else { return false };
    let Some(knock) = Knock::decode(knock) else { return false };
    assert_eq!(knock.encode(), data[..=length], "one spelling");
    let Knock::Contact { tag, opening } = knock else { return true };
    let (key, hour) = neighbour_key();
    if tag != key.tag(hour) {
        return false;
    }
    let Ok((mut there, _)) = link::answer(&key, hour, &Ephemeral([52; 32]), &opening) else { return false };
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let Some((frame, after)) = after.split_at_checked(usize::from(u16::from_be_bytes(*length))) else {
            return false;
        };
        rest = after;
        if there.open(frame).is_err() {
            return false;
        }
    }
    true
}

/// What neighbours say, behind the seal.
pub fn neighbour_said(data: &[u8]) -> bool {
    let Ok(read) = Said::decode(data) else { return false };
    if let Some(said) = read {
        assert_eq!(Said::decode(&said.encode()), Ok(Some(said)));
    }
    true
}
