//! What a relay does with each frame. Pure: no socket, no clock, no chance.
//!
//! Lives here: who is connected, what they are told, and when. `accepted` is returned before anything about the inbox is
//! looked up; the look-up follows in `tick`, which is due at once.
//! Must not: open a body, or tell a sender anything about an inbox.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use ahoy_proto::envelope::{Envelope, EnvelopeId, Inbox};
use ahoy_proto::frame::{Claim, CloseCode, Deliver, Limits, Nonce, ToClient, ToRelay, Why};
use ahoy_proto::limits;
use blake2::{Blake2s256, Digest as _};

use crate::backend::{Backend, Mail, Memory, Put};
use crate::quota::{Quota, Sender, Window};
use crate::time::Moment;
use crate::turn::Ice;

/// One connection. Whoever owns the sockets numbers them, and never uses a number twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// What one client gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Who.
    pub to: ClientId,
    /// What.
    pub what: What,
}

/// What a client gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A frame.
    Say(ToClient),
    /// The end of its connection. Nothing follows, and no `disconnect` is expected for it.
    Close(CloseCode),
}

/// Frames of any kind in a minute, past which a client is closed: no honest one comes near.
const FRAMES_PER_MINUTE: u32 = 5_000;

/// Look-ups that may wait. Past it they are done before the next frame is answered.
const PENDING: usize = 256;

/// All connections of one relay.
#[derive(Debug)]
pub struct Switchboard<B = Memory> {
    backend: B,
    ice: Ice,
    claim_within: Duration,
    seed: [u8; 32],
    drawn: u64,
    /// The calendar, in seconds, when `Moment` was zero: TURN's credentials end by it.
    unix_s_at_zero: u64,
    clients: BTreeMap<ClientId, Client>,
    online: BTreeMap<Inbox, ClientId>,
    /// Who has to claim or send, and until when.
    silent: BTreeSet<(Moment, ClientId)>,
    quota: Quota,
    pending: VecDeque<(Moment, Envelope)>,
}

#[derive(Debug)]
struct Client {
    address: IpAddr,
    frames: Window,
    /// Until when it has to claim or send, if it has not yet.
    silent_until: Option<Moment>,
    nonce: Option<Nonce>,
    inbox: Option<Inbox>,
    /// Delivered on this connection and not acknowledged, with the bytes of each.
    unacked: BTreeMap<EnvelopeId, usize>,
    /// There is mail that waits for acknowledgements.
    behind: bool,
}

impl Switchboard<Memory> {
    /// With everything in memory. `seed` must be random: nonces come from it.
    pub fn new(seed: [u8; 32], ice: Ice) -> Self {
        Self::with_backend(seed, ice, Memory::default())
    }
}

impl<B: Backend> Switchboard<B> {
    /// With lists and mail kept elsewhere.
    pub fn with_backend(seed: [u8; 32], ice: Ice, backend: B) -> Self {
        Self {
            backend,
            ice,
            claim_within: limits::CLAIM_WITHIN,
            seed,
            drawn: 0,
            unix_s_at_zero: 0,
            clients: BTreeMap::new(),
            online: BTreeMap::new(),
            silent: BTreeSet::new(),
            quota: Quota::default(),
            pending: VecDeque::new(),
        }
    }

    /// How long a new connection may take to claim or send, instead of `limits::CLAIM_WITHIN`.
    pub fn claim_within(&mut self, within: Duration) {
        self.claim_within = within;
    }

    /// The calendar, in seconds since the Unix epoch, at `now`.
    pub fn calendar(&mut self, now: Moment, unix_s: u64) {
        self.unix_s_at_zero = unix_s.saturating_sub(now.micros() / 1_000_000);
    }

    /// Somebody connected, from this address.
    pub fn connect(&mut self, now: Moment, client: ClientId, address: IpAddr) {
        let until = now + self.claim_within;
        self.silent.insert((until, client));
        self.clients.insert(
            client,
            Client {
                address,
                frames: Window::new(now),
                silent_until: Some(until),
                nonce: None,
                inbox: None,
                unacked: BTreeMap::new(),
                behind: false,
            },
        );
    }

    /// A connection is gone. Only its own claim goes with it: a newer connection of the same inbox stays.
    pub fn disconnect(&mut self, now: Moment, client: ClientId) {
        let Some(gone) = self.clients.remove(&client) else { return };
        if let Some(until) = gone.silent_until {
            self.silent.remove(&(until, client));
        }
        if let Some(inbox) = gone.inbox
            && self.online.get(&inbox) == Some(&client)
        {
            self.online.remove(&inbox);
            self.backend.left(now, inbox);
        }
    }

    /// A client said something. From one that is closed or unknown: nothing happens.
    #[must_use]
    pub fn handle(&mut self, now: Moment, client: ClientId, frame: ToRelay) -> Vec<Delivery> {
        let mut out = Vec::new();
        let Some(known) = self.clients.get_mut(&client) else { return out };
        if !known.frames.count(now, FRAMES_PER_MINUTE) {
            self.close(now, client, CloseCode::Policy, &mut out);
            return out;
        }
        // Envelopes are answered first and looked up together; everything else sees their effect.
        let envelope = matches!(frame, ToRelay::Send(_));
        if !envelope || self.pending.len() >= PENDING {
            self.look_up(now, &mut out);
        }
        match frame {
            ToRelay::Hello { version: _ } => {
                let nonce = Nonce(self.draw(b"nonce"));
                if let Some(known) = self.clients.get_mut(&client) {
                    let nonce = *known.nonce.get_or_insert(nonce);
                    say(&mut out, client, ToClient::Challenge { nonce });
                }
            }
            ToRelay::Claim(claim) => self.claim(now, client, &claim, &mut out),
            ToRelay::Allow { tokens, more } => {
                let Some(inbox) = self.owner(client, &mut out) else { return out };
                if self.backend.allow(inbox, &tokens, more).is_err() {
                    refuse(&mut out, client, None, Why::TooManyTokens);
                }
                self.feed_backlog(now, client, &mut out);
            }
            ToRelay::Revoke { tokens } => {
                if let Some(inbox) = self.owner(client, &mut out) {
                    self.backend.revoke(inbox, &tokens);
                }
            }
            ToRelay::Send(envelope) => self.send(now, client, envelope, &mut out),
            ToRelay::Ack { id } => {
                let Some(inbox) = self.owner(client, &mut out) else { return out };
                self.backend.ack(inbox, id);
                if let Some(known) = self.clients.get_mut(&client) {
                    known.unacked.remove(&id);
                    if known.behind {
                        self.feed_backlog(now, client, &mut out);
                    }
                }
            }
            ToRelay::Credentials => {
                if self.owner(client, &mut out).is_some() {
                    let ice_servers = self.ice_servers(now);
                    say(&mut out, client, ToClient::Credentials { ice_servers });
                }
            }
            ToRelay::Unknown => {}
        }
        out
    }

    /// A client said something that is no frame. It learns nothing; too much of it ends the connection.
    #[must_use]
    pub fn nonsense(&mut self, now: Moment, client: ClientId) -> Vec<Delivery> {
        self.handle(now, client, ToRelay::Unknown)
    }

    /// When `tick` next has something to do.
    pub fn deadline(&self) -> Option<Moment> {
        let pending = self.pending.front().map(|(came, _)| *came);
        let silent = self.silent.first().map(|(until, _)| *until);
        [pending, silent, self.backend.deadline()].into_iter().flatten().min()
    }

    /// Does what is due: looks up where envelopes go, closes who stayed silent, drops what is over.
    #[must_use]
    pub fn tick(&mut self, now: Moment) -> Vec<Delivery> {
        let mut out = Vec::new();
        self.backend.expire(now);
        self.look_up(now, &mut out);
        while let Some((until, client)) = self.silent.first().copied()
            && until <= now
        {
            self.silent.remove(&(until, client));
            self.close(now, client, CloseCode::Policy, &mut out);
        }
        out
    }

    /// How many are connected.
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Whether nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    fn claim(&mut self, now: Moment, client: ClientId, claim: &Claim, out: &mut Vec<Delivery>) {
        let Some(known) = self.clients.get_mut(&client) else { return };
        if known.inbox.is_some() {
            return refuse(out, client, None, Why::AlreadyClaimed);
        }
        let Some(nonce) = known.nonce else {
            return refuse(out, client, None, Why::HelloFirst);
        };
        let Some(inbox) = claim.verify(&nonce) else {
            return self.close(now, client, CloseCode::Policy, out);
        };
        known.inbox = Some(inbox);
        if let Some(older) = self.online.insert(inbox, client) {
            self.close(now, older, CloseCode::Displaced, out);
        }
        if self.backend.claim(inbox, &claim.tokens, claim.more).is_err() {
            return self.close(now, client, CloseCode::Slow, out);
        }
        self.has_spoken(client);
        let ice_servers = self.ice_servers(now);
        say(out, client, ToClient::Welcome { limits: told_limits(), ice_servers });
        self.feed_backlog(now, client, out);
    }

    /// Nothing here depends on the inbox.
    fn send(&mut self, now: Moment, client: ClientId, envelope: Envelope, out: &mut Vec<Delivery>) {
        let Some(known) = self.clients.get(&client) else { return };
        let id = envelope.id;
        if known.nonce.is_none() {
            return refuse(out, client, Some(id), Why::HelloFirst);
        }
        let sender = known.inbox.map_or_else(|| Sender::unclaimed(known.address), Sender::Claimed);
        self.has_spoken(client);
        if !self.quota.allows(now, sender, envelope.inbox) {
            return refuse(out, client, Some(id), Why::Rate);
        }
        say(out, client, ToClient::Accepted { id });
        self.pending.push_back((now, envelope));
    }

    fn look_up(&mut self, now: Moment, out: &mut Vec<Delivery>) {
        while let Some((came, envelope)) = self.pending.pop_front() {
            let Envelope { inbox, token, id, ttl, body } = envelope;
            let until = came + ttl.duration();
            if until <= now {
                continue;
            }
            let put = self.backend.put(inbox, Mail { id, token: token.hash(), body, came, until });
            if put == Put::Waits
                && let Some(owner) = self.online.get(&inbox).copied()
            {
                self.feed(now, owner, false, out);
            }
        }
    }

    /// After a claim: not all at once, so that a full mailbox never cuts its own owner off.
    fn feed_backlog(&mut self, now: Moment, client: ClientId, out: &mut Vec<Delivery>) {
        self.feed(now, client, true, out);
    }

    fn feed(&mut self, now: Moment, client: ClientId, backlog: bool, out: &mut Vec<Delivery>) {
        let Some(known) = self.clients.get_mut(&client) else { return };
        let Some(inbox) = known.inbox else { return };
        if known.behind && !backlog {
            return;
        }
        let waiting: BTreeSet<EnvelopeId> = self.backend.waiting(inbox).map(|mail| mail.id).collect();
        // What expired, gave way or was revoked will never be acknowledged.
        known.unacked.retain(|id, _| waiting.contains(id));
        known.behind = false;
        for mail in self.backend.waiting(inbox) {
            if known.unacked.contains_key(&mail.id) {
                continue;
            }
            let bytes = mail.body.bytes().len();
            if backlog && !known.unacked.is_empty() {
                let under_way: usize = known.unacked.values().sum();
                if known.unacked.len() >= limits::BACKLOG_MESSAGES
                    || under_way + bytes > limits::BACKLOG_BYTES
                {
                    known.behind = true;
                    break;
                }
            }
            known.unacked.insert(mail.id, bytes);
            let held_ms = u64::try_from(now.since(mail.came).as_millis()).unwrap_or(u64::MAX);
            let (id, token, body) = (mail.id, mail.token, mail.body.clone());
            say(out, client, ToClient::Deliver(Deliver { id, held_ms, token, body }));
        }
    }

    /// The inbox of a client, or a refusal.
    fn owner(&self, client: ClientId, out: &mut Vec<Delivery>) -> Option<Inbox> {
        let inbox = self.clients.get(&client).and_then(|known| known.inbox);
        if inbox.is_none() {
            refuse(out, client, None, Why::NotClaimed);
        }
        inbox
    }

    fn has_spoken(&mut self, client: ClientId) {
        if let Some(known) = self.clients.get_mut(&client)
            && let Some(until) = known.silent_until.take()
        {
            self.silent.remove(&(until, client));
        }
    }

    fn close(&mut self, now: Moment, client: ClientId, code: CloseCode, out: &mut Vec<Delivery>) {
        self.disconnect(now, client);
        out.push(Delivery { to: client, what: What::Close(code) });
    }

    fn ice_servers(&mut self, now: Moment) -> Vec<ahoy_proto::frame::IceServer> {
        let random = self.draw(b"turn");
        let mut first = [0; 8];
        first.copy_from_slice(&random[..8]);
        self.ice.servers(self.unix_s_at_zero.saturating_add(now.micros() / 1_000_000), first)
    }

    /// The next unforeseeable bytes of the seed.
    fn draw(&mut self, what: &[u8]) -> [u8; 32] {
        self.drawn += 1;
        let counter = self.drawn.to_be_bytes();
        Blake2s256::new().chain_update(self.seed).chain_update(what).chain_update(counter).finalize().into()
    }
}

fn told_limits() -> Limits {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Limits {
        body_bytes: number(limits::BODY_BYTES),
        tokens: number(limits::TOKENS_OF_INBOX),
        mailbox: number(limits::MAILBOX_ENTRIES),
        ttl_s: u32::try_from(limits::TTL.as_secs()).unwrap_or(u32::MAX),
        per_minute: limits::CLAIMED_PER_MINUTE,
    }
}

fn say(out: &mut Vec<Delivery>, to: ClientId, frame: ToClient) {
    out.push(Delivery { to, what: What::Say(frame) });
}

fn refuse(out: &mut Vec<Delivery>, to: ClientId, id: Option<EnvelopeId>, why: Why) {
    say(out, to, ToClient::Refused { id, why });
}
