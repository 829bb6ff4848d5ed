//! From a packet of a neighbour, or a resolver's answer, to what is believed of it.
//!
//! Lives here: the targets that know how the daemon reads DNS; what must hold stands there, as in its own tests.
//! Must not: depend on the fuzzer.

use ahoyd::{discovery, neighbours};

/// A packet that came by multicast DNS. True if it was understood.
pub fn neighbour_dns(data: &[u8]) -> bool {
    neighbours::tried(data)
}

/// A resolver's answer about relays. True if it was understood.
pub fn relay_dns(data: &[u8]) -> bool {
    discovery::tried(data)
}
