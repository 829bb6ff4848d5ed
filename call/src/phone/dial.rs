//! Dialing beside other calls.
//!
//! Lives here: when a dial is refused, when it answers, when it holds.
//! Must not: know how a ring travels (`call/outgoing.rs`).

use super::Phone;
use crate::call::{Call, Dial, Out};
use crate::command::{Others, Refusal};

/// Devices of one contact at most.
const DEVICES: usize = 8;
/// How long a dial may ask to ring, in seconds.
pub(super) const LIFETIME: core::ops::RangeInclusive<u64> = 10..=180;

impl Phone {
    pub(super) fn dial(&mut self, out: &mut Out, dial: Dial, hold_others: bool) -> Result<(), Refusal> {
        let ringing = self.ringing_from(dial.peer);
        if !hold_others && self.occupied_beside(ringing) {
            return Err(Refusal::Busy);
        }
        // To dial who rings here is to answer.
        if let Some(call) = ringing {
            self.answer(out, call, Others::Hold, false);
            return Ok(());
        }
        let with_them = |call: &Call| call.is_answered() && call.group().is_none() && call.is_with(dial.peer);
        if self.cannot_dial().is_some() || self.calls.values().any(with_them) {
            return Err(Refusal::Busy);
        }
        if dial.devices.is_empty() || dial.devices.len() > DEVICES || dial.devices.contains(&self.own) {
            return Err(Refusal::NoDevice);
        }
        if !LIFETIME.contains(&dial.lifetime.as_secs()) || self.knows(dial.call) {
            return Err(Refusal::OutOfRange);
        }
        self.hold_all(out);
        let call = Call::dial(out, dial, self.settings.reconnect_window, self.muted);
        self.calls.insert(call.id(), call);
        Ok(())
    }
}
