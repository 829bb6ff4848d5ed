//! Neighbours: what the engine and the room that reaches them tell each other.
//!
//! Lives here: what that room goes by, what it reports, a person's word that a network is home.
//! Must not: know how anybody is found.

use ahoy_call::PeerId;

use crate::engine::Engine;
use crate::engine::requests::{Done, Plan};
use crate::neighbours::{Order, Report, Standing};
use crate::system::file;
use crate::values::request::{DeniedKind, Reply};

impl Engine {
    pub(super) fn on_neighbours(&mut self, report: Report) {
        match report {
            Report::View(view) => {
                let came: Vec<PeerId> =
                    view.seen.iter().copied().filter(|peer| !self.networks.sees(*peer)).collect();
                self.networks.set_view(view);
                let now = self.now();
                self.follow_ways(now);
                self.greet_near(&came);
                self.refresh();
            }
            Report::Plate(news) => self.on_plate(crate::values::near::PAIRING_PLACE, news),
        }
    }

    /// Tells the room what it goes by.
    pub(super) fn send_near(&mut self) {
        let config = self.in_force.config();
        let mut unused = self.contacts.unused_cards();
        unused.reverse();
        self.ports.places.send_replace(Standing {
            enabled: config.lan.enabled && config.account.enabled,
            roster: Some(self.contacts.roster()),
            recent: self.contacts.recent(),
            unused: unused.into_iter().map(|(hash, _)| hash).collect(),
            judged: self.networks.judged().to_vec(),
            networks: self.networks.changes(),
        });
    }

    /// An order for the room. A full queue is a room that does not keep up: a person tries again.
    pub(super) fn order_neighbours(&self, order: Order) {
        if let Err(error) = self.ports.neighbours.try_send(order) {
            tracing::warn!(%error, "neighbours are not asked");
        }
    }

    /// The person says whether the network at this interface is theirs.
    pub(super) fn trust_network(&mut self, reply: Reply, interface: &str, trust: bool) {
        let judged = match self.networks.with(interface, trust) {
            Ok(judged) => judged,
            Err(denied) => {
                if denied.kind == DeniedKind::NotReady {
                    self.order_neighbours(Order::Look);
                }
                return self.answer(reply, Err(denied));
            }
        };
        let (path, store) = (self.paths.networks(), self.store.clone());
        let kept = serde_json::to_vec(&judged).unwrap_or_default();
        let wish = move |_: &mut crate::engine::requests::Components<'_>| {
            Ok(Plan::Write(Box::new(move |gate| {
                let result = file::write_past(&path, &kept, file::Access::Private, || gate.pass());
                store.note(&path, &result);
                Done::Networks(result, judged)
            })))
        };
        self.keep(Box::new(wish), Some(reply));
    }
}
