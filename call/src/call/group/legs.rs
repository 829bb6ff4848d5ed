//! Sessions and paths of a group: with everybody who takes part, and with nobody else.
//!
//! Lives here: who opens a session, who begins a path, what becomes of it when somebody goes.
//! Must not: know how a path is mended (`leg.rs`).

use alloc::vec::Vec;

use super::{MEET_AFTER, MEET_FOR, MEETS, STRANGER_FOR, Tie};
use crate::call::flags::open_order;
use crate::call::{Call, Flow, Leg, Out, Phase, Stage};
use crate::effect::SignalOrder;
use crate::group::Standing;
use crate::id::{LegId, MemberId, PeerId};
use crate::message::{Message, Opaque};
use crate::time::Moment;
use crate::view::MemberState;

impl Call {
    /// Every device that takes part has a session and a path with us, and no other has.
    pub(super) fn settle_legs(&mut self, out: &mut Out) {
        let Some(group) = &self.group else { return };
        let live = matches!(self.phase, Phase::Live(_));
        let others: Vec<(PeerId, LegId)> = group.others().collect();
        let blocked = |peer: &PeerId| group.blocked.contains(peer);
        let heard: Vec<(PeerId, LegId)> =
            others.iter().filter(|(peer, _)| live && !blocked(peer)).copied().collect();
        // Who was called and has not said no may still come: what was begun with them stays.
        let may_come: Vec<PeerId> = group
            .fold
            .people
            .iter()
            .filter(|(peer, person)| person.standing == Standing::Invited && !blocked(peer))
            .map(|(peer, _)| *peer)
            .collect();
        let ringing = matches!(self.phase, Phase::Outgoing(_) | Phase::Live(_));
        let incoming = matches!(self.phase, Phase::Incoming(_));
        for member in self.members.values_mut() {
            for leg in member.legs.values_mut() {
                let talks = heard.contains(&(member.peer, leg.id));
                let rings = ringing && leg.stage != Stage::Chosen && may_come.contains(&member.peer);
                if !talks && !rings && !incoming {
                    if leg.has_path() {
                        leg.close(out);
                    }
                    if leg.stage == Stage::Chosen {
                        leg.stage = Stage::Ready;
                    }
                }
            }
        }
        for (peer, leg) in heard {
            self.connect(out, peer, leg);
        }
    }

    /// A session and a path with a device that takes part.
    fn connect(&mut self, out: &mut Out, peer: PeerId, device: LegId) {
        let id = self.member_id_of(peer);
        let own = self.own_leg();
        let (muted, held) = (self.ours.is_muted(), self.held().is_some());
        let Some(group) = &self.group else { return };
        let (direct, gives_way) = (group.goes_direct(device, out.now), group.gives_way(device, out.now));
        let carried = group.carries(device);
        self.drop_vain_ring(out, id, device);
        let Some(leg) = self.members.get_mut(&id).and_then(|member| member.legs.get_mut(&device)) else {
            return self.meet(out, peer, device);
        };
        let chosen = leg.stage == Stage::Chosen;
        if leg.stage == Stage::Invited {
            return;
        }
        leg.stage = Stage::Chosen;
        if gives_way && leg.has_path() {
            leg.close(out);
        } else if chosen && !carried {
            leg.admit(out);
        }
        if !chosen {
            leg.admit(out);
            leg.tell_media(out, open_order(muted, held || leg.said.held));
        }
        if own > device && direct {
            leg.begin(out);
            leg.insist(out);
        }
        if !chosen {
            self.tell_state(out, device);
        }
    }

    /// They have come by another's ring: ours is of no use.
    fn drop_vain_ring(&mut self, out: &mut Out, id: MemberId, device: LegId) {
        let Some(tie) = self.group.as_mut().and_then(|group| group.ties.get_mut(&device)) else { return };
        let Some(member) = self.members.get_mut(&id) else { return };
        let waits = member.legs.get(&device).is_some_and(|leg| leg.stage == Stage::Invited);
        if tie.ring.take().is_some()
            && waits
            && let Some(leg) = member.legs.remove(&device)
        {
            leg.signal(out, SignalOrder::Forget);
        }
    }

    /// Opens a session: at once if we came later than they did, for they cannot know of us; else when theirs does not come.
    fn meet(&mut self, out: &mut Out, peer: PeerId, device: LegId) {
        let (wire, own) = (self.wire, self.own_leg());
        let id = self.member_id_of(peer);
        let Some(group) = &mut self.group else { return };
        let joined = |peer| group.fold.people.get(&peer).and_then(|person| person.joined);
        let ours_is_later = (joined(group.log.me()), own) > (joined(peer), device);
        let seal = group.log.entry(device).map_or(Opaque(Vec::new()), |entry| entry.seal.clone());
        let tie = group.ties.entry(device).or_insert_with(|| Tie::new(out.now));
        let since = *tie.awaited.get_or_insert(out.now);
        if !ours_is_later && since + MEET_AFTER > out.now {
            return;
        }
        tie.awaited = None;
        tie.meets = Some((out.now, tie.meets.map_or(0, |(_, tries)| tries) + 1));
        let leg = Leg::new(wire, own, device, Stage::Invited);
        leg.signal(out, SignalOrder::Meet { peer, seal, lifetime: MEET_FOR });
        if let Some(member) = self.members.get_mut(&id) {
            member.legs.insert(device, leg);
        }
    }

    /// Who did not answer our message 1 gets another, as long as they say that they take part.
    pub(super) fn meet_again(&mut self, out: &mut Out) {
        let Some(group) = self.group.as_ref().filter(|_| matches!(self.phase, Phase::Live(_))) else {
            return;
        };
        let due = |leg: &&Leg| {
            let tie = group.ties.get(&leg.id).and_then(|tie| tie.meets);
            leg.stage == Stage::Invited && tie.is_some_and(|(at, _)| at + MEET_FOR <= out.now)
        };
        let over: Vec<LegId> = self.legs().filter(due).map(|leg| leg.id).collect();
        for device in over {
            let Some(peer) = self.whose(device) else { continue };
            if let Some(leg) = self.member_of(device).and_then(|member| member.legs.remove(&device)) {
                leg.signal(out, SignalOrder::Forget);
            }
            let Some(group) = &mut self.group else { return };
            let person = group.fold.people.get(&peer);
            let there = person.is_some_and(|it| it.devices.contains(&device) || it.silent.contains(&device));
            let Some(tie) = group.ties.get_mut(&device) else { continue };
            if there && tie.meets.is_some_and(|(_, tries)| tries < MEETS) {
                tie.awaited = Some(Moment::default());
                self.meet(out, peer, device);
            }
        }
    }

    /// Whether a session that this device begins has a use: there is none that stands.
    pub(crate) fn takes_session(&self, leg: LegId) -> bool {
        let stands = self.legs().any(|it| it.id == leg && it.stage != Stage::Invited);
        match &self.phase {
            Phase::Outside(_) | Phase::Live(_) => !stands,
            Phase::Outgoing(_) | Phase::Incoming(_) => false,
        }
    }

    /// Another device opens a session with us.
    pub(crate) fn met(&mut self, out: &mut Out, device: LegId, peer: PeerId) -> Flow {
        let (wire, own) = (self.wire, self.own_leg());
        let forget = SignalOrder::Forget;
        let refused = match (&self.group, &self.phase) {
            (None, _) | (_, Phase::Incoming(_)) => true,
            (Some(group), Phase::Outgoing(_) | Phase::Live(_) | Phase::Outside(_)) => {
                group.fold.standing(peer) == Some(Standing::Removed)
                    || group.blocked.contains(&peer)
                    || device == own
                    || self.members.len() >= crate::group::AUTHORS
            }
        };
        if refused {
            let unknown = self.whose(device).is_none();
            let leg = Leg::new(wire, own, device, Stage::Ready);
            if unknown {
                leg.signal(out, forget);
            }
            return None;
        }
        let id = self.member_id_of(peer);
        let member = self.members.get_mut(&id)?;
        let mut leg = Leg::new(wire, own, device, Stage::Ready);
        if let Some(mut old) = member.legs.remove(&device) {
            old.close(out);
            leg.room = old.room.again();
        }
        leg.send(out, Message::Ready { offers: false });
        member.legs.insert(device, leg);
        if let Some(group) = &mut self.group {
            let bye = group.ties.get(&device).and_then(|tie| tie.bye);
            group.ties.insert(device, Tie { bye, ..Tie::new(out.now) });
        }
        self.settle_group(out)
    }

    /// A path to a member is up: what is said goes there, too.
    pub(crate) fn member_up(&mut self, out: &mut Out, on: LegId) -> Flow {
        let (muted, held) = (self.ours.is_muted(), self.held().is_some());
        let live = matches!(self.phase, Phase::Live(_));
        let member = self.members.values().find(|member| member.chosen().is_some_and(|leg| leg.id == on));
        if let Some(member) = member.filter(|_| live) {
            member.tell_media(out, open_order(muted, held || member.holds_us()));
        }
        if live {
            // What was said meanwhile may have been lost.
            self.tell_state(out, on);
        }
        self.greet(out, on);
        self.settle_group(out)
    }

    /// Until now it was heard by its path.
    pub(crate) fn falls_silent(&mut self, out: &Out, on: LegId) {
        if let Some(tie) = self.group.as_mut().and_then(|group| group.ties.get_mut(&on)) {
            tie.heard = out.now;
        }
    }

    /// The session of a device can carry nothing more, or it forgot the call.
    pub(crate) fn member_lost(&mut self, out: &mut Out, device: LegId, bye: bool) -> Flow {
        if let Some(group) = &mut self.group {
            let number = group.log.entry(device).map_or(0, |entry| entry.statement.number);
            if let Some(tie) = group.ties.get_mut(&device).filter(|_| bye) {
                (tie.bye, tie.heads) = (Some(number), alloc::collections::BTreeMap::new());
            }
        }
        let member = self.member_of(device)?;
        let takes_part = matches!(member.state, MemberState::Connecting | MemberState::Joined);
        let silent = member.legs.get(&device).is_some_and(|leg| leg.is_not_known_to_have_rung());
        // One who takes part is met again in its time.
        if (bye || !takes_part)
            && let Some(mut leg) = member.legs.remove(&device)
        {
            member.unrung.extend((silent && !bye && !takes_part).then_some(device));
            leg.close(out);
            leg.signal(out, SignalOrder::Forget);
        }
        self.settle_group(out)
    }

    /// What rang long enough rings no more.
    pub(super) fn end_rings(&mut self, out: &mut Out) {
        let live = matches!(self.phase, Phase::Live(_));
        let Some(group) = &mut self.group else { return };
        let over = |tie: &Tie| tie.ring.is_some_and(|(until, _)| until <= out.now);
        let over: Vec<LegId> = group.ties.iter().filter(|(_, tie)| over(tie)).map(|(leg, _)| *leg).collect();
        for device in over {
            if let Some(tie) = self.group.as_mut().and_then(|group| group.ties.get_mut(&device)) {
                tie.ring = None;
            }
            let Some(member) = self.member_of(device) else { continue };
            let peer = member.peer;
            let Some(leg) = member.legs.get_mut(&device).filter(|leg| leg.stage != Stage::Chosen) else {
                continue;
            };
            // The start as a whole leaves its notes itself.
            if live && leg.is_not_known_to_have_rung() {
                leg.signal(out, SignalOrder::Missed { peer });
            }
            leg.close(out);
            if leg.stage == Stage::Invited && live {
                leg.signal(out, SignalOrder::Forget);
                member.legs.remove(&device);
            } else if leg.stage == Stage::Ringing {
                leg.stage = Stage::Ready;
            }
        }
    }

    /// Who has no place in the call keeps no session.
    pub(super) fn drop_strangers(&mut self, out: &mut Out) {
        let Some(group) = &self.group else { return };
        let due = |leg: LegId| {
            let heard = group.ties.get(&leg).map(|tie| tie.heard + STRANGER_FOR);
            group.is_stranger(self, leg) && heard.is_none_or(|at| at <= out.now)
        };
        let gone: Vec<LegId> = self.legs().map(|leg| leg.id).filter(|leg| due(*leg)).collect();
        for device in gone {
            if let Some(mut leg) = self.member_of(device).and_then(|member| member.legs.remove(&device)) {
                leg.close(out);
                leg.signal(out, SignalOrder::Forget);
            }
            if let Some(group) = &mut self.group {
                group.ties.remove(&device);
            }
        }
        self.members.retain(|_, member| !member.hidden || !member.legs.is_empty());
    }

    /// Whom we blocked, or blocked no more.
    pub(crate) fn block_member(&mut self, out: &mut Out, peer: PeerId, blocked: bool) -> Flow {
        let group = self.group.as_mut()?;
        if blocked {
            group.blocked.insert(peer)
        } else {
            group.blocked.remove(&peer)
        };
        self.settle_group(out)
    }
}
