//! Ten minutes of bad network in a moment: the same trace for the adaptive buffer and for a fixed one.
//!
//! Lives here: traces of packets, and how they are heard through either.
//! Must not: say what a buffer must make of them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use super::super::*;
use super::Chance;
use crate::media::stretch::Stretch;

/// What the network and the clocks do to a voice.
#[derive(Clone, Copy)]
pub(super) struct Trace {
    pub(super) minutes: u32,
    pub(super) jitter_us: u64,
    pub(super) loss_percent: u64,
    /// How much faster the sender's clock runs than ours, in millionths.
    pub(super) ppm: i64,
    pub(super) seed: u64,
}

impl Trace {
    /// When frame `n` is said, in µs of our clock.
    fn said(self, n: u64) -> u64 {
        (5_000_000 + n * 20_000).checked_add_signed(-(n.cast_signed() * self.ppm / 50)).unwrap()
    }
}

pub(super) const BAD: Trace = Trace { minutes: 10, jitter_us: 80_000, loss_percent: 5, ppm: 0, seed: 7 };
pub(super) const CLEAN: Trace = Trace { minutes: 10, jitter_us: 2_000, loss_percent: 0, ppm: 0, seed: 7 };

/// How one trace was heard.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) frames: u64,
    /// Not decoded from their own packet.
    pub(super) missing: u64,
    /// Mean time from saying to hearing, for each minute, in ms without the network's shortest way.
    pub(super) delay_ms: Vec<f64>,
    pub(super) worst_ms: f64,
}

impl Heard {
    fn missing_share(&self) -> f64 {
        self.missing as f64 / self.frames as f64
    }

    /// The demand on a buffer under the bad trace.
    pub(super) fn survives(&self, trace: Trace) -> bool {
        let (first, last) = (self.delay_ms[0], self.delay_ms[self.delay_ms.len() - 1]);
        self.missing_share() <= trace.loss_percent as f64 / 100.0 + 0.03
            && self.worst_ms <= 220.0
            && (last - first).abs() <= 30.0
    }
}

/// Packets in order of arrival: when, in µs of our clock, and which.
type Arrivals = BinaryHeap<Reverse<(u64, u64)>>;

fn arrivals(trace: Trace) -> Arrivals {
    let mut chance = Chance(trace.seed);
    let mut heap = BinaryHeap::new();
    for n in 0..u64::from(trace.minutes) * 3_000 {
        let said = trace.said(n);
        let (jitter, lost) =
            (chance.below::<u64>(trace.jitter_us), chance.below::<u64>(100) < trace.loss_percent);
        if !lost {
            heap.push(Reverse((said + 40_000 + jitter, n)));
        }
    }
    heap
}

/// The next one that has come by now.
fn came(heap: &mut Arrivals, now: u64) -> Option<(u64, u64)> {
    let Reverse(first) = heap.peek().copied().filter(|first| first.0.0 <= now)?;
    heap.pop();
    Some(first)
}

/// Play a trace through the adaptive buffer, with a voice in which two of three wishes to stretch come true.
pub(super) fn adaptive(trace: Trace) -> (Heard, Statistics) {
    let mut chance = Chance(99);
    let mut buffer = Playout::new();
    let mut heap = arrivals(trace);
    // It ends before the voice does.
    let end = 4_900_000 + u64::from(trace.minutes) * 60_000_000;
    let (mut now, mut log) = (5_000_000, Log::default());
    while now < end {
        while let Some((at, n)) = came(&mut heap, now) {
            let sequence = u16::try_from((n + 65_000) % 65_536).unwrap();
            let timestamp = u32::try_from((n * 960 + 4_294_000_000) % (1 << 32)).unwrap();
            buffer.numbered(at, sequence, timestamp, &n.to_be_bytes());
        }
        let mut changed = 0;
        now += match buffer.pull(Moment::from_micros(now)) {
            Frame::Silence => 2_500,
            Frame::Decode { payload, stretch, .. } => {
                let n = u64::from_be_bytes(payload.try_into().unwrap());
                log.played(trace, n, now);
                let pause = n % 150 < 30;
                if pause {
                    buffer.paused();
                }
                changed = match (pause, stretch, chance.below::<u64>(3) < 2) {
                    (_, Stretch::Keep, _) | (false, Stretch::Shorten { heard: false, .. }, _) => 0,
                    (true, Stretch::Shorten { most, .. }, _) => -i64::try_from(most.clamp(120, 720)).unwrap(),
                    (true, Stretch::Lengthen { most, .. }, _) => i64::try_from(most.clamp(120, 480)).unwrap(),
                    (false, _, false) => 0,
                    (false, Stretch::Shorten { .. }, true) => -300,
                    (false, Stretch::Lengthen { .. }, true) => 300,
                };
                20_000_u64.checked_add_signed(changed * 1_000 / 48).unwrap()
            }
            Frame::Fec { .. } | Frame::Conceal => {
                log.missed();
                20_000
            }
        };
        buffer.changed(isize::try_from(changed).unwrap());
    }
    (log.finish(), buffer.statistics())
}

/// The same with a buffer that plays each frame a fixed time after the first packet's arrival, by our own clock.
pub(super) fn fixed(trace: Trace, delay_ms: u64) -> Heard {
    let mut heap = arrivals(trace);
    let first = heap.peek().copied().unwrap().0.0;
    let (mut here, mut log) = (HashSet::new(), Log::default());
    for n in 0..u64::from(trace.minutes) * 3_000 {
        let now = first + delay_ms * 1_000 + n * 20_000;
        while let Some((_, n)) = came(&mut heap, now) {
            here.insert(n);
        }
        match here.remove(&n) {
            true => log.played(trace, n, now),
            false => log.missed(),
        }
    }
    log.finish()
}

#[derive(Default)]
struct Log {
    heard: Heard,
    sums: Vec<(f64, f64)>,
}

impl Log {
    fn played(&mut self, trace: Trace, n: u64, now: u64) {
        let delay = (now - trace.said(n)) as f64 / 1_000.0 - 40.0;
        let minute = usize::try_from(n / 3_000).unwrap();
        self.sums.resize(self.sums.len().max(minute + 1), (0.0, 0.0));
        self.sums[minute].0 += delay;
        self.sums[minute].1 += 1.0;
        self.heard.worst_ms = self.heard.worst_ms.max(delay);
        self.heard.frames += 1;
    }

    fn missed(&mut self) {
        self.heard.frames += 1;
        self.heard.missing += 1;
    }

    fn finish(mut self) -> Heard {
        self.heard.delay_ms = self.sums.iter().map(|(sum, count)| sum / count.max(1.0)).collect();
        self.heard
    }
}
