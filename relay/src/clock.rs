//! The relay's clock. A server does not suspend, so the monotonic clock will do.
//!
//! Lives here: every reading of a clock, and every waiting for a moment.
//! Must not: decide what happens then.

use std::future::Future;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::time::Moment;

static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Now, since the clock was first read.
pub fn now() -> Moment {
    Moment::default() + BEGAN.elapsed()
}

/// The calendar, in seconds since the Unix epoch.
pub fn unix_s() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the calendar")]
    let now = SystemTime::now();
    now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Waits until `moment`; at once if it has passed.
pub async fn sleep_until(moment: Moment) {
    tokio::time::sleep_until(*BEGAN + moment.since(Moment::default())).await;
}

/// Waits for `future`, but no longer than `duration`.
pub async fn timeout<F: Future>(duration: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(duration, future).await.ok()
}
