//! Becoming each other's contacts by a code: what is asked, and what is shown of it.
//!
//! Lives here: the row of the last pairing, the ways one ends, each with its sentence.
//! Must not: hold a code where it is shown; know how one comes about.

use ahoy_call::PeerId;
use ahoy_proto::pair::code::Code;

/// What is asked about pairing.
#[derive(Debug, PartialEq)]
pub enum PairingRequest {
    /// A code to be said to somebody; what ran before ends.
    Start,
    /// Meet who shows this code; what ran before ends.
    Join(Code),
    /// What runs ends.
    Cancel,
}

ahoy_call::words! {
    /// How far a pairing is.
    pub enum PairingState {
        /// A relay is asked.
        Asking = "asking",
        /// The code is good, and nobody has typed it yet.
        Waiting = "waiting",
        /// Both are there.
        Meeting = "meeting",
        /// They are a contact of ours, and we of theirs.
        Paired = "paired",
        /// It is over, without a contact.
        Failed = "failed",
    }
}

ahoy_call::words! {
    /// Why nothing came of one.
    pub enum PairingEnd {
        /// Somebody does not know the words.
        WrongCode = "wrong-code",
        /// No relay that was asked has anybody under the number.
        NoSuchCode = "no-such-code",
        /// Nobody came in time.
        Expired = "expired",
        /// It was ended here.
        Canceled = "canceled",
        /// Another took its place here.
        Replaced = "replaced",
        /// It was ended there, or their link broke.
        Left = "left",
        /// Our own link broke.
        Lost = "lost",
        /// The other said nothing for too long.
        Silent = "silent",
        /// What came is nothing that an ahoy says.
        Altered = "altered",
        /// The other is ourselves.
        Own = "own-card",
        /// The disk did not take it.
        NotKept = "not-kept",
        /// There is no link to the relay.
        Unreachable = "unreachable",
        /// The relay knows nothing of pairing.
        OldRelay = "old-relay",
        /// The relay has no room for one more.
        Full = "full",
        /// Too many were tried from this network address.
        Rate = "rate",
    }
}

impl PairingEnd {
    /// What a person reads.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::WrongCode => {
                "The words did not fit: they were mistyped, or somebody guessed at the code. It is spent: make a new one."
            }
            Self::NoSuchCode => {
                "Nobody waits under this code: it was mistyped, it is spent, or its ten minutes are over. Ask for a new one."
            }
            Self::Expired => "The ten minutes are over and nobody came. Make a new code.",
            Self::Canceled => "The pairing was canceled. Its code is spent.",
            Self::Replaced => "A newer pairing has taken its place. Its code is spent.",
            Self::Left => {
                "The other side ended it, or lost its relay, before you were contacts. Make a new code."
            }
            Self::Lost => "The link to the relay broke before you were contacts. Make a new code.",
            Self::Silent => "The other side fell silent before you were contacts. Make a new code.",
            Self::Altered => {
                "What came is not what an ahoy says: somebody on the way has altered it. Nothing was taken. Make a new code, or use another relay."
            }
            Self::Own => "That is yourself: this code is for somebody else.",
            Self::NotKept => "The contact could not be written to the disk. Make room, and make a new code.",
            Self::OldRelay => {
                "The relay does not answer: it may be too old to pair. Ask who runs it for a newer ahoy-relay."
            }
            Self::Unreachable => {
                "The relay of this code cannot be reached from here: look at its name behind the @, and at your network. The code may still be good."
            }
            Self::Full => "The relay has too many pairings at the moment: try again in some minutes.",
            Self::Rate => "Too many codes were tried from your network address: try again in a minute.",
        }
    }
}

/// What is shown of the last pairing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PairingRow {
    /// Rises by one with each; 0: there was none.
    pub serial: u64,
    /// How far it is.
    pub state: Option<PairingState>,
    /// We have typed the code, and not shown it.
    pub joined: bool,
    /// When the present state ends by itself, to count to; 0: never.
    pub deadline_boot: u64,
    /// The code has less than half a minute left.
    pub ends_soon: bool,
    /// Why nothing came of it.
    pub reason: Option<PairingEnd>,
    /// The sentence about it.
    pub sentence: String,
    /// Who is a contact now.
    pub contact: Option<PeerId>,
    /// As they call themselves, or as they are called here.
    pub name: String,
    /// To be compared with theirs.
    pub safety_number: String,
}
