//! The neighbours' task: it owns the networks and the connections.
//!
//! Lives here: the loop, and what each input does.
//! Must not: decide what `dns/`, `circle.rs`, `place.rs` or `pairing.rs` can decide without it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use ahoy_call::{Moment, PeerId};
use ahoy_proto::envelope::Envelope;
use ahoy_proto::neighbour::said::Said;
use ahoy_proto::neighbour::tag::{Hour, NeighbourKey};
use ahoy_proto::plate::{PlateAsk, PlateNews, PlateOver};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::circle::{Circle, Keys};
use super::connection::{self, Ends, FromConnection};
use super::dns::Says;
use super::pairing::{self, Pairing};
use super::place::{self, Place};
use super::presence::{Input, Presence};
use super::{Order, Report, Setup, Standing, keys, sockets};
use crate::system::clock;
use crate::system::netlink::Network;
use crate::values::near::{NearNews, NearPlace, NearPost, NearView, NetworkRow, Trusted};

/// What waits of each kind.
const QUEUE: usize = 64;
/// Connections at once, and of one address: a machine with several users that calls and is called.
const CONNECTIONS: usize = 64;
const OF_ADDRESS: usize = 8;
/// Envelopes that wait for one connection.
const OUTBOX: usize = 32;
/// How often it is looked for a gateway whose hardware address is not known, and how long between.
const LOOKS: u8 = 10;
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Somebody who is seen: where, by which interface, and the key for it.
#[derive(Clone, Debug)]
struct At {
    peer: PeerId,
    interface: u32,
    at: SocketAddr,
    key: NeighbourKey,
    hour: Hour,
}

/// A connection.
struct Connection {
    place: NearPlace,
    at: SocketAddr,
    interface: u32,
    outbox: mpsc::Sender<Said>,
}

struct Task {
    standing: watch::Receiver<Standing>,
    reports: mpsc::Sender<Report>,
    news: mpsc::Sender<NearNews>,
    inputs: mpsc::Sender<(u32, Input)>,
    from_connections: mpsc::Sender<(u64, FromConnection)>,
    from_pairing: mpsc::Sender<pairing::Heard>,
    chosen: mpsc::Sender<Keys>,
    places: Vec<Place>,
    presences: BTreeMap<u32, Presence>,
    circle: Circle,
    seen: Vec<At>,
    connections: BTreeMap<u64, Connection>,
    tasks: JoinSet<()>,
    next: u64,
    pairing: Pairing,
    /// The gateway is asked for so often yet, next then.
    looks: (u8, Moment),
    shown: Option<NearView>,
    told: BTreeSet<PeerId>,
    /// Keys are being chosen; again afterwards.
    choosing: Option<bool>,
}

/// Runs until the engine's orders end.
pub(super) async fn run(setup: Setup) {
    let Setup { mut standing, mut orders, reports, mut posts, news } = setup;
    let (inputs, mut came) = mpsc::channel(QUEUE);
    let (from_connections, mut said) = mpsc::channel(QUEUE);
    let (from_pairing, mut paired) = mpsc::channel(QUEUE);
    let (chosen, mut keys) = mpsc::channel(1);
    standing.mark_changed();
    let mut task = Task {
        standing,
        reports,
        news,
        inputs,
        from_connections,
        from_pairing,
        chosen,
        places: Vec::new(),
        presences: BTreeMap::new(),
        circle: Circle::default(),
        seen: Vec::new(),
        connections: BTreeMap::new(),
        tasks: JoinSet::new(),
        next: 0,
        pairing: Pairing::default(),
        looks: (0, Moment::default()),
        shown: None,
        told: BTreeSet::new(),
        choosing: None,
    };
    loop {
        task.keep_hour();
        let due = task.deadline();
        tokio::select! {
            biased;
            order = orders.recv() => match order {
                Some(order) => task.on_order(order),
                None => break,
            },
            Ok(()) = task.standing.changed() => task.stand(),
            Some(chosen) = keys.recv() => task.choose(chosen),
            Some(post) = posts.recv() => task.post(post),
            Some((number, what)) = said.recv() => task.on_connection(number, what).await,
            Some(heard) = paired.recv() => task.on_pairing(heard),
            Some((interface, input)) = came.recv() => task.on_input(interface, input),
            Some(_) = task.tasks.join_next(), if !task.tasks.is_empty() => {}
            () = clock::at(due), if due.is_some() => task.tick(),
        }
        task.show();
    }
    let now = clock::now();
    task.presences.values_mut().for_each(|presence| presence.leave(now));
}

impl Task {
    fn deadline(&self) -> Option<Moment> {
        let told = self.presences.values().filter_map(|presence| presence.dns.deadline());
        let wanted = self.pairing.wanted.map(|(_, until)| until);
        let look = (self.looks.0 > 0).then_some(self.looks.1);
        told.chain(wanted).chain(look).chain(self.hour_ends()).min()
    }

    /// When tags change, while there is anybody to see them. Who sets the calendar wakes us too, by the engine.
    fn hour_ends(&self) -> Option<Moment> {
        let left = this_hour().ends_s().saturating_mul(1_000_000).saturating_sub(clock::unix_us());
        let left = Duration::from_micros(u64::try_from(left).unwrap_or(0));
        (!self.presences.is_empty()).then(|| clock::now() + left)
    }

    /// It may be another hour by now.
    fn keep_hour(&mut self) {
        if !self.presences.is_empty() && self.circle.hour() != Some(this_hour()) {
            self.turn();
        }
    }

    /// Goes by what holds now.
    fn stand(&mut self) {
        self.look();
        match &mut self.choosing {
            Some(again) => *again = true,
            None => self.begin_choosing(),
        }
    }

    fn begin_choosing(&mut self) {
        // Cards are read only where somebody could be found.
        if self.presences.is_empty() {
            return;
        }
        self.choosing = Some(false);
        let (standing, chosen) = (self.standing.borrow().clone(), self.chosen.clone());
        let read = move || drop(chosen.blocking_send(keys::choose(&standing)));
        drop(tokio::task::spawn_blocking(read));
    }

    fn choose(&mut self, keys: Keys) {
        if self.choosing.take() == Some(true) {
            self.begin_choosing();
        }
        if self.circle.set(keys) {
            self.turn();
        }
    }

    /// Looks which networks there are, and is present where that is trusted.
    fn look(&mut self) {
        let now = clock::now();
        self.places = place::places(&Network::look(), Network::hardware);
        let wanted: BTreeMap<u32, Place> = self
            .places
            .iter()
            .filter(|it| self.is_trusted(it))
            .map(|it| (it.interface, it.clone()))
            .collect();
        let before = self.presences.len();
        self.presences.retain(|interface, presence| {
            let stays = wanted.get(interface) == Some(&presence.place);
            if !stays {
                presence.leave(now);
            }
            stays
        });
        let mut changed = before != self.presences.len();
        for (interface, place) in wanted {
            if self.presences.contains_key(&interface) {
                continue;
            }
            match Presence::begin(now, place, self.inputs.clone()) {
                Ok(presence) => {
                    self.presences.insert(interface, presence);
                    changed = true;
                }
                Err(error) => tracing::warn!(%error, "neighbours cannot be reached"),
            }
        }
        if changed {
            let here: BTreeSet<u32> = self.presences.keys().copied().collect();
            self.connections.retain(|_, one| here.contains(&one.interface));
            self.turn();
            if self.choosing.is_none() {
                self.begin_choosing();
            }
        }
        self.look_for_gateways(now);
    }

    fn is_trusted(&self, place: &Place) -> bool {
        let standing = self.standing.borrow();
        let of = Trusted::of(&row(place, false));
        standing.enabled && of.is_some_and(|of| standing.trusted.contains(&of))
    }

    /// Where the numbers are those of a trusted network and the kernel does not know the gateway yet, it is asked for. Nowhere else
    /// is anything sent.
    fn look_for_gateways(&mut self, now: Moment) {
        let standing = self.standing.borrow();
        let like = |place: &&Place| {
            place.id.is_none() && standing.trusted.iter().any(|of| of.prefix == place.prefix)
        };
        let unknown: Vec<&Place> = self.places.iter().filter(like).collect();
        if !standing.enabled || unknown.is_empty() {
            self.looks.0 = 0;
            return;
        }
        if self.looks.0 == 0 {
            self.looks.0 = LOOKS;
            unknown.into_iter().for_each(sockets::ask_who_is);
        }
        self.looks = (self.looks.0 - 1, now + LOOK_AGAIN);
    }

    /// Other tags, other names.
    fn turn(&mut self) {
        let (now, hour) = (clock::now(), this_hour());
        self.circle.turn(hour);
        let mut chance = [[0; 8]; ahoy_proto::limits::NEIGHBOUR_TAGS];
        for presence in self.presences.values_mut() {
            let drawn = getrandom::fill(chance.as_flattened_mut());
            let tags = if drawn.is_ok() { self.circle.announced(&chance) } else { Vec::new() };
            if let Err(error) = presence.set_tags(now, tags) {
                tracing::warn!(%error, "neighbours cannot connect");
            }
        }
        self.recognize();
    }

    fn tick(&mut self) {
        let now = clock::now();
        let mut changed = false;
        for presence in self.presences.values_mut() {
            changed |= presence.tick(now);
        }
        if changed {
            self.recognize();
        }
        if self.looks.0 > 0 && self.looks.1 <= now {
            self.look();
        }
        if self.pairing.wanted.is_some_and(|(_, until)| until <= now) {
            self.pairing.clear();
            self.report(Report::Plate(PlateNews::Over(PlateOver::NoSuch)));
        }
    }

    fn on_input(&mut self, interface: u32, input: Input) {
        let Some(presence) = self.presences.get_mut(&interface) else { return };
        match input {
            Input::Packet(from, bytes) => {
                let mut chance = [0];
                // Without chance every answer comes at once: no harm.
                let _none = getrandom::fill(&mut chance);
                let now = clock::now();
                let changed = presence.dns.hear(now, from, &bytes, chance[0]);
                presence.tick(now);
                if changed {
                    self.recognize();
                }
            }
            Input::Connected(stream, from) => {
                let of_them = self.connections.values().filter(|one| one.at.ip() == from.ip()).count();
                if self.connections.len() >= CONNECTIONS || of_them >= OF_ADDRESS {
                    return tracing::debug!("a neighbour has too many connections");
                }
                let (number, ends) = self.enter(NearPlace::Connection, from, interface);
                self.tasks.spawn(connection::accept(stream, ends));
                tracing::debug!(number, "a neighbour has connected");
            }
        }
    }

    /// A place for a connection.
    fn enter(&mut self, place: impl FnOnce(u64) -> NearPlace, at: SocketAddr, interface: u32) -> (u64, Ends) {
        let number = self.next;
        self.next += 1;
        let (outbox, queue) = mpsc::channel(OUTBOX);
        self.connections.insert(number, Connection { place: place(number), at, interface, outbox });
        (number, Ends { number, reports: self.from_connections.clone(), outbox: queue })
    }

    async fn on_connection(&mut self, number: u64, what: FromConnection) {
        let Some(connection) = self.connections.get(&number) else { return };
        match what {
            FromConnection::Knocked(tag, reply) => {
                // Who asked may have given up.
                let _gone = reply.send(self.circle.named(tag));
            }
            FromConnection::Pairs(plate, stream) => {
                self.connections.remove(&number);
                if self.pairing.meet(plate, stream, self.from_pairing.clone()) {
                    self.offer_number();
                }
            }
            FromConnection::Said(Said::Send(envelope)) => {
                let id = envelope.id;
                // Signaling waits for no neighbour, so waiting for it cannot lock up; it answers for nobody, as a relay does not.
                if self.news.send(NearNews::Came(connection.place, envelope)).await.is_ok() {
                    let _full = connection.outbox.try_send(Said::Accepted(id));
                }
            }
            FromConnection::Said(Said::Accepted(id)) => {
                let _gone = self.news.send(NearNews::Accepted(connection.place, id)).await;
            }
            FromConnection::Ended(nobody) => {
                let (at, interface) = (connection.at, connection.interface);
                self.connections.remove(&number);
                if nobody && let Some(presence) = self.presences.get_mut(&interface) {
                    // It has other names by now, or is gone.
                    if presence.dns.forget(at) {
                        presence.dns.ask(clock::now());
                    }
                    self.recognize();
                }
            }
        }
    }

    /// Carries an envelope, by a connection that there is or a new one.
    fn post(&mut self, NearPost { to, envelope }: NearPost) {
        match to {
            NearPlace::Connection(number) => match self.connections.get(&number) {
                Some(connection) => hand(connection, envelope),
                None => tracing::debug!("a neighbour's connection has ended: an envelope is lost"),
            },
            NearPlace::Contact(peer) => {
                let seen: Vec<At> = self.seen.iter().filter(|at| at.peer == peer).cloned().collect();
                for at in seen {
                    self.post_at(at, envelope.clone());
                }
            }
        }
    }

    fn post_at(&mut self, to: At, envelope: Envelope) {
        let At { peer, interface, at, key, hour } = to;
        let there = |one: &&Connection| one.place == NearPlace::Contact(peer) && one.at == at;
        if let Some(connection) = self.connections.values().find(there) {
            return hand(connection, envelope);
        }
        let name = self.presences.get(&interface).map(|presence| presence.place.name.clone());
        let Some(name) = name.filter(|_| self.connections.len() < CONNECTIONS) else { return };
        let (number, ends) = self.enter(|_| NearPlace::Contact(peer), at, interface);
        if let Some(connection) = self.connections.get(&number) {
            hand(connection, envelope);
        }
        self.tasks.spawn(connection::dial(name, at, key, hour, ends));
    }

    /// Who is seen now, and who is looked for to pair.
    fn recognize(&mut self) {
        let mut seen: Vec<At> = Vec::new();
        let mut numbers = Vec::new();
        for (interface, presence) in &self.presences {
            for one in presence.dns.seen() {
                match &one.says {
                    Says::Number(number) => numbers.push((*number, *interface, one.at)),
                    Says::Tags(tags) => {
                        let Some((key, hour, peer)) = self.circle.recognize(tags) else { continue };
                        // One way to each machine is enough.
                        let known = |at: &At| {
                            at.peer == peer
                                && at.key == key
                                && at.at.is_ipv4() != one.at.is_ipv4()
                                && at.at.port() == one.at.port()
                        };
                        if !seen.iter().any(known) {
                            seen.push(At { peer, interface: *interface, at: one.at, key, hour });
                        }
                    }
                }
            }
        }
        self.seen = seen;
        if let Some((wanted, _)) = self.pairing.wanted
            && let Some((_, interface, at)) = numbers.into_iter().find(|(number, _, _)| *number == wanted)
            && let Some(presence) = self.presences.get(&interface)
        {
            self.pairing.join(presence.place.name.clone(), at, self.from_pairing.clone());
        }
    }

    fn on_order(&mut self, order: Order) {
        let now = clock::now();
        match order {
            Order::Look => {
                let unknown = self.places.iter().filter(|place| place.id.is_none());
                unknown.for_each(sockets::ask_who_is);
                // Who asks again does not put off the look that is due.
                if self.looks.0 == 0 {
                    self.looks = (LOOKS, now + LOOK_AGAIN);
                }
            }
            Order::Offer(number) => {
                self.pairing.clear();
                self.pairing.offered = Some(number);
                self.offer_number();
            }
            Order::Plate(PlateAsk::Claim) => {
                let number = draw_number().filter(|_| !self.presences.is_empty());
                self.pairing.clear();
                self.pairing.offered = number;
                self.offer_number();
                self.report(Report::Plate(match number {
                    Some(number) => PlateNews::Claimed(number, ahoy_proto::limits::PLATE_LIVES),
                    None => PlateNews::Over(PlateOver::Full),
                }));
            }
            Order::Plate(PlateAsk::Join(number)) => {
                self.pairing.look_for(now, number);
                self.offer_number();
                for presence in self.presences.values_mut() {
                    presence.dns.ask(now);
                    presence.tick(now);
                }
                self.recognize();
            }
            Order::Plate(PlateAsk::Say(body)) => self.pairing.say(body),
            Order::Plate(PlateAsk::Leave) => {
                self.pairing.clear();
                self.offer_number();
            }
        }
    }

    fn on_pairing(&mut self, heard: pairing::Heard) {
        if let Some(news) = self.pairing.hear(heard) {
            self.report(Report::Plate(news));
        }
    }

    fn offer_number(&mut self) {
        let now = clock::now();
        for presence in self.presences.values_mut() {
            presence.set_number(now, self.pairing.offered);
            presence.tick(now);
        }
    }

    /// Tells what is to be shown, and whom signaling can reach this way, where that is another.
    fn show(&mut self) {
        let seen: BTreeSet<PeerId> = self.seen.iter().map(|at| at.peer).collect();
        if self.told != seen && self.news.try_send(NearNews::Seen(seen.clone())).is_ok() {
            self.told = seen.clone();
        }
        let networks =
            self.places.iter().map(|place| row(place, self.presences.contains_key(&place.interface)));
        let view = NearView { networks: networks.collect(), seen };
        if self.shown.as_ref() != Some(&view) && self.reports.try_send(Report::View(view.clone())).is_ok() {
            self.shown = Some(view);
        }
    }

    fn report(&self, report: Report) {
        if self.reports.try_send(report).is_err() {
            tracing::debug!("the engine does not hear of a pairing among neighbours");
        }
    }
}

fn hand(connection: &Connection, envelope: Envelope) {
    if connection.outbox.try_send(Said::Send(envelope)).is_err() {
        tracing::debug!("a neighbour is slow: an envelope is lost, and repeated later");
    }
}

fn row(place: &Place, trusted: bool) -> NetworkRow {
    NetworkRow { interface: place.name.clone(), prefix: place.prefix.clone(), id: place.id, trusted }
}

fn this_hour() -> Hour {
    Hour::at(clock::unix_us().div_euclid(1_000_000))
}

/// Four digits, as a relay gives.
fn draw_number() -> Option<u32> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).ok()?;
    Some(1_000 + u32::from_be_bytes(bytes) % 9_000)
}
