//! Times of the bus as people read them.
//!
//! Lives here: "02:11", local calendar time, and the present moment of CLOCK_BOOTTIME to count from.
//! Must not: judge anything by a time.

use std::sync::OnceLock;
use std::time::Duration;

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};
use rustix::time::{ClockId, clock_gettime};

use crate::complain::complain;

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

/// How long until the time since then shows another second.
pub(crate) fn to_next_second(boot: u64) -> Duration {
    let into = boot_us().saturating_sub(boot) % 1_000_000;
    Duration::from_micros(1_000_000 - into)
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
    stamp(unix_us).map_or_else(String::new, |at| at.to_zoned(zone()).strftime("%Y-%m-%d %H:%M").to_string())
}

/// The same for programs, `2026-11-03T13:05:09Z`; empty for 0.
pub(crate) fn utc(unix_us: i64) -> String {
    stamp(unix_us).map_or_else(String::new, |at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// A time to come, as a person says it: `18:30` is the next half past six, the rest is a local date and time, or one with its
/// zone. Microseconds since the Unix epoch; else the sentence that says what would be right.
pub(crate) fn ahead(text: &str) -> Result<i64, String> {
    ahead_of(&now(), text)
}

fn ahead_of(now: &Zoned, text: &str) -> Result<i64, String> {
    let at_wall = |at: DateTime| at.to_zoned(now.time_zone().clone()).ok();
    let today = |time: Time| at_wall(now.date().to_datetime(time)).filter(|at| at > now);
    let tomorrow = |time: Time| at_wall(now.date().tomorrow().ok()?.to_datetime(time));
    let read = || match text.parse::<Time>() {
        Ok(time) if !text.contains('-') => today(time).or_else(|| tomorrow(time)),
        Ok(_) | Err(_) => at_wall(text.parse().ok()?),
    };
    let at = text.parse().ok().or_else(|| read().map(|at| at.timestamp()));
    let at = at.ok_or_else(|| format!("'{text}' is no time: say 18:30, or 2026-12-24T08:00."))?;
    if at <= now.timestamp() { Err(format!("'{text}' has passed.")) } else { Ok(at.as_microsecond()) }
}

/// The time that lies a span ahead, `45m`, `2h`, `1h30m`; as [`ahead`].
pub(crate) fn after(span: &str) -> Result<i64, String> {
    after_from(&now(), span)
}

fn after_from(now: &Zoned, text: &str) -> Result<i64, String> {
    let wrong = || format!("'{text}' is no span of time: say 45m, 2h or 1h30m.");
    let span: Span = text.parse().map_err(|_| wrong())?;
    let at = now.checked_add(span).map_err(|_| wrong())?;
    if at <= *now { Err(wrong()) } else { Ok(at.timestamp().as_microsecond()) }
}

/// The same with seconds, `2026-11-03 14:05:09`.
pub(crate) fn local_second(unix_us: i64) -> String {
    let local = |at: Timestamp| at.to_zoned(zone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    stamp(unix_us).map_or_else(String::new, local)
}

/// A time that was, as a person says it: `3d` or `12h` ago, a local date, or one with a time.
pub(crate) fn past(text: &str) -> Result<i64, String> {
    past_of(&now(), text)
}

fn past_of(now: &Zoned, text: &str) -> Result<i64, String> {
    let wrong =
        || format!("'{text}' is no time: say 2026-11-03, 2026-11-03T14:05, or 3d for three days ago.");
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at.as_microsecond());
    }
    let zoned = if let Ok(span) = text.parse::<Span>() {
        now.checked_sub(span.abs())
    } else {
        text.parse::<DateTime>().map_err(|_| wrong())?.to_zoned(now.time_zone().clone())
    };
    zoned.map(|at| at.timestamp().as_microsecond()).map_err(|_| wrong())
}

/// Now, where the person is.
fn now() -> Zoned {
    Timestamp::now().to_zoned(zone())
}

/// The person's time zone. A name in TZ that no zone has is told once, and UTC taken, as the C library does in silence.
fn zone() -> TimeZone {
    static ZONE: OnceLock<TimeZone> = OnceLock::new();
    let zone = ZONE.get_or_init(|| {
        let named = std::env::var("TZ").unwrap_or_default();
        // As the C library reads it: a colon before it, and the two trees of its zones.
        let name = named.strip_prefix(':').unwrap_or(&named);
        let plain = name.strip_prefix("posix/").unwrap_or(name);
        TimeZone::try_system().or_else(|_| TimeZone::get(plain)).unwrap_or_else(|_| {
            if !name.is_empty() {
                complain(&format!("ahoyctl: There is no time zone '{name}' (TZ); times are in UTC."));
            }
            TimeZone::UTC
        })
    });
    zone.clone()
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
    fn a_time_of_day_is_the_next_one_and_what_has_passed_is_refused() {
        let now = "2026-11-03T14:05:00Z".parse::<Timestamp>().unwrap().to_zoned(TimeZone::UTC);
        let said = |text: &str| ahead_of(&now, text).map(utc);
        assert_eq!(said("18:30").unwrap(), "2026-11-03T18:30:00Z");
        assert_eq!(said("08:00").unwrap(), "2026-11-04T08:00:00Z");
        assert_eq!(said("2026-12-24T08:00").unwrap(), "2026-12-24T08:00:00Z");
        assert_eq!(said("2026-12-24 08:00").unwrap(), "2026-12-24T08:00:00Z");
        assert_eq!(said("2026-11-03T15:05:00+00:30").unwrap(), "2026-11-03T14:35:00Z");
        for wrong in ["2026-11-03T14:00", "later", "", "25:00"] {
            assert!(said(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_span_lies_ahead_and_over_days_the_clock_on_the_wall_counts() {
        let now = "2026-11-03T14:05:00Z".parse::<Timestamp>().unwrap().to_zoned(TimeZone::UTC);
        let said = |text: &str| after_from(&now, text).map(utc);
        assert_eq!(said("45m").unwrap(), "2026-11-03T14:50:00Z");
        assert_eq!(said("1h30m").unwrap(), "2026-11-03T15:35:00Z");
        assert_eq!(said("2d").unwrap(), "2026-11-05T14:05:00Z");
        for wrong in ["", "0m", "-1h", "soon", "5"] {
            assert!(said(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn zero_is_never() {
        assert_eq!((utc(0), local(0), since(0)), (String::new(), String::new(), String::new()));
        assert_eq!(utc(1_793_714_709_000_000), "2026-11-03T14:05:09Z");
    }

    #[test]
    fn a_past_time_is_a_span_ago_or_a_date() {
        let now = "2026-11-03T14:05:09Z".parse::<Timestamp>().unwrap().to_zoned(TimeZone::UTC);
        let utc = |text: &str| past_of(&now, text).map(utc);
        assert_eq!(utc("3d").unwrap(), "2026-10-31T14:05:09Z");
        assert_eq!(utc("12h").unwrap(), "2026-11-03T02:05:09Z");
        assert_eq!(utc("2026-01-02").unwrap(), "2026-01-02T00:00:00Z");
        assert_eq!(utc("2026-01-02 03:04").unwrap(), "2026-01-02T03:04:00Z");
        assert!(utc("yesterday").is_err());
    }
}
