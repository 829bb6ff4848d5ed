//! Coming into a group: starting one, being called, answering, entering later, calling another; and going out of it.
//!
//! Lives here: what each of these says of ourselves, and which sessions it begins.
//! Must not: follow what others say (`settle.rs`).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::{FORGET_AFTER, Group, House, JOINS, MESH, Outside, Tie};
use crate::call::end::{End, Tell, outcome};
use crate::call::flags::Ours;
use crate::call::incoming::Incoming;
use crate::call::leg::within_a_minute;
use crate::call::outgoing::Outgoing;
use crate::call::{Call, Flow, Leg, Member, Out, Phase, Stage};
use crate::command::{Callee, Refusal};
use crate::effect::{Effect, Fact, SignalOrder};
use crate::group::{
    Age, DEVICES, Ending, Invited, News, PEOPLE, Presence, Removed, Standing, Start, Statement,
};
use crate::id::{CallId, GroupId, LegId, MemberId, PeerId};
use crate::message::Message;
use crate::time::Moment;
use crate::view::{CallKind, EndReason, EndedBy, MemberState};

/// What a start says.
pub(crate) struct GroupDial {
    pub(crate) call: CallId,
    /// This device, and whose it is.
    pub(crate) own: (LegId, PeerId),
    pub(crate) group: Option<GroupId>,
    pub(crate) targets: Vec<Callee>,
    pub(crate) lifetime: Duration,
    pub(crate) note: Option<String>,
    pub(crate) house: House,
}

impl Call {
    /// Rings every device of several people.
    pub(crate) fn start_group(
        out: &mut Out,
        dial: GroupDial,
        window: Duration,
        muted_everywhere: bool,
    ) -> Self {
        let GroupDial { call, own, group, targets, lifetime, note, house } = dial;
        let start = Start { call, leg: own.0, peer: own.1, group };
        let mut group = Group::new(start, own, out.now, house);
        let invited = targets.iter().map(|it| invited(it, Age(0))).collect();
        let presence = Presence::Joined { at: Age(0) };
        let (removed, gone, ended) = (Vec::new(), Vec::new(), None);
        let rooms = group.room.says();
        group.log.say(Statement { number: 0, presence, invited, removed, gone, ended, rooms });
        let phase = Phase::Outgoing(Outgoing::new(out.now, lifetime, false));
        let members = targets.iter().map(|it| Member::called(it.peer));
        let mut made =
            Self::with(call, members.collect(), phase, Ours::new(muted_everywhere), out.now, window);
        made.kind = CallKind::Group;
        made.note = note;
        made.group = Some(Box::new(group));
        for target in targets {
            made.ring_devices(out, &target, lifetime, None);
        }
        made.refold(out.now);
        made.record(out, Fact::Dialed);
        made
    }

    /// Rings devices of one who has a place in the call; by the session that there is where there is one.
    pub(super) fn ring_devices(
        &mut self,
        out: &mut Out,
        whom: &Callee,
        lifetime: Duration,
        instead_of: Option<CallId>,
    ) {
        let (wire, own) = (self.wire, self.own_leg());
        let until = out.now + lifetime;
        let id = self.member_id_of(whom.peer);
        for device in &whom.devices {
            let Some(member) = self.members.get_mut(&id) else { return };
            let stands = member.legs.get(device).is_some_and(|leg| leg.stage != Stage::Invited);
            if !stands {
                let mut leg = Leg::new(wire, own, *device, Stage::Invited);
                if let Some(mut old) = member.legs.remove(device) {
                    old.close(out);
                }
                leg.signal(out, SignalOrder::Ring { peer: whom.peer, lifetime });
                leg.stage = Stage::Invited;
                member.legs.insert(*device, leg);
            }
            if let Some(group) = &mut self.group {
                let tie = group.ties.entry(*device).or_insert_with(|| Tie::new(out.now));
                tie.ring = Some((until, instead_of));
                if !stands {
                    tie.heads.clear();
                }
            }
            if stands {
                self.send_invite(out, *device);
            }
        }
    }

    /// The member who is this person; one more if there is none.
    pub(super) fn member_id_of(&mut self, peer: PeerId) -> MemberId {
        let known = self.members.iter().find(|(_, member)| member.peer == peer);
        if let Some((id, _)) = known {
            return *id;
        }
        let last = self.members.keys().next_back().map_or(0, |id| id.0);
        let id = MemberId(last.saturating_add(1));
        self.members.insert(id, Member { hidden: true, ..Member::called(peer) });
        id
    }

    pub(super) fn own_leg(&self) -> LegId {
        self.group.as_ref().map_or(LegId::from_bytes([0; 16]), |group| group.log.own())
    }

    /// Message 3 of a group. `None`: it does not say that we were called, or it is of another call.
    pub(crate) fn become_group(
        &mut self,
        out: &Out,
        own: (LegId, PeerId),
        news: &News,
        house: House,
    ) -> Option<()> {
        if news.start.call != self.wire {
            return None;
        }
        let began = Moment::from_micros(out.now.micros().saturating_sub(news.age.0.saturating_mul(1_000)));
        let mut group = Group::new(news.start, own, began, house);
        group.log.seed(self.peer());
        group.log.merge(news);
        let from = self.first_leg()?;
        let mut tie = Tie::new(out.now);
        tie.heads = news.heads.iter().map(|head| (head.author, *head)).collect();
        group.ties.insert(from, tie);
        self.kind = CallKind::Group;
        self.group = Some(Box::new(group));
        self.refold(out.now);
        let group = self.group.as_ref()?;
        let called = group.fold.standing(own.1).is_some_and(|it| it != Standing::Removed);
        (called && group.began_by(group.start().peer)).then_some(())
    }

    /// Which group this direct conversation would become: the same for both ends.
    pub(crate) fn would_start(&self, own: (LegId, PeerId)) -> Start {
        let theirs = (self.chosen().unwrap_or(own.0), self.peer());
        let (leg, peer) = if self.is_caller() { own } else { theirs };
        Start { call: self.wire, leg, peer, group: None }
    }

    /// A direct conversation becomes a group. Both ends make the same of it.
    pub(crate) fn grow(&mut self, out: &mut Out, own: (LegId, PeerId), house: House) -> Option<()> {
        let Phase::Live(live) = &self.phase else { return None };
        let said = live.said;
        let leg = self.chosen()?;
        let (peer, answered) = (self.peer(), self.answered?);
        let mut group = Group::new(self.would_start(own), own, self.created, house);
        let presence = Presence::Joined { at: group.age(answered) };
        let invited = Vec::from([Invited { peer, devices: 1, at: Age(0) }]);
        let (removed, gone, ended) = (Vec::new(), Vec::new(), None);
        let rooms = group.room.says();
        group.log.say(Statement { number: 0, presence, invited, removed, gone, ended, rooms });
        group.log.seed(own.1);
        group.taken = Some((leg, peer));
        group.ties.insert(leg, Tie::new(out.now));
        group.said = said;
        self.kind = CallKind::Group;
        self.group = Some(Box::new(group));
        self.leave_unchosen();
        self.refold(out.now);
        self.step(out, Fact::Grown);
        Some(())
    }

    /// Devices that did not answer have no part in a group.
    fn leave_unchosen(&mut self) {
        let wire = self.wire;
        for member in self.members.values_mut() {
            let out = member.legs.extract_if(.., |_, leg| leg.stage != Stage::Chosen);
            self.left.extend(out.map(|(id, _)| (wire, id)));
        }
    }

    /// Why this person could not be called into it.
    pub(crate) fn takes(&self, whom: &Callee) -> Result<(), Refusal> {
        let devices = whom.devices.len();
        if devices == 0 || devices > usize::from(DEVICES) {
            return Err(Refusal::NoDevice);
        }
        let Some(group) = &self.group else {
            return if self.is_with(whom.peer) { Err(Refusal::AlreadyHandled) } else { Ok(()) };
        };
        if whom.peer == group.log.me() || whom.devices.contains(&group.log.own()) {
            return Err(Refusal::NoDevice);
        }
        match group.fold.standing(whom.peer) {
            Some(Standing::Joined) => return Err(Refusal::AlreadyHandled),
            Some(Standing::Removed) if !group.is_host() => return Err(Refusal::NotHost),
            Some(_) => {}
            None if group.fold.people.len() >= PEOPLE => return Err(Refusal::RoomFull),
            None => {}
        }
        if group.has_places_for(1) { Ok(()) } else { Err(Refusal::RoomFull) }
    }

    /// Calls this person into it.
    pub(crate) fn invite(
        &mut self,
        out: &mut Out,
        whom: &Callee,
        lifetime: Duration,
        instead_of: Option<CallId>,
    ) -> Flow {
        let group = self.group.as_mut()?;
        let at = group.age(out.now).max(Age(1));
        let mut said = group.log.said()?.clone();
        said.invited.retain(|it| it.peer != whom.peer);
        said.invited.push(invited(whom, at));
        if !group.log.say(said) {
            return None;
        }
        self.refold(out.now);
        self.ring_devices(out, whom, lifetime, instead_of);
        self.settle_group(out)
    }

    /// Puts somebody out.
    pub(crate) fn remove(&mut self, out: &mut Out, member: MemberId) -> Flow {
        let peer = self.members.get(&member)?.peer;
        let group = self.group.as_mut()?;
        let mut said = group.log.said()?.clone();
        let invited = group.fold.people.get(&peer)?.invited;
        said.removed.retain(|it| it.peer != peer);
        said.removed.push(Removed { peer, at: group.acts_at(out.now).max(invited) });
        group.log.say(said);
        self.settle_group(out)
    }

    /// This person answers, or enters a call that runs without them.
    pub(crate) fn enter(&mut self, out: &mut Out, by_itself: bool) -> Flow {
        let again = matches!(self.phase, Phase::Outside(_));
        let group = self.group.as_mut()?;
        if group.is_full() {
            return (!again).then(|| End::told(EndReason::RoomFull, EndedBy::Policy));
        }
        let at = group.age(out.now);
        group.say(Presence::Joined { at });
        group.joins.push(out.now);
        group.answers = false;
        let said = group.said;
        self.ringing.get_or_insert(out.now);
        self.answered.get_or_insert(out.now);
        if again {
            self.record(out, Fact::Rejoined);
        }
        let give_up = out.now + crate::call::SET_UP;
        self.begin_group(out, give_up, by_itself, said);
        self.settle_group(out)
    }

    /// Whether this person comes and goes too often.
    pub(crate) fn enters_too_often(&mut self, now: Moment) -> bool {
        self.group.as_mut().is_some_and(|group| within_a_minute(&mut group.joins, now) >= JOINS)
    }

    /// We were called again into a call that we are out of.
    pub(crate) fn ring_again(
        &mut self,
        out: &mut Out,
        remaining: Duration,
        limit: Duration,
        note: Option<String>,
    ) {
        self.note = note.or(self.note.take());
        self.ours.silenced = false;
        self.phase = Phase::Incoming(Incoming::again(out.now, remaining.min(limit)));
        self.record(out, Fact::Rejoined);
        self.ring(out);
    }

    /// Says to all what our end in it is. Comes before the call is taken down.
    pub(crate) fn say_goodbye(&mut self, out: &mut Out, end: &End) {
        let (outgoing, live) = (self.is_dialed(), self.is_answered());
        let Some(group) = &mut self.group else { return };
        let at = group.age(out.now);
        let joined = group.presence().and_then(Presence::joined);
        let by_starter = group.ended_by().is_some_and(|peer| group.began_by(peer));
        let presence = match &end.tell {
            Tell::Decline { reason, scope, .. } => {
                Some(Presence::Declined { reason: *reason, scope: *scope, at })
            }
            // Nobody takes part in what its starter has ended.
            Tell::Nothing if by_starter => None,
            Tell::Nothing | Tell::Word => (outgoing || live).then_some(Presence::Left { joined, at }),
        };
        if let Some(presence) = presence {
            group.say(presence);
        }
        if (outgoing || end.for_all)
            && let Some(mut said) = group.log.said().cloned()
        {
            let reason = if end.for_all { EndReason::EndedByHost } else { end.reason };
            said.ended = Some(Ending { reason, at: group.acts_at(out.now) });
            group.log.say(said);
        }
        if let Tell::Decline { reason, scope, text: Some(text) } = &end.tell {
            for leg in self.legs() {
                leg.send(out, Message::Decline { reason: *reason, scope: *scope, text: Some(text.clone()) });
            }
        }
        self.refold(out.now);
        self.tell_all(out);
    }

    /// Whether it goes on without us, so that it can be entered again.
    pub(crate) fn outlives(&self, end: &End) -> bool {
        let stays = match end.reason {
            EndReason::Removed
            | EndReason::Shutdown
            | EndReason::AnsweredElsewhere
            | EndReason::DeclinedElsewhere
            | EndReason::Superseded
            | EndReason::SecurityFailed
            | EndReason::Internal => false,
            EndReason::Completed
            | EndReason::Canceled
            | EndReason::Declined
            | EndReason::AllDeclined
            | EndReason::Busy
            | EndReason::NoAnswer
            | EndReason::Missed
            | EndReason::Unreachable
            | EndReason::Unavailable
            | EndReason::LastLeft
            | EndReason::RoomFull
            | EndReason::EndedByHost
            | EndReason::IceFailed
            | EndReason::NoTurn
            | EndReason::NegotiationFailed
            | EndReason::MediaFailed
            | EndReason::ConnectionLost
            | EndReason::SignalingFailed
            | EndReason::Interrupted => true,
        };
        let public = self.is_public();
        stays && public && end.note && self.group.as_ref().is_some_and(|group| group.runs())
    }

    /// It goes on without us.
    pub(crate) fn step_out(&mut self, out: &mut Out, end: &End) {
        self.legs_mut().for_each(|leg| leg.close(out));
        self.leave_room(out, end.for_all);
        out.order(Effect::EndMedia(self.wire));
        self.serial += 1;
        let (answered, connected) = (self.answered.is_some(), self.connected.is_some());
        let outcome = outcome(self.direction, answered, connected, end.reason);
        if let (Phase::Live(live), Some(group)) = (&self.phase, &mut self.group) {
            group.said = live.said;
        }
        if let Some(group) = &mut self.group {
            (group.alone, group.alone_told, group.taken) = (None, false, None);
            group.ties.values_mut().for_each(|tie| (tie.ring, tie.awaited) = (None, None));
            group.merging.clear();
        }
        let until = out.now + FORGET_AFTER;
        let (reason, by, ended) = (end.reason, end.by, out.now);
        self.phase = Phase::Outside(Outside { reason, by, outcome, ended, until });
        let mut row = self.view();
        row.members = self.last_members(out.now);
        out.record(Fact::Ended, row);
        self.refold(out.now);
        self.seat(out);
    }

    /// What is shown of each of the others once we are out.
    pub(crate) fn last_members(&self, now: Moment) -> Vec<crate::view::MemberView> {
        let shown = self.members.iter().filter(|(_, member)| !member.hidden);
        shown.map(|(id, member)| self.mark(member.last_view(*id, now))).collect()
    }

    /// Whether anybody but us rings or could still come.
    pub(super) fn awaits_anybody(&self) -> bool {
        let rings = |member: &Member| !member.legs.is_empty();
        self.members.values().any(|member| {
            matches!(member.state, MemberState::Invited | MemberState::Ringing) && rings(member)
        })
    }

    /// Whether paths may be made before an answer: in a group that needs a room they are of no use.
    pub(super) fn is_small(&self) -> bool {
        self.group.as_ref().is_some_and(|group| group.fold.people.len() <= MESH)
    }
}

fn invited(whom: &Callee, at: Age) -> Invited {
    Invited { peer: whom.peer, devices: u8::try_from(whom.devices.len()).unwrap_or(DEVICES), at }
}
