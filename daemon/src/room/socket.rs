//! The socket to a room's server.
//!
//! Lives here: from an address to a WebSocket, by TLS but on this machine, with bounds; reading and writing it.
//! Must not: know what is said, or let the token into the address, where servers log it.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use ahoy_proto::relay_url::RelayUrl;
use futures_util::SinkExt as _;
use futures_util::stream::{SplitSink, SplitStream, StreamExt as _};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::AUTHORIZATION;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::said::{MESSAGE_MAX, RoomToken};
use super::session::Closed;
use crate::system::race::{interleaved, race};
use crate::system::trust::Trust;
use crate::system::{clock, names};

/// How long one message may take to leave.
const WRITE_WITHIN: Duration = Duration::from_secs(5);

/// Bytes, sealed or on this machine.
pub(super) trait Bytes: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Bytes for T {}

type Socket = WebSocketStream<Pin<Box<dyn Bytes>>>;
pub(super) type Sink = SplitSink<Socket, Message>;
pub(super) type Source = SplitStream<Socket>;

/// One that is open.
pub(super) struct Opened {
    pub(super) sink: Sink,
    pub(super) source: Source,
    /// The address of ours that it left from.
    pub(super) from: IpAddr,
}

/// Opens one. The stay gives it up when that takes too long.
pub(super) async fn open(
    url: String,
    path: String,
    token: RoomToken,
    trust: Trust,
) -> Result<Opened, Closed> {
    let broken = |why: &dyn std::fmt::Display| {
        tracing::debug!(%why, "a room's server is not reached");
        Closed::Broken
    };
    let url = RelayUrl::parse(url.trim_end_matches('/')).map_err(|error| broken(&error))?;
    let (stream, from) = connect(&url, &trust).await.map_err(|error| broken(&error))?;
    let mut request = format!("{}{path}", url.as_str()).into_client_request().map_err(|_| Closed::Broken)?;
    let mut bearer =
        HeaderValue::from_str(&format!("Bearer {}", token.as_str())).map_err(|_| Closed::Broken)?;
    bearer.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, bearer);
    let config = WebSocketConfig::default()
        .read_buffer_size(16 * 1024)
        .write_buffer_size(0)
        .max_message_size(Some(MESSAGE_MAX))
        .max_frame_size(Some(MESSAGE_MAX));
    match tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await {
        Ok((socket, _)) => {
            let (sink, source) = socket.split();
            Ok(Opened { sink, source, from })
        }
        // Not what it says with it: that echoes the token.
        Err(Error::Http(response)) => Err(Closed::Status(response.status().as_u16())),
        Err(_) => Err(Closed::Broken),
    }
}

async fn connect(url: &RelayUrl, trust: &Trust) -> io::Result<(Pin<Box<dyn Bytes>>, IpAddr)> {
    let found = names::look_up(url.host(), url.port()).await?;
    // A name of this machine that leads elsewhere must not carry plain text there.
    let allowed = found.into_iter().filter(|it| url.is_sealed() || it.ip().is_loopback()).collect();
    let (_, tcp) = race(interleaved(allowed, None), TcpStream::connect).await?;
    tcp.set_nodelay(true)?;
    let from = tcp.local_addr()?.ip();
    if !url.is_sealed() {
        return Ok((Box::pin(tcp), from));
    }
    let config = trust.config().await.map_err(io::Error::other)?;
    let name = ServerName::try_from(url.host().to_owned()).map_err(io::Error::other)?;
    let tls = TlsConnector::from(config).connect(name, tcp).await.inspect_err(|error| trust.failed(error))?;
    Ok((Box::pin(tls), from))
}

/// The next message of the server; none when the socket is gone.
pub(super) async fn read(source: &mut Source) -> Option<Vec<u8>> {
    loop {
        match source.next().await? {
            Ok(Message::Binary(bytes)) => return Some(bytes.to_vec()),
            Ok(Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
            Ok(Message::Close(_)) | Err(_) => return None,
        }
    }
}

/// Says something; false when the socket is gone, or the server does not read.
pub(super) async fn write(sink: &mut Sink, bytes: Vec<u8>) -> bool {
    matches!(clock::timeout(WRITE_WITHIN, sink.send(Message::binary(bytes))).await, Ok(Ok(())))
}

/// Closes it, without waiting for the server.
pub(super) async fn close(mut sink: Sink) {
    // Whoever is gone hears no goodbye.
    let _gone = clock::timeout(Duration::from_millis(500), sink.close()).await;
}
