//! The adaptive playout buffer of one leg: packets come when they like, frames leave every 20 ms.
//!
//! Lives here: which frame plays now, what stands in for one that is missing, and when to play sooner or later.
//! Must not: decode, stretch samples, read a clock, or know paths. Time is an argument, so a test runs ten minutes in one.
//!
//! The delay is reckoned in the sender's time: a frame's *level* is how long after the fastest packets' schedule it plays.
//! A packet that needed `j` longer than the fastest is there in time if the level is above `j`. So the level is kept above
//! nearly all recent `j` and not far above; by one pitch period at a time, which also eats the drift between two clocks.
//!
//! Ours, because the buffers of libraries (WebRTC's NetEQ) decode, conceal and read a clock by themselves.

mod asking;
mod delay;
mod floor;
mod frame;
mod gaps;
mod heard;
mod level;
mod order;
mod rest;
mod slots;
mod statistics;
#[cfg(test)]
mod tests;

use std::time::Duration;

use ahoy_call::Moment;

use self::asking::{Asking, Plan};
use self::delay::{Delay, schedule};
pub use self::frame::Frame;
use self::gaps::Gaps;
pub use self::heard::Heard;
use self::heard::Queue;
use self::level::{Aim, Level};
pub use self::order::Numbers;
use self::order::{PacketOrder, Place};
use self::rest::Rest;
pub(super) use self::slots::SPAN;
use self::slots::{Arrival, Held, Slots, Source};
pub use self::statistics::Statistics;
use super::codec::{FRAMES_MAX, PACKET_MAX};

/// One frame, in microseconds and in samples.
const FRAME_US: i64 = 20_000;
const FRAME_SAMPLES: i64 = 960;

/// After this many frames without any packet the voice has faded out: silence, and the next packet begins anew.
const DRY: u32 = 10;
/// A hole of more frames than this is jumped over; concealing it would play a dead voice.
const HOLE: i64 = 10;
/// Frames that may wait above the target before the oldest are skipped.
const EXCESS: i64 = 10;
/// Playing begins so much before the target: a device asks for pieces, and a whole one later would be too late.
const EARLY_US: i64 = 1_000;
/// A packet this far off the others' schedule is not of their stream.
const OFF_SCHEDULE_US: i64 = 3_000_000;

/// The buffer. See the head of this file.
#[derive(Debug)]
pub struct Playout {
    slots: Slots,
    order: PacketOrder,
    gaps: Gaps,
    queue: Queue,
    asking: Asking,
    delay: Delay,
    level: Level,
    /// The frame that plays next; none below it will.
    next: i64,
    /// The first that came by itself; no copy of an older one is of this stream.
    begun: i64,
    /// Nothing plays until enough waits.
    waiting: bool,
    rest: Rest,
    /// Frames played as concealment while nothing was there, without giving up `next`.
    owed: u32,
    /// Pulls in a row that found nothing.
    dry: u32,
    statistics: Statistics,
}

impl Playout {
    /// Nothing heard yet.
    pub fn new() -> Self {
        Self {
            slots: Slots::new(),
            order: PacketOrder::default(),
            gaps: Gaps::new(),
            queue: Queue::new(),
            asking: Asking::default(),
            delay: Delay::new(),
            level: Level::new(),
            next: 0,
            begun: 0,
            waiting: true,
            rest: Rest::default(),
            owed: 0,
            dry: 0,
            statistics: Statistics::default(),
        }
    }

    /// A packet came. Any numbers are safe; those that fit no stream are counted and dropped, until three in a row agree
    /// with each other: then the sender began anew. Returns the number of its first frame, if it has a place.
    pub fn push(&mut self, now: Moment, numbers: Numbers, payload: &[u8]) -> Option<i64> {
        let (now, frames) = (at(now), numbers.frames);
        if payload.is_empty() || payload.len() > PACKET_MAX || !(1..=FRAMES_MAX).contains(&frames) {
            self.statistics.rejected += 1;
            return None;
        }
        let (waiting, delay) = (self.waiting, &self.delay);
        let plausible = |number| waiting || delay.off(now, number) < OFF_SCHEDULE_US;
        let mut left_out = 0;
        let number = match self.order.place(numbers, plausible) {
            Place::At(number) => {
                if numbers.first {
                    self.rest.overtaken(number);
                }
                number
            }
            Place::AfterPause(number) => {
                match self.slots.newest(self.next) {
                    // It said nothing, and its clock went on.
                    newest if self.rest.keeps_time(self.delay.off(now, number)) => {
                        left_out = number - newest.map_or(self.next, |newest| newest + 1);
                        self.rest.resumes(number);
                    }
                    // What the sender did meanwhile says nothing about the way here.
                    None => self.begin_anew(number),
                    Some(_) => self.unlearn(),
                }
                number
            }
            Place::Nowhere => {
                self.statistics.rejected += 1;
                return None;
            }
            Place::Anew(number) => {
                self.begin_anew(number);
                self.gaps.forget();
                number
            }
        };
        if self.waiting && self.slots.newest(self.next).is_none() {
            if !self.rest.keeps_time(self.delay.off(now, number)) {
                // After so long a silence the old schedule is worth nothing: believing it would chop what comes for 10 s.
                self.unlearn();
            }
            self.begun = number;
        }
        let last = number + numbers.span() - 1;
        let in_time = self.delay.level(now, last) <= self.delay.jitter_us() + asking::OVERDUE_US;
        if self.gaps.path().is_some_and(|path| path != numbers.path) {
            // Another way is longer or shorter, and no queue for it.
            self.queue.clear();
        }
        let came = self.gaps.came(now, numbers, number, in_time);
        let source = if came.is_some() { Source::Own } else { Source::Mended };
        if last < self.next && !self.slots.holds(last) {
            self.statistics.late += 1;
        } else {
            match self.slots.put(number, frames, self.next, source, payload) {
                Arrival::Again => self.statistics.duplicated += 1,
                Arrival::Since => self.statistics.received += u64::try_from(frames).unwrap_or(0),
                Arrival::New(missing) => {
                    self.statistics.received += u64::from(missing);
                    self.next = self.next.max(last - SPAN + 1);
                }
            }
        }
        if let Some(came) = came {
            self.delay.observe(came, number, numbers.span(), left_out);
            self.queue.came(came, schedule(came, last));
        }
        Some(number)
    }

    /// With the packet whose first frame has this number came frames of so many before it.
    pub fn copy(&mut self, number: i64, distance: u8, frames: usize, payload: &[u8]) {
        let head = number - i64::from(distance);
        let fits = (1..=FRAMES_MAX).contains(&frames) && frames <= usize::from(distance);
        if !fits || payload.is_empty() || payload.len() > PACKET_MAX {
            self.statistics.rejected += 1;
            return;
        }
        let last = number - i64::from(distance) + i64::try_from(frames).unwrap_or(0) - 1;
        if head < self.begun || last < self.next {
            return;
        }
        if let Arrival::New(missing) = self.slots.put(head, frames, self.next, Source::Mended, payload) {
            self.statistics.copied += u64::from(missing);
        }
    }

    /// The next frame of playback begins now. Called once for every 20 ms played (sooner after `Silence`).
    pub fn pull(&mut self, now: Moment) -> Frame<'_> {
        self.delay.tick(now);
        let Some(newest) = self.slots.newest(self.next) else { return self.nothing() };
        let (now, oldest) = (at(now), self.slots.oldest(self.next));
        self.waiting |= self.rest.is_before(oldest);
        if self.waiting {
            let target = self.delay.target_us();
            if self.delay.level(now, oldest) < target - EARLY_US {
                return Frame::Silence;
            }
            if self.rest.is_on() && !self.rest.is_before(oldest) {
                self.statistics.lost += (oldest - self.next).unsigned_abs();
            }
            (self.waiting, self.next, self.owed) = (false, oldest, 0);
            self.level.clear();
        }
        self.rest.end();
        self.dry = 0;
        self.catch_up(oldest, newest);
        let number = self.next;
        self.next += 1;
        if self.slots.holds(number) {
            // What stood in for nothing that was missing made everything later.
            self.level.shift(i64::from(std::mem::take(&mut self.owed)) * FRAME_US);
            self.statistics.played += 1;
            let aim =
                Aim { base: self.delay.base(), low: self.delay.low_us(), target: self.delay.target_us() };
            let stretch = self.level.advise(schedule(now, number), aim);
            if let Some(Held { head, part, frames, source, payload }) = self.slots.get(number) {
                self.statistics.repaired += u64::from(source == Source::Mended);
                return Frame::Decode { payload, head, frames, part, stretch };
            }
        }
        self.statistics.lost += 1;
        let following = (1..=3).find_map(|missing| Some((missing, self.slots.get(number + missing)?)));
        if let Some((missing, Held { head, part: 0, frames, payload, .. })) = following
            && let Ok(missing) = usize::try_from(missing)
            && missing <= frames
        {
            self.statistics.recovered += 1;
            return Frame::Fec { following: payload, head, missing };
        }
        self.statistics.concealed += 1;
        Frame::Conceal
    }

    /// There was no copy in the packet that `Fec` named.
    pub fn guessed(&mut self) {
        self.statistics.recovered -= 1;
        self.statistics.concealed += 1;
    }

    /// The device asks for so many samples at once.
    pub fn asked(&mut self, samples: usize) {
        self.level.asked(i64::try_from(samples).unwrap_or(0) * FRAME_US / FRAME_SAMPLES);
    }

    /// How a wish to stretch came out: samples more (or less) than a frame were played.
    pub fn changed(&mut self, samples: isize) {
        if samples != 0 {
            self.statistics.stretched += 1;
            self.level.changed(i64::try_from(samples).unwrap_or(0) * FRAME_US / FRAME_SAMPLES);
        }
    }

    /// The frame that plays is a pause of the voice.
    pub fn paused(&mut self) {
        self.level.paused();
    }

    /// Nothing is said in the frame that plays, nor was for a while: if none follows it, none is missing.
    pub fn rests(&mut self) {
        self.rest.begin();
    }

    /// What waits is nobody's any more, and what comes begins anew. The counts go on.
    pub fn forget(&mut self) {
        self.order = PacketOrder::default();
        self.gaps.forget();
        self.begin_anew(0);
    }

    /// Whether a cut that might be heard is better than the present delay.
    pub fn urgent(&self) -> bool {
        self.level.urgent()
    }

    /// Whether packets are asked for again. Not at first.
    pub fn asking(&mut self, on: bool) {
        self.asking.switch(on);
    }

    /// What is to be asked for again now, as paths and sequence numbers on them, if an answer comes after this time.
    pub fn ask(&mut self, now: Moment, round_trip: Duration) -> Vec<(u16, u16)> {
        let base = self.delay.base();
        let (playing, target) = (!self.waiting, self.delay.target_us());
        let plan = Plan {
            base,
            level: self.level.least(base).filter(|_| playing).unwrap_or(target),
            jitter: self.delay.jitter_us(),
            next: self.next,
            playing,
        };
        let here = |number| self.slots.holds(number);
        let round_trip = i64::try_from(round_trip.as_micros()).unwrap_or(i64::MAX / 1_000);
        self.queue.trip(at(now), round_trip);
        let due = self.asking.due(at(now), round_trip, &mut self.gaps, plan, here);
        self.statistics.asked += u64::try_from(due.len()).unwrap_or(0);
        due
    }

    /// Mending needs so long, what comes late by itself reckoned in. Rises at once, is held for 5 s, and falls.
    pub fn need(&mut self, floor: Duration) {
        self.delay.need(i64::try_from(floor.as_micros()).unwrap_or(i64::MAX));
    }

    /// How packets came by themselves lately.
    pub fn heard(&self, now: Moment) -> Heard {
        let frames = u32::try_from(self.statistics.received).unwrap_or(u32::MAX);
        let (now, queue) = (at(now), &self.queue);
        Heard { queue: queue.filled(now), sooner: queue.sooner(now), frames, ..heard::heard(&self.gaps, now) }
    }

    /// Playout delay the buffer now aims for: a multiple of 5 ms from 10 to 200, beside what mending needs and what waits in
    /// packets of several frames. Rises with the first late packets, falls as they leave the window of 10 s.
    pub fn target(&self) -> Duration {
        micros(self.delay.target_us())
    }

    /// What the buffer went through so far.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            delay: micros(self.level.last(self.delay.base()).unwrap_or(0)),
            target: self.target(),
            jitter: micros(self.delay.jitter_us()),
            ..self.statistics
        }
    }

    /// No packet is there. For a while its frame is played as concealment but waited for: it may only be late.
    fn nothing(&mut self) -> Frame<'_> {
        self.waiting |= self.rest.is_on();
        if self.waiting {
            return Frame::Silence;
        }
        self.dry += 1;
        if self.dry > DRY {
            self.waiting = true;
            return Frame::Silence;
        }
        self.owed += 1;
        self.statistics.concealed += 1;
        Frame::Conceal
    }

    /// Leave out what would only add delay: frames that concealment already stood in for, holes, and too long a queue.
    fn catch_up(&mut self, oldest: i64, newest: i64) {
        let missing = oldest - self.next;
        let concealed = missing.min(i64::from(self.owed));
        let pass = if missing - concealed > HOLE { missing } else { concealed };
        self.next += pass;
        self.owed -= u32::try_from(concealed).expect("at most what is owed");
        self.level.shift((concealed - pass) * FRAME_US);
        self.statistics.lost += pass.unsigned_abs();
        let room = self.delay.target_us() / FRAME_US + EXCESS;
        if newest - self.next > room {
            let skip_to = newest - self.delay.target_us() / FRAME_US;
            self.statistics.skipped += (skip_to - self.next).unsigned_abs();
            self.next = skip_to;
            self.level.clear();
        }
    }

    fn begin_anew(&mut self, number: i64) {
        self.slots.clear();
        self.unlearn();
        (self.next, self.waiting, self.owed, self.dry) = (number, true, 0, 0);
        self.rest.end();
    }

    /// When packets came so far says nothing about those that will come.
    fn unlearn(&mut self) {
        self.delay.clear();
        self.queue.clear();
        self.level.clear();
    }
}

impl Default for Playout {
    fn default() -> Self {
        Self::new()
    }
}

/// A moment in µs, to reckon with.
fn at(now: Moment) -> i64 {
    i64::try_from(now.micros()).unwrap_or(i64::MAX)
}

fn micros(us: i64) -> Duration {
    Duration::from_micros(us.max(0).unsigned_abs())
}
