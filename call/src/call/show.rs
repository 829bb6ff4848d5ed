//! What others may know of a call: outsiders its view, the phone its predicates.
//!
//! Lives here: the projection of phase, paths and flags.
//! Must not: change anything but what the phone says of its surroundings.

use alloc::vec::Vec;

use crate::call::{Call, Phase, Stage};
use crate::id::{CallId, Epoch, LegId, PeerId};
use crate::kind::PhaseKind;
use crate::time::Moment;
use crate::view::{CallView, Can, Direction, EndReason, EndedBy, Outcome, State};

impl Call {
    pub(crate) fn id(&self) -> CallId {
        self.id
    }

    pub(crate) fn wire(&self) -> CallId {
        self.wire
    }

    pub(crate) fn peer(&self) -> PeerId {
        self.peer
    }

    pub(crate) fn created(&self) -> Moment {
        self.created
    }

    pub(crate) fn direction(&self) -> Direction {
        self.direction
    }

    /// Whether this id stands for it, or for a call that became a part of it.
    pub(crate) fn is_of(&self, call: CallId) -> bool {
        self.id == call || self.wire == call || self.left.iter().any(|(left, _)| *left == call)
    }

    pub(crate) fn has_leg(&self, leg: LegId) -> bool {
        self.legs.contains_key(&leg)
    }

    /// The device of an incoming call.
    pub(crate) fn first_leg(&self) -> Option<LegId> {
        self.legs.keys().next().copied()
    }

    /// The device that the conversation is with.
    pub(crate) fn chosen(&self) -> Option<LegId> {
        self.remote().map(|leg| leg.id)
    }

    /// Whether this device has shown that it knows of our call.
    pub(crate) fn is_reached(&self, leg: LegId) -> bool {
        self.legs.get(&leg).is_some_and(|leg| leg.stage != Stage::Invited)
    }

    /// Every path of it that was prepared and not closed.
    pub(crate) fn open_paths(&self) -> impl Iterator<Item = (CallId, LegId, Epoch)> {
        let call = self.wire;
        self.legs.values().flat_map(move |leg| leg.open_paths().map(move |epoch| (call, leg.id, epoch)))
    }

    /// Every session that is dropped with it.
    pub(crate) fn sessions(&self) -> Vec<(CallId, LegId)> {
        let own = self.legs.keys().map(|leg| (self.wire, *leg));
        own.chain(self.left.iter().copied()).collect()
    }

    pub(crate) fn left_behind(&self) -> &[(CallId, LegId)] {
        &self.left
    }

    pub(crate) fn leave_behind(&mut self, sessions: Vec<(CallId, LegId)>) {
        self.left.extend(sessions);
    }

    /// Whether nothing has shown that who calls lives now: message 1 may be an old one.
    pub(crate) fn is_unproved(&self) -> bool {
        self.is_knocking() && !self.heard
    }

    /// Whether outsiders may know of it.
    pub(crate) fn is_public(&self) -> bool {
        !self.is_unproved_or_parked() && !self.is_arriving()
    }

    /// Whether message 3 has yet to come.
    pub(crate) fn is_knocking(&self) -> bool {
        matches!(self.phase, Phase::Knocking { .. })
    }

    pub(crate) fn is_parked(&self) -> bool {
        matches!(self.phase, Phase::Parked { .. })
    }

    pub(crate) fn is_unproved_or_parked(&self) -> bool {
        self.is_knocking() || self.is_parked()
    }

    pub(crate) fn is_arriving(&self) -> bool {
        matches!(self.phase, Phase::Arriving { .. })
    }

    /// Whether it rings, will ring, is dialed or runs.
    pub(crate) fn occupies(&self) -> bool {
        !self.is_unproved_or_parked()
    }

    /// Whether our phone rings.
    pub(crate) fn rings_here(&self) -> bool {
        matches!(self.phase, Phase::RingingHere { .. })
    }

    pub(crate) fn rings_since(&self) -> Option<Moment> {
        self.ringing.filter(|_| self.rings_here())
    }

    /// Whether a path is set up for it before anybody has answered here.
    pub(crate) fn has_early_path(&self) -> bool {
        self.preconnect && (self.is_arriving() || self.rings_here())
    }

    /// Whether we called and nobody has answered.
    pub(crate) fn is_dialed(&self) -> bool {
        matches!(self.phase, Phase::Dialing { .. } | Phase::Alerting { .. })
    }

    /// Whether somebody answered, here or there.
    pub(crate) fn is_answered(&self) -> bool {
        matches!(self.phase, Phase::Connecting { .. } | Phase::Talking | Phase::Reconnecting { .. })
    }

    /// Whether it was answered after `other` came in.
    pub(crate) fn answered_since(&self, other: &Self) -> bool {
        self.answered.is_some_and(|at| at >= other.created)
    }

    /// Whether it is the one voice of this person.
    pub(crate) fn has_ear(&self) -> bool {
        self.is_answered() && self.held.is_none()
    }

    pub(crate) fn held_since(&self) -> Option<Moment> {
        self.held.filter(|_| self.is_answered())
    }

    pub(crate) fn is_due_to_answer(&self) -> bool {
        self.due_to_answer && self.rings_here()
    }

    /// What the phone knows of other calls.
    pub(crate) fn set_beside(&mut self, beside: bool, dialing: bool) {
        if self.rings_here() && self.beside != beside {
            self.serial += 1;
        }
        self.beside = beside;
        self.dialing_beside = dialing;
    }

    /// The column of the rules' table that it is in.
    pub(crate) fn kind(&self) -> PhaseKind {
        match self.phase {
            Phase::Dialing { .. } => PhaseKind::Dialing,
            Phase::Alerting { .. } => PhaseKind::Alerting,
            Phase::Knocking { .. } => PhaseKind::Knocking,
            Phase::Parked { .. } => PhaseKind::Parked,
            Phase::Arriving { .. } => PhaseKind::Arriving,
            Phase::RingingHere { .. } if self.beside => PhaseKind::Waiting,
            Phase::RingingHere { .. } => PhaseKind::Ringing,
            Phase::Connecting { .. } => PhaseKind::Connecting,
            Phase::Talking if self.held.is_some() => PhaseKind::Held,
            Phase::Talking => PhaseKind::Talking,
            Phase::Reconnecting { .. } => PhaseKind::Reconnecting,
        }
    }

    /// The snapshot.
    pub(crate) fn view(&self) -> CallView {
        let (state, deadline) = match &self.phase {
            Phase::Dialing { give_up, .. } => (State::Dialing, Some(*give_up)),
            Phase::Alerting { give_up } => (State::Alerting, Some(*give_up)),
            Phase::Knocking { give_up }
            | Phase::Parked { give_up, .. }
            | Phase::Arriving { give_up, .. }
            | Phase::RingingHere { give_up } => {
                (if self.beside { State::Waiting } else { State::Incoming }, Some(*give_up))
            }
            Phase::Connecting { give_up } => (State::Connecting, Some(*give_up)),
            Phase::Talking => (if self.held.is_some() { State::Held } else { State::Active }, None),
            Phase::Reconnecting { give_up } => (State::Reconnecting, Some(*give_up)),
        };
        CallView {
            id: self.id,
            peer: self.peer,
            direction: self.direction,
            state,
            reason: None,
            ended_by: None,
            outcome: None,
            serial: self.serial,
            deadline,
            created: self.created,
            ringing: self.ringing,
            answered: self.answered,
            connected: self.connected,
            ended: None,
            muted: self.effective_mute(),
            remote_muted: self.remote().is_some_and(|leg| leg.muted),
            hears_only: self.hears_only,
            remote_hears_only: self.remote().is_some_and(|leg| leg.listening),
            local_hold: self.held.is_some(),
            remote_hold: self.remote().is_some_and(|leg| leg.held),
            silenced: self.silenced,
            auto_answered: self.auto_answered,
            note: self.note.clone(),
            message: self.message.clone(),
            can: Can {
                answer: self.rings_here(),
                decline: self.rings_here(),
                hang_up: self.is_public(),
                mute: self.is_public(),
                hold: self.is_answered() && !(self.held.is_some() && self.dialing_beside),
            },
        }
    }
}

/// A call of which only a note tells.
pub(crate) fn noted(id: CallId, peer: PeerId, now: Moment) -> CallView {
    CallView {
        id,
        peer,
        direction: Direction::Incoming,
        state: State::Disconnected,
        reason: Some(EndReason::Missed),
        ended_by: Some(EndedBy::Remote),
        outcome: Some(Outcome::Missed),
        serial: 1,
        deadline: None,
        created: now,
        ringing: None,
        answered: None,
        connected: None,
        ended: Some(now),
        muted: false,
        remote_muted: false,
        hears_only: false,
        remote_hears_only: false,
        local_hold: false,
        remote_hold: false,
        silenced: true,
        auto_answered: false,
        note: None,
        message: None,
        can: Can::default(),
    }
}
