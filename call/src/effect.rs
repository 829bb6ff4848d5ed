//! What the ports must do, in order.
//!
//! Lives here: `Effect` and the orders to each port. A `Record` always stands before the `Publish` it releases.
//! Must not: do any of it.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

use crate::digits::Digits;
use crate::id::{CallId, Epoch, LegId, MemberId, PeerId};
use crate::message::{Description, Message, Opaque};
use crate::time::Moment;
use crate::view::CallView;

/// Effects in the order in which they must be performed.
#[must_use]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects(pub Vec<Effect>);

impl IntoIterator for Effects {
    type Item = Effect;
    type IntoIter = alloc::vec::IntoIter<Effect>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// One order to one port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// To the signaling port.
    Signal {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
        /// What to do.
        order: SignalOrder,
    },
    /// To the media port.
    Media {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
        /// The path's generation.
        epoch: Epoch,
        /// What to do.
        order: MediaOrder,
    },
    /// To the port of rooms: where the voices of a group that is no mesh meet.
    Room {
        /// The call.
        call: CallId,
        /// What to do.
        order: RoomOrder,
    },
    /// To the media port: nothing of this call may be open any more, whatever was ordered before. It follows the call's
    /// last `Close`, and does not lean on it.
    EndMedia(CallId),
    /// To history: append the event and bring the call's row up to date, in one transaction.
    Record(Box<Record>),
    /// To the bus: this is what the call looks like now. Released by the commit of the records before it.
    Publish(Box<CallView>),
    /// To the bus: the call's object goes; its linger is over.
    Retire(CallId),
}

/// An order to the signaling port, about one leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignalOrder {
    /// Send handshake message 1 of kind `ring`, and repeat it until the lifetime ends or message 2 comes.
    Ring {
        /// The contact that owns the device.
        peer: PeerId,
        /// Until when it is repeated, from now.
        lifetime: Duration,
    },
    /// Open a session with a member of this group call whom we did not ring: handshake message 1 of kind `meet`, repeated until
    /// the lifetime ends or message 2 comes. It rings nobody. If one of theirs for the same leg crosses it, that of the higher
    /// device stands.
    Meet {
        /// Who.
        peer: PeerId,
        /// What their own entry in the log came with: who they are and where they are reached, for who is no contact.
        seal: Opaque,
        /// Until when it is repeated, from now.
        lifetime: Duration,
    },
    /// Seal and deliver, over every path that the message needs.
    Send(Message),
    /// Seal a note into the device's mailbox: we called in vain. It is not acknowledged.
    Missed {
        /// The contact that owns the device.
        peer: PeerId,
    },
    /// The call lingered long enough: drop its session.
    Forget,
}

/// How a path begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Make the offer.
    Offerer,
    /// Answer this offer.
    Answerer(Description),
    /// Answer this offer, and gather candidates. Nobody hears of it for a while: no candidate of theirs comes before that.
    Early(Description),
}

/// What a path carries, each way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tracks {
    /// A voice.
    pub voice: bool,
    /// The picture of a camera.
    pub camera: bool,
    /// The picture of a screen.
    pub screen: bool,
}

impl Tracks {
    /// A voice alone.
    pub const VOICE: Self = Self { voice: true, camera: false, screen: false };
}

/// An order to the media port, about one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaOrder {
    /// Build a new path. Microphone closed, sound devices warmed up, nothing sent, nothing played.
    Prepare(Role),
    /// The other side's answer to our offer.
    Remote(Description),
    /// Candidates of the other side.
    Candidates {
        /// The candidates.
        list: Vec<Opaque>,
        /// No more will follow.
        complete: bool,
    },
    /// The call was answered: capture, send and play on this path as soon as it is up. Repeating it is harmless.
    Open {
        /// What is carried.
        tracks: Tracks,
        /// Send encoded silence.
        muted: bool,
        /// As [`MediaOrder::SetHeld`].
        held: bool,
    },
    /// The path is gone while the call goes on: read no sample from the microphone until the next `Open`.
    Pause,
    /// Mute or unmute without touching the stream.
    SetMuted(bool),
    /// Send these digits, behind those that still wait. None waits any longer once the path is paused, held or closed.
    SendDigits(Digits),
    /// While held: send encoded silence, play nothing. The stream stays as it is.
    SetHeld(bool),
    /// Our network has changed: if nothing comes on this path any more, or within a second, it is lost.
    Probe,
    /// Take this path down. The last one of a call closes the sound devices.
    Close,
}

/// An order to the port of rooms. What it makes are opaque to the rules: passes, names and keys.
///
/// The sound of a room is ordered as that of a path: of the leg that is this device, in the epoch of [`RoomOrder::Enter`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomOrder {
    /// Ask our relay for a room. Answered by [`RoomReport::Passes`](crate::RoomReport::Passes) or `NoRoom`, within 10 s.
    Open {
        /// So many passes.
        passes: u8,
    },
    /// More passes of the room that we opened, or are in. Answered as [`RoomOrder::Open`].
    Draw {
        /// So many.
        passes: u8,
    },
    /// Go in, instead of where we may be. A path of this epoch is prepared, and reports as every path does; our name and key follow
    /// by [`RoomReport::Key`](crate::RoomReport::Key).
    Enter {
        /// Of the stay.
        epoch: Epoch,
        /// Good once.
        pass: Opaque,
    },
    /// Who takes part now: nobody else is heard, and of nobody else a voice is asked for but of guests. While it rings here nobody does. Whom nobody knows is put out by who opened the room.
    Members(BTreeSet<LegId>),
    /// Who is called, has not answered, and may be in the room already: let be there, its voice asked for, and not heard.
    Guests(BTreeSet<LegId>),
    /// What a member or guest has told of its name in the room and of the key of its frames.
    Key {
        /// Whose.
        leg: LegId,
        /// The same as it was sent.
        key: Opaque,
    },
    /// Seal with another key from now on, which nobody can know: somebody went. It follows by [`RoomReport::Key`](crate::RoomReport::Key).
    Renew,
    /// Seal with what comes after our key from now on: somebody came, and what was sealed before is not theirs. Who has the key finds
    /// what comes after it, and nobody what was before. It follows by [`RoomReport::Key`](crate::RoomReport::Key).
    Step,
    /// Go out. It is not reported.
    Leave {
        /// The room ends with it, if we opened it.
        ends: bool,
    },
}

/// An entry of a call's event log, with the row as it stands after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When it happened.
    pub at: Moment,
    /// What happened.
    pub fact: Fact,
    /// To whom of the others in it, where it is about one of them.
    pub about: Option<MemberId>,
    /// The call after it.
    pub view: CallView,
    /// When it happened by the calendar, where `at` is only when we learned of it. Microseconds since the Unix epoch.
    pub at_unix_us: Option<i64>,
}

crate::words! {
    /// What an event-log entry says.
    pub enum Fact {
        /// We dialed.
        Dialed = "dialed",
        /// A contact's ring was let in (not yet audible).
        Offered = "offered",
        /// Their phone rings.
        RingingThere = "ringing-there",
        /// Our phone rings.
        RingingHere = "ringing-here",
        /// Somebody answered.
        Answered = "answered",
        /// Sound flows for the first time.
        Connected = "connected",
        /// The path broke.
        PathLost = "path-lost",
        /// The path is back.
        PathRestored = "path-restored",
        /// We put it aside.
        Held = "held",
        /// We took it up again.
        Resumed = "resumed",
        /// They put it aside.
        HeldThere = "held-there",
        /// They took it up again.
        ResumedThere = "resumed-there",
        /// Both called each other: the two calls became this one.
        GlareMerged = "glare-merged",
        /// It became a group.
        Grown = "grown",
        /// Somebody was called into the group.
        PeerInvited = "peer-invited",
        /// Somebody takes part.
        PeerJoined = "peer-joined",
        /// Somebody said no.
        PeerDeclined = "peer-declined",
        /// Somebody takes part no more.
        PeerLeft = "peer-left",
        /// Nobody else has been in the group for half a minute.
        Alone = "alone",
        /// We entered a group call that we had been out of: the row goes on.
        Rejoined = "rejoined",
        /// A note told that they had called while we were away.
        Noted = "noted",
        /// The call is over; the view says why.
        Ended = "ended",
    }
}
