//! Notes of calls that came while we were away.
//!
//! Lives here: what a note becomes.
//! Must not: ring.

use alloc::string::String;

use super::Phone;
use crate::call::{Call, Out, noted};
use crate::effect::Fact;
use crate::id::{CallId, PeerId};
use crate::view::CallView;

impl Phone {
    /// A ring and the note of the same call lay in one mailbox: nobody will prove that ring any more, and the note knows
    /// its time. The knock goes without a row of its own.
    pub(super) fn give_up_knock(&mut self, out: &mut Out, call: CallId, peer: PeerId) {
        let over = |knock: &Call| knock.is_knocking() && knock.peer() == peer;
        if self.calls.get(&call).is_some_and(over)
            && let Some(knock) = self.calls.remove(&call)
        {
            Call::forget(out, &knock.sessions());
        }
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
