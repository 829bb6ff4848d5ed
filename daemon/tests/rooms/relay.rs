//! A relay with rooms on a real server, and somebody who holds an inbox there.
//!
//! Lives here: the words about rooms, over a real socket.
//! Must not: judge what it is told.

use std::net::Ipv4Addr;
use std::time::Duration;

use ahoy_proto::frame::{Claim, SUBPROTOCOL, ToClient, ToRelay};
use ahoy_proto::room::{RoomAsk, RoomNews, Ticket};
use ahoy_relay::config::Limits;
use ahoy_relay::rooms::RoomServer;
use ahoy_relay::serve::{Server as RelayServer, Settings, Timing};
use ahoy_relay::token::ApiKey;
use ahoy_relay::turn::Ice;
use ahoyd::system::clock;
use ed25519_dalek::SigningKey;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::server::{KEY, SECRET, Server};

const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Relay {
    socket: WebSocketStream<TcpStream>,
    host: Option<Ticket>,
    pub(crate) passes: Vec<Ticket>,
    _running: JoinSet<()>,
}

impl Relay {
    /// A relay whose rooms are on this server, and who may open one.
    pub(crate) async fn start(server: &Server) -> Self {
        let key = ApiKey { key: KEY.to_owned(), secret: SECRET.to_owned() };
        let rooms = Some(RoomServer { urls: vec![server.url()], key });
        let (listen, limits, timing) =
            ((Ipv4Addr::LOCALHOST, 0).into(), Limits::default(), Timing::default());
        let relay =
            RelayServer::bind(Settings { listen, tls: None, ice: Ice::default(), rooms, limits, timing })
                .unwrap();
        let url = relay.url();
        let mut running = JoinSet::new();
        running.spawn(relay.run(std::future::pending()));
        let tcp = TcpStream::connect(url.strip_prefix("ws://").unwrap()).await.unwrap();
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
        let (socket, _) = tokio_tungstenite::client_async(request, tcp).await.unwrap();
        let mut client = Self { socket, host: None, passes: Vec::new(), _running: running };
        client.say(ToRelay::Hello { version: 1 }).await;
        let ToClient::Challenge { nonce } = client.hear().await else { panic!("no challenge") };
        let key = SigningKey::from_bytes(&[7; 32]);
        client.say(ToRelay::Claim(Claim::sign(&key, &nonce, Vec::new(), false))).await;
        assert!(matches!(client.hear().await, ToClient::Welcome { .. }));
        client
    }

    /// Opens a room, as soon as the relay knows that its server answers; how the server knows it.
    pub(crate) async fn room(&mut self) -> String {
        let give_up = clock::now() + PATIENCE;
        loop {
            let news = self.ask(RoomAsk::Open { passes: 2, lives_s: 90 }).await;
            if let RoomNews::Passes { host, passes } = news {
                (self.host, self.passes) = (host, passes);
                // Only the relay reads a ticket; that the room stands there is its own way.
                let room = &self.host.unwrap().0[1..17];
                return room.iter().map(|byte| format!("{byte:02x}")).collect();
            }
            assert!(clock::now() < give_up, "{news:?}");
            clock::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The way in of a pass.
    pub(crate) async fn enter(&mut self) -> (String, String, String) {
        let pass = self.passes.pop().unwrap();
        let entry = self.ask(RoomAsk::Enter { pass }).await;
        let RoomNews::Entry { urls, token, identity, .. } = entry else { panic!("{entry:?}") };
        (urls[0].clone(), token, identity)
    }

    pub(crate) async fn people(&mut self) -> Vec<String> {
        let people = self.ask(RoomAsk::People { host: self.host.unwrap() }).await;
        let RoomNews::People { mut who } = people else { panic!("{people:?}") };
        who.sort();
        who
    }

    pub(crate) async fn remove(&mut self, who: &str) {
        let who = who.to_owned();
        assert_eq!(self.ask(RoomAsk::Remove { host: self.host.unwrap(), who }).await, RoomNews::Done);
    }

    pub(crate) async fn close(&mut self) {
        assert_eq!(self.ask(RoomAsk::Close { host: self.host.unwrap() }).await, RoomNews::Done);
    }

    async fn ask(&mut self, ask: RoomAsk) -> RoomNews {
        self.say(ToRelay::Room(ask)).await;
        loop {
            let heard = self.hear().await;
            if let ToClient::Room(news) = heard {
                return news;
            }
            assert!(matches!(heard, ToClient::Rooms { .. }), "its server answers now: {heard:?}");
        }
    }

    async fn say(&mut self, frame: ToRelay) {
        self.socket.send(Message::text(frame.to_text())).await.unwrap();
    }

    async fn hear(&mut self) -> ToClient {
        loop {
            let next = clock::timeout(PATIENCE, self.socket.next()).await.expect("the relay says something");
            if let Message::Text(text) = next.unwrap().unwrap() {
                return ToClient::parse(&text).unwrap();
            }
        }
    }
}
