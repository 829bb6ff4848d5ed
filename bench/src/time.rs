//! The one clock of all figures, and waiting for time to pass.
//!
//! Lives here: CLOCK_MONOTONIC, for the bus, for sound and for processes alike.
//! Must not: wait for what can be waited for by an event.

use std::time::{Duration, Instant};

/// What a wait for an event may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

#[expect(clippy::disallowed_methods, reason = "a benchmark is measured with the clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "what is watched for a time is not waited for by an event")]
pub(crate) async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Milliseconds from one time to another.
pub(crate) fn ms(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64() * 1e3
}

/// Since the machine began, suspend included: the bus tells deadlines so.
pub(crate) fn boot_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
