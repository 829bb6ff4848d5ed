//! What a verb meets: a living call, one that is over, or none.
//!
//! Lives here: finding it, and the verbs that concern more than what happens inside one call.
//! Must not: know what happens inside one call.

use super::Phone;
use super::tombs::{LastVerb, Tombstone};
use crate::call::{Call, End, Out};
use crate::command::{Others, Refusal};
use crate::id::{CallId, PeerId};
use crate::view::{Direction, EndReason, EndedBy};

/// What a verb met.
pub(super) enum Found<'a> {
    Live(&'a Call),
    Ended(&'a Tombstone),
}

impl Phone {
    pub(super) fn find(&self, call: CallId) -> Result<Found<'_>, Refusal> {
        if let Some(live) = self.calls.get(&call).filter(|live| live.is_public()) {
            return Ok(Found::Live(live));
        }
        let tomb = self.tombstones.iter().find(|tomb| tomb.view().is_some_and(|view| view.id == call));
        tomb.map(Found::Ended).ok_or(Refusal::NoSuchCall)
    }

    pub(super) fn find_answered(&self, call: CallId) -> Result<(), Refusal> {
        match self.find(call)? {
            Found::Live(live) if live.is_answered() => Ok(()),
            Found::Live(_) | Found::Ended(_) => Err(Refusal::InvalidState),
        }
    }

    /// Answers it.
    pub(super) fn take(&mut self, out: &mut Out, call: CallId, others: Others) -> Result<(), Refusal> {
        match self.find(call)? {
            Found::Live(live) if live.rings_here() => self.answer(out, call, others, false),
            Found::Live(live) if live.outside().is_some() => return self.join(out, call),
            Found::Live(live) if live.direction() == Direction::Incoming => {}
            Found::Live(_) => return Err(Refusal::InvalidState),
            Found::Ended(tomb) => tomb.late_answer()?,
        }
        Ok(())
    }

    pub(super) fn hang_up(&mut self, out: &mut Out, call: CallId) {
        self.change(out, call, |call, _| Some(call.hung_up()));
        self.remember(call, LastVerb::HangUp);
    }

    /// The contact is blocked no more.
    pub(super) fn unblock(&mut self, out: &mut Out, peer: PeerId) {
        if self.blocked.remove(&peer) {
            for call in self.ids(|call| call.group().is_some()) {
                self.change(out, call, |call, out| call.block_member(out, peer, false));
            }
        }
    }

    /// The contact is blocked. What it can learn is what a person who hangs up tells.
    pub(super) fn block(&mut self, out: &mut Out, peer: PeerId) {
        self.blocked.insert(peer);
        for call in self.ids(|call| call.group().is_some() && !rung_by(call, peer)) {
            self.change(out, call, |call, out| call.block_member(out, peer, true));
        }
        for call in self.ids(|call| rung_by(call, peer) || (call.group().is_none() && call.is_with(peer))) {
            self.change(out, call, |call, _| {
                Some(if call.is_public() {
                    call.hung_up().without_note()
                } else {
                    End::quiet(EndReason::Missed, EndedBy::Policy)
                })
            });
            self.remember(call, LastVerb::HangUp);
        }
    }
}

/// Whether this person's call has not been answered.
fn rung_by(call: &Call, peer: PeerId) -> bool {
    !call.is_answered() && !call.is_dialed() && call.outside().is_none() && call.peer() == peer
}
