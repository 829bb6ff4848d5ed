//! Whether the microphone hears the speaker at all.
//!
//! Lives here: a small filter that tries to foretell the microphone from the speaker, and what its success says.
//! Must not: cancel anything.
//!
//! A canceller damages a voice that speaks at the same time as the other one, whether there is an echo or not, and many
//! headsets do not tell that they are one. Where nothing of the speaker can be found in the microphone, it is left aside.

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

/// Looks for the speaker in the microphone.
pub(super) struct EchoWatch {
    weights: [f32; TAPS],
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
}

#[derive(Clone, Copy, Default)]
struct Window {
    count: u16,
    played: f32,
    heard: f32,
    left: f32,
}

impl EchoWatch {
    /// There is none until it shows, which takes less than half a second of the other's voice: to take one for granted
    /// would damage the first seconds of every call without one.
    pub(super) fn new() -> Self {
        Self {
            weights: [0.0; TAPS],
            played: [0.0; 2 * TAPS],
            at: 0,
            power: 0.0,
            last: [0.0; 2],
            waiting: Vec::with_capacity(MOST_WAITING),
            fewest: (usize::MAX, 0),
            window: Window::default(),
            score: 0,
            there: false,
        }
    }

    /// Whether there is an echo, as far as is known.
    pub(super) fn there(&self) -> bool {
        self.there
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
        for (played, heard) in played.into_iter().zip(heard) {
            self.compare(played, heard);
        }
        self.catch_up();
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

    fn compare(&mut self, played: f32, heard: f32) {
        self.remember(played);
        let mut left = heard;
        // The costly part rests while the other is silent.
        if self.power > PLAYS * 500.0 {
            let past = &self.played[self.at..self.at + TAPS];
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
        if window.count == WINDOW {
            let window = std::mem::take(window);
            self.judge(window);
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

/// To 2 kHz by means, then differences.
fn decimate(block: &[f32; BLOCK], last: &mut f32) -> [f32; BLOCK / FEWER] {
    array::from_fn(|i| {
        let mean = block[i * FEWER..(i + 1) * FEWER].iter().sum::<f32>() / 24.0;
        let difference = mean - 0.9 * *last;
        *last = mean;
        difference
    })
}
