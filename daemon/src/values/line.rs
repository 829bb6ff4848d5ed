//! How the line of a call is: what a person is shown of it.
//!
//! Lives here: the words for it, as they are on the bus and in history.
//! Must not: measure or judge; hold an address.

ahoy_call::words! {
    /// How well a line carries a voice, by what it loses and how long it takes.
    pub enum Quality {
        /// Loses at most 2 %, and answers within 150 ms.
        Excellent = "excellent",
        /// At most 5 %, within 300 ms.
        Good = "good",
        /// At most 10 %, within 500 ms.
        Fair = "fair",
        /// Worse than that.
        Poor = "poor",
        /// There is no path.
        Lost = "lost",
    }
}

ahoy_call::words! {
    /// Which way the packets of a call go.
    pub enum PathKind {
        /// From device to device.
        Direct = "direct",
        /// By a TURN server, to which our packets go over UDP.
        RelayUdp = "relay-udp",
        /// Over TCP.
        RelayTcp = "relay-tcp",
        /// Over TLS.
        RelayTls = "relay-tls",
    }
}

/// How the line of a call is now. What is not known is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// How well it carries.
    pub quality: Option<Quality>,
    /// The way.
    pub path: Option<PathKind>,
    /// How often the voice moved to another path, or came back by one that was lost.
    pub repairs: u32,
    /// The person speaks while the microphone is muted.
    pub speaking_muted: bool,
}

/// How one of the others in a call is heard now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemberLine {
    /// How well the line to them carries; none while that is not measured.
    pub quality: Option<Quality>,
    /// They speak.
    pub speaking: bool,
}

/// What history keeps of the line of a call that is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineSummary {
    /// The median over the time in which the quality was known: half of that time it was at least as good.
    pub quality: Option<Quality>,
    /// The last way.
    pub path: Option<PathKind>,
    /// As in [`Line`].
    pub repairs: u32,
}

ahoy_call::words! {
    /// How a device came by the address that packets go to or from (RFC 8445 §5.1.1).
    pub enum CandidateKind {
        /// One of its own.
        Host = "host",
        /// As a STUN server sees it.
        ServerReflexive = "srflx",
        /// As the other side sees it.
        PeerReflexive = "prflx",
        /// One of a TURN server's.
        Relay = "relay",
    }
}

ahoy_call::words! {
    /// What carries packets to the next hop.
    pub enum Hop {
        /// Datagrams.
        Udp = "udp",
        /// A stream.
        Tcp = "tcp",
        /// An encrypted stream.
        Tls = "tls",
    }
}

/// One end of a path, without its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// How the address was come by.
    pub kind: CandidateKind,
    /// How its device sends: by a relay, to the relay.
    pub hop: Hop,
}

/// The two ends of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Ours.
    pub local: Candidate,
    /// Theirs; how they reach a relay of theirs is not known here, and counts as UDP, which we send to it.
    pub remote: Candidate,
}

impl Pair {
    /// Which way packets go between these.
    pub fn path(self) -> PathKind {
        match (self.local.kind, self.remote.kind) {
            (CandidateKind::Relay, _) => match self.local.hop {
                Hop::Udp => PathKind::RelayUdp,
                Hop::Tcp => PathKind::RelayTcp,
                Hop::Tls => PathKind::RelayTls,
            },
            (_, CandidateKind::Relay) => PathKind::RelayUdp,
            (
                CandidateKind::Host | CandidateKind::ServerReflexive | CandidateKind::PeerReflexive,
                CandidateKind::Host | CandidateKind::ServerReflexive | CandidateKind::PeerReflexive,
            ) => PathKind::Direct,
        }
    }
}

/// What a path was negotiated to be encrypted with, by the names of their registries (IANA).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ciphers {
    /// The protection profile of SRTP (RFC 5764 §4.1.2), which the voice travels by.
    pub srtp: String,
    /// The cipher suite of DTLS, by which keys are agreed on and frames travel.
    pub dtls: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_relayed_if_either_end_is_and_ours_says_by_what() {
        let at = |kind, hop| Candidate { kind, hop };
        let direct = at(CandidateKind::PeerReflexive, Hop::Udp);
        let path = |local, remote| Pair { local, remote }.path().word();
        assert_eq!(path(at(CandidateKind::Host, Hop::Udp), direct), "direct");
        for (hop, word) in [(Hop::Udp, "relay-udp"), (Hop::Tcp, "relay-tcp"), (Hop::Tls, "relay-tls")] {
            assert_eq!(path(at(CandidateKind::Relay, hop), direct), word);
        }
        assert_eq!(path(direct, at(CandidateKind::Relay, Hop::Udp)), "relay-udp");
    }
}
