//! Microseconds since the Unix epoch as calendar time, in UTC.
//!
//! Lives here: its spellings of ISO 8601 and RFC 5545.
//! Must not: read a clock, or know a time zone.

use jiff::Timestamp;

/// `2026-11-03T14:05:09.123456Z`; empty for 0, which is never.
pub(super) fn iso(unix_us: i64) -> String {
    if unix_us == 0 { String::new() } else { format!("{:.6}", at(unix_us)) }
}

/// `20261103T140509Z`.
pub(super) fn basic(unix_us: i64) -> String {
    at(unix_us).strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// A moment before the year -9999 or after 9999 is the epoch: no clock says so.
fn at(unix_us: i64) -> Timestamp {
    Timestamp::from_microsecond(unix_us).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_around_leap_days_and_centuries_are_right() {
        for (seconds, expected) in [
            (951_782_400_i64, "20000229T000000Z"),
            (951_868_800, "20000301T000000Z"),
            (1_709_164_799, "20240228T235959Z"),
            (4_107_542_399, "21000228T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
            (-1, "19691231T235959Z"),
        ] {
            assert_eq!(basic(seconds * 1_000_000), expected);
        }
        assert_eq!(iso(1_793_714_709_000_042), "2026-11-03T14:05:09.000042Z");
        assert_eq!(iso(0), "");
    }
}
