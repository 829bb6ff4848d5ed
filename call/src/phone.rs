//! The phone: all calls of one person, and what each command and event does to them.
//!
//! Lives here: dispatch of events by call; what a step leaves to be seen.
//! Must not: know what happens inside one call (`call/`).

mod commands;
mod dial;
mod ear;
mod glare;
mod groups;
mod notes;
mod tombs;
mod verbs;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use crate::call::{Call, End, Flow, Key, Knock, Out};
use crate::command::Refusal;
use crate::effect::{Effect, Effects, MediaOrder};
use crate::event::{Event, MediaReport};
use crate::id::{CallId, Epoch, LegId, PeerId};
use crate::kind::PhaseKind;
use crate::message::Message;
use crate::time::Moment;
use crate::view::{CallView, EndReason, EndedBy};
use tombs::Tombstone;

/// Calls of others at most, and conversations at most. A ring beyond is ignored. A dial always has its place: no flood of
/// rings may keep this person from calling.
const CALLS: usize = 16;
/// Of these so many of one contact: one that rings or runs, and one more.
const OF_A_CONTACT: usize = 2;
/// Rings whose caller has not proved to live now, all and of one contact. The oldest gives way.
const KNOCKS: usize = 16;
const KNOCKS_OF_A_CONTACT: usize = 2;
/// Paths that are set up or gathered for at once before anybody answers: a further call rings without one.
const EARLY_PATHS: usize = 2;

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

/// All calls of one person on one device.
#[derive(Clone, Debug)]
pub struct Phone {
    own: LegId,
    me: PeerId,
    settings: Settings,
    muted: bool,
    /// By the id under which this person knows them.
    calls: BTreeMap<CallId, Call>,
    tombstones: VecDeque<Tombstone>,
    /// Whom this person has blocked: nobody of these is heard in a group.
    blocked: BTreeSet<PeerId>,
    /// One of our relays has rooms.
    rooms: bool,
    /// Groups that we were in and that go on in a call which has not reached us yet.
    moving: Vec<Moving>,
    /// The latest `now`: time never runs back.
    last: Moment,
}

/// A group, until when its other call is expected, and who may have started that.
type Moving = (Key, Moment, BTreeSet<PeerId>);

/// Two phones are equal if they decide alike; when they last decided does not matter.
impl PartialEq for Phone {
    fn eq(&self, other: &Self) -> bool {
        let Self { own, me, settings, muted, calls, tombstones, blocked, rooms, moving, last: _ } = self;
        *own == other.own
            && *me == other.me
            && *settings == other.settings
            && *muted == other.muted
            && *calls == other.calls
            && *tombstones == other.tombstones
            && *blocked == other.blocked
            && *rooms == other.rooms
            && *moving == other.moving
    }
}

impl Phone {
    /// A phone with no calls. `own` is this device as the others see it, `me` whose it is.
    pub fn new(own: LegId, me: PeerId, settings: Settings) -> Self {
        Self {
            own,
            me,
            settings,
            muted: false,
            calls: BTreeMap::new(),
            tombstones: VecDeque::new(),
            blocked: BTreeSet::new(),
            rooms: false,
            moving: Vec::new(),
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
        let conversations = self.calls.values().filter(|call| call.is_answered()).count();
        (self.dialing().is_some() || conversations >= CALLS).then_some(Refusal::Busy)
    }

    /// Whether we are dialing this contact: then it is let through, whatever keeps others away.
    pub fn dials(&self, peer: PeerId) -> bool {
        self.dialing().is_some_and(|call| call.group().is_none() && call.is_with(peer))
    }

    /// The call of this contact that a dial would answer: to dial who rings here is to answer.
    pub fn ringing_from(&self, peer: PeerId) -> Option<CallId> {
        let mut of = self.calls.values().filter(|call| call.group().is_none() && call.is_with(peer));
        of.find(|call| call.rings_here() || call.is_arriving()).map(Call::id)
    }

    /// The id by which signaling and media know a call. Another one than its own after two calls became one.
    pub fn on_wire(&self, call: CallId) -> CallId {
        self.calls.get(&call).map_or(call, Call::wire)
    }

    /// Whose device this is, of a call by the id that signaling and media know.
    pub fn whose(&self, wire: CallId, leg: LegId) -> Option<PeerId> {
        self.calls.values().filter(|call| call.wire() == wire).find_map(|call| call.whose(leg))
    }

    /// Where a call stands; by its own id, or by the one that signaling and media know.
    pub fn phase(&self, call: CallId) -> PhaseKind {
        let live = self.calls.get(&call).or_else(|| self.calls.values().find(|live| live.wire() == call));
        match live {
            Some(live) => live.kind(),
            None if self.tombstones.iter().any(|tomb| tomb.is_of(call)) => PhaseKind::Ended,
            None => PhaseKind::Nothing,
        }
    }

    /// Every living call, also those that outsiders do not know of, oldest first: its id on the wire and where it stands.
    pub fn standing(&self) -> Vec<(CallId, PhaseKind)> {
        let mut all: Vec<&Call> = self.calls.values().collect();
        all.sort_by_key(|call| (call.created(), call.id()));
        all.into_iter().map(|call| (call.wire(), call.kind())).collect()
    }

    /// Every path of every call that was prepared and not closed: what the media port may hold open.
    pub fn open_paths(&self) -> Vec<(CallId, LegId, Epoch)> {
        self.calls.values().flat_map(Call::open_paths).collect()
    }

    /// The world reports. Never fails; a report that no longer applies does nothing.
    pub fn event(&mut self, now: Moment, event: Event) -> Effects {
        if event != Event::Tick {
            self.pass(now);
        }
        self.last = self.last.max(now);
        let before = self.shown();
        let mut out = Out::new(now);
        match event {
            Event::Tick => self.tick(&mut out),
            Event::Rung { call, leg, peer, lifetime, preconnect, callee_offers, policy } => {
                if self.is_group(call) {
                    self.rung_again(&mut out, call, leg, peer);
                } else if !self.knows(call) && leg != self.own {
                    self.make_room_for_knock(&mut out, peer);
                    let limit = lifetime.min(self.settings.ring_at_most);
                    let offers = callee_offers && preconnect && self.has_room_for_early_path(call);
                    let knock = Knock { call, own: self.own, leg, peer, limit, preconnect, offers, policy };
                    let made = Call::knock(&mut out, &knock, self.settings.reconnect_window, self.muted);
                    self.calls.insert(call, made);
                }
            }
            Event::Met { call, leg, peer } => self.met(&mut out, call, leg, peer),
            Event::MissedNote { call, peer, at_unix_us, why } => {
                self.give_up_knock(&mut out, call, peer);
                if !self.knows(call) {
                    self.noted(&mut out, call, peer, at_unix_us, why);
                }
            }
            Event::Received { call, leg, message } => self.received(&mut out, call, leg, message),
            Event::Carried { call, leg } => {
                self.about(&mut out, (call, leg), |call, out| call.carried(out.now))
            }
            Event::Undeliverable { call, leg } => {
                self.about(&mut out, (call, leg), |call, out| call.undeliverable(out, leg));
            }
            Event::Bye { call, leg } => self.bye(&mut out, call, leg),
            Event::Media { call, leg, epoch, report: MediaReport::Up } if self.route(call, leg).is_none() => {
                // Nothing that is none of ours may be up: a microphone could be open behind it.
                out.order(if self.calls.values().any(|live| live.wire() == call) {
                    Effect::Media { call, leg, epoch, order: MediaOrder::Close }
                } else {
                    Effect::EndMedia(call)
                });
            }
            Event::Media { call, leg, epoch, report } => {
                self.about(&mut out, (call, leg), |call, out| call.media(out, leg, epoch, report));
            }
            Event::Room { call, report } => {
                if let [id] = self.ids(|live| live.wire() == call)[..] {
                    self.change(&mut out, id, |call, out| call.room_report(out, report));
                }
            }
            Event::Rooms(able) => {
                self.rooms = able;
                for call in self.ids(|call| call.group().is_some()) {
                    self.change(&mut out, call, |call, out| call.set_rooms(out, able));
                }
            }
            Event::MediaGone { call } => {
                for id in self.ids(|live| live.wire() == call) {
                    self.change(&mut out, id, Call::media_gone);
                }
            }
            Event::NetworkChanged => {
                for call in self.ids(|_| true) {
                    self.change(&mut out, call, Call::network_changed);
                }
            }
            Event::Stopping => {
                for call in self.ids(|_| true) {
                    self.change(&mut out, call, |_, _| Some(End::told(EndReason::Shutdown, EndedBy::Local)));
                }
            }
        }
        self.leave(out, &before)
    }

    /// When [`Event::Tick`] is next due. Feed it before any later input.
    pub fn deadline(&self) -> Option<Deadline> {
        let calls = self.calls.values().map(|call| Deadline { at: call.deadline(), why: "call" });
        let tombs = self.tombstones.iter().map(|tomb| Deadline { at: tomb.until(), why: "linger" });
        calls.chain(tombs).min_by_key(|deadline| deadline.at).filter(|d| d.at.micros() < u64::MAX)
    }

    /// Every call that outsiders may know of, the lingering ones too, oldest first.
    pub fn views(&self) -> Vec<CallView> {
        let tombs = self.tombstones.iter().filter_map(Tombstone::view).cloned();
        let mut all: Vec<CallView> = tombs.chain(self.shown()).collect();
        all.sort_by_key(|view| (view.created, view.id));
        all
    }

    /// Living calls as outsiders see them.
    fn shown(&self) -> Vec<CallView> {
        self.calls.values().filter(|call| call.is_public()).map(Call::view).collect()
    }

    /// Asserts the third law.
    fn pass(&mut self, now: Moment) {
        debug_assert!(now >= self.last, "time runs back");
        debug_assert!(self.deadline().is_none_or(|due| due.at > now), "a due tick was not fed first");
        self.last = self.last.max(now);
    }

    fn tick(&mut self, out: &mut Out) {
        self.tick_tombstones(out);
        let now = out.now;
        for call in self.ids(|call| call.deadline() <= now) {
            self.change(out, call, Call::tick);
        }
    }

    fn received(&mut self, out: &mut Out, call: CallId, leg: LegId, message: Message) {
        let Some(id) = self.route(call, leg) else {
            if matches!(message, Message::Ready { .. }) {
                self.late_ready(out, call, leg);
            }
            return;
        };
        if let Message::Offer { remaining, text } = message {
            return self.offered(out, id, remaining, text);
        }
        if matches!(message, Message::Invite { .. }) {
            return self.invited(out, id, leg, message);
        }
        if let Message::Log(news) = &message {
            self.grow_with(out, id, leg, news);
        }
        self.change(out, id, |call, out| call.received(out, leg, message));
    }

    /// Lets the call of this leg take an input.
    fn about(
        &mut self,
        out: &mut Out,
        (call, leg): (CallId, LegId),
        input: impl FnOnce(&mut Call, &mut Out) -> Flow,
    ) {
        if let Some(id) = self.route(call, leg) {
            self.change(out, id, input);
        }
    }

    /// The call that a session or a path belongs to.
    fn route(&self, call: CallId, leg: LegId) -> Option<CallId> {
        self.calls.values().find(|live| live.wire() == call && live.has_leg(leg)).map(Call::id)
    }

    fn ids(&self, wanted: impl Fn(&Call) -> bool) -> Vec<CallId> {
        self.calls.values().filter(|call| wanted(call)).map(Call::id).collect()
    }

    fn knows(&self, call: CallId) -> bool {
        self.calls.values().any(|live| live.is_of(call))
            || self.tombstones.iter().any(|tomb| tomb.is_of(call))
    }

    /// Lets one call take an input, and buries it if that ended it.
    fn change(&mut self, out: &mut Out, id: CallId, input: impl FnOnce(&mut Call, &mut Out) -> Flow) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(end) = input(call, out) else { return };
        self.remember_move(out, id, &end);
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.outside().is_some() {
            self.bury_outside(out, id);
            return;
        }
        if call.is_public() {
            call.say_goodbye(out, &end);
        }
        if call.outlives(&end) {
            call.step_out(out, &end);
            self.forget_oldest_outside(out);
        } else if call.is_knocking() {
            // It may never have been: who replays an old message 1 must not leave a missed call.
            self.drop_knock(out, id);
        } else if self.is_shadowed(id, &end) {
            self.drop_shadowed(out, id);
        } else {
            self.bury(out, id, end);
        }
    }

    /// What a step leaves: every call knows what is beside it, and what is seen of it is published.
    fn leave(&mut self, mut out: Out, before: &[CallView]) -> Effects {
        self.settle_glare(&mut out);
        self.settle_groups(&mut out);
        self.settle_ear(&mut out);
        for view in self.shown() {
            if !before.contains(&view) {
                out.order(Effect::Publish(Box::new(view)));
            }
        }
        out.into_effects()
    }
}
