//! The flags that travel in a call: muted, held.
//!
//! Lives here: each side's own flags and what it hears of the other's.
//! Must not: decide which call has the person's ear.

use crate::call::{Call, Flow, Leg, Out, Stage};
use crate::effect::{Fact, MediaOrder};
use crate::id::LegId;
use crate::message::Message;

/// So often in a call their holding is written down. It is acted on all the same.
const HOLDS_THERE: u8 = 100;

/// What a [`Message::State`] says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    pub(super) serial: u32,
    pub(super) muted: bool,
    pub(super) held: bool,
    pub(super) listening: bool,
}

impl Call {
    pub(super) fn effective_mute(&self) -> bool {
        self.muted || self.muted_everywhere
    }

    /// Neither hears the other while one of them holds.
    pub(super) fn effective_hold(&self) -> bool {
        self.held.is_some() || self.remote().is_some_and(|leg| leg.held)
    }

    pub(super) fn open_order(&self) -> MediaOrder {
        MediaOrder::Open { muted: self.effective_mute(), held: self.effective_hold() }
    }

    /// The switch of this call; `None` leaves it.
    pub(crate) fn mute(&mut self, out: &mut Out, own: Option<bool>, everywhere: bool) -> Flow {
        let before = self.effective_mute();
        self.muted = own.unwrap_or(self.muted);
        self.muted_everywhere = everywhere;
        let muted = self.effective_mute();
        if muted != before {
            self.tell_chosen_media(out, &MediaOrder::SetMuted(muted));
            self.send_state(out);
        }
        None
    }

    /// A microphone gives sound to it, or none does. The other side is told: else they would wait for a word.
    pub(super) fn voice(&mut self, out: &mut Out, heard: bool) {
        if self.hears_only == heard {
            self.hears_only = !heard;
            self.send_state(out);
        }
    }

    /// We hold it or take it up again.
    pub(crate) fn hold(&mut self, out: &mut Out, held: bool) -> Flow {
        if self.held.is_some() == held {
            return None;
        }
        let before = self.effective_hold();
        self.held = held.then_some(out.now);
        self.held_changed(out, before);
        self.serial += 1;
        self.record(out, if held { Fact::Held } else { Fact::Resumed });
        self.send_state(out);
        None
    }

    /// The device that the conversation is with.
    pub(super) fn remote(&self) -> Option<&Leg> {
        self.legs.values().find(|leg| leg.stage == Stage::Chosen)
    }

    /// Their flags; an older message that comes late changes nothing. They count once that device is the one we talk to.
    pub(super) fn hear_state(&mut self, out: &mut Out, from: LegId, said: Said) {
        let Some(leg) = self.legs.get_mut(&from).filter(|leg| said.serial > leg.heard) else { return };
        (leg.heard, leg.muted, leg.listening) = (said.serial, said.muted, said.listening);
        leg.says_held(said.held);
        self.settle_holds_there(out);
    }

    /// Acts on what they say of holding, as often as one may.
    pub(super) fn settle_holds_there(&mut self, out: &mut Out) {
        let before = (self.effective_hold(), self.remote().is_some_and(|leg| leg.held));
        self.legs.values_mut().for_each(|leg| leg.settle_hold(out.now));
        self.held_changed(out, before.0);
        let fact = match (before.1, self.remote().is_some_and(|leg| leg.held)) {
            (false, true) => Fact::HeldThere,
            (true, false) => Fact::ResumedThere,
            (true, true) | (false, false) => return,
        };
        if self.holds_there < HOLDS_THERE {
            self.holds_there += 1;
            self.record(out, fact);
        }
    }

    fn held_changed(&self, out: &mut Out, before: bool) {
        let held = self.effective_hold();
        if held != before {
            self.tell_chosen_media(out, &MediaOrder::SetHeld(held));
        }
    }

    fn tell_chosen_media(&self, out: &mut Out, order: &MediaOrder) {
        for leg in self.legs.values().filter(|leg| leg.stage == Stage::Chosen) {
            leg.tell_media(out, order.clone());
        }
    }

    pub(super) fn send_state(&mut self, out: &mut Out) {
        if !self.is_answered() {
            return;
        }
        self.state_sent += 1;
        let state = Message::State {
            serial: self.state_sent,
            muted: self.effective_mute(),
            held: self.held.is_some(),
            camera: false,
            listening: self.hears_only,
        };
        for leg in self.legs.values().filter(|leg| leg.stage == Stage::Chosen) {
            leg.send(out, state.clone());
        }
    }
}
