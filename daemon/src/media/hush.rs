//! Whether a frame is a pause of the voice, or at least soft.
//!
//! Lives here: how loud the background is, and how far below the voice.
//! Must not: know what pauses are good for.

use super::codec::FRAME;

/// Below this mean square (−50 dBFS) nothing is heard.
const SILENT: f32 = 1e-5;
/// A pause is at most this much louder than the least, if the voice is at least that much louder (6 and 20 dB).
const NEAR: f32 = 4.0;
const FAR: f32 = 100.0;
/// The least rises, and the loudest falls, by this with each frame: twice in about 3 s.
const FORGOTTEN: f32 = 0.005;
/// Pieces of a frame that are judged each: a word must not begin in it.
const PIECE: usize = FRAME / 4;
/// A frame this far below the voice (15 dB) is soft.
const SOFT: f32 = 0.03;
/// So many frames in a row are a pause; one alone may be a consonant.
const FRAMES: u32 = 2;

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Hush {
    least: f32,
    loudest: f32,
    quiet: u32,
}

impl Hush {
    pub(super) fn new() -> Self {
        Self { least: SILENT, loudest: SILENT, quiet: 0 }
    }

    /// The next frame of the voice: whether it lies in a pause, and whether it is soft.
    pub(super) fn hears(&mut self, frame: &[f32; FRAME]) -> (bool, bool) {
        let square = |piece: &[f32]| piece.iter().map(|s| s * s).sum::<f32>() / piece.len() as f32;
        let (mut low, mut high) = (f32::MAX, 0.0_f32);
        for loudness in frame.chunks(PIECE).map(square) {
            (low, high) = (low.min(loudness), high.max(loudness));
        }
        self.least = low.min(self.least * (1.0 + FORGOTTEN)).max(SILENT / 100.0);
        self.loudest = high.max(self.loudest * (1.0 - FORGOTTEN));
        let background = high < self.least * NEAR && self.loudest > self.least * FAR;
        self.quiet = if high < SILENT || background { self.quiet.saturating_add(1) } else { 0 };
        (self.quiet >= FRAMES, high < self.loudest * SOFT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(loudness: f32, seed: u32) -> [f32; FRAME] {
        let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
        std::array::from_fn(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 16) as f32 / 32_768.0 - 1.0) * loudness
        })
    }

    /// Frames taken for a pause, of ten seconds of a voice and ten without it, over a background as loud as this.
    fn pauses(background: f32) -> (usize, usize) {
        let mut hush = Hush::new();
        let (mut spoken, mut silent) = (0, 0);
        for n in 0..1_000_u32 {
            let speaks = n % 100 < 50;
            let (pause, soft) = hush.hears(&noise(if speaks { 0.2 } else { background }, n));
            assert!(soft || !pause, "a pause is soft");
            assert!(!soft || !speaks, "a voice is not");
            *(if speaks { &mut spoken } else { &mut silent }) += usize::from(pause);
        }
        (spoken, silent)
    }

    #[test]
    fn a_pause_is_known_in_silence_and_over_noise_and_a_voice_is_none() {
        for background in [0.0, 0.001, 0.005, 0.015] {
            let (spoken, silent) = pauses(background);
            assert_eq!(spoken, 0, "{background}");
            assert!(silent > 400, "{background}: {silent} of 500");
        }
        assert_eq!(pauses(0.1), (0, 0), "a loud background is cut as speech is");
    }
}
