//! Two people who call each other at once end up in one call.
//!
//! Lives here: which of the two calls stands on the wire, and what becomes of the other one.
//! Must not: give anybody a second row, a second object or a ring for it.
//!
//! Both sides compare the same two ids, and the higher one wins. Who lost answers the winner's call at once under its
//! own call's name; who won waits for that answer, but not for longer than two seconds if that device does not even
//! know of our call: then it answers theirs.

use alloc::string::String;
use core::time::Duration;

use super::{EARLY_PATHS, Phone};
use crate::call::{Around, Call, End, Out};
use crate::effect::{Effect, SignalOrder};
use crate::id::{CallId, LegId};
use crate::message::{CancelReason, Message};
use crate::view::{Direction, EndReason, EndedBy};

impl Phone {
    /// Message 3 came: the caller lives now.
    pub(super) fn offered(&mut self, out: &mut Out, id: CallId, remaining: Duration, note: Option<String>) {
        let Some(peer) = self.calls.get(&id).filter(|call| call.is_knocking()).map(Call::peer) else {
            return;
        };
        if !self.has_room_for(peer) {
            return self.drop_knock(out, id);
        }
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.prove(out.now, remaining, note);
        match self.rival(id).map(|own| (own.id(), own.wire() > id)) {
            None if self.was_answered_for(id) => self.drop_shadowed(out, id),
            None => self.let_in(out, id),
            Some((_, true)) => self.change(out, id, Call::park),
            Some((own, false)) => self.merge(out, own, id),
        }
    }

    /// It may ring, wait, or hear that we are busy.
    pub(super) fn let_in(&mut self, out: &mut Out, id: CallId) {
        let around = Around {
            busy: !self.settings.call_waiting && self.occupied_beside(Some(id)),
            path: self.has_room_for_early_path(id),
        };
        self.change(out, id, |call, out| call.let_in(out, &around));
    }

    /// Whether one more path may be set up for a call that nobody has answered.
    pub(super) fn has_room_for_early_path(&self, of: CallId) -> bool {
        let early = |call: &&Call| call.id() != of && call.takes_early_path();
        self.calls.values().filter(early).count() < EARLY_PATHS
    }

    /// Our own call to the contact that this call comes from, not answered yet.
    fn rival(&self, id: CallId) -> Option<&Call> {
        let call = self.calls.get(&id)?;
        let direct = |own: &&Call| own.group().is_none() && call.group().is_none();
        self.dialing().filter(direct).filter(|own| own.peer() == call.peer() && own.id() != id)
    }

    /// Our own call goes on as theirs.
    fn merge(&mut self, out: &mut Out, own: CallId, theirs: CallId) {
        let Some(theirs) = self.calls.remove(&theirs) else { return };
        self.change(out, own, |own, out| own.become_theirs(out, theirs));
    }

    /// What became of our own call to them says what becomes of theirs that waits for it.
    pub(super) fn settle_glare(&mut self, out: &mut Out) {
        for id in self.ids(Call::is_parked) {
            let Some(call) = self.calls.get(&id) else { continue };
            let (due, leg) = (call.is_tired_of_waiting(out.now), call.first_leg());
            if let Some(own) = self.rival(id) {
                let reached = leg.is_some_and(|leg| own.is_reached(leg));
                let own = own.id();
                if due && !reached {
                    self.merge(out, own, id);
                } else if due {
                    self.change(out, id, |call, _| call.wait_on());
                }
            } else if self.was_answered_for(id) {
                self.drop_shadowed(out, id);
            } else {
                self.let_in(out, id);
            }
        }
    }

    /// Whether our own call to them was answered by the very device that calls here, after it had begun to.
    fn was_answered_for(&self, id: CallId) -> bool {
        let Some(call) = self.calls.get(&id) else { return false };
        let mut own = self.calls.values().filter(|own| {
            own.direction() == Direction::Outgoing && own.group().is_none() && call.group().is_none()
        });
        own.any(|own| own.chosen() == call.first_leg() && own.answered_since(call))
    }

    /// Whether the end of a call that nobody has heard of is a part of another call's story. A call that was taken back
    /// by its caller is a story of its own.
    pub(super) fn is_shadowed(&self, id: CallId, end: &End) -> bool {
        let Some(call) = self.calls.get(&id).filter(|call| call.is_unproved_or_parked()) else {
            return false;
        };
        let of_ours = self.rival(id).is_some() || self.was_answered_for(id);
        match (end.reason, end.by) {
            (EndReason::AnsweredElsewhere, _) => {
                let talked = |chosen: Option<LegId>| chosen.is_some() && chosen == call.first_leg();
                let mut chosen = self.calls.values().map(Call::chosen);
                of_ours || chosen.any(talked) || self.tombstones.iter().any(|tomb| talked(tomb.chosen))
            }
            (_, EndedBy::Remote) => false,
            (_, EndedBy::Local | EndedBy::Network | EndedBy::Policy) => of_ours,
        }
    }

    /// It leaves no row; the call that stands for it remembers that it was. There is no word to take back.
    pub(super) fn drop_shadowed(&mut self, out: &mut Out, id: CallId) {
        let Some(mut call) = self.calls.remove(&id) else { return };
        call.close_early_path(out);
        let (leg, peer, sessions) = (call.first_leg(), call.peer(), call.sessions());
        let of = |own: &&mut Call| own.chosen() == leg || (own.is_dialed() && own.peer() == peer);
        if let Some(own) = self.calls.values_mut().find(of) {
            own.leave_behind(sessions);
        } else if let Some(tomb) = self.tombstones.iter_mut().rev().find(|tomb| tomb.chosen == leg) {
            tomb.sessions.extend(sessions);
        }
    }

    /// A device answers a ring that was merged away meanwhile: it must not wait for the rest of it.
    pub(super) fn late_ready(&self, out: &mut Out, call: CallId, leg: LegId) {
        let merged = |own: &Call| own.wire() != call && own.left_behind().contains(&(call, leg));
        let over = self.tombstones.iter().any(|tomb| tomb.left_behind((call, leg)));
        if over || self.calls.values().any(merged) {
            let message = Message::Cancel { reason: CancelReason::AnsweredElsewhere };
            out.order(Effect::Signal { call, leg, order: SignalOrder::Send(message) });
        }
    }

    /// The other's daemon came back and no longer knows the call; it calls it by its own name.
    pub(super) fn bye(&mut self, out: &mut Out, call: CallId, leg: LegId) {
        let merged = |own: &&Call| own.chosen() == Some(leg) && own.left_behind().contains(&(call, leg));
        let id = self.route(call, leg).or_else(|| self.calls.values().find(merged).map(Call::id));
        if let Some(id) = id {
            self.change(out, id, |call, out| call.bye(out, leg));
        }
    }
}
