//! A sender that leaves out frames in which nothing is said.
//!
//! Lives here: whether the voice rests, and where and how it goes on.
//! Must not: know payloads or packets.

use super::level::PAUSE_US;

/// A sender that left something out is this near to its schedule afterwards.
const NEAR_US: i64 = 200_000;

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// Nothing was said in the frame that plays, and for a while: the next ones may be left out.
    on: bool,
    /// The frame after those that were left out last.
    resumes: Option<i64>,
    /// The level before that.
    level: i64,
}

impl Rest {
    /// Nothing is said in the frame that plays, at this level.
    pub(super) fn begin(&mut self, level: i64) {
        (self.on, self.level) = (true, level);
    }

    /// Something plays.
    pub(super) fn end(&mut self) {
        self.on = false;
    }

    pub(super) fn is_on(&self) -> bool {
        self.on
    }

    /// Whether what was learned of the way before is true of what comes so far off its schedule.
    pub(super) fn keeps_time(&self, off: i64) -> bool {
        self.on && off < NEAR_US
    }

    /// The frames before this one were left out.
    pub(super) fn resumes(&mut self, number: i64) {
        self.resumes = Some(number);
    }

    /// Whether what is missing before this frame was left out.
    pub(super) fn is_before(&self, number: i64) -> bool {
        self.on && self.resumes == Some(number)
    }

    /// The level from which on it goes on: as before, as far as that is no more than a pause leaves.
    pub(super) fn goes_on_at(&self, target: i64) -> i64 {
        if self.on { self.level.min(target + PAUSE_US) } else { 0 }
    }
}
