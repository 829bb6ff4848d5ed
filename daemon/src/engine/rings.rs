//! Rings that are let in or not.
//!
//! Lives here: asking who may ring before the rules hear of a ring (and who may see that we are there), and again when do-not-disturb or a contact changes.
//! Must not: decide who may ring (`ring_policy/` does), or know D-Bus.

use ahoy_call::{CallId, CallView, Command, Event, LegId, PeerId, SignalOrder, State};

use crate::engine::Engine;
use crate::engine::ring_policy::{Dropped, Now, Ring};
use crate::signal::SignalingOrder;
use crate::system::clock;

impl Engine {
    /// Something came in. A note of a contact that was blocked meanwhile is dropped.
    pub(super) fn on_news(&mut self, event: Event) {
        if let Event::Rung { call, leg, peer, lifetime, preconnect, callee_offers, policy: _ } = event {
            let now = self.judged_at();
            let until = now.moment + lifetime;
            return self.on_ring(now, Ring { call, leg, peer, preconnect, callee_offers, until });
        }
        let blocked = |peer| self.contacts.manner(peer).is_none_or(|(_, blocked)| blocked);
        if !matches!(event, Event::MissedNote { peer, .. } if blocked(peer)) {
            self.on_event(event);
        }
    }

    /// A ring came in. Who is kept away gets nothing: the session is dropped unanswered.
    fn on_ring(&mut self, now: Now, ring: Ring) {
        let (rules, dialed) = (self.contacts.manner(ring.peer), self.phone.dials(ring.peer));
        match self.ring_policy.judge(now, ring, rules.as_ref(), dialed) {
            Ok(policy) => self.on_event(ring.event(now.moment, policy)),
            Err(over) => {
                tracing::debug!(call = ?ring.call, "a ring was kept away");
                self.drop_rings(over);
            }
        }
    }

    /// A contact wants to know whether we can be reached. Who would be kept away now gets nothing.
    pub(super) fn on_ping(&mut self, call: CallId, leg: LegId, peer: PeerId) {
        let (now, rules) = (self.judged_at(), self.contacts.manner(peer));
        if self.ring_policy.answers_ping(now.unix_us, rules.as_ref()) {
            self.order_signal(SignalingOrder::Pong { call, leg });
        }
    }

    fn drop_rings(&mut self, rings: Vec<Dropped>) {
        for (call, leg) in rings {
            self.order_signal(SignalingOrder::Call { call, leg, order: SignalOrder::Forget });
        }
    }

    /// Do-not-disturb began, changed or ended, or what a person says of a contact did. What rings falls silent if it would be
    /// silent or kept away now; who was kept away and still calls rings if it would not: nothing was said to them until now.
    pub(super) fn policy_changed(&mut self) {
        let now = self.judged_at();
        let disturbs = |view: &CallView| {
            let rings = matches!(view.state, State::Incoming | State::Waiting) && !view.silenced;
            let rules = self.contacts.manner(view.peer).filter(|_| rings);
            rules.is_some_and(|(rules, _)| self.ring_policy.silences(now.unix_us, &rules))
        };
        for view in self.phone.views().into_iter().filter(disturbs).collect::<Vec<_>>() {
            self.command("do-not-disturb", Command::Silence { call: view.id });
        }
        let (rings, over) = self.ring_policy.judge_again(now, |peer| self.contacts.manner(peer));
        self.drop_rings(over);
        rings.into_iter().for_each(|ring| self.on_event(ring));
    }

    fn judged_at(&mut self) -> Now {
        Now { moment: self.now(), unix_us: clock::unix_us() }
    }
}
