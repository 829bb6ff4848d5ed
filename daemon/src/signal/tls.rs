//! Where a relay is, and how its certificate is judged.
//!
//! Lives here: `RelayUrl`, `Trust`, and what is below the WebSocket: TLS by rustls, plain only on this machine.
//! Must not: know the relay's protocol, or dial.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::http::Uri;

/// A relay's address: `wss://host[:port][/path]`, or `ws://` with a host on this machine.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RelayUrl {
    text: String,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) sealed: bool,
}

/// Why a text is not a relay's address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not an address at all.
    #[error("a relay's address is `wss://HOST[:PORT]`")]
    Malformed,
    /// Some other scheme.
    #[error("a relay's address begins with `wss://`, or with `ws://` on this machine")]
    Scheme,
    /// `ws://` to another machine.
    #[error("`ws://` is for a relay on this machine only; use `wss://`")]
    PlainAbroad,
}

impl RelayUrl {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let uri: Uri = text.parse().map_err(|_| UrlError::Malformed)?;
        let sealed = match uri.scheme_str() {
            Some("wss") => true,
            Some("ws") => false,
            Some(_) | None => return Err(UrlError::Scheme),
        };
        let authority = uri.authority().ok_or(UrlError::Malformed)?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(UrlError::Malformed);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if !sealed && !here(&host) {
            return Err(UrlError::PlainAbroad);
        }
        // The library's own reading of a port forgets one that is out of range.
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => {
                if sealed {
                    443
                } else {
                    80
                }
            }
            Some(rest) => rest.trim_start_matches(':').parse().map_err(|_| UrlError::Malformed)?,
            None => return Err(UrlError::Malformed),
        };
        Ok(Self { text: text.to_owned(), host, port, sealed })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// An address is not shown in logs.
impl fmt::Debug for RelayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<relay>")
    }
}

/// Whether a host's name is this machine.
fn here(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Which certificates we believe: the system's authorities, and one more file. Read when the first `wss://` link
/// connects, and again after a failure.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    ca_file: Option<PathBuf>,
    config: Arc<OnceCell<Arc<ClientConfig>>>,
}

/// Why no certificate can be judged.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The configured file cannot be read, or holds no certificate.
    #[error("`ca-file` cannot be used: {0}")]
    CaFile(String),
    /// Neither the system nor the configuration names an authority.
    #[error("no certificate authority is known on this system")]
    NoRoots,
    /// The library refuses.
    #[error("TLS cannot be set up")]
    Library(#[source] rustls::Error),
}

impl Trust {
    /// Nothing is read yet.
    pub fn new(ca_file: Option<PathBuf>) -> Self {
        Self { ca_file, config: Arc::default() }
    }

    async fn config(&self) -> Result<Arc<ClientConfig>, TrustError> {
        let ca_file = self.ca_file.clone();
        let read = || async move { load(ca_file.as_deref()).map(Arc::new) };
        self.config.get_or_try_init(read).await.cloned()
    }
}

fn load(ca_file: Option<&Path>) -> Result<ClientConfig, TrustError> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        tracing::debug!(%error, "a system certificate cannot be read");
    }
    roots.add_parsable_certificates(system.certs);
    if let Some(path) = ca_file {
        let bad = |why: &dyn fmt::Display| TrustError::CaFile(why.to_string());
        let certificates: Vec<_> =
            CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(|e| bad(&e))?;
        if certificates.is_empty() {
            return Err(bad(&"it holds no certificate"));
        }
        for certificate in certificates {
            roots.add(certificate).map_err(|e| bad(&e))?;
        }
    }
    if roots.is_empty() {
        return Err(TrustError::NoRoots);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(builder.map_err(TrustError::Library)?.with_root_certificates(roots).with_no_client_auth())
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No such host, nothing listens, no network.
    #[error("the relay cannot be reached: {0}")]
    Unreachable(#[source] io::Error),
    /// The certificate is not believed, or TLS failed.
    #[error("the relay's certificate is refused: {0}")]
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
    if !url.sealed {
        return Ok(Stream::Plain(tcp));
    }
    let config = trust.config().await?;
    let bad_name = |e| ConnectError::Tls(io::Error::new(io::ErrorKind::InvalidInput, e));
    let name = ServerName::try_from(url.host.clone()).map_err(bad_name)?;
    let tls = TlsConnector::from(config).connect(name, tcp).await.map_err(ConnectError::Tls)?;
    Ok(Stream::Sealed(Box::new(tls)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_is_for_this_machine_alone() {
        for here in ["ws://127.0.0.1:1234", "ws://localhost", "ws://[::1]:9/x", "ws://127.8.0.1"] {
            assert!(RelayUrl::parse(here).is_ok(), "{here}");
        }
        for abroad in
            ["ws://192.168.1.2", "ws://relay.example", "ws://localhost.example", "ws://[2001:db8::1]"]
        {
            assert_eq!(RelayUrl::parse(abroad), Err(UrlError::PlainAbroad), "{abroad}");
        }
    }

    #[test]
    fn an_address_is_read_with_its_usual_port() {
        let url = RelayUrl::parse("wss://relay.example/path").unwrap();
        assert_eq!((url.host.as_str(), url.port, url.sealed), ("relay.example", 443, true));
        assert_eq!(RelayUrl::parse("wss://relay.example:8443").unwrap().port, 8443);
        assert_eq!(RelayUrl::parse("ws://[::1]:9").unwrap().host, "::1");
    }

    #[test]
    fn what_is_not_a_relay_is_refused_by_name() {
        assert_eq!(RelayUrl::parse("https://relay.example"), Err(UrlError::Scheme));
        assert_eq!(RelayUrl::parse("relay.example"), Err(UrlError::Scheme));
        assert_eq!(RelayUrl::parse("wss://"), Err(UrlError::Malformed));
        assert_eq!(RelayUrl::parse("ws://127.0.0.1@relay.example"), Err(UrlError::Malformed));
        assert_eq!(RelayUrl::parse("wss://relay.example:99999"), Err(UrlError::Malformed));
        assert_eq!(RelayUrl::parse("wss://relay.example:"), Err(UrlError::Malformed));
    }
}
