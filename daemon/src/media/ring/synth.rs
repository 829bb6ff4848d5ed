//! Tones that are computed.
//!
//! Lives here: their frequencies and cadences, as telephones in Europe have them (ITU-T E.180), and how loud each is.
//! Must not: play.
//!
//! Ours, because a cadence is a table and a sine: any library of synthesis is longer.

use std::f32::consts::TAU;
use std::sync::Arc;

use crate::media::codec::RATE;
use crate::media::device::Clip;

/// The fading at both ends of every beep, against clicks: 8 ms.
const EDGE: usize = 384;

/// One piece of a cadence: frequencies that sound together (none: a pause), for so many milliseconds.
type Piece = (&'static [f32], usize);

/// A ring, for who has no sound theme: three rising strokes, then a pause. Full volume.
pub(super) fn ring() -> Clip {
    let stroke = [(&[659.0_f32, 988.0][..], 140), (&[784.0, 1175.0], 140), (&[988.0, 1480.0], 320)];
    let pause: [Piece; 1] = [(&[], 200)];
    let pieces = [&stroke[..], &pause, &stroke, &[(&[], 1_800)]].concat();
    clip(&pieces, 0.5, true)
}

/// Their phone rings: 1 s of tone, 4 s of pause.
pub(super) fn ringback() -> Clip {
    clip(&[(&[425.0], 1_000), (&[], 4_000)], 0.12, true)
}

/// They are busy.
pub(super) fn busy() -> Clip {
    let beep: [Piece; 2] = [(&[425.0], 480), (&[], 480)];
    clip(&beep.repeat(4), 0.12, false)
}

/// It came to nothing.
pub(super) fn failed() -> Clip {
    let beep: [Piece; 2] = [(&[425.0], 240), (&[], 240)];
    clip(&beep.repeat(4), 0.12, false)
}

/// They hung up.
pub(super) fn ended() -> Clip {
    clip(&[(&[480.0], 120), (&[], 40), (&[400.0], 200)], 0.12, false)
}

/// Somebody else calls: soft, under a voice.
pub(super) fn waiting() -> Clip {
    clip(&[(&[], 300), (&[425.0], 200), (&[], 200), (&[425.0], 200), (&[], 4_100)], 0.06, true)
}

/// The microphone is open though nobody touched anything.
pub(super) fn auto_answered() -> Clip {
    clip(&[(&[600.0], 120), (&[], 60), (&[800.0], 120), (&[], 60), (&[1000.0], 200)], 0.2, false)
}

/// `peak`: of all frequencies together, 0 to 1.
fn clip(pieces: &[Piece], peak: f32, repeat: bool) -> Clip {
    let mut samples = Vec::new();
    for (frequencies, milliseconds) in pieces {
        let length = milliseconds * 48;
        let share = peak / frequencies.len().max(1) as f32;
        samples.extend((0..length).map(|n| {
            let edge = n.min(length - n).min(EDGE) as f32 / EDGE as f32;
            let at = n as f32 / RATE as f32;
            frequencies.iter().map(|hertz| share * edge * (TAU * hertz * at).sin()).sum::<f32>()
        }));
    }
    Clip { samples: Arc::from(samples), repeat }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tone_has_its_loudness_and_begins_and_ends_without_a_click() {
        let all = [ring(), ringback(), busy(), failed(), ended(), waiting(), auto_answered()];
        for (clip, peak) in all.iter().zip([0.5, 0.12, 0.12, 0.12, 0.12, 0.06, 0.2]) {
            let loudest = clip.samples.iter().fold(0.0_f32, |most, s| most.max(s.abs()));
            assert!((peak * 0.8..=peak).contains(&loudest), "{loudest} instead of {peak}");
            let first_and_last = [clip.samples[0], clip.samples[clip.samples.len() - 1]];
            assert!(first_and_last.iter().all(|s| s.abs() < 0.002), "{first_and_last:?}");
        }
        let repeated: Vec<bool> = all.iter().map(|clip| clip.repeat).collect();
        assert_eq!(repeated, [true, true, false, false, false, true, false]);
    }
}
