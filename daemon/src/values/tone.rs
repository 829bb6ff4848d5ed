//! The tones of a telephone.
//!
//! Lives here: which one sounds, and for which call.
//! Must not: decide when, or know how it sounds.

use ahoy_call::CallId;

/// A tone and the call that it is for: the same tone for another call begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Our phone rings: on the ring's devices, until it is over.
    Ring(CallId),
    /// Somebody calls while we talk: softly into the call, until it is over.
    Waiting(CallId),
    /// Their phone rings, until it is over.
    Ringback(CallId),
    /// They are busy: some seconds.
    Busy(CallId),
    /// It came to nothing, or broke: some seconds.
    Failed(CallId),
    /// They hung up: a moment.
    Ended(CallId),
    /// A call was answered by itself, and the microphone is open: a moment, into the call. Nothing switches it off.
    AutoAnswered(CallId),
}
