//! A call that was answered: connecting, talking, reconnecting.
//!
//! Lives here: what each input does from the answer to the end; the flags that travel in it.
//! Must not: know how a path is mended (`leg.rs`).

use crate::call::end::{End, is_failure};
use crate::call::flags::Said;
use crate::call::{Call, Flow, Out, Phase, Stage};
use crate::effect::{Fact, MediaOrder};
use crate::id::LegId;
use crate::message::{CancelReason, Message};
use crate::view::{EndReason, EndedBy};

impl Call {
    pub(super) fn tick_live(&self, out: &Out) -> Flow {
        match self.phase {
            Phase::Connecting { give_up } if give_up <= out.now => {
                Some(End::told(EndReason::IceFailed, EndedBy::Network))
            }
            Phase::Reconnecting { give_up } if give_up <= out.now => {
                Some(End::told(EndReason::ConnectionLost, EndedBy::Network))
            }
            Phase::Connecting { .. }
            | Phase::Reconnecting { .. }
            | Phase::Talking
            | Phase::Dialing { .. }
            | Phase::Alerting { .. }
            | Phase::Knocking { .. }
            | Phase::Parked { .. }
            | Phase::Arriving { .. }
            | Phase::RingingHere { .. } => None,
        }
    }

    pub(super) fn received_live(&mut self, out: &mut Out, from: LegId, message: Message) -> Flow {
        let leg = self.legs.get_mut(&from)?;
        let chosen = leg.stage == Stage::Chosen;
        match message {
            Message::Accept => {
                if !chosen {
                    leg.send(out, Message::Cancel { reason: CancelReason::AnsweredElsewhere });
                }
            }
            Message::Cancel { reason } => {
                // It crossed our accept, and it wins: to the caller nobody had answered.
                if chosen && !self.caller && !self.heard_from_caller() {
                    self.answered = None;
                    return Some(self.canceled(reason));
                }
            }
            Message::End { reason } => {
                if chosen {
                    let reason = if is_failure(reason) { reason } else { self.hung_up_for() };
                    return Some(End::heard(reason));
                }
            }
            Message::Description { epoch, description } => {
                if chosen {
                    leg.described_there(out, epoch, description, true);
                }
            }
            Message::Candidates { epoch, list, complete } => {
                if chosen {
                    leg.candidates_there(out, epoch, list, complete);
                }
            }
            Message::State { serial, muted, held, listening, .. } => {
                if chosen {
                    self.hear_state(out, from, Said { serial, muted, held, listening });
                }
            }
            Message::Ready | Message::Offer { .. } | Message::Ringing | Message::Decline { .. } => {}
        }
        None
    }

    /// A caller that has sent its flags has heard our accept.
    fn heard_from_caller(&self) -> bool {
        self.remote().is_some_and(|leg| leg.heard > 0)
    }

    /// The path is up: sound flows.
    pub(super) fn sound(&mut self, out: &mut Out, on: LegId) {
        let order = self.open_order();
        let Some(leg) = self.legs.get(&on).filter(|leg| leg.stage == Stage::Chosen) else { return };
        leg.tell_media(out, order);
        match self.phase {
            Phase::Connecting { .. } => {
                self.connected = Some(out.now);
                self.enter(out, Phase::Talking, Fact::Connected);
            }
            Phase::Reconnecting { .. } => self.enter(out, Phase::Talking, Fact::PathRestored),
            Phase::Talking
            | Phase::Dialing { .. }
            | Phase::Alerting { .. }
            | Phase::Knocking { .. }
            | Phase::Parked { .. }
            | Phase::Arriving { .. }
            | Phase::RingingHere { .. } => {}
        }
    }

    /// No path carries sound any more: close the microphone and mend it within the window.
    pub(super) fn silent(&mut self, out: &mut Out, on: LegId) {
        let Some(leg) = self.legs.get(&on).filter(|leg| leg.stage == Stage::Chosen) else { return };
        leg.tell_media(out, MediaOrder::Pause);
        let give_up = out.now + self.reconnect_window;
        self.enter(out, Phase::Reconnecting { give_up }, Fact::PathLost);
    }

    /// The other's daemon came back and no longer knows this call.
    pub(crate) fn bye(&mut self, out: &mut Out, from: LegId) -> Flow {
        match self.phase {
            Phase::Dialing { .. } | Phase::Alerting { .. } => {
                self.leg_gone(out, from, EndReason::Unavailable)
            }
            Phase::Knocking { .. }
            | Phase::Parked { .. }
            | Phase::Arriving { .. }
            | Phase::RingingHere { .. } => Some(End::quiet(EndReason::Missed, EndedBy::Remote)),
            Phase::Connecting { .. } | Phase::Talking | Phase::Reconnecting { .. } => {
                let lost = || End::quiet(EndReason::ConnectionLost, EndedBy::Remote);
                (self.chosen() == Some(from)).then(lost)
            }
        }
    }

    /// The session of a device can carry nothing more. A path that is up, or the window, outlives it.
    pub(crate) fn undeliverable(&mut self, out: &mut Out, leg: LegId) -> Flow {
        match self.phase {
            Phase::Dialing { .. } | Phase::Alerting { .. } => self.cut_off(out, leg),
            Phase::Knocking { .. } | Phase::Parked { .. } | Phase::Arriving { .. } => {
                Some(End::quiet(EndReason::Missed, EndedBy::Network))
            }
            Phase::RingingHere { .. }
            | Phase::Connecting { .. }
            | Phase::Talking
            | Phase::Reconnecting { .. } => None,
        }
    }
}
