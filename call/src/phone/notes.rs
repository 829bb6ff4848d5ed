//! Calls that nobody here has heard of yet, or never will: rings without proof, and notes of calls while we were away.
//!
//! Lives here: how many of them there may be; what a note becomes.
//! Must not: ring.

use alloc::string::String;

use super::{CALLS, KNOCKS, KNOCKS_OF_A_CONTACT, OF_A_CONTACT, Phone};
use crate::call::{Call, Out, noted};
use crate::effect::Fact;
use crate::id::{CallId, PeerId};
use crate::view::CallView;

impl Phone {
    /// A ring and the note of the same call lay in one mailbox: nobody will prove that ring any more, and the note knows
    /// its time. The knock goes without a row of its own.
    pub(super) fn give_up_knock(&mut self, out: &mut Out, call: CallId, peer: PeerId) {
        let over = |knock: &Call| knock.is_knocking() && knock.is_with(peer);
        if self.calls.get(&call).is_some_and(over) {
            self.drop_knock(out, call);
        }
    }

    /// A ring that nobody heard of goes without a trace.
    pub(super) fn drop_knock(&mut self, out: &mut Out, call: CallId) {
        if let Some(mut knock) = self.calls.remove(&call) {
            knock.close_early_path(out);
            Call::forget(out, &knock.sessions());
        }
    }

    /// Rings that nobody has proved yet have a table of their own, and each contact a part of it.
    pub(super) fn make_room_for_knock(&mut self, out: &mut Out, peer: PeerId) {
        for (most, whose) in [(KNOCKS_OF_A_CONTACT, Some(peer)), (KNOCKS, None)] {
            let of = |call: &&Call| call.is_knocking() && whose.is_none_or(|peer| call.is_with(peer));
            while self.calls.values().filter(of).count() >= most {
                let oldest = self.calls.values().filter(of).min_by_key(|call| (call.created(), call.id()));
                let Some(oldest) = oldest.map(Call::id) else { break };
                self.drop_knock(out, oldest);
            }
        }
    }

    /// Whether one more call of this contact may ring or run.
    pub(super) fn has_room_for(&self, peer: PeerId) -> bool {
        let lives = |call: &&Call| !call.is_knocking() && !call.is_dialed() && call.outside().is_none();
        let all = self.calls.values().filter(lives).count();
        let theirs = self.calls.values().filter(lives).filter(|call| call.peer() == peer).count();
        all < CALLS && theirs < OF_A_CONTACT
    }

    /// A row of its own time, and nothing else. `why` stands where the caller's own words would.
    pub(super) fn noted(
        &mut self,
        out: &mut Out,
        call: CallId,
        peer: PeerId,
        at_unix_us: i64,
        why: Option<String>,
    ) {
        let view = CallView { note: why, ..noted(call, peer, out.now) };
        out.record_at(Fact::Noted, view.clone(), Some(at_unix_us));
        out.record_at(Fact::Ended, view.clone(), Some(at_unix_us));
        self.remember_note(out.now, view);
    }
}
