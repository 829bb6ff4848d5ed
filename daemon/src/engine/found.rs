//! Relays that are looked for: what the engine and the room that finds them tell each other.
//!
//! Lives here: what that room goes by, what comes of its reports, when relays are chosen anew.
//! Must not: know how a relay is found.

use ahoy_call::Moment;

use crate::discovery::Report;
use crate::engine::Engine;
use crate::engine::requests;
use crate::system::level;

impl Engine {
    pub(super) fn on_found(&mut self, report: Report) {
        match report {
            Report::Learned(learned) => self.keep(requests::learn(learned), None),
            Report::Looked(looked) => {
                let now = self.now();
                if !looked.missing.is_empty() || !looked.wrong.is_empty() {
                    tracing::info!("relays were looked for, and not all went well");
                }
                if self.relays.looked(now, looked) {
                    self.keep(Box::new(requests::reload), None);
                }
                self.refresh();
            }
        }
    }

    /// Tells the room what it goes by.
    pub(super) fn ask_for_relays(&mut self) {
        let config = self.in_force.config();
        let wanted = config.account.enabled && !self.own.is_away();
        let standing = self.relays.standing(config, wanted, self.networks.changes());
        level::set(&self.ports.discovery, standing);
    }

    /// Links came or went, or it is time: who serves is remembered, who is away gives way.
    pub(super) fn follow_relays(&mut self, now: Moment) {
        self.relays.observe(now, &self.links.up);
        let worked = self.relays.memory().worked();
        let news: Vec<String> = self
            .links
            .up
            .iter()
            .filter(|url| url.starts_with("wss:") && !worked.contains(url) && !self.relays.is_on_trial(url))
            .cloned()
            .collect();
        for relay in news {
            self.keep(requests::remember(relay), None);
        }
        if self.relays.tick(now) {
            self.keep(Box::new(requests::reload), None);
        }
        self.ask_for_relays();
    }

    /// A contact came or changed: who has no relay may use theirs.
    pub(super) fn look_at_cards(&mut self) {
        let none = self.own.inboxes.is_empty() && !self.own.is_away();
        if none && self.relays.elsewhere(&self.contacts).has_cards() {
            self.keep(Box::new(requests::reload), None);
        }
    }
}
