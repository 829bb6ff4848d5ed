//! Digits that a person sends into a call.
//!
//! Lives here: when they are taken, and how many may wait.
//! Must not: know a digit, or how it travels.

use core::time::Duration;

use crate::call::live::Sound;
use crate::call::{Call, Flow, Leg, Member, Out, Phase};
use crate::command::Refusal;
use crate::digits::{Digit, Digits};
use crate::effect::MediaOrder;
use crate::time::Moment;
use crate::view::MemberState;

/// Digits are taken while those before them need no longer than this: as many as one wish may have, without a pause.
const WAIT: Duration = Digit::Tone(0).lasts().saturating_mul(64);

impl Call {
    /// Why digits would be refused now: they go where the voice goes, and only so many may wait.
    pub(crate) fn takes_digits(&self, now: Moment) -> Result<(), Refusal> {
        let Phase::Live(live) = &self.phase else { return Err(Refusal::InvalidState) };
        if live.held.is_some() || live.sound != Sound::Flows || self.hearer().is_none() {
            return Err(Refusal::InvalidState);
        }
        if live.digits_until.since(now) > WAIT { Err(Refusal::TooSoon) } else { Ok(()) }
    }

    /// To everybody who is in it, when they are taken.
    pub(crate) fn send_digits(&mut self, out: &mut Out, digits: Digits) -> Flow {
        let Phase::Live(live) = &mut self.phase else { return None };
        live.digits_until = live.digits_until.max(out.now) + digits.lasts();
        // They go in place of our voice, and that is the same for all members: one order is enough, for a path or for the room.
        let order = MediaOrder::SendDigits(digits);
        match self.hearer() {
            Some(member) if member.chosen().is_some_and(Leg::carries) => member.tell_media(out, order),
            Some(_) => self.tell_stay(out, order),
            None => {}
        }
        None
    }

    /// Somebody who hears what we say.
    fn hearer(&self) -> Option<&Member> {
        self.members.values().find(|member| member.state == MemberState::Joined && !member.holds_us())
    }
}
