//! Time as an input.
//!
//! Lives here: `Moment` and its arithmetic.
//! Must not: read a clock.

use core::fmt;
use core::ops::{Add, Sub};
use core::time::Duration;

/// A point in time: microseconds since boot, suspend included (`CLOCK_BOOTTIME`).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// From microseconds since boot.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since boot.
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, d: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(d.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Self> for Moment {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn a_moment_reads_as_seconds_since_boot() {
        assert_eq!(format!("{:?}", Moment::from_micros(61_000_250)), "61.000250s");
    }

    #[test]
    fn what_lies_ahead_is_no_time_ago_and_the_last_moment_never_passes() {
        let (early, late) = (Moment::from_micros(5), Moment::from_micros(9));
        assert_eq!((late - early, early - late), (Duration::from_micros(4), Duration::ZERO));
        assert_eq!(late + Duration::MAX, Moment::from_micros(u64::MAX));
    }
}
