//! What the buffer makes of packets, as they come, fail to come and come late.
//!
//! Lives here: the tests; whole networks are in `tests/traces.rs`, a line with a sender that answers is in `tests/call.rs`.
//! Must not: take real time.

mod asking;
mod call;
mod close;
mod copies;
mod hostile;
mod traces;

use traces::{BAD, CLEAN, Trace, adaptive, fixed};

use super::*;
use crate::media::stretch::Stretch;

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

/// Times are µs.
impl Playout {
    fn numbered(&mut self, at: u64, sequence: u16, timestamp: u32, payload: &[u8]) {
        let numbers = Numbers { sequence, timestamp, ..Numbers::default() };
        self.push(Moment::from_micros(at), numbers, payload);
    }

    /// A frame of a voice whose numbers begin at nothing.
    fn got(&mut self, at: u64, n: u16, payload: &[u8]) {
        self.numbered(at, n, u32::from(n) * 960, payload);
    }

    fn next(&mut self, at: u64) -> Frame<'_> {
        self.pull(Moment::from_micros(at))
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
        assert_eq!(statistics.target, Duration::from_millis(10));
    }
}

#[test]
fn the_target_rises_with_the_first_late_packets_and_falls_when_they_are_old() {
    let mut buffer = Playout::new();
    let mut push = |n: u16, late_ms: u64| {
        let at = 1_000_000 + u64::from(n) * 20_000 + late_ms * 1_000;
        buffer.got(at, n, &[1]);
        while !matches!(buffer.next(at), Frame::Silence | Frame::Conceal) {}
        buffer.target()
    };
    assert_eq!((0..20).map(|n| push(n, 0)).max(), Some(Duration::from_millis(10)));
    assert_eq!(
        (20..24).map(|n| push(n, 90)).max(),
        Some(Duration::from_millis(95)),
        "four late ones are enough"
    );
    assert_eq!(push(100, 0), Duration::from_millis(95), "remembered");
    assert_eq!(
        (101..700).map(|n| push(n, 0)).last(),
        Some(Duration::from_millis(10)),
        "forgotten after 10 s"
    );
    assert_eq!(
        (700..760).map(|n| push(n, 900 * u64::from(n % 2))).max(),
        Some(Duration::from_millis(10)),
        "hopeless ones do not count"
    );
}

/// A buffer that already plays packet 10 of a clean stream; the time is that of the last pull.
fn playing() -> (Playout, u64) {
    let mut buffer = Playout::new();
    let mut now = 1_000_000;
    for n in 0..=10_u16 {
        now = 1_000_000 + u64::from(n) * 20_000;
        buffer.got(now, n, &[u8::try_from(n).unwrap()]);
        let _frame = buffer.next(now);
    }
    (buffer, now)
}

#[test]
fn doubled_late_and_reordered_packets_are_told_apart() {
    let (mut buffer, now) = playing();
    let before = buffer.statistics();
    let mut push = |n: u16| {
        buffer.got(now + 5_000, n, &[1]);
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
        buffer.got(now, n, &[u8::try_from(n).unwrap()]);
    }
    let mut told = Vec::new();
    for _ in 0..5 {
        now += 20_000;
        told.push(match buffer.next(now) {
            Frame::Decode { payload, .. } => i32::from(payload[0]),
            Frame::Fec { following, .. } => -i32::from(following[0]),
            Frame::Conceal => 0,
            Frame::Silence => 99,
        });
    }
    assert_eq!(told, [10, -12, 12, 13, 14]);
    buffer.got(now, 11, &[11]);
    let s = buffer.statistics();
    assert_eq!((s.lost, s.recovered, s.concealed, s.late), (1, 1, 0, 1));
}

#[test]
fn a_stall_is_concealed_then_silent_then_played_on_without_growing_delay() {
    let (mut buffer, mut now) = playing();
    let mut kinds = Vec::new();
    for _ in 0..60 {
        now += 20_000;
        kinds.push(match buffer.next(now) {
            Frame::Decode { .. } | Frame::Fec { .. } => 'd',
            Frame::Conceal => 'c',
            Frame::Silence => 's',
        });
    }
    assert_eq!(kinds.iter().collect::<String>(), format!("d{}{}", "c".repeat(10), "s".repeat(49)));
    // The whole second comes at once.
    for n in 11..70_u16 {
        buffer.got(now, n, &[1]);
    }
    for n in 70..170_u16 {
        now += 20_000;
        buffer.got(now, n, &[1]);
        let _frame = buffer.next(now);
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
        let _frame = buffer.next(now);
    }
    now += 40_000_000;
    for n in 11..40_u16 {
        now += 20_000;
        buffer.got(now, n, &[1]);
        let _frame = buffer.next(now);
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
        buffer.got(now, n, &[1]);
        let wild = chance.below::<u16>(65_536);
        buffer.numbered(now, wild, chance.below::<u32>(1 << 32), &[2]);
        buffer.numbered(now, n.wrapping_add(2_900), u32::from(n) * 960 + 2_900 * 960, &[3]);
        buffer.got(now, n, &[9; PACKET_MAX + 1]);
        buffer.got(now, n, &[]);
        assert!(matches!(buffer.next(now), Frame::Decode { payload: [1] | [_], .. }), "the voice goes on");
    }
    let s = buffer.statistics();
    assert_eq!((s.lost, s.concealed, s.skipped), (0, 0, 0), "{s:?}");
    assert!(s.rejected >= 700 && s.delay <= Duration::from_millis(40), "{s:?}");

    for n in 0..50_u16 {
        now += 20_000;
        buffer.numbered(now, n.wrapping_add(40_000), 77 + u32::from(n) * 960, &[7]);
        let _frame = buffer.next(now);
    }
    assert!(matches!(buffer.next(now + 20_000), Frame::Decode { payload: [7], .. }), "followed");
}

#[test]
fn ten_thousand_random_packets_never_break_it_or_stretch_time() {
    let mut chance = Chance(11);
    let mut buffer = Playout::new();
    let mut now = 1_000_000;
    for _ in 0..10_000 {
        now += chance.below::<u64>(30_000);
        let near = chance.below::<u64>(10) < 7;
        let sequence = chance.below::<u16>(if near { 300 } else { 65_536 });
        let timestamp = if near { u32::from(sequence) * 960 } else { chance.below::<u32>(1 << 32) };
        buffer.numbered(now, sequence, timestamp, &[1]);
        let _frame = buffer.next(now);
        assert!((10..=200).contains(&buffer.target().as_millis()));
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
            let frame = buffer.next(next);
            next += match frame {
                Frame::Silence => 2_500,
                Frame::Decode { stretch: Stretch::Shorten { heard: true, .. }, .. } => {
                    buffer.changed(-300);
                    20_000 - 6_250
                }
                Frame::Decode { stretch: Stretch::Lengthen { .. }, .. } => {
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
            Numbers { sequence, timestamp, first: n == 1_000, ..Numbers::default() }
        };
        let (broken, delay) = after_a_standstill(pause_us, 0, marked);
        assert!(broken < 12, "{pause_us} us, marked: {broken} frames");
        assert!(delay <= Duration::from_millis(60), "{pause_us} us, marked: {delay:?}");
        // And on a path of its own it begins with other numbers.
        let anew = |n: u32, sequence: u16| match n {
            0..1_000 => Numbers { path: 1, sequence, timestamp: n * 960, ..Numbers::default() },
            _ => {
                let (sequence, timestamp) = (sequence + 9_000, (n + frames) * 960);
                Numbers { path: 3, sequence, timestamp, first: n == 1_000, frames: 1 }
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
                let frame = buffer.next(next);
                next += if frame == Frame::Silence { 2_500 } else { 20_000 };
            }
            buffer.got(at, n, &[1]);
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
    buffer.got(now, 11, &[11]);
    buffer.forget();
    assert_eq!(buffer.next(now + 20_000), Frame::Silence);
    for n in 0..5_u16 {
        buffer.numbered(now + 90_000_000 + u64::from(n) * 20_000, 5_000 + n, u32::from(n) * 960, &[3]);
    }
    let after = buffer.statistics();
    assert_eq!((after.received, after.rejected), (before.received + 6, before.rejected));
    let frame = buffer.next(now + 90_100_000);
    assert!(matches!(frame, Frame::Decode { payload: [3], .. }), "{frame:?}");
}
