//! One call: its phase, its legs, and the snapshot outsiders see.
//!
//! Lives here: the phases and what they hold; dispatch of each input to the file that knows the phase.
//! Must not: know other calls.

mod end;
mod incoming;
mod leg;
mod live;
mod outgoing;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::effect::{Effect, Effects, Fact, MediaOrder, Record};
use crate::event::{MediaFault, MediaReport};
use crate::id::{CallId, Epoch, LegId, PeerId};
use crate::message::Message;
use crate::time::Moment;
use crate::view::{CallView, Can, Direction, EndReason, State};

pub(crate) use end::{End, Tell};
pub(crate) use incoming::Knock;
pub(crate) use leg::{Leg, Path, Stage};
pub(crate) use outgoing::Dial;

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
        self.records.push(Effect::Record(Box::new(Record { at: self.now, fact, view, at_unix_us: None })));
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
#[derive(Clone, Debug)]
pub(crate) struct Call {
    id: CallId,
    peer: PeerId,
    direction: Direction,
    phase: Phase,
    legs: BTreeMap<LegId, Leg>,
    /// The path may be set up before our phone rings.
    preconnect: bool,
    serial: u64,
    created: Moment,
    ringing: Option<Moment>,
    answered: Option<Moment>,
    connected: bool,
    muted: bool,
    muted_everywhere: bool,
    state_sent: u32,
    state_heard: u32,
    remote_muted: bool,
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
            peer,
            direction,
            phase,
            legs: BTreeMap::new(),
            preconnect: false,
            serial: 1,
            created: now,
            ringing: None,
            answered: None,
            connected: false,
            muted: false,
            muted_everywhere: false,
            state_sent: 0,
            state_heard: 0,
            remote_muted: false,
            note: None,
            message: None,
            word: EndReason::Unavailable,
            reconnect_window: Duration::from_secs(30),
        }
    }

    /// Whether outsiders may know of it.
    pub(crate) fn is_public(&self) -> bool {
        !matches!(self.phase, Phase::Knocking { .. } | Phase::Arriving { .. })
    }

    /// Whether message 3 has yet to come.
    pub(crate) fn is_knocking(&self) -> bool {
        matches!(self.phase, Phase::Knocking { .. })
    }

    pub(crate) fn peer(&self) -> PeerId {
        self.peer
    }

    pub(crate) fn direction(&self) -> Direction {
        self.direction
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.answered.is_some()
    }

    /// Whether our phone rings.
    pub(crate) fn rings_here(&self) -> bool {
        matches!(self.phase, Phase::RingingHere { .. })
    }

    pub(crate) fn leg_ids(&self) -> Vec<LegId> {
        self.legs.keys().copied().collect()
    }

    fn effective_mute(&self) -> bool {
        self.muted || self.muted_everywhere
    }

    /// Moves to a phase: what a verb would act on has changed.
    fn enter(&mut self, out: &mut Out, phase: Phase, fact: Fact) {
        self.phase = phase;
        self.serial += 1;
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
        match self.phase.clone() {
            Phase::Dialing { .. } | Phase::Alerting { .. } => self.tick_outgoing(out),
            Phase::Knocking { .. } | Phase::Arriving { .. } | Phase::RingingHere { .. } => {
                self.tick_incoming(out)
            }
            Phase::Connecting { .. } | Phase::Talking | Phase::Reconnecting { .. } => self.tick_live(out),
        }
    }

    /// A sealed message of one of the devices of this call.
    pub(crate) fn received(&mut self, out: &mut Out, leg: LegId, message: Message, busy: bool) -> Flow {
        if !self.legs.contains_key(&leg) {
            return None;
        }
        match self.phase {
            Phase::Dialing { .. } | Phase::Alerting { .. } => self.received_outgoing(out, leg, message),
            Phase::Knocking { .. } | Phase::Arriving { .. } | Phase::RingingHere { .. } => {
                self.received_incoming(out, leg, message, busy)
            }
            Phase::Connecting { .. } | Phase::Talking | Phase::Reconnecting { .. } => {
                self.received_live(out, leg, message)
            }
        }
    }

    /// A report about one path.
    pub(crate) fn media(&mut self, out: &mut Out, leg_id: LegId, epoch: Epoch, report: MediaReport) -> Flow {
        let leg = self.legs.get_mut(&leg_id)?;
        match report {
            MediaReport::Described(description) => leg.described_here(out, epoch, description),
            MediaReport::Candidates { list, complete } => leg.candidates_here(out, epoch, &list, complete),
            MediaReport::Up => {
                if leg.is_current(epoch) {
                    leg.up(out, epoch);
                    return self.path_up(out, leg_id);
                }
            }
            MediaReport::Lost => {
                if leg.is_current(epoch) || leg.is_standing(epoch) {
                    let mend = leg.is_current(epoch);
                    if leg.lost(out, epoch) {
                        self.path_lost(out, leg_id);
                    }
                    if mend && let Some(leg) = self.legs.get_mut(&leg_id) {
                        leg.repair(out);
                    }
                }
            }
            MediaReport::Stuck => {
                if !leg.stuck(out, epoch) {
                    return self.path_failed(out, leg_id, EndReason::MediaFailed);
                }
            }
            MediaReport::Failed(fault) => {
                if leg.is_current(epoch) && !self.connected {
                    let reason = match fault {
                        MediaFault::Negotiation => EndReason::NegotiationFailed,
                        MediaFault::Media => EndReason::MediaFailed,
                    };
                    return self.path_failed(out, leg_id, reason);
                }
            }
        }
        None
    }

    fn path_up(&mut self, out: &mut Out, leg: LegId) -> Flow {
        match self.phase {
            Phase::Dialing { .. }
            | Phase::Alerting { .. }
            | Phase::Knocking { .. }
            | Phase::RingingHere { .. } => {}
            Phase::Arriving { give_up, .. } => self.ring(out, give_up),
            Phase::Connecting { .. } | Phase::Talking | Phase::Reconnecting { .. } => self.sound(out, leg),
        }
        None
    }

    fn path_lost(&mut self, out: &mut Out, leg: LegId) {
        match self.phase {
            Phase::Dialing { .. }
            | Phase::Alerting { .. }
            | Phase::Knocking { .. }
            | Phase::Arriving { .. }
            | Phase::RingingHere { .. }
            | Phase::Connecting { .. }
            | Phase::Reconnecting { .. } => {}
            Phase::Talking => self.silence(out, leg),
        }
    }

    fn path_failed(&mut self, out: &mut Out, leg: LegId, reason: EndReason) -> Flow {
        match self.phase {
            Phase::Dialing { .. } | Phase::Alerting { .. } => self.leg_gone(out, leg, reason),
            Phase::Knocking { .. }
            | Phase::Arriving { .. }
            | Phase::RingingHere { .. }
            | Phase::Connecting { .. }
            | Phase::Talking
            | Phase::Reconnecting { .. } => Some(End::told(reason, crate::view::EndedBy::Network)),
        }
    }

    /// Our own network changed: begin the next generation while the old one may still carry sound.
    pub(crate) fn network_changed(&mut self, out: &mut Out) {
        for leg in self.legs.values_mut().filter(|leg| leg.path != Path::None) {
            leg.repair(out);
        }
    }

    /// The switch of this call; `None` leaves it.
    pub(crate) fn mute(&mut self, out: &mut Out, own: Option<bool>, everywhere: bool) {
        let before = self.effective_mute();
        self.muted = own.unwrap_or(self.muted);
        self.muted_everywhere = everywhere;
        let muted = self.effective_mute();
        if muted == before {
            return;
        }
        for leg in self.legs.values().filter(|leg| leg.stage == Stage::Chosen) {
            leg.tell_media(out, MediaOrder::SetMuted(muted));
        }
        self.send_state(out);
    }

    fn send_state(&mut self, out: &mut Out) {
        if self.answered.is_none() {
            return;
        }
        self.state_sent += 1;
        let state = Message::State {
            serial: self.state_sent,
            muted: self.effective_mute(),
            held: false,
            camera: false,
        };
        for leg in self.legs.values().filter(|leg| leg.stage == Stage::Chosen) {
            leg.send(out, state.clone());
        }
    }

    /// Ends the call: tells the others, takes the paths down, writes the last record. Returns the final view.
    pub(crate) fn finish(mut self, out: &mut Out, end: End) -> CallView {
        for leg in self.legs.values_mut() {
            let word = match &end.tell {
                Tell::Nothing => None,
                Tell::Decline { reason, scope, text } => {
                    Some(Message::Decline { reason: *reason, scope: *scope, text: text.clone() })
                }
                Tell::Word if leg.stage == Stage::Chosen => Some(Message::End { reason: end.reason }),
                Tell::Word if self.answered.is_some() => None,
                Tell::Word => match self.direction {
                    Direction::Outgoing => Some(end::cancel_word(end.reason)),
                    Direction::Incoming => Some(Message::End { reason: end.reason }),
                },
            };
            if let Some(word) = word {
                leg.send(out, word);
            }
            leg.close(out);
        }
        self.serial += 1;
        let mut view = self.view();
        view.state = State::Disconnected;
        view.reason = Some(end.reason);
        view.ended_by = Some(end.by);
        view.outcome =
            Some(end::outcome(self.direction, self.answered.is_some(), self.connected, end.reason));
        view.deadline = None;
        view.ended = Some(out.now);
        view.can = Can::default();
        out.record(Fact::Ended, view.clone());
        view
    }

    /// The snapshot.
    pub(crate) fn view(&self) -> CallView {
        let (state, deadline) = match &self.phase {
            Phase::Dialing { give_up, .. } => (State::Dialing, Some(*give_up)),
            Phase::Alerting { give_up } => (State::Alerting, Some(*give_up)),
            Phase::Knocking { give_up }
            | Phase::Arriving { give_up, .. }
            | Phase::RingingHere { give_up } => (State::Incoming, Some(*give_up)),
            Phase::Connecting { give_up } => (State::Connecting, Some(*give_up)),
            Phase::Talking => (State::Active, None),
            Phase::Reconnecting { give_up } => (State::Reconnecting, Some(*give_up)),
        };
        CallView {
            id: self.id,
            peer: self.peer,
            direction: self.direction,
            state,
            reason: None,
            ended_by: None,
            outcome: None,
            serial: self.serial,
            deadline,
            created: self.created,
            ringing: self.ringing,
            answered: self.answered,
            ended: None,
            muted: self.effective_mute(),
            remote_muted: self.remote_muted,
            local_hold: false,
            remote_hold: false,
            silenced: false,
            auto_answered: false,
            note: self.note.clone(),
            message: self.message.clone(),
            can: Can {
                answer: self.rings_here(),
                decline: self.rings_here(),
                hang_up: self.is_public(),
                mute: self.is_public(),
                hold: false,
            },
        }
    }
}
