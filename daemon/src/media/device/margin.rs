//! So long before the loudspeaker takes samples they are written: more after it ran dry, less again in time. Pure.
//!
//! Lives here: the margin, in samples, and what it learns.
//! Must not: know a clock, a ring or a stream.

/// The least, 2.5 ms: what a thread with real-time priority needs. A call begins with twice as much.
const LEAST: usize = 120;
const FIRST: usize = 2 * LEAST;
const MOST: usize = 1_920;
/// What one call has learned is worth this much to the next: what starved the one may be over.
const ANEW: usize = 4 * LEAST;
/// Without an underrun for so many samples (4 s) it shrinks by a step; where that was too little, twice as many (at most 64 s).
const CALM: usize = 192_000;
const CALM_MOST: usize = 16 * CALM;
const STEP: usize = LEAST;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Margin {
    samples: usize,
    /// Samples since the last underrun or step down.
    calm: usize,
    /// So many of them until the next step down.
    patience: usize,
    /// The last change was a step down.
    tried: bool,
}

impl Default for Margin {
    fn default() -> Self {
        Self { samples: FIRST, calm: 0, patience: CALM, tried: false }
    }
}

impl Margin {
    pub(super) fn samples(self) -> usize {
        self.samples
    }

    /// Another call begins.
    pub(super) fn begin_anew(&mut self) {
        *self = Self { samples: self.samples.min(ANEW), ..Self::default() };
    }

    /// The loudspeaker ran dry.
    pub(super) fn underran(&mut self) {
        if self.tried {
            self.patience = (2 * self.patience).min(CALM_MOST);
        }
        (self.calm, self.tried) = (0, false);
        self.samples = (self.samples + STEP.max(self.samples / 2)).min(MOST);
    }

    /// So many samples were written without that.
    pub(super) fn wrote(&mut self, samples: usize) {
        self.calm = self.calm.saturating_add(samples);
        if self.calm >= self.patience && self.samples > LEAST {
            (self.calm, self.tried) = (0, true);
            self.samples = (self.samples - STEP).max(LEAST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: usize = 48_000;

    #[test]
    fn it_grows_with_each_underrun_up_to_its_most_and_shrinks_in_calm_down_to_its_least() {
        let mut margin = Margin::default();
        let grown = [(); 8].map(|()| {
            margin.underran();
            margin.samples()
        });
        assert_eq!(grown, [360, 540, 810, 1_215, 1_822, 1_920, 1_920, 1_920]);
        for _ in 0..3_000 {
            margin.wrote(SECOND / 10);
        }
        assert_eq!(margin.samples(), LEAST);
    }

    #[test]
    fn what_was_too_little_is_tried_again_later_and_later() {
        let mut margin = Margin::default();
        let mut waits = Vec::new();
        // A machine on which the least is too little.
        for _ in 0..7 {
            let mut waited = 0;
            while margin.samples() > LEAST {
                margin.wrote(SECOND);
                waited += 1;
            }
            waits.push(waited);
            margin.underran();
        }
        assert_eq!(waits, [4, 8, 16, 32, 64, 64, 64]);
        margin.begin_anew();
        assert_eq!(margin, Margin::default(), "the next call begins as the first");
    }
}
