//! Microseconds since the Unix epoch as calendar time, in UTC.
//!
//! Lives here: the civil calendar, and its spellings of ISO 8601 and RFC 5545.
//! Must not: read a clock, or know a time zone.

/// `2026-11-03T14:05:09.123456Z`; empty for 0, which is never.
pub(super) fn iso(unix_us: i64) -> String {
    if unix_us == 0 {
        return String::new();
    }
    let (date, time) = split(unix_us);
    let micros = unix_us.rem_euclid(1_000_000);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{micros:06}Z",
        date.0, date.1, date.2, time.0, time.1, time.2
    )
}

/// `20261103T140509Z`.
pub(super) fn basic(unix_us: i64) -> String {
    let (date, time) = split(unix_us);
    format!("{:04}{:02}{:02}T{:02}{:02}{:02}Z", date.0, date.1, date.2, time.0, time.1, time.2)
}

type Triple = (i64, i64, i64);

/// Year, month, day; hour, minute, second. Days are counted from a 1 March, so that a leap day is the last of its year,
/// in eras of 400 years, which are all alike.
fn split(unix_us: i64) -> (Triple, Triple) {
    let seconds = unix_us.div_euclid(1_000_000);
    let days = seconds.div_euclid(86_400) + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let second = seconds.rem_euclid(86_400);
    ((year, month, day), (second / 3_600, second / 60 % 60, second % 60))
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
