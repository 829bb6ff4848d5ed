//! One direction of a call in virtual time: a sender that answers, a line, and the buffer.
//!
//! Lives here: when packets come, what is asked for and answered, and that nothing is asked for in vain.
//! Must not: say what a buffer must make of it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::ops::Range;

use super::super::*;
use crate::media::stretch::Stretch;

const BEGINS_US: u64 = 5_000_000;

/// The line, and what is said on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) round_trip_us: u64,
    /// Frames in each packet, and copies of frames so far back.
    pub(super) frames: u64,
    pub(super) distances: &'static [u8],
    pub(super) asking: bool,
    pub(super) need_us: u64,
}

impl Way {
    /// Nothing is mended.
    pub(super) const PLAIN: Self =
        Self { round_trip_us: 40_000, frames: 1, distances: &[], asking: false, need_us: 0 };

    /// Packets of one frame, and whatever lets an answer come in time.
    pub(super) fn asking(round_trip_us: u64) -> Self {
        Self { round_trip_us, frames: 1, distances: &[], asking: true, need_us: 17_000 + round_trip_us }
    }

    /// Packets of one frame with these copies.
    pub(super) fn copying(distances: &'static [u8]) -> Self {
        let furthest = u64::from(distances.iter().copied().max().unwrap_or(0));
        Self {
            round_trip_us: 20_000,
            frames: 1,
            distances,
            asking: false,
            need_us: furthest * 20_000 + 10_000,
        }
    }
}

/// See the head of this file. Sequence numbers wrap soon after the beginning.
pub(super) struct Call {
    pub(super) buffer: Playout,
    /// When the next frame plays.
    next: u64,
    now: u64,
    /// The number of the first frame that is said.
    zero: i64,
    coming: BinaryHeap<Reverse<(u64, u64)>>,
    /// A packet that came is not let through twice (RFC 3711 §3.3.2).
    came: HashSet<u64>,
    /// What was asked for, and when.
    pub(super) asked: Vec<(u64, u64)>,
    /// Delay of each frame that played, in µs after the fastest way.
    pub(super) delays: Vec<(u64, i64)>,
    /// Frames of speech, and of pauses, that were made shorter or longer.
    pub(super) changed: (u32, u32),
}

impl Call {
    pub(super) fn new() -> Self {
        let (coming, came, asked, delays, changed) = Default::default();
        let (buffer, next, now, zero) = (Playout::new(), 0, BEGINS_US, 0);
        Self { buffer, next, now, zero, coming, came, asked, delays, changed }
    }

    pub(super) fn heard(&self) -> Heard {
        self.buffer.heard(Moment::from_micros(self.now))
    }

    /// Mean delay of these frames, in ms.
    pub(super) fn delay_ms(&self, frames: Range<u64>) -> f64 {
        let delays =
            self.delays.iter().filter(|(n, _)| frames.contains(n)).map(|(_, us)| *us as f64 / 1_000.0);
        let (sum, count) = delays.fold((0.0, 0.0), |(sum, count), ms| (sum + ms, count + 1.0));
        sum / count
    }

    /// Say these packets; one that is `late` by nothing is lost, and `answered` says whether the answer to an asking comes.
    pub(super) fn carry(
        &mut self,
        line: Way,
        packets: Range<u64>,
        late: impl Fn(u64) -> Option<u64>,
        mut answered: impl FnMut(u64) -> bool,
    ) {
        let sent = |n: u64| BEGINS_US + (n + 1) * line.frames * 20_000;
        let end = sent(packets.end) + line.round_trip_us / 2 - 1_000;
        for n in packets {
            if let Some(late) = late(n) {
                self.coming.push(Reverse((sent(n) + line.round_trip_us / 2 + late, n)));
            }
        }
        self.buffer.asking(line.asking);
        self.buffer.need(Duration::from_micros(line.need_us));
        while self.now < end {
            self.now += 1_000;
            while let Some(Reverse((at, n))) =
                self.coming.peek().copied().filter(|Reverse((at, _))| *at <= self.now)
            {
                self.coming.pop();
                if self.came.insert(n) {
                    self.arrive(line, at, n);
                    self.ask(line, at, sent, &mut answered);
                }
            }
            while self.next <= self.now {
                self.pull(line);
            }
            if self.now.is_multiple_of(5_000) {
                self.ask(line, self.now, sent, &mut answered);
            }
        }
    }

    fn arrive(&mut self, line: Way, at: u64, n: u64) {
        let head = n * line.frames;
        let numbers = Numbers {
            sequence: sequence(n),
            timestamp: u32::try_from((head * 960 + 4_294_900_000) % (1 << 32)).unwrap(),
            frames: usize::try_from(line.frames).unwrap(),
            ..Numbers::default()
        };
        let Some(number) = self.buffer.push(Moment::from_micros(at), numbers, &[1]) else { return };
        self.zero = number - i64::try_from(head).unwrap();
        for distance in line.distances.iter().rev().filter(|distance| u64::from(**distance) <= head) {
            self.buffer.copy(number, *distance, 1, &[2]);
        }
    }

    fn ask(&mut self, line: Way, at: u64, sent: impl Fn(u64) -> u64, answered: &mut impl FnMut(u64) -> bool) {
        let round_trip = Duration::from_micros(line.round_trip_us);
        for (path, asked) in self.buffer.ask(Moment::from_micros(at), round_trip) {
            let about = at.saturating_sub(BEGINS_US) / (20_000 * line.frames);
            let n = (about.saturating_sub(500)..about + 20).find(|n| sequence(*n) == asked).unwrap();
            assert_eq!(path, 0);
            let last = self.zero + i64::try_from((n + 1) * line.frames).unwrap() - 1;
            assert!(last >= self.buffer.next, "packet {n} was played");
            assert!(!self.buffer.slots.holds(last), "packet {n} is here");
            self.asked.push((at, n));
            if sent(n) <= at + line.round_trip_us / 2 && answered(n) {
                self.coming.push(Reverse((at + line.round_trip_us, n)));
            }
        }
    }

    fn pull(&mut self, line: Way) {
        let now = self.next;
        let mut changed = 0;
        match self.buffer.pull(Moment::from_micros(now)) {
            Frame::Silence => {
                self.next = now.max(self.now) + 2_500;
                return;
            }
            Frame::Decode { head, part, stretch, .. } => {
                let n = u64::try_from(head - self.zero).unwrap() + u64::try_from(part).unwrap();
                let said = BEGINS_US + (n + 1) * 20_000 + line.round_trip_us / 2;
                self.delays.push((n, now.cast_signed() - said.cast_signed()));
                let pause = n % 150 < 30;
                if pause {
                    self.buffer.paused();
                }
                changed = match (pause, stretch) {
                    (_, Stretch::Keep) | (false, Stretch::Shorten { heard: false, .. }) => 0,
                    (true, Stretch::Shorten { most, .. }) => -i64::try_from(most.clamp(120, 720)).unwrap(),
                    (true, Stretch::Lengthen { most, .. }) => i64::try_from(most.clamp(120, 480)).unwrap(),
                    (false, Stretch::Shorten { .. }) => -288,
                    (false, Stretch::Lengthen { .. }) => 288,
                };
                let count = if pause { &mut self.changed.1 } else { &mut self.changed.0 };
                *count += u32::from(changed != 0);
            }
            Frame::Fec { .. } => self.buffer.guessed(),
            Frame::Conceal => {}
        }
        self.buffer.changed(isize::try_from(changed).unwrap());
        self.next = now.saturating_add_signed(20_000 + changed * 1_000 / 48);
    }
}

fn sequence(n: u64) -> u16 {
    u16::try_from((n + 65_400) % 65_536).unwrap()
}

/// One of `of` is chosen by chance, the same each time.
pub(super) fn chosen(n: u64, seed: u64, of: u64) -> bool {
    chance(n, seed, of) == 0
}

/// A number below `end`, by chance, the same each time.
pub(super) fn chance(n: u64, seed: u64, end: u64) -> u64 {
    let mut mixed = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seed.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^= mixed >> 29;
    mixed = mixed.wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 32;
    mixed % end
}
