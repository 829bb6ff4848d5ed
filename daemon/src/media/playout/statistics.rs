//! What the buffer went through.
//!
//! Lives here: the counts, and what each of them counts.
//! Must not: count anything by itself.

use std::time::Duration;

/// What the buffer went through, in frames since its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Taken in from packets of their own, each once.
    pub received: u64,
    /// Decoded and played.
    pub played: u64,
    /// Not there when they should have played; some of them came late.
    pub lost: u64,
    /// Of these, rebuilt from the packet after.
    pub recovered: u64,
    /// Played as concealment: lost, or waited for.
    pub concealed: u64,
    /// Came after their place was played.
    pub late: u64,
    /// Came again.
    pub duplicated: u64,
    /// Impossible size, order or schedule.
    pub rejected: u64,
    /// Came in time, but too many waited.
    pub skipped: u64,
    /// Cuts and stretches: pieces of pauses or pitch periods taken out or put in.
    pub stretched: u64,
    /// Came as a copy with another packet, and were missing.
    pub copied: u64,
    /// Packets that were asked for again, each time.
    pub asked: u64,
    /// Played, and mended: from a copy, or from a packet that was sent again.
    pub repaired: u64,
    /// How long after the fastest packets' schedule frames play now.
    pub delay: Duration,
    /// What is aimed for.
    pub target: Duration,
    /// How much later than the fastest nearly all recent packets came.
    pub jitter: Duration,
}
