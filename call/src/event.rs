//! What the world reports. Events never fail; one that no longer applies does nothing.
//!
//! Lives here: `Event` and the reports of the ports.
//! Must not: carry a wish of the person.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::id::{CallId, Epoch, LegId, PeerId};
use crate::message::{Description, Message, Opaque};

/// A past fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The moment of [`crate::Phone::deadline`] has come.
    Tick,
    /// Handshake message 1 of a contact that may ring us was opened.
    Rung {
        /// The call it announces.
        call: CallId,
        /// The caller's device.
        leg: LegId,
        /// The caller.
        peer: PeerId,
        /// The ring's whole lifetime, as the caller says.
        lifetime: Duration,
        /// The path may be set up before the phone rings: the caller may learn our network address.
        preconnect: bool,
        /// The caller takes our offer of the first path with message 2. Older programs make one themselves, with message 3.
        callee_offers: bool,
        /// What our phone does about it.
        policy: RingPolicy,
    },
    /// Handshake message 1 of kind `meet` was opened: a member of a group call that we know, or knew, opens a session. Dropped by
    /// [`SignalOrder::Forget`](crate::SignalOrder::Forget) where we do not.
    Met {
        /// The call.
        call: CallId,
        /// The device.
        leg: LegId,
        /// Whose.
        peer: PeerId,
    },
    /// A note came in: a contact called while we were away. Ends a knock of that call; does nothing if the call is known
    /// otherwise.
    MissedNote {
        /// The call.
        call: CallId,
        /// Who called.
        peer: PeerId,
        /// When, by our calendar: microseconds since the Unix epoch.
        at_unix_us: i64,
        /// Why it could not ring, as a sentence for the row; none where we were away.
        why: Option<String>,
    },
    /// A sealed message arrived. Each at most once, in any order.
    Received {
        /// The call of the session it came in.
        call: CallId,
        /// The device at the other end of that session.
        leg: LegId,
        /// What it says.
        message: Message,
    },
    /// A relay of theirs took our ring for this leg, and our own inbox is claimed.
    Carried {
        /// The call.
        call: CallId,
        /// The leg whose ring was taken.
        leg: LegId,
    },
    /// The session of a leg can carry nothing more: its queue is full or its peer broke the protocol.
    Undeliverable {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
    },
    /// The other's daemon came back after a crash and no longer knows the call.
    Bye {
        /// The call.
        call: CallId,
        /// The device that says so.
        leg: LegId,
    },
    /// The media port reports of one path.
    Media {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
        /// The path's generation.
        epoch: Epoch,
        /// What happened.
        report: MediaReport,
    },
    /// The port of rooms reports of the room of one call.
    Room {
        /// The call.
        call: CallId,
        /// What happened.
        report: RoomReport,
    },
    /// One of our relays has rooms now, or none has.
    Rooms(bool),
    /// All that the media port had of a call is gone: it broke, or has ended.
    MediaGone {
        /// The call.
        call: CallId,
    },
    /// Our own network changed: paths are mended at once, not when they time out.
    NetworkChanged,
    /// This daemon stops: every call ends now.
    Stopping,
}

/// What our phone does when this contact rings. What must not ring at all never becomes an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RingPolicy {
    /// It rings.
    #[default]
    Normal,
    /// It is shown and makes no sound.
    Silent,
    /// It answers itself, with a short tone.
    AutoAnswer,
}

/// What happened to a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaReport {
    /// Our description is ready to be sent.
    Described(Description),
    /// Candidates of ours were gathered.
    Candidates {
        /// The candidates.
        list: Vec<Opaque>,
        /// No more will follow.
        complete: bool,
    },
    /// ICE and DTLS are up: sound can flow.
    Up,
    /// Nothing came on the path for too long.
    Lost,
    /// ICE is up and DTLS is not, for too long: it has to be built anew.
    Stuck,
    /// The path cannot be built.
    Failed(MediaFault),
    /// Our microphone gives sound to this call, or there is none that does: we only hear.
    Voice(bool),
}

/// What happened to a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomReport {
    /// What was asked for: each lets one device in, once.
    Passes(Vec<Opaque>),
    /// None is to be had: what [`RoomOrder::Open`](crate::RoomOrder::Open) or `Draw` asked for, or the way in that a pass leads to.
    NoRoom,
    /// Our name in the room and the key of our frames, for the others who take part. Comes again with each new one.
    Key {
        /// As it is told.
        key: Opaque,
        /// Who has the one before it finds it by themselves.
        step: bool,
    },
    /// Whether frames of this device's can come by the room: it is in it, we are, and its key is known.
    Heard {
        /// Which.
        leg: LegId,
        /// Whether they can.
        heard: bool,
    },
    /// The stay is over, and its path with it.
    Over,
}

/// Why a path cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaFault {
    /// The description could not be used or made.
    Negotiation,
    /// The media port itself failed or its queue is full.
    Media,
    /// No way but that by a TURN server is allowed, and no such server is known, or none serves us.
    NoTurn,
}
