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
/// Of those at once, such as others have begun: there is always room to connect ourselves.
const INBOUND: usize = 48;
/// To one contact, such as we have begun: whoever says a contact's tags again is knocked at, and must not take the room of others.
const TO_CONTACT: usize = 8;
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
        let inbound = self.all.values().filter(|one| matches!(one.place, NearPlace::Connection(_))).count();
        if inbound >= INBOUND || self.all.len() >= CONNECTIONS || of_them >= OF_ADDRESS {
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
        let to_them = self.all.values().filter(|one| one.place == place).count();
        let has_room = self.all.len() < CONNECTIONS && to_them < TO_CONTACT;
        let Some(name) = name.filter(|_| has_room) else { return };
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

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use ahoy_call::PeerId;
    use ahoy_proto::envelope::{Body, EnvelopeId, Inbox, Token, Ttl};
    use ahoy_proto::neighbour::tag::{Hour, NeighbourKey};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn strangers_who_connect_and_say_nothing_leave_room_to_connect_ourselves() {
        let (reports, _heard) = mpsc::channel(1);
        let mut connections = Connections::new(reports);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let there = listener.local_addr().unwrap();
        let mut silent = Vec::new();
        for n in 0..CONNECTIONS {
            silent.push(TcpStream::connect(there).await.unwrap());
            let (stream, _) = listener.accept().await.unwrap();
            let from = IpAddr::from(Ipv4Addr::new(192, 0, 2, u8::try_from(n).unwrap()));
            connections.accept(stream, (from, 4_000).into(), 2);
        }
        assert_eq!(connections.all.len(), INBOUND);
        post(&mut connections, 1, there);
        assert_eq!(connections_to(&connections, 1), 1);
    }

    #[tokio::test]
    async fn whoever_says_a_contact_s_tags_at_many_doors_takes_no_room_of_other_contacts() {
        let (reports, _heard) = mpsc::channel(1);
        let mut connections = Connections::new(reports);
        for n in 0..CONNECTIONS {
            post(&mut connections, 1, (Ipv4Addr::new(127, 0, 1, u8::try_from(n).unwrap()), 9).into());
        }
        post(&mut connections, 2, (Ipv4Addr::LOCALHOST, 9).into());
        assert_eq!((connections_to(&connections, 1), connections_to(&connections, 2)), (TO_CONTACT, 1));
    }

    fn contact(of: u8) -> PeerId {
        PeerId::from_bytes([of; 16])
    }

    fn connections_to(connections: &Connections, of: u8) -> usize {
        connections.all.values().filter(|one| one.place == NearPlace::Contact(contact(of))).count()
    }

    /// An envelope to a contact, who is seen there.
    fn post(connections: &mut Connections, of: u8, at: SocketAddr) {
        let token = Token::from_bytes([9; 16]);
        let envelope = Envelope {
            inbox: Inbox::of(&[7; 32]),
            token,
            id: EnvelopeId::from_bytes([1; 16]),
            ttl: Ttl::new(std::time::Duration::from_secs(9)),
            body: Body::try_from(vec![1]).unwrap(),
        };
        let to = Seen { peer: contact(of), interface: 1, at, key: NeighbourKey::of(&token), hour: Hour(1) };
        connections.post_to(&to, Some("lo".to_owned()), envelope);
    }
}
