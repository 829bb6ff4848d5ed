//! Notes of calls that came while we were away.
//!
//! Lives here: what a note becomes.
//! Must not: ring.

use super::Phone;
use crate::call::{Out, noted};
use crate::effect::Fact;
use crate::id::{CallId, PeerId};

impl Phone {
    /// A row of its own time, and nothing else.
    pub(super) fn noted(&mut self, out: &mut Out, call: CallId, peer: PeerId, at_unix_us: i64) {
        let view = noted(call, peer, out.now);
        out.record_at(Fact::Noted, view.clone(), Some(at_unix_us));
        out.record_at(Fact::Ended, view.clone(), Some(at_unix_us));
        self.remember_note(out.now, view);
    }
}
