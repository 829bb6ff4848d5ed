//! One call: its phase, its members, and the dispatch of each input to the file that knows the phase.
//!
//! Lives here: the phases; the orders of one step.
//! Must not: know other calls.

mod end;
mod flags;
mod group;
mod incoming;
mod keypad;
mod leg;
mod live;
mod member;
mod outgoing;
mod paths;
mod show;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::effect::{Effect, Effects, Fact, Record, SignalOrder};
use crate::id::{CallId, LegId, MemberId, PeerId};
use crate::message::{CancelReason, Message, RoomWord};
use crate::time::Moment;
use crate::view::{CallKind, CallView, Direction, EndReason, EndedBy};

pub(crate) use end::End;
use end::is_failure;
use flags::Ours;
pub(crate) use group::{ALONE_FOR, Group, GroupDial, House, Key, MESH, Outside, ROOM, Words};
use incoming::Incoming;
pub(crate) use incoming::{Around, Knock};
pub(crate) use leg::{Leg, Path, Said, Stage};
use live::Live;
pub(crate) use member::Member;
pub(crate) use outgoing::Dial;
use outgoing::Outgoing;
pub(crate) use show::noted;

/// How long a set-up may take after the answer.
const SET_UP: Duration = Duration::from_secs(15);

/// The orders of one step, sorted: records first, because their commit takes longest.
#[derive(Debug)]
pub(crate) struct Out {
    pub(crate) now: Moment,
    records: Vec<Effect>,
    orders: Vec<Effect>,
}

impl Out {
    pub(crate) fn new(now: Moment) -> Self {
        Self { now, records: Vec::new(), orders: Vec::new() }
    }

    pub(crate) fn order(&mut self, effect: Effect) {
        self.orders.push(effect);
    }

    fn record(&mut self, fact: Fact, view: CallView) {
        self.record_at(fact, view, None);
    }

    pub(crate) fn record_at(&mut self, fact: Fact, view: CallView, at_unix_us: Option<i64>) {
        let (at, about) = (self.now, None);
        self.records.push(Effect::Record(Box::new(Record { at, fact, about, view, at_unix_us })));
    }

    /// A fact about one of the others.
    fn record_about(&mut self, fact: Fact, member: MemberId, view: CallView) {
        let (at, about, at_unix_us) = (self.now, Some(member), None);
        self.records.push(Effect::Record(Box::new(Record { at, fact, about, view, at_unix_us })));
    }

    pub(crate) fn into_effects(self) -> Effects {
        let mut all = self.records;
        all.extend(self.orders);
        Effects(all)
    }
}

/// Where a call stands. Each phase holds exactly what it needs; leaving it drops its timer too. What is over is no phase:
/// the phone keeps a tombstone of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// We called; nobody has answered.
    Outgoing(Outgoing),
    /// They called; we have not answered.
    Incoming(Incoming),
    /// Somebody answered, here or there.
    Live(Live),
    /// A group call that runs without us.
    Outside(Outside),
}

/// One call of this phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    id: CallId,
    /// The id by which the legs know it: another one after a merge.
    wire: CallId,
    kind: CallKind,
    /// What it has beside its members if it is between several.
    group: Option<Box<Group>>,
    /// Who began it, for this person.
    direction: Direction,
    phase: Phase,
    /// The others, never none.
    members: BTreeMap<MemberId, Member>,
    ours: Ours,
    /// Sessions that the call has left and that live until it is forgotten.
    left: Vec<(CallId, LegId)>,
    serial: u64,
    created: Moment,
    ringing: Option<Moment>,
    answered: Option<Moment>,
    /// When sound first flowed.
    connected: Option<Moment>,
    note: Option<String>,
    message: Option<String>,
    reconnect_window: Duration,
}

/// `Some` ends the call.
pub(crate) type Flow = Option<End>;

impl Call {
    /// A call with this one person.
    fn new(id: CallId, member: Member, phase: Phase, ours: Ours, now: Moment, window: Duration) -> Self {
        Self::with(id, Vec::from([member]), phase, ours, now, window)
    }

    /// A call with these people, at least one.
    fn with(
        id: CallId,
        members: Vec<Member>,
        phase: Phase,
        ours: Ours,
        now: Moment,
        window: Duration,
    ) -> Self {
        let direction = match phase {
            Phase::Incoming(_) => Direction::Incoming,
            Phase::Outgoing(_) | Phase::Live(_) | Phase::Outside(_) => Direction::Outgoing,
        };
        Self {
            id,
            wire: id,
            kind: CallKind::Direct,
            group: None,
            direction,
            phase,
            members: (MemberId::FIRST.0..).map(MemberId).zip(members).collect(),
            ours,
            left: Vec::new(),
            serial: 1,
            created: now,
            ringing: None,
            answered: None,
            connected: None,
            note: None,
            message: None,
            reconnect_window: window,
        }
    }

    fn legs(&self) -> impl Iterator<Item = &Leg> {
        self.members.values().flat_map(|member| member.legs.values())
    }

    fn legs_mut(&mut self) -> impl Iterator<Item = &mut Leg> {
        self.members.values_mut().flat_map(|member| member.legs.values_mut())
    }

    fn leg_mut(&mut self, id: LegId) -> Option<&mut Leg> {
        self.members.values_mut().find_map(|member| member.legs.get_mut(&id))
    }

    /// Whose device this is.
    pub(crate) fn whose(&self, leg: LegId) -> Option<PeerId> {
        self.members.values().find(|member| member.legs.contains_key(&leg)).map(|member| member.peer)
    }

    /// The member whose device this is.
    fn member_of(&mut self, leg: LegId) -> Option<&mut Member> {
        self.members.values_mut().find(|member| member.legs.contains_key(&leg))
    }

    /// What a verb would act on has changed.
    fn step(&mut self, out: &mut Out, fact: Fact) {
        self.serial += 1;
        self.record(out, fact);
    }

    fn record(&self, out: &mut Out, fact: Fact) {
        out.record(fact, self.view());
    }

    /// When this call next has something to do.
    pub(crate) fn deadline(&self) -> Moment {
        let phase = match &self.phase {
            Phase::Outgoing(it) => Some(it.deadline()),
            Phase::Incoming(it) => Some(it.deadline()),
            Phase::Live(it) => it.give_up(),
            Phase::Outside(_) => None,
        };
        let legs = self.legs().filter_map(Leg::deadline);
        legs.chain(phase).chain(self.group_deadline()).min().unwrap_or(Moment::from_micros(u64::MAX))
    }

    /// What is due at `out.now`.
    pub(crate) fn tick(&mut self, out: &mut Out) -> Flow {
        self.legs_mut().for_each(|leg| leg.tick(out));
        self.settle_holds_there(out);
        let end = match self.phase {
            Phase::Outgoing(_) => self.tick_outgoing(out),
            Phase::Incoming(_) => self.tick_incoming(out),
            Phase::Live(_) if self.group.is_none() => self.tick_live(out),
            Phase::Live(_) | Phase::Outside(_) => None,
        };
        if end.is_none() { self.tick_group(out) } else { end }
    }

    /// A sealed message of one of the devices of this call, other than message 3.
    pub(crate) fn received(&mut self, out: &mut Out, from: LegId, message: Message) -> Flow {
        if self.group.is_some() {
            return self.group_received(out, from, message);
        }
        // Before message 3 they may not learn where we are, nor for a call that is not to be: their offer waits.
        let may_answer = !matches!(self.phase, Phase::Incoming(_)) || self.may_speak_early();
        let (dialed, answered) = (self.is_dialed(), self.is_answered());
        let leg = self.leg_mut(from)?;
        if answered && leg.stage != Stage::Chosen {
            if message == Message::Accept {
                leg.send(out, Message::Cancel { reason: CancelReason::AnsweredElsewhere });
            }
            return None;
        }
        match message {
            Message::Description { epoch, description } => {
                leg.described_there(out, epoch, description, may_answer);
            }
            Message::Candidates { epoch, list, complete } => {
                leg.candidates_there(out, epoch, list, complete);
            }
            Message::State { serial, muted, held, camera, listening } => {
                let (hears_only, wants_held) = (listening, held);
                leg.said.hear(Said { serial, muted, camera, hears_only, wants_held, ..Said::default() });
                self.settle_holds_there(out);
            }
            Message::Room(RoomWord::Pass(pass)) if !dialed && !answered => leg.gives_pass(out.now, pass),
            Message::Ready { offers } if dialed => self.ready(out, from, offers),
            Message::Ringing if dialed => self.rings_at(out, from),
            Message::Accept if dialed => self.choose(out, from),
            Message::Decline { reason, scope, text } if dialed => {
                return self.declined(out, from, reason, scope, text);
            }
            Message::Cancel { reason } if !dialed => return self.taken_back(from, reason),
            Message::End { reason } => {
                return match self.phase {
                    Phase::Outgoing(_) => self.ended_there(out, from, reason),
                    Phase::Incoming(_) => Some(self.given_up()),
                    Phase::Live(_) | Phase::Outside(_) => {
                        // It goes on in another call, or it broke; else they hung up.
                        let told = is_failure(reason) || reason == EndReason::Superseded;
                        Some(End::heard(if told { reason } else { self.hung_up_for() }))
                    }
                };
            }
            Message::Ready { .. }
            | Message::Room(_)
            | Message::Ringing
            | Message::Accept
            | Message::Decline { .. }
            | Message::Cancel { .. }
            | Message::Offer { .. }
            | Message::Invite { .. }
            | Message::Log(_) => {}
        }
        None
    }

    /// The daemon of a device came back and no longer knows this call.
    pub(crate) fn bye(&mut self, out: &mut Out, from: LegId) -> Flow {
        match self.phase {
            Phase::Outgoing(_) | Phase::Live(_) if self.group.is_some() => self.member_lost(out, from, true),
            Phase::Outgoing(_) => self.leg_gone(out, from, EndReason::Unavailable),
            Phase::Incoming(_) => Some(End::quiet(EndReason::Missed, EndedBy::Remote)),
            Phase::Live(_) => {
                let lost = || End::quiet(EndReason::ConnectionLost, EndedBy::Remote);
                (self.chosen() == Some(from)).then(lost)
            }
            Phase::Outside(_) => None,
        }
    }

    /// The session of a device can carry nothing more. A ring, a path that is up, or the window outlives it.
    pub(crate) fn undeliverable(&mut self, out: &mut Out, leg: LegId) -> Flow {
        match self.phase {
            Phase::Outgoing(_) | Phase::Live(_) if self.group.is_some() => self.member_lost(out, leg, false),
            Phase::Outgoing(_) => self.cut_off(out, leg),
            Phase::Incoming(_) if self.rings_here() => None,
            Phase::Incoming(_) => Some(End::quiet(EndReason::Missed, EndedBy::Network)),
            Phase::Live(_) | Phase::Outside(_) => None,
        }
    }

    /// Drops the sessions of a call that lingered long enough.
    pub(crate) fn forget(out: &mut Out, sessions: &[(CallId, LegId)]) {
        for (call, leg) in sessions {
            out.order(Effect::Signal { call: *call, leg: *leg, order: SignalOrder::Forget });
        }
    }
}
