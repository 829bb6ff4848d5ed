//! Where a relay is, and how its certificate is judged.
//!
//! Lives here: what is below the WebSocket: TLS by rustls, plain only on this machine. Whom we believe: `system/trust.rs`.
//! Must not: know the relay's protocol, or dial.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub use ahoy_proto::relay_url::RelayUrl;

pub use crate::system::trust::{Trust, TrustError};

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No such host, nothing listens, no network.
    #[error("the relay cannot be reached: {0}")]
    Unreachable(#[source] io::Error),
    /// The certificate is not believed.
    #[error("the relay's certificate is refused: {0}")]
    Certificate(#[source] io::Error),
    /// TLS failed before a certificate could be judged, or after it.
    #[error("no TLS with the relay: {0}")]
    Tls(#[source] io::Error),
    /// No certificate can be judged.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

/// Begins TLS on a connection, unless the relay is on this machine.
pub(super) async fn seal(url: &RelayUrl, trust: &Trust, tcp: TcpStream) -> Result<Stream, ConnectError> {
    if let Err(error) = tcp.set_nodelay(true) {
        tracing::debug!(%error, "no delay is not off");
    }
    if !url.is_sealed() {
        return Ok(Stream::Plain(tcp));
    }
    let config = trust.config().await?;
    let bad_name = |e| ConnectError::Tls(io::Error::new(io::ErrorKind::InvalidInput, e));
    let name = ServerName::try_from(url.host().to_owned()).map_err(bad_name)?;
    let tls = TlsConnector::from(config).connect(name, tcp).await.map_err(|error| {
        trust.failed(&error);
        match refuses_certificate(&error) {
            true => ConnectError::Certificate(error),
            false => ConnectError::Tls(error),
        }
    })?;
    Ok(Stream::Sealed(Box::new(tls)))
}

fn refuses_certificate(error: &io::Error) -> bool {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(tls, Some(rustls::Error::InvalidCertificate(_)))
}

/// Bytes to and from a relay.
#[derive(Debug)]
pub enum Stream {
    /// On this machine.
    Plain(TcpStream),
    /// Everywhere else.
    Sealed(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_read(cx, buf),
            Self::Sealed(s) => Pin::new(s).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_write(cx, buf),
            Self::Sealed(s) => Pin::new(s).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_flush(cx),
            Self::Sealed(s) => Pin::new(s).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_shutdown(cx),
            Self::Sealed(s) => Pin::new(s).poll_shutdown(cx),
        }
    }
}
