//! The clocks: time since boot with suspend counted, and calendar time to show.
//!
//! Lives here: every reading of a clock, and every waiting for a moment.
//! Must not: decide what happens then; nothing else in the daemon reads a clock.

use std::future::Future;
use std::time::Duration;

use ahoy_call::Moment;
use rustix::fd::OwnedFd;
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// Now, in microseconds since boot, suspend included (`CLOCK_BOOTTIME`).
pub fn now() -> Moment {
    Moment::from_micros(u64::try_from(micros(clock_gettime(ClockId::Boottime))).unwrap_or(0))
}

/// Whether the time since boot is there, goes on, and counts no less than the time that stands still in suspend.
pub fn boot_time_is_sane() -> bool {
    let awake = micros(clock_gettime(ClockId::Monotonic));
    let (first, second) =
        (micros(clock_gettime(ClockId::Boottime)), micros(clock_gettime(ClockId::Boottime)));
    first > 0 && first >= awake && second >= first
}

/// Now, as the WebRTC library counts.
#[expect(clippy::disallowed_methods, reason = "every clock is read here")]
pub(crate) fn instant() -> std::time::Instant {
    std::time::Instant::now()
}

/// Now, in microseconds since the Unix epoch. To be shown and stored, never judged. Asked of the C library, so that a test can
/// give one daemon another calendar (libfaketime); the kernel's own answer nobody can change but for the whole machine.
#[expect(clippy::disallowed_methods, reason = "every clock is read here")]
pub fn unix_us() -> i64 {
    let now = std::time::SystemTime::now();
    match now.duration_since(std::time::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros),
    }
}

/// By how much the calendar is ahead of the time since boot. It changes by much only when the calendar is set.
pub fn unix_ahead_us() -> i64 {
    unix_us().saturating_sub(i64::try_from(now().micros()).unwrap_or(i64::MAX))
}

/// A moment, past or to come, in microseconds since the Unix epoch as the calendar stands now.
pub fn to_unix(moment: Moment) -> i64 {
    let here = now();
    let behind = i64::try_from(here.since(moment).as_micros()).unwrap_or(i64::MAX);
    let ahead = i64::try_from(moment.since(here).as_micros()).unwrap_or(i64::MAX);
    unix_us().saturating_sub(behind).saturating_add(ahead)
}

/// Waits until `moment`; at once if it has passed. Wakes in time after a suspend, which tokio's own timers do not.
/// Needs a tokio runtime with its I/O driver.
pub async fn sleep_until(moment: Moment) {
    if moment <= now() {
        // A loop of due deadlines must not starve the other tasks of its thread.
        tokio::task::yield_now().await;
        return;
    }
    wait(TimerfdClockId::Boottime, moment.micros(), TimerfdTimerFlags::ABSTIME, moment - now()).await;
}

/// Waits until then, as [`sleep_until`] does; for ever if there is no such moment.
pub async fn at(moment: Option<Moment>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Waits until the calendar says so, microseconds since the Unix epoch, also if it is set meanwhile; at once if it has passed.
/// Needs a tokio runtime with its I/O driver.
pub async fn sleep_until_unix(unix_us: i64) {
    let micros = u64::try_from(unix_us).unwrap_or(0);
    if unix_us <= self::unix_us() {
        tokio::task::yield_now().await;
        return;
    }
    let left = Duration::from_micros(micros.saturating_sub(u64::try_from(self::unix_us()).unwrap_or(0)));
    wait(TimerfdClockId::Realtime, micros, TimerfdTimerFlags::ABSTIME, left).await;
}

/// Waits until the calendar was set, or for an hour. What depends on the calendar is then looked at again.
pub async fn until_set_or_an_hour() {
    const HOUR: Duration = Duration::from_secs(3_600);
    let later = u64::try_from(unix_us()).unwrap_or(0).saturating_add(HOUR.as_secs() * 1_000_000);
    let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
    wait(TimerfdClockId::Realtime, later, flags, HOUR).await;
}

/// Waits for a timer of the kernel, and where no file descriptor is left for it with one that stops in suspend, for `else_for`.
async fn wait(of: TimerfdClockId, micros: u64, flags: TimerfdTimerFlags, else_for: Duration) {
    match timer(of, micros, flags) {
        Ok(timer) => {
            // An error here means that the runtime shuts down, which drops this future anyway.
            let _fired = timer.readable().await;
        }
        Err(error) => {
            tracing::warn!(%error, "no timer of the kernel is left, waiting with one that stops in suspend");
            pace(else_for).await;
        }
    }
}

/// Waits that long at the runtime's own pace, which stands still in suspend: for sound, which does too. Costs no system call.
#[expect(
    clippy::disallowed_methods,
    reason = "a pace, not a deadline: in suspend there is no sound to serve"
)]
pub async fn pace(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Waits that long, suspend included.
pub async fn sleep(duration: Duration) {
    sleep_until(now() + duration).await;
}

/// The time was over before the future was ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the time is over")]
pub struct TimeIsOver;

/// Waits for `future`, but no longer than `duration`. What is ready at once wins, even with no time at all.
pub async fn timeout<F: Future>(duration: Duration, future: F) -> Result<F::Output, TimeIsOver> {
    tokio::select! {
        biased;
        output = future => Ok(output),
        () = sleep(duration) => Err(TimeIsOver),
    }
}

fn timer(of: TimerfdClockId, micros: u64, flags: TimerfdTimerFlags) -> std::io::Result<AsyncFd<OwnedFd>> {
    let timer = timerfd_create(of, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
    let at = Timespec {
        tv_sec: i64::try_from(micros / 1_000_000).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(micros % 1_000_000).unwrap_or(0) * 1_000,
    };
    let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: at };
    timerfd_settime(&timer, flags, &once)?;
    #[expect(
        deprecated,
        reason = "its successor is unsafe; an owned descriptor that moves in stays open until it is removed"
    )]
    AsyncFd::with_interest(timer, tokio::io::Interest::READABLE)
}

fn micros(t: Timespec) -> i64 {
    t.tv_sec.saturating_mul(1_000_000).saturating_add(t.tv_nsec / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_converts_to_calendar_time_in_both_directions() {
        let hour = Duration::from_secs(3600);
        let before = unix_us();
        let ahead = to_unix(now() + hour) - before;
        let past = before - to_unix(Moment::from_micros(now().micros().saturating_sub(1_000_000)));
        assert!((3_600_000_000..3_601_000_000).contains(&ahead), "an hour ahead lies an hour ahead: {ahead}");
        assert!((0..=1_000_000).contains(&past), "a second ago lies in the past: {past}");
    }

    #[test]
    fn the_time_since_boot_goes_on() {
        assert!(boot_time_is_sane());
    }

    #[tokio::test]
    async fn a_sleep_ends_at_its_moment_and_not_before() {
        let due = now() + Duration::from_millis(20);
        sleep_until(due).await;
        assert!(now() >= due, "it must not wake early");
    }

    #[tokio::test]
    async fn a_time_of_the_calendar_is_waited_for_and_not_less() {
        let due = unix_us() + 20_000;
        sleep_until_unix(due).await;
        assert!(unix_us() >= due, "it must not wake early");
        sleep_until_unix(1).await;
    }

    #[tokio::test]
    async fn a_timeout_keeps_what_was_ready_and_ends_what_never_is() {
        assert_eq!(timeout(Duration::ZERO, async { 7 }).await, Ok(7));
        assert_eq!(timeout(Duration::from_millis(5), std::future::pending::<()>()).await, Err(TimeIsOver));
    }
}
