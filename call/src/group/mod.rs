//! A group's log as a value: what each member says of itself, and what all of it comes to.
//!
//! Lives here: what is said, how one who knows more tells one who knows less, and the bounds of both.
//! Must not: know a session, a path, what time it is, or how anything is signed.
//!
//! # The model
//!
//! No server holds a group. Each device that takes part says of itself, whole each time and under a rising number, whether it
//! is in the call: a [`Statement`]. Of one author the highest number counts, so nothing is lost when a lower one never comes. The
//! statements of all authors are the [`Log`]; what it comes to is the same in whatever order they came ([`Fold`]).
//!
//! Two who talk tell each other the number that they know of each author ([`Head`]); who knows more sends the entries
//! ([`News`]). An entry of another carries what that author's own port put on it, which the rules never read; an entry of our own
//! is sealed by our port whenever it is written, each time into the same bytes. A seal is checked before an entry gets here.
//!
//! Who says two things under one number has contradicted itself: both entries are kept and passed on as the proof, and for
//! everybody that device has left.

mod fold;
mod log;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use core::time::Duration;

use crate::id::{CallId, GroupId, LegId, PeerId};
use crate::parts::{DeclineReason, Opaque, Scope};
use crate::view::EndReason;

pub use fold::{Fold, Person, Standing};
pub use log::Log;

/// People in one group at most, with its starter.
pub const PEOPLE: usize = 25;
/// Devices of one person that are called at most.
pub const DEVICES: u8 = 8;
/// Authors of one log at most: a place for each device that could have said no.
pub const AUTHORS: usize = 64;
/// Entries in one message at most. With the longest seals they stay well inside one sealed message.
pub const ENTRIES: usize = 8;
/// Devices in one [`News::told`] at most.
pub const TOLD: usize = AUTHORS;
/// The highest number of a statement. A person who mutes and joins all day needs a thousandth of it.
pub const NUMBERS: u32 = 1 << 24;
/// The oldest that a call may be.
pub const OLDEST: Age = Age(400 * 24 * 3_600 * 1_000);

/// Milliseconds since the call was started, by the reckoning of who says so. Shown, never judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Age(pub u64);

impl Age {
    /// From a time that has passed, cut to whole milliseconds.
    pub fn of(passed: Duration) -> Self {
        Self(u64::try_from(passed.as_millis()).unwrap_or(u64::MAX)).min(OLDEST)
    }

    /// As a time that has passed.
    pub const fn passed(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

/// Which group call it is: the same in everything that is said of it, and a part of what each author signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The call, as signaling and media know it.
    pub call: CallId,
    /// The device that began it.
    pub leg: LegId,
    /// Whose it is.
    pub peer: PeerId,
    /// The named group, if it is of one.
    pub group: Option<GroupId>,
}

/// Whether a device is in the call, as it says itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It takes part.
    Joined {
        /// Since when.
        at: Age,
    },
    /// Its person said no.
    Declined {
        /// Why.
        reason: DeclineReason,
        /// For which of the person's devices.
        scope: Scope,
        /// When.
        at: Age,
    },
    /// It takes part no more.
    Left {
        /// Since when it had; none if it never did.
        joined: Option<Age>,
        /// When it left.
        at: Age,
    },
}

/// A person whom the author called into the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invited {
    /// Who.
    pub peer: PeerId,
    /// How many devices of theirs were called: so many have to say no.
    pub devices: u8,
    /// When. The starter's targets have zero.
    pub at: Age,
}

/// A person whom the author put out of the group. It counts if the author might.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Who.
    pub peer: PeerId,
    /// When.
    pub at: Age,
}

/// A device of which the author has heard nothing for the window. It counts for who does not hear it either, as long as the device
/// has not said anything newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// Which.
    pub leg: LegId,
    /// The number of the last that it had said.
    pub number: u32,
    /// When it was given up.
    pub at: Age,
}

/// The author ended the call for all. It counts if the author might.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Why.
    pub reason: EndReason,
    /// When.
    pub at: Age,
}

/// All that one device says of the call, whole each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Rises with each. The highest counts.
    pub number: u32,
    /// Whether it is in the call.
    pub presence: Presence,
    /// Whom it called, at most 24.
    pub invited: Vec<Invited>,
    /// Whom it put out, at most 24.
    pub removed: Vec<Removed>,
    /// Whom it gave up, at most 24.
    pub gone: Vec<Gone>,
    /// It ended the call.
    pub ended: Option<Ending>,
    /// It can open a room for the call, as far as it knows.
    pub rooms: bool,
}

impl Statement {
    /// Whether it is inside its bounds.
    pub fn is_within_bounds(&self) -> bool {
        let most = PEOPLE - 1;
        let full = self.invited.len() > most || self.removed.len() > most || self.gone.len() > most;
        let devices = self.invited.iter().all(|one| (1..=DEVICES).contains(&one.devices));
        !full && devices && (1..=NUMBERS).contains(&self.number)
    }
}

/// A statement and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The device that says it.
    pub author: LegId,
    /// Whose device it is.
    pub peer: PeerId,
    /// What it says.
    pub statement: Statement,
    /// What the author's port put on it: who that is, where it is reached, its signature. Empty in our own, until our port
    /// writes it.
    pub seal: Opaque,
    /// A digest of what was signed, made by the port that checked it; zero in our own. Two entries under one number with two
    /// prints are a contradiction.
    pub print: u64,
}

/// How much is known of an author.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Whom.
    pub author: LegId,
    /// The highest number known.
    pub number: u32,
    /// The print of that entry; zero where it is not told.
    pub print: u64,
    /// The author has contradicted itself, and the proof is known.
    pub contradicted: bool,
}

/// What one says of a group to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// Which group call.
    pub start: Start,
    /// How old it is when this is sent.
    pub age: Age,
    /// All that the sender knows of, at most 64.
    pub heads: Vec<Head>,
    /// What the receiver may not know, at most 8.
    pub entries: Vec<Entry>,
    /// Devices that are told the same by the sender: it need not be passed on to them. At most 64.
    pub told: Vec<LegId>,
}
