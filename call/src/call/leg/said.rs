//! What a device says of itself: its flags.
//!
//! Lives here: which word is the newest; how often their holding is acted on.
//! Must not: know whether the device is the one that we talk to.

use core::time::Duration;

use crate::time::Moment;

/// Their putting aside and taking up again is acted on so often at most.
const HOLDS_EVERY: Duration = Duration::from_secs(1);

/// The flags of a device. The newest word counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// The number of the word.
    pub(crate) serial: u32,
    /// Its microphone is muted.
    pub(crate) muted: bool,
    /// It has no microphone.
    pub(crate) hears_only: bool,
    /// Its camera is on.
    pub(crate) camera: bool,
    /// It holds the call, as far as we act on it: the word waits for its turn.
    pub(crate) held: bool,
    /// It holds the call, as it says.
    pub(crate) wants_held: bool,
    /// When that changed last.
    pub(crate) held_changed: Option<Moment>,
}

impl Said {
    /// Takes a newer word; an older one that comes late changes nothing. What it says of holding waits for its turn.
    pub(crate) fn hear(&mut self, newer: Self) {
        if newer.serial > self.serial {
            *self = Self { held: self.held, held_changed: self.held_changed, ..newer };
        }
    }

    /// When its word about holding is acted on; none if it is already.
    pub(crate) fn hold_due(&self) -> Option<Moment> {
        let now = self.held_changed.map_or(Moment::default(), |at| at + HOLDS_EVERY);
        (self.wants_held != self.held).then_some(now)
    }

    /// Acts on it, if its time has come.
    pub(crate) fn settle_hold(&mut self, now: Moment) {
        if self.hold_due().is_some_and(|at| at <= now) {
            (self.held, self.held_changed) = (self.wants_held, Some(now));
        }
    }
}
