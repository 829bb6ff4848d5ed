//! The socket under a link: opened, read and written with bounds.
//!
//! Lives here: frames to messages and back, and why a connection ended.
//! Must not: know what a frame means to the link.

use std::time::Duration;

use ahoy_proto::frame::{CloseCode, SUBPROTOCOL, ToClient, ToRelay};
use ahoy_proto::limits;
use futures_util::SinkExt as _;
use futures_util::stream::{SplitSink, SplitStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::super::tls::{self, RelayUrl, Stream, Trust};
use crate::clock;

/// How long one message may take to leave; then the connection is dead.
const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// Why a connection ended.
pub(super) enum Ended {
    /// Try again.
    Failed(String),
    /// Stay away for a while.
    Displaced,
    /// The owner is gone.
    Over,
}

pub(super) type Sink = SplitSink<WebSocketStream<Stream>, Message>;
pub(super) type Source = SplitStream<WebSocketStream<Stream>>;

pub(super) async fn open(url: &RelayUrl, trust: &Trust) -> Result<WebSocketStream<Stream>, String> {
    let stream = tls::connect(url, trust).await.map_err(|e| e.to_string())?;
    let mut request = url.as_str().into_client_request().map_err(|e| e.to_string())?;
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    let config = WebSocketConfig::default()
        .read_buffer_size(8 * 1024)
        .write_buffer_size(0)
        .max_message_size(Some(limits::MESSAGE_BYTES))
        .max_frame_size(Some(limits::MESSAGE_BYTES));
    let opened = tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await;
    opened.map(|(socket, _response)| socket).map_err(|_| "what answers there is no relay".to_owned())
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
