//! How loud it is while nobody speaks.
//!
//! Lives here: the quietest 10 ms of the last seconds.
//! Must not: change a sample.

use super::BLOCK;

/// Blocks after which the quietest one is believed: 1.5 s, in which every speaker pauses.
const BLOCKS: u32 = 150;
/// From this mean square on there is noise (-63 dBFS)...
const NOISY: f32 = 5e-7;
/// ...and below this there is none (-68 dBFS).
const QUIET: f32 = 1.6e-7;

/// Follows the level of the pauses.
#[derive(Debug)]
pub(super) struct NoiseWatch {
    count: u32,
    quietest: f32,
    before: f32,
    noisy: bool,
}

impl NoiseWatch {
    /// Quiet until it is known to be noisy.
    pub(super) fn new() -> Self {
        Self { count: 0, quietest: f32::MAX, before: f32::MAX, noisy: false }
    }

    /// Whether the pauses hold noise.
    pub(super) fn noisy(&self) -> bool {
        self.noisy
    }

    /// The microphone heard this.
    pub(super) fn heard(&mut self, block: &[f32; BLOCK]) {
        let power = block.iter().map(|s| s * s).sum::<f32>() / 480.0;
        self.quietest = self.quietest.min(power);
        self.count += 1;
        if self.count == BLOCKS {
            let quietest = self.quietest.min(self.before);
            self.noisy = quietest > if self.noisy { QUIET } else { NOISY };
            (self.count, self.before, self.quietest) = (0, self.quietest, f32::MAX);
        }
    }
}
