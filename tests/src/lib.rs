//! What the tests of the whole share.
//!
//! Lives here: the list of rooms.
//! Must not: hold a test of behaviour; those are in `tests/`.

pub mod bus;
pub mod introspection;
