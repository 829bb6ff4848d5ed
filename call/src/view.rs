//! What outsiders may see of a call.
//!
//! Lives here: the snapshot that is projected from phase and paths, and its closed vocabularies.
//! Must not: hold a device, an address, a description.

use alloc::string::String;
use alloc::vec::Vec;

use crate::id::{CallId, GroupId, MemberId, PeerId};
use crate::time::Moment;

crate::words! {
    /// Who began the call.
    pub enum Direction {
        /// They called.
        Incoming = "incoming",
        /// We called.
        Outgoing = "outgoing",
    }
}

crate::words! {
    /// How many a call is between.
    pub enum CallKind {
        /// Two.
        Direct = "direct",
        /// Any number, who come and go.
        Group = "group",
    }
}

crate::words! {
    /// The public state of a call.
    pub enum State {
        /// We called; not known to ring there.
        Dialing = "dialing",
        /// It rings there.
        Alerting = "alerting",
        /// It rings here.
        Incoming = "incoming",
        /// It rings here beside another call.
        Waiting = "waiting",
        /// Answered; no sound yet.
        Connecting = "connecting",
        /// Sound flows.
        Active = "active",
        /// We put it aside.
        Held = "held",
        /// The path broke and is being mended.
        Reconnecting = "reconnecting",
        /// Over; lingers ten seconds.
        Disconnected = "disconnected",
    }
}

crate::words! {
    /// Why a call is over.
    pub enum EndReason {
        /// Somebody hung up an answered call.
        Completed = "completed",
        /// The caller hung up before an answer.
        Canceled = "canceled",
        /// The callee said no.
        Declined = "declined",
        /// Every target of a group said no.
        AllDeclined = "all-declined",
        /// The callee was in a call.
        Busy = "busy",
        /// It rang and nobody answered (the caller's word).
        NoAnswer = "no-answer",
        /// It rang here and nobody answered (the callee's word).
        Missed = "missed",
        /// Another device of ours answered.
        AnsweredElsewhere = "answered-elsewhere",
        /// Another device of ours declined.
        DeclinedElsewhere = "declined-elsewhere",
        /// We had no relay that took the ring.
        Unreachable = "unreachable",
        /// Their phone never rang within the lifetime.
        Unavailable = "unavailable",
        /// Another call of the same group goes on in its place.
        Superseded = "superseded",
        /// Nobody else was left in a group.
        LastLeft = "last-left",
        /// There was no place for one more.
        RoomFull = "room-full",
        /// The starter of a group put us out.
        Removed = "removed",
        /// The starter of a group ended it for all.
        EndedByHost = "ended-by-host",
        /// No path could be set up in time.
        IceFailed = "ice-failed",
        /// Only a TURN server may carry the sound, and none is known or serves us.
        NoTurn = "no-turn",
        /// The descriptions did not fit.
        NegotiationFailed = "negotiation-failed",
        /// Encrypted sound could not be set up, or the media port failed.
        MediaFailed = "media-failed",
        /// The path broke and did not come back within the window.
        ConnectionLost = "connection-lost",
        /// The session could carry nothing more.
        SignalingFailed = "signaling-failed",
        /// The other's identity did not hold.
        SecurityFailed = "security-failed",
        /// The daemon stops.
        Shutdown = "shutdown",
        /// The daemon was killed in the call; written at its next start.
        Interrupted = "interrupted",
        /// A fault of ours.
        Internal = "internal",
    }
}

crate::words! {
    /// On whose side the reason arose.
    pub enum EndedBy {
        /// Ours: a person or this machine.
        Local = "local",
        /// Theirs.
        Remote = "remote",
        /// The network between us.
        Network = "network",
        /// A rule: a lifetime, busy, do-not-disturb.
        Policy = "policy",
    }
}

crate::words! {
    /// How history files a call.
    pub enum Outcome {
        /// It was answered.
        Answered = "answered",
        /// They called and we did not answer.
        Missed = "missed",
        /// The callee said no.
        Declined = "declined",
        /// They were busy.
        Busy = "busy",
        /// It rang there in vain.
        NoAnswer = "no-answer",
        /// It never rang there.
        Unavailable = "unavailable",
        /// We hung up before an answer.
        Canceled = "canceled",
        /// Something broke before an answer.
        Failed = "failed",
        /// Another device of ours took or declined it.
        Elsewhere = "elsewhere",
        /// The daemon was killed before an answer.
        Interrupted = "interrupted",
    }
}

/// Which verbs would be taken now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Can {
    /// Answer.
    pub answer: bool,
    /// Decline.
    pub decline: bool,
    /// Hang up.
    pub hang_up: bool,
    /// Mute and unmute.
    pub mute: bool,
    /// Hold, or resume if we hold it.
    pub hold: bool,
    /// Enter it: a group call that runs without us.
    pub join: bool,
    /// Call one more person into it.
    pub invite: bool,
}

/// How far another person in a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberState {
    /// Called; not known to ring there. Stays so when it never rang.
    Invited,
    /// It rings there. Stays so when nobody answered.
    Ringing,
    /// Takes part, and no sound flows between us: not yet, or not any more.
    Connecting,
    /// Sound flows between us.
    Joined,
    /// Said no.
    Declined,
    /// Took part, and does so no more.
    Left,
}

impl MemberState {
    /// The word for it: who rings has been invited, and no more.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Invited | Self::Ringing => "invited",
            Self::Connecting => "connecting",
            Self::Joined => "joined",
            Self::Declined => "declined",
            Self::Left => "left",
        }
    }
}

/// Another person in a call as outsiders see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberView {
    /// Which one of the call.
    pub id: MemberId,
    /// Who.
    pub peer: PeerId,
    /// How far they have come.
    pub state: MemberState,
    /// They began the call.
    pub starter: bool,
    /// They may put others out of the group, and end it for all.
    pub host: bool,
    /// We blocked them: nothing of theirs is heard, and they hear nothing of ours.
    pub blocked: bool,
    /// Their microphone is muted.
    pub muted: bool,
    /// They put the call aside.
    pub held: bool,
    /// They have no microphone.
    pub hears_only: bool,
    /// Their camera is on.
    pub camera: bool,
    /// Since when they take part.
    pub joined: Option<Moment>,
    /// Until when they did.
    pub left: Option<Moment>,
}

impl MemberView {
    /// One who has said nothing yet.
    pub const fn new(id: MemberId, peer: PeerId, state: MemberState) -> Self {
        let (joined, left) = (None, None);
        let (starter, host, blocked) = (false, false, false);
        let (muted, held, hears_only, camera) = (false, false, false, false);
        Self { id, peer, state, starter, host, blocked, muted, held, hears_only, camera, joined, left }
    }
}

/// One call as outsiders see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallView {
    /// Which call.
    pub id: CallId,
    /// How many it is between. A direct call may become a group, never the other way.
    pub kind: CallKind,
    /// The named group that it is of.
    pub group: Option<GroupId>,
    /// We may put others out of the group, and end it for all: we began it, or came first of those who are left.
    pub host: bool,
    /// Nobody else has been in the group for half a minute. It ends at `deadline`.
    pub alone: bool,
    /// Whom it began with.
    pub peer: PeerId,
    /// The others in it, in the order of their coming: one in a direct call.
    pub members: Vec<MemberView>,
    /// Who began it.
    pub direction: Direction,
    /// Its state.
    pub state: State,
    /// Why it is over.
    pub reason: Option<EndReason>,
    /// On whose side that arose.
    pub ended_by: Option<EndedBy>,
    /// Which of the others put us out of a group, or ended it for all.
    pub ender: Option<MemberId>,
    /// How history files it, once over.
    pub outcome: Option<Outcome>,
    /// Rises by one when what a verb would act on changes.
    pub serial: u64,
    /// When the present state ends by itself.
    pub deadline: Option<Moment>,
    /// When it was dialed, or its ring was let in.
    pub created: Moment,
    /// When it first rang, there or here.
    pub ringing: Option<Moment>,
    /// When it was answered.
    pub answered: Option<Moment>,
    /// When sound first flowed: what is talked is counted from here.
    pub connected: Option<Moment>,
    /// When it ended.
    pub ended: Option<Moment>,
    /// Our microphone is muted, by the call's own switch or by the switch for all.
    pub muted: bool,
    /// We have no microphone: we only hear.
    pub hears_only: bool,
    /// We put the call aside.
    pub local_hold: bool,
    /// It makes no sound of ringing here (any more).
    pub silenced: bool,
    /// It was answered by itself: a rule of the contact.
    pub auto_answered: bool,
    /// The note of the dial.
    pub note: Option<String>,
    /// The text of the decline.
    pub message: Option<String>,
    /// Which verbs would be taken now.
    pub can: Can,
}

impl CallView {
    /// Every other microphone is muted.
    pub fn remote_muted(&self) -> bool {
        self.all(|member| member.muted)
    }

    /// No other has a microphone.
    pub fn remote_hears_only(&self) -> bool {
        self.all(|member| member.hears_only)
    }

    /// Every other put the call aside.
    pub fn remote_hold(&self) -> bool {
        self.all(|member| member.held)
    }

    fn all(&self, says: impl Fn(&MemberView) -> bool) -> bool {
        !self.members.is_empty() && self.members.iter().all(says)
    }
}
