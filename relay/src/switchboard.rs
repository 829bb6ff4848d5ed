//! What a relay does with each frame. Pure: no socket, no clock, no chance, and nothing kept: lists, mail and presence
//! are ordered from a store, whose reports come back as input.
//!
//! Lives here: who is connected, what they are told, and when. `accepted` is returned before anything about the inbox is
//! looked up; the look-up follows in `tick`, which is due at once.
//! Must not: open a body, tell a sender anything about an inbox, or carry out what it orders.

mod mail;
mod pairing;
mod rooms;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use ahoy_proto::envelope::{EnvelopeId, Inbox};
use ahoy_proto::frame::{Claim, CloseCode, IceServer, Limits, Nonce, ToClient, ToRelay, Why};
use ahoy_proto::limits;
use ahoy_proto::plate::PlateAsk;
use blake2::{Blake2s256, Digest as _};

use crate::address::Address;
use crate::budgets;
pub use crate::client_id::ClientId;
use crate::crowd::{Crowd, Room, Standing};
use crate::mailbag::Mailbag;
pub use crate::output::{Delivery, Output, What};
use crate::plates::Plates;
use crate::quota::{Quota, Window};
use crate::rooms::{RoomServer, Rooms};
use crate::store::{Mail, Store, Stored};
use crate::time::Moment;
use crate::turn::{Ice, Minted};

/// Frames of any kind in a minute, pings among them, past which a client is closed: no honest one comes near.
const FRAMES_PER_MINUTE: u32 = 5_000;

/// Look-ups that may wait. Past it they are done before the next frame is answered.
const PENDING: usize = 256;

/// All connections of one relay.
#[derive(Debug)]
pub struct Switchboard {
    ice: Ice,
    minted: Minted,
    claim_within: Duration,
    seed: [u8; 32],
    drawn: u64,
    /// The calendar, in seconds, when `Moment` was zero: TURN's credentials end by it.
    unix_s_at_zero: u64,
    crowd: Crowd,
    plates: Plates,
    rooms: Rooms,
    clients: BTreeMap<ClientId, Client>,
    /// Who has to claim or to send again, or has settled, and when.
    due: BTreeSet<(Moment, ClientId)>,
    pending: VecDeque<(Mail, Inbox)>,
}

#[derive(Debug)]
struct Client {
    address: Address,
    frames: Window,
    quota: Quota,
    /// When it is looked at: to claim or send, to send again, or to be settled.
    due: Option<Moment>,
    sent_at: Option<Moment>,
    nonce: Option<Nonce>,
    inbox: Option<Inbox>,
    bag: Mailbag,
}

impl Switchboard {
    /// With nobody connected. `seed` must be random: nonces come from it.
    pub fn new(seed: [u8; 32], ice: Ice) -> Self {
        Self {
            ice,
            minted: Minted::default(),
            claim_within: limits::CLAIM_WITHIN,
            seed,
            drawn: 0,
            unix_s_at_zero: 0,
            crowd: Crowd::default(),
            plates: Plates::default(),
            rooms: Rooms::default(),
            clients: BTreeMap::new(),
            due: BTreeSet::new(),
            pending: VecDeque::new(),
        }
    }

    /// How long a new connection may take to claim or send, instead of `limits::CLAIM_WITHIN`.
    pub fn claim_within(&mut self, within: Duration) {
        self.claim_within = within;
    }

    /// How many may be connected.
    pub fn set_room(&mut self, room: Room) {
        self.crowd.set_room(room);
    }

    /// Where rooms are. Until it is reported that their server answers there are none.
    pub fn set_rooms(&mut self, server: Option<RoomServer>) {
        self.rooms.set(server);
    }

    /// The calendar, in seconds since the Unix epoch, at `now`.
    pub fn calendar(&mut self, now: Moment, unix_s: u64) {
        self.unix_s_at_zero = unix_s.saturating_sub(now.micros() / 1_000_000);
    }

    /// A socket was taken from this address, and its handshake begins: it counts from now on, and others may have to go
    /// for it.
    #[must_use]
    pub fn accept(&mut self, now: Moment, client: ClientId, address: IpAddr) -> Vec<Output> {
        let mut out = Vec::new();
        for leaves in self.crowd.enter(now, client, address.into()) {
            self.close(leaves, CloseCode::Slow, &mut out);
        }
        out
    }

    /// Somebody connected, from this address; `accept` need not have come before.
    #[must_use]
    pub fn connect(&mut self, now: Moment, client: ClientId, address: IpAddr) -> Vec<Output> {
        let known = self.crowd.has(client);
        let out = if known { Vec::new() } else { self.accept(now, client, address) };
        if !self.crowd.has(client) {
            return out;
        }
        let due = now + self.claim_within;
        self.due.insert((due, client));
        self.clients.insert(
            client,
            Client {
                address: address.into(),
                frames: Window::new(now),
                quota: Quota::new(now),
                due: Some(due),
                sent_at: None,
                nonce: None,
                inbox: None,
                bag: Mailbag::default(),
            },
        );
        out
    }

    /// A connection is gone, in its handshake or later. Only its own claim goes with it: a newer connection of the same
    /// inbox stays.
    #[must_use]
    pub fn disconnect(&mut self, _now: Moment, client: ClientId) -> Vec<Output> {
        let mut out = Vec::new();
        self.remove(client, &mut out);
        out
    }

    /// A client said something. From one that is closed or unknown: nothing happens.
    #[must_use]
    pub fn handle(&mut self, now: Moment, client: ClientId, frame: ToRelay) -> Vec<Output> {
        let mut out = Vec::new();
        let Some(known) = self.clients.get_mut(&client) else { return out };
        if !known.frames.count(now, FRAMES_PER_MINUTE) {
            self.close(client, CloseCode::Policy, &mut out);
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
            ToRelay::Claim(claim) => self.claim(now, client, claim, &mut out),
            ToRelay::Allow { tokens, more } => {
                if let Some(inbox) = self.owner(now, client, &mut out) {
                    out.push(Output::Store(Store::Allow { client, inbox, tokens, more }));
                }
            }
            ToRelay::Revoke { tokens } => {
                if let Some(inbox) = self.owner(now, client, &mut out) {
                    if let Some(known) = self.clients.get_mut(&client) {
                        known.bag.revoked(&tokens);
                    }
                    out.push(Output::Store(Store::Revoke { inbox, tokens }));
                }
            }
            ToRelay::Send(envelope) => self.send(now, client, envelope, &mut out),
            ToRelay::Ack { id } => {
                if let Some(inbox) = self.owner(now, client, &mut out) {
                    out.push(Output::Store(Store::Ack { inbox, id }));
                    if let Some(known) = self.clients.get_mut(&client) {
                        known.bag.acknowledged(id);
                    }
                    self.read(now, client, &mut out);
                }
            }
            ToRelay::Credentials => {
                if self.owner(now, client, &mut out).is_some() {
                    let ice_servers = self.ice_servers(now, client);
                    say(&mut out, client, ToClient::Credentials { ice_servers });
                }
            }
            ToRelay::PlateClaim => self.pair(now, client, PlateAsk::Claim, &mut out),
            ToRelay::PlateJoin { number } => self.pair(now, client, PlateAsk::Join(number), &mut out),
            ToRelay::PlateSay { body } => self.pair(now, client, PlateAsk::Say(body), &mut out),
            ToRelay::PlateLeave => self.pair(now, client, PlateAsk::Leave, &mut out),
            ToRelay::Room(ask) => self.room(now, client, ask, &mut out),
            ToRelay::Unknown => {}
        }
        out
    }

    /// A client said something that is no frame, or pinged. It learns nothing; too much of it ends the connection.
    #[must_use]
    pub fn nonsense(&mut self, now: Moment, client: ClientId) -> Vec<Output> {
        self.handle(now, client, ToRelay::Unknown)
    }

    /// The store reports.
    #[must_use]
    pub fn stored(&mut self, now: Moment, report: Stored) -> Vec<Output> {
        let mut out = Vec::new();
        match report {
            Stored::Claimed { client, displaced } => {
                if let Some(older) = displaced {
                    self.close(older, CloseCode::Displaced, &mut out);
                }
                if self.clients.contains_key(&client) {
                    let ice_servers = self.ice_servers(now, client);
                    let limits = told_limits(self.rooms.is_up());
                    say(&mut out, client, ToClient::Welcome { limits, ice_servers });
                }
            }
            Stored::Redeemed { client, room, outcome } => {
                self.redeemed(now, client, room, outcome, &mut out);
            }
            Stored::Full { client } => refuse(&mut out, client, None, Why::TooManyTokens),
            Stored::GaveWay { client } => self.close(client, CloseCode::Slow, &mut out),
            Stored::Whole { client } => {
                if let Some(known) = self.clients.get_mut(&client) {
                    known.bag.is_whole();
                }
                self.read(now, client, &mut out);
            }
            Stored::Arrived { client, mail, place } => {
                if let Some(known) = self.clients.get_mut(&client)
                    && let Some(deliver) = known.bag.arrived(now, mail, place)
                {
                    say(&mut out, client, ToClient::Deliver(deliver));
                }
            }
            Stored::Waiting { client, mail, more } => {
                let Some(known) = self.clients.get_mut(&client) else { return out };
                for deliver in known.bag.waited(now, mail, more) {
                    say(&mut out, client, ToClient::Deliver(deliver));
                }
                self.read(now, client, &mut out);
            }
        }
        out
    }

    /// When `tick` next has something to do.
    pub fn deadline(&self) -> Option<Moment> {
        let pending = self.pending.front().map(|(mail, _)| mail.came);
        let due = self.due.first().map(|(due, _)| *due);
        pending.into_iter().chain(due).chain(self.plates.deadline()).min()
    }

    /// Does what is due: looks up where envelopes go, closes who stayed silent.
    #[must_use]
    pub fn tick(&mut self, now: Moment) -> Vec<Output> {
        let mut out = Vec::new();
        self.look_up(now, &mut out);
        while let Some((due, client)) = self.due.first().copied()
            && due <= now
        {
            self.due.remove(&(due, client));
            let Some(known) = self.clients.get_mut(&client) else { continue };
            known.due = None;
            if let Some(inbox) = known.inbox {
                self.crowd.stands(now, client, Standing::Settled);
                out.push(Output::Store(Store::Settled { inbox }));
                continue;
            }
            match known.sent_at.map(|at| at + budgets::SENDER_IDLE).filter(|until| *until > now) {
                Some(until) => self.look_again(client, until),
                None => self.close(client, CloseCode::Policy, &mut out),
            }
        }
        self.pairs_over(now, &mut out);
        out
    }

    /// How many are connected, or in their handshake.
    pub fn len(&self) -> usize {
        self.crowd.len()
    }

    /// Whether nobody is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn claim(&mut self, now: Moment, client: ClientId, claim: Claim, out: &mut Vec<Output>) {
        let Some(known) = self.clients.get_mut(&client) else { return };
        if known.inbox.is_some() {
            return refuse(out, client, None, Why::AlreadyClaimed);
        }
        let Some(nonce) = known.nonce else {
            return refuse(out, client, None, Why::HelloFirst);
        };
        let Some(inbox) = claim.verify(&nonce) else {
            return self.close(client, CloseCode::Policy, out);
        };
        known.inbox = Some(inbox);
        // What it sent as nobody does not count against who it is.
        known.quota = Quota::new(now);
        let from = known.address;
        self.crowd.stands(now, client, Standing::Claimed);
        self.look_again(client, now + budgets::SETTLED_AFTER);
        let Claim { tokens, more, .. } = claim;
        out.push(Output::Store(Store::Claim { client, inbox, from, tokens, more }));
    }

    /// The inbox of a client, or a refusal.
    fn owner(&mut self, now: Moment, client: ClientId, out: &mut Vec<Output>) -> Option<Inbox> {
        let inbox = self.clients.get(&client).and_then(|known| known.inbox);
        if inbox.is_none() {
            refuse(out, client, None, Why::NotClaimed);
        } else {
            self.crowd.busy(now, client);
        }
        inbox
    }

    fn look_again(&mut self, client: ClientId, at: Moment) {
        if let Some(known) = self.clients.get_mut(&client) {
            if let Some(before) = known.due.replace(at) {
                self.due.remove(&(before, client));
            }
            self.due.insert((at, client));
        }
    }

    fn close(&mut self, client: ClientId, code: CloseCode, out: &mut Vec<Output>) {
        self.remove(client, out);
        out.push(Output::Client(Delivery { to: client, what: What::Close(code) }));
    }

    fn remove(&mut self, client: ClientId, out: &mut Vec<Output>) {
        self.crowd.leave(client);
        self.plates.gone(client);
        let Some(gone) = self.clients.remove(&client) else { return };
        if let Some(due) = gone.due {
            self.due.remove(&(due, client));
        }
        if let Some(inbox) = gone.inbox {
            out.push(Output::Store(Store::Left { client, inbox }));
        }
    }

    /// One pair of credentials an address and ten minutes, whoever asks and however often.
    fn ice_servers(&mut self, now: Moment, client: ClientId) -> Vec<IceServer> {
        let Some(known) = self.clients.get(&client) else { return Vec::new() };
        let unix_s = self.unix_s(now);
        let near = known.address.near;
        self.ice.servers(self.minted.for_address(near, unix_s), near)
    }

    fn unix_s(&self, now: Moment) -> u64 {
        self.unix_s_at_zero.saturating_add(now.micros() / 1_000_000)
    }

    /// The next unforeseeable bytes of the seed.
    fn draw(&mut self, what: &[u8]) -> [u8; 32] {
        self.drawn += 1;
        let counter = self.drawn.to_be_bytes();
        Blake2s256::new().chain_update(self.seed).chain_update(what).chain_update(counter).finalize().into()
    }
}

fn told_limits(rooms: bool) -> Limits {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Limits {
        body_bytes: number(limits::BODY_BYTES),
        tokens: number(limits::TOKENS_OF_INBOX),
        mailbox: number(limits::MAILBOX_ENTRIES),
        ttl_s: u32::try_from(limits::TTL.as_secs()).unwrap_or(u32::MAX),
        per_minute: limits::CLAIMED_PER_MINUTE,
        room: if rooms { number(limits::ROOM_PASSES) } else { 0 },
    }
}

fn say(out: &mut Vec<Output>, to: ClientId, frame: ToClient) {
    out.push(Output::Client(Delivery { to, what: What::Say(frame) }));
}

fn refuse(out: &mut Vec<Output>, to: ClientId, id: Option<EnvelopeId>, why: Why) {
    say(out, to, ToClient::Refused { id, why });
}
