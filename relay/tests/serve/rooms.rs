//! Does a relay ask the server of its rooms for the right things, and bear what that answers? A server that a test plays.
//!
//! Lives here: what is asked of it, and answers as no good server gives them. A real one is met in `daemon/tests/rooms.rs`.
//! Must not: repeat what the switchboard's tests show.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails its test")]

use std::net::Ipv4Addr;
use std::time::Duration;

use ahoy_proto::frame::{ToClient, ToRelay};
use ahoy_proto::room::{RoomAsk, RoomNews, RoomOver, Ticket};
use ahoy_relay::rooms::RoomServer;
use ahoy_relay::serve::Settings;
use ahoy_relay::token::ApiKey;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::rig::{AT_MOST, Client, Relay, settings};

const OK: &str = "200 OK";

/// One question: method, claims of its token, body; and where the answer goes.
struct Question {
    method: String,
    grant: Value,
    body: Value,
    answer: oneshot::Sender<(&'static str, Value)>,
}

/// A server that asks the test for each answer. Questions whether it lives are answered by itself.
struct Played {
    port: u16,
    questions: mpsc::Receiver<Question>,
    _tasks: JoinSet<()>,
}

impl Played {
    async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, questions) = mpsc::channel(16);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                open.spawn(serve(tcp, asked.clone()));
            }
        });
        Self { port, questions, _tasks: tasks }
    }

    fn rooms(&self) -> Option<RoomServer> {
        let key = ApiKey { key: "key".to_owned(), secret: "secret".to_owned() };
        Some(RoomServer { urls: vec![format!("ws://127.0.0.1:{}", self.port)], key })
    }

    async fn question(&mut self) -> Question {
        tokio::time::timeout(AT_MOST, self.questions.recv()).await.expect("a question in time").unwrap()
    }
}

async fn serve(mut tcp: TcpStream, asked: mpsc::Sender<Question>) {
    let mut bytes = Vec::new();
    let (head, body) = loop {
        if tcp.read_buf(&mut bytes).await.unwrap() == 0 {
            return;
        }
        let text = String::from_utf8(bytes.clone()).unwrap();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
        if body.len() == length.parse::<usize>().unwrap() {
            break (head.to_owned(), serde_json::from_str(body).unwrap());
        }
    };
    let method = head.split(' ').nth(1).unwrap().rsplit('/').next().unwrap().to_owned();
    let token = head.lines().find_map(|line| line.strip_prefix("Authorization: Bearer ")).unwrap();
    let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    let (status, said) = if method == "ListRooms" {
        (OK, json!({ "rooms": [] }))
    } else {
        let (answer, waiting) = oneshot::channel();
        asked.send(Question { method, grant: claims["video"].clone(), body, answer }).await.unwrap();
        waiting.await.unwrap_or((OK, json!({})))
    };
    let said = said.to_string();
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{said}", said.len());
    // Who asked may have given up.
    let _gone = tcp.write_all(answer.as_bytes()).await;
}

async fn news(client: &mut Client<TcpStream>) -> RoomNews {
    loop {
        match client.hear().await {
            Ok(ToClient::Room(news)) => return news,
            // Its server answers now.
            Ok(ToClient::Rooms { .. }) => {}
            heard => panic!("{heard:?}"),
        }
    }
}

/// Asks for a room until the relay has seen that the server lives, and answers its question.
async fn open(ana: &mut Client<TcpStream>, server: &mut Played) -> (Question, RoomAsk) {
    let ask = RoomAsk::Open { passes: 2, lives_s: 90 };
    loop {
        ana.say(&ToRelay::Room(ask.clone())).await;
        tokio::select! {
            question = server.question() => return (question, ask),
            refused = news(ana) => assert_eq!(refused, RoomNews::Over { why: RoomOver::None }),
        }
    }
}

async fn host(ana: &mut Client<TcpStream>, server: &mut Played) -> Ticket {
    let (question, _) = open(ana, server).await;
    question.answer.send((OK, json!({}))).unwrap();
    let RoomNews::Passes { host: Some(host), .. } = news(ana).await else { panic!("no passes") };
    host
}

#[tokio::test]
async fn a_room_is_made_for_as_many_as_a_call_may_have_and_ends_when_they_have_gone() {
    let mut server = Played::start().await;
    let relay = Relay::start(Settings { rooms: server.rooms(), ..settings() });
    let mut ana = relay.owner(1).await;
    let (question, _) = open(&mut ana, &mut server).await;
    let Question { method, grant, body, answer } = question;
    assert_eq!((&*method, &grant), ("CreateRoom", &json!({ "roomCreate": true })));
    let name = body["name"].as_str().unwrap().to_owned();
    assert_eq!(
        body,
        json!({ "name": name, "maxParticipants": 25, "emptyTimeout": 300, "departureTimeout": 20 })
    );
    answer.send((OK, json!({ "name": name }))).unwrap();
    let RoomNews::Passes { host: Some(host), passes } = news(&mut ana).await else { panic!("no passes") };
    assert_eq!(passes.len(), 2);
    ana.say(&ToRelay::Room(RoomAsk::People { host })).await;
    let question = server.question().await;
    assert_eq!(question.grant, json!({ "roomAdmin": true, "room": name }));
    let people = json!({ "participants": [{ "identity": "one" }, { "identity": "two" }] });
    question.answer.send((OK, people)).unwrap();
    assert_eq!(news(&mut ana).await, RoomNews::People { who: vec!["one".to_owned(), "two".to_owned()] });
    relay.stop().await;
}

#[tokio::test]
async fn a_deletion_that_fails_blocks_nobody_and_is_tried_until_it_is_done() {
    let mut server = Played::start().await;
    let relay = Relay::start(Settings { rooms: server.rooms(), ..settings() });
    let mut ana = relay.owner(1).await;
    let host = host(&mut ana, &mut server).await;
    ana.say(&ToRelay::Room(RoomAsk::Close { host })).await;
    for status in ["500 Internal Server Error", "503 Service Unavailable"] {
        let question = server.question().await;
        assert_eq!(question.method, "DeleteRoom");
        question.answer.send((status, json!({}))).unwrap();
    }
    assert_eq!(news(&mut ana).await, RoomNews::Done, "who ended it need not wait");
    let question = server.question().await;
    assert_eq!(question.method, "DeleteRoom");
    question.answer.send(("404 Not Found", json!({ "code": "not_found" }))).unwrap();
    relay.stop().await;
}

#[tokio::test]
async fn a_server_that_refuses_breaks_off_or_talks_nonsense_gives_no_room_and_the_next_question_is_asked() {
    let mut server = Played::start().await;
    let relay = Relay::start(Settings { rooms: server.rooms(), ..settings() });
    let mut ana = relay.owner(1).await;
    for status in ["401 Unauthorized", "500 Internal Server Error", "no status"] {
        let (question, _) = open(&mut ana, &mut server).await;
        question.answer.send((status, json!({}))).unwrap();
        assert_eq!(news(&mut ana).await, RoomNews::Over { why: RoomOver::None }, "{status}");
    }
    // Somebody who is not there is gone already.
    let host = host(&mut ana, &mut server).await;
    ana.say(&ToRelay::Room(RoomAsk::Remove { host, who: "x".to_owned() })).await;
    let question = server.question().await;
    assert_eq!(question.body["identity"], "x");
    question.answer.send(("404 Not Found", json!({}))).unwrap();
    assert_eq!(news(&mut ana).await, RoomNews::Done);
    relay.stop().await;
}

#[tokio::test]
async fn a_relay_whose_rooms_have_no_server_serves_everything_else() {
    let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    let key = ApiKey { key: "key".to_owned(), secret: "secret".to_owned() };
    let rooms = Some(RoomServer { urls: vec![format!("ws://{gone}")], key });
    let relay = Relay::start(Settings { rooms, ..settings() });
    let mut ana = relay.owner(1).await;
    ana.say(&ToRelay::Room(RoomAsk::Open { passes: 1, lives_s: 90 })).await;
    assert_eq!(news(&mut ana).await, RoomNews::Over { why: RoomOver::None });
    ana.say(&ToRelay::Credentials).await;
    assert!(matches!(ana.hear().await, Ok(ToClient::Credentials { .. })));
    tokio::time::timeout(Duration::from_secs(10), relay.stop()).await.expect("nothing holds it up");
}
