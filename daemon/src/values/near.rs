//! Neighbours on a local network: what signaling and the room that reaches them hand each other, and what is shown of it.
//!
//! Lives here: places, envelopes and news of them, networks and whether they are trusted.
//! Must not: know a socket, or who may say what.

use std::collections::BTreeSet;
use std::fmt;

use ahoy_call::PeerId;
use ahoy_proto::envelope::{Envelope, EnvelopeId};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// How the name of a place begins. No relay's does.
const BEGINS: &str = "near:";

/// The name under which two who pair meet among neighbours, where they would else name their relay.
pub const PAIRING_PLACE: &str = "near:pairing";

/// Where an envelope goes among neighbours, or came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NearPlace {
    /// Every device of this contact that is seen.
    Contact(PeerId),
    /// Whoever is at the other end of a connection that they began.
    Connection(u64),
}

impl NearPlace {
    /// As the ways of signaling name it, beside relays.
    pub fn name(self) -> String {
        match self {
            Self::Contact(peer) => format!("{BEGINS}{}", data_encoding::HEXLOWER.encode(&peer.bytes())),
            Self::Connection(number) => format!("{BEGINS}#{number}"),
        }
    }

    /// The place of that name; none: it is a relay's.
    pub fn named(name: &str) -> Option<Self> {
        let rest = name.strip_prefix(BEGINS)?;
        if let Some(number) = rest.strip_prefix('#') {
            return number.parse().ok().map(Self::Connection);
        }
        let bytes = data_encoding::HEXLOWER.decode(rest.as_bytes()).ok()?;
        Some(Self::Contact(PeerId::from_bytes(bytes.try_into().ok()?)))
    }
}

/// Carry this.
#[derive(Debug)]
pub struct NearPost {
    /// To whom.
    pub to: NearPlace,
    /// What.
    pub envelope: Envelope,
}

/// What happened among neighbours.
#[derive(Debug)]
pub enum NearNews {
    /// An envelope came. Whether its inbox and its token are ours is not yet looked at.
    Came(NearPlace, Envelope),
    /// The other has this envelope.
    Accepted(NearPlace, EnvelopeId),
    /// These contacts are seen now.
    Seen(BTreeSet<PeerId>),
}

/// Signaling's end of what passes between it and the neighbours.
#[derive(Debug)]
pub struct NearEnd {
    /// Envelopes on their way.
    pub posts: mpsc::Sender<NearPost>,
    /// What happened.
    pub news: mpsc::Receiver<NearNews>,
}

impl NearEnd {
    /// Where there are no neighbours.
    pub fn nowhere() -> Self {
        Self { posts: mpsc::channel(1).0, news: mpsc::channel(1).1 }
    }
}

/// Which network it is: a digest of its gateway's hardware address and its prefix.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NetworkId(pub [u8; 16]);

/// It says where somebody is.
impl fmt::Debug for NetworkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NetworkId(…)")
    }
}

/// A network of which a person has said whether it is theirs, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Judged {
    /// [`NetworkId`], in hex.
    pub id: String,
    /// As in [`NetworkRow`].
    pub prefix: String,
    /// What they said. Files of 0.1 hold those alone that are.
    #[serde(default = "yes")]
    pub trusted: bool,
}

fn yes() -> bool {
    true
}

impl Judged {
    /// That of a row's network, if it is known which that is.
    pub fn new(row: &NetworkRow, trusted: bool) -> Option<Self> {
        let id = data_encoding::HEXLOWER.encode(&row.id?.0);
        Some(Self { id, prefix: row.prefix.clone(), trusted })
    }

    /// Whether it is of the same network.
    pub fn is_of(&self, other: &Self) -> bool {
        (&self.id, &self.prefix) == (&other.id, &other.prefix)
    }
}

/// A network that this machine is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkRow {
    /// By which interface.
    pub interface: String,
    /// As in `192.168.1.0/24`.
    pub prefix: String,
    /// None while the gateway's hardware address is not known.
    pub id: Option<NetworkId>,
    /// We are found there, and find others.
    pub trusted: bool,
    /// The person has said whether it is theirs.
    pub judged: bool,
}

/// What is shown of it all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NearView {
    /// The networks, by interface.
    pub networks: Vec<NetworkRow>,
    /// Contacts that are seen.
    pub seen: BTreeSet<PeerId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_a_name_that_no_relay_has() {
        for place in [NearPlace::Contact(PeerId::from_bytes([0xab; 16])), NearPlace::Connection(7)] {
            assert_eq!(NearPlace::named(&place.name()), Some(place));
        }
        for other in ["wss://near:1", "near:", "near:#", "near:#x", "near:abab", PAIRING_PLACE, ""] {
            assert_eq!(NearPlace::named(other), None, "{other}");
        }
    }
}
