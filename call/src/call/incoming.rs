//! The incoming side of a call, from message 1 to answer or silence.
//!
//! Lives here: what each input does before and while our phone rings.
//! Must not: know how ringing sounds, how offers travel, or what time it is.

use alloc::string::String;
use core::time::Duration;

use crate::call::end::{End, Tell};
use crate::call::flags::{Ours, open_order};
use crate::call::{Call, Flow, Leg, Member, Out, Phase, Stage};
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
    /// The first path begins with our offer, now.
    pub(crate) offers: bool,
    pub(crate) policy: RingPolicy,
}

/// What must be known of other calls before it may ring.
pub(crate) struct Around {
    /// There is another call, and this person takes no second one.
    pub(crate) busy: bool,
    /// One more path may be set up, or its candidates gathered, before anybody answers.
    pub(crate) path: bool,
}

/// They called; we have not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Incoming {
    pub(super) stage: Arrival,
    pub(super) give_up: Moment,
    /// The longest it may ring here.
    limit: Duration,
    pub(super) early: Early,
    policy: RingPolicy,
    /// Another call is there: what rings waits.
    pub(super) beside: bool,
}

/// What may be made of a path before anybody has answered here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Early {
    /// Nothing: too many others are being made.
    Nothing,
    /// Our candidates are gathered while it rings, and nothing of ours leaves.
    Gathered,
    /// It is set up, before our phone rings if it can be.
    Whole,
}

/// How far their ring has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Message 3 has not come, so nobody may hear of it.
    Knocking,
    /// Message 3 came while we call them, and our call comes first: at `decide_at` it is looked whether it reached them.
    Parked { decide_at: Option<Moment> },
    /// Message 3 came; the path is set up before the phone rings.
    Arriving { ring_at: Moment },
    /// Our phone rings.
    Ringing {
        /// It answers by itself if nothing else is there.
        due_to_answer: bool,
    },
}

impl Incoming {
    /// Called again into a group. No path is made before an answer: the call is known.
    pub(super) fn again(now: Moment, limit: Duration) -> Self {
        Self {
            stage: Arrival::Parked { decide_at: None },
            give_up: now + limit,
            limit,
            early: Early::Nothing,
            policy: RingPolicy::Normal,
            beside: false,
        }
    }

    pub(super) fn deadline(&self) -> Moment {
        let sooner = match self.stage {
            Arrival::Knocking | Arrival::Ringing { .. } | Arrival::Parked { decide_at: None } => {
                return self.give_up;
            }
            Arrival::Parked { decide_at: Some(at) } | Arrival::Arriving { ring_at: at } => at,
        };
        sooner.min(self.give_up)
    }
}

impl Call {
    /// Answers message 1. Nobody hears of it before message 3 proves that the caller lives now.
    pub(crate) fn knock(out: &mut Out, knock: &Knock, window: Duration, muted_everywhere: bool) -> Self {
        let phase = Phase::Incoming(Incoming {
            stage: Arrival::Knocking,
            give_up: out.now + knock.limit.min(PROVE_WITHIN),
            limit: knock.limit,
            early: if knock.preconnect { Early::Whole } else { Early::Gathered },
            policy: knock.policy,
            beside: false,
        });
        let mut member = Member::calling(knock.peer, out.now);
        let mut leg = Leg::new(knock.call, knock.own, knock.leg, Stage::Ready);
        leg.send(out, Message::Ready { offers: knock.offers });
        if knock.offers {
            leg.offer_quietly(out);
        }
        member.legs.insert(knock.leg, leg);
        let mut ours = Ours::new(muted_everywhere);
        ours.silenced = knock.policy == RingPolicy::Silent;
        Self::new(knock.call, member, phase, ours, out.now, window)
    }

    pub(super) fn tick_incoming(&mut self, out: &mut Out) -> Flow {
        let Phase::Incoming(it) = &self.phase else { return None };
        if it.give_up <= out.now {
            return Some(End::quiet(EndReason::Missed, EndedBy::Policy));
        }
        if matches!(it.stage, Arrival::Arriving { ring_at } if ring_at <= out.now) {
            self.ring(out);
        }
        None
    }

    /// The caller took it back. Who does so in a session with us lives now.
    pub(super) fn given_up(&mut self) -> End {
        if let Phase::Incoming(it) = &mut self.phase
            && it.stage == Arrival::Knocking
        {
            it.stage = Arrival::Parked { decide_at: None };
        }
        End::quiet(EndReason::Missed, EndedBy::Remote)
    }

    /// The caller took it back, and this is why.
    pub(super) fn taken_back(&mut self, from: LegId, reason: CancelReason) -> Flow {
        // A caller that has sent its flags has heard our accept; otherwise the word crossed it, and it wins: to the caller
        // nobody had answered.
        let heard = self.leg_mut(from).is_some_and(|leg| leg.said.serial > 0);
        if self.is_answered() && (self.is_caller() || heard) {
            return None;
        }
        self.answered = None;
        self.given_up();
        Some(self.canceled(reason))
    }

    /// Message 3 came: the caller lives now. The caller's clock says how long it rings, and our limit.
    pub(crate) fn prove(&mut self, now: Moment, remaining: Duration, note: Option<String>) {
        self.note = note;
        if let Phase::Incoming(it) = &mut self.phase {
            it.give_up = now + remaining.min(it.limit);
            it.stage = Arrival::Parked { decide_at: None };
        }
    }

    fn parked(&mut self) -> Option<&mut Option<Moment>> {
        match &mut self.phase {
            Phase::Incoming(Incoming { stage: Arrival::Parked { decide_at }, .. }) => Some(decide_at),
            Phase::Incoming(_) | Phase::Outgoing(_) | Phase::Live(_) | Phase::Outside(_) => None,
        }
    }

    /// Our own call to them comes first.
    pub(crate) fn park(&mut self, out: &mut Out) -> Flow {
        let by = out.now + REACHED_WITHIN;
        self.parked().map(|decide_at| decide_at.replace(by));
        None
    }

    /// Whether it is time to look whether our own call has reached them.
    pub(crate) fn is_tired_of_waiting(&self, now: Moment) -> bool {
        let Phase::Incoming(it) = &self.phase else { return false };
        matches!(it.stage, Arrival::Parked { decide_at: Some(at) } if at <= now)
    }

    /// It has: their answer to it will come.
    pub(crate) fn wait_on(&mut self) -> Flow {
        self.parked().and_then(Option::take);
        None
    }

    /// It rings, as soon as the path is up or 600 ms have passed, or it hears that we are busy.
    pub(crate) fn let_in(&mut self, out: &mut Out, around: &Around) -> Flow {
        self.parked()?;
        if around.busy {
            let tell = Tell::Decline { reason: DeclineReason::Busy, scope: Scope::ThisDevice, text: None };
            return Some(End { tell, ..End::quiet(EndReason::Busy, EndedBy::Policy) });
        }
        self.record(out, Fact::Offered);
        let offered = self.open_paths().next().is_some();
        let Phase::Incoming(it) = &mut self.phase else { return None };
        if !around.path && !offered {
            it.early = Early::Nothing;
        }
        match it.early {
            Early::Nothing => self.ring(out),
            Early::Gathered => {
                self.ring(out);
                self.legs_mut().for_each(|leg| leg.gather(out));
            }
            Early::Whole => {
                it.stage = Arrival::Arriving { ring_at: out.now + PATH_FIRST };
                self.legs_mut().for_each(|leg| leg.admit(out));
            }
        }
        None
    }

    /// Our phone rings.
    pub(super) fn ring(&mut self, out: &mut Out) {
        let Phase::Incoming(it) = &mut self.phase else { return };
        // A group never answers by a rule of the contact; by itself it does where the people talk already.
        let answers = self.group.as_ref().map(|group| group.answers);
        let due_to_answer = answers.unwrap_or(it.policy == RingPolicy::AutoAnswer);
        it.stage = Arrival::Ringing { due_to_answer };
        self.ringing = Some(out.now);
        self.step(out, Fact::RingingHere);
        for leg in self.legs() {
            leg.send(out, Message::Ringing);
        }
    }

    /// Our ringing stops; theirs goes on.
    pub(crate) fn silence(&mut self) -> Flow {
        self.ours.silenced = true;
        None
    }

    /// It was decided whether it answers by itself.
    pub(crate) fn answers_no_more(&mut self) -> Flow {
        if let Phase::Incoming(Incoming { stage: Arrival::Ringing { due_to_answer }, .. }) = &mut self.phase {
            *due_to_answer = false;
        }
        None
    }

    /// The person answers, or the contact's rule does.
    pub(crate) fn answer(&mut self, out: &mut Out, by_itself: bool) -> Flow {
        if self.group.is_some() {
            return self.enter(out, by_itself);
        }
        self.ringing.get_or_insert(out.now);
        self.answered = Some(out.now);
        self.legs_mut().for_each(|leg| leg.stage = Stage::Chosen);
        let muted = self.ours.is_muted();
        for member in self.members.values_mut() {
            member.joins(out.now);
            let order = open_order(muted, member.holds_us());
            for leg in member.legs.values_mut() {
                leg.send(out, Message::Accept);
                leg.admit(out);
                leg.tell_media(out, order.clone());
            }
        }
        self.begin_live(out, by_itself);
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
