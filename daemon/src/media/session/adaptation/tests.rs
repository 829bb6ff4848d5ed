//! What a side asks for when loss begins, and when it plays late enough for answers.
//!
//! Lives here: one voice in virtual time, without a line.
//! Must not: judge how it sounds, or repeat the grid of `redundancy/tests.rs`.

use super::*;
use crate::media::capture::Capture;
use crate::media::codec::FRAME;

const ALL: Takes = Takes { copies: true, asks: true, feedback: true, frames: 6 };

/// Who listens, and everything that it told, with the packet before it.
struct Ear {
    adaptation: Adaptation,
    playback: Playback,
    told: Vec<(u64, Protection)>,
}

impl Ear {
    /// Packet after packet comes every 20 ms, but those that are lost; the device takes 5 ms at a time.
    fn hear(lost: impl Fn(u64) -> bool) -> Self {
        let mut capture = Capture::new(32_000, 0).unwrap();
        let mut ear = Self {
            adaptation: Adaptation::new(32_000),
            playback: Playback::new().unwrap(),
            told: Vec::new(),
        };
        ear.adaptation.takes(ALL);
        ear.adaptation.round_trip = Some(Duration::from_millis(2));
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
            }
        }
        ear
    }
}

#[test]
fn with_the_first_loss_of_all_a_copy_is_asked_for_until_answers_come_in_time() {
    let ear = Ear::hear(|number| number >= 100 && number % 20 == 0);
    let first = ear.told.iter().find(|(_, wanted)| wanted.copies > 0).expect("copies are asked for");
    assert!((100..=106).contains(&first.0), "by packet {}", first.0);
    let (_, last) = ear.told.last().unwrap();
    let (choice, plays) = (ear.adaptation.choice, ear.playback.statistics());
    assert_eq!(last.copies, 0, "asking does it: {choice:?} {plays:?}");
    assert!(choice.asks > 0);
}

#[test]
fn without_loss_nothing_is_asked_for() {
    assert!(Ear::hear(|_| false).told.iter().all(|(_, wanted)| *wanted == Protection::default()));
}
