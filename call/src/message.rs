//! What two phones say to each other once a session stands.
//!
//! Lives here: the sealed messages of a call, as values. They may arrive in any order, each at most once.
//! Must not: know how they are written as bytes, sealed or carried; read a description.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::id::Epoch;
use crate::view::EndReason;

/// Bytes that the rules carry but never read: a session description or a candidate.
#[derive(Clone, PartialEq, Eq)]
pub struct Opaque(pub Vec<u8>);

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.0.len())
    }
}

crate::words! {
    /// Which half of an offer/answer exchange a description is (RFC 8829).
    pub enum SdpKind {
        /// The first half.
        Offer = "offer",
        /// The reply to it.
        Answer = "answer",
    }
}

/// A session description, opaque to the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Which half.
    pub kind: SdpKind,
    /// The text.
    pub body: Opaque,
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

crate::words! {
    /// Why a caller takes a ring back.
    pub enum CancelReason {
        /// The caller hung up first.
        Canceled = "canceled",
        /// The lifetime is over.
        NoAnswer = "no-answer",
        /// Another device of the callee answered.
        AnsweredElsewhere = "answered-elsewhere",
        /// Another device of the callee declined for all.
        DeclinedElsewhere = "declined-elsewhere",
    }
}

/// One sealed message of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Handshake message 2: the callee's device lives and may ring.
    Ready {
        /// Its offer of the first path follows at once: the caller makes none.
        offers: bool,
    },
    /// Handshake message 3: proves that the caller lives now; only then does the callee ring.
    Offer {
        /// How much of the ring's lifetime is left when this was sent, by the caller's clock.
        remaining: Duration,
        /// A short note to show while it rings, at most 280 characters.
        text: Option<String>,
    },
    /// A session description of one epoch.
    Description {
        /// The path generation it belongs to.
        epoch: Epoch,
        /// The description.
        description: Description,
    },
    /// Candidates of one epoch (RFC 8838).
    Candidates {
        /// The path generation they belong to.
        epoch: Epoch,
        /// The candidates, at most 32 a message.
        list: Vec<Opaque>,
        /// No more will follow in this epoch.
        complete: bool,
    },
    /// The callee's phone really rings now.
    Ringing,
    /// The callee answered.
    Accept,
    /// The callee will not answer.
    Decline {
        /// Why.
        reason: DeclineReason,
        /// For which devices.
        scope: Scope,
        /// A short text for the caller, at most 280 characters.
        text: Option<String>,
    },
    /// The caller takes the ring back.
    Cancel {
        /// Why.
        reason: CancelReason,
    },
    /// The answered call is over.
    End {
        /// What the sender recorded as the reason.
        reason: EndReason,
    },
    /// The sender's flags, whole each time.
    State {
        /// Rises with each such message; an older one that comes late is ignored.
        serial: u32,
        /// The sender's microphone is muted.
        muted: bool,
        /// The sender holds the call.
        held: bool,
        /// The sender's camera is on.
        camera: bool,
        /// The sender has no microphone: they only hear.
        listening: bool,
    },
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec;

    use super::*;

    #[test]
    fn what_is_opaque_says_how_long_it_is_and_nothing_else() {
        let body = Opaque(vec![b'1'; 290]);
        let text = format!("{:?}", Description { kind: SdpKind::Offer, body });
        assert_eq!(text, "Description { kind: Offer, body: <290 bytes> }");
    }
}
