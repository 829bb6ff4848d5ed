//! What two phones say to each other once a session stands.
//!
//! Lives here: the sealed messages of a call, as values. They may arrive in any order, each at most once.
//! Must not: know how they are written as bytes, sealed or carried; read a description.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::group::News;
use crate::id::{CallId, Epoch};
pub use crate::parts::{DeclineReason, Opaque, Scope};
use crate::view::EndReason;

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

/// What members say to each other of the room of their call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomWord {
    /// A way in, for the receiver alone.
    Pass(Opaque),
    /// The sender's name in the room and the key of its frames.
    Key {
        /// Rises with each; an older one that comes late is ignored.
        serial: u32,
        /// Opaque to the rules.
        key: Opaque,
    },
    /// Whether the sender hears the receiver by the room.
    Hears {
        /// Rises with each; an older one that comes late is ignored.
        serial: u32,
        /// Whether it does.
        heard: bool,
    },
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
    /// What [`Message::Offer`] is for a direct call, for a group: only then does the callee ring.
    Invite {
        /// How much of the ring's lifetime is left when this was sent, by the caller's clock.
        remaining: Duration,
        /// A short note to show while it rings, at most 280 characters.
        text: Option<String>,
        /// The conversation between the two that goes on in this one: there is nothing to be answered.
        instead_of: Option<CallId>,
        /// Who is in it.
        news: Box<News>,
    },
    /// What the sender knows of a group call and the receiver may not.
    Log(Box<News>),
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
    /// Of the room in which a group call meets.
    Room(RoomWord),
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
