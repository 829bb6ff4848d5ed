//! A call that was answered: connecting, talking, reconnecting.
//!
//! Lives here: what each input does from the answer to the end.
//! Must not: know how a path is mended (`leg.rs`).

use crate::call::end::End;
use crate::call::flags::open_order;
use crate::call::{Call, Flow, Member, Out, Path, Phase, SET_UP};
use crate::effect::{Fact, MediaOrder};
use crate::id::LegId;
use crate::time::Moment;
use crate::view::{EndReason, EndedBy, MemberState};

/// Somebody answered, here or there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Live {
    pub(super) sound: Sound,
    /// Since when we hold it.
    pub(super) held: Option<Moment>,
    /// It was answered by a rule of the contact.
    pub(super) auto_answered: bool,
    /// A call is being dialed: what is held stays so.
    pub(super) dialing_beside: bool,
    /// How often our flags were sent.
    pub(super) said: u32,
    /// Digits are being sent until then.
    pub(super) digits_until: Moment,
}

/// Whether anybody is heard. One member is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sound {
    /// Nobody yet.
    Awaited { give_up: Moment },
    /// Sound flows.
    Flows,
    /// Nobody any more: it is being mended.
    Lost { give_up: Moment },
}

impl Live {
    /// When it ends if nobody is heard until then.
    pub(super) fn give_up(&self) -> Option<Moment> {
        match self.sound {
            Sound::Awaited { give_up } | Sound::Lost { give_up } => Some(give_up),
            Sound::Flows => None,
        }
    }
}

impl Call {
    /// From an answer on, ours or theirs.
    pub(super) fn begin_live(&mut self, out: &mut Out, auto_answered: bool) {
        let mut up = false;
        for member in self.members.values_mut() {
            if member.chosen().is_some_and(|leg| leg.path == Path::Up) {
                member.state = MemberState::Joined;
                up = true;
            }
        }
        let sound = if up { Sound::Flows } else { Sound::Awaited { give_up: out.now + SET_UP } };
        let digits_until = out.now;
        let (held, dialing_beside, said) = (None, false, 0);
        self.phase = Phase::Live(Live { sound, held, auto_answered, dialing_beside, said, digits_until });
        if up {
            self.connected = Some(out.now);
            self.record(out, Fact::Answered);
            self.step(out, Fact::Connected);
        } else {
            self.step(out, Fact::Answered);
        }
        if self.ours.is_muted() {
            self.send_state(out);
        }
    }

    pub(super) fn tick_live(&self, out: &Out) -> Flow {
        let Phase::Live(live) = &self.phase else { return None };
        live.give_up().filter(|at| *at <= out.now)?;
        let never = matches!(live.sound, Sound::Awaited { .. });
        let reason = if never { EndReason::IceFailed } else { EndReason::ConnectionLost };
        Some(End::told(reason, EndedBy::Network))
    }

    /// The path to a member is up: sound flows.
    pub(super) fn sound(&mut self, out: &mut Out, on: LegId) {
        let (muted, held) = (self.ours.is_muted(), self.held().is_some());
        let Some(member) = self.talks_on(on) else { return };
        member.tell_media(out, open_order(muted, held || member.holds_us()));
        member.state = MemberState::Joined;
        let Phase::Live(live) = &mut self.phase else { return };
        let fact = match live.sound {
            Sound::Awaited { .. } => Fact::Connected,
            Sound::Lost { .. } => Fact::PathRestored,
            Sound::Flows => return,
        };
        live.sound = Sound::Flows;
        self.connected.get_or_insert(out.now);
        self.step(out, fact);
    }

    /// No path to this member carries sound any more. If nobody else is heard either, the microphone is closed, and the call
    /// ends unless that is mended within the window.
    pub(super) fn silent(&mut self, out: &mut Out, on: LegId) {
        if self.group.is_some() {
            // Its settling says what that comes to.
            return self.falls_silent(out, on);
        }
        let Some(member) = self.talks_on(on) else { return };
        member.state = MemberState::Connecting;
        let heard = self.members.values().any(|member| member.state == MemberState::Joined);
        let Phase::Live(live) = &mut self.phase else { return };
        if heard || live.sound != Sound::Flows {
            return;
        }
        live.sound = Sound::Lost { give_up: out.now + self.reconnect_window };
        live.digits_until = out.now;
        if let Some(leg) = self.leg_mut(on) {
            leg.tell_media(out, MediaOrder::Pause);
        }
        self.step(out, Fact::PathLost);
    }

    /// The member whom we talk to on this device.
    fn talks_on(&mut self, on: LegId) -> Option<&mut Member> {
        self.member_of(on).filter(|member| member.chosen().is_some_and(|leg| leg.id == on))
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;
    use core::time::Duration;

    use super::*;
    use crate::call::{Dial, Leg, Stage};
    use crate::id::{CallId, MemberId, PeerId};
    use crate::message::Message;
    use crate::view::State;

    const OWN: LegId = LegId::from_bytes([9; 16]);
    const ONE: LegId = LegId::from_bytes([1; 16]);
    const TWO: LegId = LegId::from_bytes([2; 16]);

    /// A call with two others, both of whom are heard.
    fn of_three(out: &mut Out) -> Call {
        let (call, peer, lifetime) =
            (CallId::from_bytes([1; 16]), PeerId::from_bytes([1; 16]), Duration::from_secs(60));
        let dial = Dial { call, own: OWN, peer, devices: vec![ONE], lifetime, note: None, both_tell: false };
        let mut call = Call::dial(out, dial, Duration::from_secs(30), false);
        let mut second = Member::called(PeerId::from_bytes([2; 16]));
        second.legs.insert(TWO, Leg::new(call.wire, OWN, TWO, Stage::Invited));
        call.members.insert(MemberId(2), second);
        for (member, device) in call.members.values_mut().zip([ONE, TWO]) {
            member.answered_by(out, device);
            member.legs.values_mut().for_each(|leg| leg.path = Path::Up);
        }
        call.begin_live(out, false);
        call
    }

    #[test]
    fn a_call_is_mended_only_when_nobody_of_several_is_heard_any_more() {
        use MemberState::{Connecting, Joined};
        let mut out = Out::new(Moment::from_micros(1));
        let mut call = of_three(&mut out);
        let seen = |call: &Call| {
            let view = call.view();
            (view.state, [view.members[0].state, view.members[1].state])
        };
        assert_eq!(seen(&call), (State::Active, [Joined, Joined]));
        call.silent(&mut out, ONE);
        assert_eq!(seen(&call), (State::Active, [Connecting, Joined]));
        call.silent(&mut out, TWO);
        assert_eq!(seen(&call), (State::Reconnecting, [Connecting, Connecting]));
        call.sound(&mut out, ONE);
        assert_eq!(seen(&call), (State::Active, [Joined, Connecting]));
    }

    #[test]
    fn what_one_of_several_says_is_said_of_that_one_alone() {
        let mut out = Out::new(Moment::from_micros(1));
        let mut call = of_three(&mut out);
        let state = Message::State { serial: 1, muted: true, held: true, camera: false, listening: false };
        assert_eq!(call.received(&mut out, TWO, state), None);
        let view = call.view();
        let said: Vec<_> = view.members.iter().map(|member| (member.muted, member.held)).collect();
        assert_eq!(said, [(false, false), (true, true)]);
        assert!(!view.remote_muted() && !view.remote_hold(), "the call is muted when all are");
    }
}
