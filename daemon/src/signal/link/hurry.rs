//! When another try to reach the relay begins because somebody waits for it.
//!
//! Lives here: how often, and for how long. Pure: time is an argument.
//! Must not: connect, or know who waits.
//!
//! TCP by itself repeats less and less often: a network that comes back after ten seconds would be used seven seconds later.

use std::time::Duration;

use ahoy_call::Moment;

/// Between two tries. Each goes on beside the next ones.
const EVERY: Duration = Duration::from_millis(500);
/// As long as a call waits for its path.
const WITHIN: Duration = Duration::from_secs(30);

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Hurry {
    next: Option<Moment>,
    until: Moment,
}

impl Hurry {
    /// Somebody waits from now on. Who waited already has not to wait longer for the next try.
    pub(super) fn begin(&mut self, now: Moment) {
        self.next.get_or_insert(now + EVERY);
        self.until = now + WITHIN;
    }

    /// The relay answers.
    pub(super) fn end(&mut self) {
        self.next = None;
    }

    /// When the next try is due.
    pub(super) fn due(&self) -> Option<Moment> {
        self.next
    }

    /// Whether the next try begins now.
    pub(super) fn is_time(&self, now: Moment) -> bool {
        self.next.is_some_and(|next| next <= now)
    }

    /// A try begins, for whatever reason: also one that fails at once is followed by the next no sooner.
    pub(super) fn tried(&mut self, now: Moment) {
        if self.next.is_some() {
            self.next = Some(now + EVERY).filter(|next| *next < self.until);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_micros(ms * 1_000)
    }

    #[test]
    fn somebody_waits_for_half_a_minute_at_most_and_an_answer_ends_it() {
        let mut hurry = Hurry::default();
        assert!(hurry.due().is_none() && !hurry.is_time(at(0)), "nobody waits");
        hurry.begin(at(1_000));
        hurry.begin(at(1_400));
        assert_eq!(hurry.due(), Some(at(1_500)), "the second waits no longer than the first");
        let mut tries = 0;
        for ms in 0..60_000 {
            if hurry.is_time(at(ms)) {
                hurry.tried(at(ms));
                tries += 1;
            }
        }
        assert!((50..=60).contains(&tries), "{tries}");
        hurry.begin(at(60_000));
        hurry.end();
        assert!(!hurry.is_time(at(61_000)));
    }
}
