//! Neighbours: contacts on a local network that a person trusts, reached without a relay.
//!
//! Lives here: which networks there are and which of them are trusted; being found and finding others there by multicast DNS,
//! under names and tags that mean nothing to strangers; connections that are encrypted before anything is said, by which sealed
//! envelopes come and go; two who pair without a relay.
//! Must not: send anything on a network that is not trusted; announce what others could follow; open an envelope, know a session
//! or a call, judge an inbox or a token (signaling does).

mod circle;
mod connection;
mod connections;
mod dns;
mod gateways;
mod keys;
mod pairing;
mod place;
mod presence;
mod seen;
mod sockets;
mod task;

use std::sync::Arc;

use ahoy_call::PeerId;
use ahoy_proto::plate::{PlateAsk, PlateNews};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::values::near::{Judged, NearNews, NearPost, NearView};
use crate::values::roster::Roster;

/// Hears a packet as one that came by multicast DNS, and judges what it leads to. True if it was understood.
#[cfg(any(test, feature = "sample"))]
pub fn tried(packet: &[u8]) -> bool {
    dns::tried::packet(packet)
}

/// What holds until the engine says otherwise.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// Nothing is done otherwise, nor before there is a roster.
    pub enabled: bool,
    /// Who may find us, and whom we may find.
    pub roster: Option<Arc<Roster>>,
    /// Contacts, those first that were called or added last.
    pub recent: Arc<[PeerId]>,
    /// Hashes of tokens of ours that nobody has used yet, the newest first.
    pub unused: Arc<[[u8; 16]]>,
    /// Where: on those of these that are trusted.
    pub judged: Vec<Judged>,
    /// How often this machine's network has changed.
    pub networks: u64,
}

/// What the engine asks.
#[derive(Debug)]
pub enum Order {
    /// About a number by which two pair.
    Plate(PlateAsk),
    /// Offer this number too, which a relay gave.
    Offer(u32),
    /// Find out which network this is: the person is about to trust it.
    Look,
}

/// What the engine hears.
#[derive(Debug)]
pub enum Report {
    /// What is shown.
    View(NearView),
    /// About a number.
    Plate(PlateNews),
}

/// What the task is given.
#[derive(Debug)]
pub struct Setup {
    /// What holds, from the beginning and later.
    pub standing: watch::Receiver<Standing>,
    /// Orders of the engine.
    pub orders: mpsc::Receiver<Order>,
    /// For the engine.
    pub reports: mpsc::Sender<Report>,
    /// Envelopes of signaling's.
    pub posts: mpsc::Receiver<NearPost>,
    /// For signaling.
    pub news: mpsc::Sender<NearNews>,
}

/// Begins the task. It ends when the engine's orders do.
pub fn spawn(setup: Setup) -> JoinHandle<()> {
    #[expect(clippy::disallowed_methods, reason = "the neighbours' task, ended by its orders")]
    tokio::spawn(task::run(setup))
}
