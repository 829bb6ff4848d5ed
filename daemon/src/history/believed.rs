//! Whether the calendar may decide what is too old.
//!
//! Lives here: how long one that was just set, or that is far from everything that is known, is not believed.
//! Must not: read a clock or a row.

use std::time::Duration;

use ahoy_call::Moment;

/// A calendar that was set, or that is strange, is believed after so long: by then a time server has put it right.
const DOUBTED_FOR: Duration = Duration::from_secs(3_600);
/// More than that is no drift: the calendar was set.
const SET_US: i64 = 60_000_000;
const DAY_US: i64 = 86_400_000_000;
/// Somebody who has not called for longer may have been away; or the calendar is wrong since before we began.
const STRANGE_US: i64 = 7 * DAY_US;
/// Nobody is away for that long: what is too old is then counted from the newest row.
const WRONG_US: i64 = 400 * DAY_US;

/// What is known of the calendar.
#[derive(Debug)]
pub(super) struct Calendar {
    /// The calendar less the time since boot.
    ahead_us: i64,
    /// Since when it goes steadily.
    steady_since: Moment,
    /// It was set while we ran.
    was_set: bool,
}

impl Calendar {
    /// At the start of the program.
    pub(super) fn new(now: Moment, unix_us: i64) -> Self {
        Self { ahead_us: ahead(now, unix_us), steady_since: now, was_set: false }
    }

    /// The time against which rows may be too old; none while the calendar is not believed. `newest`: when the newest call
    /// began.
    pub(super) fn judge(&mut self, now: Moment, unix_us: i64, newest: i64) -> Option<i64> {
        let ahead_us = ahead(now, unix_us);
        if ahead_us.abs_diff(self.ahead_us) > SET_US.unsigned_abs() {
            (self.ahead_us, self.steady_since, self.was_set) = (ahead_us, now, true);
        }
        let away = unix_us.saturating_sub(newest);
        let doubted = self.was_set || away > STRANGE_US;
        if doubted && now.since(self.steady_since) < DOUBTED_FOR {
            return None;
        }
        self.was_set = false;
        Some(if away > WRONG_US { newest } else { unix_us })
    }
}

fn ahead(now: Moment, unix_us: i64) -> i64 {
    unix_us.saturating_sub(i64::try_from(now.micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000_000;

    fn at(minutes: u64) -> Moment {
        Moment::from_micros(minutes * 60_000_000)
    }

    fn after(minutes: i64) -> i64 {
        NOW + minutes * 60_000_000
    }

    #[test]
    fn a_calendar_that_goes_steadily_beside_the_rows_is_believed_at_once() {
        let mut it = Calendar::new(at(0), NOW);
        assert_eq!(it.judge(at(0), NOW, NOW - 2 * DAY_US), Some(NOW));
        assert_eq!(it.judge(at(600), after(600) + 1_000_000, NOW), Some(after(600) + 1_000_000), "it drifts");
    }

    #[test]
    fn one_that_jumps_is_believed_when_it_has_been_steady_for_an_hour() {
        let mut it = Calendar::new(at(0), NOW);
        let wrong = |minutes| after(minutes) + 300 * DAY_US;
        assert_eq!(it.judge(at(10), wrong(10), NOW), None);
        assert_eq!(it.judge(at(69), wrong(69), NOW), None);
        assert_eq!(it.judge(at(69), after(69), NOW), None, "put right: that is a jump too");
        assert_eq!(it.judge(at(128), after(128), NOW), None);
        assert_eq!(it.judge(at(129), after(129), NOW), Some(after(129)));
        assert_eq!(it.judge(at(130), after(130), NOW), Some(after(130)));
    }

    #[test]
    fn one_that_was_wrong_before_we_began_deletes_nothing_that_the_newest_row_does_not_leave_behind() {
        let years = 5 * 365 * DAY_US;
        let mut it = Calendar::new(at(0), NOW + years);
        assert_eq!(it.judge(at(0), NOW + years, NOW), None);
        assert_eq!(it.judge(at(60), after(60) + years, NOW), Some(NOW), "however long it stays wrong");
        let mut holiday = Calendar::new(at(0), NOW);
        assert_eq!(holiday.judge(at(0), NOW, NOW - 60 * DAY_US), None, "somebody was away");
        assert_eq!(holiday.judge(at(60), after(60), NOW - 60 * DAY_US), Some(after(60)));
    }
}
