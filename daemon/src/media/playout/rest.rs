//! A sender that leaves out frames in which nothing is said.
//!
//! Lives here: whether the voice rests, and where it goes on.
//! Must not: know payloads or packets.

use crate::media::rests::SAYS_SO;

/// A sender that left something out is this near to its schedule afterwards.
const NEAR_US: i64 = 200_000;

/// So many are known at once whose frames before them were left out: more never wait to be played.
const PENDING: usize = 4;

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// Nothing was said in the frame that plays, and for a while: the next ones may be left out.
    on: bool,
    /// Frames before which some were left out, the last ones.
    resumes: Vec<i64>,
}

impl Rest {
    /// Nothing is said in the frame that plays.
    pub(super) fn begin(&mut self) {
        self.on = true;
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
        if self.resumes.len() == PENDING {
            self.resumes.remove(0);
        }
        self.resumes.push(number);
    }

    /// This frame, which says that some were left out not long before it, was overtaken by others.
    pub(super) fn overtaken(&mut self, number: i64) {
        if self.resumes.contains(&number) {
            return;
        }
        let overtook = |at: &&mut i64| (1..i64::from(SAYS_SO)).contains(&(**at - number));
        if let Some(at) = self.resumes.iter_mut().find(overtook) {
            *at = number;
        }
    }

    /// Whether what is missing before this frame was left out.
    pub(super) fn is_before(&self, number: i64) -> bool {
        self.on && self.resumes.contains(&number)
    }
}
