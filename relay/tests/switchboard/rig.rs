//! A switchboard with a clock of its own, and the people who use it.
//!
//! Lives here: connections, inboxes, envelopes, and what of an answer is asked for.
//! Must not: judge what it sees.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails its test")]

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ahoy_proto::envelope::{Body, Envelope, EnvelopeId, Inbox, Token, TokenHash, Ttl};
use ahoy_proto::frame::{Claim, CloseCode, Deliver, Nonce, ToClient, ToRelay};
use ahoy_relay::crowd::Room;
use ahoy_relay::single::Single;
use ahoy_relay::store::Bounds;
use ahoy_relay::switchboard::{ClientId, Delivery, What};
use ahoy_relay::time::Moment;
use ahoy_relay::turn::Ice;
use ed25519_dalek::SigningKey;

pub(crate) struct Relay {
    pub(crate) board: Single,
    pub(crate) now: Moment,
    pub(crate) clients: u64,
}

impl Relay {
    pub(crate) fn new() -> Self {
        Self::with(Bounds::default(), Room::default())
    }

    /// The same, with Ana at her inbox.
    pub(crate) fn with_ana() -> (Self, Owner, ClientId) {
        let (mut relay, ana) = (Self::new(), Owner::new(1));
        let (at, _) = relay.claim(&ana);
        (relay, ana, at)
    }

    /// Somebody leaves; a sender who comes then.
    pub(crate) fn left_by(&mut self, at: ClientId) -> ClientId {
        self.board.disconnect(self.now, at);
        self.sender()
    }

    pub(crate) fn with(bounds: Bounds, room: Room) -> Self {
        let ice =
            Ice { stun: vec!["stun:s".into()], turn: vec!["turn:t".into()], turn_secret: Some("x".into()) };
        let mut board = Single::with_bounds([7; 32], ice, bounds);
        board.set_room(room);
        board.calendar(Moment::default(), 1_700_000_000);
        Self { board, now: Moment::default(), clients: 0 }
    }

    pub(crate) fn after(&mut self, time: Duration) -> Vec<Delivery> {
        let until = self.now + time;
        let mut out = Vec::new();
        while let Some(due) = self.board.deadline()
            && due <= until
        {
            self.now = self.now.max(due);
            out.extend(self.board.tick(self.now));
            assert!(
                self.board.deadline() > Some(self.now) || self.board.deadline().is_none(),
                "a tick does all"
            );
        }
        self.now = until;
        out
    }

    pub(crate) fn connect(&mut self) -> ClientId {
        self.connect_from(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    fn connect_from(&mut self, address: IpAddr) -> ClientId {
        let (client, gave_way) = self.arrive(address);
        assert_eq!(gave_way, []);
        client
    }

    /// Connects, and who was closed for it.
    pub(crate) fn arrive(&mut self, address: IpAddr) -> (ClientId, Vec<ClientId>) {
        self.clients += 1;
        let client = ClientId(self.clients);
        let gave_way = closed(&self.board.connect(self.now, client, address));
        (client, gave_way.into_iter().map(|(who, _)| who).collect())
    }

    pub(crate) fn hello(&mut self, client: ClientId) -> Nonce {
        match &self.board.handle(self.now, client, ToRelay::Hello { version: 1 })[..] {
            [Delivery { to, what: What::Say(ToClient::Challenge { nonce }) }] if *to == client => *nonce,
            other => panic!("no challenge: {other:?}"),
        }
    }

    /// Answers first, then what follows from it.
    pub(crate) fn say(&mut self, client: ClientId, frame: ToRelay) -> Vec<Delivery> {
        let mut out = self.board.handle(self.now, client, frame);
        out.extend(self.after(Duration::ZERO));
        out
    }

    pub(crate) fn claim(&mut self, owner: &Owner) -> (ClientId, Vec<Delivery>) {
        self.claim_from(IpAddr::V4(Ipv4Addr::LOCALHOST), owner)
    }

    pub(crate) fn claim_from(&mut self, address: IpAddr, owner: &Owner) -> (ClientId, Vec<Delivery>) {
        let client = self.connect_from(address);
        let nonce = self.hello(client);
        let out = self.say(client, ToRelay::Claim(Claim::sign(&owner.key, &nonce, owner.tokens(), false)));
        (client, out)
    }

    pub(crate) fn sender(&mut self) -> ClientId {
        self.sender_from(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    pub(crate) fn sender_from(&mut self, address: IpAddr) -> ClientId {
        let client = self.connect_from(address);
        self.hello(client);
        client
    }
}

pub(crate) struct Owner {
    pub(crate) key: SigningKey,
    pub(crate) listed: Vec<Token>,
}

impl Owner {
    /// One of many.
    pub(crate) fn numbered(n: u32) -> Self {
        let key = std::array::from_fn(|i| if i < 4 { n.to_be_bytes()[i] } else { 0xee });
        Self { key: SigningKey::from_bytes(&key), listed: vec![Token::from_bytes([7; 16])] }
    }

    pub(crate) fn new(n: u8) -> Self {
        Self { key: SigningKey::from_bytes(&[n; 32]), listed: vec![Token::from_bytes([n; 16])] }
    }

    pub(crate) fn inbox(&self) -> Inbox {
        Inbox::of(&self.key.verifying_key().to_bytes())
    }

    pub(crate) fn tokens(&self) -> Vec<TokenHash> {
        self.listed.iter().map(Token::hash).collect()
    }
}

pub(crate) fn id(n: u32) -> EnvelopeId {
    EnvelopeId::from_bytes(std::array::from_fn(|i| if i < 4 { n.to_be_bytes()[i] } else { 0 }))
}

pub(crate) fn to(owner: &Owner, n: u32) -> Envelope {
    Envelope {
        inbox: owner.inbox(),
        token: owner.listed[0],
        id: id(n),
        ttl: Ttl::new(Duration::from_secs(60)),
        body: Body::try_from(n.to_be_bytes().to_vec()).unwrap(),
    }
}

pub(crate) fn wrong_token(envelope: Envelope) -> Envelope {
    Envelope { token: Token::from_bytes([99; 16]), ..envelope }
}

/// The ids delivered to one client.
pub(crate) fn delivered(out: &[Delivery], client: ClientId) -> Vec<EnvelopeId> {
    out.iter()
        .filter(|d| d.to == client)
        .filter_map(|d| match &d.what {
            What::Say(ToClient::Deliver(Deliver { id, .. })) => Some(*id),
            What::Say(_) | What::Close(_) => None,
        })
        .collect()
}

pub(crate) fn closed(out: &[Delivery]) -> Vec<(ClientId, CloseCode)> {
    out.iter()
        .filter_map(|d| match d.what {
            What::Close(code) => Some((d.to, code)),
            What::Say(_) => None,
        })
        .collect()
}

/// What a client reads, as bytes.
pub(crate) fn bytes(out: &[Delivery], client: ClientId) -> Vec<String> {
    out.iter()
        .filter(|d| d.to == client)
        .map(|d| match &d.what {
            What::Say(frame) => frame.to_text(),
            What::Close(code) => format!("close {}", code.number()),
        })
        .collect()
}
