//! Does the wire stay what it is, and can nothing on it break a decoder?
//!
//! Lives here: the list of parts.
//! Must not: hold tests of its own.
#![expect(clippy::unwrap_used, reason = "the helpers of tests may unwrap like the tests")]

mod corpus;
mod known;
mod rooms;
mod vectors;
