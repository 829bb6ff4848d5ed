//! Two people become each other's contacts by a code of a number and two words, through a relay that neither must trust.
//!
//! Lives here: the list of parts. [`code`] is what one says to the other, [`link`] what one
//! may open instead; [`meeting`] is what the two daemons say then, sealed
//! with a key from [`cpace`]; [`frames`](crate::frame) carry it.
//! Must not: do I/O, read a clock, make randomness, keep a contact.

pub mod code;
pub mod cpace;
pub mod link;
pub mod meeting;
