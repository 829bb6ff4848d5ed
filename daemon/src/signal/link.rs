//! One relay, as one connection that comes back by itself.
//!
//! Lives here: when it connects. What its owner holds: `link/handle.rs`; what is said on a connection: `link/talk.rs`; the socket:
//! `link/socket.rs`.
//! Must not: open an envelope, know a call, or know other links.

mod handle;
mod hurry;
mod looks;
mod socket;
mod talk;

use std::collections::BTreeSet;

use ahoy_call::Moment;
use ahoy_proto::envelope::TokenHash;
use ahoy_proto::limits;
use ahoy_proto::room::RoomAsk;
use ed25519_dalek::SigningKey;
use futures_util::{SinkExt as _, StreamExt as _};
use handle::{FINISH_WITHIN, LinkOrder, QUEUE, Wanted, bounded};
pub use handle::{FromLink, LinkFull, LinkHandle, LinkId, LinkRole};
use hurry::Hurry;
use looks::Looks;
use socket::{Ended, Socket, Tries, attempt};
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::tungstenite::Message;

use super::backoff::Backoff;
use super::dial::Known;
use super::outbox::Outbox;
use super::tls::{RelayUrl, Trust};
use crate::system::clock;
use crate::values::ice::Renewal;

/// Questions about rooms that wait for a connection: whoever asks has one at a time.
const ROOM_ASKS: usize = 4;

/// One link's task.
pub struct Link {
    id: LinkId,
    url: RelayUrl,
    claim: Option<SigningKey>,
    wanted: watch::Receiver<Wanted>,
    /// Of the changes of our network, those that were heeded.
    networks: u64,
    /// Of those who wait for this link, how many were heeded; and when the next try begins for them.
    hurries: u64,
    hurry: Hurry,
    /// Of the wishes for fresh credentials, those that were heeded.
    refreshes: u64,
    renewal: Renewal,
    outbox: Outbox,
    /// Questions about rooms that wait for a connection.
    room_asks: Vec<RoomAsk>,
    orders: mpsc::Receiver<LinkOrder>,
    reports: mpsc::Sender<(LinkId, FromLink)>,
    known: Known,
    /// Connections under way: the first one, or one beside a connection that may be dead.
    tries: Tries,
    /// Who waits for a sign of life.
    looks: Looks,
    /// What the relay of this connection has as our list of tokens, once it has one: it hears the differences.
    listed: Option<BTreeSet<TokenHash>>,
    /// Since when the owner believes that we are connected.
    up_since: Option<Moment>,
    /// The owner is gone; everything ends then.
    ends: Option<Moment>,
    last_why: Option<String>,
}

impl Link {
    /// Begins a link. Its reports carry `id`; a full `reports` makes the link wait, and with it the relay.
    pub fn spawn(
        id: LinkId,
        url: RelayUrl,
        role: LinkRole,
        trust: Trust,
        reports: mpsc::Sender<(LinkId, FromLink)>,
    ) -> LinkHandle {
        let (claim, tokens) = match role {
            LinkRole::Claimed { key, tokens } => (Some(key), tokens),
            LinkRole::Sender => (None, Vec::new()),
        };
        let (sender, orders) = mpsc::channel(QUEUE);
        let (wanted_in, wanted) =
            watch::channel(Wanted { trust, tokens: bounded(tokens), networks: 0, hurries: 0, refreshes: 0 });
        let link = Self {
            id,
            url,
            claim,
            wanted,
            networks: 0,
            hurries: 0,
            hurry: Hurry::default(),
            refreshes: 0,
            renewal: Renewal::default(),
            outbox: Outbox::default(),
            room_asks: Vec::new(),
            orders,
            reports,
            known: Known::default(),
            tries: Tries::default(),
            looks: Looks::default(),
            listed: None,
            up_since: None,
            ends: None,
            last_why: None,
        };
        #[expect(clippy::disallowed_methods, reason = "the link's own task, ended by dropping its handle")]
        let task = tokio::spawn(link.run());
        LinkHandle { orders: sender, wanted: wanted_in, task }
    }

    async fn run(mut self) {
        let mut backoff = Backoff::default();
        let mut not_before = clock::now();
        // Who was displaced stays away, whatever the network does.
        let mut displaced = false;
        while self.wait_for_reason(not_before, displaced).await {
            let began = clock::now();
            let ended = self.connections().await;
            let now = clock::now();
            let up_since = self.up_since.take();
            if let Some(since) = up_since {
                backoff.lost(since, now);
            }
            displaced = matches!(ended, Ended::Displaced);
            not_before = match ended {
                Ended::Over => return,
                Ended::Displaced => {
                    self.tries.clear();
                    self.report(FromLink::Displaced).await;
                    now + limits::DISPLACED_FOR
                }
                // A connection is under way beside the one that ended: nothing to wait for.
                Ended::Replaced(_) => now,
                Ended::Failed(why) => {
                    tracing::debug!(link = self.id.0, why, "a relay link is down");
                    self.room_asks.clear();
                    let again = if self.tries.any() { now } else { backoff.next(began, now, jitter()) };
                    let again = self.hurry.due().map_or(again, |due| due.min(again));
                    self.down(why, up_since.is_some()).await;
                    again
                }
            };
        }
    }

    /// Waits until it is time, and there is a reason, to connect. False when the link is over.
    async fn wait_for_reason(&mut self, mut not_before: Moment, displaced: bool) -> bool {
        loop {
            let now = clock::now();
            self.outbox.expire(now);
            let idle = self.outbox.is_empty()
                && self.room_asks.is_empty()
                && (self.claim.is_none() || self.ends.is_some());
            if self.ends.is_some_and(|ends| idle || ends <= now) {
                return false;
            }
            if (self.new_network() | self.new_hurry()) && !displaced {
                not_before = now;
            }
            if !idle && now >= not_before && self.orders.is_empty() {
                return true;
            }
            let until = self.ends.map_or(not_before, |ends| ends.min(not_before));
            tokio::select! {
                order = self.orders.recv(), if self.ends.is_none() => match order {
                    Some(order) => self.take(order),
                    None => self.ends = Some(clock::now() + FINISH_WITHIN),
                },
                Ok(()) = self.wanted.changed() => {}
                () = clock::sleep_until(until), if !idle => {}
            }
        }
    }

    /// Takes an order while not connected. An `ack` is moot: the relay delivers again. There is nothing to look at, and nobody to
    /// be asked.
    fn take(&mut self, order: LinkOrder) {
        match order {
            LinkOrder::Send(envelope) => self.outbox.put(envelope, clock::now()),
            LinkOrder::Room(ask) if self.room_asks.len() < ROOM_ASKS => self.room_asks.push(ask),
            LinkOrder::Ack(_) | LinkOrder::Look(_) | LinkOrder::Plate(_) | LinkOrder::Room(_) => {}
        }
    }

    /// Whether our network has changed since this was last asked.
    fn new_network(&mut self) -> bool {
        let networks = self.wanted.borrow_and_update().networks;
        std::mem::replace(&mut self.networks, networks) != networks
    }

    /// Whether somebody began to wait for this link since this was last asked.
    fn new_hurry(&mut self) -> bool {
        let hurries = self.wanted.borrow_and_update().hurries;
        let new = std::mem::replace(&mut self.hurries, hurries) != hurries;
        if new {
            self.hurry.begin(clock::now());
        }
        new
    }

    /// Whether somebody waits for fresh credentials since this was last asked.
    fn new_refresh(&mut self) -> bool {
        let refreshes = self.wanted.borrow().refreshes;
        std::mem::replace(&mut self.refreshes, refreshes) != refreshes
    }

    fn try_again(&mut self) {
        self.hurry.tried(clock::now());
        let trust = self.wanted.borrow().trust.clone();
        self.tries.begin(attempt(self.url.clone(), trust, self.known.clone()));
    }

    /// One connection, and those that take its place while it is believed to stand.
    async fn connections(&mut self) -> Ended {
        let mut socket = match self.connect().await {
            Ok(socket) => socket,
            Err(ended) => return ended,
        };
        loop {
            self.outbox.again();
            let (mut sink, mut source) = socket.split();
            let ended = match self.converse(&mut sink, &mut source).await {
                Ok(ended) | Err(ended) => ended,
            };
            match ended {
                Ended::Replaced(next) => socket = *next,
                Ended::Over => {
                    let goodbye = async {
                        let _sent = sink.send(Message::Close(None)).await;
                        while let Some(Ok(_)) = source.next().await {}
                    };
                    let left = self.ends.map_or(FINISH_WITHIN, |ends| ends.since(clock::now()));
                    let _late = clock::timeout(left, goodbye).await;
                    return Ended::Over;
                }
                Ended::Failed(_) | Ended::Displaced => return ended,
            }
        }
    }

    /// Opens a connection. Orders that come meanwhile are taken, and a change of our network begins another try.
    async fn connect(&mut self) -> Result<Socket, Ended> {
        if !self.tries.any() {
            self.try_again();
        }
        loop {
            let (ends, hurry) = (self.ends, self.hurry.due());
            tokio::select! {
                (known, opened) = self.tries.opened() => {
                    self.known = known;
                    self.tries.clear();
                    return opened.map_err(Ended::Failed);
                }
                order = self.orders.recv(), if ends.is_none() => match order {
                    Some(order) => self.take(order),
                    None => self.ends = Some(clock::now() + FINISH_WITHIN),
                },
                Ok(()) = self.wanted.changed() => if self.new_network() | self.new_hurry() {
                    self.try_again();
                },
                () = clock::sleep_until(hurry.unwrap_or_default()), if hurry.is_some() => if self.hurry.is_time(clock::now()) {
                    self.try_again();
                },
                () = clock::sleep_until(ends.unwrap_or_default()), if ends.is_some() => return Err(Ended::Over),
            }
        }
    }

    async fn down(&mut self, why: String, was_up: bool) {
        if was_up || self.last_why.as_ref() != Some(&why) {
            self.last_why = Some(why.clone());
            self.report(FromLink::Down { why }).await;
        }
    }

    async fn report(&mut self, report: FromLink) {
        // The owner is gone: the link's own end is near, its orders are closed too.
        let _gone = self.reports.send((self.id, report)).await;
    }
}

fn jitter() -> u8 {
    let mut byte = [0];
    // Without chance every wait is the longest: no harm.
    let _none = getrandom::fill(&mut byte);
    byte[0]
}
