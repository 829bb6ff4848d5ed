//! A room: what its signaling and its connection say to each other, and what both tell whoever holds the call.
//!
//! Lives here: names in a room, what is asked of the connection and what it answers, how a stay ends, what seals a frame.
//! Must not: know LiveKit's messages, or a packet.

use std::collections::BTreeMap;
use std::fmt;

use ahoy_call::LegId;
use tokio::sync::{mpsc, watch};

use super::ice::IceServer;

/// Bytes of a name in a room: those that our relays give have 32.
const IDENTITY_MAX: usize = 128;

/// Who somebody is in a room: random, of this call alone; the group's members say to each other whose it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(String);

impl Identity {
    /// A name as a room's server writes it; none that is empty or too long.
    pub fn new(text: &str) -> Option<Self> {
        (1..=IDENTITY_MAX).contains(&text.len()).then(|| Self(text.to_owned()))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<identity>")
    }
}

/// What a room's server calls a track. New each time that one is published.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrackSid(pub String);

/// A description of a connection (RFC 8866), of ours or of the server's.
#[derive(Clone, PartialEq, Eq)]
pub struct Sdp(pub String);

impl fmt::Debug for Sdp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sdp({} bytes)", self.0.len())
    }
}

/// A candidate as a JSON object (`RTCIceCandidateInit`, W3C WebRTC §4.8.1). Names an address, so it is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct RoomCandidate(pub String);

impl fmt::Debug for RoomCandidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<candidate>")
    }
}

/// What the signaling of a room asks of its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomAsk {
    /// Build a connection, in place of the one that there may be, and describe it: our voice, and so many sections to hear others in.
    /// Answered by [`RoomSaid::Offered`].
    Build {
        /// Of the description.
        number: u32,
        /// How many voices it can take at first.
        sections: usize,
    },
    /// The server took us: the first description counts from now on, and these servers may be asked for candidates.
    Begin(Vec<IceServer>),
    /// Describe it anew. Answered by [`RoomSaid::Offered`].
    Offer {
        /// Of the description.
        number: u32,
        /// Sections more to hear others in.
        more: usize,
        /// Whether another way is looked for (RFC 8445 §9).
        restart: bool,
    },
    /// The description under way, if there is one, is answered by nobody: what was agreed before stands.
    Withdraw,
    /// The server's answer to the last description.
    Answer(Sdp),
    /// A candidate of the server's. Comes after its answer.
    Candidate(RoomCandidate),
    /// Whose voice each track is. What comes of others is dropped.
    Tracks(BTreeMap<TrackSid, Identity>),
    /// The stay is over: everything is closed.
    Close,
}

/// What the connection of a room says to its signaling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomSaid {
    /// Our description of this number.
    Offered(u32, Sdp),
    /// A candidate of ours.
    Candidate(RoomCandidate),
    /// There are no more.
    Gathered,
    /// Packets can flow.
    Up,
    /// Nothing comes, or no way was found.
    Down,
    /// It cannot be built, or cannot be mended.
    Failed,
}

/// What a stay in a room tells its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomEvent {
    /// The server let us in, under this name.
    Entered(Identity),
    /// Packets flow; again after each loss.
    Up,
    /// They do not, and it is being mended.
    Down,
    /// Somebody is there.
    Here(Identity),
    /// Somebody is not there any more.
    Gone(Identity),
    /// Somebody publishes a voice that is not sealed, which is not listened to.
    Unsealed(Identity),
    /// The token is refused: it has ended, or the server's key is another. A new one is waited for, as long as the stay lasts.
    TokenRefused,
    /// It is over. Nothing follows.
    Ended(RoomEnd),
}

/// How a stay in a room ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoomEnd {
    /// We left.
    Left,
    /// Somebody else came with our name.
    Displaced,
    /// We were put out.
    Removed,
    /// The room was deleted.
    Deleted,
    /// The server let nobody in: it is full, or the request was not to its liking.
    Refused,
    /// The server knows no such room, or not this protocol.
    Absent,
    /// The server took us, and no packet ever got through.
    NoMedia,
    /// The server was not reached for too long.
    Unreachable,
    /// What the server said cannot be.
    Nonsense,
}

/// What seals the frames of our voice and opens those of others. Who makes packets need not know how.
pub trait FrameCipher: Send + Sync {
    /// A frame of ours as it travels; none without a key, and then nothing is sent.
    fn seal(&mut self, ssrc: u32, timestamp: u32, frame: &[u8]) -> Option<Vec<u8>>;
    /// A frame of somebody's, with the time stamp that its sender sealed it under: a server that passes packets on may count in its own
    /// way. None if it cannot be opened, which is counted.
    fn open(&mut self, from: &Identity, frame: &[u8]) -> Option<(u32, Vec<u8>)>;
}

/// What a connection to a room works with, besides what is ours alone: the ends of its talk with the signaling, what seals, and whose
/// device each identity is.
pub struct RoomEnds {
    /// From the room's signaling.
    pub asks: mpsc::Receiver<RoomAsk>,
    /// To it.
    pub says: mpsc::Sender<RoomSaid>,
    /// Seals what leaves and opens what comes.
    pub cipher: Box<dyn FrameCipher>,
    /// What comes from others is not passed on.
    pub legs: watch::Receiver<BTreeMap<Identity, LegId>>,
}

impl fmt::Debug for RoomEnds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoomEnds")
    }
}
