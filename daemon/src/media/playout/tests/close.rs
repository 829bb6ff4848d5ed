//! How soon frames play, and what that costs the ear.
//!
//! Lives here: clean lines, lines that stall, and a machine that was busy, beside what the buffer before this one made of them.
//! Must not: take real time.

use std::time::Duration;

use ahoy_call::Moment;

use super::super::*;
use super::call::{Call, Way, chance};

/// How much later than the fastest each of 3,000 packets came, in half milliseconds above `0`: recorded over the loopback of a
/// machine whose two cores were busy four times over (nearly all within 4 ms, the latest 30).
const BUSY: &str = include_str!("busy.txt");

fn busy() -> Vec<u64> {
    BUSY.bytes().filter(u8::is_ascii_graphic).map(|half| u64::from(half - b'0') * 500).collect()
}

fn carried(count: u64, late: impl Fn(u64) -> u64) -> Call {
    let mut call = Call::new();
    call.carry(Way::PLAIN, 0..count, |n| Some(late(n)), |_| true);
    call
}

#[test]
fn a_voice_begins_at_the_least_delay_and_stays_there() {
    let call = carried(1_500, |_| 0);
    assert!(call.delay_ms(0..5) < 13.0 && call.delay_ms(0..1_500) < 13.0, "{:?}", &call.delays[..5]);
    assert_eq!((call.changed, call.buffer.statistics().concealed), ((0, 0), 0));
}

#[test]
fn a_microphone_that_gives_blocks_of_five_milliseconds_is_no_jitter_that_costs_delay() {
    // 256 samples; a packet leaves with the block that fills it.
    let call = carried(3_000, |n| (n * 20_000).div_ceil(5_333) * 5_333 - n * 20_000);
    assert!(call.delay_ms(0..3_000) < 14.0, "{}", call.delay_ms(0..3_000));
    assert_eq!((call.changed.0, call.buffer.statistics().concealed), (0, 0));
}

#[test]
fn a_busy_machine_costs_two_frames_a_minute() {
    // With a target of 15 ms at least it was one frame, at 20.7 ms.
    let trace = busy();
    let call = carried(3_000, |n| trace[usize::try_from(n).unwrap()]);
    let told = call.buffer.statistics();
    assert!(told.concealed <= 2 && told.lost == 0, "{told:?}");
    assert!(call.delay_ms(0..3_000) < 16.0 && call.changed.0 <= 2, "{:?}", call.changed);
}

#[test]
fn after_a_stall_the_delay_comes_down_in_pauses() {
    // Before, with one cut after the other wherever it fell: 17 frames of speech, and 23 ms in the end.
    let call = carried(3_000, |n| if (250..258).contains(&n) { (258 - n) * 20_000 } else { 0 });
    assert!(call.buffer.statistics().concealed <= 8, "{:?}", call.buffer.statistics());
    assert!(call.changed.0 <= 7 && call.changed.1 > 0, "{:?}", call.changed);
    assert!(call.delay_ms(2_000..3_000) < 17.0, "{}", call.delay_ms(2_000..3_000));
    // One stall in every two seconds: 56 frames of speech.
    let stalls = |n: u64| if (200..1_200).contains(&n) && n % 100 < 8 { (8 - n % 100) * 20_000 } else { 0 };
    let call = carried(3_000, stalls);
    assert!(call.buffer.statistics().concealed <= 21, "{:?}", call.buffer.statistics());
    assert!(call.changed.0 <= 14, "{:?}", call.changed);
    assert!(call.delay_ms(2_500..3_000) < 17.0, "{}", call.delay_ms(2_500..3_000));
}

#[test]
fn what_mending_needs_is_there_within_a_second_and_gone_after_it_was_held_without_a_cut_in_speech() {
    let mut call = Call::new();
    let needs = |need_us| Way { need_us, ..Way::PLAIN };
    call.carry(needs(0), 0..545, |_| Some(0), |_| true);
    assert_eq!(call.changed, (0, 0));
    call.carry(needs(60_000), 545..600, |_| Some(0), |_| true);
    assert!(call.delay_ms(570..575) > 54.0, "in half a second: {}", call.delay_ms(570..575));
    assert!(call.delay_ms(590..600) < 72.0, "and not much more: {}", call.delay_ms(590..600));
    let lengthened = call.changed;
    call.carry(needs(0), 600..850, |_| Some(0), |_| true);
    assert!(call.delay_ms(840..850) > 54.0, "held: {}", call.delay_ms(840..850));
    call.carry(needs(0), 850..1_500, |_| Some(0), |_| true);
    assert!(call.delay_ms(1_400..1_500) < 17.0, "gone: {}", call.delay_ms(1_400..1_500));
    assert_eq!(call.changed.0, lengthened.0, "no cut in speech");
    assert_eq!(call.buffer.statistics().concealed, 0);
}

#[test]
fn clocks_that_are_five_hundred_millionths_apart_are_followed_without_a_gap() {
    for (faster, seed) in [(false, 1), (true, 2)] {
        let count = 9_000_u64;
        // 10 us for each packet; the way is long enough for the fast one.
        let late = |n: u64| 100_000 + chance(n, seed, 2_000) + if faster { 0 } else { n * 10 };
        let late = |n: u64| late(n) - if faster { n * 10 } else { 0 };
        let call = carried(count, late);
        let told = call.buffer.statistics();
        assert_eq!((told.lost, told.skipped, told.rejected), (0, 0, 0), "{told:?}");
        assert!(told.concealed <= 2 && told.delay.as_millis() <= 35, "{told:?}");
        let heard = call.heard();
        assert!(heard.lost == 0.0 && heard.queue.as_millis() <= 16, "{heard:?}");
    }
}

#[test]
fn a_queue_that_fills_is_told_and_jitter_and_a_sender_that_falls_behind_are_none() {
    let line = |late: &dyn Fn(u64) -> u64, trip: &dyn Fn(u64) -> u64| {
        let mut buffer = Playout::new();
        for n in 0..2_000_u64 {
            let now = Moment::from_micros(1_000_000 + n * 20_000 + late(n));
            let numbers = Numbers {
                sequence: u16::try_from(n).unwrap(),
                timestamp: u32::try_from(n * 960).unwrap(),
                ..Numbers::default()
            };
            buffer.push(now, numbers, &[1]);
            assert_eq!(buffer.ask(now, Duration::from_micros(trip(n))), []);
        }
        let end = Moment::from_micros(1_000_000 + 2_000 * 20_000 + late(1_999));
        buffer.heard(end).queue.as_millis()
    };
    let fills = |n: u64| n.saturating_sub(1_800) * 600;
    assert_eq!(line(&|_| 0, &|_| 20_000), 0);
    assert!(line(&|n| chance(n, 3, 15_000), &|n| 20_000 + chance(n, 4, 30_000)) <= 5, "jitter");
    assert!((90..=120).contains(&line(&fills, &|n| 20_000 + fills(n))), "both ways tell it");
    assert!((90..=120).contains(&line(&fills, &|n| 20_000 + fills(n / 25 * 25))), "also measured seldom");
    assert!(line(&fills, &|_| 20_000) <= 20, "the round trip does not");
    assert_eq!(line(&|_| 0, &fills), 0, "it fills the other way");
}
