//! One client's socket, from its handshake to its close frame.
//!
//! Lives here: TLS, the WebSocket's handshake, reading and writing, pings, the close.
//! Must not: know what a frame means; that is the switchboard's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ahoy_proto::frame::{CloseCode, SUBPROTOCOL, ToRelay};
use ahoy_proto::limits;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use crate::clock;
use crate::switchboard::ClientId;

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

/// What a connection tells the switchboard's owner.
pub(crate) enum Input {
    /// The handshake is done.
    Opened(ClientId),
    /// A frame.
    Frame(ClientId, ToRelay),
    /// Something that is none.
    Nonsense(ClientId),
    /// The connection is gone.
    Gone(ClientId),
}

/// One connection's ends of its queues.
pub(crate) struct Connection {
    pub(crate) client: ClientId,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) timing: Timing,
    pub(crate) board: mpsc::Sender<Input>,
    pub(crate) queue: mpsc::Receiver<String>,
    /// Bytes in `queue`.
    pub(crate) queued: Arc<AtomicUsize>,
    pub(crate) close: oneshot::Receiver<CloseCode>,
}

impl Connection {
    /// Serves one client until it or the relay ends.
    pub(crate) async fn run(mut self, tcp: TcpStream) {
        if let Err(error) = tcp.set_nodelay(true) {
            tracing::debug!(%error, "no delay is not off");
        }
        match self.tls.take() {
            None => self.open(tcp).await,
            Some(tls) => match clock::timeout(self.timing.claim_within, tls.accept(tcp)).await {
                Some(Ok(stream)) => self.open(stream).await,
                Some(Err(error)) => tracing::debug!(%error, "no TLS with a client"),
                None => tracing::debug!("a client took too long for TLS"),
            },
        }
    }

    async fn open<S: AsyncRead + AsyncWrite + Unpin>(mut self, stream: S) {
        let config = WebSocketConfig::default()
            .read_buffer_size(4 * 1024)
            .write_buffer_size(4 * 1024)
            .max_message_size(Some(limits::MESSAGE_BYTES))
            .max_frame_size(Some(limits::MESSAGE_BYTES));
        let handshake = tokio_tungstenite::accept_hdr_async_with_config(stream, subprotocol, Some(config));
        let socket = match clock::timeout(self.timing.claim_within, handshake).await {
            Some(Ok(socket)) => socket,
            Some(Err(error)) => return tracing::debug!(%error, "no WebSocket with a client"),
            None => return tracing::debug!("a client took too long for its handshake"),
        };
        if self.board.send(Input::Opened(self.client)).await.is_err() {
            return;
        }
        let (mut sink, mut source) = socket.split();
        let code = tokio::select! {
            biased;
            code = &mut self.close => code.ok(),
            code = read(self.client, self.timing, &self.board, &mut source) => code,
            () = write(self.timing, &mut self.queue, &self.queued, &mut sink) => None,
        };
        // The owner is only gone when everything ends.
        let _over = self.board.send(Input::Gone(self.client)).await;
        if let (Some(code), Ok(socket)) = (code, source.reunite(sink)) {
            goodbye(socket, code, self.timing).await;
        }
    }
}

#[expect(clippy::result_large_err, reason = "the library's own form of a refusal")]
fn subprotocol(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let offered = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|v| v.to_str().ok());
    if offered.flat_map(|list| list.split(',')).any(|one| one.trim() == SUBPROTOCOL) {
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
        return Ok(response);
    }
    let mut refusal = ErrorResponse::new(Some(format!("this is a relay: speak {SUBPROTOCOL}\n")));
    *refusal.status_mut() = StatusCode::BAD_REQUEST;
    Err(refusal)
}

/// Reads until the end. `Some` if the client is to be told why.
async fn read<S: AsyncRead + AsyncWrite + Unpin>(
    client: ClientId,
    timing: Timing,
    board: &mpsc::Sender<Input>,
    source: &mut SplitStream<WebSocketStream<S>>,
) -> Option<CloseCode> {
    loop {
        let input = match clock::timeout(timing.dead_after, source.next()).await? {
            Some(Ok(Message::Text(text))) => match ToRelay::parse(&text) {
                Ok(frame) => Input::Frame(client, frame),
                Err(error) => {
                    tracing::debug!(%error, "a frame is dropped");
                    Input::Nonsense(client)
                }
            },
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Binary(_) | Message::Frame(_))) => Input::Nonsense(client),
            Some(Ok(Message::Close(_))) | None => return None,
            Some(Err(Error::Capacity(_))) => return Some(CloseCode::TooBig),
            Some(Err(error)) => {
                tracing::debug!(%error, "a connection broke");
                return None;
            }
        };
        board.send(input).await.ok()?;
    }
}

/// Writes until the connection breaks.
async fn write<S: AsyncRead + AsyncWrite + Unpin>(
    timing: Timing,
    queue: &mut mpsc::Receiver<String>,
    queued: &AtomicUsize,
    sink: &mut SplitSink<WebSocketStream<S>, Message>,
) {
    let mut ping_at = clock::now() + timing.ping_every;
    loop {
        let mut next = tokio::select! {
            text = queue.recv() => match text {
                Some(text) => Some(text),
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
        while let Some(text) = next {
            let bytes = text.len();
            let fed = sink.feed(Message::text(text)).await;
            queued.fetch_sub(bytes, Ordering::Relaxed);
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
