//! When to try a relay again.
//!
//! Lives here: the waiting times between tries. Pure: time and chance are arguments.
//! Must not: wait, connect, or know why a try failed.

use std::time::Duration;

use ahoy_call::Moment;

/// The first wait.
const FIRST: Duration = Duration::from_millis(250);

/// The longest wait while the relay is away for less than `SHORT`: who comes back is used again within 5 s.
const LONGEST_AT_FIRST: Duration = Duration::from_secs(4);

/// The longest wait after that.
const LONGEST: Duration = Duration::from_secs(60);

/// Up to here an absence is a restart or a gap in the network; beyond it is an outage, and tries become rare.
const SHORT: Duration = Duration::from_secs(120);

/// A link that was up for less than that did not really succeed: waits go on growing.
const STEADY: Duration = Duration::from_secs(10);

/// The waits of one link.
#[derive(Clone, Debug, Default)]
pub(super) struct Backoff {
    tries: u32,
    away_since: Option<Moment>,
}

impl Backoff {
    /// The link was up from `since` to `now`, and is lost.
    pub(super) fn lost(&mut self, since: Moment, now: Moment) {
        if now.since(since) >= STEADY {
            self.tries = 0;
        }
        self.away_since = Some(now);
    }

    /// When to try again after a try that began at `began` and failed at `now`. Waits count from the beginning of the
    /// last try, so a try that took long is followed by the next at once. `jitter` shortens the wait by up to a quarter,
    /// so that a relay's clients do not all come back in the same instant.
    pub(super) fn next(&mut self, began: Moment, now: Moment, jitter: u8) -> Moment {
        let away = now.since(*self.away_since.get_or_insert(began));
        let longest = if away < SHORT { LONGEST_AT_FIRST } else { LONGEST };
        let whole = FIRST.saturating_mul(1 << self.tries.min(16)).min(longest);
        // While waits are capped early, the count must not run ahead: after `SHORT` they grow step by step.
        if whole < longest {
            self.tries += 1;
        }
        let wait = whole - whole / 4 * u32::from(jitter) / 255;
        (began + wait).max(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn waits_double_from_a_quarter_second() {
        let mut b = Backoff::default();
        let waits: Vec<u128> = (0..6).map(|_| b.next(at(1), at(1), 0).since(at(1)).as_millis()).collect();
        assert_eq!(waits, [250, 500, 1_000, 2_000, 4_000, 4_000]);
    }

    #[test]
    fn a_relay_that_was_away_for_less_than_two_minutes_is_found_within_five_seconds() {
        for jitter in [0, 128, 255] {
            let mut b = Backoff::default();
            b.lost(at(0), at(100));
            let mut now = at(100);
            while now < at(220) {
                let next = b.next(now, now, jitter);
                assert!(next.since(now) < Duration::from_secs(5));
                assert!(next > now, "no try without a wait");
                now = next;
            }
        }
    }

    #[test]
    fn a_long_outage_is_asked_about_once_a_minute() {
        let mut b = Backoff::default();
        b.lost(at(0), at(0));
        let (mut now, mut tries) = (at(0), 0);
        while now < at(3_600) {
            now = b.next(now, now, 255);
            tries += 1;
        }
        assert!(tries < 130, "{tries} tries in an hour");
        let wait = b.next(now, now, 0).since(now);
        assert_eq!(wait, Duration::from_secs(60), "and never less often");
    }

    #[test]
    fn a_link_that_falls_at_once_keeps_its_waits_and_a_steady_one_begins_anew() {
        let mut b = Backoff::default();
        for _ in 0..4 {
            b.next(at(0), at(0), 0);
        }
        b.lost(at(10), at(11));
        assert_eq!(b.next(at(11), at(11), 0).since(at(11)), Duration::from_secs(4));
        b.lost(at(20), at(40));
        assert_eq!(b.next(at(40), at(40), 0).since(at(40)), FIRST);
    }

    #[test]
    fn a_try_that_took_long_is_followed_at_once() {
        let mut b = Backoff::default();
        assert_eq!(b.next(at(0), at(10), 0), at(10));
    }

    #[test]
    fn jitter_takes_at_most_a_quarter() {
        let wait = |jitter| Backoff::default().next(at(1), at(1), jitter).since(at(1));
        assert_eq!(wait(0), FIRST);
        assert_eq!(wait(255), FIRST * 3 / 4);
        assert!(wait(128) < FIRST && wait(128) > FIRST * 3 / 4, "different links, different waits");
    }
}
