//! What strangers do to a relay's sockets, from another address of this machine than the people beside them.
//!
//! Lives here: one attack a test, and somebody who is served all the same.
//! Must not: measure time: whoever is not served within the rig's patience is not served.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails its test")]

use std::io::Write as _;
use std::time::Duration;

use ahoy_proto::envelope::TokenHash;
use ahoy_proto::frame::{ToClient, ToRelay};
use ahoy_proto::limits;
use ahoy_relay::config::Limits;
use ahoy_relay::serve::{Settings, Timing};
use futures_util::{FutureExt as _, SinkExt as _};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use super::rig::{AT_MOST, Authority, Client, Relay, envelope, key, settings};

/// Where attacks come from: 127.0.0.66.
const EVE: u8 = 66;

fn room(connections: usize, connections_of_address: usize) -> Settings {
    let limits = Limits { connections, connections_of_address, ..Limits::default() };
    Settings { limits, ..settings() }
}

/// Sends full lists of tokens as fast as they are taken, from a thread of its own, until the relay is gone.
fn flood(eve: Client<TcpStream>) {
    let tokens =
        (0..1_024_u32).map(|n| TokenHash::from_bytes(std::array::from_fn(|i| n.to_le_bytes()[i % 4])));
    let text = ToRelay::Allow { tokens: tokens.collect(), more: false }.to_text();
    let frame = [&head(text.len()), text.as_bytes()].concat();
    let mut socket = eve.0.into_inner().into_std().unwrap();
    socket.set_nonblocking(false).unwrap();
    let sending = move || while socket.write_all(&frame).is_ok() {};
    std::thread::Builder::new().name("flood".to_owned()).spawn(sending).unwrap();
}

/// The head of a text message of a client, with an empty mask (RFC 6455 §5.2).
fn head(bytes: usize) -> Vec<u8> {
    let mut head = vec![0x81, 0x80 | 126];
    head.extend(u16::try_from(bytes).unwrap().to_be_bytes());
    head.extend([0; 4]);
    head
}

/// Until the relay has closed it.
async fn closed(mut socket: TcpStream) {
    let mut buffer = [0; 1_000];
    let reading = async { while matches!(socket.read(&mut buffer).await, Ok(1..)) {} };
    tokio::time::timeout(AT_MOST, reading).await.expect("it is closed");
}

#[tokio::test]
async fn what_never_became_a_connection_is_not_counted_as_one() {
    let relay = Relay::start(room(2, 1_000));
    for _ in 0..10 {
        drop(relay.socket_from(EVE).await);
        for garbage in ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "SSH-2.0-x\r\n\r\n", "\u{16}\u{3}\u{1}"] {
            let mut socket = relay.socket_from(EVE).await;
            socket.write_all(garbage.as_bytes()).await.unwrap();
            socket.shutdown().await.unwrap();
            closed(socket).await;
        }
    }
    let _both = (relay.owner(1).await, relay.owner(2).await);
    relay.stop().await;
}

#[tokio::test]
async fn tls_that_is_cut_off_is_not_counted_either() {
    let authority = Authority::new();
    let files = tempfile::tempdir().unwrap();
    let tls = Some(authority.serve(files.path(), "relay.test"));
    let timing = Timing { claim_within: Duration::from_millis(300), ..Timing::default() };
    let relay = Relay::start(Settings { tls, timing, ..room(2, 1_000) });
    for n in 0..12 {
        let mut socket = relay.socket_from(EVE).await;
        // The head of a client's first message, then: nothing more, the end, or nonsense.
        socket.write_all(&[22, 3, 1, 0, 200, 1, 0, 0]).await.unwrap();
        match n % 3 {
            0 => {}
            1 => socket.shutdown().await.unwrap(),
            _ => socket.write_all(&[0xff; 300]).await.unwrap(),
        }
        closed(socket).await;
    }
    let meet = async || {
        let tcp = TcpStream::connect(relay.address).await.unwrap();
        let stream =
            authority.trusted().connect(ServerName::try_from("relay.test").unwrap(), tcp).await.unwrap();
        Client::open(stream).await.unwrap()
    };
    let (mut ana, mut ben) = (meet().await, meet().await);
    ana.claim(&key(1)).await;
    ben.claim(&key(2)).await;
    relay.stop().await;
}

#[tokio::test]
async fn sockets_that_one_address_holds_are_not_anothers_loss() {
    let relay = Relay::start(room(50, 20));
    let mut ana = relay.owner(1).await;
    let mut held = Vec::new();
    for n in 0..60 {
        let mut eve = relay.connect_from(EVE + n % 3).await;
        eve.say(&ToRelay::Hello { version: 1 }).await;
        eve.hear().await.unwrap();
        eve.say(&ToRelay::Send(envelope(&key(9), 1, 10))).await;
        eve.hear().await.unwrap();
        held.push(eve);
    }
    let mut ben = relay.owner(2).await;
    ben.say(&ToRelay::Send(envelope(&key(1), 7, 10))).await;
    assert!(matches!(ana.hear().await, Ok(ToClient::Deliver(_))), "who was there is served");
    assert_eq!(held[0].hear().await, Err(1013), "and of who has most the idlest has gone");
    let mut neighbour = relay.connect_from(EVE).await;
    neighbour.claim(&key(3)).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_flood_of_frames_keeps_neither_newcomers_nor_time_waiting() {
    let relay = Relay::start(settings());
    let mut ana = relay.owner(1).await;
    for n in 0..20 {
        let mut eve = relay.connect_from(EVE).await;
        eve.claim(&key(100 + n)).await;
        flood(eve);
    }
    for n in 0..3 {
        let mut ben = relay.owner(2).await;
        ben.say(&ToRelay::Send(envelope(&key(1), n, 100))).await;
        let Ok(ToClient::Deliver(deliver)) = ana.hear().await else { panic!("nothing is delivered") };
        ana.say(&ToRelay::Ack { id: deliver.id }).await;
    }
    let mut silent = relay.connect().await;
    silent.say(&ToRelay::Hello { version: 1 }).await;
    assert!(silent.hear().await.is_ok());
    assert_eq!(silent.hear().await, Err(1008), "time goes on: who claims nothing is closed");
    relay.stop().await;
}

#[tokio::test]
async fn pings_count_as_frames() {
    let relay = Relay::start(settings());
    let mut eve = relay.connect_from(EVE).await;
    eve.claim(&key(1)).await;
    let mut code = None;
    for _ in 0..20_000 {
        // The relay may close before all of it was written.
        if eve.0.send(Message::Ping(Bytes::from_static(b"x"))).await.is_err() {
            break;
        }
        if let Some(end) = eve.hear().now_or_never() {
            code = Some(end);
            break;
        }
    }
    let code = match code {
        Some(code) => code,
        None => eve.hear().await,
    };
    assert_eq!(code, Err(1008));
    relay.stop().await;
}

#[tokio::test]
async fn what_a_web_page_sends_is_turned_away() {
    let relay = Relay::start(settings());
    for origin in ["https://attacker.example", "null"] {
        let mut request = "ws://localhost/".into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", HeaderValue::from_static(ahoy_proto::frame::SUBPROTOCOL));
        headers.insert("origin", HeaderValue::from_static(origin));
        let stream = TcpStream::connect(relay.address).await.unwrap();
        let refused = tokio_tungstenite::client_async(request, stream).await;
        assert!(matches!(refused, Err(Error::Http(response)) if response.status() == 403));
    }
    relay.stop().await;
}

#[tokio::test]
async fn all_queues_together_have_a_bound_and_the_heaviest_address_pays() {
    let limits = Limits { queue_bytes: 512 * 1024, ..Limits::default() };
    let relay = Relay::start(Settings { limits, ..settings() });
    let mut ana = relay.owner(1).await;
    let mut waits = JoinSet::new();
    for _ in 0..20 {
        let mut eve = relay.connect_from(EVE).await;
        // A message of 60,000 bytes that lacks its last.
        let mut most = head(60_000);
        most.extend(vec![b' '; 59_999]);
        eve.0.get_mut().write_all(&most).await.unwrap();
        waits.spawn(async move { eve.hear().await });
    }
    // Whoever does something has the bound looked at.
    let mut gone = 0;
    while gone < 5 {
        ana.say(&ToRelay::Credentials).await;
        assert!(matches!(ana.hear().await, Ok(ToClient::Credentials { .. })), "a light one stays");
        while let Some(ended) = waits.try_join_next() {
            assert_eq!(ended.unwrap(), Err(1013));
            gone += 1;
        }
    }
    assert!(limits.queue_bytes > limits::QUEUE_BYTES);
    waits.abort_all();
    relay.stop().await;
}
