//! What is due, and when.
//!
//! Lives here: the next moment at which any part of the engine has something to do, and doing it.
//! Must not: know what a part does then.

use ahoy_call::Moment;

use crate::engine::upkeep::Due;
use crate::engine::{Engine, requests};
use crate::history;
use crate::system::ready;

impl Engine {
    /// When something is due.
    pub(super) fn due(&self) -> Moment {
        let all = [
            self.phone.deadline().map(|deadline| deadline.at),
            self.shown.deadline(),
            self.disk_line.deadline(),
            self.in_force.deadline(),
            self.outages.deadline(),
            self.waits.deadline(),
            self.pairing.deadline(),
            self.relays.deadline(),
            self.accounts.deadline(),
            self.greetings.deadline(),
            self.rooms.deadline(),
            Some(self.upkeep.deadline()),
        ];
        all.into_iter().flatten().min().unwrap_or_default()
    }

    pub(super) fn on_time(&mut self) {
        let now = self.now();
        self.shown.tick(now);
        self.give_up(now);
        self.begin_paths(now);
        self.write_chosen(now);
        self.follow_outages(now);
        self.tick_pairing(now);
        self.follow_relays(now);
        self.go_on_with_farewell(now);
        self.greet(now);
        self.tick_rooms(now);
        for due in self.upkeep.due(now) {
            match due {
                Due::Alive => ready::watchdog(),
                Due::Cards => self.keep(Box::new(requests::expire), None),
                // The end of a call that is there now comes here again.
                Due::Rest if self.phone.views().is_empty() => {
                    // The history is the last that has something to give back, and gives back all behind it. Where its queue is
                    // full, much goes on: another time.
                    drop(self.ports.history.try_send(history::HistoryOrder::Rest));
                }
                Due::Rest => {}
            }
        }
    }
}
