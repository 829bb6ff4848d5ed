//! Codes whose words did not fit.
//!
//! Lives here: after three of them nothing is paired for ten minutes.
//! Must not: know a code.

use std::time::Duration;

use ahoy_call::Moment;

use crate::values::request::{Denied, DeniedKind};

/// So many may fail.
const MOST: u32 = 3;
/// How long nothing is paired then, and how long a failure is remembered.
const PAUSE: Duration = Duration::from_secs(600);

/// How many failed one after the other, and when the last one did.
#[derive(Debug, Default)]
pub(super) struct Failures {
    count: u32,
    last: Moment,
}

impl Failures {
    /// Whether another may be tried.
    pub(super) fn look(&mut self, now: Moment) -> Result<(), Denied> {
        if now >= self.last + PAUSE {
            self.forget();
        }
        if self.count < MOST {
            return Ok(());
        }
        let minutes = (self.last + PAUSE).since(now).as_secs().div_ceil(60);
        let sentence = format!(
            "Three codes have failed one after the other, as if somebody were guessing: try again in {minutes} min."
        );
        Err(Denied::new(DeniedKind::RateLimited, sentence))
    }

    /// One more.
    pub(super) fn note(&mut self, now: Moment) {
        if now >= self.last + PAUSE {
            self.forget();
        }
        self.count += 1;
        self.last = now;
    }

    /// One succeeded.
    pub(super) fn forget(&mut self) {
        self.count = 0;
    }
}
