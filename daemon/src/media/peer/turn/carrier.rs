//! How a TURN server is reached.
//!
//! Lives here: the three ways, by what they cost.
//! Must not: reach one.

/// What carries packets to a TURN server, the cheapest first: a stream keeps packets back for one that was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Carrier {
    Udp,
    Tcp,
    Tls,
}
