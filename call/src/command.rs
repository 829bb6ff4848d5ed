//! What a person may ask, and why it may be refused.
//!
//! Lives here: `Command` and `Refusal`, both closed.
//! Must not: know who asked, or how the refusal is spelled on the bus.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::digits::Digits;
use crate::id::{CallId, GroupId, LegId, MemberId, PeerId};
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
    /// Call several contacts at once. A group of the same name, or of the same people, that rings or runs already is joined
    /// instead.
    StartGroup {
        /// A fresh random id.
        call: CallId,
        /// The named group, if it is one.
        group: Option<GroupId>,
        /// Whom: at least one, at most 24, nobody twice.
        targets: Vec<Callee>,
        /// How long it rings, 10 to 180 s.
        lifetime: Duration,
        /// Shown there while it rings.
        note: Option<String>,
        /// Hold the call that has the ear; otherwise a call that is there refuses the start.
        hold_others: bool,
    },
    /// Call one more contact into a conversation: a direct call becomes a group by it. Who is out of it already is called again.
    Invite {
        /// Which.
        call: CallId,
        /// Whom.
        whom: Callee,
        /// How long it rings, 10 to 180 s.
        lifetime: Duration,
    },
    /// Two conversations become one: everybody in `other` is brought into `call`, and `other` ends.
    Merge {
        /// The one that stays.
        call: CallId,
        /// The one that ends.
        other: CallId,
    },
    /// Enter a group call that runs without us. What has the ear is held.
    Join {
        /// Which.
        call: CallId,
    },
    /// Put somebody out of a group call. Who may: [`CallView::host`](crate::CallView::host).
    Remove {
        /// Which.
        call: CallId,
        /// Whom.
        member: MemberId,
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
    /// The contact was blocked: every direct call with it ends, and it learns no more than that. In a group nothing is heard of
    /// it, and it hears nothing, now and later.
    Block {
        /// Whom.
        peer: PeerId,
    },
    /// The contact is blocked no more. What has ended stays so.
    Unblock {
        /// Whom.
        peer: PeerId,
    },
    /// End a call in whatever state it is. Of a group it ends our own part.
    HangUp {
        /// Which.
        call: CallId,
        /// A group ends for all. Who may: [`CallView::host`](crate::CallView::host).
        everyone: bool,
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

/// A contact to be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callee {
    /// Who.
    pub peer: PeerId,
    /// Their devices, at least one, at most eight.
    pub devices: Vec<LegId>,
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
    /// Only who began the group may do that, or who came first once that one has left.
    NotHost,
    /// There is no place in the call for one more.
    RoomFull,
}
