//! One path to one device: ICE, DTLS, voice packets and sealed frames. The only user of the WebRTC library.
//!
//! Lives here: what a session may ask of a path and what it hears; the library and our guards against its faults
//! are behind it, so that another engine can take its place.
//! Must not: know a call, a device's sound, or what a frame says.

mod addresses;
mod connection;
mod guard;
mod handler;
mod names;
mod readers;
mod reception;
mod runtime;
mod servers;
mod task;

pub use names::{Known, Names};

use std::future::Future;
use std::time::Duration;

use ahoy_call::{Description, MediaFault, Opaque, Role};
use tokio::sync::{mpsc, watch};

use crate::values::ice::IceServer;

/// Orders that wait for the task of one path. A full queue is a failed path.
const QUEUE: usize = 128;

/// What a path is built with.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Network interfaces to use; every one but loopback if empty or `auto`, loopback too if there is nothing else.
    pub interfaces: Vec<String>,
    /// STUN and TURN servers.
    pub ice_servers: Vec<IceServer>,
    /// The addresses of their names; without it only literal ones are used.
    pub names: Option<watch::Receiver<Known>>,
}

/// One RTP packet of voice, as it travels (RFC 3550 §5.1).
#[derive(Clone, PartialEq, Eq)]
pub struct Voice {
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp, in samples of 48 kHz.
    pub timestamp: u32,
    /// The marker bit: the first packet after a pause.
    pub first: bool,
    /// One Opus packet.
    pub payload: Vec<u8>,
}

impl std::fmt::Debug for Voice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Voice({}, {} bytes)", self.sequence, self.payload.len())
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

/// What a path tells its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathEvent {
    /// Our description is ready to be sent. Comes once, before any candidate.
    Described(Description),
    /// Candidates of ours were gathered.
    Candidates {
        /// As text (RFC 8839 §5.1).
        list: Vec<Opaque>,
        /// No more will follow.
        complete: bool,
    },
    /// ICE and DTLS are up. Comes again after a loss that healed by itself.
    Up,
    /// Nothing came for 1.5 s, or ICE never found a way.
    Lost,
    /// ICE is up, DTLS was not within 2.5 s.
    Stuck,
    /// The path cannot be built. Nothing follows.
    Failed(MediaFault),
    /// A voice packet came. Dropped when the session is slow.
    Voice(Voice),
    /// The other side reported.
    Reception(Reception),
    /// A frame came over the data channel.
    Frame(Vec<u8>),
    /// The data channel opened or closed.
    Channel(bool),
}

/// What a session asks of a path.
#[derive(Debug)]
enum PathOrder {
    Remote(Description),
    Candidates(Vec<Opaque>),
    Voice(Voice),
    Frame(Vec<u8>),
}

/// The queue of the path is full or its task is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the path takes no more orders")]
pub struct QueueFull;

/// A handle to one path. Dropping it closes the path.
#[derive(Debug)]
pub struct Peer {
    asked: mpsc::Sender<PathOrder>,
}

impl Peer {
    /// A handle, and the task that the caller must run until it ends: it ends when the handle is dropped, with every
    /// socket closed. What happens comes as `(key, …)`.
    pub fn build<K: Copy + Send + Sync + 'static>(
        key: K,
        role: Role,
        setup: Setup,
        told: mpsc::Sender<(K, PathEvent)>,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (asked, orders) = mpsc::channel(QUEUE);
        (Self { asked }, task::run(key, role, setup, orders, told))
    }

    /// The other side's answer to our offer.
    pub fn remote(&self, answer: Description) -> Result<(), QueueFull> {
        self.ask(PathOrder::Remote(answer))
    }

    /// Candidates of the other side. May come before its description.
    pub fn candidates(&self, list: Vec<Opaque>) -> Result<(), QueueFull> {
        self.ask(PathOrder::Candidates(list))
    }

    /// Send a voice packet; dropped while the path is not up.
    pub fn voice(&self, packet: Voice) -> Result<(), QueueFull> {
        self.ask(PathOrder::Voice(packet))
    }

    /// Send a frame over the data channel; dropped while it is not open. It may get lost or overtaken.
    pub fn frame(&self, bytes: Vec<u8>) -> Result<(), QueueFull> {
        self.ask(PathOrder::Frame(bytes))
    }

    fn ask(&self, asked: PathOrder) -> Result<(), QueueFull> {
        self.asked.try_send(asked).map_err(|_| QueueFull)
    }
}
