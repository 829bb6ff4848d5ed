//! A real relay on loopback, and one end of a link.
//!
//! Lives here: their beginning and end, envelopes, what a link tells.
//! Must not: judge what it sees.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails its test")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ahoy_proto::envelope::{Body, Envelope, EnvelopeId, Inbox, Token, TokenHash, Ttl};
use ahoy_relay::config::Limits;
use ahoy_relay::serve::{Server, Settings, Timing};
use ahoy_relay::turn::Ice;
use ahoyd::signal::link::{FromLink, Link, LinkHandle, LinkId, LinkRole};
use ahoyd::signal::tls::{RelayUrl, Trust};
use ahoyd::system::clock;
use ed25519_dalek::SigningKey;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Nothing here may hang for ever.
pub(crate) const AT_MOST: Duration = Duration::from_secs(20);

/// A relay that was away for a short time is found again within that.
pub(crate) const FOUND_AGAIN: Duration = Duration::from_secs(5);

pub(crate) const OPEN: Token = Token::from_bytes([5; 16]);

pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) task: JoinHandle<()>,
}

impl Relay {
    pub(crate) fn start() -> Self {
        Self::on(0, None)
    }

    #[expect(clippy::disallowed_methods, reason = "the relay of one test, ended by `stop`")]
    pub(crate) fn on(port: u16, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        let ice = Ice { stun: vec!["stun:s".into()], ..Ice::default() };
        // A busy machine needs longer than that for TLS.
        let claim_within = if tls.is_some() { AT_MOST } else { Duration::from_millis(200) };
        let timing = Timing { claim_within, ..Timing::default() };
        let server =
            Server::bind(Settings { listen, tls, ice, rooms: None, limits: Limits::default(), timing })
                .unwrap();
        let address: SocketAddr = server.url().split_once("://").unwrap().1.parse().unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.run(async {
            let _dropped = stopped.await;
        }));
        Self { address, stop, task }
    }

    pub(crate) fn url(&self) -> RelayUrl {
        RelayUrl::parse(&format!("ws://{}", self.address)).unwrap()
    }

    pub(crate) async fn stop(self) -> u16 {
        drop(self.stop);
        clock::timeout(AT_MOST, self.task).await.unwrap().unwrap();
        self.address.port()
    }
}

/// A link and what it reports.
pub(crate) struct Line {
    pub(crate) link: LinkHandle,
    pub(crate) reports: mpsc::Receiver<(LinkId, FromLink)>,
}

impl Line {
    pub(crate) fn new(url: RelayUrl, role: LinkRole, trust: Trust) -> Self {
        let (sender, reports) = mpsc::channel(64);
        Self { link: Link::spawn(LinkId(1), url, role, trust, sender), reports }
    }

    pub(crate) fn claimed(relay: &Relay, key: &SigningKey, tokens: Vec<TokenHash>) -> Self {
        Self::new(relay.url(), LinkRole::Claimed { key: key.clone(), tokens }, Trust::default())
    }

    pub(crate) fn sender(relay: &Relay) -> Self {
        Self::new(relay.url(), LinkRole::Sender, Trust::default())
    }

    pub(crate) async fn next(&mut self) -> FromLink {
        clock::timeout(AT_MOST, self.reports.recv()).await.expect("a report comes").expect("the link lives").1
    }

    pub(crate) async fn up(&mut self) {
        let report = self.next().await;
        assert!(matches!(report, FromLink::Up { .. }), "{report:?}");
    }

    pub(crate) async fn down(&mut self) -> String {
        let report = self.next().await;
        let FromLink::Down { why } = &report else { panic!("not down: {report:?}") };
        why.clone()
    }

    pub(crate) async fn delivered(&mut self) -> u8 {
        let report = self.next().await;
        let FromLink::Deliver(deliver) = &report else { panic!("not delivered: {report:?}") };
        deliver.id.bytes()[0]
    }

    pub(crate) async fn accepted(&mut self) -> u8 {
        let report = self.next().await;
        let FromLink::Accepted { id } = &report else { panic!("not accepted: {report:?}") };
        id.bytes()[0]
    }

    /// Everything that was said before is done at the relay when this returns.
    pub(crate) async fn settled(&mut self) {
        self.link.send(envelope(&key(200), 255, OPEN)).unwrap();
        assert_eq!(self.accepted().await, 255);
    }
}

pub(crate) fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

pub(crate) fn id(n: u8) -> EnvelopeId {
    EnvelopeId::from_bytes([n; 16])
}

pub(crate) fn envelope(to: &SigningKey, n: u8, token: Token) -> Envelope {
    Envelope {
        inbox: Inbox::of(&to.verifying_key().to_bytes()),
        token,
        id: id(n),
        ttl: Ttl::new(Duration::from_secs(60)),
        body: Body::try_from(vec![n; 100]).unwrap(),
    }
}
