//! What a relay remembers beyond its connections: who is here, token lists, waiting mail.
//!
//! Lives here: what the switchboard orders (`Store`) and what it is told (`Stored`), so that memory and a store outside
//! the process are two performers of the same orders.
//! Must not: know connections, or decide what a client is told.

mod lists;
mod mail;
mod memory;
mod passes;

use ahoy_proto::envelope::{Body, EnvelopeId, Inbox, TokenHash};

use crate::address::Address;
use crate::client_id::ClientId;
use crate::tickets::RoomId;
use crate::time::Moment;

pub use memory::{Bounds, Memory};

/// One envelope on its way to an inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Which.
    pub id: EnvelopeId,
    /// The hash of the token that it came with.
    pub token: TokenHash,
    /// What is sealed.
    pub body: Body,
    /// Where it was sent from.
    pub from: Address,
    /// When it came.
    pub came: Moment,
    /// When it is dropped.
    pub until: Moment,
}

/// The place of an envelope among those that came to one inbox; grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(pub u64);

/// What the switchboard wants kept, or wants to know. Orders of one inbox are carried out in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// The owner of an inbox is here: its list is now this one. With `more`, the rest follows, and what waits is judged
    /// when the list is whole. Reported by `Claimed`, then by what else is to be told.
    Claim {
        /// On which connection.
        client: ClientId,
        /// Which inbox.
        inbox: Inbox,
        /// Where its owner is.
        from: Address,
        /// Who may write.
        tokens: Vec<TokenHash>,
        /// Whether more follow.
        more: bool,
    },
    /// Adds to a list. Reported by `Full` if there is no room, and by `Whole`.
    Allow {
        /// On which connection.
        client: ClientId,
        /// Which inbox.
        inbox: Inbox,
        /// Who may write too.
        tokens: Vec<TokenHash>,
        /// Whether more follow.
        more: bool,
    },
    /// Takes off a list, and drops what waits with these tokens.
    Revoke {
        /// Which inbox.
        inbox: Inbox,
        /// Who may write no more.
        tokens: Vec<TokenHash>,
    },
    /// The owner has been here for `SETTLED_AFTER`: from now on list and mail are kept for the full time.
    Settled {
        /// Which inbox.
        inbox: Inbox,
    },
    /// The owner left; nothing happens if it is here on another connection.
    Left {
        /// On which connection it was.
        client: ClientId,
        /// Which inbox.
        inbox: Inbox,
    },
    /// An envelope for an inbox. Reported by `Arrived` if its owner is here and may have it.
    Put {
        /// Which inbox.
        inbox: Inbox,
        /// What came.
        mail: Mail,
    },
    /// Asks what waits behind a place. Reported by `Waiting`.
    Read {
        /// For which connection.
        client: ClientId,
        /// Which inbox.
        inbox: Inbox,
        /// What it has already.
        after: Place,
        /// How many at most.
        entries: usize,
        /// How many bytes of bodies at most.
        bytes: usize,
    },
    /// The owner has an envelope.
    Ack {
        /// Which inbox.
        inbox: Inbox,
        /// Which envelope.
        id: EnvelopeId,
    },
    /// Somebody comes with a pass, which is good once. Reported by `Redeemed`.
    Redeem {
        /// Who.
        client: ClientId,
        /// Into which room.
        room: RoomId,
        /// Which pass.
        number: [u8; 16],
        /// Until when it is good.
        until: Moment,
    },
}

/// What becomes of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redeemed {
    /// It was not used before.
    First,
    /// It was.
    Again,
    /// So many are remembered that nobody can tell.
    NoRoom,
}

/// What the switchboard is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// The inbox is this client's now.
    Claimed {
        /// Whose.
        client: ClientId,
        /// On which connection its owner was until now.
        displaced: Option<ClientId>,
    },
    /// Some tokens had no room.
    Full {
        /// Whose.
        client: ClientId,
    },
    /// The list is whole, and what waits may be read.
    Whole {
        /// Whose.
        client: ClientId,
    },
    /// Mail came for who is here.
    Arrived {
        /// Who.
        client: ClientId,
        /// What.
        mail: Mail,
        /// Its place, if there was room to keep it until it is acknowledged.
        place: Option<Place>,
    },
    /// What waited.
    Waiting {
        /// For whom.
        client: ClientId,
        /// Oldest first.
        mail: Vec<(Place, Mail)>,
        /// There is more than was asked for.
        more: bool,
    },
    /// A pass was looked at.
    Redeemed {
        /// Whose.
        client: ClientId,
        /// Into which room.
        room: RoomId,
        /// What becomes of it.
        outcome: Redeemed,
    },
    /// A list had to give way to others', being the longest of the address that has most: only its beginning is left.
    /// Its owner has to come again.
    GaveWay {
        /// Whose.
        client: ClientId,
    },
}
