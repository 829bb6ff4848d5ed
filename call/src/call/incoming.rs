//! The incoming side of a call, from message 1 to answer or silence.
//!
//! Lives here: what each input does before and while our phone rings.
//! Must not: know how ringing sounds, how offers travel, or what time it is.

use alloc::string::String;
use core::time::Duration;

use crate::call::end::{End, Tell};
use crate::call::flags::Said;
use crate::call::{Call, Flow, Leg, Out, Path, Phase, Stage};
use crate::effect::Fact;
use crate::event::RingPolicy;
use crate::id::{CallId, LegId, PeerId};
use crate::message::{CancelReason, DeclineReason, Message, Scope};
use crate::time::Moment;
use crate::view::{Direction, EndReason, EndedBy};

/// Message 3 must follow message 2 within this time; a replayed message 1 never brings one.
const PROVE_WITHIN: Duration = Duration::from_secs(30);
/// The phone rings so long after message 3 even if the path is not up.
const PATH_FIRST: Duration = Duration::from_millis(600);
/// How long a device that calls us may know nothing of our own call to it.
const REACHED_WITHIN: Duration = Duration::from_secs(2);

/// What message 1 says.
pub(crate) struct Knock {
    pub(crate) call: CallId,
    pub(crate) own: LegId,
    pub(crate) leg: LegId,
    pub(crate) peer: PeerId,
    /// The longest it may ring here.
    pub(crate) limit: Duration,
    pub(crate) preconnect: bool,
    pub(crate) policy: RingPolicy,
}

/// What must be known of other calls before it may ring.
pub(crate) struct Around {
    /// There is another call, and this person takes no second one.
    pub(crate) busy: bool,
    /// One more path may be set up before it rings.
    pub(crate) path: bool,
}

impl Call {
    /// Answers message 1. Nobody hears of it before message 3 proves that the caller lives now.
    pub(crate) fn knock(out: &mut Out, knock: &Knock, window: Duration, muted_everywhere: bool) -> Self {
        let give_up = out.now + knock.limit.min(PROVE_WITHIN);
        let phase = Phase::Knocking { give_up };
        let mut call = Self::new(knock.call, knock.peer, Direction::Incoming, phase, out.now);
        call.preconnect = knock.preconnect;
        call.policy = knock.policy;
        call.silenced = knock.policy == RingPolicy::Silent;
        call.limit = knock.limit;
        call.reconnect_window = window;
        call.muted_everywhere = muted_everywhere;
        let leg = Leg::new(knock.call, knock.own, knock.leg, Stage::Ready);
        leg.send(out, Message::Ready);
        call.legs.insert(knock.leg, leg);
        call
    }

    pub(super) fn tick_incoming(&mut self, out: &mut Out) -> Flow {
        match self.phase {
            Phase::Knocking { give_up }
            | Phase::Parked { give_up, .. }
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
            | Phase::Parked { .. }
            | Phase::Arriving { .. }
            | Phase::RingingHere { .. }
            | Phase::Dialing { .. }
            | Phase::Alerting { .. }
            | Phase::Connecting { .. }
            | Phase::Talking
            | Phase::Reconnecting { .. } => None,
        }
    }

    pub(super) fn received_incoming(&mut self, out: &mut Out, from: LegId, message: Message) -> Flow {
        // Before message 3 nothing of ours may leave, and nothing for a call that is not to be: their offer waits.
        let may_answer = self.has_early_path();
        let leg = self.legs.get_mut(&from)?;
        match message {
            Message::Description { epoch, description } => {
                leg.described_there(out, epoch, description, may_answer);
            }
            Message::Candidates { epoch, list, complete } => {
                leg.candidates_there(out, epoch, list, complete);
            }
            Message::Cancel { reason } => {
                self.heard = true;
                return Some(self.canceled(reason));
            }
            Message::End { .. } => {
                self.heard = true;
                return Some(End::quiet(EndReason::Missed, EndedBy::Remote));
            }
            Message::State { serial, muted, held, listening, .. } => {
                self.hear_state(out, from, Said { serial, muted, held, listening });
            }
            Message::Offer { .. }
            | Message::Ready
            | Message::Ringing
            | Message::Accept
            | Message::Decline { .. } => {}
        }
        None
    }

    /// Message 3 came: the caller lives now. The caller's clock says how long it rings, and our limit.
    pub(crate) fn prove(&mut self, now: Moment, remaining: Duration, note: Option<String>) {
        self.note = note;
        let give_up = now + remaining.min(self.limit);
        self.phase = Phase::Parked { decide_at: None, give_up };
    }

    /// Our own call to them comes first.
    pub(crate) fn park(&mut self, out: &mut Out) -> Flow {
        if let Phase::Parked { decide_at, .. } = &mut self.phase {
            *decide_at = Some(out.now + REACHED_WITHIN);
        }
        None
    }

    /// Whether it is time to look whether our own call has reached them.
    pub(crate) fn is_tired_of_waiting(&self, now: Moment) -> bool {
        matches!(self.phase, Phase::Parked { decide_at: Some(at), .. } if at <= now)
    }

    /// It has: their answer to it will come.
    pub(crate) fn wait_on(&mut self) -> Flow {
        if let Phase::Parked { decide_at, .. } = &mut self.phase {
            *decide_at = None;
        }
        None
    }

    /// It rings, as soon as the path is up or 600 ms have passed, or it hears that we are busy.
    pub(crate) fn let_in(&mut self, out: &mut Out, around: &Around) -> Flow {
        let Phase::Parked { give_up, .. } = self.phase else { return None };
        if around.busy {
            let tell = Tell::Decline { reason: DeclineReason::Busy, scope: Scope::ThisDevice, text: None };
            return Some(End { tell, ..End::quiet(EndReason::Busy, EndedBy::Policy) });
        }
        self.preconnect &= around.path;
        self.record(out, Fact::Offered);
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
        self.due_to_answer = self.policy == RingPolicy::AutoAnswer;
        self.enter(out, Phase::RingingHere { give_up }, Fact::RingingHere);
        for leg in self.legs.values() {
            leg.send(out, Message::Ringing);
        }
    }

    /// Our ringing stops; theirs goes on.
    pub(crate) fn silence(&mut self) -> Flow {
        self.silenced = true;
        None
    }

    /// It was decided whether it answers by itself.
    pub(crate) fn answers_no_more(&mut self) -> Flow {
        self.due_to_answer = false;
        None
    }

    /// The person answers, or the contact's rule does.
    pub(crate) fn answer(&mut self, out: &mut Out, by_itself: bool) -> Flow {
        self.ringing.get_or_insert(out.now);
        self.answered = Some(out.now);
        self.auto_answered = by_itself;
        for leg in self.legs.values_mut() {
            leg.stage = Stage::Chosen;
        }
        let order = self.open_order();
        let mut up = false;
        for leg in self.legs.values_mut() {
            leg.send(out, Message::Accept);
            leg.admit(out);
            leg.tell_media(out, order.clone());
            up |= leg.path == Path::Up;
        }
        self.answer_phase(out, up);
        None
    }

    /// The person declines.
    pub(crate) fn decline(reason: DeclineReason, scope: Scope, text: Option<String>) -> End {
        let tell = Tell::Decline { reason, scope, text };
        let reason = match reason {
            DeclineReason::Declined => EndReason::Declined,
            DeclineReason::Busy => EndReason::Busy,
        };
        End { tell, ..End::quiet(reason, EndedBy::Local) }
    }

    /// The caller took the ring back. What was our own call before it became theirs was not missed by anybody.
    pub(super) fn canceled(&self, reason: CancelReason) -> End {
        let vain = match self.direction {
            Direction::Incoming => EndReason::Missed,
            Direction::Outgoing => EndReason::Canceled,
        };
        match reason {
            CancelReason::Canceled => End::quiet(vain, EndedBy::Remote),
            // The same rule ends it here, a moment sooner or later.
            CancelReason::NoAnswer => End::quiet(vain, EndedBy::Policy),
            CancelReason::AnsweredElsewhere => End::quiet(EndReason::AnsweredElsewhere, EndedBy::Remote),
            CancelReason::DeclinedElsewhere => End::quiet(EndReason::DeclinedElsewhere, EndedBy::Remote),
        }
    }
}
