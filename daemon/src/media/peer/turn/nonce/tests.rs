//! A TURN server that takes its nonce back, and the library's own client before it.
//!
//! Lives here: both in virtual time, with ours between them or not, and answers of every kind.
//! Must not: use a socket.

use std::time::Duration;

use rtc::sansio::Protocol as _;
use rtc::shared::{TransportContext, TransportMessage, TransportProtocol};
use rtc::stun::attributes::ATTR_ERROR_CODE;
use rtc::stun::message::{
    CLASS_ERROR_RESPONSE, CLASS_SUCCESS_RESPONSE, METHOD_ALLOCATE, METHOD_CHANNEL_BIND, MessageType,
};
use rtc::turn::client::{Client, ClientConfig, Event};
use rtc::turn::proto::lifetime::Lifetime;
use rtc::turn::proto::relayaddr::RelayedAddress;

use super::*;
use crate::system::clock;

pub(in super::super) const REALM: &str = "town";

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 3478))
}

pub(in super::super) fn credentials(of: &[(&str, &str)]) -> Vec<IceServer> {
    let each = of.iter().map(|(name, password)| IceServer {
        urls: Vec::new(),
        username: (*name).to_owned(),
        credential: (*password).to_owned(),
    });
    each.collect()
}

/// A TURN server that takes requests under one nonce alone, as servers do (RFC 8489 §9.2.4).
struct Server {
    nonce: &'static str,
    /// Requests that it granted, by their type.
    granted: Vec<MessageType>,
}

impl Server {
    fn answer(&mut self, request: &[u8]) -> Vec<u8> {
        let mut request = read(request).unwrap();
        let mut answer = Message::new();
        answer.transaction_id = request.transaction_id;
        let refused = match text(&request, ATTR_NONCE) {
            None => Some(1),
            Some(nonce) if nonce != self.nonce => Some(38),
            Some(_) => None,
        };
        let class = if refused.is_some() { CLASS_ERROR_RESPONSE } else { CLASS_SUCCESS_RESPONSE };
        answer.typ = MessageType::new(request.typ.method, class);
        answer.write_header();
        if let Some(code) = refused {
            answer.add(ATTR_ERROR_CODE, &[0, 0, 4, code]);
            answer.add(ATTR_REALM, REALM.as_bytes());
            answer.add(ATTR_NONCE, self.nonce.as_bytes());
            return answer.raw;
        }
        let provider = default_provider().unwrap();
        let [name, realm, password] = ["ana", REALM, "secret"].map(str::to_owned);
        let key =
            MessageIntegrity::long_term_integrity_key(name, realm, password, provider.crypto()).unwrap();
        MessageIntegrity::check(&mut request, &key, provider.crypto()).expect("it is signed");
        FINGERPRINT.check(&request).expect("and whole");
        self.granted.push(request.typ);
        if request.typ.method == METHOD_ALLOCATE {
            let SocketAddr::V4(at) = address(9) else { unreachable!() };
            RelayedAddress { ip: (*at.ip()).into(), port: 5_000 }.add_to(&mut answer).unwrap();
            Lifetime(Duration::from_secs(600)).add_to(&mut answer).unwrap();
        }
        answer.raw
    }
}

/// The library's own client, with us below it or not, and that server.
struct Dialogue {
    client: Client,
    ours: Option<Requests>,
    server: Server,
    now: std::time::Instant,
}

impl Dialogue {
    fn new(mended: bool) -> Self {
        let config = ClientConfig {
            turn_serv_addr: address(1).to_string(),
            username: "ana".to_owned(),
            password: "secret".to_owned(),
            ..ClientConfig::default()
        };
        let client = Client::new(config, default_provider().unwrap()).unwrap();
        let known = credentials(&[("ana", "another"), ("ana", "secret")]);
        let ours = mended.then(|| Requests::new(&known));
        let server = Server { nonce: "first", granted: Vec::new() };
        Self { client, ours, server, now: clock::instant() }
    }

    /// Everything that the client has to say goes, and what is answered comes. Returns what is no request.
    fn pass(&mut self) -> Vec<Vec<u8>> {
        let mut data = Vec::new();
        while let Some(out) = self.client.poll_write() {
            let bytes = out.message.to_vec();
            if bytes[0] != 0 || [0x16, 0x17].contains(&bytes[1]) {
                data.push(bytes);
                continue;
            }
            if let Some(ours) = &mut self.ours {
                ours.went(address(1), &bytes);
            }
            let mut answers = vec![self.server.answer(&bytes)];
            while let Some(answer) = answers.pop() {
                let came = self.ours.as_mut().map(|ours| ours.came(address(1), &answer)).unwrap_or_default();
                answers.extend(came.again.map(|again| self.server.answer(&again)));
                if !came.kept_back {
                    self.comes(&answer);
                }
            }
        }
        data
    }

    fn comes(&mut self, answer: &[u8]) {
        let transport = TransportContext {
            local_addr: "0.0.0.0:0".parse().unwrap(),
            peer_addr: address(1),
            transport_protocol: TransportProtocol::UDP,
            ecn: None,
        };
        self.client
            .handle_read(TransportMessage { now: self.now, transport, message: answer.into() })
            .unwrap();
    }

    /// The first bytes of what goes for a word to the other side.
    fn say(&mut self, relayed: SocketAddr) -> Vec<[u8; 2]> {
        self.client.relay(relayed).unwrap().send_to(self.now, b"word", address(2)).unwrap();
        self.pass().iter().map(|data| [data[0], data[1]]).collect()
    }

    /// An allocation with a channel to the other side; its address.
    fn begin(&mut self) -> SocketAddr {
        self.client.allocate(self.now).unwrap();
        self.pass();
        let Some(Event::AllocateResponse(_, relayed)) = self.client.poll_event() else { panic!("served") };
        self.client.relay(relayed).unwrap().create_permission(self.now, address(2)).unwrap();
        self.pass();
        assert_eq!(self.say(relayed), [[0x00, 0x16]], "an indication, beside the request for a channel");
        assert_eq!(self.say(relayed), [[0x40, 0x00]], "by the channel");
        relayed
    }
}

#[test]
fn a_channel_that_is_renewed_under_a_nonce_of_yesterday_stands() {
    for mended in [true, false] {
        let mut line = Dialogue::new(mended);
        let relayed = line.begin();
        (line.now, line.server.nonce) = (line.now + Duration::from_secs(301), "second");
        assert_eq!(line.say(relayed), [[0x40, 0x00]], "this word goes before the answer");
        let binds = line.server.granted.iter().filter(|it| it.method == METHOD_CHANNEL_BIND).count();
        match mended {
            true => {
                assert_eq!(binds, 2, "renewed");
                assert_eq!(line.say(relayed), [[0x40, 0x00]], "the channel stands");
                assert!(line.ours.unwrap().open.is_empty());
            }
            // If this changes, the library has been mended, and ours may go.
            false => assert_eq!((binds, line.say(relayed)), (1, vec![[0x00, 0x16]]), "it is given up"),
        }
    }
}

#[test]
fn a_permission_and_an_allocation_are_renewed_too_and_the_library_learns_the_nonce_from_the_last() {
    let mut line = Dialogue::new(true);
    line.begin();
    let before = line.server.granted.len();
    (line.now, line.server.nonce) = (line.now + Duration::from_secs(299), "second");
    // Half a lifetime is over, for one with the library's own period for permissions.
    line.client.handle_timeout(line.now).unwrap();
    line.pass();
    assert_eq!(line.server.granted.len(), before + 1, "the permission");
    line.now += Duration::from_secs(2);
    line.client.handle_timeout(line.now).unwrap();
    line.pass();
    assert_eq!(line.server.granted.len(), before + 2, "the allocation");
    line.now += Duration::from_secs(299);
    line.client.handle_timeout(line.now).unwrap();
    while let Some(out) = line.client.poll_write() {
        assert_eq!(text(&read(&out.message).unwrap(), ATTR_NONCE).as_deref(), Some("second"));
    }
}

/// A request as the library signs it, under the nonce "first".
pub(in super::super) fn request(method: u8, transaction: u8, name: &str, password: &str) -> Vec<u8> {
    let provider = default_provider().unwrap();
    let mut message =
        read(&[&[0, method, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[transaction; 12]].concat()).unwrap();
    message.add(ATTR_USERNAME, name.as_bytes());
    message.add(ATTR_REALM, REALM.as_bytes());
    message.add(ATTR_NONCE, b"first");
    let [name, realm, password] = [name, REALM, password].map(str::to_owned);
    let key = MessageIntegrity::long_term_integrity_key(name, realm, password, provider.crypto()).unwrap();
    MessageIntegrity::new_raw_integrity_with_provider(key, provider.crypto()).add_to(&mut message).unwrap();
    FINGERPRINT.add_to(&mut message).unwrap();
    message.raw
}

/// An error of four hundred and `code`.
pub(in super::super) fn refusal(method: u8, transaction: u8, code: u8, realm: &str, nonce: &[u8]) -> Vec<u8> {
    let head = [&[1, method | ERROR, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[transaction; 12]].concat();
    let mut message = read(&head).unwrap();
    message.add(ATTR_ERROR_CODE, &[0, 0, 4, code]);
    message.add(ATTR_REALM, realm.as_bytes());
    message.add(ATTR_NONCE, nonce);
    message.raw
}

#[test]
fn every_other_answer_is_the_librarys_and_ends_the_request() {
    let known = credentials(&[("ana", "secret")]);
    let stale = refusal(CHANNEL_BIND, 5, 38, REALM, b"second");
    let success = [&[1, CHANNEL_BIND, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[5; 12]].concat();
    for (case, answer) in [
        ("granted", success),
        ("400", refusal(CHANNEL_BIND, 5, 0, REALM, b"second")),
        ("another realm", refusal(CHANNEL_BIND, 5, 38, "village", b"second")),
        ("a nonce that is too long", refusal(CHANNEL_BIND, 5, 38, REALM, &[b'n'; LONGEST_NONCE + 1])),
        ("half an answer", stale[..30].to_vec()),
    ] {
        let mut requests = Requests::new(&known);
        requests.went(address(1), &request(CHANNEL_BIND, 5, "ana", "secret"));
        assert_eq!(requests.came(address(1), &answer), Came::default(), "{case}");
        assert!(requests.open.is_empty(), "{case}");
    }
    for (case, sent, from) in [
        ("signed with a password that is not ours", request(CHANNEL_BIND, 5, "ana", "other"), address(1)),
        ("signed with a name that is not ours", request(CHANNEL_BIND, 5, "ben", "secret"), address(1)),
        ("another transaction", request(CHANNEL_BIND, 6, "ana", "secret"), address(1)),
        ("another server", request(CHANNEL_BIND, 5, "ana", "secret"), address(2)),
        ("an allocation", request(3, 5, "ana", "secret"), address(1)),
    ] {
        let mut requests = Requests::new(&known);
        requests.went(address(1), &sent);
        assert_eq!(requests.came(from, &stale), Came::default(), "{case}");
    }
}

#[test]
fn a_server_that_refuses_for_ever_is_heard_in_the_end_and_a_flood_is_bounded() {
    let mut requests = Requests::new(&credentials(&[("ana", "secret")]));
    let sent = request(CREATE_PERMISSION, 5, "ana", "secret");
    let stale = refusal(CREATE_PERMISSION, 5, 38, REALM, b"second");
    for _ in 0..MOST_TIMES {
        // The library repeats it meanwhile.
        requests.went(address(1), &sent);
        let came = requests.came(address(1), &stale);
        assert!(came.again.is_some() && came.kept_back);
    }
    assert_eq!(requests.came(address(1), &stale), Came::default());
    (0..100).for_each(|n| requests.went(address(1), &request(REFRESH, n, "ana", "secret")));
    assert_eq!(requests.open.len(), MOST_OPEN);
    let came = requests.came(address(1), &refusal(REFRESH, 99, 38, REALM, b"second"));
    assert!(came.again.is_some() && !came.kept_back, "the newest are known, and the library learns of it");
    let long = [&sent[..20], &[0; LONGEST]].concat();
    requests.went(address(3), &long);
    assert!(requests.open.iter().all(|open| open.to == address(1)));
    for nonsense in [&[][..], &[0], &[1, 0x19], &[0xff; 40], &[0x40; 40]] {
        requests.went(address(1), nonsense);
        assert_eq!(requests.came(address(1), nonsense), Came::default());
    }
}
