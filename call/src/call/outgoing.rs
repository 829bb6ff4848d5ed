//! The outgoing side of a call, from the dial to an answer or silence.
//!
//! Lives here: what each input does while we call; the choice between several answers; becoming the other's call.
//! Must not: know how a ring travels, or what happens once somebody answered.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::call::end::{End, is_failure, stronger};
use crate::call::flags::Said;
use crate::call::{Call, Flow, Leg, Out, Path, Phase, SET_UP, Stage};
use crate::effect::{Effect, Fact, SignalOrder};
use crate::id::{CallId, LegId, PeerId};
use crate::message::{CancelReason, DeclineReason, Message, Scope};
use crate::time::Moment;
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
        call.record(out, Fact::Dialed);
        call
    }

    /// A relay took our ring to one of the devices, or one of them shows that it has it.
    pub(crate) fn carried(&mut self) -> Flow {
        if let Phase::Dialing { carried_by, .. } = &mut self.phase {
            *carried_by = None;
        }
        None
    }

    pub(super) fn tick_outgoing(&mut self, out: &Out) -> Flow {
        match self.phase {
            Phase::Dialing { give_up, .. } if give_up <= out.now => {
                Some(End::told(stronger(EndReason::Unavailable, self.word), EndedBy::Policy))
            }
            Phase::Dialing { carried_by: Some(by), .. } if by <= out.now => {
                Some(End::told(EndReason::Unreachable, EndedBy::Network))
            }
            Phase::Alerting { give_up } if give_up <= out.now => {
                Some(End::told(stronger(EndReason::NoAnswer, self.word), EndedBy::Policy))
            }
            Phase::Dialing { .. }
            | Phase::Alerting { .. }
            | Phase::Knocking { .. }
            | Phase::Parked { .. }
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
                return self.carried();
            }
            Message::Ringing => self.rings_there(out, from, give_up),
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
            Message::End {
                reason: reason @ (EndReason::Completed | EndReason::IceFailed | EndReason::ConnectionLost),
            } => {
                // It has overtaken the accept: only who answered says so.
                self.answered_by(out, from);
                self.record(out, Fact::Answered);
                let up = self.legs.get(&from).is_some_and(|leg| leg.path == Path::Up);
                let reason = if up || is_failure(reason) { reason } else { EndReason::Canceled };
                return Some(End::heard(reason));
            }
            Message::End { reason } => {
                let reason = if is_failure(reason) { reason } else { EndReason::Unavailable };
                return self.leg_gone(out, from, reason);
            }
            Message::Description { epoch, description } => leg.described_there(out, epoch, description, true),
            Message::Candidates { epoch, list, complete } => {
                leg.candidates_there(out, epoch, list, complete);
            }
            Message::State { serial, muted, held, listening, .. } => {
                self.hear_state(out, from, Said { serial, muted, held, listening });
            }
            Message::Offer { .. } | Message::Cancel { .. } => {}
        }
        None
    }

    fn rings_there(&mut self, out: &mut Out, from: LegId, give_up: Moment) {
        if let Some(leg) = self.legs.get_mut(&from) {
            leg.stage = Stage::Ringing;
        }
        if matches!(self.phase, Phase::Dialing { .. }) {
            self.ringing = Some(out.now);
            self.enter(out, Phase::Alerting { give_up }, Fact::RingingThere);
        }
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

    /// A device that cannot be reached any more must not ring on: it is told, and its session is kept until it has heard.
    pub(super) fn take_back(&mut self, out: &mut Out, from: LegId) {
        let Some(mut leg) = self.legs.remove(&from) else { return };
        leg.send(out, Message::Cancel { reason: CancelReason::Canceled });
        leg.close(out);
        self.not_rung(&leg);
        self.left.push((self.wire, from));
    }

    /// The session of a device can carry nothing more.
    pub(super) fn cut_off(&mut self, out: &mut Out, leg: LegId) -> Flow {
        if let Some(leg) = self.legs.get(&leg).cloned() {
            self.not_rung(&leg);
        }
        self.leg_gone(out, leg, EndReason::SignalingFailed)
    }

    fn not_rung(&mut self, leg: &Leg) {
        if leg.is_not_known_to_have_rung() {
            self.unrung.push(leg.id);
        }
    }

    fn drop_leg(&mut self, out: &mut Out, gone: LegId) {
        if let Some(mut leg) = self.legs.remove(&gone) {
            leg.close(out);
            leg.signal(out, SignalOrder::Forget);
        }
    }

    /// The first answer wins; every other device is told at once.
    fn choose(&mut self, out: &mut Out, winner: LegId) {
        self.answered_by(out, winner);
        let order = self.open_order();
        let Some(leg) = self.legs.get(&winner) else { return };
        leg.tell_media(out, order);
        let up = leg.path == Path::Up;
        self.answer_phase(out, up);
    }

    fn answered_by(&mut self, out: &mut Out, winner: LegId) {
        for (id, leg) in &mut self.legs {
            if *id == winner {
                leg.stage = Stage::Chosen;
            } else {
                leg.send(out, Message::Cancel { reason: CancelReason::AnsweredElsewhere });
                leg.close(out);
            }
        }
        self.ringing.get_or_insert(out.now);
        self.answered = Some(out.now);
    }

    /// Our call goes on as theirs: their ring is answered at once, our own ring is taken back everywhere.
    pub(crate) fn become_theirs(&mut self, out: &mut Out, theirs: Self) -> Flow {
        for leg in self.legs.values_mut() {
            leg.send(out, Message::Cancel { reason: CancelReason::AnsweredElsewhere });
            leg.close(out);
        }
        out.order(Effect::EndMedia(self.wire));
        self.left = self.sessions();
        self.left.extend(theirs.left);
        (self.wire, self.caller, self.legs) = (theirs.wire, false, theirs.legs);
        self.ringing.get_or_insert(out.now);
        self.record(out, Fact::GlareMerged);
        self.answer(out, false)
    }

    /// From an answer on, ours or theirs.
    pub(super) fn answer_phase(&mut self, out: &mut Out, up: bool) {
        if up {
            self.phase = Phase::Talking;
            self.connected = Some(out.now);
            self.record(out, Fact::Answered);
            self.enter(out, Phase::Talking, Fact::Connected);
        } else {
            self.enter(out, Phase::Connecting { give_up: out.now + SET_UP }, Fact::Answered);
        }
        if self.effective_mute() {
            self.send_state(out);
        }
    }
}
