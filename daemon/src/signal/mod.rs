//! The signaling port: relay links and Noise sessions.
//!
//! Lives here: the task that owns them; orders in, reports out.
//! Must not: know what a call is beyond the rules' own messages, or how sound travels.

mod backoff;
mod dial;
pub mod dropped;
pub mod link;
mod links;
mod mirror;
mod outbox;
mod peer_line;
mod peers;
mod replay;
mod room_asks;
mod sessions;
mod task;
#[cfg(test)]
mod tests;
pub mod tls;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ahoy_call::{CallId, Event, GroupId, LegId, Opaque, PeerId, SignalOrder};
use ahoy_proto::card::Card;
use ahoy_proto::plate::{PlateAsk, PlateNews};
use ahoy_proto::room::{RoomAsk, RoomNews};
use ahoy_proto::words::Words;

use crate::values::diagnosis::LinkEar;
use crate::values::ice::IceServers;
use crate::values::roster::Roster;
pub use task::{Setup, spawn};

/// What holds until the engine says otherwise. It travels by a watch: the newest wins and none is lost.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// Who we are, who may speak to us, which tokens are listed. Nothing is done before there is one.
    pub roster: Option<Arc<Roster>>,
    /// One more file of certificate authorities.
    pub ca_file: Option<PathBuf>,
    /// What named groups are called here.
    pub groups: Arc<BTreeMap<GroupId, Words>>,
}

/// What the engine asks.
#[derive(Clone, Debug)]
pub enum SignalingOrder {
    /// An order of the rules.
    Call {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
        /// What.
        order: SignalOrder,
    },
    /// A sealed frame that came by the call's data channel.
    Frame {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// The call's data channel opened or closed.
    Channel {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
        /// Whether frames can go that way.
        open: bool,
    },
    /// Tell every device of a contact that we no longer know this call (after a crash).
    Bye {
        /// The call.
        call: CallId,
        /// The contact.
        peer: PeerId,
        /// They had called and we had not answered.
        unanswered: bool,
    },
    /// Tell every device of a contact that this account ends.
    Farewell(PeerId),
    /// Ask every device of a contact for a sign of life.
    Ping {
        /// For the report.
        job: CallId,
        /// The contact.
        peer: PeerId,
    },
    /// Answer this ping of theirs.
    Pong {
        /// As it was reported.
        call: CallId,
        /// The device.
        leg: LegId,
    },
    /// Send this card of ours to every device of a contact, until their relays have it.
    GiveCard {
        /// The contact.
        peer: PeerId,
        /// Ours, with a token for them.
        card: Box<Card>,
        /// They have an earlier one, and nobody has asked for this now.
        news: bool,
    },
    /// Our own network has changed: look whether the relays are still there.
    NetworkChanged,
    /// A call has lost its path and waits: look whether the relays are still there, and try again at once and often.
    Hurry,
    /// A path is about to begin and its credentials are about to end: ask for fresh ones.
    Refresh,
    /// Tell how each relay of ours stands, and how long a trip there takes.
    Look(LinkEar),
    /// A test call begins, and is to hear from itself by our relays.
    BeginMirror,
    /// Carry this there and back.
    Mirror(Opaque),
    /// It is over.
    EndMirror,
    /// Ask the relay at this address something about a number, by which two pair.
    Plate(String, PlateAsk),
    /// Ask a relay something about a room. Answered within 10 s.
    Room {
        /// For the answer.
        job: u64,
        /// At this address: one of ours, or that of a pass.
        relay: String,
        /// What.
        ask: RoomAsk,
    },
    /// Send what is queued, for at most one second, and end.
    Stop,
}

/// What the engine hears.
#[derive(Clone, Debug)]
pub enum Report {
    /// For the rules: `Rung`, `Received`, `Carried`, `Undeliverable`, `Bye`.
    Event(Event),
    /// Send this sealed frame over the call's data channel.
    Frame {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// A relay of ours carried what a test call tells itself.
    Looped {
        /// As it was given, or nothing: it had come by another relay.
        bytes: Opaque,
        /// So many relays have carried something for this test by now.
        relays: usize,
    },
    /// The relay at this address says something about a number.
    Plate(String, PlateNews),
    /// A relay's answer about a room.
    Room {
        /// Of the question.
        job: u64,
        /// None: it cannot be asked, or has not answered in time.
        news: Option<RoomNews>,
    },
    /// The connection to the relay at this address is another, or none.
    Anew(String),
    /// The links changed.
    Links(LinkState),
    /// A handshake with this contact was completed: they have our card.
    Mutual(PeerId),
    /// Whether a relay has taken a farewell for each device of this contact.
    Farewell {
        /// The contact.
        peer: PeerId,
        /// One has; else there was no way to tell it.
        told: bool,
    },
    /// This contact says that its account has ended.
    Ended(PeerId),
    /// A contact that may see whether we can be reached wants to know.
    Pinged {
        /// For the answer.
        call: CallId,
        /// The device.
        leg: LegId,
        /// Who.
        peer: PeerId,
    },
    /// A ping of ours is over.
    PingOver {
        /// As ordered.
        job: CallId,
        /// Who.
        peer: PeerId,
        /// How long the first answer took; none came if none.
        took: Option<Duration>,
    },
    /// A contact said whether it answers our pings.
    PingThere(PeerId, bool),
    /// A card of ours of this revision is at the relays of all devices of this contact.
    CardTaken(PeerId, u64),
    /// No relay took it, or not for all of them.
    CardNotTaken(PeerId),
    /// A contact sent its card, which may be a newer one: they have ours.
    Card(PeerId, Box<Card>),
    /// Somebody who is no contact sent a card, by a token of ours: they have a card that we gave out, and ask to be one.
    Asked {
        /// The token's hash.
        token: [u8; 16],
        /// Theirs, signed; its sender is a device on it.
        card: Box<Card>,
    },
    /// This token (its hash) came with a sealed message of this contact for the first time: keep the binding.
    Bound {
        /// The token's hash.
        token: [u8; 16],
        /// The contact.
        peer: PeerId,
    },
}

/// How we are connected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkState {
    /// At least one inbox of ours is claimed.
    pub online: bool,
    /// The relays, by their addresses, where one is.
    pub up: Vec<String>,
    /// Those of them that have rooms.
    pub rooms: Vec<String>,
    /// The last reason why a link failed; empty when all is well.
    pub error: String,
    /// STUN and TURN servers of our relays.
    pub ice_servers: IceServers,
}
