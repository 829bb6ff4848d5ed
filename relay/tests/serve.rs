//! Does the relay keep its rules on real sockets? Over loopback, with and without TLS.
//!
//! Lives here: what only sockets can show: sizes, slow readers, time limits, certificates.
//! Must not: repeat what the switchboard's tests show, or wait for real limits.

#[path = "serve/attacks.rs"]
mod attacks;
#[path = "serve/rig.rs"]
mod rig;
#[path = "serve/rooms.rs"]
mod rooms;

use std::time::Duration;

use ahoy_proto::envelope::EnvelopeId;
use ahoy_proto::frame::{ToClient, ToRelay};
use ahoy_proto::limits;
use ahoy_relay::serve::{self, BindError, Server, Settings, Timing};
use futures_util::{SinkExt as _, StreamExt as _};
use rig::{AT_MOST, Authority, Client, Relay, TOKEN, envelope, key, settings};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::{Error, Message};

#[tokio::test]
async fn an_envelope_travels_from_a_sender_to_an_inbox() {
    let relay = Relay::start(settings());
    let mut ana = relay.owner(1).await;
    let mut ben = relay.connect().await;
    ben.say(&ToRelay::Hello { version: 1 }).await;
    ben.hear().await.unwrap();
    ben.say(&ToRelay::Send(envelope(&key(1), 7, limits::BODY_BYTES))).await;
    assert_eq!(ben.hear().await, Ok(ToClient::Accepted { id: EnvelopeId::from_bytes([7; 16]) }));
    let Ok(ToClient::Deliver(deliver)) = ana.hear().await else { panic!("nothing delivered") };
    assert_eq!(deliver.body.bytes().len(), limits::BODY_BYTES);
    assert_eq!(deliver.token, TOKEN.hash());
    relay.stop().await;
    assert_eq!(ana.hear().await, Err(1001), "the relay says that it goes");
}

#[tokio::test]
async fn a_message_that_is_too_long_ends_its_connection_and_no_other() {
    let relay = Relay::start(settings());
    let mut ana = relay.owner(1).await;
    let mut long = relay.connect().await;
    // The relay may close before all of it was written.
    let _cut = long.0.send(Message::text("a".repeat(limits::MESSAGE_BYTES + 1))).await;
    assert_eq!(long.hear().await, Err(1009));
    ana.say(&ToRelay::Credentials).await;
    assert!(matches!(ana.hear().await, Ok(ToClient::Credentials { .. })));
    relay.stop().await;
}

#[tokio::test]
async fn what_is_no_frame_is_ignored() {
    let relay = Relay::start(settings());
    let mut ana = relay.connect().await;
    for nonsense in ["", "{", "[]", r#"{"kind":"claim"}"#, r#"{"kind":"send","inbox":"x"}"#, "\u{0}"] {
        ana.0.send(Message::text(nonsense)).await.unwrap();
    }
    ana.0.send(Message::binary(vec![0xff; 100])).await.unwrap();
    ana.claim(&key(1)).await;
    relay.stop().await;
}

#[tokio::test]
async fn who_does_not_read_is_cut_off_and_finds_the_mail_later() {
    // A busy machine reads late: the close frame may take its time.
    let timing = Timing { goodbye: AT_MOST / 2, ..Timing::default() };
    let relay = Relay::start(Settings { timing, ..settings() });
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    let mut slow = Client::open(socket.connect(relay.address).await.unwrap()).await.unwrap();
    slow.claim(&key(1)).await;
    let mut ben = relay.owner(2).await;
    for id in 0..64 {
        ben.say(&ToRelay::Send(envelope(&key(1), id, limits::BODY_BYTES))).await;
        assert!(matches!(ben.hear().await, Ok(ToClient::Accepted { .. })), "the sender notices nothing");
    }
    let mut read = 0;
    let code = loop {
        match slow.hear().await {
            Ok(_) => read += 1,
            Err(code) => break code,
        }
    };
    assert!(read < 20, "{read} messages were kept for it");
    assert_eq!(code, 1013);
    drop(slow);
    let mut again = relay.owner(1).await;
    for id in 0..64 {
        let Ok(ToClient::Deliver(deliver)) = again.hear().await else { panic!("mail {id} is lost") };
        assert_eq!(deliver.id, EnvelopeId::from_bytes([id; 16]));
        again.say(&ToRelay::Ack { id: deliver.id }).await;
    }
    relay.stop().await;
}

#[tokio::test]
async fn who_says_nothing_is_closed_before_and_after_the_handshake() {
    let timing = Timing { claim_within: Duration::from_millis(100), ..Timing::default() };
    let relay = Relay::start(Settings { timing, ..settings() });
    let mut mute = TcpStream::connect(relay.address).await.unwrap();
    let mut greets = relay.connect().await;
    greets.say(&ToRelay::Hello { version: 1 }).await;
    let mut claims = relay.owner(1).await;
    assert!(matches!(greets.hear().await, Ok(ToClient::Challenge { .. })));
    assert_eq!(greets.hear().await, Err(1008));
    let read = tokio::time::timeout(AT_MOST, mute.read(&mut [0; 1])).await.expect("it is closed");
    assert!(matches!(read, Ok(0) | Err(_)));
    claims.say(&ToRelay::Credentials).await;
    assert!(claims.hear().await.is_ok(), "who claimed stays");
    relay.stop().await;
}

#[tokio::test]
async fn who_answers_no_ping_is_dead_and_who_does_lives() {
    let (ping_every, dead_after) = (Duration::from_millis(20), Duration::from_millis(200));
    let relay = Relay::start(Settings {
        timing: Timing { ping_every, dead_after, ..Timing::default() },
        ..settings()
    });
    let mut dead = relay.owner(1).await;
    let mut lives = relay.owner(2).await;
    // `dead` does not read, so it answers no ping; `lives` does nothing but read, three times as long as it could be silent.
    for _ in 0..30 {
        let ping = tokio::time::timeout(AT_MOST, lives.0.next()).await;
        assert!(matches!(ping, Ok(Some(Ok(Message::Ping(_))))), "{ping:?}");
    }
    let end = loop {
        match dead.hear().await {
            Ok(_) => {}
            Err(code) => break code,
        }
    };
    assert_eq!(end, 1006, "closed without a word: nobody is there to hear it");
    relay.stop().await;
}

#[tokio::test]
async fn a_newer_connection_displaces_the_older() {
    let relay = Relay::start(settings());
    let mut older = relay.owner(1).await;
    let mut newer = relay.owner(1).await;
    assert_eq!(older.hear().await, Err(4001));
    drop(older);
    let mut ben = relay.owner(2).await;
    ben.say(&ToRelay::Send(envelope(&key(1), 1, 10))).await;
    assert!(matches!(newer.hear().await, Ok(ToClient::Deliver(_))));
    relay.stop().await;
}

#[tokio::test]
async fn what_speaks_another_protocol_is_turned_away() {
    let relay = Relay::start(settings());
    let stream = TcpStream::connect(relay.address).await.unwrap();
    let refused = tokio_tungstenite::client_async("ws://localhost/", stream).await;
    assert!(matches!(refused, Err(Error::Http(response)) if response.status() == 400));
    let mut plain = TcpStream::connect(relay.address).await.unwrap();
    plain.write_all(b"SSH-2.0-x\r\n\r\n").await.unwrap();
    let read = tokio::time::timeout(AT_MOST, plain.read(&mut [0; 1_000])).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)));
    relay.connect().await.claim(&key(1)).await;
    relay.stop().await;
}

#[tokio::test]
async fn plain_text_is_for_loopback_alone() {
    let abroad = |listen: &str| Server::bind(Settings { listen: listen.parse().unwrap(), ..settings() });
    for listen in ["0.0.0.0:0", "192.0.2.1:0", "[::]:0"] {
        let error = abroad(listen).unwrap_err();
        assert!(matches!(error, BindError::PlainAbroad(_)), "{error}");
        assert!(error.to_string().contains("--tls-cert"), "it says what would be right: {error}");
    }
    let authority = Authority::new();
    let files = tempfile::tempdir().unwrap();
    let tls = Some(authority.serve(files.path(), "localhost"));
    let sealed = Server::bind(Settings { listen: "0.0.0.0:0".parse().unwrap(), tls, ..settings() }).unwrap();
    assert!(sealed.url().starts_with("wss://0.0.0.0:"));
}

#[tokio::test]
async fn a_client_meets_the_relay_its_certificate_names_and_no_other() {
    let (authority, other) = (Authority::new(), Authority::new());
    let files = tempfile::tempdir().unwrap();
    let tls = Some(authority.serve(files.path(), "relay.test"));
    let relay = Relay::start(Settings { tls, ..settings() });
    let meet = async |trusted: TlsConnector, name: &'static str| {
        let tcp = TcpStream::connect(relay.address).await.unwrap();
        trusted.connect(ServerName::try_from(name).unwrap(), tcp).await
    };
    assert!(meet(other.trusted(), "relay.test").await.is_err(), "an authority that is not believed");
    assert!(meet(authority.trusted(), "elsewhere.test").await.is_err(), "another name");
    let stream = meet(authority.trusted(), "relay.test").await.unwrap();
    Client::open(stream).await.unwrap().claim(&key(1)).await;
    let plain = Client::open(TcpStream::connect(relay.address).await.unwrap()).await;
    assert!(plain.is_err(), "plain text to a sealed port");
    relay.stop().await;
}

#[tokio::test]
async fn a_certificate_that_is_none_is_refused_with_its_file() {
    let files = tempfile::tempdir().unwrap();
    let missing = serve::tls(&files.path().join("cert.pem"), &files.path().join("key.pem")).unwrap_err();
    assert!(missing.to_string().contains("cert.pem"));
    Authority::new().serve(files.path(), "relay.test");
    std::fs::write(files.path().join("key.pem"), "nonsense").unwrap();
    let bad = serve::tls(&files.path().join("cert.pem"), &files.path().join("key.pem")).unwrap_err();
    assert!(bad.to_string().contains("key.pem"), "{bad}");
}
