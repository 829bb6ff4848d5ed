//! How everybody in the relay names a connection.
//!
//! Lives here: the number.
//! Must not: know what it is the number of.

/// One connection. Whoever owns the sockets numbers them, and never uses a number twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);
