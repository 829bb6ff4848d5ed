//! One call: its phase, its legs, and the dispatch of each input to the file that knows the phase.
//!
//! Lives here: the phases and what they hold; the orders of one step.
//! Must not: know other calls.

mod end;
mod flags;
mod incoming;
mod leg;
mod live;
mod outgoing;
mod paths;
mod show;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::effect::{Effect, Effects, Fact, Record, SignalOrder};
use crate::event::RingPolicy;
use crate::id::{CallId, LegId, PeerId};
use crate::message::Message;
use crate::time::Moment;
use crate::view::{CallView, Direction, EndReason};

pub(crate) use end::End;
pub(crate) use incoming::{Around, Knock};
pub(crate) use leg::{Leg, Path, Stage};
pub(crate) use outgoing::Dial;
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
        self.records.push(Effect::Record(Box::new(Record { at: self.now, fact, view, at_unix_us })));
    }

    pub(crate) fn into_effects(self) -> Effects {
        let mut all = self.records;
        all.extend(self.orders);
        Effects(all)
    }
}

/// Where a call stands. Each phase holds exactly what it needs; leaving it drops its timer too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// We called; no device is known to ring.
    Dialing { give_up: Moment, carried_by: Option<Moment> },
    /// We called; it rings somewhere.
    Alerting { give_up: Moment },
    /// They called; message 3 has not come, so nobody may hear of it.
    Knocking { give_up: Moment },
    /// Message 3 came while we call them, and our call comes first: at `decide_at` it is looked whether it reached them.
    Parked { decide_at: Option<Moment>, give_up: Moment },
    /// Message 3 came; the path is set up before the phone rings.
    Arriving { ring_at: Moment, give_up: Moment },
    /// Our phone rings.
    RingingHere { give_up: Moment },
    /// Someone answered; no sound yet.
    Connecting { give_up: Moment },
    /// Sound flows.
    Talking,
    /// Sound was flowing, the path broke, it is being mended.
    Reconnecting { give_up: Moment },
}

/// One call of this phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    id: CallId,
    /// The id by which the legs know it: another one after a merge.
    wire: CallId,
    peer: PeerId,
    /// Who began it, for this person.
    direction: Direction,
    /// We are the caller on the wire.
    caller: bool,
    phase: Phase,
    legs: BTreeMap<LegId, Leg>,
    /// Sessions that the call has left and that live until it is forgotten.
    left: Vec<(CallId, LegId)>,
    /// Devices that are out and never rang.
    unrung: Vec<LegId>,
    /// The path may be set up before our phone rings.
    preconnect: bool,
    policy: RingPolicy,
    /// It answers by itself if nothing else is there; decided once, when it rings.
    due_to_answer: bool,
    auto_answered: bool,
    silenced: bool,
    /// Another call is there: what rings waits.
    beside: bool,
    /// A call is being dialed: what is held stays so.
    dialing_beside: bool,
    /// The longest it may ring here.
    limit: Duration,
    /// History knows of it.
    recorded: bool,
    serial: u64,
    created: Moment,
    ringing: Option<Moment>,
    answered: Option<Moment>,
    /// When sound first flowed.
    connected: Option<Moment>,
    muted: bool,
    muted_everywhere: bool,
    /// No microphone gives sound to it.
    hears_only: bool,
    /// Since when we hold it.
    held: Option<Moment>,
    state_sent: u32,
    /// How often their holding was written down.
    holds_there: u8,
    /// Its caller took it back in a session with us: who calls lives now.
    heard: bool,
    note: Option<String>,
    message: Option<String>,
    /// The strongest word of legs that are gone.
    word: EndReason,
    reconnect_window: Duration,
}

/// `Some` ends the call.
pub(crate) type Flow = Option<End>;

impl Call {
    fn new(id: CallId, peer: PeerId, direction: Direction, phase: Phase, now: Moment) -> Self {
        Self {
            id,
            wire: id,
            peer,
            direction,
            caller: direction == Direction::Outgoing,
            phase,
            legs: BTreeMap::new(),
            left: Vec::new(),
            unrung: Vec::new(),
            preconnect: false,
            policy: RingPolicy::Normal,
            due_to_answer: false,
            auto_answered: false,
            silenced: false,
            beside: false,
            dialing_beside: false,
            limit: Duration::MAX,
            recorded: false,
            serial: 1,
            created: now,
            ringing: None,
            answered: None,
            connected: None,
            muted: false,
            muted_everywhere: false,
            hears_only: false,
            held: None,
            state_sent: 0,
            holds_there: 0,
            heard: false,
            note: None,
            message: None,
            word: EndReason::Unavailable,
            reconnect_window: Duration::from_secs(30),
        }
    }

    /// Moves to a phase: what a verb would act on has changed.
    fn enter(&mut self, out: &mut Out, phase: Phase, fact: Fact) {
        self.phase = phase;
        self.serial += 1;
        self.record(out, fact);
    }

    fn record(&mut self, out: &mut Out, fact: Fact) {
        self.recorded = true;
        out.record(fact, self.view());
    }

    /// When this call next has something to do.
    pub(crate) fn deadline(&self) -> Moment {
        let phase = match &self.phase {
            Phase::Dialing { give_up, carried_by } => {
                Some(carried_by.map_or(*give_up, |by| by.min(*give_up)))
            }
            Phase::Alerting { give_up }
            | Phase::Knocking { give_up }
            | Phase::RingingHere { give_up }
            | Phase::Connecting { give_up }
            | Phase::Reconnecting { give_up } => Some(*give_up),
            Phase::Parked { decide_at, give_up } => Some(decide_at.map_or(*give_up, |at| at.min(*give_up))),
            Phase::Arriving { ring_at, give_up } => Some(*ring_at.min(give_up)),
            Phase::Talking => None,
        };
        let legs = self.legs.values().filter_map(Leg::deadline);
        legs.chain(phase).min().unwrap_or(Moment::from_micros(u64::MAX))
    }

    /// What is due at `out.now`.
    pub(crate) fn tick(&mut self, out: &mut Out) -> Flow {
        for leg in self.legs.values_mut() {
            leg.tick(out);
        }
        self.settle_holds_there(out);
        match self.phase {
            Phase::Dialing { .. } | Phase::Alerting { .. } => self.tick_outgoing(out),
            Phase::Knocking { .. }
            | Phase::Parked { .. }
            | Phase::Arriving { .. }
            | Phase::RingingHere { .. } => self.tick_incoming(out),
            Phase::Connecting { .. } | Phase::Talking | Phase::Reconnecting { .. } => self.tick_live(out),
        }
    }

    /// A sealed message of one of the devices of this call, other than message 3.
    pub(crate) fn received(&mut self, out: &mut Out, leg: LegId, message: Message) -> Flow {
        match self.phase {
            Phase::Dialing { .. } | Phase::Alerting { .. } => self.received_outgoing(out, leg, message),
            Phase::Knocking { .. }
            | Phase::Parked { .. }
            | Phase::Arriving { .. }
            | Phase::RingingHere { .. } => self.received_incoming(out, leg, message),
            Phase::Connecting { .. } | Phase::Talking | Phase::Reconnecting { .. } => {
                self.received_live(out, leg, message)
            }
        }
    }

    /// Drops the sessions of a call that lingered long enough.
    pub(crate) fn forget(out: &mut Out, sessions: &[(CallId, LegId)]) {
        for (call, leg) in sessions {
            out.order(Effect::Signal { call: *call, leg: *leg, order: SignalOrder::Forget });
        }
    }
}
