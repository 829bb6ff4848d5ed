//! The phone: all calls of one person, and what each command and event does to them.
//!
//! Lives here: dispatch by call, one voice at a time, tombstones of ended calls.
//! Must not: know what happens inside one call (`call/`).

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use crate::call::{Call, Dial, End, Flow, Knock, Out};
use crate::command::{Command, Refusal};
use crate::effect::{Effect, Effects};
use crate::event::Event;
use crate::id::{CallId, LegId, PeerId};
use crate::message::Message;
use crate::time::Moment;
use crate::view::{CallView, Direction, EndReason, EndedBy};

/// How long an ended call stays, with its reason.
const LINGER: Duration = Duration::from_secs(10);
/// Ended calls that stay at most; the oldest goes first.
const TOMBSTONES: usize = 32;
/// Calls at most, those nobody has heard of yet included. A ring beyond is ignored.
const CALLS: usize = 16;
/// Devices of one contact at most.
const DEVICES: usize = 8;
/// How long a dial may ask to ring, in seconds.
const LIFETIME: core::ops::RangeInclusive<u64> = 10..=180;

/// What a person decides about all calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The longest an incoming call rings here, whatever the caller asked for: 10 to 180 s.
    pub ring_at_most: Duration,
    /// How long a broken path is mended before the call ends: 5 to 60 s.
    pub reconnect_window: Duration,
    /// A second call rings; otherwise it gets `busy`.
    pub call_waiting: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ring_at_most: Duration::from_secs(180),
            reconnect_window: Duration::from_secs(30),
            call_waiting: true,
        }
    }
}

/// When [`Event::Tick`] is next due, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// When.
    pub at: Moment,
    /// For the log.
    pub why: &'static str,
}

/// A verb that an ended call remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LastVerb {
    Answer,
    Decline,
    HangUp,
}

/// What is left of a call: its last view, and what it takes to answer a late verb.
#[derive(Clone, Debug)]
struct Tombstone {
    view: CallView,
    /// Outsiders knew of it.
    public: bool,
    legs: Vec<LegId>,
    verb: Option<LastVerb>,
    until: Moment,
}

/// All calls of one person on one device.
#[derive(Clone, Debug)]
pub struct Phone {
    own: LegId,
    settings: Settings,
    muted: bool,
    calls: BTreeMap<CallId, Call>,
    tombstones: VecDeque<Tombstone>,
    /// The latest `now`: time never runs back.
    last: Moment,
}

impl Phone {
    /// A phone with no calls. `own` is this device as the others see it.
    pub fn new(own: LegId, settings: Settings) -> Self {
        Self {
            own,
            settings,
            muted: false,
            calls: BTreeMap::new(),
            tombstones: VecDeque::new(),
            last: Moment::default(),
        }
    }

    /// New settings for what begins from now on.
    pub fn configure(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// The switch for all calls.
    pub fn muted(&self) -> bool {
        self.muted
    }

    /// Why a dial would be refused now.
    pub fn cannot_dial(&self) -> Option<Refusal> {
        self.occupied_by_other_than(None).then_some(Refusal::Busy)
    }

    /// Whether we are dialing this contact: then it is let through, whatever keeps others away.
    pub fn dials(&self, peer: PeerId) -> bool {
        let to = |call: &Call| call.peer() == peer && call.direction() == Direction::Outgoing;
        self.calls.values().any(|call| to(call) && !call.is_answered())
    }

    /// A person or program asks. May be refused; a refusal changes nothing.
    pub fn command(&mut self, now: Moment, command: Command) -> Result<Effects, Refusal> {
        self.pass(now);
        let mut out = Out::new(now);
        match command {
            Command::Dial { call, peer, devices, lifetime, note, hold_others: _ } => {
                if self.occupied_by_other_than(None) {
                    return Err(Refusal::Busy);
                }
                if devices.is_empty() || devices.len() > DEVICES {
                    return Err(Refusal::NoDevice);
                }
                if !LIFETIME.contains(&lifetime.as_secs()) || self.knows(call) {
                    return Err(Refusal::OutOfRange);
                }
                let dial = Dial { call, own: self.own, peer, devices, lifetime, note };
                let made = Call::dial(&mut out, dial, self.settings.reconnect_window, self.muted);
                out.order(Effect::Publish(Box::new(made.view())));
                self.calls.insert(call, made);
            }
            Command::Answer { call, others: _ } => match self.find(call)? {
                Found::Live(live) if live.rings_here() => {
                    self.change(&mut out, call, |call, out| {
                        call.answer(out);
                        None
                    });
                }
                Found::Live(live) if live.direction() == Direction::Incoming => {}
                Found::Live(_) => return Err(Refusal::InvalidState),
                Found::Ended(tomb) => return late_answer(tomb).map(|()| Effects::default()),
            },
            Command::Decline { call, reason, scope, text } => match self.find(call)? {
                Found::Live(live) if live.rings_here() => {
                    let end = Call::decline(reason, scope, text);
                    self.change(&mut out, call, |_, _| Some(end));
                    self.remember(call, LastVerb::Decline);
                }
                Found::Live(live) if live.direction() == Direction::Incoming => {
                    return Err(Refusal::AlreadyHandled);
                }
                Found::Live(_) => return Err(Refusal::InvalidState),
                Found::Ended(tomb) => return late_decline(tomb).map(|()| Effects::default()),
            },
            Command::Silence { call } | Command::Hold { call } | Command::Resume { call } => {
                self.find(call)?;
                return Err(Refusal::InvalidState);
            }
            Command::Swap => return Err(Refusal::InvalidState),
            Command::Block { peer: _ } => {}
            Command::HangUp { call } => match self.find(call)? {
                Found::Live(_) => self.hang_up(&mut out, call),
                Found::Ended(_) => {}
            },
            Command::HangUpAll => {
                let public = self.calls.iter().filter(|(_, call)| call.is_public());
                for call in public.map(|(id, _)| *id).collect::<Vec<_>>() {
                    self.hang_up(&mut out, call);
                }
            }
            Command::SetMuted { call, muted } => match self.find(call)? {
                Found::Live(_) => {
                    let everywhere = self.muted;
                    self.change(&mut out, call, |call, out| {
                        call.mute(out, Some(muted), everywhere);
                        None
                    });
                }
                Found::Ended(_) => return Err(Refusal::InvalidState),
            },
            Command::SetAllMuted { muted } => {
                self.muted = muted;
                for call in self.calls.keys().copied().collect::<Vec<_>>() {
                    self.change(&mut out, call, |call, out| {
                        call.mute(out, None, muted);
                        None
                    });
                }
            }
        }
        Ok(out.into_effects())
    }

    /// The world reports. Never fails; a report that no longer applies does nothing.
    pub fn event(&mut self, now: Moment, event: Event) -> Effects {
        if event != Event::Tick {
            self.pass(now);
        }
        self.last = self.last.max(now);
        let mut out = Out::new(now);
        match event {
            Event::Tick => self.tick(&mut out),
            Event::Rung { call, leg, peer, lifetime, preconnect, policy: _ } => {
                if !self.knows(call) && self.calls.len() < CALLS && leg != self.own {
                    let lifetime = lifetime.min(self.settings.ring_at_most);
                    let knock = Knock { call, own: self.own, leg, peer, lifetime, preconnect };
                    let made = Call::knock(&mut out, &knock, self.settings.reconnect_window, self.muted);
                    self.calls.insert(call, made);
                }
            }
            Event::MissedNote { .. } => {}
            Event::Received { call, leg, message } => self.received(&mut out, call, leg, message),
            Event::Carried { call, leg } => self.change(&mut out, call, |call, _| {
                call.carried(leg);
                None
            }),
            Event::Undeliverable { call, leg } => {
                self.change(&mut out, call, |call, out| call.undeliverable(out, leg));
            }
            Event::Bye { call, leg } => self.change(&mut out, call, |call, out| call.bye(out, leg)),
            Event::Media { call, leg, epoch, report } => {
                self.change(&mut out, call, |call, out| call.media(out, leg, epoch, report));
            }
            Event::NetworkChanged => {
                for call in self.calls.keys().copied().collect::<Vec<_>>() {
                    self.change(&mut out, call, |call, out| {
                        call.network_changed(out);
                        None
                    });
                }
            }
            Event::Stopping => {
                for call in self.calls.keys().copied().collect::<Vec<_>>() {
                    self.change(&mut out, call, |_, _| Some(End::told(EndReason::Shutdown, EndedBy::Local)));
                }
            }
        }
        out.into_effects()
    }

    /// When [`Event::Tick`] is next due. Feed it before any later input.
    pub fn deadline(&self) -> Option<Deadline> {
        let calls = self.calls.values().map(|call| Deadline { at: call.deadline(), why: "call" });
        let tombs = self.tombstones.iter().map(|tomb| Deadline { at: tomb.until, why: "linger" });
        calls.chain(tombs).min_by_key(|deadline| deadline.at).filter(|d| d.at.micros() < u64::MAX)
    }

    /// Every call that outsiders may know of, the lingering ones too, oldest first.
    pub fn views(&self) -> Vec<CallView> {
        let tombs = self.tombstones.iter().filter(|tomb| tomb.public).map(|tomb| tomb.view.clone());
        let live = self.calls.values().filter(|call| call.is_public()).map(Call::view);
        let mut all: Vec<CallView> = tombs.chain(live).collect();
        all.sort_by_key(|view| (view.created, view.id));
        all
    }

    /// Asserts the third law.
    fn pass(&mut self, now: Moment) {
        debug_assert!(now >= self.last, "time runs back");
        debug_assert!(self.deadline().is_none_or(|due| due.at > now), "a due tick was not fed first");
        self.last = self.last.max(now);
    }

    fn tick(&mut self, out: &mut Out) {
        while self.tombstones.front().is_some_and(|tomb| tomb.until <= out.now) {
            self.retire_oldest(out);
        }
        let due = self.calls.iter().filter(|(_, call)| call.deadline() <= out.now);
        for call in due.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.change(out, call, Call::tick);
        }
    }

    fn received(&mut self, out: &mut Out, call: CallId, leg: LegId, message: Message) {
        let busy = self.occupied_by_other_than(Some(call));
        self.change(out, call, |call, out| call.received(out, leg, message, busy));
    }

    /// One voice at a time: whether a call other than this one has or will soon have the person's ear.
    fn occupied_by_other_than(&self, call: Option<CallId>) -> bool {
        self.calls.iter().any(|(id, other)| Some(*id) != call && !other.is_knocking())
    }

    fn knows(&self, call: CallId) -> bool {
        self.calls.contains_key(&call) || self.tombstones.iter().any(|tomb| tomb.view.id == call)
    }

    fn find(&self, call: CallId) -> Result<Found<'_>, Refusal> {
        if let Some(live) = self.calls.get(&call).filter(|live| live.is_public()) {
            return Ok(Found::Live(live));
        }
        let tomb = self.tombstones.iter().find(|tomb| tomb.view.id == call && tomb.public);
        tomb.map(Found::Ended).ok_or(Refusal::NoSuchCall)
    }

    fn hang_up(&mut self, out: &mut Out, call: CallId) {
        self.change(out, call, |call, _| {
            Some(if call.rings_here() {
                Call::decline(
                    crate::message::DeclineReason::Declined,
                    crate::message::Scope::ThisDevice,
                    None,
                )
            } else if call.is_answered() {
                End::told(EndReason::Completed, EndedBy::Local)
            } else {
                End::told(EndReason::Canceled, EndedBy::Local)
            })
        });
        self.remember(call, LastVerb::HangUp);
    }

    fn remember(&mut self, call: CallId, verb: LastVerb) {
        if let Some(tomb) = self.tombstones.iter_mut().find(|tomb| tomb.view.id == call) {
            tomb.verb = Some(verb);
        }
    }

    /// Lets one call take an input, and publishes or buries it.
    fn change(&mut self, out: &mut Out, id: CallId, input: impl FnOnce(&mut Call, &mut Out) -> Flow) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let before = call.is_public().then(|| call.view());
        let end = input(call, out);
        let public = call.is_public();
        let Some(end) = end else {
            let after = call.view();
            if public && before.as_ref() != Some(&after) {
                out.order(Effect::Publish(Box::new(after)));
            }
            return;
        };
        let Some(call) = self.calls.remove(&id) else { return };
        let legs = call.leg_ids();
        let verb = call.is_answered().then_some(LastVerb::Answer);
        let mut view = call.finish(out, end);
        let until = out.now + LINGER;
        view.deadline = Some(until);
        if public {
            out.order(Effect::Publish(Box::new(view.clone())));
        }
        if self.tombstones.len() == TOMBSTONES {
            self.retire_oldest(out);
        }
        self.tombstones.push_back(Tombstone { view, public, legs, verb, until });
    }

    fn retire_oldest(&mut self, out: &mut Out) {
        let Some(tomb) = self.tombstones.pop_front() else { return };
        Call::forget(out, tomb.view.id, &tomb.legs);
        if tomb.public {
            out.order(Effect::Retire(tomb.view.id));
        }
    }
}

/// What a verb met.
enum Found<'a> {
    Live(&'a Call),
    Ended(&'a Tombstone),
}

/// `Answer` on an ended call.
fn late_answer(tomb: &Tombstone) -> Result<(), Refusal> {
    match (tomb.view.direction, tomb.view.reason, tomb.verb) {
        (Direction::Outgoing, _, _) => Err(Refusal::InvalidState),
        (Direction::Incoming, Some(EndReason::AnsweredElsewhere), _) => Err(Refusal::AnsweredElsewhere),
        (Direction::Incoming, _, Some(LastVerb::Answer)) => Ok(()),
        (Direction::Incoming, _, Some(LastVerb::Decline | LastVerb::HangUp) | None) => {
            Err(Refusal::AlreadyHandled)
        }
    }
}

/// `Decline` on an ended call.
fn late_decline(tomb: &Tombstone) -> Result<(), Refusal> {
    match (tomb.view.direction, tomb.view.reason, tomb.verb) {
        (Direction::Outgoing, _, _) => Err(Refusal::InvalidState),
        (Direction::Incoming, Some(EndReason::AnsweredElsewhere), _) => Err(Refusal::AnsweredElsewhere),
        (Direction::Incoming, _, Some(LastVerb::Answer)) => Err(Refusal::AlreadyHandled),
        (Direction::Incoming, _, Some(LastVerb::Decline | LastVerb::HangUp) | None) => Ok(()),
    }
}
