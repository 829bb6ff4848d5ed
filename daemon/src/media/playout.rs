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

mod delay;
mod gaps;
mod order;
mod slots;
#[cfg(test)]
mod tests;

use std::time::Duration;

use ahoy_call::Moment;

use self::delay::Delay;
pub use self::gaps::Heard;
pub use self::order::Numbers;
use self::order::{PacketOrder, Place};
use self::slots::{Arrival, Slots};
use super::codec::PACKET_MAX;
use super::stretch::Stretch;

/// One frame, in microseconds and in samples.
const FRAME_US: i64 = 20_000;
const FRAME_SAMPLES: i64 = 960;

/// After this many frames without any packet the voice has faded out: silence, and the next packet begins anew.
const DRY: u32 = 10;
/// A hole of more frames than this is jumped over; concealing it would play a dead voice.
const HOLE: i64 = 10;
/// Frames that may wait above the target before the oldest are skipped.
const EXCESS: i64 = 10;
/// A packet this far off the others' schedule is not of their stream.
const OFF_SCHEDULE_US: i64 = 3_000_000;

/// What to play for the next 20 ms.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Decode this, then change its length.
    Decode {
        /// Opus.
        payload: &'a [u8],
        /// The wish; tell `changed` what came of it.
        stretch: Stretch,
    },
    /// The frame is missing, the one after it is here: decode the copy in it.
    Fec {
        /// Opus, to be decoded itself next time.
        following: &'a [u8],
    },
    /// The frame is missing.
    Conceal,
    /// Nothing to play. Not 20 ms: ask again as soon as wanted.
    Silence,
}

/// What the buffer went through, in frames since its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Taken in, each once.
    pub received: u64,
    /// Decoded and played.
    pub played: u64,
    /// Not there when they should have played; some of them came late.
    pub lost: u64,
    /// Of these, rebuilt from the packet after.
    pub recovered: u64,
    /// Played as concealment: lost, or waited for.
    pub concealed: u64,
    /// Came after their place was played.
    pub late: u64,
    /// Came again.
    pub duplicated: u64,
    /// Impossible size, order or schedule.
    pub rejected: u64,
    /// Came in time, but too many waited.
    pub skipped: u64,
    /// Pitch periods taken out or put in.
    pub stretched: u64,
    /// Frames that came as a copy with a later packet, and were missing.
    pub copied: u64,
    /// Packets that were asked for again, each time.
    pub asked: u64,
    /// Frames that were played from a copy or from a packet sent again.
    pub repaired: u64,
    /// How long after the fastest packets' schedule frames play now.
    pub delay: Duration,
    /// What is aimed for.
    pub target: Duration,
    /// How much later than the fastest nearly all recent packets came.
    pub jitter: Duration,
}

/// The buffer. See the head of this file.
#[derive(Debug)]
pub struct Playout {
    slots: Slots,
    order: PacketOrder,
    delay: Delay,
    /// The frame that plays next; none below it will.
    next: i64,
    /// Nothing plays until enough waits.
    waiting: bool,
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
            delay: Delay::new(),
            next: 0,
            waiting: true,
            owed: 0,
            dry: 0,
            statistics: Statistics::default(),
        }
    }

    /// A packet came. Any numbers are safe; those that fit no stream are counted and dropped, until three in a row agree
    /// with each other: then the sender began anew.
    pub fn push(&mut self, now: Moment, numbers: Numbers, payload: &[u8]) {
        if payload.is_empty() || payload.len() > PACKET_MAX {
            self.statistics.rejected += 1;
            return;
        }
        let (waiting, delay) = (self.waiting, &self.delay);
        let plausible = |number| waiting || delay.off(now, number) < OFF_SCHEDULE_US;
        let number = match self.order.place(numbers, plausible) {
            Place::At(number) => number,
            Place::AfterPause(number) => {
                // What the sender did meanwhile says nothing about the way here.
                match self.slots.newest(self.next) {
                    None => self.begin_anew(number),
                    Some(_) => self.delay.clear(),
                }
                number
            }
            Place::Nowhere => {
                self.statistics.rejected += 1;
                return;
            }
            Place::Anew(number) => {
                self.begin_anew(number);
                number
            }
        };
        if number < self.next {
            match self.slots.holds(number) {
                true => self.statistics.duplicated += 1,
                false => {
                    self.statistics.late += 1;
                    self.delay.observe(now, number);
                }
            }
            return;
        }
        if self.waiting && self.slots.newest(self.next).is_none() {
            // After so long a silence the old schedule is worth nothing: believing it would chop what comes for 10 s.
            self.delay.clear();
        }
        match self.slots.put(number, payload) {
            Arrival::Again => self.statistics.duplicated += 1,
            Arrival::New => {
                self.statistics.received += 1;
                self.delay.observe(now, number);
                self.next = self.next.max(number - slots::SPAN + 1);
            }
        }
    }

    /// The next frame of playback begins now. Called once for every 20 ms played (sooner after `Silence`).
    pub fn pull(&mut self, now: Moment) -> Frame<'_> {
        let Some(newest) = self.slots.newest(self.next) else { return self.nothing() };
        let oldest = self.slots.oldest(self.next);
        if self.waiting {
            if self.delay.level(now, oldest) < self.delay.target_us() {
                return Frame::Silence;
            }
            (self.waiting, self.next, self.owed) = (false, oldest, 0);
            self.delay.settle();
        }
        self.dry = 0;
        self.catch_up(oldest, newest);
        let number = self.next;
        self.next += 1;
        if self.slots.holds(number) {
            self.owed = 0;
            self.statistics.played += 1;
            let stretch = self.delay.advise(now, number);
            return Frame::Decode { payload: self.slots.payload(number), stretch };
        }
        self.statistics.lost += 1;
        if self.slots.holds(number + 1) {
            self.statistics.recovered += 1;
            return Frame::Fec { following: self.slots.payload(number + 1) };
        }
        self.statistics.concealed += 1;
        Frame::Conceal
    }

    /// How a wish to stretch came out: samples more (or less) than a frame were played.
    pub fn changed(&mut self, samples: isize) {
        if samples != 0 {
            self.statistics.stretched += 1;
            self.delay.settle();
        }
    }

    /// What waits is nobody's any more, and what comes begins anew. The counts go on.
    pub fn forget(&mut self) {
        self.order = PacketOrder::default();
        self.begin_anew(0);
    }

    /// Whether a cut that might be heard is better than the present delay.
    pub fn urgent(&self) -> bool {
        self.delay.urgent()
    }

    /// Playout delay the buffer now aims for. 15–200 ms, a multiple of 5 ms.
    /// Rises with the first late packets, falls as they leave the window of 10 s.
    pub fn target(&self) -> Duration {
        micros(self.delay.target_us())
    }

    /// What the buffer went through so far.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            delay: micros(self.delay.last_level()),
            target: self.target(),
            jitter: micros(self.delay.jitter_us()),
            ..self.statistics
        }
    }

    /// No packet is there. For a while its frame is played as concealment but waited for: it may only be late.
    fn nothing(&mut self) -> Frame<'_> {
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
        self.statistics.lost += pass.unsigned_abs();
        let room = self.delay.target_us() / FRAME_US + EXCESS;
        if newest - self.next > room {
            let skip_to = newest - self.delay.target_us() / FRAME_US;
            self.statistics.skipped += (skip_to - self.next).unsigned_abs();
            self.next = skip_to;
            self.delay.settle();
        }
    }

    fn begin_anew(&mut self, number: i64) {
        self.slots.clear();
        self.delay.clear();
        (self.next, self.waiting, self.owed, self.dry) = (number, true, 0, 0);
    }
}

impl Default for Playout {
    fn default() -> Self {
        Self::new()
    }
}

fn micros(us: i64) -> Duration {
    Duration::from_micros(us.max(0).unsigned_abs())
}
