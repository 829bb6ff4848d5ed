//! Times of the bus as people read them.
//!
//! Lives here: "02:11", local calendar time, and the present moment of CLOCK_BOOTTIME to count from.
//! Must not: judge anything by a time.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rustix::time::{ClockId, clock_gettime};

/// Microseconds of CLOCK_BOOTTIME, the clock of the `…Monotonic` properties.
pub(crate) fn boot_us() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    seconds * 1_000_000 + u64::try_from(now.tv_nsec).unwrap_or_default() / 1000
}

/// Time since a moment of CLOCK_BOOTTIME, as `02:11`; empty for 0.
pub(crate) fn since(boot: u64) -> String {
    if boot == 0 { String::new() } else { span_ms(boot_us().saturating_sub(boot) / 1000) }
}

/// A span, as `02:11` or `1:02:11`.
pub(crate) fn span_ms(ms: u64) -> String {
    let seconds = ms / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes:02}:{seconds:02}")
    }
}

/// Microseconds since the Unix epoch as local time, `2026-11-03 14:05`; empty for 0.
pub(crate) fn local(unix_us: i64) -> String {
    stamp(unix_us)
        .map_or_else(String::new, |at| at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string())
}

/// The same for programs, `2026-11-03T13:05:09Z`; empty for 0.
pub(crate) fn utc(unix_us: i64) -> String {
    stamp(unix_us).map_or_else(String::new, |at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

fn stamp(unix_us: i64) -> Option<Timestamp> {
    if unix_us == 0 { None } else { Timestamp::from_microsecond(unix_us).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_hours_only_when_it_needs_them() {
        assert_eq!(span_ms(0), "00:00");
        assert_eq!(span_ms(131_999), "02:11");
        assert_eq!(span_ms(3_731_000), "1:02:11");
    }

    #[test]
    fn zero_is_never() {
        assert_eq!((utc(0), local(0), since(0)), (String::new(), String::new(), String::new()));
        assert_eq!(utc(1_793_714_709_000_000), "2026-11-03T14:05:09Z");
    }
}
