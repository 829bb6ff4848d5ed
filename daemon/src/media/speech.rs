//! Whether somebody speaks, from how loud it is.
//!
//! Lives here: the judgement, from the readings of a meter: of another in the call, and of who speaks into a muted microphone.
//! Must not: see a sample, keep what was said; tell anybody but this machine's own person that who is muted speaks.

use std::time::Duration;

/// Nothing below is speech, dBFS.
const AUDIBLE: f32 = -50.0;
/// Speech is louder than the background by this, dB.
const ABOVE: f32 = 12.0;
/// The background is the least of what is heard, and no less than this, dBFS: a microphone that gives nothing is no quiet room. It
/// rises with each reading, dB.
const QUIETEST: f32 = -70.0;
const RISES: f32 = 0.2;

/// How soon somebody is taken to speak, and to speak no more. Pauses take half of their length away again from what was spoken.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// Speech for so long is told.
    told_after: Duration,
    /// No more is counted: after twice as long a silence nobody speaks any more.
    most: Duration,
}

/// A cough, a chair or a key is shorter.
const MUTED: Patience =
    Patience { told_after: Duration::from_millis(1_200), most: Duration::from_millis(2_000) };
/// A syllable is told; the pause between two words is none.
const HEARD: Patience = Patience { told_after: Duration::from_millis(80), most: Duration::from_millis(300) };

/// Follows one voice.
#[derive(Debug)]
pub(super) struct Speech {
    patience: Patience,
    background: Option<f32>,
    spoken: Duration,
    speaks: bool,
}

impl Speech {
    /// Of who is muted, from then on.
    pub(super) fn muted() -> Self {
        Self::new(MUTED)
    }

    /// Of another in the call.
    pub(super) fn heard() -> Self {
        Self::new(HEARD)
    }

    fn new(patience: Patience) -> Self {
        Self { patience, background: None, spoken: Duration::ZERO, speaks: false }
    }

    /// The next reading, dBFS, over so long.
    pub(super) fn reads(&mut self, level: f32, over: Duration) {
        let background = self.background.map_or(level, |before| level.min(before + RISES)).max(QUIETEST);
        self.background = Some(background);
        self.spoken = match level > AUDIBLE.max(background + ABOVE) {
            true => (self.spoken + over).min(self.patience.most),
            false => self.spoken.saturating_sub(over / 2),
        };
        self.speaks = match self.speaks {
            true => self.spoken > Duration::ZERO,
            false => self.spoken >= self.patience.told_after,
        };
    }

    /// Somebody speaks.
    pub(super) fn speaks(&self) -> bool {
        self.speaks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READING: Duration = Duration::from_millis(40);
    const ROOM: f32 = -65.0;
    const VOICE: f32 = -30.0;

    /// After how many ms of these levels, each for so many ms and all of it again and again, it is told that somebody speaks.
    fn told_after(speech: &mut Speech, levels: &[(f32, u64)], until: u64) -> Option<u64> {
        let readings = levels
            .iter()
            .flat_map(|(level, ms)| std::iter::repeat_n(*level, usize::try_from(ms / 40).unwrap()));
        let readings: Vec<f32> = readings.collect();
        let steps = usize::try_from(until / 40).unwrap();
        readings.iter().cycle().take(steps).zip(1..).find_map(|(level, n)| {
            speech.reads(*level, READING);
            speech.speaks().then_some(n * 40)
        })
    }

    #[test]
    fn who_speaks_is_told_within_three_seconds_and_a_while_after_the_last_word_no_more() {
        let mut speech = Speech::muted();
        assert_eq!(told_after(&mut speech, &[(ROOM, 400)], 400), None);
        // Words of 600 ms with gaps of 200 ms.
        let told = told_after(&mut speech, &[(VOICE, 600), (ROOM, 200)], 10_000).unwrap();
        assert!((1_200..3_000).contains(&told), "{told} ms");
        for _ in 0..75 {
            speech.reads(VOICE, READING);
        }
        for ms in (0..6_000_u64).step_by(40) {
            speech.reads(ROOM, READING);
            assert_eq!(speech.speaks(), ms < 3_960, "{ms}");
        }
    }

    #[test]
    fn a_cough_a_door_and_keys_are_none() {
        for noises in [
            &[(VOICE, 800), (ROOM, 3_000)][..],
            &[(-20.0, 320), (ROOM, 320), (-20.0, 320), (ROOM, 5_000)],
            &[(-35.0, 40), (ROOM, 120)],
        ] {
            let mut speech = Speech::muted();
            told_after(&mut speech, &[(ROOM, 1_000)], 1_000);
            assert_eq!(told_after(&mut speech, noises, 60_000), None, "{noises:?}");
        }
    }

    #[test]
    fn steady_noise_however_loud_and_what_is_hardly_heard_are_none() {
        for noises in
            [&[(-20.0, 4_000)][..], &[(-25.0, 4_000), (-29.0, 4_000)], &[(-52.0, 800), (-90.0, 200)]]
        {
            let mut speech = Speech::muted();
            assert_eq!(told_after(&mut speech, noises, 60_000), None, "{noises:?}");
        }
    }

    #[test]
    fn in_a_loud_room_a_voice_above_it_is_told_too() {
        let mut speech = Speech::muted();
        assert_eq!(told_after(&mut speech, &[(-38.0, 2_000)], 2_000), None);
        assert!(told_after(&mut speech, &[(-18.0, 600), (-38.0, 200)], 10_000).is_some());
    }

    #[test]
    fn another_speaks_from_the_first_syllable_on_over_the_pauses_between_words_and_not_long_after_the_last() {
        let mut speech = Speech::heard();
        assert_eq!(told_after(&mut speech, &[(ROOM, 400)], 400), None);
        assert_eq!(told_after(&mut speech, &[(VOICE, 200)], 200), Some(80));
        for ms in (0..10_000_u64).step_by(40) {
            speech.reads(if ms % 1_000 < 600 { VOICE } else { ROOM }, READING);
            assert!(speech.speaks(), "{ms}");
        }
        for _ in 0..20 {
            speech.reads(VOICE, READING);
        }
        for ms in (40..2_000_u64).step_by(40) {
            speech.reads(ROOM, READING);
            assert_eq!(speech.speaks(), ms < 600, "{ms}");
        }
        assert_eq!(told_after(&mut speech, &[(-20.0, 40), (ROOM, 400)], 20_000), None, "a click");
    }
}
