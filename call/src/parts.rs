//! What messages and a group's log are both made of.
//!
//! Lives here: bytes that are carried unread, and the words of a decline.
//! Must not: know a message, or a group.

use alloc::vec::Vec;
use core::fmt;

/// Bytes that the rules carry but never read: a session description or a candidate.
#[derive(Clone, PartialEq, Eq)]
pub struct Opaque(pub Vec<u8>);

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.0.len())
    }
}

crate::words! {
    /// Why a callee does not answer.
    pub enum DeclineReason {
        /// The person said no.
        Declined = "declined",
        /// Already in a call.
        Busy = "busy",
    }
}

crate::words! {
    /// For which of the callee's devices a decline speaks.
    pub enum Scope {
        /// This one alone: others ring on.
        ThisDevice = "this-device",
        /// All of them.
        Everywhere = "everywhere",
    }
}
