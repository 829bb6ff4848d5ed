//! Blocks to packets and back.
//!
//! Lives here: the tests; packets of several frames and copies are in `tests/packed.rs`.
//! Must not: take real time.

mod digits;
mod packed;
mod rests;

use super::*;
use crate::media::capture::Capture;
use crate::media::said::{feed, peak, tone, voice};

fn at(ms: u64) -> Moment {
    Moment::from_micros(1_000_000 + ms * 1_000)
}

#[test]
fn what_one_side_says_the_other_plays_in_blocks_of_any_size() {
    let mut capture = Capture::new(32_000, 9).unwrap();
    let mut playback = Playback::new().unwrap();
    let (mut heard, mut block) = (Vec::new(), [0.0; 512]);
    let mut played = 0;
    for ms in (0..3_000_u64).step_by(10) {
        let n = usize::try_from(ms).unwrap() * 48;
        for packet in feed(&mut capture, &tone(n, 480)) {
            playback.receive(at(ms), 0, &packet);
        }
        while played + block.len() <= n {
            playback.play(at(ms), &mut block);
            heard.extend(block);
            played += block.len();
        }
    }
    let first = heard.iter().position(|s| s.abs() > 0.05).unwrap();
    assert!(first < 48 * 75, "heard after {} ms", first / 48);
    let rest = &heard[first + 4_800..];
    let loudness = (rest.iter().map(|s| s * s).sum::<f32>() / rest.len() as f32).sqrt();
    assert!((0.17..0.26).contains(&loudness), "a tone of 0.212: {loudness}");
    let rough = rest.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
    assert!(rough < 0.03, "no click: {rough}");
    let told = playback.statistics();
    assert_eq!((told.lost, told.concealed, told.late, told.skipped), (0, 0, 0, 0), "{told:?}");
}

#[test]
fn lost_packets_are_concealed_and_a_stream_that_ends_becomes_silent() {
    let mut capture = Capture::new(32_000, 0).unwrap();
    let mut playback = Playback::new().unwrap();
    let mut block = [0.0; FRAME];
    let mut quietest = f32::MAX;
    for n in 0..100_u64 {
        let from = usize::try_from(n).unwrap() * FRAME;
        for packet in feed(&mut capture, &voice(from, FRAME)) {
            if n % 9 != 8 {
                playback.receive(at(n * 20), 0, &packet);
            }
        }
        playback.play(at(n * 20 + 1), &mut block);
        if n > 10 {
            quietest = quietest.min(peak(&block));
        }
    }
    assert!(quietest > 0.04, "no hole is heard: {quietest}");
    for n in 100..140_u64 {
        playback.play(at(n * 20 + 1), &mut block);
    }
    assert_eq!(peak(&block), 0.0);
    assert!(playback.statistics().lost >= 10);
}
