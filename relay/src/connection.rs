//! One client's socket, from its handshake to its close frame.
//!
//! Lives here: TLS, the WebSocket's handshake, reading and writing, pings, the close.
//! Must not: know what a frame means; that is the switchboard's.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ahoy_proto::frame::{CloseCode, SUBPROTOCOL};
use ahoy_proto::limits;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::header::{DATE, ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};

use crate::budgets;
use crate::client_id::ClientId;
use crate::clock;
use crate::load::{Held, Load, Queue};
use crate::metered::Metered;
use crate::pace::Pace;
use crate::rooms::RoomReport;

/// How long things may take on one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// TLS and the WebSocket's handshake; then again, until the claim or the first envelope.
    pub claim_within: Duration,
    /// How often a client is asked whether it still lives.
    pub ping_every: Duration,
    /// How long a client may be silent.
    pub dead_after: Duration,
    /// How long a close frame may take to leave, and then to be read.
    pub goodbye: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            claim_within: limits::CLAIM_WITHIN,
            ping_every: limits::PING_EVERY,
            dead_after: limits::DEAD_AFTER,
            goodbye: Duration::from_secs(1),
        }
    }
}

/// What the switchboard's owner is told, of each connection and of the rooms.
pub(crate) enum Input {
    /// The server of the rooms says something.
    Room(RoomReport),
    /// It says its first word, and waits until its handshake may begin.
    Knocks(ClientId, oneshot::Sender<()>),
    /// The handshake is done.
    Opened(ClientId),
    /// It said something; the next is read when this was dealt with.
    Said(ClientId, Said),
    /// It says no more. Its task may still write a close frame.
    Gone(ClientId),
}

/// One message of a client.
pub(crate) struct Said {
    /// A text, perhaps a frame; `None`: a ping, a pong, or what has no place here.
    pub(crate) text: Option<(Utf8Bytes, Held)>,
    /// Lets the next one in when it is dropped.
    _turn: OwnedSemaphorePermit,
}

/// Messages of one client that wait to be dealt with; the next is not read before.
const AHEAD: usize = 2;

/// A text for the client.
pub(crate) struct ClientText {
    pub(crate) text: String,
    pub(crate) held: Held,
}

/// One connection's ends of its queues.
pub(crate) struct Connection {
    pub(crate) client: ClientId,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) timing: Timing,
    pub(crate) pace: Pace,
    pub(crate) load: Arc<Load>,
    pub(crate) board: mpsc::Sender<Input>,
    pub(crate) queue: mpsc::Receiver<ClientText>,
    pub(crate) close: oneshot::Receiver<CloseCode>,
}

impl Connection {
    /// Serves one client until it or the relay ends. Whoever runs this learns of every end from the end of the task.
    pub(crate) async fn run(mut self, tcp: TcpStream) {
        if let Err(error) = tcp.set_nodelay(true) {
            tracing::debug!(%error, "no delay is not off");
        }
        let mut tcp = Metered::new(tcp, self.pace.clone(), Arc::clone(&self.load));
        if self.within(tcp.first_bytes()).await != Some(true) {
            return tracing::debug!("a client said nothing");
        }
        let (grant, granted) = oneshot::channel();
        if self.board.send(Input::Knocks(self.client, grant)).await.is_err() {
            return;
        }
        let Some(Ok(())) = self.within(granted).await else {
            return tracing::debug!("a handshake was not begun");
        };
        match self.tls.take() {
            None => self.open(tcp).await,
            // In boxes: a task is as large as the largest thing that it ever holds, and keeps that for its life.
            Some(tls) => match self.within(Box::pin(tls.accept(tcp))).await {
                Some(Ok(stream)) => self.open(Box::new(stream)).await,
                Some(Err(error)) => tracing::debug!(%error, "no TLS with a client"),
                None => tracing::debug!("a client took too long for TLS"),
            },
        }
    }

    /// A step of the handshake; `None` if it takes too long, or the relay has no place for it any more.
    async fn within<F: Future>(&mut self, step: F) -> Option<F::Output> {
        tokio::select! {
            biased;
            _code = &mut self.close => None,
            done = clock::timeout(self.timing.claim_within, step) => done,
        }
    }

    async fn open<S: AsyncRead + AsyncWrite + Unpin>(mut self, stream: S) {
        let config = WebSocketConfig::default()
            .read_buffer_size(4 * 1024)
            .write_buffer_size(4 * 1024)
            .max_message_size(Some(limits::MESSAGE_BYTES))
            .max_frame_size(Some(limits::MESSAGE_BYTES));
        let handshake = tokio_tungstenite::accept_hdr_async_with_config(stream, judge, Some(config));
        let socket = match self.within(Box::pin(handshake)).await {
            Some(Ok(socket)) => socket,
            Some(Err(error)) => return tracing::debug!(%error, "no WebSocket with a client"),
            None => return tracing::debug!("a client took too long for its handshake"),
        };
        let Self { client, timing, pace, load, board, mut queue, mut close, tls: _ } = self;
        if board.send(Input::Opened(client)).await.is_err() {
            return;
        }
        let ear = Ear { client, timing, pace, load, board };
        let (mut sink, mut source) = socket.split();
        let code = tokio::select! {
            biased;
            code = &mut close => code.ok(),
            code = ear.read(&mut source) => code,
            () = write(timing, &mut queue, &mut sink) => None,
        };
        // The owner is only gone when everything ends.
        let _over = ear.board.send(Input::Gone(client)).await;
        // What was queued for it is let go before the close is waited for.
        drop(queue);
        if let (Some(code), Ok(socket)) = (code, source.reunite(sink)) {
            goodbye(socket, code, timing).await;
        }
    }
}

/// Daemons are no web pages: what comes with an `Origin` is a browser that some page has sent here, perhaps to a relay
/// that only its visitor reaches.
#[expect(clippy::result_large_err, reason = "the library's own form of a refusal")]
fn judge(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    if request.headers().contains_key(ORIGIN) {
        let mut refusal = ErrorResponse::new(Some("this is a relay, not for web pages\n".to_owned()));
        *refusal.status_mut() = StatusCode::FORBIDDEN;
        return Err(refusal);
    }
    let offered = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|v| v.to_str().ok());
    if offered.flat_map(|list| list.split(',')).any(|one| one.trim() == SUBPROTOCOL) {
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
        // A client whose clock is wrong can say so to its person.
        if let Some(date) = date(clock::unix_s()) {
            response.headers_mut().insert(DATE, date);
        }
        return Ok(response);
    }
    let mut refusal = ErrorResponse::new(Some(format!("this is a relay: speak {SUBPROTOCOL}\n")));
    *refusal.status_mut() = StatusCode::BAD_REQUEST;
    Err(refusal)
}

/// A time in seconds since the Unix epoch, as HTTP writes it (RFC 9110 §5.6.7).
fn date(unix_s: u64) -> Option<HeaderValue> {
    let at = jiff::Timestamp::from_second(i64::try_from(unix_s).ok()?).ok()?;
    let written = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at);
    HeaderValue::try_from(written.ok()?).ok()
}

/// What hears a client.
struct Ear {
    client: ClientId,
    timing: Timing,
    pace: Pace,
    load: Arc<Load>,
    board: mpsc::Sender<Input>,
}

impl Ear {
    /// Reads until the end. `Some` if the client is to be told why.
    async fn read<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        source: &mut SplitStream<WebSocketStream<S>>,
    ) -> Option<CloseCode> {
        let Self { client, timing, pace, load, board } = self;
        let turns = Arc::new(Semaphore::new(AHEAD));
        loop {
            let turn = Arc::clone(&turns).acquire_owned().await.ok()?;
            let message = clock::timeout(timing.dead_after, source.next()).await?;
            load.complete();
            pace.took(clock::now(), budgets::FRAME);
            let text = match message {
                Some(Ok(Message::Text(text))) => {
                    let held = load.hold(Queue::In, text.len());
                    Some((text, held))
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => {
                    None
                }
                Some(Ok(Message::Close(_))) | None => return None,
                Some(Err(Error::Capacity(_))) => return Some(CloseCode::TooBig),
                Some(Err(error)) => {
                    tracing::debug!(%error, "a connection broke");
                    return None;
                }
            };
            board.send(Input::Said(*client, Said { text, _turn: turn })).await.ok()?;
        }
    }
}

/// Writes until the connection breaks.
async fn write<S: AsyncRead + AsyncWrite + Unpin>(
    timing: Timing,
    queue: &mut mpsc::Receiver<ClientText>,
    sink: &mut SplitSink<WebSocketStream<S>, Message>,
) {
    let mut ping_at = clock::now() + timing.ping_every;
    loop {
        let mut next = tokio::select! {
            line = queue.recv() => match line {
                Some(line) => Some(line),
                None => return,
            },
            () = clock::sleep_until(ping_at) => {
                ping_at = clock::now() + timing.ping_every;
                if sink.feed(Message::Ping(Bytes::new())).await.is_err() {
                    return;
                }
                None
            }
        };
        // All that is queued leaves in one write.
        while let Some(ClientText { text, held }) = next {
            let fed = sink.feed(Message::text(text)).await;
            drop(held);
            if fed.is_err() {
                return;
            }
            next = queue.try_recv().ok();
        }
        if sink.flush().await.is_err() {
            return;
        }
    }
}

/// Sends the close frame, then reads what is still under way: a socket that is closed with unread bytes is reset, and
/// the close frame would be lost with it.
async fn goodbye<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: WebSocketStream<S>,
    code: CloseCode,
    timing: Timing,
) {
    let frame = CloseFrame { code: code.number().into(), reason: "".into() };
    let closing = async {
        if socket.close(Some(frame)).await.is_ok() {
            let mut buffer = [0; 4 * 1024];
            let mut most: usize = 1024 * 1024;
            while most > 0 {
                match socket.get_mut().read(&mut buffer).await {
                    Ok(0) | Err(_) => return,
                    Ok(read) => most = most.saturating_sub(read),
                }
            }
        }
    };
    if clock::timeout(timing.goodbye, closing).await.is_none() {
        tracing::debug!(code = code.number(), "a client did not wait for its close");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_told_as_http_writes_it() {
        assert_eq!(date(784_111_777).unwrap(), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date(u64::MAX), None);
    }
}
