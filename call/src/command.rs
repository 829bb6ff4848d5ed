//! What a person may ask, and why it may be refused.
//!
//! Lives here: `Command` and `Refusal`, both closed.
//! Must not: know who asked, or how the refusal is spelled on the bus.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::digits::Digits;
use crate::id::{CallId, LegId, PeerId};
use crate::message::{DeclineReason, Scope};

/// A wish of the person, through any client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Call a contact on all of its devices.
    Dial {
        /// A fresh random id.
        call: CallId,
        /// Whom.
        peer: PeerId,
        /// The contact's devices, at least one, at most eight.
        devices: Vec<LegId>,
        /// How long it rings, 10 to 180 s.
        lifetime: Duration,
        /// Shown there while it rings.
        note: Option<String>,
        /// Hold the call that has the ear; otherwise a call that is there refuses the dial.
        hold_others: bool,
        /// Each of the two lets the other see whether they can be reached: there is nothing to hide, and a ring that none of
        /// their devices answers is soon given up.
        both_tell: bool,
    },
    /// Take an incoming call.
    Answer {
        /// Which.
        call: CallId,
        /// What becomes of the call that has the ear.
        others: Others,
    },
    /// Refuse an incoming call.
    Decline {
        /// Which.
        call: CallId,
        /// The word the caller hears.
        reason: DeclineReason,
        /// For which of our devices.
        scope: Scope,
        /// A short text for the caller.
        text: Option<String>,
    },
    /// Stop our own ringing; theirs goes on.
    Silence {
        /// Which.
        call: CallId,
    },
    /// Put a conversation aside: neither hears the other.
    Hold {
        /// Which.
        call: CallId,
    },
    /// Take it up again. A conversation that has the ear is held for it.
    Resume {
        /// Which.
        call: CallId,
    },
    /// Hold the conversation that has the ear and take up the one that is held.
    Swap,
    /// The contact was blocked: every call with it ends, and it learns no more than that.
    Block {
        /// Whom.
        peer: PeerId,
    },
    /// End a call in whatever state it is.
    HangUp {
        /// Which.
        call: CallId,
    },
    /// End every call. Succeeds with none.
    HangUpAll,
    /// Mute or unmute our microphone in one call.
    SetMuted {
        /// Which.
        call: CallId,
        /// The new value.
        muted: bool,
    },
    /// Send digits, behind those that still wait. A muted microphone does not mute them.
    SendTones {
        /// Which.
        call: CallId,
        /// What.
        digits: Digits,
    },
    /// Mute or unmute our microphone in all calls, later ones too.
    SetAllMuted {
        /// The new value.
        muted: bool,
    },
}

/// What an answer does to the call that has the ear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Others {
    /// Hold it.
    #[default]
    Hold,
    /// Hang it up.
    Release,
}

/// Why a command was refused. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No such call, or it ended more than ten seconds ago.
    NoSuchCall,
    /// The call is in a state in which this cannot be asked.
    InvalidState,
    /// The contrary was already asked and done.
    AlreadyHandled,
    /// Another device of ours took it.
    AnsweredElsewhere,
    /// There is a call already.
    Busy,
    /// The contact has no device that could be called.
    NoDevice,
    /// A number in the command is outside its range.
    OutOfRange,
    /// Too much of what was asked before still waits.
    TooSoon,
}
