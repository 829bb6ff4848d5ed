//! Keeps a sum of voices within what a loudspeaker takes.
//!
//! Lives here: by how much all of it is turned down, sample by sample. It looks at nothing that is still to come: that would delay
//! every voice.
//! Must not: change a sample of what fits, or turn one voice down for longer than another is too loud.
//!
//! Down it goes at once, with the very sample that does not fit. It stays there until the next wave of even the deepest voice has come,
//! so that waves keep their form, and is back in less time than a syllable takes, so that nobody is heard to swell (no pumping).

/// The largest sample that a loudspeaker takes.
const FULL: f32 = 1.0;
/// Samples for which it stays down: 20 ms, a wave of 50 Hz.
const STAYS: u32 = 960;
/// What of the way back remains with each sample: a third after 7 ms, a hundredth (less than 0.1 dB) after 30.
const REMAINS: f32 = 0.996_8;
/// So near to the whole it is the whole.
const NEAR: f32 = 0.001;

/// See the head of this file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limiter {
    gain: f32,
    /// Samples for which the gain stays.
    stays: u32,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { gain: 1.0, stays: 0 }
    }
}

impl Limiter {
    /// The next samples. What is no number becomes silence.
    pub(super) fn limit(&mut self, samples: &mut [f32]) {
        let fits = |sample: &f32| sample.abs() <= FULL;
        if self.gain >= FULL && samples.iter().all(fits) {
            return;
        }
        for sample in samples {
            let size = sample.abs();
            if !size.is_finite() {
                *sample = 0.0;
                continue;
            }
            if size * self.gain > FULL {
                (self.gain, self.stays) = (FULL / size, STAYS);
            } else if self.stays > 0 {
                self.stays -= 1;
            } else {
                let missing = (1.0 - self.gain) * REMAINS;
                self.gain = if missing < NEAR { 1.0 } else { 1.0 - missing };
                // The way back ends where this sample fills the whole.
                if size * self.gain > FULL {
                    self.gain = FULL / size;
                }
            }
            *sample = (*sample * self.gain).clamp(-FULL, FULL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::said::{loudness, peak};

    /// So many ms of a sine, from its beginning on.
    fn sine(pitch: f32, loudness: f32, ms: usize) -> Vec<f32> {
        (0..ms * 48).map(|n| loudness * (n as f32 / 48_000.0 * pitch * std::f32::consts::TAU).sin()).collect()
    }

    fn sum(one: &[f32], other: &[f32]) -> Vec<f32> {
        one.iter().zip(other).map(|(a, b)| a + b).collect()
    }

    /// In pieces as devices ask for them.
    fn limited(limiter: &mut Limiter, mut sound: Vec<f32>) -> Vec<f32> {
        sound.chunks_mut(441).for_each(|piece| limiter.limit(piece));
        sound
    }

    #[test]
    fn one_voice_alone_passes_as_it_is_up_to_full_loudness() {
        for loudness in [0.01, 0.5, 1.0] {
            let voice = sine(300.0, loudness, 200);
            assert_eq!(limited(&mut Limiter::default(), voice.clone()), voice);
        }
    }

    #[test]
    fn two_loud_voices_fit_and_keep_their_form_and_their_proportion() {
        let (low, high) = (sine(220.0, 0.9, 1_000), sine(700.0, 0.9, 1_000));
        let both = sum(&low, &high);
        assert!(peak(&both) > 1.7);
        let out = limited(&mut Limiter::default(), both.clone());
        assert!(peak(&out) <= 1.0);
        // Turned down, not cut: but for the first moment it is the same sound with less loudness.
        let (out, both) = (&out[4_800..], &both[4_800..]);
        let gain =
            out.iter().zip(both).map(|(a, b)| a * b).sum::<f32>() / both.iter().map(|b| b * b).sum::<f32>();
        let power = |sound: &mut dyn Iterator<Item = f32>| sound.map(|s| s * s).sum::<f32>();
        let wrong = power(&mut out.iter().zip(both).map(|(a, b)| a - b * gain));
        let all = power(&mut out.iter().copied());
        assert!(wrong < all / 2_000.0, "33 dB below: {} dB", 10.0 * (wrong / all).log10());
        let (low, high) = (loudness(out, 220), loudness(out, 700));
        assert!((low / high - 1.0).abs() < 0.02, "{low} {high}");
    }

    #[test]
    fn after_a_shout_another_is_as_loud_as_before_within_fifty_milliseconds() {
        let soft = sine(1_000.0, 0.05, 1_000);
        let mut shout = sine(200.0, 1.9, 500);
        shout.resize(soft.len(), 0.0);
        let out = limited(&mut Limiter::default(), sum(&soft, &shout));
        let after = &out[550 * 48..];
        let same = after.iter().zip(&soft[550 * 48..]);
        let off = same.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off < 0.05 * 0.012, "0.1 dB: {off}");
        // Planted: nothing was turned down.
        let during = loudness(&out[100 * 48..400 * 48], 1_000);
        assert!((0.02..0.035).contains(&during), "it was turned down with the shout: {during}");
    }

    #[test]
    fn who_shouts_on_is_turned_down_evenly() {
        let out = limited(&mut Limiter::default(), sine(80.0, 1.8, 2_000));
        let peaks: Vec<f32> = out[4_800..].chunks(600).map(peak).collect();
        let (least, most) =
            (peaks.iter().copied().fold(2.0, f32::min), peaks.iter().copied().fold(0.0, f32::max));
        assert!(least > 0.97 && most <= 1.0, "each half wave reaches as high: {least} to {most}");
    }

    #[test]
    fn what_is_no_number_is_silent_and_nothing_follows_from_it() {
        let mut limiter = Limiter::default();
        let mut samples = [0.5, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.5];
        limiter.limit(&mut samples);
        assert_eq!(samples, [0.5, 0.0, 0.0, 0.0, 0.5]);
    }
}
