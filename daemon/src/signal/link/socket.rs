//! The socket under a link: opened, read and written with bounds.
//!
//! Lives here: the tries to open it, frames to messages and back, and why a connection ended.
//! Must not: know what a frame means to the link.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use ahoy_proto::frame::{CloseCode, SUBPROTOCOL, ToClient, ToRelay};
use ahoy_proto::limits;
use futures_util::SinkExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::{SplitSink, SplitStream};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::{DATE, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::super::dial::Known;
use super::super::tls::{self, ConnectError, RelayUrl, Stream, Trust};
use crate::system::clock;

/// How long one message may take to leave; then the connection is dead.
const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// How long TLS and the WebSocket may take on a connection that stands.
const SHAKE_WITHIN: Duration = Duration::from_secs(10);

/// Why a connection ended.
pub(super) enum Ended {
    /// Try again.
    Failed(String),
    /// A newer connection stands: go on with that one.
    Replaced(Box<Socket>),
    /// Stay away for a while.
    Displaced,
    /// The owner is gone.
    Over,
}

pub(super) type Socket = WebSocketStream<Stream>;
pub(super) type Sink = SplitSink<Socket, Message>;
pub(super) type Source = SplitStream<Socket>;

/// One try to reach a relay, with what it taught.
pub(super) type Attempt = BoxFuture<'static, (Known, Result<Socket, String>)>;

/// Begins a try. It ends by its own deadlines.
pub(super) fn attempt(url: RelayUrl, trust: Trust, mut known: Known) -> Attempt {
    Box::pin(async move {
        let opened = open(&url, &trust, &mut known).await;
        (known, opened)
    })
}

async fn open(url: &RelayUrl, trust: &Trust, known: &mut Known) -> Result<Socket, String> {
    let dialed = known.dial(url).await.map_err(ConnectError::Unreachable);
    let (address, tcp) = dialed.map_err(|error| error.to_string())?;
    let shaken = clock::timeout(SHAKE_WITHIN, shake(url, trust, tcp)).await;
    let opened = shaken.unwrap_or_else(|_| Err("the relay does not answer".to_owned()));
    match opened {
        Ok((socket, told_time)) => {
            known.told_time = told_time.map(|at| (at, clock::now()));
            Ok(socket)
        }
        Err(why) => {
            known.misled(address);
            Err(why)
        }
    }
}

/// A socket, and what time it is there, in seconds since the Unix epoch, where it is told.
async fn shake(url: &RelayUrl, trust: &Trust, tcp: TcpStream) -> Result<(Socket, Option<i64>), String> {
    let stream = tls::seal(url, trust, tcp).await.map_err(|e| e.to_string())?;
    let mut request = url.as_str().into_client_request().map_err(|e| e.to_string())?;
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    let config = WebSocketConfig::default()
        .read_buffer_size(8 * 1024)
        .write_buffer_size(0)
        .max_message_size(Some(limits::MESSAGE_BYTES))
        .max_frame_size(Some(limits::MESSAGE_BYTES));
    let opened = tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await;
    let (socket, response) = opened.map_err(|_| "what answers there is no relay".to_owned())?;
    let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
    Ok((socket, date.and_then(at)))
}

/// A date of HTTP (RFC 9110 §5.6.7), in seconds since the Unix epoch.
fn at(date: &str) -> Option<i64> {
    let read = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date);
    read.ok().map(jiff::Timestamp::as_second)
}

/// So many tries go on beside each other.
const TRIES: usize = 4;

/// The tries that are under way. When our network changes, or somebody waits, a new one begins at once; those that began before go on
/// beside it, so that a network that changes all the time starves none. The first that opens wins.
#[derive(Default)]
pub(super) struct Tries(Vec<Attempt>);

impl Tries {
    /// One more. Where there are too many the first goes on, and the next gives way.
    pub(super) fn begin(&mut self, attempt: Attempt) {
        if self.0.len() == TRIES {
            drop(self.0.remove(1));
        }
        self.0.push(attempt);
    }

    /// Whether any is under way.
    pub(super) fn any(&self) -> bool {
        !self.0.is_empty()
    }

    /// Drops them.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The first that opens, or why the last of them failed. Without any: never. Dropping it loses nothing.
    pub(super) async fn opened(&mut self) -> (Known, Result<Socket, String>) {
        poll_fn(|cx| {
            let mut nth = 0;
            while let Some(attempt) = self.0.get_mut(nth) {
                let Poll::Ready(done) = attempt.as_mut().poll(cx) else {
                    nth += 1;
                    continue;
                };
                drop(self.0.remove(nth));
                if done.1.is_ok() || self.0.is_empty() {
                    return Poll::Ready(done);
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// One message of the relay, if it is a frame.
pub(super) fn read(message: Option<Result<Message, Error>>) -> Result<Option<ToClient>, Ended> {
    match message {
        Some(Ok(Message::Text(text))) => match ToClient::parse(&text) {
            Ok(frame) => Ok(Some(frame)),
            Err(error) => {
                tracing::debug!(%error, "a relay's frame is dropped");
                Ok(None)
            }
        },
        Some(Ok(Message::Close(close))) => {
            let number = close.map_or(1005, |c| u16::from(c.code));
            match CloseCode::from_number(number) {
                Some(CloseCode::Displaced) => Err(Ended::Displaced),
                Some(CloseCode::GoingAway | CloseCode::Policy | CloseCode::TooBig | CloseCode::Slow)
                | None => Err(Ended::Failed(format!("the relay closed the connection ({number})"))),
            }
        }
        Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(None),
        Some(Err(_)) | None => Err(Ended::Failed("the connection to the relay broke".to_owned())),
    }
}

pub(super) async fn say(sink: &mut Sink, frame: &ToRelay) -> Result<(), Ended> {
    write(sink, Message::text(frame.to_text())).await
}

pub(super) async fn write(sink: &mut Sink, message: Message) -> Result<(), Ended> {
    match clock::timeout(WRITE_WITHIN, sink.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Ended::Failed("the connection to the relay broke".to_owned())),
        Err(_) => Err(Ended::Failed("the relay does not read".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_of_http_is_read_and_nonsense_is_no_time() {
        assert_eq!(at("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!([at("yesterday"), at(""), at("Sun, 06 Nov 99999 08:49:37 GMT")], [None; 3]);
    }
}
