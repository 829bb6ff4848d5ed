//! What the owner of a link holds of it.
//!
//! Lives here: the handle, what a link is for, what it is told and what it reports.
//! Must not: connect, or wait for a relay.

use std::collections::BTreeSet;
use std::time::Duration;

use ahoy_proto::envelope::{Envelope, EnvelopeId, TokenHash};
use ahoy_proto::frame::Deliver;
use ahoy_proto::limits;
use ahoy_proto::plate::{PlateAsk, PlateNews};
use ahoy_proto::room::{RoomAsk, RoomNews};
use ed25519_dalek::SigningKey;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::looks::Look;
use crate::signal::tls::Trust;
use crate::system::clock;
use crate::values::diagnosis::LinkEar;
use crate::values::ice::IceServers;

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
        /// It has rooms, as it says; never for `Sender`.
        rooms: bool,
    },
    /// It has rooms, or has none any more.
    Rooms(bool),
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
    /// The relay says something about a room.
    Room(RoomNews),
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
    pub(super) orders: mpsc::Sender<LinkOrder>,
    pub(super) wanted: watch::Sender<Wanted>,
    pub(super) task: JoinHandle<()>,
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

    /// Asks the relay something about a room, now or once connected. What was not said before the connection failed is not said any
    /// more.
    pub fn ask_room(&self, ask: RoomAsk) -> Result<(), LinkFull> {
        self.order(LinkOrder::Room(ask))
    }

    fn order(&self, order: LinkOrder) -> Result<(), LinkFull> {
        self.orders.try_send(order).map_err(|_| LinkFull)
    }
}

/// How long a link that ends may still send.
pub(super) const FINISH_WITHIN: Duration = Duration::from_secs(1);

/// Orders of one link that wait.
pub(super) const QUEUE: usize = 256;

#[derive(Debug)]
pub(super) enum LinkOrder {
    Send(Envelope),
    Ack(EnvelopeId),
    Look(Look),
    Plate(PlateAsk),
    Room(RoomAsk),
}

/// What the owner wants of the link until it says otherwise.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Whose certificates are believed.
    pub(super) trust: Trust,
    /// Who may write.
    pub(super) tokens: BTreeSet<TokenHash>,
    /// How often our network, or whom we believe, has changed.
    pub(super) networks: u64,
    /// How often somebody began to wait for this link.
    pub(super) hurries: u64,
    /// How often fresh credentials were asked for.
    pub(super) refreshes: u64,
}

/// No list is longer than a relay takes; who has more cards out than that loses some.
pub(super) fn bounded(tokens: Vec<TokenHash>) -> BTreeSet<TokenHash> {
    let all: BTreeSet<TokenHash> = tokens.into_iter().collect();
    if all.len() <= limits::TOKENS_OF_INBOX {
        return all;
    }
    tracing::warn!(tokens = all.len(), "more cards are out than a relay lists");
    all.into_iter().take(limits::TOKENS_OF_INBOX).collect()
}
