//! One connection to the server of a room: the second kind of transport, over which many are heard.
//!
//! Lives here: its handle and what it is built with. What is negotiated is told by the room's signaling, which knows nothing of packets.
//! Must not: know that server's messages, or what a frame is sealed with.

mod answer;
mod connection;
mod task;

use std::collections::BTreeMap;

use ahoy_call::LegId;
use tokio::sync::{mpsc, watch};

use crate::media::transport::{PathOrder, Plan, QueueFull, Transport};
use crate::values::room::{FrameCipher, Identity, RoomAsk, RoomSaid};

/// Orders that wait for the task. A full queue is a failed path.
const QUEUE: usize = 128;

/// What a connection to a room is built with.
pub struct RoomSetup {
    /// Network interfaces to use, as between two devices.
    pub interfaces: Vec<String>,
    /// Packets go by TURN servers of the room alone.
    pub relay_only: bool,
    /// From the room's signaling.
    pub asks: mpsc::Receiver<RoomAsk>,
    /// To it.
    pub says: mpsc::Sender<RoomSaid>,
    /// Seals what leaves and opens what comes.
    pub cipher: Box<dyn FrameCipher>,
    /// Whose device each identity is. What comes from others is not passed on.
    pub legs: watch::Receiver<BTreeMap<Identity, LegId>>,
}

/// A handle to it. Dropping it closes the connection, and with it the stay in the room.
#[derive(Debug)]
pub struct RoomPath {
    orders: mpsc::Sender<PathOrder>,
}

impl RoomPath {
    /// A connection that does as the room's signaling asks.
    pub fn plan(setup: RoomSetup) -> Plan {
        Box::new(|key, events| {
            let (orders, waiting) = mpsc::channel(QUEUE);
            (Box::new(Self { orders }), Box::pin(task::run(key, setup, waiting, events)))
        })
    }
}

impl Transport for RoomPath {
    fn order(&self, order: PathOrder) -> Result<(), QueueFull> {
        self.orders.try_send(order).map_err(|_| QueueFull)
    }
}
