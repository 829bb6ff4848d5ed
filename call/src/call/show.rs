//! What others may know of a call: outsiders its view, the phone its predicates.
//!
//! Lives here: the projection of phase, paths and flags.
//! Must not: change anything but what the phone says of its surroundings.

use alloc::vec;
use alloc::vec::Vec;

use crate::call::incoming::{Arrival, Early};
use crate::call::live::Sound;
use crate::call::{Call, Group, Member, Outside, Phase, Stage};
use crate::id::{CallId, Epoch, LegId, MemberId, PeerId};
use crate::kind::PhaseKind;
use crate::time::Moment;
use crate::view::{
    CallKind, CallView, Can, Direction, EndReason, EndedBy, MemberState, MemberView, Outcome, State,
};

impl Call {
    pub(crate) fn id(&self) -> CallId {
        self.id
    }

    pub(crate) fn wire(&self) -> CallId {
        self.wire
    }

    /// Whom it began with.
    pub(crate) fn peer(&self) -> PeerId {
        self.first().peer
    }

    /// Whether this contact is one of the others.
    pub(crate) fn is_with(&self, peer: PeerId) -> bool {
        self.members.values().any(|member| member.peer == peer)
    }

    /// Whether we are the caller on the wire: after a merge we are not.
    pub(super) fn is_caller(&self) -> bool {
        self.direction == Direction::Outgoing && self.wire == self.id
    }

    fn first(&self) -> &Member {
        self.members.values().next().expect("a call begins with one member, and none is taken out")
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
        self.stays_as(leg) || self.legs().any(|of| of.id == leg)
    }

    /// The device of an incoming call.
    pub(crate) fn first_leg(&self) -> Option<LegId> {
        self.legs().next().map(|leg| leg.id)
    }

    /// The device that the conversation is with.
    pub(crate) fn chosen(&self) -> Option<LegId> {
        self.members.values().find_map(Member::chosen).map(|leg| leg.id)
    }

    /// Whether this device has shown that it knows of our call.
    pub(crate) fn is_reached(&self, leg: LegId) -> bool {
        self.legs().any(|of| of.id == leg && of.stage != Stage::Invited)
    }

    /// The others whom we talk with, and on which device.
    pub(crate) fn talks_with(&self) -> impl Iterator<Item = (PeerId, LegId)> {
        self.members.values().filter_map(|member| Some((member.peer, member.chosen()?.id)))
    }

    /// Whether that is one of those devices.
    pub(crate) fn talks_on_leg(&self, leg: LegId) -> bool {
        self.talks_with().any(|(_, device)| device == leg)
    }

    /// Who that is.
    pub(crate) fn member(&self, id: MemberId) -> Option<PeerId> {
        self.members.get(&id).filter(|member| !member.hidden).map(|member| member.peer)
    }

    /// Every path of it that was prepared and not closed.
    pub(crate) fn open_paths(&self) -> impl Iterator<Item = (CallId, LegId, Epoch)> {
        let call = self.wire;
        let stay = self.stay_path().map(|(leg, epoch)| (call, leg, epoch));
        let legs = self.legs().flat_map(move |leg| leg.open_paths().map(move |epoch| (call, leg.id, epoch)));
        legs.chain(stay)
    }

    /// Every session that is dropped with it.
    pub(crate) fn sessions(&self) -> Vec<(CallId, LegId)> {
        let own = self.legs().map(|leg| (self.wire, leg.id));
        own.chain(self.left.iter().copied()).collect()
    }

    pub(crate) fn left_behind(&self) -> &[(CallId, LegId)] {
        &self.left
    }

    pub(crate) fn leave_behind(&mut self, sessions: Vec<(CallId, LegId)>) {
        self.left.extend(sessions);
    }

    /// Whether nothing has shown that who calls lives now: message 1 may be an old one.
    pub(crate) fn is_knocking(&self) -> bool {
        self.arrival() == Some(Arrival::Knocking)
    }

    /// Whether outsiders may know of it.
    pub(crate) fn is_public(&self) -> bool {
        !self.is_unproved_or_parked() && !self.is_arriving()
    }

    pub(crate) fn is_parked(&self) -> bool {
        matches!(self.arrival(), Some(Arrival::Parked { .. }))
    }

    pub(crate) fn is_unproved_or_parked(&self) -> bool {
        self.is_knocking() || self.is_parked()
    }

    pub(crate) fn is_arriving(&self) -> bool {
        matches!(self.arrival(), Some(Arrival::Arriving { .. }))
    }

    /// Whether it rings, will ring, is dialed or runs.
    pub(crate) fn occupies(&self) -> bool {
        !self.is_unproved_or_parked() && self.outside().is_none()
    }

    /// Whether our phone rings.
    pub(crate) fn rings_here(&self) -> bool {
        matches!(self.arrival(), Some(Arrival::Ringing { .. }))
    }

    pub(crate) fn rings_since(&self) -> Option<Moment> {
        self.ringing.filter(|_| self.rings_here())
    }

    fn arrival(&self) -> Option<Arrival> {
        match &self.phase {
            Phase::Incoming(it) => Some(it.stage),
            Phase::Outgoing(_) | Phase::Live(_) | Phase::Outside(_) => None,
        }
    }

    /// Whether they may learn where we are before anybody has answered here.
    pub(crate) fn may_speak_early(&self) -> bool {
        self.early() == Early::Whole
    }

    /// Whether a path is set up for it, or will be, or its candidates gathered, before anybody has answered here.
    pub(crate) fn takes_early_path(&self) -> bool {
        let begun = matches!(self.phase, Phase::Incoming(_)) && self.open_paths().next().is_some();
        begun || self.early() != Early::Nothing
    }

    fn early(&self) -> Early {
        match &self.phase {
            Phase::Incoming(it) if self.is_arriving() || self.rings_here() => it.early,
            Phase::Incoming(_) | Phase::Outgoing(_) | Phase::Live(_) | Phase::Outside(_) => Early::Nothing,
        }
    }

    /// Whether we called and nobody has answered.
    pub(crate) fn is_dialed(&self) -> bool {
        matches!(self.phase, Phase::Outgoing(_))
    }

    /// Whether somebody answered, here or there.
    pub(crate) fn is_answered(&self) -> bool {
        matches!(self.phase, Phase::Live(_))
    }

    /// Whether it was answered after `other` came in.
    pub(crate) fn answered_since(&self, other: &Self) -> bool {
        self.answered.is_some_and(|at| at >= other.created)
    }

    /// Whether it is the one voice of this person.
    pub(crate) fn has_ear(&self) -> bool {
        self.is_answered() && self.held().is_none()
    }

    /// Since when we hold it.
    pub(crate) fn held(&self) -> Option<Moment> {
        match &self.phase {
            Phase::Live(live) => live.held,
            Phase::Outgoing(_) | Phase::Incoming(_) | Phase::Outside(_) => None,
        }
    }

    pub(crate) fn is_due_to_answer(&self) -> bool {
        self.arrival() == Some(Arrival::Ringing { due_to_answer: true })
    }

    /// What the phone knows of other calls.
    pub(crate) fn set_beside(&mut self, beside: bool, dialing: bool) {
        let rings = self.rings_here();
        match &mut self.phase {
            Phase::Outgoing(_) | Phase::Outside(_) => {}
            Phase::Incoming(it) => {
                self.serial += u64::from(rings && it.beside != beside);
                it.beside = beside;
            }
            Phase::Live(live) => live.dialing_beside = dialing,
        }
    }

    /// A group call that runs without us.
    pub(crate) fn outside(&self) -> Option<&Outside> {
        match &self.phase {
            Phase::Outside(it) => Some(it),
            Phase::Outgoing(_) | Phase::Incoming(_) | Phase::Live(_) => None,
        }
    }

    /// Between several.
    pub(crate) fn group(&self) -> Option<&Group> {
        self.group.as_deref()
    }

    pub(crate) fn group_mut(&mut self) -> Option<&mut Group> {
        self.group.as_deref_mut()
    }

    /// The others as they are shown. Who takes part in a call that we are out of is in it, whether we hear them or not.
    fn shown_members(&self) -> Vec<MemberView> {
        let shown = self.members.iter().filter(|(_, member)| !member.hidden);
        let outside = self.outside().is_some();
        let seen = |view: MemberView| match view.state {
            MemberState::Connecting if outside => MemberView { state: MemberState::Joined, ..view },
            MemberState::Connecting
            | MemberState::Joined
            | MemberState::Invited
            | MemberState::Ringing
            | MemberState::Declined
            | MemberState::Left => view,
        };
        shown.map(|(id, member)| self.mark(seen(member.view(*id)))).collect()
    }

    /// The column of the rules' table that it is in.
    pub(crate) fn kind(&self) -> PhaseKind {
        match &self.phase {
            Phase::Outgoing(it) if it.rings() => PhaseKind::Alerting,
            Phase::Outgoing(_) => PhaseKind::Dialing,
            Phase::Incoming(it) => match it.stage {
                Arrival::Knocking => PhaseKind::Knocking,
                Arrival::Parked { .. } => PhaseKind::Parked,
                Arrival::Arriving { .. } => PhaseKind::Arriving,
                Arrival::Ringing { .. } if it.beside => PhaseKind::Waiting,
                Arrival::Ringing { .. } => PhaseKind::Ringing,
            },
            Phase::Live(live) => match live.sound {
                Sound::Awaited { .. } => PhaseKind::Connecting,
                Sound::Flows if live.held.is_some() => PhaseKind::Held,
                Sound::Flows => PhaseKind::Talking,
                Sound::Lost { .. } => PhaseKind::Reconnecting,
            },
            Phase::Outside(_) => PhaseKind::Outside,
        }
    }

    /// The snapshot.
    pub(crate) fn view(&self) -> CallView {
        let (state, deadline) = match &self.phase {
            Phase::Outgoing(it) => {
                (if it.rings() { State::Alerting } else { State::Dialing }, Some(it.give_up))
            }
            Phase::Incoming(it) => {
                (if it.beside { State::Waiting } else { State::Incoming }, Some(it.give_up))
            }
            Phase::Live(live) => {
                let state = match live.sound {
                    Sound::Awaited { .. } => State::Connecting,
                    Sound::Flows if live.held.is_some() => State::Held,
                    Sound::Flows => State::Active,
                    Sound::Lost { .. } => State::Reconnecting,
                };
                let alone = self.group.as_ref().and_then(|group| group.ends_alone());
                (state, live.give_up().or(alone))
            }
            Phase::Outside(_) => (State::Disconnected, None),
        };
        let live = match &self.phase {
            Phase::Live(live) => Some(live),
            Phase::Outgoing(_) | Phase::Incoming(_) | Phase::Outside(_) => None,
        };
        let outside = self.outside();
        let group = self.group.as_deref();
        let held = self.held().is_some();
        CallView {
            id: self.id,
            kind: self.kind,
            group: group.and_then(Group::named),
            host: live.is_some() && group.is_some_and(Group::is_host),
            alone: live.is_some() && group.is_some_and(Group::is_alone),
            peer: self.peer(),
            members: self.shown_members(),
            direction: self.direction,
            state,
            reason: outside.map(|it| it.reason),
            ended_by: outside.map(|it| it.by),
            ender: None,
            outcome: outside.map(|it| it.outcome),
            serial: self.serial,
            deadline,
            created: self.created,
            ringing: self.ringing,
            answered: self.answered,
            connected: self.connected,
            ended: outside.map(|it| it.ended),
            muted: self.ours.is_muted(),
            hears_only: self.ours.hears_only,
            local_hold: held,
            silenced: self.ours.silenced,
            auto_answered: live.is_some_and(|live| live.auto_answered),
            note: self.note.clone(),
            message: self.message.clone(),
            can: Can {
                answer: self.rings_here(),
                decline: self.rings_here(),
                hang_up: self.is_public() && outside.is_none(),
                mute: self.is_public() && outside.is_none(),
                hold: live.is_some_and(|live| !(held && live.dialing_beside)),
                join: outside.is_some() && group.is_some_and(|group| group.runs() && !group.is_full()),
                invite: live.is_some() && group.is_none_or(|group| group.has_places_for(1)),
            },
        }
    }
}

/// A call of which only a note tells.
pub(crate) fn noted(id: CallId, peer: PeerId, now: Moment) -> CallView {
    CallView {
        id,
        kind: CallKind::Direct,
        group: None,
        host: false,
        alone: false,
        peer,
        members: vec![MemberView {
            starter: true,
            ..MemberView::new(MemberId::FIRST, peer, MemberState::Left)
        }],
        direction: Direction::Incoming,
        state: State::Disconnected,
        reason: Some(EndReason::Missed),
        ended_by: Some(EndedBy::Remote),
        ender: None,
        outcome: Some(Outcome::Missed),
        serial: 1,
        deadline: None,
        created: now,
        ringing: None,
        answered: None,
        connected: None,
        ended: Some(now),
        muted: false,
        hears_only: false,
        local_hold: false,
        silenced: true,
        auto_answered: false,
        note: None,
        message: None,
        can: Can::default(),
    }
}
