//! A call for tests of what is shown.
//!
//! Lives here: one that came in, of which everything is as little as it can be.
//! Must not: be built into a program.

use alloc::vec::Vec;

use crate::call::noted;
use crate::id::{CallId, PeerId};
use crate::time::Moment;
use crate::view::{CallView, State};

impl CallView {
    /// A call that came in, for tests: all of its id is that byte, all of its peer's too, and nothing has happened to it yet.
    pub fn sample(byte: u8, state: State) -> Self {
        Self {
            members: Vec::new(),
            state,
            reason: None,
            ended_by: None,
            outcome: None,
            ended: None,
            silenced: false,
            ..noted(CallId::from_bytes([byte; 16]), PeerId::from_bytes([byte; 16]), Moment::from_micros(1))
        }
    }
}
