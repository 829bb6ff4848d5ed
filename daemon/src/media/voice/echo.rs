//! Whether the microphone hears the speaker at all.
//!
//! Lives here: a small filter that tries to foretell the microphone from the speaker, what its success says, and whether
//! samples were lost on the way.
//! Must not: cancel anything.
//!
//! A canceller damages a voice that speaks at the same time as the other one, whether there is an echo or not, and many
//! headsets do not tell that they are one. Where nothing of the speaker can be found in the microphone, it is left aside.
//! Ours, because the canceller's own detection took no effect within 20 s of two voices.

use std::array;

use super::BLOCK;

/// Samples of 48 kHz that become one of 2 kHz, where most of a voice is.
const FEWER: usize = 24;
/// Taps at 2 kHz: an echo is found up to 250 ms late.
const TAPS: usize = 500;
/// Samples of one judgement: 100 ms, short enough for the pauses between syllables.
const WINDOW: u16 = 200;
/// How fast the filter learns (0 to 2). Slow, so that a voice over the echo does not throw it off.
const STEP: f32 = 0.1;
/// The speaker counts as playing from this mean square on (-55 dBFS).
const PLAYS: f32 = 3e-6;
/// A microphone that is this much weaker than the speaker hears nothing that matters (-50 dB).
const NOTHING: f32 = 1e-5;
/// The foretelling leaves less than this part of the microphone's power: a sign of an echo (1 dB)...
const SIGN: f32 = 0.79;
/// ...or a clear one (2 dB). Over two voices without an echo one window in two hundred shows a sign.
const CLEAR_SIGN: f32 = 0.63;
/// There is an echo from this score on, which a few signs make...
const THERE_AT: i32 = 10;
/// ...and none from this one on: two seconds of the other's voice without a sign.
const NONE_AT: i32 = -20;
/// An echo that was there is given up after twelve seconds of the other's voice without a sign.
const MOST: i32 = 120;
/// Of what was played so much may always wait to be compared, 30 ms: both come in blocks.
const MOST_AHEAD: usize = 60;
/// Always: in each of so many blocks of the microphone, 250 ms. A machine that is busy gives both in lumps.
const ALWAYS: u8 = 25;
/// More than this that was played and not heard means that the microphone stands still.
const MOST_WAITING: usize = 500;

/// Samples of the microphone, at 2 kHz, that are looked for in what was foretold: 150 ms...
const SPAN: usize = 300;
/// ...up to 60 ms earlier and later.
const SHIFT: usize = 120;
/// They were lost or doubled on the way if they are so much like what was foretold for another time (correlation)...
const ALIKE: f32 = 0.7;
/// ...and by so much less like what was foretold for theirs.
const LESS: f32 = 0.3;
/// A shift of less is none, 1 ms.
const LEAST_SHIFT: usize = 2;
/// Windows that were foretold well, less those without a sign, after which the foretelling is trusted; and windows that were
/// not, though they could have been, after which the way of the echo is taken for another one.
const TRUSTED: u8 = 5;
/// Foretold well: less than this part of the microphone's power is left (4 dB).
const GOOD: f32 = 0.4;
/// Blocks between two looks for lost samples, 50 ms.
const LOOK: u8 = 5;

/// Looks for the speaker in the microphone.
pub(super) struct EchoWatch {
    weights: [f32; TAPS],
    /// As they were while they foretold well: those of now adapt to whatever happens.
    kept: [f32; TAPS],
    /// What was played, newest first, twice, so that it always lies in one piece.
    played: [f32; 2 * TAPS],
    at: usize,
    power: f32,
    /// The last decimated sample of each, for the difference that evens out a voice's spectrum.
    last: [f32; 2],
    /// Played and not yet compared, as decimated samples.
    waiting: Vec<f32>,
    /// The fewest that waited in the last blocks, and how many blocks these are.
    fewest: (usize, u8),
    window: Window,
    score: i32,
    there: bool,
    past: Past,
    good: u8,
    outdated: u8,
    blocks: u8,
    slipped: bool,
}

/// What the microphone heard and what was foretold of it, oldest first.
struct Past {
    heard: [f32; SPAN + 2 * SHIFT],
    told: [f32; SPAN + 2 * SHIFT],
}

#[derive(Clone, Copy, Default)]
struct Window {
    count: u16,
    played: f32,
    heard: f32,
    left: f32,
    /// What the kept weights leave.
    left_by_kept: f32,
}

impl EchoWatch {
    /// There is none until it shows, which takes less than half a second of the other's voice: to take one for granted
    /// would damage the first seconds of every call without one.
    pub(super) fn new() -> Self {
        Self {
            weights: [0.0; TAPS],
            kept: [0.0; TAPS],
            played: [0.0; 2 * TAPS],
            at: 0,
            power: 0.0,
            last: [0.0; 2],
            waiting: Vec::with_capacity(MOST_WAITING),
            fewest: (usize::MAX, 0),
            window: Window::default(),
            score: 0,
            there: false,
            past: Past { heard: [0.0; SPAN + 2 * SHIFT], told: [0.0; SPAN + 2 * SHIFT] },
            good: 0,
            outdated: 0,
            blocks: 0,
            slipped: false,
        }
    }

    /// Whether there is an echo, as far as is known.
    pub(super) fn there(&self) -> bool {
        self.there
    }

    /// Whether samples were lost or doubled since the last question, so that the echo comes at another time than it did.
    pub(super) fn slipped(&mut self) -> bool {
        std::mem::take(&mut self.slipped)
    }

    /// The speaker played this.
    pub(super) fn played(&mut self, block: &[f32; BLOCK]) {
        let fewer = decimate(block, &mut self.last[0]);
        if self.waiting.len() + fewer.len() > MOST_WAITING {
            self.waiting.clear();
        }
        self.waiting.extend(fewer);
    }

    /// The microphone heard this. What was played before it comes first.
    pub(super) fn heard(&mut self, block: &[f32; BLOCK]) {
        let heard = decimate(block, &mut self.last[1]);
        let mut played = [0.0; BLOCK / FEWER];
        let there = self.waiting.len().min(played.len());
        for (place, sample) in played.iter_mut().zip(self.waiting.drain(..there)) {
            *place = sample;
        }
        self.past.make_room();
        for (at, (played, heard)) in played.into_iter().zip(heard).enumerate() {
            let told = self.compare(played, heard);
            self.past.note(at, heard, told);
        }
        self.catch_up();
        self.blocks += 1;
        if self.blocks >= LOOK {
            self.blocks = 0;
            self.look_for_a_slip();
        }
    }

    /// Were the microphone compared with what was played long ago, its echo would lie in the future.
    fn catch_up(&mut self) {
        let (fewest, blocks) = self.fewest;
        self.fewest = (fewest.min(self.waiting.len()), blocks + 1);
        if self.fewest.1 < ALWAYS {
            return;
        }
        let old = self.fewest.0.saturating_sub(MOST_AHEAD);
        self.fewest = (usize::MAX, 0);
        let waiting = std::mem::take(&mut self.waiting);
        for sample in &waiting[..old] {
            self.remember(*sample);
        }
        self.waiting = waiting;
        self.waiting.drain(..old);
    }

    fn remember(&mut self, played: f32) {
        self.at = (self.at + TAPS - 1) % TAPS;
        self.power = (self.power + played * played - self.played[self.at].powi(2)).max(0.0);
        self.played[self.at] = played;
        self.played[self.at + TAPS] = played;
    }

    /// What was foretold of it.
    fn compare(&mut self, played: f32, heard: f32) -> f32 {
        self.remember(played);
        let (mut left, mut told) = (heard, 0.0);
        // The costly part rests while the other is silent.
        if self.power > PLAYS * 500.0 {
            let past = &self.played[self.at..self.at + TAPS];
            told = past.iter().zip(&self.kept).map(|(a, b)| a * b).sum::<f32>();
            left -= past.iter().zip(&self.weights).map(|(a, b)| a * b).sum::<f32>();
            let step = STEP * left / (self.power + PLAYS);
            for (weight, past) in self.weights.iter_mut().zip(past) {
                *weight += step * past;
            }
        }
        let window = &mut self.window;
        window.count += 1;
        window.played += played * played;
        window.heard += heard * heard;
        window.left += left * left;
        window.left_by_kept += (heard - told).powi(2);
        if window.count == WINDOW {
            let window = std::mem::take(window);
            self.judge(window);
        }
        told
    }

    /// The foretelling was good and is bad now; with a shift it is good again: then the machine lost samples, of the speaker or
    /// of the microphone. Somebody who begins to speak looks otherwise.
    fn look_for_a_slip(&mut self) {
        if self.good < TRUSTED {
            return;
        }
        if let Some(later) = self.past.slip() {
            self.good = 0;
            self.slipped = true;
            shift(&mut self.weights, later);
            shift(&mut self.kept, later);
        }
    }

    fn keep(&mut self, window: &Window, no_sign: bool) {
        let well = window.left_by_kept < GOOD * window.heard;
        if well {
            self.good = (self.good + 1).min(2 * TRUSTED);
        } else if no_sign {
            self.good = self.good.saturating_sub(1);
        }
        if window.left < GOOD * window.heard {
            self.outdated = if well { 0 } else { self.outdated + 1 };
            if well || self.outdated > TRUSTED {
                self.kept = self.weights;
                self.outdated = 0;
            }
        }
    }

    fn judge(&mut self, window: Window) {
        // A window in which the other says nothing says nothing.
        if window.played < PLAYS * f32::from(WINDOW) {
            return;
        }
        let change = if window.heard < NOTHING * window.played {
            -4
        } else if window.left < CLEAR_SIGN * window.heard {
            10
        } else if window.left < SIGN * window.heard {
            6
        } else {
            -1
        };
        self.keep(&window, change < 0);
        self.score = (self.score + change).clamp(NONE_AT, MOST);
        if self.score >= THERE_AT {
            self.there = true;
        } else if self.score <= NONE_AT {
            self.there = false;
        }
        // A filter that was thrown off by a loud voice begins anew.
        if window.left > 16.0 * window.heard {
            self.weights.fill(0.0);
        }
    }
}

impl Past {
    fn make_room(&mut self) {
        self.heard.copy_within(BLOCK / FEWER.., 0);
        self.told.copy_within(BLOCK / FEWER.., 0);
    }

    fn note(&mut self, at: usize, heard: f32, told: f32) {
        let at = SPAN + 2 * SHIFT - BLOCK / FEWER + at;
        (self.heard[at], self.told[at]) = (heard, told);
    }

    /// By how much later than foretold the microphone hears what it hears, as decimated samples; none if it is in time, or
    /// hears something else.
    fn slip(&self) -> Option<isize> {
        let heard = &self.heard[SHIFT..SHIFT + SPAN];
        let power = heard.iter().map(|s| s * s).sum::<f32>();
        let alike = |at: usize| {
            let told = &self.told[at..at + SPAN];
            let (mut both, mut alone) = (0.0, 0.0);
            for (heard, told) in heard.iter().zip(told) {
                both += heard * told;
                alone += told * told;
            }
            both / (power * alone).sqrt().max(f32::MIN_POSITIVE)
        };
        let in_time = alike(SHIFT);
        if in_time > 1.0 - LESS {
            return None;
        }
        let (best, at) = (0..=2 * SHIFT).map(|at| (alike(at), at)).max_by(|a, b| a.0.total_cmp(&b.0))?;
        (best > ALIKE.max(in_time + LESS) && at.abs_diff(SHIFT) >= LEAST_SHIFT)
            .then(|| SHIFT.cast_signed() - at.cast_signed())
    }
}

/// The same echo, that much later.
fn shift(weights: &mut [f32; TAPS], later: isize) {
    let by = later.unsigned_abs().min(TAPS);
    if later > 0 {
        weights.copy_within(..TAPS - by, by);
        weights[..by].fill(0.0);
    } else {
        weights.copy_within(by.., 0);
        weights[TAPS - by..].fill(0.0);
    }
}

/// To 2 kHz by means, then differences.
fn decimate(block: &[f32; BLOCK], last: &mut f32) -> [f32; BLOCK / FEWER] {
    array::from_fn(|i| {
        let mean = block[i * FEWER..(i + 1) * FEWER].iter().sum::<f32>() / 24.0;
        let difference = mean - 0.9 * *last;
        *last = mean;
        difference
    })
}
