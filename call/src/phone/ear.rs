//! One voice at a time: which call has the person's ear.
//!
//! Lives here: answering beside other calls, hold, resume, swap; what each call must know of the others.
//! Must not: know how sound is held.

use super::Phone;
use crate::call::{Call, Out};
use crate::command::{Others, Refusal};
use crate::id::CallId;

impl Phone {
    /// The call that we are dialing. There is at most one.
    pub(super) fn dialing(&self) -> Option<&Call> {
        self.calls.values().find(|call| call.is_dialed())
    }

    /// Whether a call other than this one rings, is dialed or runs.
    pub(super) fn occupied_beside(&self, call: Option<CallId>) -> bool {
        self.calls.values().any(|other| Some(other.id()) != call && other.occupies())
    }

    /// The person takes the call that rings. The one that has the ear is held or released; one that is still being
    /// dialed cannot be held and is taken back.
    pub(super) fn answer(&mut self, out: &mut Out, call: CallId, others: Others, by_itself: bool) {
        for other in self.ids(|other| other.has_ear() && other.id() != call) {
            match others {
                Others::Hold => self.hold(out, other),
                Others::Release => self.hang_up(out, other),
            }
        }
        for other in self.ids(Call::is_dialed) {
            self.hang_up(out, other);
        }
        self.change(out, call, |call, out| call.answer(out, by_itself));
    }

    pub(super) fn hold(&mut self, out: &mut Out, call: CallId) {
        self.change(out, call, |call, out| call.hold(out, true));
    }

    pub(super) fn hold_all(&mut self, out: &mut Out) {
        for call in self.ids(Call::has_ear) {
            self.hold(out, call);
        }
    }

    /// The call being dialed will have the ear when it is answered: nothing else may take it meanwhile.
    pub(super) fn resume(&mut self, out: &mut Out, call: CallId) -> Result<(), Refusal> {
        let held = self.calls.get(&call).is_some_and(|call| call.held().is_some());
        if held {
            if self.dialing().is_some() {
                return Err(Refusal::Busy);
            }
            self.hold_all(out);
            self.change(out, call, |call, out| call.hold(out, false));
        }
        Ok(())
    }

    /// Takes up the call that was held last, and holds the one that has the ear.
    pub(super) fn swap(&mut self, out: &mut Out) -> Result<(), Refusal> {
        let held = self.calls.values().filter_map(|call| Some((call.held()?, call.id())));
        let (_, last) = held.max().ok_or(Refusal::NoSuchCall)?;
        self.resume(out, last)
    }

    /// Tells every call what is beside it. A call of a contact that answers by itself does so if it rings alone.
    pub(super) fn settle_ear(&mut self, out: &mut Out) {
        for id in self.ids(Call::is_due_to_answer) {
            // The people of a group that goes on here talk already.
            let goes_on = self.calls.get(&id).and_then(Call::group).is_some();
            let alone = goes_on || !self.occupied_beside(Some(id));
            self.change(out, id, |call, _| call.answers_no_more());
            if alone {
                self.answer(out, id, Others::Hold, true);
            }
        }
        let dialing = self.dialing().is_some();
        for id in self.ids(|_| true) {
            let beside = self.is_beside(id);
            if let Some(call) = self.calls.get_mut(&id) {
                call.set_beside(beside, dialing);
            }
        }
    }

    /// Of several calls that ring the first one is the one that rings; the others wait.
    fn is_beside(&self, id: CallId) -> bool {
        let Some(call) = self.calls.get(&id) else { return false };
        let first = |other: &Call| match (other.rings_since(), call.rings_since()) {
            (Some(theirs), Some(ours)) => (theirs, other.id()) < (ours, id),
            (Some(_), None) | (None, _) => true,
        };
        self.calls
            .values()
            .any(|other| other.id() != id && other.is_public() && other.outside().is_none() && first(other))
    }
}
