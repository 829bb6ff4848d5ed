//! What carries the sound and the frames of a call: to one device, or to several at once.
//!
//! Lives here: what a session may ask of a transport, and what it hears of it. A connection to one device is in `peer/`.
//! Must not: know how packets travel, or what a frame says.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use ahoy_call::{Description, LegId, MediaFault, Opaque};
use tokio::sync::mpsc;

use super::dtmf::Event;
use super::feedback::Feedback;
use super::wanted::Key;
use crate::values::line::{Ciphers, Pair};

/// What of a device travels as packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Track {
    /// What its microphone hears, as Opus.
    Voice,
}

/// One packet of a track (RFC 3550 §5.1).
#[derive(Clone, PartialEq, Eq)]
pub struct Packet {
    /// Sequence number; one more than the packet before, wrapping. A transport counts by numbers of its own: a gap here is a gap
    /// there.
    pub sequence: u16,
    /// Timestamp, in samples of 48 kHz. It goes over every path as it is.
    pub timestamp: u32,
    /// The marker bit: the first packet after a pause.
    pub first: bool,
    /// What the codec made: one frame of 20 ms, or several.
    pub payload: Vec<u8>,
    /// Earlier frames once more, the oldest first (RFC 2198).
    pub copies: Vec<Copy>,
    /// The digit that sounds meanwhile: to who takes events it goes in place of all this, under the same number. What comes holds
    /// nothing else then.
    pub event: Option<Event>,
}

/// An earlier frame that travels with a packet.
#[derive(Clone, PartialEq, Eq)]
pub struct Copy {
    /// Frames of 20 ms before the first one of the packet that it travels with.
    pub distance: u8,
    /// The same bytes that were sent at first.
    pub payload: Vec<u8>,
}

impl fmt::Debug for Copy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Copy(-{}, {} bytes)", self.distance, self.payload.len())
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Packet({}, {} bytes, {} copies)", self.sequence, self.payload.len(), self.copies.len())
    }
}

/// How the other side got our voice lately, as it reports about once a second (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reception {
    /// Of 256 packets this many were lost since its last report.
    pub lost: u8,
    /// To the other side and back; none before it has heard of ours.
    pub round_trip: Option<Duration>,
}

/// What the other side takes beside plain packets of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Takes {
    /// Copies with a packet (RFC 2198).
    pub copies: bool,
    /// To be asked for a packet again (RFC 4585).
    pub asks: bool,
    /// [`Feedback`].
    pub feedback: bool,
    /// Digits as telephone events (RFC 4733).
    pub events: bool,
    /// Frames of 20 ms in one packet, 1 to 6.
    pub frames: u8,
}

impl Default for Takes {
    fn default() -> Self {
        Self { copies: false, asks: false, feedback: false, events: false, frames: 1 }
    }
}

/// Which way a track may flow, seen from who says it (RFC 8866 §6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// From here.
    pub send: bool,
    /// To here.
    pub receive: bool,
}

impl Flow {
    /// Both ways.
    pub const BOTH: Self = Self { send: true, receive: true };
}

/// Why a connection is described anew. The higher one includes the lower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Renewal {
    /// So that both sides know what flows.
    Describe,
    /// To look for another way, too (ICE restart, RFC 8445 §9). What flows stops until one is found.
    Restart,
}

/// What a transport tells its session.
#[derive(Clone, Debug, PartialEq)]
pub enum PathEvent {
    /// Our description is ready to be sent. Comes before any candidate; once, or with each exchange if the other side is no ahoy.
    Described(Description),
    /// Candidates of ours were gathered.
    Candidates {
        /// As text (RFC 8839 §5.1); for who is no ahoy, each as a JSON object (`RTCIceCandidateInit`, W3C WebRTC §4.8.1).
        list: Vec<Opaque>,
        /// No more will follow.
        complete: bool,
    },
    /// Packets can flow. Comes again after a loss that healed by itself.
    Up,
    /// Nothing came for 1.5 s, or no way was found.
    Lost,
    /// The address that its packets leave from has gone with its network, and there is another one. It may come back all the same.
    Gone,
    /// A way was found, and no keys were agreed on in time.
    Stuck,
    /// It cannot be built. Nothing follows.
    Failed(MediaFault),
    /// A packet came. Dropped when the session is slow.
    Packet {
        /// Whose device it is of.
        member: LegId,
        /// What it is of.
        track: Track,
        /// The packet.
        packet: Packet,
    },
    /// What the other side takes, by its description. Comes before `Up`.
    Takes(Takes),
    /// Packets go between these ends from now on. Comes after `Up`, and when they change.
    Pair(Pair),
    /// What keeps them secret. Comes once, after `Up`.
    Ciphers(Ciphers),
    /// The other side reported.
    Reception(Reception),
    /// The other side tells how our voice comes.
    Feedback(Feedback),
    /// The other side asked for so many packets again.
    Asked(usize),
    /// A frame came over the data channel.
    Frame(Vec<u8>),
    /// The data channel opened or closed.
    Channel(bool),
}

/// Where transports tell what happens, each with its name.
pub type Events = mpsc::Sender<(Key, PathEvent)>;

/// The queue of the transport is full or its task is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the path takes no more orders")]
pub struct QueueFull;

/// What a session asks of a transport.
#[derive(Debug)]
pub enum PathOrder {
    /// The other side's answer to our offer; of who is no ahoy, whatever it says, at any time.
    Remote(Description),
    /// Candidates of the other side, written as ours are. May come before its description.
    Candidates(Vec<Opaque>),
    /// Describe the connection anew, now or when what is under way is done. Between two ahoys nothing happens: they build a new path
    /// beside the old one.
    Renew(Renewal),
    /// How the voice may flow as far as we are concerned, which the other side is told. Between two ahoys nothing happens: they say
    /// who holds the call in words of their own.
    Flow(Flow),
    /// Send a packet of this track; dropped while the transport is not up.
    Packet(Track, Packet),
    /// Ask for these packets of the other side's voice again, by their sequence numbers.
    Ask(Vec<u16>),
    /// Tell the other side how its voice comes.
    Feedback(Feedback),
    /// Send again what is asked for, or no more.
    Repeat(bool),
    /// Never send again what was sent before.
    Forget,
    /// Our network has changed: tell whether the path has gone with it.
    Look,
    /// Send a frame over the data channel; dropped while it is not open. It may get lost or overtaken.
    Frame(Vec<u8>),
}

/// A handle to what carries tracks and frames. Dropping it closes everything.
pub trait Transport: Send {
    /// Gives an order, without waiting.
    fn order(&self, order: PathOrder) -> Result<(), QueueFull>;
}

/// A transport, and the task that its owner must run until it ends: it ends when the transport is dropped, with every socket closed.
pub type Begun = (Box<dyn Transport>, Pin<Box<dyn Future<Output = ()> + Send>>);

/// What begins a transport under this name, for a session that need not know its kind.
pub type Plan = Box<dyn FnOnce(Key, Events) -> Begun + Send>;
