//! The flags that travel in a call: muted, held, without a microphone.
//!
//! Lives here: our own flags; what we do about the others'.
//! Must not: decide which call has the person's ear.

use alloc::vec::Vec;

use crate::call::{Call, Flow, Member, Out, Phase};
use crate::effect::{Fact, MediaOrder, Tracks};
use crate::id::LegId;
use crate::message::Message;

/// So often in a call a member's holding is written down. It is acted on all the same.
const HOLDS_THERE: u8 = 100;
/// And so often their coming and going.
pub(super) const NOTES_OF_A_MEMBER: u8 = 100;

/// What this person says and hears of a call, in every phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ours {
    muted: bool,
    muted_everywhere: bool,
    /// No microphone gives sound to it.
    pub(super) hears_only: bool,
    /// It makes no sound of ringing here (any more).
    pub(super) silenced: bool,
}

impl Ours {
    pub(super) fn new(muted_everywhere: bool) -> Self {
        Self { muted: false, muted_everywhere, hears_only: false, silenced: false }
    }

    pub(super) fn is_muted(&self) -> bool {
        self.muted || self.muted_everywhere
    }
}

/// Neither of two hears the other while one of them holds.
pub(super) fn open_order(muted: bool, held: bool) -> MediaOrder {
    MediaOrder::Open { tracks: Tracks::VOICE, muted, held }
}

impl Call {
    /// The switch of this call; `None` leaves it.
    pub(crate) fn mute(&mut self, out: &mut Out, own: Option<bool>, everywhere: bool) -> Flow {
        let before = self.ours.is_muted();
        self.ours.muted = own.unwrap_or(self.ours.muted);
        self.ours.muted_everywhere = everywhere;
        let muted = self.ours.is_muted();
        if muted != before {
            for member in self.members.values() {
                member.tell_media(out, MediaOrder::SetMuted(muted));
            }
            self.tell_stay(out, MediaOrder::SetMuted(muted));
            self.send_state(out);
        }
        None
    }

    /// A microphone gives sound to it, or none does. The others are told: else they would wait for a word.
    pub(super) fn voice(&mut self, out: &mut Out, heard: bool) {
        if self.ours.hears_only == heard {
            self.ours.hears_only = !heard;
            self.send_state(out);
        }
    }

    /// We hold it or take it up again.
    pub(crate) fn hold(&mut self, out: &mut Out, held: bool) -> Flow {
        let Phase::Live(live) = &mut self.phase else { return None };
        if live.held.is_some() == held {
            return None;
        }
        live.held = held.then_some(out.now);
        live.digits_until = out.now;
        for member in self.members.values().filter(|member| !member.holds_us()) {
            member.tell_media(out, MediaOrder::SetHeld(held));
        }
        self.tell_stay(out, MediaOrder::SetHeld(held));
        self.step(out, if held { Fact::Held } else { Fact::Resumed });
        self.send_state(out);
        None
    }

    /// Acts on what they say of holding, as often as one may.
    pub(super) fn settle_holds_there(&mut self, out: &mut Out) {
        let ours = self.held().is_some();
        let mut facts = Vec::new();
        for member in self.members.values_mut() {
            let before = member.holds_us();
            member.legs.values_mut().for_each(|leg| leg.said.settle_hold(out.now));
            let now = member.holds_us();
            if now == before {
                continue;
            }
            if !ours {
                member.tell_media(out, MediaOrder::SetHeld(now));
            }
            if member.holds < HOLDS_THERE {
                member.holds += 1;
                facts.push(if now { Fact::HeldThere } else { Fact::ResumedThere });
            }
        }
        for fact in facts {
            self.record(out, fact);
        }
    }

    pub(super) fn send_state(&mut self, out: &mut Out) {
        let Some(state) = self.state_message() else { return };
        for leg in self.members.values().filter_map(Member::chosen) {
            leg.send(out, state.clone());
        }
    }

    /// Our flags, for one who has joined now. Nothing where they are as one expects.
    pub(super) fn tell_state(&mut self, out: &mut Out, on: LegId) {
        let held = self.held().is_some();
        let plain = !self.ours.is_muted() && !held && !self.ours.hears_only;
        let spoken = matches!(&self.phase, Phase::Live(live) if live.said > 0);
        if plain && !spoken {
            return;
        }
        let Some(state) = self.state_message() else { return };
        if let Some(leg) = self.legs().find(|leg| leg.id == on) {
            leg.send(out, state);
        }
    }

    fn state_message(&mut self) -> Option<Message> {
        let Phase::Live(live) = &mut self.phase else { return None };
        live.said += 1;
        Some(Message::State {
            serial: live.said,
            muted: self.ours.is_muted(),
            held: live.held.is_some(),
            camera: false,
            listening: self.ours.hears_only,
        })
    }
}
