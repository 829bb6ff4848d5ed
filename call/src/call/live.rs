//! A call that was answered: connecting, talking, reconnecting.
//!
//! Lives here: what each input does from the answer to the end; the flags that travel in it.
//! Must not: know how a path is mended (`leg.rs`).

use crate::call::end::End;
use crate::call::{Call, Flow, Out, Phase, Stage};
use crate::effect::{Fact, MediaOrder};
use crate::id::LegId;
use crate::message::{CancelReason, Message};
use crate::view::{Direction, EndReason, EndedBy};

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
                if chosen && self.direction == Direction::Incoming && !self.heard_from_caller() {
                    self.answered = None;
                    return Some(Self::canceled(reason));
                }
            }
            Message::End { reason } => {
                if chosen {
                    let reason = match reason {
                        EndReason::IceFailed
                        | EndReason::MediaFailed
                        | EndReason::NegotiationFailed
                        | EndReason::ConnectionLost
                        | EndReason::SecurityFailed
                        | EndReason::SignalingFailed => reason,
                        EndReason::Completed
                        | EndReason::Canceled
                        | EndReason::Declined
                        | EndReason::Busy
                        | EndReason::NoAnswer
                        | EndReason::Missed
                        | EndReason::AnsweredElsewhere
                        | EndReason::DeclinedElsewhere
                        | EndReason::Unreachable
                        | EndReason::Unavailable
                        | EndReason::Shutdown
                        | EndReason::Interrupted
                        | EndReason::Internal => EndReason::Completed,
                    };
                    return Some(End::quiet(reason, EndedBy::Remote));
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
            Message::State { serial, muted, .. } => {
                if chosen {
                    self.hear_state(serial, muted);
                }
            }
            Message::Ready | Message::Offer { .. } | Message::Ringing | Message::Decline { .. } => {}
        }
        None
    }

    /// Their flags; an older message that comes late changes nothing.
    pub(super) fn hear_state(&mut self, serial: u32, muted: bool) {
        if serial > self.state_heard {
            self.state_heard = serial;
            self.remote_muted = muted;
        }
    }

    /// A caller that has sent its flags has heard our accept.
    fn heard_from_caller(&self) -> bool {
        self.state_heard > 0
    }

    /// The path is up: sound flows.
    pub(super) fn sound(&mut self, out: &mut Out, on: LegId) {
        let muted = self.effective_mute();
        let Some(leg) = self.legs.get(&on).filter(|leg| leg.stage == Stage::Chosen) else { return };
        leg.tell_media(out, MediaOrder::Open { muted, held: false });
        match self.phase {
            Phase::Connecting { .. } => {
                self.connected = true;
                self.enter(out, Phase::Talking, Fact::Connected);
            }
            Phase::Reconnecting { .. } => self.enter(out, Phase::Talking, Fact::PathRestored),
            Phase::Talking
            | Phase::Dialing { .. }
            | Phase::Alerting { .. }
            | Phase::Knocking { .. }
            | Phase::Arriving { .. }
            | Phase::RingingHere { .. } => {}
        }
    }

    /// No path carries sound any more: close the microphone and mend it within the window.
    pub(super) fn silence(&mut self, out: &mut Out, on: LegId) {
        let Some(leg) = self.legs.get(&on).filter(|leg| leg.stage == Stage::Chosen) else { return };
        leg.tell_media(out, MediaOrder::Pause);
        let give_up = out.now + self.reconnect_window;
        self.enter(out, Phase::Reconnecting { give_up }, Fact::PathLost);
    }

    /// The other's daemon came back and no longer knows this call.
    pub(crate) fn bye(&mut self, out: &mut Out, from: LegId) -> Flow {
        let leg = self.legs.get(&from)?;
        match self.phase {
            Phase::Dialing { .. } | Phase::Alerting { .. } => {
                self.leg_gone(out, from, EndReason::Unavailable)
            }
            Phase::Knocking { .. } | Phase::Arriving { .. } | Phase::RingingHere { .. } => {
                Some(End::quiet(EndReason::Missed, EndedBy::Remote))
            }
            Phase::Connecting { .. } | Phase::Talking | Phase::Reconnecting { .. } => {
                (leg.stage == Stage::Chosen).then(|| End::quiet(EndReason::ConnectionLost, EndedBy::Remote))
            }
        }
    }

    /// The session of a device can carry nothing more. A path that is up, or the window, outlives it.
    pub(crate) fn undeliverable(&mut self, out: &mut Out, leg: LegId) -> Flow {
        if !self.legs.contains_key(&leg) {
            return None;
        }
        match self.phase {
            Phase::Dialing { .. } | Phase::Alerting { .. } => {
                self.leg_gone(out, leg, EndReason::SignalingFailed)
            }
            Phase::Knocking { .. } | Phase::Arriving { .. } => {
                Some(End::quiet(EndReason::Missed, EndedBy::Network))
            }
            Phase::RingingHere { .. }
            | Phase::Connecting { .. }
            | Phase::Talking
            | Phase::Reconnecting { .. } => None,
        }
    }
}
