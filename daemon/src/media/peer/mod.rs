//! One path to one device: ICE, DTLS, packets and sealed frames. The only user of the WebRTC library.
//!
//! Lives here: a transport to one device; the library and our guards against its faults are behind it, so that another engine
//! can take its place.
//! Must not: know a call, a device's sound, or what a frame says.

mod addresses;
mod connection;
mod flights;
mod foreign;
mod gathering;
mod guard;
mod handler;
mod known;
mod memory;
mod names;
mod negotiation;
mod numbering;
mod pair;
mod probe;
mod readers;
mod reception;
mod room;
mod runtime;
mod sdp;
mod sending;
mod servers;
mod state;
mod task;
mod turn;
mod way;

pub use known::Known;
pub use names::Names;
pub use negotiation::Manners;
pub use probe::probe;
pub use room::{RoomPath, RoomSetup};

use ahoy_call::Role;
use tokio::sync::{mpsc, watch};

use super::transport::{PathOrder, Plan, QueueFull, Transport};
use crate::system::trust::Trust;
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
    /// Which certificates of TURN servers are believed.
    pub trust: Trust,
    /// Nobody but our TURN servers learns an address of ours: no other way is told, tried or taken.
    pub relay_only: bool,
    /// The other side is no ahoy but a browser or the like, with which descriptions are exchanged at any time; what we do when both
    /// begin. None: an ahoy, with which one exchange makes a path.
    pub foreign: Option<Manners>,
    /// That side takes no candidates after a description, so ours waits for all of them.
    pub whole: bool,
}

/// A handle to one path. Dropping it closes the path.
#[derive(Debug)]
pub struct Peer {
    orders: mpsc::Sender<PathOrder>,
}

impl Peer {
    /// A path that begins in this role. The member whose packets come by it is the device of its leg.
    pub fn plan(role: Role, setup: Setup) -> Plan {
        Box::new(|key, events| {
            let (orders, waiting) = mpsc::channel(QUEUE);
            (Box::new(Self { orders }), Box::pin(task::run(key, role, setup, waiting, events)))
        })
    }
}

impl Transport for Peer {
    fn order(&self, order: PathOrder) -> Result<(), QueueFull> {
        self.orders.try_send(order).map_err(|_| QueueFull)
    }
}
