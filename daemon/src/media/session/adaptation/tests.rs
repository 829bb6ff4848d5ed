//! What a side asks for when loss begins, and when it plays late enough for answers.
//!
//! Lives here: one voice in virtual time, without a line.
//! Must not: judge how it sounds, or repeat the grid of `redundancy/tests.rs`.

use super::*;
use crate::media::capture::Capture;
use crate::media::codec::FRAME;

const ALL: Takes = Takes { copies: true, asks: true, feedback: true, events: true, frames: 6 };

/// Who listens, and everything that it told, with the packet before it.
struct Ear {
    adaptation: Adaptation,
    playback: Playback,
    told: Vec<(u64, Protection)>,
    /// The longest that a frame had to play after the fastest packets' schedule.
    floor: Duration,
}

impl Ear {
    /// Packet after packet comes every 20 ms, but those that are lost; the device takes 5 ms at a time.
    fn hear(round_trip: u64, lost: impl Fn(u64) -> bool) -> Self {
        let mut capture = Capture::new(32_000, 0).unwrap();
        let mut ear = Self {
            adaptation: Adaptation::new(32_000),
            playback: Playback::new().unwrap(),
            told: Vec::new(),
            floor: Duration::ZERO,
        };
        ear.adaptation.takes(ALL);
        ear.adaptation.round_trip = Some(Duration::from_millis(round_trip));
        for number in 0..400_u64 {
            let voice: Vec<f32> =
                (0..FRAME).map(|n| 0.3 * (n as f32 * 0.04).sin() * ((number % 7) as f32 / 7.0)).collect();
            for quarter in 0..4 {
                let now = Moment::from_micros(1_000_000 + number * 20_000 + quarter * 5_000);
                if quarter == 0 {
                    capture.feed(&voice, |packet| {
                        if !lost(number) {
                            ear.adaptation.came(now, &packet);
                            ear.playback.receive(now, 0, &packet);
                        }
                    });
                }
                ear.playback.play(now, &mut [0.0; FRAME / 4]);
                if ear.adaptation.is_due(now)
                    && let Some(word) = ear.adaptation.look(now, &mut ear.playback, ALL)
                {
                    ear.told.push((number, word.wanted));
                }
                ear.floor = ear.floor.max(ear.adaptation.choice.floor);
            }
        }
        ear
    }
}

#[test]
fn with_the_first_loss_of_all_a_copy_is_asked_for_until_answers_come_in_time() {
    let ear = Ear::hear(2, |number| number >= 100 && number % 20 == 0);
    let first = ear.told.iter().find(|(_, wanted)| wanted.copies > 0).expect("copies are asked for");
    assert!((100..=106).contains(&first.0), "by packet {}", first.0);
    let (_, last) = ear.told.last().unwrap();
    let (choice, plays) = (ear.adaptation.choice, ear.playback.statistics());
    assert_eq!(last.copies, 0, "asking does it: {choice:?} {plays:?}");
    assert!(choice.asks > 0);
}

#[test]
fn without_loss_nothing_is_asked_for() {
    assert!(Ear::hear(2, |_| false).told.iter().all(|(_, wanted)| *wanted == Protection::default()));
}

#[test]
fn losses_that_fall_together_by_chance_are_not_waited_for_as_a_row_of_them() {
    for seed in 0..20_u64 {
        // One packet of ten, each for itself.
        let lost = |number: u64| {
            let mixed = (number + seed * 1_000).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 32 < u64::from(u32::MAX) / 10
        };
        let ear = Ear::hear(60, |number| number >= 100 && lost(number));
        assert!(ear.floor < Duration::from_millis(80), "{seed}: {:?} {:?}", ear.floor, ear.adaptation.choice);
    }
}

#[test]
fn a_path_that_is_lost_and_replaced_leaves_the_rate_as_it_was_and_words_that_do_not_come_lower_it() {
    let at = |ms: u64| Moment::from_micros(1_000_000 + ms * 1_000);
    // Their voice comes while `voice` says so, and their words while `words` does.
    let lowest = |voice: fn(u64) -> bool, words: fn(u64) -> bool| {
        let (mut capture, mut playback) = (Capture::new(32_000, 0).unwrap(), Playback::new().unwrap());
        let mut line = Adaptation::new(32_000);
        line.takes(ALL);
        let mut lowest = u32::MAX;
        for ms in (0..20_000).step_by(20) {
            capture.feed(&[0.1; FRAME], |packet| {
                if voice(ms) {
                    line.came(at(ms), &packet);
                }
            });
            if ms % 200 == 0 && words(ms) {
                line.heard(at(ms), &Feedback { bytes: 5_000, packets: 50, ..Feedback::default() });
            }
            if line.is_due(at(ms)) {
                let _told = line.look(at(ms), &mut playback, ALL);
            }
            lowest = lowest.min(line.encoding(at(ms)).bitrate);
        }
        lowest
    };
    // The first word on the new path comes later than the voice.
    let (cut, told) = (|ms| !(3_000..7_000).contains(&ms), |ms| !(3_000..7_800).contains(&ms));
    assert_eq!(lowest(cut, told), 32_000);
    assert!(lowest(|_| true, told) < 32_000);
}
