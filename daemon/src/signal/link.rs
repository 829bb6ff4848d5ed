//! One relay, as one connection that comes back by itself.
//!
//! Lives here: its handle, and when it connects. What is said on a connection: `link/talk.rs`; the socket: `link/socket.rs`.
//! Must not: open an envelope, know a call, or know other links.

mod hurry;
mod looks;
mod socket;
mod talk;

use std::collections::BTreeSet;
use std::time::Duration;

use ahoy_call::Moment;
use ahoy_proto::envelope::{Envelope, EnvelopeId, TokenHash};
use ahoy_proto::frame::Deliver;
use ahoy_proto::limits;
use ahoy_proto::plate::{PlateAsk, PlateNews};
use ed25519_dalek::SigningKey;
use futures_util::{SinkExt as _, StreamExt as _};
use hurry::Hurry;
use looks::{Look, Looks};
use socket::{Ended, Socket, Tries, attempt};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;

use super::backoff::Backoff;
use super::dial::Known;
use super::outbox::Outbox;
use super::tls::{RelayUrl, Trust};
use crate::system::clock;
use crate::values::diagnosis::LinkEar;
use crate::values::ice::{IceServers, Renewal};

/// Which link a report comes from; the owner of the links numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u32);

/// What a link is for.
#[expect(clippy::large_enum_variant, reason = "made once for each link, and never kept")]
pub enum LinkRole {
    /// Takes the mail of our inbox there. Is always connected.
    Claimed {
        /// The inbox's key.
        key: SigningKey,
        /// Who may write.
        tokens: Vec<TokenHash>,
    },
    /// Only sends. Connects when there is something to send, and does not come back before there is something again.
    Sender,
}

/// What a link reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromLink {
    /// Connected; for `Claimed`: the inbox is ours.
    Up {
        /// STUN and TURN servers of this relay; none for `Sender`.
        ice_servers: IceServers,
    },
    /// The relay gave fresh credentials.
    Fresh {
        /// With them.
        ice_servers: IceServers,
    },
    /// Not connected, and trying again. Comes once for each reason, not for each try.
    Down {
        /// For a person. Names no address.
        why: String,
    },
    /// The relay took an envelope.
    Accepted {
        /// Which.
        id: EnvelopeId,
    },
    /// The relay says something about a number, by which two pair.
    Plate(PlateNews),
    /// The relay refuses for now: too much goes that way.
    TooMuch,
    /// An envelope for us. Comes again after each reconnection until `ack`.
    Deliver(Deliver),
    /// Another connection claimed the same inbox; this one comes back after `limits::DISPLACED_FOR`.
    Displaced,
}

/// The link's queue is full, or the link has ended: as if the message had been lost on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the link takes no more")]
pub struct LinkFull;

/// The owner's end of a link. The link ends when it is dropped.
#[derive(Debug)]
pub struct LinkHandle {
    orders: mpsc::Sender<LinkOrder>,
    wanted: watch::Sender<Wanted>,
    task: JoinHandle<()>,
}

impl LinkHandle {
    /// Sends an envelope now, or once connected while its ttl lasts. Repeats with the same id are one envelope.
    pub fn send(&self, envelope: Envelope) -> Result<(), LinkFull> {
        self.order(LinkOrder::Send(envelope))
    }

    /// A delivered envelope is in safe hands.
    pub fn ack(&self, id: EnvelopeId) -> Result<(), LinkFull> {
        self.order(LinkOrder::Ack(id))
    }

    /// Who may write from now on: the whole list, of which only the differences travel. For `Claimed` only.
    /// The newest list wins, and is never lost.
    pub fn set_tokens(&self, tokens: Vec<TokenHash>) {
        let tokens = bounded(tokens);
        self.wanted.send_modify(|wanted| wanted.tokens = tokens);
    }

    /// Our own network has changed: a connection that is dead by it is noticed now and not by its silence, and one that
    /// waits for its next try, or hangs in one, has it now.
    pub fn network_changed(&self) {
        self.wanted.send_modify(|wanted| wanted.networks += 1);
    }

    /// Somebody waits for this link: a connection that is dead is noticed now, and one that does not come is tried again every
    /// half second, for half a minute.
    pub fn hurry(&self) {
        self.wanted.send_modify(|wanted| wanted.hurries += 1);
    }

    /// Asks the relay for fresh credentials.
    pub fn refresh(&self) {
        self.wanted.send_modify(|wanted| wanted.refreshes += 1);
    }

    /// Goes by other certificates from the next connection on, which is tried now.
    pub fn set_trust(&self, trust: Trust) {
        self.wanted.send_modify(|wanted| (wanted.trust, wanted.networks) = (trust, wanted.networks + 1));
    }

    /// Sends what is queued, for at most one second, and ends.
    pub async fn finish(self) {
        let Self { orders, wanted, mut task } = self;
        drop((orders, wanted));
        if clock::timeout(FINISH_WITHIN, &mut task).await.is_err() {
            task.abort();
        }
    }

    /// Asks the relay for a sign of life, and tells `ear` how long that took: `relay` is the relay's number there. A link that
    /// is not connected says nothing.
    pub fn look(&self, relay: u32, ear: LinkEar) -> Result<(), LinkFull> {
        self.order(LinkOrder::Look(Look { relay, ear }))
    }

    /// Asks the relay something about a number. A link that is not connected asks nothing.
    pub fn ask(&self, ask: PlateAsk) -> Result<(), LinkFull> {
        self.order(LinkOrder::Plate(ask))
    }

    fn order(&self, order: LinkOrder) -> Result<(), LinkFull> {
        self.orders.try_send(order).map_err(|_| LinkFull)
    }
}

/// How long a link that ends may still send.
const FINISH_WITHIN: Duration = Duration::from_secs(1);

/// Orders of one link that wait.
const QUEUE: usize = 256;

#[derive(Debug)]
enum LinkOrder {
    Send(Envelope),
    Ack(EnvelopeId),
    Look(Look),
    Plate(PlateAsk),
}

/// What the owner wants of the link until it says otherwise.
#[derive(Debug)]
struct Wanted {
    /// Whose certificates are believed.
    trust: Trust,
    /// Who may write.
    tokens: BTreeSet<TokenHash>,
    /// How often our network, or whom we believe, has changed.
    networks: u64,
    /// How often somebody began to wait for this link.
    hurries: u64,
    /// How often fresh credentials were asked for.
    refreshes: u64,
}

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
            let idle = self.outbox.is_empty() && (self.claim.is_none() || self.ends.is_some());
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
            LinkOrder::Ack(_) | LinkOrder::Look(_) | LinkOrder::Plate(_) => {}
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

/// No list is longer than a relay takes; who has more cards out than that loses some.
fn bounded(tokens: Vec<TokenHash>) -> BTreeSet<TokenHash> {
    let all: BTreeSet<TokenHash> = tokens.into_iter().collect();
    if all.len() <= limits::TOKENS_OF_INBOX {
        return all;
    }
    tracing::warn!(tokens = all.len(), "more cards are out than a relay lists");
    all.into_iter().take(limits::TOKENS_OF_INBOX).collect()
}

fn jitter() -> u8 {
    let mut byte = [0];
    // Without chance every wait is the longest: no harm.
    let _none = getrandom::fill(&mut byte);
    byte[0]
}
