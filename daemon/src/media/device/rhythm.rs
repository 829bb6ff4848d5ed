//! When a stream's callbacks come, so that samples are read just after one and written just before one.
//!
//! Lives here: the expectation, from the last callback's time and size. Pure.
//! Must not: read a clock, or know a ring.

use std::time::Duration;

use ahoy_call::Moment;

use crate::media::codec::RATE;

/// Callbacks that may be missing before nothing is expected any more.
const MISSING: u32 = 3;
/// And the time that they may be late beside that: a busy machine.
const LATE: Duration = Duration::from_millis(10);

/// One stream's callbacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rhythm {
    /// The last one.
    pub(super) last: Moment,
    /// Samples that it took or gave, never 0.
    pub(super) block: usize,
}

impl Rhythm {
    /// The callbacks go on as they did: only then the rest is worth something.
    pub(super) fn holds(self, now: Moment) -> bool {
        now.since(self.last) <= self.period() * MISSING + LATE
    }

    /// When the n-th callback after the last is expected.
    pub(super) fn nth(self, n: usize) -> Moment {
        self.last + self.period() * u32::try_from(n).unwrap_or(u32::MAX)
    }

    /// How many callbacks after the last are expected until then.
    pub(super) fn until(self, then: Moment) -> usize {
        let count = then.since(self.last).as_micros() / self.period().as_micros().max(1);
        usize::try_from(count).unwrap_or(usize::MAX)
    }

    fn period(self) -> Duration {
        Duration::from_micros(self.block as u64 * 1_000_000 / u64::from(RATE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callbacks_are_expected_one_block_after_the_other() {
        let start = Moment::from_micros(5_000_000);
        let rhythm = Rhythm { last: start, block: 480 };
        let after = |us| start + Duration::from_micros(us);
        assert_eq!((rhythm.nth(1), rhythm.nth(3)), (after(10_000), after(30_000)));
        assert_eq!([0, 9_999, 10_000, 29_000, 30_000].map(|us| rhythm.until(after(us))), [0, 0, 1, 2, 3]);
        assert_eq!(rhythm.until(Moment::from_micros(1)), 0, "a moment before the last one");
        assert!(
            rhythm.holds(after(40_000)) && !rhythm.holds(after(41_000)),
            "a stream that stopped has no rhythm"
        );
    }
}
