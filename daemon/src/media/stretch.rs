//! Change how long one frame of sound lasts, unheard.
//!
//! Lives here: taking out or putting in one pitch period with a crossfade (waveform-similarity overlap-add), in pauses any piece.
//! Must not: know why the length should change, or what a pause is.
//!
//! Ours, because libraries that stretch time (SoundTouch, Rubber Band) are C++ and hold back more sound than a frame.

use super::codec::FRAME;

/// Shortest and longest pitch period that is looked for: 2.5 ms (400 Hz) to 10 ms (100 Hz).
const PERIOD_MIN: usize = 120;
const PERIOD_MAX: usize = 480;
/// Two periods must be at least this alike (1: the same), or the cut would click.
const ALIKE: f32 = 0.5;

/// The longest result: one frame and one period.
pub const LONGEST: usize = FRAME + PERIOD_MAX;

/// In a pause a frame loses at most so much, and the cut is faded over so much.
const PAUSE_CUT: usize = FRAME * 3 / 4;
const PAUSE_FADE: usize = 240;

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stretch {
    /// As it is.
    Keep,
    /// Less, so that later frames play sooner.
    Shorten {
        /// In a pause at most so many samples.
        most: usize,
        /// In speech one period; else nothing.
        heard: bool,
    },
    /// More, so that later frames play later.
    Lengthen {
        /// In a pause at most so many samples.
        most: usize,
        /// In speech one period; else only where it is soft.
        heard: bool,
    },
}

/// What a frame is, besides sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kind {
    /// A pause of the voice: any cut is unheard.
    pub pause: bool,
    /// Much softer than the voice is: a cut is heard less, whether it fits or not.
    pub soft: bool,
    /// Where nothing periodic is found, take the best cut all the same.
    pub force: bool,
}

/// Copy `frame` to `out` as `stretch` says; returns how many samples of `out` hold sound.
/// Where nothing periodic is found in speech, the frame stays as it is, unless the best cut is forced.
pub fn stretch(frame: &[f32; FRAME], stretch: Stretch, kind: Kind, out: &mut [f32; LONGEST]) -> usize {
    out[..FRAME].copy_from_slice(frame);
    let period = || {
        period(frame).filter(|(_, alike)| kind.force || kind.soft || *alike > ALIKE).map(|(period, _)| period)
    };
    match (stretch, kind.pause) {
        (Stretch::Keep, _) | (Stretch::Shorten { heard: false, .. }, false) => FRAME,
        (Stretch::Lengthen { heard: false, .. }, false) if !kind.soft => FRAME,
        (Stretch::Shorten { most, .. }, true) => {
            let cut = most.clamp(PERIOD_MIN, PAUSE_CUT);
            fade(&frame[..PAUSE_FADE], &frame[cut..cut + PAUSE_FADE], &mut out[..PAUSE_FADE]);
            out[PAUSE_FADE..FRAME - cut].copy_from_slice(&frame[cut + PAUSE_FADE..]);
            FRAME - cut
        }
        (Stretch::Shorten { heard: true, .. }, false) => {
            let Some(period) = period() else { return FRAME };
            // Fade from the first period into the second, then go on behind the second.
            fade(&frame[..period], &frame[period..2 * period], &mut out[..period]);
            out[period..FRAME - period].copy_from_slice(&frame[2 * period..]);
            FRAME - period
        }
        (Stretch::Lengthen { most, .. }, pause) => {
            let found = if pause { Some(most.clamp(PERIOD_MIN, PERIOD_MAX)) } else { period() };
            let Some(period) = found else { return FRAME };
            // Play the first period, then fade from the second back into the first, then play the second again.
            fade(&frame[period..2 * period], &frame[..period], &mut out[period..2 * period]);
            out[2 * period..FRAME + period].copy_from_slice(&frame[period..]);
            FRAME + period
        }
    }
}

/// `out` begins as `from` and ends as `to`.
fn fade(from: &[f32], to: &[f32], out: &mut [f32]) {
    let (mut gain, step) = (0.0, 1.0 / from.len() as f32);
    for ((from, to), out) in from.iter().zip(to).zip(out) {
        *out = from * (1.0 - gain) + to * gain;
        gain += step;
    }
}

/// The period at which the start of the frame best repeats itself, and how alike the two are (normalised correlation).
/// Looked for on every fourth sample, then refined.
fn period(frame: &[f32; FRAME]) -> Option<(usize, f32)> {
    let best = |periods: &mut dyn Iterator<Item = usize>, step: usize| {
        periods.map(|p| (p, likeness(frame, p, step))).max_by(|a, b| a.1.total_cmp(&b.1))
    };
    let (coarse, _) = best(&mut (PERIOD_MIN..=PERIOD_MAX).step_by(4), 4)?;
    best(&mut (coarse.saturating_sub(3).max(PERIOD_MIN)..=(coarse + 3).min(PERIOD_MAX)), 1)
}

fn likeness(frame: &[f32; FRAME], period: usize, step: usize) -> f32 {
    let (mut cross, mut first, mut second) = (0.0, 1e-9, 1e-9);
    for i in (0..period).step_by(step) {
        let (a, b) = (frame[i], frame[i + period]);
        cross += a * b;
        first += a * a;
        second += b * b;
    }
    cross / f32::sqrt(first * second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hertz: f32) -> [f32; FRAME] {
        std::array::from_fn(|i| 0.4 * (i as f32 / 48_000.0 * hertz * std::f32::consts::TAU).sin())
    }

    /// The largest step between neighbours: a click shows here.
    fn roughness(sound: &[f32]) -> f32 {
        sound.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn a_voiced_frame_loses_or_gains_whole_periods_without_a_click() {
        let frame = tone(200.0);
        let mut out = [0.0; LONGEST];
        for way in [Stretch::Shorten { most: 0, heard: true }, Stretch::Lengthen { most: 0, heard: true }] {
            let length = stretch(&frame, way, Kind::default(), &mut out);
            let changed = length.abs_diff(FRAME);
            assert!(changed > 0 && changed % 240 <= 2, "whole periods of 240 samples: {changed}");
            assert!(roughness(&out[..length]) < 1.2 * roughness(&frame), "{way:?}");
            assert!(
                (out[0] - frame[0]).abs() < 1e-3 && (out[length - 1] - frame[FRAME - 1]).abs() < 1e-3,
                "joins its neighbours"
            );
        }
    }

    #[test]
    fn a_pause_loses_or_gains_as_much_as_is_wanted_and_keeps_its_ends() {
        let mut out = [1.0; LONGEST];
        let hum: [f32; FRAME] = tone(50.0).map(|s| s * 0.002);
        let pause = Kind { pause: true, ..Kind::default() };
        for (most, less) in [(0, PERIOD_MIN), (300, 300), (9_000, PAUSE_CUT)] {
            let length = stretch(&hum, Stretch::Shorten { most, heard: false }, pause, &mut out);
            assert_eq!(length, FRAME - less);
            let ends = (out[0] - hum[0]).abs() + (out[length - 1] - hum[FRAME - 1]).abs();
            assert!(ends < 1e-5, "joins its neighbours: {ends}");
        }
        for (most, more) in [(0, PERIOD_MIN), (300, 300), (9_000, PERIOD_MAX)] {
            assert_eq!(
                stretch(&hum, Stretch::Lengthen { most, heard: false }, pause, &mut out),
                FRAME + more
            );
        }
        assert!(roughness(&out) < 1e-4);
    }

    #[test]
    fn noise_stays_as_it_is_unless_forced() {
        let mut state = 1_u32;
        let noise: [f32; FRAME] = std::array::from_fn(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as f32 / 65_536.0 - 0.5
        });
        let mut out = [0.0; LONGEST];
        let (seldom, forced) = (Kind::default(), Kind { force: true, ..Kind::default() });
        let shorten = Stretch::Shorten { most: 0, heard: true };
        assert_eq!(stretch(&noise, shorten, seldom, &mut out), FRAME);
        assert!(stretch(&noise, shorten, forced, &mut out) < FRAME);
        let unheard = Stretch::Shorten { most: 480, heard: false };
        assert_eq!(stretch(&noise, unheard, forced, &mut out), FRAME, "it waits for a pause");
        let later = Stretch::Lengthen { most: 0, heard: false };
        assert_eq!(stretch(&noise, later, forced, &mut out), FRAME, "and so does this, or for what is soft");
        let soft = Kind { soft: true, ..Kind::default() };
        assert!(stretch(&noise, later, soft, &mut out) > FRAME);
        assert_eq!(stretch(&noise, Stretch::Keep, forced, &mut out), FRAME);
        assert_eq!(out[..FRAME], noise);
    }
}
