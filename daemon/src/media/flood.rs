//! How many packets of one voice are taken.
//!
//! Lives here: the bound, before the queue that all paths of a call share: who sends more than a voice needs loses what is too much,
//! and nobody else loses anything.
//! Must not: look at a packet.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ahoy_call::Moment;

/// At once: what a network held back for two seconds, with all that was asked for.
pub(super) const AT_ONCE: u32 = 150;
/// A second in the long run is 200: a voice has 50, and each may be asked for some times.
const ONE: Duration = Duration::from_millis(5);

/// Counts one voice, whichever of a path's streams it comes by.
#[derive(Debug, Default)]
pub(super) struct Flood {
    /// When it would have been at rest again, had it kept to its rate; in µs.
    rests: AtomicU64,
}

impl Flood {
    /// Whether one more packet is taken. What is not taken costs nothing.
    pub(super) fn takes(&self, now: Moment) -> bool {
        // One thread counts; two would lose a packet between them.
        let rests = Moment::from_micros(self.rests.load(Ordering::Relaxed)).max(now);
        if rests.since(now) > ONE * (AT_ONCE - 1) {
            return false;
        }
        self.rests.store((rests + ONE).micros(), Ordering::Relaxed);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(flood: &Flood, ms: std::ops::Range<u64>, each_ms: u64) -> u64 {
        let at = |ms| Moment::from_micros(1_000_000 + ms * 1_000);
        ms.map(|ms| (0..each_ms).filter(|_| flood.takes(at(ms))).count() as u64).sum()
    }

    #[test]
    fn a_voice_passes_and_a_flood_is_no_more_than_four_of_them() {
        let flood = Flood::default();
        let at = |ms: u64| Moment::from_micros(1_000_000 + ms * 1_000);
        for ms in (0..10_000).step_by(20) {
            assert!(flood.takes(at(ms)) && flood.takes(at(ms)), "each packet twice");
        }
        assert!((0..150).all(|_| flood.takes(at(13_000))), "what was held back for two seconds, and some");
        let most = taken(&flood, 20_000..30_000, 100);
        assert!((2_000..2_160).contains(&most), "{most} of a million");
        assert_eq!(taken(&flood, 31_000..31_001, 100), 100, "and is forgotten");
    }
}
