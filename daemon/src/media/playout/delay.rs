//! How long after the fastest packets frames should play.
//!
//! Lives here: the window of arrivals, and the target made from it, from how much a packet holds, and from what mending needs.
//! Must not: know payloads, order or loss, or how long after them frames do play.

use ahoy_call::Moment;

use super::floor::Floor;
use super::{FRAME_US, at};

/// Arrivals that count: the last 10 s.
const WINDOW: usize = 512;
/// Frames that a packet stands for beside its own at most: half a second.
const LEFT_OUT: i64 = 25;
/// All but one of so many arrivals should be in time (98.5 %).
const ONE_LATE_OF: usize = 64;
/// The target is computed anew after so many arrivals (10 at first).
const EVERY: usize = 5;
/// The least that is aimed for: where packets come like a clock, and else.
const STEADY_MIN_US: i64 = 10_000;
const TARGET_MIN_US: i64 = 15_000;
/// Packets come like a clock if their jitter is at most this, and of the few that it leaves out at most one was later than that.
const STEADY_US: i64 = 5_000;
const UNSTEADY_US: i64 = 8_000;
/// The most that is aimed for, beside what waits in a packet of several frames.
pub(super) const TARGET_MAX_US: i64 = 10 * FRAME_US;
/// An arrival later than this cannot be waited for; it does not count.
const HOPELESS_US: i64 = TARGET_MAX_US + 2 * FRAME_US;
/// So many hopeless arrivals in a row that agree this well are no late ones: the schedule has moved.
const STRAYS: usize = 5;
const STRAYS_AGREE_US: i64 = 60_000;
/// The target lies at least this far above the jitter.
const ABOVE_US: i64 = 5_000;
/// And is a multiple of this: a finer one would wander.
const STEP_US: i64 = 5_000;
/// Play later when the level is less than this above the jitter, or this much below what mending needs.
const LOW_US: i64 = 2_000;
const BELOW_FLOOR_US: i64 = 5_000;
/// Packets of many frames are reckoned with for so long after the last.
const SPAN_HELD_US: i64 = 2_000_000;

/// See the head of this file. All values in microseconds.
#[derive(Debug)]
pub(super) struct Delay {
    /// Arrival of the last packets minus the schedule of their last frame, in a ring.
    arrivals: Vec<i64>,
    place: usize,
    /// The last arrivals, while all of them are hopeless.
    strays: Vec<i64>,
    since_update: usize,
    /// The least of them: the fastest packets' schedule.
    base: i64,
    jitter: i64,
    /// What jitter alone asks for.
    target: i64,
    scratch: Vec<i64>,
    /// Frames in the largest packet lately, and when one as large came last: its first frame is that much older.
    span: i64,
    span_at: i64,
    floor: Floor,
}

impl Delay {
    pub(super) fn new() -> Self {
        Self {
            arrivals: Vec::with_capacity(WINDOW),
            place: 0,
            strays: Vec::with_capacity(STRAYS),
            since_update: 0,
            base: 0,
            jitter: 0,
            target: STEADY_MIN_US,
            scratch: Vec::with_capacity(WINDOW),
            span: 1,
            span_at: 0,
            floor: Floor::default(),
        }
    }

    /// What came so far says nothing any more. What mending needs stays.
    pub(super) fn clear(&mut self) {
        self.arrivals.clear();
        self.strays.clear();
        (self.place, self.since_update, self.jitter, self.target) = (0, 0, 0, STEADY_MIN_US);
        (self.span, self.span_at) = (1, 0);
    }

    /// The packet of `span` frames from `number` on came now, and the sender left out so many before it.
    pub(super) fn observe(&mut self, now: i64, number: i64, span: i64, left_out: i64) {
        if span >= self.span || now - self.span_at > SPAN_HELD_US {
            (self.span, self.span_at) = (span, now);
        }
        let arrival = schedule(now, number + span - 1);
        if self.has_moved(arrival) {
            let strays = std::mem::take(&mut self.strays);
            self.clear();
            self.base = strays.iter().copied().min().unwrap_or(arrival);
            self.arrivals.extend(&strays);
            self.strays = strays;
            self.strays.clear();
            (self.span, self.span_at) = (span, now);
            self.update();
            return;
        }
        if self.arrivals.is_empty() || arrival < self.base {
            self.base = arrival;
        }
        // One for each frame, so that the window is as long whatever packets hold, and stand for.
        for _ in 0..span + left_out.clamp(0, LEFT_OUT) {
            if self.arrivals.len() < WINDOW {
                self.arrivals.push(arrival);
            } else {
                self.arrivals[self.place] = arrival;
                self.place = (self.place + 1) % WINDOW;
            }
            self.since_update += 1;
        }
        if self.since_update >= EVERY || self.arrivals.len() < 2 * EVERY {
            self.since_update = 0;
            self.update();
        }
    }

    /// Whether this arrival is the last of enough that fit each other and not the schedule: by another route, or after a
    /// sender stood still, everything comes that much later, and waiting for the old schedule would chop it for 10 s.
    fn has_moved(&mut self, arrival: i64) -> bool {
        if self.arrivals.is_empty() || arrival - self.base <= HOPELESS_US {
            self.strays.clear();
            return false;
        }
        if self.strays.len() == STRAYS {
            self.strays.remove(0);
        }
        self.strays.push(arrival);
        let (least, most) = self.strays.iter().fold((i64::MAX, i64::MIN), |(a, b), x| (a.min(*x), b.max(*x)));
        self.strays.len() == STRAYS && most - least <= STRAYS_AGREE_US
    }

    /// How far off the schedule a frame would be that came now; nothing is off before the first.
    pub(super) fn off(&self, now: i64, number: i64) -> i64 {
        if self.arrivals.is_empty() { 0 } else { self.level(now, number).abs() }
    }

    /// How long after the fastest packets' schedule this frame plays, if it plays now.
    pub(super) fn level(&self, now: i64, number: i64) -> i64 {
        schedule(now, number).saturating_sub(self.base)
    }

    pub(super) fn base(&self) -> i64 {
        self.base
    }

    /// Mending needs so long, what comes late by itself reckoned in.
    pub(super) fn need(&mut self, us: i64) {
        self.floor.ask(us);
    }

    /// Time passes.
    pub(super) fn tick(&mut self, now: Moment) {
        self.floor.tick(at(now));
    }

    pub(super) fn target_us(&self) -> i64 {
        self.target.max(self.floor.us()).min(TARGET_MAX_US) + self.packed_us()
    }

    /// Below this level frames are played later.
    pub(super) fn low_us(&self) -> i64 {
        let jitter = self.jitter + LOW_US + self.packed_us();
        match self.floor.us() {
            0 => jitter,
            _ => jitter.max(self.target_us() - BELOW_FLOOR_US),
        }
    }

    pub(super) fn jitter_us(&self) -> i64 {
        self.jitter
    }

    /// How much older than its last frame the first one of a packet is.
    fn packed_us(&self) -> i64 {
        (self.span - 1) * FRAME_US
    }

    fn update(&mut self) {
        self.base = self.arrivals.iter().copied().min().unwrap_or(self.base);
        let base = self.base;
        self.scratch.clear();
        self.scratch.extend(self.arrivals.iter().map(|a| a - base).filter(|j| *j <= HOPELESS_US));
        let late = self.scratch.len() / ONE_LATE_OF;
        let Some(rank) = self.scratch.len().checked_sub(1 + late) else { return };
        self.jitter = *self.scratch.select_nth_unstable(rank).1;
        let steps = (self.jitter + ABOVE_US + STEP_US - 1) / STEP_US;
        let late = self.scratch.iter().filter(|late| **late > UNSTEADY_US).count();
        let steady = self.jitter <= STEADY_US && late <= 1;
        let least = if steady { STEADY_MIN_US } else { TARGET_MIN_US };
        self.target = (steps * STEP_US).clamp(least, TARGET_MAX_US);
    }
}

/// A time as it lies to the schedule on which frame 0 is at time 0.
pub(super) fn schedule(now: i64, number: i64) -> i64 {
    now.saturating_sub(number.saturating_mul(FRAME_US))
}
