//! The outgoing side of a call, from the dial to an answer or silence.
//!
//! Lives here: what each input does while we call; the choice between several answers; becoming the other's call.
//! Must not: know how a ring travels, or what happens once somebody answered.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::call::end::{End, is_failure, stronger};
use crate::call::flags::{Ours, open_order};
use crate::call::{Call, Flow, Leg, Member, Out, Path, Phase, Stage};
use crate::effect::{Effect, Fact, SignalOrder};
use crate::id::{CallId, LegId, PeerId};
use crate::message::{CancelReason, DeclineReason, Message, Scope};
use crate::time::Moment;
use crate::view::{EndReason, EndedBy, MemberState};

/// A ring that no relay has taken by then ends the call.
const REACH_WITHIN: Duration = Duration::from_secs(10);
/// A ring that a relay has taken, and that no device has answered by then, ends the call between two who let each other see
/// whether they can be reached.
const HEARD_WITHIN: Duration = Duration::from_secs(5);

/// What a dial says.
pub(crate) struct Dial {
    pub(crate) call: CallId,
    pub(crate) own: LegId,
    pub(crate) peer: PeerId,
    pub(crate) devices: Vec<LegId>,
    pub(crate) lifetime: Duration,
    pub(crate) note: Option<String>,
    pub(crate) both_tell: bool,
}

/// We called; nobody has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(super) give_up: Moment,
    reach: Reach,
}

/// How far our ring has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Nobody is known to have it. A relay must have taken it by then. `both_tell`: silence then says something.
    Nowhere { carried_by: Moment, both_tell: bool },
    /// A relay has it. One of their devices must show by then that it has it too, where that is known to mean something.
    Carried { heard_by: Option<Moment> },
    /// A device of theirs has it.
    Heard,
    /// It rings somewhere.
    Rings,
}

impl Outgoing {
    /// From now on for so long.
    pub(super) fn new(now: Moment, lifetime: Duration, both_tell: bool) -> Self {
        Self { give_up: now + lifetime, reach: Reach::Nowhere { carried_by: now + REACH_WITHIN, both_tell } }
    }

    pub(super) fn rings(&self) -> bool {
        self.reach == Reach::Rings
    }

    /// A device of theirs has our ring.
    pub(super) fn heard(&mut self) {
        if self.reach != Reach::Rings {
            self.reach = Reach::Heard;
        }
    }

    /// When the ring is given up unless it comes further, and what is said then.
    fn further_by(&self) -> Option<(Moment, End)> {
        match self.reach {
            Reach::Nowhere { carried_by, .. } => {
                Some((carried_by, End::told(EndReason::Unreachable, EndedBy::Network)))
            }
            Reach::Carried { heard_by } => {
                heard_by.map(|by| (by, End::told(EndReason::Unavailable, EndedBy::Policy)))
            }
            Reach::Heard | Reach::Rings => None,
        }
    }

    pub(super) fn deadline(&self) -> Moment {
        self.further_by().map_or(self.give_up, |(by, _)| by.min(self.give_up))
    }
}

impl Call {
    /// Rings every device of a contact.
    pub(crate) fn dial(out: &mut Out, dial: Dial, window: Duration, muted_everywhere: bool) -> Self {
        let phase = Phase::Outgoing(Outgoing::new(out.now, dial.lifetime, dial.both_tell));
        let mut member = Member::called(dial.peer);
        for device in dial.devices {
            let leg = Leg::new(dial.call, dial.own, device, Stage::Invited);
            leg.signal(out, SignalOrder::Ring { peer: dial.peer, lifetime: dial.lifetime });
            member.legs.insert(device, leg);
        }
        let mut call = Self::new(dial.call, member, phase, Ours::new(muted_everywhere), out.now, window);
        call.note = dial.note;
        call.record(out, Fact::Dialed);
        call
    }

    /// A relay took our ring to one of the devices.
    pub(crate) fn carried(&mut self, now: Moment) -> Flow {
        if let Phase::Outgoing(Outgoing { reach, .. }) = &mut self.phase
            && let Reach::Nowhere { both_tell, .. } = *reach
        {
            *reach = Reach::Carried { heard_by: both_tell.then(|| now + HEARD_WITHIN) };
        }
        None
    }

    pub(super) fn tick_outgoing(&self, out: &Out) -> Flow {
        let Phase::Outgoing(it) = &self.phase else { return None };
        if it.give_up <= out.now {
            let vain = if it.rings() { EndReason::NoAnswer } else { EndReason::Unavailable };
            let word = if self.group.is_some() { vain } else { stronger(vain, self.word()) };
            return Some(End::told(word, EndedBy::Policy));
        }
        it.further_by().filter(|(by, _)| *by <= out.now).map(|(_, end)| end)
    }

    /// A session stands with this device: it gets message 3, and the first path unless it begins that one.
    pub(super) fn ready(&mut self, out: &mut Out, from: LegId, it_offers: bool) {
        let Phase::Outgoing(Outgoing { give_up, .. }) = self.phase else { return };
        let text = self.note.clone();
        if let Some(leg) = self.leg_mut(from).filter(|leg| leg.stage == Stage::Invited) {
            leg.stage = Stage::Ready;
            leg.send(out, Message::Offer { remaining: give_up.since(out.now), text });
            if !it_offers {
                leg.begin(out);
            }
        }
        if let Phase::Outgoing(it) = &mut self.phase {
            it.heard();
        }
    }

    /// This device will not answer.
    pub(super) fn declined(
        &mut self,
        out: &mut Out,
        from: LegId,
        reason: DeclineReason,
        scope: Scope,
        text: Option<String>,
    ) -> Flow {
        let word = match reason {
            DeclineReason::Declined => EndReason::Declined,
            DeclineReason::Busy => EndReason::Busy,
        };
        self.message = text.or(self.message.take());
        if scope == Scope::Everywhere && reason == DeclineReason::Declined {
            self.drop_leg(out, from, word);
            return Some(End::told(word, EndedBy::Remote));
        }
        self.leg_gone(out, from, word)
    }

    /// This device says that the call is over.
    pub(super) fn ended_there(&mut self, out: &mut Out, from: LegId, reason: EndReason) -> Flow {
        let broken = is_failure(reason);
        if !matches!(reason, EndReason::Completed | EndReason::IceFailed | EndReason::ConnectionLost) {
            return self.leg_gone(out, from, if broken { reason } else { EndReason::Unavailable });
        }
        // It has overtaken the accept: only who answered says so.
        self.answered_by(out, from);
        self.record(out, Fact::Answered);
        let up = self.leg_mut(from).is_some_and(|leg| leg.path == Path::Up);
        Some(End::heard(if up || broken { reason } else { EndReason::Canceled }))
    }

    pub(super) fn rings_at(&mut self, out: &mut Out, from: LegId) {
        if let Some(member) = self.member_of(from).filter(|member| member.state == MemberState::Invited) {
            member.state = MemberState::Ringing;
        }
        if let Some(leg) = self.leg_mut(from) {
            leg.stage = Stage::Ringing;
        }
        if let Phase::Outgoing(it) = &mut self.phase
            && !it.rings()
        {
            it.reach = Reach::Rings;
            self.ringing = Some(out.now);
            self.step(out, Fact::RingingThere);
        }
    }

    /// The strongest word of devices that are out.
    fn word(&self) -> EndReason {
        self.members.values().fold(EndReason::Unavailable, |word, member| stronger(word, member.word))
    }

    /// This device is out.
    pub(super) fn leg_gone(&mut self, out: &mut Out, gone: LegId, reason: EndReason) -> Flow {
        self.drop_leg(out, gone, reason);
        self.without_it()
    }

    /// A device that cannot be reached any more must not ring on: it is told, and its session is kept until it has heard.
    pub(super) fn take_back(&mut self, out: &mut Out, from: LegId, reason: EndReason) -> Flow {
        let member = self.member_of(from)?;
        let mut leg = member.legs.remove(&from)?;
        leg.send(out, Message::Cancel { reason: CancelReason::Canceled });
        leg.close(out);
        member.says(reason);
        member.unrung.extend(leg.is_not_known_to_have_rung().then_some(from));
        self.left.push((self.wire, from));
        self.without_it()
    }

    /// The session of a device can carry nothing more.
    pub(super) fn cut_off(&mut self, out: &mut Out, from: LegId) -> Flow {
        let member = self.member_of(from)?;
        let silent = member.legs.get(&from).is_some_and(Leg::is_not_known_to_have_rung);
        member.unrung.extend(silent.then_some(from));
        self.leg_gone(out, from, EndReason::SignalingFailed)
    }

    fn drop_leg(&mut self, out: &mut Out, gone: LegId, reason: EndReason) {
        let Some(member) = self.member_of(gone) else { return };
        member.says(reason);
        if let Some(mut leg) = member.legs.remove(&gone) {
            leg.close(out);
            leg.signal(out, SignalOrder::Forget);
        }
    }

    /// A device is out. When it was the last one the strongest word stands.
    fn without_it(&self) -> Flow {
        if self.legs().next().is_some() {
            return None;
        }
        let rang_in_vain = self.ringing.is_some() && self.word() == EndReason::Unavailable;
        let reason = if rang_in_vain { EndReason::NoAnswer } else { self.word() };
        Some(End::quiet(reason, EndedBy::Remote))
    }

    /// The first answer wins.
    pub(super) fn choose(&mut self, out: &mut Out, winner: LegId) {
        self.answered_by(out, winner);
        let muted = self.ours.is_muted();
        let Some(member) = self.member_of(winner) else { return };
        member.tell_media(out, open_order(muted, member.holds_us()));
        self.begin_live(out, false);
    }

    fn answered_by(&mut self, out: &mut Out, winner: LegId) {
        if let Some(member) = self.member_of(winner) {
            member.answered_by(out, winner);
        }
        self.ringing.get_or_insert(out.now);
        self.answered = Some(out.now);
    }

    /// Our call goes on as theirs: their ring is answered at once, our own ring is taken back everywhere.
    pub(crate) fn become_theirs(&mut self, out: &mut Out, mut theirs: Self) -> Flow {
        for leg in self.legs_mut() {
            leg.send(out, Message::Cancel { reason: CancelReason::AnsweredElsewhere });
            leg.close(out);
        }
        out.order(Effect::EndMedia(self.wire));
        self.left = self.sessions();
        self.wire = theirs.wire;
        for (id, member) in &mut self.members {
            member.legs = theirs.members.remove(id).map(|member| member.legs).unwrap_or_default();
        }
        self.left.extend(theirs.left);
        self.ringing.get_or_insert(out.now);
        self.record(out, Fact::GlareMerged);
        self.answer(out, false)
    }
}
