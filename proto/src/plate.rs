//! How two who pair find each other at a relay: a number that one holds and the other asks for.
//!
//! Lives here: what is asked of a relay about numbers and what it says, as values; the frames are in `frame.rs`.
//! Must not: know what the two say to each other: it is opaque here.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::envelope::Body;

/// What a client asks. A connection is at one number at most: whatever it asks anew ends what was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlateAsk {
    /// A number of its own.
    Claim,
    /// To be brought together with who holds this one.
    Join(u32),
    /// Carry this to the other.
    Say(Body),
    /// It is over.
    Leave,
}

/// What a relay says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlateNews {
    /// The number, and how long it waits for the other.
    Claimed(u32, Duration),
    /// The other is there.
    Met,
    /// The other said this.
    Said(Body),
    /// It is over.
    Over(PlateOver),
}

/// Why a number is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlateOver {
    /// Nobody waits under this number.
    NoSuch,
    /// Its time is over.
    Expired,
    /// The other has left.
    Left,
    /// Too much was asked from this address in this minute.
    Rate,
    /// Too many numbers are held from this address, or in all.
    Full,
    /// More was said than two who pair have to say.
    TooMuch,
    /// A reason that this version does not know.
    #[serde(other)]
    Unknown,
}
