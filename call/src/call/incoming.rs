//! The incoming side of a call, from message 1 to answer or silence.
//!
//! Lives here: what each input does before and while our phone rings.
//! Must not: know how ringing sounds, how offers travel, or what time it is.

use alloc::string::String;
use core::time::Duration;

use crate::call::end::{End, Tell};
use crate::call::{Call, Flow, Leg, Out, Path, Phase, Stage};
use crate::effect::{Fact, MediaOrder, SignalOrder};
use crate::id::{CallId, LegId, PeerId};
use crate::message::{CancelReason, DeclineReason, Message, Scope};
use crate::time::Moment;
use crate::view::{Direction, EndReason, EndedBy};

/// Message 3 must follow message 2 within this time; a replayed message 1 never brings one.
const PROVE_WITHIN: Duration = Duration::from_secs(30);
/// The phone rings so long after message 3 even if the path is not up.
const PATH_FIRST: Duration = Duration::from_millis(600);

/// What message 1 says.
pub(crate) struct Knock {
    pub(crate) call: CallId,
    pub(crate) own: LegId,
    pub(crate) leg: LegId,
    pub(crate) peer: PeerId,
    pub(crate) lifetime: Duration,
    pub(crate) preconnect: bool,
}

impl Call {
    /// Answers message 1. Nobody hears of it before message 3 proves that the caller lives now.
    pub(crate) fn knock(out: &mut Out, knock: &Knock, window: Duration, muted_everywhere: bool) -> Self {
        let give_up = out.now + knock.lifetime.min(PROVE_WITHIN);
        let phase = Phase::Knocking { give_up };
        let mut call = Self::new(knock.call, knock.peer, Direction::Incoming, phase, out.now);
        call.preconnect = knock.preconnect;
        call.reconnect_window = window;
        call.muted_everywhere = muted_everywhere;
        let leg = Leg::new(knock.call, knock.own, knock.leg, Stage::Ready);
        leg.send(out, Message::Ready);
        call.legs.insert(knock.leg, leg);
        out.record(Fact::Offered, call.view());
        call
    }

    pub(super) fn tick_incoming(&mut self, out: &mut Out) -> Flow {
        match self.phase {
            Phase::Knocking { give_up }
            | Phase::RingingHere { give_up }
            | Phase::Arriving { give_up, .. }
                if give_up <= out.now =>
            {
                Some(End::quiet(EndReason::Missed, EndedBy::Policy))
            }
            Phase::Arriving { ring_at, give_up } if ring_at <= out.now => {
                self.ring(out, give_up);
                None
            }
            Phase::Knocking { .. }
            | Phase::Arriving { .. }
            | Phase::RingingHere { .. }
            | Phase::Dialing { .. }
            | Phase::Alerting { .. }
            | Phase::Connecting { .. }
            | Phase::Talking
            | Phase::Reconnecting { .. } => None,
        }
    }

    pub(super) fn received_incoming(
        &mut self,
        out: &mut Out,
        from: LegId,
        message: Message,
        busy: bool,
    ) -> Flow {
        let preconnect = self.preconnect;
        let leg = self.legs.get_mut(&from)?;
        match message {
            Message::Offer { remaining, text } => {
                if self.is_knocking() {
                    return self.proved(out, remaining, text, busy);
                }
            }
            Message::Description { epoch, description } => {
                // Before message 3 nothing of ours may leave: the offer waits.
                let may = preconnect && !matches!(self.phase, Phase::Knocking { .. });
                leg.described_there(out, epoch, description, may);
            }
            Message::Candidates { epoch, list, complete } => {
                leg.candidates_there(out, epoch, list, complete);
            }
            Message::Cancel { reason } => return Some(Self::canceled(reason)),
            Message::End { .. } => return Some(End::quiet(EndReason::Missed, EndedBy::Remote)),
            Message::State { serial, muted, .. } => self.hear_state(serial, muted),
            Message::Ready | Message::Ringing | Message::Accept | Message::Decline { .. } => {}
        }
        None
    }

    /// Message 3 came: the caller lives now.
    fn proved(&mut self, out: &mut Out, remaining: Duration, note: Option<String>, busy: bool) -> Flow {
        self.note = note;
        if busy {
            let tell = Tell::Decline { reason: DeclineReason::Busy, scope: Scope::ThisDevice, text: None };
            return Some(End { reason: EndReason::Busy, by: EndedBy::Policy, tell });
        }
        let give_up = out.now + remaining;
        if self.preconnect {
            self.phase = Phase::Arriving { ring_at: out.now + PATH_FIRST, give_up };
            for leg in self.legs.values_mut() {
                leg.admit(out);
            }
        } else {
            self.ring(out, give_up);
        }
        None
    }

    /// Our phone rings.
    pub(super) fn ring(&mut self, out: &mut Out, give_up: Moment) {
        self.ringing = Some(out.now);
        self.enter(out, Phase::RingingHere { give_up }, Fact::RingingHere);
        for leg in self.legs.values() {
            leg.send(out, Message::Ringing);
        }
    }

    /// The person answers.
    pub(crate) fn answer(&mut self, out: &mut Out) {
        self.answered = Some(out.now);
        let muted = self.effective_mute();
        let mut up = false;
        for leg in self.legs.values_mut() {
            leg.stage = Stage::Chosen;
            leg.send(out, Message::Accept);
            leg.admit(out);
            leg.tell_media(out, MediaOrder::Open { muted, held: false });
            up |= leg.path == Path::Up;
        }
        self.answer_phase(out, up);
    }

    /// The person declines.
    pub(crate) fn decline(reason: DeclineReason, scope: Scope, text: Option<String>) -> End {
        let tell = Tell::Decline { reason, scope, text };
        let reason = match reason {
            DeclineReason::Declined => EndReason::Declined,
            DeclineReason::Busy => EndReason::Busy,
        };
        End { reason, by: EndedBy::Local, tell }
    }

    /// The caller took the ring back.
    pub(super) fn canceled(reason: CancelReason) -> End {
        let reason = match reason {
            CancelReason::Canceled | CancelReason::NoAnswer => EndReason::Missed,
            CancelReason::AnsweredElsewhere => EndReason::AnsweredElsewhere,
            CancelReason::DeclinedElsewhere => EndReason::DeclinedElsewhere,
        };
        End::quiet(reason, EndedBy::Remote)
    }

    /// Drops the sessions of a call that lingered long enough.
    pub(crate) fn forget(out: &mut Out, call: CallId, legs: &[LegId]) {
        for leg in legs {
            out.order(crate::effect::Effect::Signal { call, leg: *leg, order: SignalOrder::Forget });
        }
    }
}
