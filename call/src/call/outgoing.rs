//! The outgoing side of a call, from the dial to an answer or silence.
//!
//! Lives here: what each input does while we call, and the choice between several answers.
//! Must not: know how a ring travels, or what happens once somebody answered.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::call::end::{End, stronger};
use crate::call::{Call, Flow, Leg, Out, Path, Phase, SET_UP, Stage};
use crate::effect::{Fact, MediaOrder, SignalOrder};
use crate::id::{CallId, LegId, PeerId};
use crate::message::{CancelReason, DeclineReason, Message, Scope};
use crate::view::{Direction, EndReason, EndedBy};

/// A ring that no relay has taken by then ends the call.
const REACH_WITHIN: Duration = Duration::from_secs(10);

/// What a dial says.
pub(crate) struct Dial {
    pub(crate) call: CallId,
    pub(crate) own: LegId,
    pub(crate) peer: PeerId,
    pub(crate) devices: Vec<LegId>,
    pub(crate) lifetime: Duration,
    pub(crate) note: Option<String>,
}

impl Call {
    /// Rings every device of a contact.
    pub(crate) fn dial(out: &mut Out, dial: Dial, window: Duration, muted_everywhere: bool) -> Self {
        let give_up = out.now + dial.lifetime;
        let phase = Phase::Dialing { give_up, carried_by: Some(out.now + REACH_WITHIN) };
        let mut call = Self::new(dial.call, dial.peer, Direction::Outgoing, phase, out.now);
        call.note = dial.note;
        call.reconnect_window = window;
        call.muted_everywhere = muted_everywhere;
        for device in dial.devices {
            let leg = Leg::new(dial.call, dial.own, device, Stage::Invited);
            leg.signal(out, SignalOrder::Ring { peer: dial.peer, lifetime: dial.lifetime });
            call.legs.insert(device, leg);
        }
        out.record(Fact::Dialed, call.view());
        call
    }

    /// A relay took our ring to one of the devices.
    pub(crate) fn carried(&mut self, leg: LegId) {
        if let Phase::Dialing { carried_by, .. } = &mut self.phase
            && self.legs.contains_key(&leg)
        {
            *carried_by = None;
        }
    }

    pub(super) fn tick_outgoing(&mut self, out: &mut Out) -> Flow {
        match self.phase {
            Phase::Dialing { give_up, .. } if give_up <= out.now => {
                Some(End::told(stronger(EndReason::Unavailable, self.word), EndedBy::Policy))
            }
            Phase::Dialing { carried_by: Some(by), .. } if by <= out.now => {
                Some(End::told(EndReason::Unreachable, EndedBy::Network))
            }
            Phase::Alerting { give_up } if give_up <= out.now => {
                Some(End::told(EndReason::NoAnswer, EndedBy::Policy))
            }
            Phase::Dialing { .. }
            | Phase::Alerting { .. }
            | Phase::Knocking { .. }
            | Phase::Arriving { .. }
            | Phase::RingingHere { .. }
            | Phase::Connecting { .. }
            | Phase::Talking
            | Phase::Reconnecting { .. } => None,
        }
    }

    pub(super) fn received_outgoing(&mut self, out: &mut Out, from: LegId, message: Message) -> Flow {
        let (Phase::Dialing { give_up, .. } | Phase::Alerting { give_up }) = self.phase else { return None };
        let note = self.note.clone();
        let leg = self.legs.get_mut(&from)?;
        match message {
            Message::Ready => {
                if leg.stage == Stage::Invited {
                    leg.stage = Stage::Ready;
                    leg.send(out, Message::Offer { remaining: give_up.since(out.now), text: note });
                    leg.begin(out);
                }
            }
            Message::Ringing => {
                if matches!(leg.stage, Stage::Ready | Stage::Invited) {
                    leg.stage = Stage::Ringing;
                }
                if matches!(self.phase, Phase::Dialing { .. }) {
                    self.ringing = Some(out.now);
                    self.enter(out, Phase::Alerting { give_up }, Fact::RingingThere);
                }
            }
            Message::Accept => self.choose(out, from),
            Message::Decline { reason, scope, text } => {
                let reason = match reason {
                    DeclineReason::Declined => EndReason::Declined,
                    DeclineReason::Busy => EndReason::Busy,
                };
                if text.is_some() {
                    self.message = text;
                }
                if scope == Scope::Everywhere && reason == EndReason::Declined {
                    self.drop_leg(out, from);
                    return Some(End::told(reason, EndedBy::Remote));
                }
                return self.leg_gone(out, from, reason);
            }
            Message::End { reason } => {
                let reason = if failed(reason) { reason } else { EndReason::Unavailable };
                return self.leg_gone(out, from, reason);
            }
            Message::Description { epoch, description } => leg.described_there(out, epoch, description, true),
            Message::Candidates { epoch, list, complete } => {
                leg.candidates_there(out, epoch, list, complete);
            }
            Message::State { serial, muted, .. } => self.hear_state(serial, muted),
            Message::Offer { .. } | Message::Cancel { .. } => {}
        }
        None
    }

    /// This device is out. When it was the last one the strongest word stands.
    pub(super) fn leg_gone(&mut self, out: &mut Out, gone: LegId, reason: EndReason) -> Flow {
        self.word = stronger(self.word, reason);
        self.drop_leg(out, gone);
        if !self.legs.is_empty() {
            return None;
        }
        let rang_in_vain = self.ringing.is_some() && self.word == EndReason::Unavailable;
        let reason = if rang_in_vain { EndReason::NoAnswer } else { self.word };
        Some(End::quiet(reason, EndedBy::Remote))
    }

    fn drop_leg(&mut self, out: &mut Out, gone: LegId) {
        if let Some(mut leg) = self.legs.remove(&gone) {
            leg.close(out);
            leg.signal(out, SignalOrder::Forget);
        }
    }

    /// The first answer wins; every other device is told at once.
    fn choose(&mut self, out: &mut Out, winner: LegId) {
        for (id, leg) in &mut self.legs {
            if *id != winner {
                leg.send(out, Message::Cancel { reason: CancelReason::AnsweredElsewhere });
                leg.close(out);
            }
        }
        self.ringing.get_or_insert(out.now);
        self.answered = Some(out.now);
        let muted = self.effective_mute();
        let Some(leg) = self.legs.get_mut(&winner) else { return };
        leg.stage = Stage::Chosen;
        leg.tell_media(out, MediaOrder::Open { muted, held: false });
        let up = leg.path == Path::Up;
        self.answer_phase(out, up);
    }

    /// From an answer on, ours or theirs.
    pub(super) fn answer_phase(&mut self, out: &mut Out, up: bool) {
        if up {
            self.phase = Phase::Talking;
            self.connected = true;
            out.record(Fact::Answered, self.view());
            self.enter(out, Phase::Talking, Fact::Connected);
        } else {
            self.enter(out, Phase::Connecting { give_up: out.now + SET_UP }, Fact::Answered);
        }
        if self.effective_mute() {
            self.send_state(out);
        }
    }
}

/// Whether a peer may give this as the reason why its side broke.
fn failed(reason: EndReason) -> bool {
    matches!(
        reason,
        EndReason::MediaFailed
            | EndReason::NegotiationFailed
            | EndReason::IceFailed
            | EndReason::SecurityFailed
            | EndReason::SignalingFailed
    )
}
