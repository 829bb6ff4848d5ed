//! What travels between two phones and past the relay.
//!
//! Lives here: the list of parts.
//! Must not: do I/O, read a clock, make randomness.

#[cfg(feature = "sealed")]
mod armor;
#[cfg(feature = "sealed")]
pub mod card;
#[cfg(feature = "sealed")]
pub mod identity;

pub mod envelope;
