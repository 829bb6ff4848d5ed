//! Another device, as to the room of a call: since when it is heard there, which passes it was given, what it said.
//!
//! Lives here: when the next pass is due; which of what it says is kept.
//! Must not: decide who gives, or whose pass is taken (`passes.rs`).

use alloc::vec::Vec;
use core::time::Duration;

use crate::call::Leg;
use crate::call::leg::within_a_minute;
use crate::message::Opaque;
use crate::time::Moment;

/// Who does not come gets another pass after so long, then after twice as long, up to eight times.
const GIVE_AGAIN: Duration = Duration::from_secs(15);
/// The next one gives, too, when somebody has not come for so long.
const NEXT_GIVES: Duration = Duration::from_secs(20);
/// Passes of one device that are looked at in a minute.
const PASSES: usize = 8;

/// Another device, as to the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::call::group) struct Seat {
    /// Its frames can come by the room.
    pub(in crate::call::group) heard: bool,
    /// Since when that is as it is.
    pub(in crate::call::group) since: Moment,
    /// Since when the room carries both ways.
    pub(in crate::call::group) both: Option<Moment>,
    /// How many passes it was given in vain, and when the last.
    pub(super) given: u8,
    pub(super) given_at: Option<Moment>,
}

/// What was said of the room in one session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    /// Their newest key.
    pub(in crate::call::group) key: Option<(u32, Opaque)>,
    /// Whether they hear us by the room, and the number of the word.
    pub(in crate::call::group) hears: (u32, bool),
    /// The number of our key that they were told.
    pub(in crate::call::group) told_key: u32,
    /// Whether they were told that we hear them.
    pub(in crate::call::group) told_hears: bool,
    /// Their newest pass, until it is known whether they take part.
    pub(super) pass: Option<Opaque>,
    passes: Vec<Moment>,
}

impl Words {
    /// In a new session everything is said again. What they said of hearing us stands until then.
    pub(crate) fn again(&self) -> Self {
        Self { hears: (0, self.hears.1), ..Self::default() }
    }
}

impl Leg {
    /// They give us a way in. It may come before we know what it is to.
    pub(crate) fn gives_pass(&mut self, now: Moment, pass: Opaque) {
        if within_a_minute(&mut self.room.passes, now) < PASSES {
            self.room.passes.push(now);
            self.room.pass = Some(pass);
        }
    }
}

impl Seat {
    pub(super) fn new(now: Moment) -> Self {
        Self { heard: false, since: now, both: None, given: 0, given_at: None }
    }

    /// From now on its frames can come, or cannot.
    pub(in crate::call::group) fn hear(&mut self, heard: bool, now: Moment) {
        (self.heard, self.since, self.both) = (heard, now, None);
        if heard {
            (self.given, self.given_at) = (0, None);
        }
    }

    /// A pass led in: the next is not due before that has come to nothing.
    pub(in crate::call::group) fn led_in(&mut self, now: Moment) {
        self.given_at = Some(now);
    }

    pub(super) fn due(&self, rank: usize) -> Moment {
        let rank = u32::try_from(rank).unwrap_or(u32::MAX).min(64);
        let again = self.given_at.map_or(Moment::default(), |at| {
            at + GIVE_AGAIN * (1 << u32::from(self.given.saturating_sub(1)).min(3))
        });
        again.max(self.since + NEXT_GIVES * rank)
    }
}
