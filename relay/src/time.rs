//! Time as the relay's rules see it: an input.
//!
//! Lives here: `Moment`.
//! Must not: read a clock.

use std::ops::Add;
use std::time::Duration;

/// Microseconds since some fixed moment before the relay began; never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// From microseconds.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// In microseconds.
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// How long after `earlier`; nothing if it is not after.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, more: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(more.as_micros()).unwrap_or(u64::MAX)))
    }
}
