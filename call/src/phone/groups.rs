//! Groups beside other calls: starting, calling, merging, entering; the same group started twice.
//!
//! Lives here: what these verbs meet; which of two calls of one group stands.
//! Must not: know what happens inside one call.

use alloc::collections::BTreeSet;
use alloc::string::String;
use core::time::Duration;

use super::verbs::Found;
use super::{Moving, Phone};
use crate::call::{ALONE_FOR, Call, End, Group, GroupDial, House, Key, MESH, Out, ROOM};
use crate::command::{Callee, Others, Refusal};
use crate::effect::{Effect, SignalOrder};
use crate::group::{DEVICES, News, PEOPLE};
use crate::id::{CallId, GroupId, LegId, MemberId, PeerId};
use crate::message::Message;
use crate::view::{EndReason, EndedBy};

impl Phone {
    /// What each group has to know.
    pub(super) fn house(&self) -> House {
        House { blocked: self.blocked.clone(), rooms: self.rooms }
    }

    /// The call of this group that a start would join: one of the same name, or of the same people, that rings or runs.
    pub fn group_of(&self, group: Option<GroupId>, people: &[PeerId]) -> Option<CallId> {
        let people = || people.iter().copied().chain([self.me]).collect::<BTreeSet<PeerId>>();
        let key = group.map_or_else(|| Key::People(people()), Key::Named);
        let same =
            |call: &&Call| call.is_public() && call.group().is_some_and(|it| it.key() == key && it.runs());
        self.calls.values().find(same).map(Call::id)
    }

    pub(super) fn start_group(
        &mut self,
        out: &mut Out,
        dial: GroupDial,
        hold_others: bool,
    ) -> Result<(), Refusal> {
        let people: alloc::vec::Vec<PeerId> = dial.targets.iter().map(|target| target.peer).collect();
        self.fits(&dial, &people)?;
        let known = self.group_of(dial.group, &people);
        if !hold_others && self.occupied_beside(known) {
            return Err(Refusal::Busy);
        }
        if let Some(call) = known {
            return self.join(out, call);
        }
        if self.cannot_dial().is_some() {
            return Err(Refusal::Busy);
        }
        self.hold_all(out);
        let call = Call::start_group(out, dial, self.settings.reconnect_window, self.muted);
        self.calls.insert(call.id(), call);
        Ok(())
    }

    fn fits(&self, dial: &GroupDial, people: &[PeerId]) -> Result<(), Refusal> {
        let different: BTreeSet<&PeerId> = people.iter().collect();
        let whole = !people.is_empty() && people.len() < PEOPLE && different.len() == people.len();
        if !whole || people.contains(&self.me) {
            return Err(Refusal::OutOfRange);
        }
        let bad = |target: &Callee| {
            let devices = target.devices.len();
            devices == 0 || devices > usize::from(DEVICES) || target.devices.contains(&self.own)
        };
        if dial.targets.iter().any(bad) {
            return Err(Refusal::NoDevice);
        }
        if !super::dial::LIFETIME.contains(&dial.lifetime.as_secs()) || self.knows(dial.call) {
            return Err(Refusal::OutOfRange);
        }
        Ok(())
    }

    pub(super) fn invite(
        &mut self,
        out: &mut Out,
        call: CallId,
        whom: &Callee,
        lifetime: Duration,
    ) -> Result<(), Refusal> {
        self.find_answered(call)?;
        if !super::dial::LIFETIME.contains(&lifetime.as_secs()) {
            return Err(Refusal::OutOfRange);
        }
        if whom.peer == self.me || whom.devices.contains(&self.own) {
            return Err(Refusal::NoDevice);
        }
        if self.blocked.contains(&whom.peer) {
            return Err(Refusal::InvalidState);
        }
        self.calls.get(&call).ok_or(Refusal::NoSuchCall)?.takes(whom)?;
        self.grow(out, call)?;
        self.change(out, call, |call, out| call.invite(out, whom, lifetime, None));
        Ok(())
    }

    /// A direct conversation becomes a group; a group stays one.
    fn grow(&mut self, out: &mut Out, call: CallId) -> Result<(), Refusal> {
        let (own, house) = ((self.own, self.me), self.house());
        let live = self.calls.get_mut(&call).ok_or(Refusal::NoSuchCall)?;
        if live.group().is_none() {
            live.grow(out, own, house).ok_or(Refusal::InvalidState)?;
        }
        Ok(())
    }

    pub(super) fn merge_calls(&mut self, out: &mut Out, call: CallId, other: CallId) -> Result<(), Refusal> {
        self.find_answered(call)?;
        self.find_answered(other)?;
        let (Some(stays), Some(ends)) = (self.calls.get(&call), self.calls.get(&other)) else {
            return Err(Refusal::NoSuchCall);
        };
        if call == other || self.dialing().is_some() {
            return Err(Refusal::InvalidState);
        }
        let wire = ends.wire();
        let here: BTreeSet<PeerId> = stays.talks_with().map(|(peer, _)| peer).collect();
        let come: alloc::vec::Vec<Callee> = ends
            .talks_with()
            .filter(|(peer, _)| !here.contains(peer))
            .map(|(peer, leg)| Callee { peer, devices: [leg].into() })
            .collect();
        let own = if self.rooms { ROOM } else { MESH };
        if here.len() + come.len() + 1 > stays.group().map_or(own, Group::capacity) {
            return Err(Refusal::RoomFull);
        }
        self.grow(out, call)?;
        self.resume(out, call)?;
        if let Some(group) = self.calls.get_mut(&call).and_then(Call::group_mut) {
            group.merging.push(other);
        }
        for whom in come {
            self.change(out, call, |call, out| call.invite(out, &whom, MERGE_FOR, Some(wire)));
        }
        Ok(())
    }

    /// Enters a group call that runs without us; answers it if it rings.
    pub(super) fn join(&mut self, out: &mut Out, call: CallId) -> Result<(), Refusal> {
        let Found::Live(live) = self.find(call)? else { return Err(Refusal::InvalidState) };
        let Some(group) = live.group() else { return Err(Refusal::InvalidState) };
        if live.rings_here() {
            self.answer(out, call, Others::Hold, false);
            return Ok(());
        }
        if live.outside().is_none() {
            return Ok(());
        }
        if !group.runs() {
            return Err(Refusal::InvalidState);
        }
        if group.is_full() {
            return Err(Refusal::RoomFull);
        }
        let now = out.now;
        if self.calls.get_mut(&call).is_some_and(|call| call.enters_too_often(now)) {
            return Err(Refusal::TooSoon);
        }
        self.answer(out, call, Others::Hold, false);
        Ok(())
    }

    pub(super) fn remove(&mut self, out: &mut Out, call: CallId, member: MemberId) -> Result<(), Refusal> {
        self.find_answered(call)?;
        let live = self.calls.get(&call).ok_or(Refusal::NoSuchCall)?;
        let group = live.group().ok_or(Refusal::InvalidState)?;
        let peer = live.member(member).ok_or(Refusal::NoSuchCall)?;
        if !group.is_host() {
            return Err(Refusal::NotHost);
        }
        if group.expects(peer) {
            self.change(out, call, |call, out| call.remove(out, member));
        }
        Ok(())
    }

    /// Ends a group for all.
    pub(super) fn end_for_all(&mut self, out: &mut Out, call: CallId) -> Result<(), Refusal> {
        let Found::Live(live) = self.find(call)? else { return Ok(()) };
        if let Some(group) = live.group() {
            let answered = live.is_answered();
            if !(live.is_dialed() || answered && group.is_host()) {
                return Err(Refusal::NotHost);
            }
            self.change(out, call, |call, _| {
                let end = call.hung_up();
                Some(if answered { end.for_all() } else { end })
            });
        } else {
            self.hang_up(out, call);
        }
        Ok(())
    }

    /// The other end of a direct conversation has made a group of it.
    pub(super) fn grow_with(&mut self, out: &mut Out, id: CallId, leg: LegId, news: &News) {
        let (own, house) = ((self.own, self.me), self.house());
        // Who answered our call and made a group of it says so before we have heard the answer.
        let answers = |call: &Call| {
            let ours = news.start.leg == self.own && news.start.call == call.wire();
            call.is_dialed() && call.group().is_none() && ours && call.is_reached(leg)
        };
        if self.calls.get(&id).is_some_and(answers) {
            self.change(out, id, |call, out| call.received(out, leg, Message::Accept));
        }
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.group().is_none()
            && call.is_answered()
            && call.talks_on_leg(leg)
            && call.would_start(own) == news.start
        {
            let _grown = call.grow(out, own, house);
        }
    }

    /// Whether this is a group call that we know, or knew.
    pub(super) fn is_group(&self, wire: CallId) -> bool {
        let lives = self.calls.values().any(|call| call.wire() == wire && call.group().is_some());
        lives || self.tombstones.iter().any(|tomb| tomb.was_group(wire))
    }

    /// A ring of a group call that we know. Who is out of it may be called again; who is in it meets the caller; else there is
    /// nothing to ring for.
    pub(super) fn rung_again(&mut self, out: &mut Out, wire: CallId, leg: LegId, peer: PeerId) {
        let live = self.calls.values().find(|call| call.wire() == wire);
        let takes = live.is_some_and(|call| call.takes_session(leg));
        let mut tombs = self.tombstones.iter().flat_map(|tomb| &tomb.sessions);
        let known = live.is_some_and(|call| call.has_leg(leg)) || tombs.any(|it| *it == (wire, leg));
        if takes {
            self.met(out, wire, leg, peer);
        } else if !known {
            out.order(Effect::Signal { call: wire, leg, order: SignalOrder::Forget });
        }
    }

    /// A device opens a session for a group call that we know.
    pub(super) fn met(&mut self, out: &mut Out, call: CallId, leg: LegId, peer: PeerId) {
        let known = self.calls.values().find(|live| live.wire() == call).map(Call::id);
        match known {
            Some(id) => self.change(out, id, |call, out| call.met(out, leg, peer)),
            None => out.order(Effect::Signal { call, leg, order: SignalOrder::Forget }),
        }
    }

    /// Message 3 of a group, or of one that we are called into again.
    pub(super) fn invited(&mut self, out: &mut Out, id: CallId, leg: LegId, message: Message) {
        let Message::Invite { remaining, text, instead_of, news } = message else { return };
        let Some(call) = self.calls.get(&id) else { return };
        if call.is_knocking() {
            return self.called(out, (id, leg), (remaining, text, instead_of), &news);
        }
        let again = call.outside().is_some();
        self.change(out, id, |call, out| call.group_received(out, leg, Message::Log(news)));
        let limit = self.settings.ring_at_most;
        let Some(call) = self.calls.get_mut(&id) else { return };
        if again
            && call.outside().is_some()
            && call.group().is_some_and(|it| it.runs() && it.waits_for(self.me))
        {
            call.ring_again(out, remaining, limit, text);
            self.change(out, id, Call::settle_group);
        }
    }

    fn called(
        &mut self,
        out: &mut Out,
        (id, leg): (CallId, LegId),
        (remaining, text, instead_of): (Duration, Option<String>, Option<CallId>),
        news: &News,
    ) {
        let (own, house) = ((self.own, self.me), self.house());
        let talks = instead_of.is_some_and(|wire| {
            self.calls
                .values()
                .any(|call| call.wire() == wire && call.is_answered() && call.talks_on_leg(leg))
        });
        let moved = |moving: &Moving, key: &Key| moving.0 == *key && moving.1 > out.now;
        let Some(peer) = self.calls.get(&id).map(Call::peer) else { return };
        let room = self.has_room_for(peer);
        let Some(call) = self.calls.get_mut(&id) else { return };
        let became = call.become_group(out, own, news, house);
        if became.is_none() || !room {
            return self.drop_knock(out, id);
        }
        call.prove(out.now, remaining, text);
        if let Some(group) = call.group_mut() {
            let key = group.key();
            let starter = group.start().peer;
            group.answers = talks || self.moving.iter().any(|it| moved(it, &key) && it.2.contains(&starter));
        }
        self.let_in(out, id);
        self.change(out, id, Call::settle_group);
    }

    /// Of two calls of one group the higher stands. The other ends, and who was in it goes on in that one.
    pub(super) fn settle_groups(&mut self, out: &mut Out) {
        self.moving.retain(|(_, until, _)| *until > out.now);
        while let Some((lower, higher)) = self.doubled() {
            let Some(call) = self.calls.get(&lower) else { return };
            let takes_part = call.is_answered() || call.is_dialed();
            if call.is_public() || call.is_arriving() {
                let quiet = End::quiet(EndReason::Superseded, EndedBy::Policy);
                self.change(out, lower, |_, _| Some(quiet));
            } else {
                self.drop_knock(out, lower);
            }
            if takes_part {
                self.go_on_in(out, higher);
            }
        }
        self.end_merged(out);
    }

    /// Two calls of one group that both go on here.
    fn doubled(&self) -> Option<(CallId, CallId)> {
        let lives = |call: &&Call| !call.is_knocking() && call.group().is_some_and(|group| group.runs());
        let mut groups: alloc::vec::Vec<&Call> = self.calls.values().filter(lives).collect();
        groups.sort_by_key(|call| call.wire());
        let key = |call: &Call| call.group().map(|group| group.key());
        groups.iter().enumerate().find_map(|(at, lower)| {
            let same = |higher: &&&Call| key(higher) == key(lower) && takes_over(lower, higher);
            let higher = groups.iter().skip(at + 1).rev().find(same)?;
            (lower.wire() != higher.wire()).then(|| (lower.id(), higher.id()))
        })
    }

    fn go_on_in(&mut self, out: &mut Out, call: CallId) {
        let Some(live) = self.calls.get_mut(&call) else { return };
        if live.rings_here() || live.outside().is_some() {
            self.answer(out, call, Others::Hold, false);
        } else if let Some(group) = live.group_mut() {
            group.answers = true;
        }
    }

    /// A conversation whose people have all come over ends.
    fn end_merged(&mut self, out: &mut Out) {
        let merging = |call: &Call| {
            let group = call.group()?;
            Some(group.merging.iter().map(|other| (call.id(), *other)).collect::<alloc::vec::Vec<_>>())
        };
        let all: alloc::vec::Vec<(CallId, CallId)> =
            self.calls.values().filter_map(merging).flatten().collect();
        for (into, other) in all {
            let here = |peer: PeerId| {
                self.calls.get(&into).and_then(Call::group).is_some_and(|group| group.has_joined(peer))
            };
            let comes = |peer: PeerId| {
                self.calls.get(&into).and_then(Call::group).is_some_and(|group| group.expects(peer))
            };
            let Some(left) = self.calls.get(&other).filter(|call| call.is_answered()) else {
                self.forget_merge(into, other);
                continue;
            };
            let all_here = left.talks_with().all(|(peer, _)| here(peer));
            let any_comes = left.talks_with().any(|(peer, _)| comes(peer));
            if all_here || !any_comes {
                self.forget_merge(into, other);
            }
            if all_here {
                let end = End::told(EndReason::Superseded, EndedBy::Local);
                self.change(out, other, |_, _| Some(end));
            }
        }
    }

    fn forget_merge(&mut self, into: CallId, other: CallId) {
        if let Some(group) = self.calls.get_mut(&into).and_then(Call::group_mut) {
            group.merging.retain(|it| *it != other);
        }
    }

    /// A group that we were in goes on in another call that has not reached us yet: that one is answered when it comes.
    pub(super) fn remember_move(&mut self, out: &Out, id: CallId, end: &End) {
        let Some(call) = self.calls.get(&id).filter(|call| call.is_answered()) else { return };
        if end.reason == EndReason::Superseded
            && let Some(group) = call.group().filter(|group| !group.is_elsewhere())
        {
            let key = group.key();
            let people = group.those_of_it();
            self.moving.retain(|(of, ..)| *of != key);
            self.moving.push((key, out.now + ALONE_FOR, people));
        }
    }
}

/// Two calls of one group become one only if who started the other had a place in ours when it began, and was not put out of it: who
/// merely knows the group's name rings like anybody.
fn takes_over(ours: &Call, other: &Call) -> bool {
    let starter = other.group().map(|group| group.start().peer);
    starter.zip(ours.group()).is_some_and(|(starter, group)| group.is_of(starter))
}

/// How long the people of a conversation may take to come over.
const MERGE_FOR: Duration = Duration::from_secs(30);
