//! How packets come by themselves: the share that is missing, how long it is missing at a stretch, and whether a queue fills.
//!
//! Lives here: what the policy of the other direction is told.
//! Must not: know payloads, or what was mended by a copy or a repeat.

use std::time::Duration;

/// What came by itself lately.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Heard {
    /// Share of packets lost (0 to 1) over up to 10 s; of the last second alone where loss has just begun.
    pub lost: f32,
    /// Mean number of packets lost in a row.
    pub run: f32,
    /// Share lost in the last second.
    pub recent: f32,
    /// How much later packets of the last second came than the fastest of the last 30 s, all alike: a queue that fills.
    pub queue: Duration,
    /// Frames that came so far.
    pub frames: u32,
}
