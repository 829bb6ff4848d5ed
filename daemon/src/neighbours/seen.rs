//! Who is seen on the networks where we are.
//!
//! Lives here: which contact each that is announced is, and where.
//! Must not: connect; know a tag's making.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use ahoy_call::PeerId;
use ahoy_proto::neighbour::tag::{Hour, NeighbourKey};

use super::circle::Circle;
use super::dns::Says;
use super::presence::Presence;

/// A contact that is seen: where, by which interface, and the key for it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) peer: PeerId,
    pub(super) interface: u32,
    pub(super) at: SocketAddr,
    pub(super) key: NeighbourKey,
    pub(super) hour: Hour,
}

/// A number under which somebody waits to pair: by which interface, and where.
pub(super) type Number = (u32, u32, SocketAddr);

/// Whom they announce, contacts and numbers.
pub(super) fn look(presences: &BTreeMap<u32, Presence>, circle: &Circle) -> (Vec<Seen>, Vec<Number>) {
    let (mut seen, mut numbers): (Vec<Seen>, Vec<Number>) = (Vec::new(), Vec::new());
    for (interface, presence) in presences {
        for one in presence.dns.seen() {
            match &one.says {
                Says::Number(number) => numbers.push((*number, *interface, one.at)),
                Says::Tags(tags) => {
                    let Some((key, hour, peer)) = circle.recognize(tags) else { continue };
                    // One way to each machine is enough.
                    let known = |at: &Seen| {
                        at.peer == peer
                            && at.key == key
                            && at.at.is_ipv4() != one.at.is_ipv4()
                            && at.at.port() == one.at.port()
                    };
                    if !seen.iter().any(known) {
                        seen.push(Seen { peer, interface: *interface, at: one.at, key, hour });
                    }
                }
            }
        }
    }
    (seen, numbers)
}
