//! All connections to neighbours: who may have one, and by which an envelope goes.
//!
//! Lives here: their number and its bounds, what waits for each.
//! Must not: know what is said on one (`connection.rs`), or who is seen where (`seen.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use ahoy_proto::envelope::Envelope;
use ahoy_proto::neighbour::said::Said;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::connection::{self, Ends, FromConnection};
use super::seen::Seen;
use crate::values::near::NearPlace;

/// Connections at once, and of one address: a machine with several users that calls and is called.
const CONNECTIONS: usize = 64;
const OF_ADDRESS: usize = 8;
/// Envelopes that wait for one connection.
const OUTBOX: usize = 32;

/// One.
pub(super) struct Connection {
    pub(super) place: NearPlace,
    pub(super) at: SocketAddr,
    pub(super) interface: u32,
    outbox: mpsc::Sender<Said>,
}

impl Connection {
    /// Says that an envelope came.
    pub(super) fn accepted(&self, said: Said) {
        let _full = self.outbox.try_send(said);
    }

    fn hand(&self, envelope: Envelope) {
        if self.outbox.try_send(Said::Send(envelope)).is_err() {
            tracing::debug!("a neighbour is slow: an envelope is lost, and repeated later");
        }
    }
}

/// All of them.
pub(super) struct Connections {
    all: BTreeMap<u64, Connection>,
    tasks: JoinSet<()>,
    next: u64,
    reports: mpsc::Sender<(u64, FromConnection)>,
}

impl Connections {
    /// None yet. What they say goes there.
    pub(super) fn new(reports: mpsc::Sender<(u64, FromConnection)>) -> Self {
        Self { all: BTreeMap::new(), tasks: JoinSet::new(), next: 0, reports }
    }

    /// That one, while it stands.
    pub(super) fn get(&self, number: u64) -> Option<&Connection> {
        self.all.get(&number)
    }

    /// It is over, or somebody else's.
    pub(super) fn remove(&mut self, number: u64) -> Option<Connection> {
        self.all.remove(&number)
    }

    /// Only those by these interfaces go on.
    pub(super) fn keep(&mut self, interfaces: &BTreeSet<u32>) {
        self.all.retain(|_, one| interfaces.contains(&one.interface));
    }

    /// Somebody has connected.
    pub(super) fn accept(&mut self, stream: TcpStream, from: SocketAddr, interface: u32) {
        let of_them = self.all.values().filter(|one| one.at.ip() == from.ip()).count();
        if self.all.len() >= CONNECTIONS || of_them >= OF_ADDRESS {
            return tracing::debug!("a neighbour has too many connections");
        }
        let (number, ends) = self.enter(NearPlace::Connection, from, interface);
        self.tasks.spawn(connection::accept(stream, ends));
        tracing::debug!(number, "a neighbour has connected");
    }

    /// Carries an envelope by one that stands.
    pub(super) fn post(&self, number: u64, envelope: Envelope) {
        match self.all.get(&number) {
            Some(connection) => connection.hand(envelope),
            None => tracing::debug!("a neighbour's connection has ended: an envelope is lost"),
        }
    }

    /// Carries an envelope to a contact: by a connection that there is, or a new one from an interface of that name.
    pub(super) fn post_to(&mut self, to: &Seen, name: Option<String>, envelope: Envelope) {
        let place = NearPlace::Contact(to.peer);
        let there = |one: &&Connection| one.place == place && one.at == to.at;
        if let Some(connection) = self.all.values().find(there) {
            return connection.hand(envelope);
        }
        let Some(name) = name.filter(|_| self.all.len() < CONNECTIONS) else { return };
        let (number, ends) = self.enter(|_| place, to.at, to.interface);
        self.post(number, envelope);
        self.tasks.spawn(connection::dial(name, to.at, to.key, to.hour, ends));
    }

    /// Waits for the end of one. `None`: there is none.
    pub(super) async fn ended(&mut self) -> Option<()> {
        self.tasks.join_next().await.map(drop)
    }

    /// A place for a connection.
    fn enter(&mut self, place: impl FnOnce(u64) -> NearPlace, at: SocketAddr, interface: u32) -> (u64, Ends) {
        let number = self.next;
        self.next += 1;
        let (outbox, queue) = mpsc::channel(OUTBOX);
        self.all.insert(number, Connection { place: place(number), at, interface, outbox });
        (number, Ends { number, reports: self.reports.clone(), outbox: queue })
    }
}
