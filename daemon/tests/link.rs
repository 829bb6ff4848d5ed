//! Does a link keep to its relay? Against the real relay, over loopback.
//!
//! Lives here: what a link does when the relay comes, goes, refuses, or is not who it should be.
//! Must not: wait for real limits, or know sessions and calls.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails its test")]

#[path = "link/authority.rs"]
mod authority;
#[path = "link/believed.rs"]
mod believed;
#[path = "link/networks.rs"]
mod networks;
#[path = "link/rig.rs"]
mod rig;

use std::net::Ipv4Addr;
use std::time::Duration;

use ahoy_proto::envelope::{Envelope, Token};
use ahoy_proto::frame::{Deliver, IceServer, Nonce, ToClient, ToRelay};
use ahoyd::signal::link::{FromLink, LinkRole};
use ahoyd::signal::tls::{RelayUrl, Trust};
use ahoyd::system::clock;
use futures_util::{SinkExt, StreamExt};
use rig::*;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

#[tokio::test]
async fn an_envelope_goes_from_link_to_link_and_an_acknowledged_one_comes_once() {
    let relay = Relay::start();
    let mut ana = Line::claimed(&relay, &key(1), vec![OPEN.hash()]);
    let FromLink::Up { ice_servers, .. } = ana.next().await else { panic!("not up") };
    assert_eq!(ice_servers.list[0].urls, ["stun:s"]);
    let mut ben = Line::sender(&relay);
    for n in [1, 2] {
        ben.link.send(envelope(&key(1), n, OPEN)).unwrap();
    }
    ben.up().await;
    assert_eq!((ben.accepted().await, ben.accepted().await), (1, 2));
    assert_eq!((ana.delivered().await, ana.delivered().await), (1, 2));
    ana.link.ack(id(1)).unwrap();
    // The relay takes what one link says in its order, so that with the answer to this the other is taken, too. The next link may
    // be heard before the last words of this one.
    ana.link.send(envelope(&key(200), 9, OPEN)).unwrap();
    assert_eq!(ana.accepted().await, 9);
    ana.link.finish().await;
    let mut again = Line::claimed(&relay, &key(1), vec![OPEN.hash()]);
    again.up().await;
    assert_eq!(again.delivered().await, 2, "the other was not acknowledged");
    relay.stop().await;
}

#[tokio::test]
async fn a_sender_connects_when_there_is_something_to_send() {
    let relay = Relay::start();
    let mut idle = Line::sender(&relay);
    // Longer than a relay bears a silent client: had it connected, it would have been closed and said so.
    let nothing = clock::timeout(Duration::from_millis(500), idle.reports.recv()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    idle.settled_after_up().await;
    relay.stop().await;
}

impl Line {
    async fn settled_after_up(&mut self) {
        self.link.send(envelope(&key(200), 1, OPEN)).unwrap();
        self.up().await;
        assert_eq!(self.accepted().await, 1);
    }
}

#[tokio::test]
async fn a_relay_that_comes_back_is_found_and_gets_what_waited() {
    let relay = Relay::start();
    let mut ana = Line::claimed(&relay, &key(1), vec![OPEN.hash()]);
    ana.up().await;
    let mut ben = Line::claimed(&relay, &key(2), vec![]);
    ben.up().await;
    let port = relay.stop().await;
    assert!(!ana.down().await.is_empty());
    ben.down().await;
    ben.link.send(envelope(&key(1), 7, OPEN)).unwrap();
    // It tried in vain at least once: a new reason is told.
    assert!(ana.down().await.contains("cannot be reached"));
    let came = clock::now();
    let relay = Relay::on(port, None);
    ana.up().await;
    assert!(clock::now().since(came) < FOUND_AGAIN);
    let mut seen = vec![ben.next().await];
    while !matches!(seen.last(), Some(FromLink::Accepted { .. })) {
        seen.push(ben.next().await);
    }
    assert_eq!(seen.last(), Some(&FromLink::Accepted { id: id(7) }));
    // The new relay had no list before `ana` claimed; whoever was first, a repeat arrives.
    ben.link.send(envelope(&key(1), 7, OPEN)).unwrap();
    assert_eq!(ana.delivered().await, 7);
    relay.stop().await;
}

#[tokio::test]
async fn a_relay_that_is_not_there_is_told_once_for_each_reason() {
    let relay = Relay::start();
    let url = relay.url();
    let port = relay.stop().await;
    let mut ana = Line::new(url, claimed(), Trust::default());
    assert!(ana.down().await.contains("cannot be reached"));
    // The first waits together take less than that: several tries, no second report.
    let nothing = clock::timeout(Duration::from_millis(800), ana.reports.recv()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    let relay = Relay::on(port, None);
    ana.up().await;
    relay.stop().await;
}

#[tokio::test]
async fn a_list_of_tokens_travels_by_its_differences() {
    let relay = Relay::start();
    let other = Token::from_bytes([6; 16]);
    let mut ana = Line::claimed(&relay, &key(1), vec![OPEN.hash()]);
    ana.up().await;
    let mut ben = Line::sender(&relay);
    ben.settled_after_up().await;
    ana.link.set_tokens(vec![other.hash()]);
    ana.settled().await;
    ben.link.send(envelope(&key(1), 2, OPEN)).unwrap();
    ben.link.send(envelope(&key(1), 3, other)).unwrap();
    assert_eq!(ana.delivered().await, 3, "the revoked token delivers nothing, the new one does");
    relay.stop().await;
}

#[tokio::test]
async fn a_token_that_comes_between_claim_and_welcome_reaches_the_relay() {
    let late = Token::from_bytes([6; 16]).hash();
    let (ana, listener) = played(LinkRole::Claimed { key: key(1), tokens: vec![OPEN.hash()] }).await;
    let story = async {
        let mut relay = greeted(&listener).await;
        let ToRelay::Claim(claim) = said(&mut relay).await else { panic!("no claim") };
        assert_eq!(claim.tokens, [OPEN.hash()]);
        ana.link.set_tokens(vec![OPEN.hash(), late]);
        let next = said(&mut relay).await;
        assert!(matches!(&next, ToRelay::Allow { tokens, .. } if *tokens == [late]), "{next:?}");
    };
    clock::timeout(AT_MOST, story).await.expect("the relay hears of it without a welcome");
}

#[tokio::test]
async fn a_link_that_only_sends_takes_no_mail() {
    let (mut ana, listener) = played(LinkRole::Sender).await;
    ana.link.send(envelope(&key(1), 1, OPEN)).unwrap();
    let story = async {
        let mut relay = greeted(&listener).await;
        let ToRelay::Send(sent) = said(&mut relay).await else { panic!("nothing sent") };
        let Envelope { id, body, .. } = envelope(&key(1), 7, OPEN);
        let pushed = Deliver { id, held_ms: 0, token: OPEN.hash(), body };
        for frame in [ToClient::Deliver(pushed), ToClient::Accepted { id: sent.id }] {
            say(&mut relay, frame).await;
        }
        let mut heard = Vec::new();
        while !heard.iter().any(|it| matches!(it, FromLink::Accepted { .. })) {
            heard.push(ana.reports.recv().await.unwrap().1);
        }
        assert!(!heard.iter().any(|it| matches!(it, FromLink::Deliver(_))), "{heard:?}");
    };
    clock::timeout(AT_MOST, story).await.expect("the link hears its relay");
}

fn claimed() -> LinkRole {
    LinkRole::Claimed { key: key(1), tokens: vec![] }
}

/// A link to a relay that the test plays.
async fn played(role: LinkRole) -> (Line, TcpListener) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = RelayUrl::parse(&format!("ws://{}", listener.local_addr().unwrap())).unwrap();
    (Line::new(url, role, Trust::default()), listener)
}

/// What a relay that a test plays says.
async fn say(relay: &mut WebSocketStream<TcpStream>, frame: ToClient) {
    relay.send(Message::text(frame.to_text())).await.unwrap();
}

/// A relay that a test plays, up to its challenge.
async fn greeted(listener: &TcpListener) -> WebSocketStream<TcpStream> {
    let (socket, _) = listener.accept().await.unwrap();
    greet(socket).await
}

async fn greet(socket: TcpStream) -> WebSocketStream<TcpStream> {
    #[expect(clippy::result_large_err, reason = "the library's type")]
    let spoken = |_: &Request, mut response: Response| {
        response.headers_mut().insert("sec-websocket-protocol", "ahoy.relay.1".parse().unwrap());
        Ok(response)
    };
    let mut relay = tokio_tungstenite::accept_hdr_async(socket, spoken).await.unwrap();
    assert!(matches!(said(&mut relay).await, ToRelay::Hello { .. }));
    say(&mut relay, ToClient::Challenge { nonce: Nonce([7; 32]) }).await;
    relay
}

#[tokio::test]
async fn a_list_of_tokens_is_not_lost_when_the_link_has_no_room_for_orders() {
    let late = Token::from_bytes([6; 16]).hash();
    let (ana, listener) = played(LinkRole::Claimed { key: key(1), tokens: vec![OPEN.hash()] }).await;
    let mut relay = greeted(&listener).await;
    let ToRelay::Claim(claim) = said(&mut relay).await else { panic!("no claim") };
    assert_eq!(claim.tokens, [OPEN.hash()]);
    while ana.link.send(envelope(&key(2), 1, OPEN)).is_ok() {}
    ana.link.set_tokens(vec![OPEN.hash(), late]);
    let told = async {
        loop {
            if let ToRelay::Allow { tokens, .. } = said(&mut relay).await {
                assert_eq!(tokens, [late]);
                return;
            }
        }
    };
    clock::timeout(AT_MOST, told).await.expect("the relay hears of the new token");
}

/// A link that only sends, up at a relay that the test plays, with envelope 1 on its way.
async fn standing() -> (Line, TcpListener, WebSocketStream<TcpStream>) {
    let (mut ana, listener) = played(LinkRole::Sender).await;
    ana.link.send(envelope(&key(2), 1, OPEN)).unwrap();
    let relay = greeted(&listener).await;
    ana.up().await;
    (ana, listener, relay)
}

async fn said(relay: &mut WebSocketStream<TcpStream>) -> ToRelay {
    let message = relay.next().await.unwrap().unwrap();
    ToRelay::parse(message.to_text().unwrap()).unwrap()
}

#[tokio::test]
async fn a_long_list_of_tokens_arrives_whole() {
    let relay = Relay::start();
    let token = |n: u32| Token::from_bytes(std::array::from_fn(|i| n.to_be_bytes()[i % 4]));
    let mut ana = Line::claimed(&relay, &key(1), (0..5_000).map(|n| token(n).hash()).collect());
    ana.up().await;
    let mut ben = Line::sender(&relay);
    ben.settled_after_up().await;
    for (n, nth) in [(2, 0), (3, 5_000), (4, 4_999), (5, 2_000)] {
        ben.link.send(envelope(&key(1), n, token(nth))).unwrap();
    }
    assert_eq!([ana.delivered().await, ana.delivered().await, ana.delivered().await], [2, 4, 5]);
    relay.stop().await;
}

#[tokio::test]
async fn who_is_displaced_says_so_and_stays_away() {
    let relay = Relay::start();
    let mut older = Line::claimed(&relay, &key(1), vec![OPEN.hash()]);
    older.up().await;
    let mut newer = Line::claimed(&relay, &key(1), vec![OPEN.hash()]);
    newer.up().await;
    assert_eq!(older.next().await, FromLink::Displaced);
    let nothing = clock::timeout(Duration::from_millis(500), older.reports.recv()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    newer.settled().await;
    relay.stop().await;
}

#[tokio::test]
async fn an_ending_link_sends_what_is_queued_and_waits_for_no_relay() {
    let relay = Relay::start();
    let mut ana = Line::claimed(&relay, &key(1), vec![OPEN.hash()]);
    ana.up().await;
    let ben = Line::sender(&relay);
    for n in 0..30 {
        ben.link.send(envelope(&key(1), n, OPEN)).unwrap();
    }
    ben.link.finish().await;
    for n in 0..30 {
        assert_eq!(ana.delivered().await, n);
    }
    let url = relay.url();
    relay.stop().await;
    let lonely = Line::new(url, LinkRole::Sender, Trust::default());
    lonely.link.send(envelope(&key(1), 1, OPEN)).unwrap();
    let began = clock::now();
    lonely.link.finish().await;
    assert!(clock::now().since(began) < Duration::from_secs(2));
}

#[tokio::test]
async fn a_link_asks_for_fresh_credentials_and_tells_of_them() {
    let (mut ana, listener) = played(claimed()).await;
    let mut relay = greeted(&listener).await;
    assert!(matches!(said(&mut relay).await, ToRelay::Claim(_)));
    let turn = |name: &str| IceServer {
        urls: vec!["turn:t".to_owned()],
        username: name.to_owned(),
        credential: "secret".to_owned(),
    };
    let welcome = ToClient::Welcome { limits: Default::default(), ice_servers: vec![turn("old")] };
    say(&mut relay, welcome).await;
    let FromLink::Up { ice_servers: old, .. } = ana.next().await else { panic!("not up") };
    ana.link.refresh();
    assert_eq!(said(&mut relay).await, ToRelay::Credentials);
    say(&mut relay, ToClient::Credentials { ice_servers: vec![turn("new")] }).await;
    let FromLink::Fresh { ice_servers: new } = ana.next().await else { panic!("not told") };
    assert_eq!((&old.list[0].username[..], &new.list[0].username[..]), ("old", "new"));
    assert!(new.end > old.end && old.end.is_some(), "with when they end");
}

#[tokio::test]
async fn what_a_relay_says_of_its_rooms_later_counts_and_before_its_welcome_does_not() {
    let (mut ana, listener) = played(claimed()).await;
    let mut relay = greeted(&listener).await;
    assert!(matches!(said(&mut relay).await, ToRelay::Claim(_)));
    say(&mut relay, ToClient::Rooms { passes: 25 }).await;
    say(&mut relay, ToClient::Welcome { limits: Default::default(), ice_servers: Vec::new() }).await;
    let up = ana.next().await;
    assert!(matches!(up, FromLink::Up { rooms: false, .. }), "{up:?}");
    for passes in [25, 0] {
        say(&mut relay, ToClient::Rooms { passes }).await;
        assert_eq!(ana.next().await, FromLink::Rooms(passes > 0));
    }
}
