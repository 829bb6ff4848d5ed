//! A relay on loopback, its clients, and an authority for its certificates.
//!
//! Lives here: their beginning and end, what they say and hear.
//! Must not: judge what it sees.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails its test")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ahoy_proto::envelope::{Body, Envelope, EnvelopeId, Inbox, Token, Ttl};
use ahoy_proto::frame::{Claim, SUBPROTOCOL, ToClient, ToRelay};
use ahoy_relay::config::Limits;
use ahoy_relay::serve::{self, Server, Settings, Timing};
use ahoy_relay::turn::Ice;
use ed25519_dalek::SigningKey;
use futures_util::{SinkExt as _, StreamExt as _};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};

pub(crate) const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Nothing here may hang for ever.
pub(crate) const AT_MOST: Duration = Duration::from_secs(20);

pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

pub(crate) fn settings() -> Settings {
    let limits = Limits::default();
    Settings {
        listen: LOOPBACK,
        tls: None,
        ice: Ice::default(),
        rooms: None,
        limits,
        timing: Timing::default(),
    }
}

impl Relay {
    #[expect(clippy::disallowed_methods, reason = "the relay of one test, ended by `stop`")]
    pub(crate) fn start(settings: Settings) -> Self {
        let server = Server::bind(settings).unwrap();
        let address = server.url().split_once("://").unwrap().1.parse().unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.run(async {
            let _dropped = stopped.await;
        }));
        Self { address, stop: Some(stop), task }
    }

    pub(crate) async fn connect(&self) -> Client<TcpStream> {
        Client::open(TcpStream::connect(self.address).await.unwrap()).await.unwrap()
    }

    /// Who holds the inbox of this key.
    pub(crate) async fn owner(&self, n: u8) -> Client<TcpStream> {
        let mut client = self.connect().await;
        client.claim(&key(n)).await;
        client
    }

    /// From another address of this machine: 127.0.0.`n`.
    pub(crate) async fn connect_from(&self, n: u8) -> Client<TcpStream> {
        Client::open(self.socket_from(n).await).await.unwrap()
    }

    /// Nothing is said on it yet.
    pub(crate) async fn socket_from(&self, n: u8) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(IpAddr::from([127, 0, 0, n]), 0)).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        tokio::time::timeout(AT_MOST, self.task).await.unwrap().unwrap();
    }
}

pub(crate) struct Client<S>(pub(crate) WebSocketStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) async fn open(stream: S) -> Result<Self, Box<Error>> {
        let mut request = "ws://localhost/".into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
        let opening = tokio_tungstenite::client_async(request, stream);
        let opened = tokio::time::timeout(AT_MOST, opening).await.expect("the relay answers a handshake");
        Ok(Self(opened.map_err(Box::new)?.0))
    }

    pub(crate) async fn say(&mut self, frame: &ToRelay) {
        self.0.send(Message::text(frame.to_text())).await.unwrap();
    }

    /// The next frame, or the close code.
    pub(crate) async fn hear(&mut self) -> Result<ToClient, u16> {
        loop {
            match tokio::time::timeout(AT_MOST, self.0.next()).await.expect("the relay says something") {
                Some(Ok(Message::Text(text))) => return Ok(ToClient::parse(&text).unwrap()),
                Some(Ok(Message::Close(close))) => return Err(close.map_or(1005, |c| c.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(1006),
            }
        }
    }

    pub(crate) async fn claim(&mut self, key: &SigningKey) {
        self.say(&ToRelay::Hello { version: 1 }).await;
        let Ok(ToClient::Challenge { nonce }) = self.hear().await else { panic!("no challenge") };
        self.say(&ToRelay::Claim(Claim::sign(key, &nonce, vec![TOKEN.hash()], false))).await;
        assert!(matches!(self.hear().await, Ok(ToClient::Welcome { .. })));
    }
}

pub(crate) const TOKEN: Token = Token::from_bytes([5; 16]);

pub(crate) fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

pub(crate) fn envelope(to: &SigningKey, id: u8, bytes: usize) -> Envelope {
    Envelope {
        inbox: Inbox::of(&to.verifying_key().to_bytes()),
        token: TOKEN,
        id: EnvelopeId::from_bytes([id; 16]),
        ttl: Ttl::new(Duration::from_secs(60)),
        body: Body::try_from(vec![id; bytes]).unwrap(),
    }
}

pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate for this name, read from files as the program does.
    pub(crate) fn serve(&self, files: &Path, name: &str) -> Arc<rustls::ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        std::fs::write(files.join("cert.pem"), cert.pem()).unwrap();
        std::fs::write(files.join("key.pem"), key.serialize_pem()).unwrap();
        serve::tls(&files.join("cert.pem"), &files.join("key.pem")).unwrap()
    }

    pub(crate) fn trusted(&self) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.0.der().to_vec())).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
    }
}
