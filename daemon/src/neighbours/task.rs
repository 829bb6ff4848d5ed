//! The neighbours' task: it owns the networks and what is there.
//!
//! Lives here: the loop, and what each input does.
//! Must not: decide what `dns/`, `circle.rs`, `connections.rs`, `place.rs`, `pairing.rs` or `seen.rs` can decide without it.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ahoy_call::{Moment, PeerId};
use ahoy_proto::neighbour::said::Said;
use ahoy_proto::neighbour::tag::Hour;
use ahoy_proto::plate::{PlateAsk, PlateNews, PlateOver};
use tokio::sync::{mpsc, watch};

use super::circle::{Circle, Keys};
use super::connection::FromConnection;
use super::connections::Connections;
use super::dns::Says;
use super::gateways::Gateways;
use super::pairing::{self, Pairing};
use super::place::{self, Place};
use super::presence::{Input, Presence};
use super::seen::{self, Seen};
use super::{Order, Report, Setup, Standing, keys};
use crate::system::clock;
use crate::system::netlink::Network;
use crate::values::near::{Judged, NearNews, NearPlace, NearPost, NearView, NetworkRow};

/// What waits of each kind.
const QUEUE: usize = 64;
struct Task {
    standing: watch::Receiver<Standing>,
    reports: mpsc::Sender<Report>,
    news: mpsc::Sender<NearNews>,
    inputs: mpsc::Sender<(u32, Input)>,
    from_pairing: mpsc::Sender<pairing::Heard>,
    chosen: mpsc::Sender<Keys>,
    places: Vec<Place>,
    presences: BTreeMap<u32, Presence>,
    circle: Circle,
    seen: Vec<Seen>,
    connections: Connections,
    pairing: Pairing,
    gateways: Gateways,
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
        from_pairing,
        chosen,
        places: Vec::new(),
        presences: BTreeMap::new(),
        circle: Circle::default(),
        seen: Vec::new(),
        connections: Connections::new(from_connections),
        pairing: Pairing::default(),
        gateways: Gateways::default(),
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
            Some(()) = task.connections.ended() => {}
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
        told.chain(wanted).chain(self.gateways.deadline()).chain(self.hour_ends()).min()
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
        self.be_in(place::places(&Network::look(), Network::hardware));
    }

    /// These are the networks now.
    fn be_in(&mut self, places: Vec<Place>) {
        let now = clock::now();
        self.places = places;
        let wanted: BTreeMap<u32, Place> = self
            .places
            .iter()
            .filter(|it| self.is_trusted(it))
            .map(|it| (it.interface, it.clone()))
            .collect();
        let goes = |interface: &u32, it: &mut Presence| wanted.get(interface) != Some(&it.place);
        let mut left: BTreeMap<u32, Presence> = self.presences.extract_if(.., goes).collect();
        let mut changed = !left.is_empty();
        for (interface, place) in wanted {
            if self.presences.contains_key(&interface) {
                continue;
            }
            match Presence::begin(now, place, self.inputs.clone(), left.get_mut(&interface)) {
                Ok(presence) => {
                    self.presences.insert(interface, presence);
                    changed = true;
                }
                Err(error) => tracing::warn!(%error, "neighbours cannot be reached"),
            }
        }
        if changed {
            let here: BTreeSet<u32> = self.presences.keys().copied().collect();
            self.connections.keep(&here);
            self.turn();
            self.offer_number();
            if self.presences.is_empty() && self.pairing.offered.is_some() {
                // Where a relay holds it too, nothing is over: it is offered again at the next network.
                self.report(Report::Plate(PlateNews::Over(PlateOver::Left)));
            }
            if self.choosing.is_none() {
                self.begin_choosing();
            }
        }
        // Behind what is told by other addresses of ours: nobody is without us in between.
        left.values_mut().for_each(|presence| presence.leave(now));
        self.gateways.look_for(now, &self.standing.borrow(), &self.places);
    }

    fn is_trusted(&self, place: &Place) -> bool {
        self.standing.borrow().enabled && self.word(place) == Some(true)
    }

    /// Whether the person trusts the network there; none: they have not said.
    fn word(&self, place: &Place) -> Option<bool> {
        let of = Judged::new(&place.row(), true)?;
        self.standing.borrow().judged.iter().find(|it| it.is_of(&of)).map(|it| it.trusted)
    }

    /// Other tags, other names.
    fn turn(&mut self) {
        let (now, hour) = (clock::now(), this_hour());
        self.circle.turn(hour, || {
            let mut chance = [[0; 8]; ahoy_proto::limits::NEIGHBOUR_TAGS];
            getrandom::fill(chance.as_flattened_mut()).ok().map(|()| chance)
        });
        for presence in self.presences.values_mut() {
            let tags = self.circle.announced();
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
        if self.gateways.deadline().is_some_and(|at| at <= now) {
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
                let (circle, wanted) = (&self.circle, self.pairing.wanted.map(|(number, _)| number));
                let whose = |says: &Says| match says {
                    Says::Tags(tags) => circle.recognize(tags).map(|(_, _, peer)| Some(peer)),
                    Says::Number(number) => (wanted == Some(*number)).then_some(None),
                };
                let changed = presence.dns.hear(now, from, &bytes, chance[0], whose);
                presence.tick(now);
                if changed {
                    self.recognize();
                }
            }
            Input::Connected(stream, from) => self.connections.accept(stream, from, interface),
        }
    }

    async fn on_connection(&mut self, number: u64, what: FromConnection) {
        let Some(connection) = self.connections.get(number) else { return };
        match what {
            FromConnection::Knocked(tag, reply) => {
                // Who asked may have given up.
                let _gone = reply.send(self.circle.named(tag));
            }
            FromConnection::Pairs(plate, stream) => {
                self.connections.remove(number);
                if self.pairing.meet(plate, stream, self.from_pairing.clone()) {
                    self.offer_number();
                }
            }
            FromConnection::Said(Said::Send(envelope)) => {
                let id = envelope.id;
                // Signaling waits for no neighbour, so waiting for it cannot lock up; it answers for nobody, as a relay does not.
                if self.news.send(NearNews::Came(connection.place, envelope)).await.is_ok() {
                    connection.accepted(Said::Accepted(id));
                }
            }
            FromConnection::Said(Said::Accepted(id)) => {
                let _gone = self.news.send(NearNews::Accepted(connection.place, id)).await;
            }
            FromConnection::Ended(nobody) => {
                let (at, interface) = (connection.at, connection.interface);
                self.connections.remove(number);
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
            NearPlace::Connection(number) => self.connections.post(number, envelope),
            NearPlace::Contact(peer) => {
                for at in self.seen.iter().filter(|at| at.peer == peer) {
                    let name = self.presences.get(&at.interface).map(|presence| presence.place.name.clone());
                    self.connections.post_to(at, name, envelope.clone());
                }
            }
        }
    }

    /// Who is seen now, and who is looked for to pair.
    fn recognize(&mut self) {
        let heard = self.presences.iter().map(|(interface, presence)| (*interface, &presence.dns));
        let (seen, numbers) = seen::look(heard, &self.circle);
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
            Order::Look => self.gateways.ask(now, &self.places),
            Order::Offer(number) => {
                self.pairing.clear();
                self.pairing.offered = Some(number);
                self.offer_number();
            }
            Order::Plate(PlateAsk::Claim) => {
                let number = pairing::draw_number().filter(|_| !self.presences.is_empty());
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
        let networks = self.places.iter().map(|place| NetworkRow {
            trusted: self.presences.contains_key(&place.interface),
            judged: self.word(place).is_some(),
            ..place.row()
        });
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

fn this_hour() -> Hour {
    Hour::at(clock::unix_us().div_euclid(1_000_000))
}
