//! What the log comes to for this device: its members, its own phase, and whether anybody is heard.
//!
//! Lives here: following the fold.
//! Must not: send anything (`gossip.rs`), or open anything (`legs.rs`).

use super::{ALONE_AFTER, ALONE_FOR, Group};
use crate::call::end::End;
use crate::call::live::{Live, Sound};
use crate::call::{Call, Flow, Leg, Member, Out, Phase};
use crate::effect::{Fact, MediaOrder};
use crate::group::{Gone, PEOPLE, Person, Presence, Standing};
use crate::id::{LegId, MemberId, PeerId};
use crate::message::{CancelReason, Scope};
use crate::time::Moment;
use crate::view::{EndReason, EndedBy, MemberState, MemberView};

impl Call {
    /// Brings everything into line with what is known now.
    pub(crate) fn settle_group(&mut self, out: &mut Out) -> Flow {
        self.group.as_ref()?;
        self.refold(out.now);
        self.say_rooms(out);
        self.give_up_silent(out);
        self.seat(out);
        let end = self.settle_phase(out);
        if end.is_some() {
            return end;
        }
        self.settle_room(out);
        self.settle_legs(out);
        self.settle_states();
        self.settle_sound(out);
        self.open_stay(out);
        let end = self.settle_alone(out);
        if end.is_none() {
            self.tell(out);
        }
        end
    }

    /// What the group has to do by itself at this time.
    pub(crate) fn tick_group(&mut self, out: &mut Out) -> Flow {
        if let Phase::Outside(it) = &self.phase
            && it.until <= out.now
        {
            return Some(End::quiet(it.reason, it.by));
        }
        self.end_rings(out);
        self.drop_strangers(out);
        self.meet_again(out);
        self.settle_group(out)
    }

    /// When the group next has something to do.
    pub(crate) fn group_deadline(&self) -> Option<Moment> {
        self.group.as_ref().and_then(|group| group.deadline(self))
    }

    /// Folds the log anew.
    pub(super) fn refold(&mut self, now: Moment) {
        // Who rings us is there, whatever somebody says of them.
        let hears_all = matches!(self.phase, Phase::Live(_) | Phase::Incoming(_));
        let window = self.reconnect_window;
        let Some(mut group) = self.group.take() else { return };
        for leg in self.legs() {
            let carried = leg.carries() || group.carries(leg.id);
            if let Some(tie) = group.ties.get_mut(&leg.id).filter(|_| carried) {
                tie.heard = now;
            }
        }
        let hears =
            |leg: LegId| hears_all && group.ties.contains_key(&leg) && !group.is_silent(leg, now, window);
        group.fold = group.log.fold(hears, group.taken);
        self.group = Some(group);
    }

    /// A member of whom nothing was heard for the window is given up; one who is heard again is not any more.
    fn give_up_silent(&mut self, out: &mut Out) {
        if !matches!(self.phase, Phase::Live(_)) {
            return;
        }
        let (window, now) = (self.reconnect_window, out.now);
        let Some(group) = &mut self.group else { return };
        if group.taken.is_some_and(|(leg, _)| group.is_silent(leg, now, window)) {
            group.taken = None;
            self.refold(now);
        }
        let Some(group) = &mut self.group else { return };
        let Some(mut said) = group.log.said().cloned() else { return };
        let silent = |leg: LegId| group.is_silent(leg, now, window);
        let at = group.age(now);
        let number = |leg: LegId| group.log.entry(leg).map(|entry| entry.statement.number);
        let mut gone = said.gone.clone();
        gone.retain(|it| silent(it.leg) && number(it.leg) == Some(it.number));
        for (_, leg) in group.others() {
            if let Some(number) = number(leg).filter(|_| silent(leg) && gone.len() < PEOPLE - 1) {
                gone.push(Gone { leg, number, at });
            }
        }
        if gone != said.gone {
            said.gone = gone;
            group.log.say(said);
            self.refold(now);
        }
    }

    /// Everybody who has a place is a member, and stands where the log says.
    pub(super) fn seat(&mut self, out: &mut Out) {
        let Some(group) = &self.group else { return };
        let (me, fold) = (group.log.me(), group.fold.clone());
        for (peer, person) in fold.people.iter().filter(|(peer, _)| **peer != me) {
            let id = self.member_id_of(*peer);
            let Some(group) = &self.group else { return };
            let moments = (
                person.joined.map(|age| group.moment(age, out.now)),
                person.left.map(|age| group.moment(age, out.now)),
            );
            let Some(member) = self.members.get_mut(&id) else { return };
            let (old, new) = (member.state, member.hidden);
            member.hidden = false;
            member.stand(person, moments);
            let state = member.state;
            self.note(out, id, (new, old), state);
        }
    }

    /// Writes down what has become of a member.
    fn note(&mut self, out: &mut Out, id: MemberId, (new, old): (bool, MemberState), state: MemberState) {
        use MemberState::{Connecting, Declined, Invited, Joined, Left, Ringing};
        let takes_part = |state| matches!(state, Connecting | Joined);
        let fact = match (old, state) {
            (_, Connecting | Joined) if new || !takes_part(old) => Fact::PeerJoined,
            (Connecting | Joined | Invited | Ringing, Left) => Fact::PeerLeft,
            (Invited | Ringing | Connecting | Joined | Left, Declined) => Fact::PeerDeclined,
            (_, Invited) if new => Fact::PeerInvited,
            _ => return,
        };
        let written = match &self.phase {
            Phase::Outgoing(_) | Phase::Live(_) => true,
            Phase::Incoming(_) => self.rings_here(),
            Phase::Outside(_) => false,
        };
        let Some(member) = self.members.get_mut(&id) else { return };
        if written && member.notes < crate::call::flags::NOTES_OF_A_MEMBER {
            member.notes += 1;
            out.record_about(fact, id, self.view());
        }
    }

    /// What the log makes of our own part.
    fn settle_phase(&mut self, out: &mut Out) -> Flow {
        let group = self.group.as_ref()?;
        let me = group.log.me();
        let (ended, runs) = (group.fold.ended, group.fold.runs());
        let mine = group.fold.people.get(&me);
        let standing = mine.map(|person| person.standing);
        let elsewhere = group.is_elsewhere();
        let moved = mine.and_then(|person| person.joined) > group.presence().and_then(Presence::joined);
        match &self.phase {
            Phase::Outgoing(it) => {
                let rings = it.rings();
                if group.others().next().is_some() {
                    let give_up = out.now + ALONE_FOR;
                    self.answered = Some(out.now);
                    self.ringing.get_or_insert(out.now);
                    self.begin_group(out, give_up, false, 0);
                    return None;
                }
                self.nobody_comes(rings)
            }
            Phase::Incoming(_) if !self.is_public() && !self.is_arriving() => None,
            Phase::Incoming(_) if elsewhere => {
                Some(End::quiet(EndReason::AnsweredElsewhere, EndedBy::Remote))
            }
            Phase::Incoming(_) => match (standing, ended) {
                (Some(Standing::Declined), _) if !self.has_declined() => {
                    Some(End::quiet(EndReason::DeclinedElsewhere, EndedBy::Remote))
                }
                (_, Some((EndReason::Superseded, _))) => {
                    Some(End::quiet(EndReason::Superseded, EndedBy::Policy))
                }
                (_, Some((EndReason::NoAnswer | EndReason::Unavailable, _))) => {
                    Some(self.canceled(CancelReason::NoAnswer))
                }
                (Some(Standing::Removed) | None, _) | (_, Some(_)) => {
                    Some(self.canceled(CancelReason::Canceled))
                }
                (Some(_), None) => (!runs).then(|| self.canceled(CancelReason::Canceled)),
            },
            Phase::Live(_) => match (standing, ended) {
                (Some(Standing::Removed) | None, _) => Some(End::quiet(EndReason::Removed, EndedBy::Remote)),
                (_, Some((EndReason::Superseded, _))) => {
                    Some(End::quiet(EndReason::Superseded, EndedBy::Policy))
                }
                (_, Some(_)) => Some(End::quiet(EndReason::EndedByHost, EndedBy::Remote)),
                // Another device of this person has taken it over.
                _ if elsewhere && moved => Some(End::quiet(EndReason::Superseded, EndedBy::Remote)),
                _ if elsewhere => Some(End::quiet(EndReason::AnsweredElsewhere, EndedBy::Remote)),
                _ if !group.has_place(me) && !group.is_in_room() => {
                    Some(End::quiet(EndReason::RoomFull, EndedBy::Policy))
                }
                _ => None,
            },
            Phase::Outside(it) => {
                let removed = standing == Some(Standing::Removed);
                (removed || !runs).then(|| End::quiet(it.reason, it.by))
            }
        }
    }

    /// Whether we said no ourselves.
    fn has_declined(&self) -> bool {
        let said = self.group.as_ref().and_then(|group| group.presence());
        matches!(said, Some(Presence::Declined { scope: Scope::Everywhere | Scope::ThisDevice, .. }))
    }

    /// A start that nobody will answer any more.
    fn nobody_comes(&self, rings: bool) -> Flow {
        let group = self.group.as_ref()?;
        let me = group.log.me();
        let mut others = group.fold.people.iter().filter(|(peer, _)| **peer != me);
        if others.all(|(_, person)| person.standing == Standing::Declined) {
            return Some(End::quiet(EndReason::AllDeclined, EndedBy::Remote));
        }
        let vain = if rings { EndReason::NoAnswer } else { EndReason::Unavailable };
        (!self.awaits_anybody()).then(|| End::quiet(vain, EndedBy::Remote))
    }

    /// From the first answer on, or from our own coming in.
    pub(super) fn begin_group(&mut self, out: &mut Out, give_up: Moment, auto_answered: bool, said: u32) {
        let (held, dialing_beside, digits_until) = (None, false, out.now);
        let sound = Sound::Awaited { give_up };
        self.phase = Phase::Live(Live { sound, held, auto_answered, dialing_beside, said, digits_until });
        if let Some(group) = &mut self.group {
            (group.alone, group.alone_told) = (None, false);
            group.room.begun = out.now;
            for (_, leg) in group.others().collect::<alloc::vec::Vec<_>>() {
                group.ties.entry(leg).or_insert_with(|| super::Tie::new(out.now)).heard = out.now;
            }
        }
        self.refold(out.now);
        self.step(out, Fact::Answered);
        if self.ours.is_muted() || said > 0 {
            self.send_state(out);
        }
    }

    /// Of each who takes part: whether sound flows between us.
    fn settle_states(&mut self) {
        let (live, rings) = (matches!(self.phase, Phase::Live(_)), matches!(self.phase, Phase::Incoming(_)));
        let Some(group) = &self.group else { return };
        let carries = |leg: &Leg| leg.carries() || group.carries(leg.id);
        for member in self.members.values_mut() {
            let heard = member.chosen().is_some_and(carries) && !group.blocked.contains(&member.peer);
            if (live || rings) && matches!(member.state, MemberState::Connecting | MemberState::Joined) {
                // Who rings here hears nobody, whom they heard in an earlier stay neither.
                member.state = if live && heard { MemberState::Joined } else { MemberState::Connecting };
            }
        }
    }

    /// Whether anybody is heard, and since when nobody is there.
    fn settle_sound(&mut self, out: &mut Out) {
        let any = |state| self.members.values().any(|member| !member.hidden && member.state == state);
        let (heard, awaited) = (any(MemberState::Joined), any(MemberState::Connecting));
        let connected = self.connected.is_some();
        let Some(group) = &mut self.group else { return };
        let Phase::Live(live) = &mut self.phase else { return };
        let was_alone = group.alone.is_some();
        if heard || awaited {
            (group.alone, group.alone_told) = (None, false);
        } else {
            group.alone.get_or_insert(out.now);
        }
        let (sound, fact) = match (live.sound, heard, awaited) {
            (Sound::Flows, true, _) if !connected => (Sound::Flows, Some(Fact::Connected)),
            (Sound::Flows, true, _) => return,
            (Sound::Awaited { .. } | Sound::Lost { .. }, true, _) if connected => {
                (Sound::Flows, Some(Fact::PathRestored))
            }
            (Sound::Awaited { .. } | Sound::Lost { .. }, true, _) => (Sound::Flows, Some(Fact::Connected)),
            (Sound::Flows, false, true) if connected && !was_alone => {
                (Sound::Lost { give_up: out.now + ALONE_FOR }, Some(Fact::PathLost))
            }
            (Sound::Flows, false, true) => (Sound::Awaited { give_up: out.now + ALONE_FOR }, None),
            (Sound::Awaited { .. } | Sound::Lost { .. }, false, true) => return,
            // Nobody is there whom one could hear: nothing is wrong.
            (Sound::Flows, false, false) => return,
            (Sound::Awaited { .. } | Sound::Lost { .. }, false, false) => (Sound::Flows, None),
        };
        live.sound = sound;
        if heard {
            self.connected.get_or_insert(out.now);
        } else {
            live.digits_until = out.now;
            self.pause_all(out);
        }
        match fact {
            Some(fact) => self.step(out, fact),
            None => self.serial += 1,
        }
    }

    /// No sample is read from the microphone until somebody can hear it.
    fn pause_all(&mut self, out: &mut Out) {
        self.pause_stay(out);
        for member in self.members.values() {
            member.tell_media(out, MediaOrder::Pause);
        }
    }

    /// Nobody else is in it: a person is told, and then it ends.
    fn settle_alone(&mut self, out: &mut Out) -> Flow {
        let Phase::Live(live) = &self.phase else { return None };
        let give_up = live.give_up().filter(|at| *at <= out.now);
        let group = self.group.as_mut()?;
        if let Some(since) = group.alone {
            if since + ALONE_FOR <= out.now {
                return Some(End::told(EndReason::LastLeft, EndedBy::Policy));
            }
            if since + ALONE_AFTER <= out.now && !group.alone_told {
                group.alone_told = true;
                self.step(out, Fact::Alone);
            }
            return None;
        }
        give_up?;
        let reason = if self.connected.is_some() { EndReason::ConnectionLost } else { EndReason::IceFailed };
        Some(End::told(reason, EndedBy::Network))
    }

    /// What hanging up in a group is called: who is the last in it ends it.
    pub(crate) fn left_for(&self) -> Option<EndReason> {
        let group = self.group.as_ref().filter(|_| self.is_answered())?;
        (group.others().next().is_none() && !self.awaits_anybody()).then_some(EndReason::LastLeft)
    }

    /// What a group's view says of a member beside what they say themselves.
    pub(crate) fn mark(&self, view: MemberView) -> MemberView {
        let Some(group) = &self.group else { return view };
        let peer = view.peer;
        MemberView {
            starter: group.began_by(peer),
            host: group.hosts(peer),
            blocked: group.has_blocked(peer),
            ..view
        }
    }
}

impl Member {
    /// Where they stand by the log.
    fn stand(&mut self, person: &Person, (joined, left): (Option<Moment>, Option<Moment>)) {
        let takes_part = matches!(self.state, MemberState::Connecting | MemberState::Joined);
        (self.joined, self.left) = (None, None);
        self.state = match person.standing {
            Standing::Joined => {
                self.joined = joined;
                if takes_part { self.state } else { MemberState::Connecting }
            }
            Standing::Left | Standing::Removed if joined.is_some() => {
                (self.joined, self.left) = (joined, left.or(joined));
                MemberState::Left
            }
            Standing::Declined | Standing::Left | Standing::Removed => MemberState::Declined,
            Standing::Invited if self.legs.values().any(Leg::rings) => MemberState::Ringing,
            Standing::Invited => MemberState::Invited,
        };
    }
}

impl Group {
    /// Whether this person is one of those whom there is a place for: of too many, those who joined first.
    fn has_place(&self, peer: PeerId) -> bool {
        let joined = self.fold.joined();
        joined.iter().position(|one| *one == peer).is_none_or(|at| at < self.capacity())
    }
}
