//! Ten minutes of bad network in a moment: the same trace for the adaptive buffer and for a fixed one.
//!
//! Lives here: traces of packets, and what the buffer must make of them.
//! Must not: take real time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use super::*;

/// A small seeded generator (xorshift).
struct Chance(u64);

impl Chance {
    fn below<T: TryFrom<u64>>(&mut self, end: u64) -> T {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        T::try_from((self.0 >> 11) % end).ok().expect("the end fits")
    }
}

impl Playout {
    fn got(&mut self, at: Moment, sequence: u16, timestamp: u32, payload: &[u8]) {
        self.push(at, Numbers { path: 0, sequence, timestamp, first: false }, payload);
    }
}

/// What the network and the clocks do to a voice.
#[derive(Clone, Copy)]
struct Trace {
    minutes: u32,
    jitter_us: u64,
    loss_percent: u64,
    /// How much faster the sender's clock runs than ours, in millionths.
    ppm: i64,
    seed: u64,
}

impl Trace {
    /// When frame `n` is said, in µs of our clock.
    fn said(self, n: u64) -> u64 {
        (5_000_000 + n * 20_000).checked_add_signed(-(n.cast_signed() * self.ppm / 50)).unwrap()
    }
}

const BAD: Trace = Trace { minutes: 10, jitter_us: 80_000, loss_percent: 5, ppm: 0, seed: 7 };
const CLEAN: Trace = Trace { minutes: 10, jitter_us: 2_000, loss_percent: 0, ppm: 0, seed: 7 };

/// How one trace was heard.
#[derive(Debug, Default)]
struct Heard {
    frames: u64,
    /// Not decoded from their own packet.
    missing: u64,
    /// Mean time from saying to hearing, for each minute, in ms without the network's shortest way.
    delay_ms: Vec<f64>,
    worst_ms: f64,
}

impl Heard {
    fn missing_share(&self) -> f64 {
        self.missing as f64 / self.frames as f64
    }

    /// The demand on a buffer under the bad trace.
    fn survives(&self, trace: Trace) -> bool {
        let (first, last) = (self.delay_ms[0], self.delay_ms[self.delay_ms.len() - 1]);
        self.missing_share() <= trace.loss_percent as f64 / 100.0 + 0.03
            && self.worst_ms <= 220.0
            && (last - first).abs() <= 30.0
    }
}

/// The packets of a trace in order of arrival: when, which, when it was said. Times in µs of our clock.
fn arrivals(trace: Trace) -> BinaryHeap<Reverse<(u64, u64, u64)>> {
    let mut chance = Chance(trace.seed);
    let mut heap = BinaryHeap::new();
    for n in 0..u64::from(trace.minutes) * 3_000 {
        let said = trace.said(n);
        let (jitter, lost) =
            (chance.below::<u64>(trace.jitter_us), chance.below::<u64>(100) < trace.loss_percent);
        if !lost {
            heap.push(Reverse((said + 40_000 + jitter, n, said)));
        }
    }
    heap
}

/// Play a trace through the adaptive buffer, with a voice in which two of three wishes to stretch come true.
fn adaptive(trace: Trace) -> (Heard, Statistics) {
    let mut chance = Chance(99);
    let mut buffer = Playout::new();
    let mut heap = arrivals(trace);
    let end = 5_000_000 + u64::from(trace.minutes) * 60_000_000;
    let (mut now, mut log) = (5_000_000, Log::default());
    while now < end {
        while let Some(Reverse((at, n, _))) = heap.peek().copied() {
            if at > now {
                break;
            }
            heap.pop();
            let sequence = u16::try_from((n + 65_000) % 65_536).unwrap();
            let timestamp = u32::try_from((n * 960 + 4_294_000_000) % (1 << 32)).unwrap();
            buffer.got(Moment::from_micros(at), sequence, timestamp, &n.to_be_bytes());
        }
        let mut changed = 0;
        now += match buffer.pull(Moment::from_micros(now)) {
            Frame::Silence => 2_500,
            Frame::Decode { payload, stretch } => {
                let n = u64::from_be_bytes(payload.try_into().unwrap());
                log.played(trace, n, now);
                changed = match (chance.below::<u64>(3) < 2, stretch) {
                    (false, _) | (true, Stretch::Keep) => 0,
                    (true, Stretch::Shorten) => -300,
                    (true, Stretch::Lengthen) => 300,
                };
                20_000_u64.checked_add_signed(changed * 1_000 / 48).unwrap()
            }
            Frame::Fec { .. } | Frame::Conceal => {
                log.heard.frames += 1;
                log.heard.missing += 1;
                20_000
            }
        };
        buffer.changed(isize::try_from(changed).unwrap());
    }
    (log.finish(), buffer.statistics())
}

/// The same with a buffer that plays each frame a fixed time after the first packet's arrival, by our own clock.
fn fixed(trace: Trace, delay_ms: u64) -> Heard {
    let mut heap = arrivals(trace);
    let first = heap.peek().copied().unwrap().0.0;
    let (mut here, mut log) = (HashSet::new(), Log::default());
    for n in 0..u64::from(trace.minutes) * 3_000 {
        let now = first + delay_ms * 1_000 + n * 20_000;
        while let Some(Reverse((at, n, _))) = heap.peek().copied() {
            if at > now {
                break;
            }
            heap.pop();
            here.insert(n);
        }
        match here.remove(&n) {
            true => log.played(trace, n, now),
            false => {
                log.heard.frames += 1;
                log.heard.missing += 1;
            }
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

    fn finish(mut self) -> Heard {
        self.heard.delay_ms = self.sums.iter().map(|(sum, count)| sum / count.max(1.0)).collect();
        self.heard
    }
}

#[test]
fn ten_minutes_of_jitter_loss_and_drift_are_heard_with_bounded_delay() {
    for (ppm, seed) in [(0, 7), (0, 8), (-100, 7), (100, 9)] {
        let trace = Trace { ppm, seed, ..BAD };
        let (heard, statistics) = adaptive(trace);
        assert!(heard.survives(trace), "{ppm} ppm, seed {seed}: {heard:?}");
        assert!(heard.frames > 29_000 && statistics.played > 27_000, "it really ran: {statistics:?}");
        let mean = heard.delay_ms.iter().sum::<f64>() / 10.0;
        assert!((70.0..125.0).contains(&mean), "no more delay than 80 ms of jitter need: {mean}");
    }
}

#[test]
fn a_fixed_buffer_fails_the_same_trace() {
    for (delay_ms, ppm) in [(20, 0), (40, 0), (60, -100), (60, 100), (100, -100), (100, 100)] {
        let trace = Trace { ppm, ..BAD };
        assert!(
            !fixed(trace, delay_ms).survives(trace),
            "the demand must tell a fixed {delay_ms} ms from an adaptive buffer"
        );
    }
    // So the demand is not impossible: without drift a well-chosen fixed delay meets it.
    assert!(fixed(BAD, 100).survives(BAD));
}

#[test]
fn a_clean_path_is_played_with_at_most_two_frames_of_delay() {
    for ppm in [-100, 0, 100] {
        let (heard, statistics) = adaptive(Trace { ppm, ..CLEAN });
        assert_eq!(heard.missing, 0, "{statistics:?}");
        assert!(heard.worst_ms <= 32.0, "{ppm} ppm: {heard:?}");
        assert_eq!(statistics.target, Duration::from_millis(15));
    }
}

#[test]
fn the_target_rises_with_the_first_late_packets_and_falls_when_they_are_old() {
    let mut buffer = Playout::new();
    let mut push = |n: u32, late_ms: u64| {
        let at = Moment::from_micros(1_000_000 + u64::from(n) * 20_000 + late_ms * 1_000);
        buffer.got(at, u16::try_from(n).unwrap(), n * 960, &[1]);
        while !matches!(buffer.pull(at), Frame::Silence | Frame::Conceal) {}
        buffer.target()
    };
    assert_eq!((0..20).map(|n| push(n, 0)).max(), Some(Duration::from_millis(15)));
    assert_eq!(
        (20..24).map(|n| push(n, 90)).max(),
        Some(Duration::from_millis(95)),
        "four late ones are enough"
    );
    assert_eq!(push(100, 0), Duration::from_millis(95), "remembered");
    assert_eq!(
        (101..700).map(|n| push(n, 0)).last(),
        Some(Duration::from_millis(15)),
        "forgotten after 10 s"
    );
    assert_eq!(
        (700..760).map(|n| push(n, 900 * u64::from(n % 2))).max(),
        Some(Duration::from_millis(15)),
        "hopeless ones do not count"
    );
}

/// A buffer that already plays packet 10 of a clean stream; the time is that of the last pull.
fn playing() -> (Playout, u64) {
    let mut buffer = Playout::new();
    let mut now = 1_000_000;
    for n in 0..=10_u16 {
        now = 1_000_000 + u64::from(n) * 20_000;
        buffer.got(Moment::from_micros(now), n, u32::from(n) * 960, &[u8::try_from(n).unwrap()]);
        let _frame = buffer.pull(Moment::from_micros(now));
    }
    (buffer, now)
}

#[test]
fn doubled_late_and_reordered_packets_are_told_apart() {
    let (mut buffer, now) = playing();
    let before = buffer.statistics();
    let mut push = |n: u16| {
        buffer.got(Moment::from_micros(now + 5_000), n, u32::from(n) * 960, &[1]);
        buffer.statistics()
    };
    assert_eq!(push(10).duplicated, before.duplicated + 1, "waits already");
    assert_eq!(push(4).duplicated, before.duplicated + 2, "was played");
    assert_eq!(push(12).received, before.received + 1, "came before 11");
    let after = push(11);
    assert_eq!((after.received, after.late, after.rejected), (before.received + 2, 0, 0));
}

#[test]
fn a_missing_frame_is_taken_from_the_packet_after_it_and_counted_late_when_it_comes() {
    let (mut buffer, mut now) = playing();
    for n in [12_u16, 13, 14] {
        buffer.got(Moment::from_micros(now), n, u32::from(n) * 960, &[u8::try_from(n).unwrap()]);
    }
    let mut told = Vec::new();
    for _ in 0..5 {
        now += 20_000;
        told.push(match buffer.pull(Moment::from_micros(now)) {
            Frame::Decode { payload, .. } => i32::from(payload[0]),
            Frame::Fec { following } => -i32::from(following[0]),
            Frame::Conceal => 0,
            Frame::Silence => 99,
        });
    }
    assert_eq!(told, [10, -12, 12, 13, 14]);
    buffer.got(Moment::from_micros(now), 11, 11 * 960, &[11]);
    let s = buffer.statistics();
    assert_eq!((s.lost, s.recovered, s.concealed, s.late), (1, 1, 0, 1));
}

#[test]
fn a_stall_is_concealed_then_silent_then_played_on_without_growing_delay() {
    let (mut buffer, mut now) = playing();
    let mut kinds = Vec::new();
    for _ in 0..60 {
        now += 20_000;
        kinds.push(match buffer.pull(Moment::from_micros(now)) {
            Frame::Decode { .. } | Frame::Fec { .. } => 'd',
            Frame::Conceal => 'c',
            Frame::Silence => 's',
        });
    }
    assert_eq!(kinds.iter().collect::<String>(), format!("d{}{}", "c".repeat(10), "s".repeat(49)));
    // The whole second comes at once.
    for n in 11..70_u16 {
        buffer.got(Moment::from_micros(now), n, u32::from(n) * 960, &[1]);
    }
    for n in 70..170_u16 {
        now += 20_000;
        buffer.got(Moment::from_micros(now), n, u32::from(n) * 960, &[1]);
        let _frame = buffer.pull(Moment::from_micros(now));
    }
    let s = buffer.statistics();
    assert!(s.delay < Duration::from_millis(420), "{s:?}");
    assert!(s.skipped > 30 && s.played > 90, "{s:?}");
}

#[test]
fn a_sender_that_paused_goes_on_at_low_delay() {
    let (mut buffer, mut now) = playing();
    for _ in 0..30 {
        now += 20_000;
        let _frame = buffer.pull(Moment::from_micros(now));
    }
    now += 40_000_000;
    for n in 11..40_u16 {
        now += 20_000;
        buffer.got(Moment::from_micros(now), n, u32::from(n) * 960, &[1]);
        let _frame = buffer.pull(Moment::from_micros(now));
    }
    let s = buffer.statistics();
    assert!(s.played > 35 && s.delay <= Duration::from_millis(40), "{s:?}");
}

#[test]
fn hostile_jumps_change_nothing_and_a_restarted_sender_is_followed() {
    let (mut buffer, mut now) = playing();
    let mut chance = Chance(3);
    for n in 11..200_u16 {
        now += 20_000;
        let at = Moment::from_micros(now);
        buffer.got(at, n, u32::from(n) * 960, &[1]);
        let wild = chance.below::<u16>(65_536);
        buffer.got(at, wild, chance.below::<u32>(1 << 32), &[2]);
        buffer.got(at, n.wrapping_add(2_900), u32::from(n) * 960 + 2_900 * 960, &[3]);
        buffer.got(at, n, u32::from(n) * 960, &[9; PACKET_MAX + 1]);
        buffer.got(at, n, u32::from(n) * 960, &[]);
        assert!(matches!(buffer.pull(at), Frame::Decode { payload: [1] | [_], .. }), "the voice goes on");
    }
    let s = buffer.statistics();
    assert_eq!((s.lost, s.concealed, s.skipped), (0, 0, 0), "{s:?}");
    assert!(s.rejected >= 700 && s.delay <= Duration::from_millis(40), "{s:?}");

    for n in 0..50_u16 {
        now += 20_000;
        let at = Moment::from_micros(now);
        buffer.got(at, n.wrapping_add(40_000), 77 + u32::from(n) * 960, &[7]);
        let _frame = buffer.pull(at);
    }
    assert!(
        matches!(buffer.pull(Moment::from_micros(now + 20_000)), Frame::Decode { payload: [7], .. }),
        "followed"
    );
}

#[test]
fn ten_thousand_random_packets_never_break_it_or_stretch_time() {
    let mut chance = Chance(11);
    let mut buffer = Playout::new();
    let mut now = 1_000_000;
    for _ in 0..10_000 {
        now += chance.below::<u64>(30_000);
        let at = Moment::from_micros(now);
        let near = chance.below::<u64>(10) < 7;
        let sequence = chance.below::<u16>(if near { 300 } else { 65_536 });
        let timestamp = if near { u32::from(sequence) * 960 } else { chance.below::<u32>(1 << 32) };
        buffer.got(at, sequence, timestamp, &[1]);
        let _frame = buffer.pull(at);
        assert!((15..=200).contains(&buffer.target().as_millis()));
    }
}

/// Twenty seconds of a clean voice, then nothing for so long while the sender's numbers stand still, then ten seconds of it:
/// frames of these that were concealed or stretched, and how long after they came they play in the end.
fn after_a_standstill(pause_us: u64, late_us: u64, told: impl Fn(u32, u16) -> Numbers) -> (u64, Duration) {
    let mut buffer = Playout::new();
    let (mut next, mut before) = (1_000_000_u64, Statistics::default());
    let came = |n: u32| {
        let late = if n.is_multiple_of(10) && n < 990 { late_us } else { 0 };
        1_000_000 + u64::from(n) * 20_000 + late + if n < 1_000 { 0 } else { pause_us }
    };
    let mut n = 0_u32;
    while n < 1_500 {
        let at = came(n);
        while next <= at {
            let frame = buffer.pull(Moment::from_micros(next));
            next += match frame {
                Frame::Silence => 2_500,
                Frame::Decode { stretch: Stretch::Shorten, .. } => {
                    buffer.changed(-300);
                    20_000 - 6_250
                }
                Frame::Decode { stretch: Stretch::Lengthen, .. } => {
                    buffer.changed(300);
                    20_000 + 6_250
                }
                Frame::Decode { .. } | Frame::Fec { .. } | Frame::Conceal => 20_000,
            };
        }
        if n == 1_000 {
            before = buffer.statistics();
        }
        buffer.push(Moment::from_micros(at), told(n, u16::try_from(n).unwrap()), &[1]);
        n += 1;
    }
    let after = buffer.statistics();
    assert!(after.played > 1_480, "the voice goes on after {pause_us} us: {after:?}");
    (after.concealed - before.concealed + after.stretched - before.stretched, after.delay)
}

#[test]
fn a_voice_that_stood_still_for_a_while_is_played_whole_whatever_its_numbers_say() {
    for pause_us in (0..=1_000_000).step_by(10_000) {
        let silent = |n: u32, sequence| Numbers { sequence, timestamp: n * 960, ..Numbers::default() };
        let (broken, delay) = after_a_standstill(pause_us, 0, silent);
        assert!(broken < 20, "{pause_us} us, and the numbers stand still: {broken} frames");
        assert!(delay <= Duration::from_millis(60) || pause_us <= 240_000, "{pause_us} us: {delay:?}");
        // A sender that knows its trade passes the time in its timestamps, and marks the first packet.
        let frames = u32::try_from(pause_us / 20_000).unwrap();
        let marked = |n: u32, sequence| {
            let timestamp = (n + if n < 1_000 { 0 } else { frames }) * 960;
            Numbers { path: 0, sequence, timestamp, first: n == 1_000 }
        };
        let (broken, delay) = after_a_standstill(pause_us, 0, marked);
        assert!(broken < 12, "{pause_us} us, marked: {broken} frames");
        assert!(delay <= Duration::from_millis(60), "{pause_us} us, marked: {delay:?}");
        // And on a path of its own it begins with other numbers.
        let anew = |n: u32, sequence: u16| match n {
            0..1_000 => Numbers { path: 1, sequence, timestamp: n * 960, first: false },
            _ => {
                let (sequence, timestamp) = (sequence + 9_000, (n + frames) * 960);
                Numbers { path: 3, sequence, timestamp, first: n == 1_000 }
            }
        };
        let (broken, _) = after_a_standstill(pause_us, 0, anew);
        assert!(broken < 12, "{pause_us} us, on a new path: {broken} frames");
    }
}

#[test]
fn a_buffer_that_waits_for_late_packets_does_not_take_a_longer_way_for_late_packets() {
    let told = |n: u32, sequence| Numbers { sequence, timestamp: n * 960, ..Numbers::default() };
    for pause_us in (250_000..=400_000).step_by(10_000) {
        let (broken, _) = after_a_standstill(pause_us, 130_000, told);
        assert!(broken < 30, "{pause_us} us: {broken} frames");
    }
}

#[test]
fn a_way_that_becomes_longer_in_the_middle_of_a_voice_is_followed_within_a_second() {
    for step_us in [100_000_u64, 230_000, 300_000, 500_000, 900_000] {
        let mut buffer = Playout::new();
        let (mut next, mut before) = (1_000_000_u64, 0);
        for n in 0..2_000_u16 {
            let at = 1_000_000 + u64::from(n) * 20_000 + if n < 1_000 { 0 } else { step_us };
            while next <= at {
                let frame = buffer.pull(Moment::from_micros(next));
                next += if frame == Frame::Silence { 2_500 } else { 20_000 };
            }
            buffer.got(Moment::from_micros(at), n, u32::from(n) * 960, &[1]);
            if n == 1_050 {
                before = buffer.statistics().concealed;
            }
        }
        let after = buffer.statistics();
        assert!(after.concealed - before < 5, "{step_us} us: {after:?}");
    }
}

#[test]
fn what_is_forgotten_is_not_played_and_the_counts_go_on() {
    let (mut buffer, now) = playing();
    let before = buffer.statistics();
    buffer.got(Moment::from_micros(now), 11, 11 * 960, &[11]);
    buffer.forget();
    assert_eq!(buffer.pull(Moment::from_micros(now + 20_000)), Frame::Silence);
    for n in 0..5_u16 {
        buffer.got(
            Moment::from_micros(now + 90_000_000 + u64::from(n) * 20_000),
            5_000 + n,
            u32::from(n) * 960,
            &[3],
        );
    }
    let after = buffer.statistics();
    assert_eq!((after.received, after.rejected), (before.received + 6, before.rejected));
    let frame = buffer.pull(Moment::from_micros(now + 90_100_000));
    assert!(matches!(frame, Frame::Decode { payload: [3], .. }), "{frame:?}");
}
