//! A relay in the test's own process: the real switchboard behind a plain socket, with every frame on record.
//!
//! Lives here: sockets to switchboard and back, starting and stopping.
//! Must not: decide anything that the switchboard decides.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use ahoy_proto::frame::{SUBPROTOCOL, ToRelay};
use ahoy_relay::single::Single;
use ahoy_relay::switchboard::{ClientId, What};
use ahoy_relay::time::Moment;
use ahoy_relay::turn::Ice;
use ahoyd::system::clock;
use futures_util::stream::SplitSink;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

/// A running relay.
pub(crate) struct Relay {
    address: SocketAddr,
    task: JoinHandle<()>,
    /// Every frame of every client, as it came.
    pub(crate) heard: mpsc::Receiver<String>,
}

impl Relay {
    /// On a port that the system chooses.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tap, heard) = mpsc::channel(10_000);
        #[expect(clippy::disallowed_methods, reason = "the test's relay, ended by `stop` or by its runtime")]
        let task = tokio::spawn(run(listener, tap));
        Self { address, task, heard }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Ends it and every connection, as a crash would.
    pub(crate) async fn stop(self) {
        self.task.abort();
        assert!(self.task.await.is_err_and(|error| error.is_cancelled()));
    }
}

type Socket = WebSocketStream<TcpStream>;

async fn run(listener: TcpListener, tap: mpsc::Sender<String>) {
    let mut board = Single::new([7; 32], Ice::default());
    let mut readers = JoinSet::new();
    let mut sinks: BTreeMap<ClientId, SplitSink<Socket, Message>> = BTreeMap::new();
    let (texts, mut inbox) = mpsc::channel(256);
    let mut last = 0;
    loop {
        let due = board.deadline().map(|it| ahoy_call::Moment::from_micros(it.micros()));
        let out = tokio::select! {
            Ok((stream, from)) = listener.accept() => {
                let Ok(socket) = accept_hdr_async(stream, accept).await else { continue };
                last += 1;
                let client = ClientId(last);
                let (sink, mut source) = socket.split();
                sinks.insert(client, sink);
                let gave_way = board.connect(now(), client, from.ip());
                let texts = texts.clone();
                readers.spawn(async move {
                    while let Some(Ok(message)) = source.next().await {
                        if let Message::Text(text) = message
                            && texts.send((client, Some(text.to_string()))).await.is_err()
                        {
                            return;
                        }
                    }
                    let _over = texts.send((client, None)).await;
                });
                gave_way
            }
            Some((client, text)) = inbox.recv() => match text {
                Some(text) => {
                    tap.try_send(text.clone()).unwrap();
                    board.handle(now(), client, ToRelay::parse(&text).unwrap())
                }
                None => {
                    board.disconnect(now(), client);
                    Vec::new()
                }
            },
            () = clock::sleep_until(due.unwrap_or_default()), if due.is_some() => board.tick(now()),
        };
        for delivery in out {
            match delivery.what {
                What::Say(frame) => {
                    let Some(sink) = sinks.get_mut(&delivery.to) else { continue };
                    // Who does not listen any more will be missed by its reader.
                    let _gone = sink.send(Message::text(frame.to_text())).await;
                }
                What::Close(_) => {
                    sinks.remove(&delivery.to);
                }
            }
        }
    }
}

#[expect(clippy::result_large_err, clippy::unnecessary_wraps, reason = "the library's callback")]
fn accept(
    _request: &Request,
    mut response: Response,
) -> Result<Response, tokio_tungstenite::tungstenite::handshake::server::ErrorResponse> {
    response.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
    Ok(response)
}

fn now() -> Moment {
    Moment::from_micros(clock::now().micros())
}
