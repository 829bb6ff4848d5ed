//! How long after the fastest packets frames should play, and how long after they do.
//!
//! Lives here: the window of arrivals, the target made from it, and the advice to play sooner or later.
//! Must not: know payloads, order or loss.

use ahoy_call::Moment;

use super::FRAME_US;
use crate::media::stretch::Stretch;

/// Arrivals that count: the last 10 s.
const WINDOW: usize = 512;
/// All but one of so many arrivals should be in time (98.5 %).
const ONE_LATE_OF: usize = 64;
/// The target is computed anew after so many arrivals (10 at first).
const EVERY: usize = 5;
/// The least and the most that is aimed for.
const TARGET_MIN_US: i64 = 15_000;
const TARGET_MAX_US: i64 = 10 * FRAME_US;
/// An arrival later than this cannot be waited for; it does not count.
const HOPELESS_US: i64 = TARGET_MAX_US + 2 * FRAME_US;
/// So many hopeless arrivals in a row that agree this well are no late ones: the schedule has moved.
const STRAYS: usize = 5;
const STRAYS_AGREE_US: i64 = 60_000;
/// The target lies at least this far above the jitter.
const ABOVE_US: i64 = 5_000;
/// And is a multiple of this: a finer one would wander.
const STEP_US: i64 = 5_000;
/// Play later when the level is less than this above the jitter.
const LOW_US: i64 = 2_000;
/// Play sooner when the level is more than this above the target; more than any one cut takes away.
const HIGH_US: i64 = 12_000;
/// So far above the target a cut may be heard.
const URGENT_US: i64 = 60_000;
/// So far above the target it is worth while to hurry.
const HIGHER_US: i64 = 30_000;
/// Pulls to look at before playing later; before playing sooner; and the same when the level is higher, and urgent.
const LOOK_LOW: u32 = 5;
const LOOK_HIGH: u32 = 25;
const LOOK_HIGHER: u32 = 8;
const LOOK_URGENT: u32 = 3;
/// The least level is that of about a second, or drift would hide behind an old one.
const LOOK_ANEW: u32 = 50;

/// See the head of this file. All values in microseconds.
#[derive(Debug)]
pub(super) struct Delay {
    /// Arrival minus schedule of the last packets, in a ring.
    arrivals: Vec<i64>,
    place: usize,
    /// The last arrivals, while all of them are hopeless.
    strays: Vec<i64>,
    since_update: usize,
    /// The least of them: the fastest packets' schedule.
    base: i64,
    jitter: i64,
    target: i64,
    scratch: Vec<i64>,
    /// Level of the last pull, and the least since the last change.
    level: i64,
    low: i64,
    looked: u32,
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
            target: TARGET_MIN_US,
            scratch: Vec::with_capacity(WINDOW),
            level: 0,
            low: i64::MAX,
            looked: 0,
        }
    }

    pub(super) fn clear(&mut self) {
        self.arrivals.clear();
        self.strays.clear();
        (self.place, self.since_update, self.jitter, self.target) = (0, 0, 0, TARGET_MIN_US);
        self.settle();
    }

    /// Frame `number` came now.
    pub(super) fn observe(&mut self, now: Moment, number: i64) {
        let arrival = schedule(now, number);
        if self.has_moved(arrival) {
            let strays = std::mem::take(&mut self.strays);
            self.clear();
            self.base = strays.iter().copied().min().unwrap_or(arrival);
            self.arrivals.extend(&strays);
            self.strays = strays;
            self.strays.clear();
            self.update();
            return;
        }
        if self.arrivals.is_empty() || arrival < self.base {
            self.base = arrival;
        }
        if self.arrivals.len() < WINDOW {
            self.arrivals.push(arrival);
        } else {
            self.arrivals[self.place] = arrival;
            self.place = (self.place + 1) % WINDOW;
        }
        self.since_update += 1;
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
    pub(super) fn off(&self, now: Moment, number: i64) -> i64 {
        if self.arrivals.is_empty() { 0 } else { self.level(now, number).abs() }
    }

    /// The level of a frame that plays now.
    pub(super) fn level(&self, now: Moment, number: i64) -> i64 {
        schedule(now, number).saturating_sub(self.base)
    }

    /// Frame `number` plays now: should later ones play sooner or later than they would?
    pub(super) fn advise(&mut self, now: Moment, number: i64) -> Stretch {
        self.level = self.level(now, number);
        self.low = self.low.min(self.level);
        self.looked = self.looked.saturating_add(1);
        let above = self.low - self.target;
        if self.low < self.jitter + LOW_US && self.low < TARGET_MAX_US && self.looked >= LOOK_LOW {
            return Stretch::Lengthen;
        }
        let enough = match above {
            URGENT_US.. => LOOK_URGENT,
            HIGHER_US.. => LOOK_HIGHER,
            i64::MIN..HIGHER_US => LOOK_HIGH,
        };
        if above > HIGH_US && self.looked >= enough {
            return Stretch::Shorten;
        }
        if self.looked >= LOOK_ANEW {
            self.settle();
        }
        Stretch::Keep
    }

    pub(super) fn urgent(&self) -> bool {
        self.level - self.target > URGENT_US
    }

    /// The level was just changed: look anew before the next change.
    pub(super) fn settle(&mut self) {
        (self.low, self.looked) = (i64::MAX, 0);
    }

    pub(super) fn target_us(&self) -> i64 {
        self.target
    }

    pub(super) fn jitter_us(&self) -> i64 {
        self.jitter
    }

    pub(super) fn last_level(&self) -> i64 {
        self.level
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
        self.target = (steps * STEP_US).clamp(TARGET_MIN_US, TARGET_MAX_US);
    }
}

fn schedule(now: Moment, number: i64) -> i64 {
    i64::try_from(now.micros()).unwrap_or(i64::MAX).saturating_sub(number.saturating_mul(FRAME_US))
}
