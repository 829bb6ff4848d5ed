//! How a connection to a neighbour begins, in clear.
//!
//! Lives here: the first bytes of who dials: a tag with the first message of the handshake, or the number of a pairing.
//! Must not: judge them.
//!
//! `1 ‖ tag (8) ‖ handshake (48)`, answered with 48 bytes, and frames follow; or `2 ‖ number (4, big endian)`, and then messages
//! of the two who pair, each with its length (2, big endian) before it: they are sealed by what the two share, or worthless.

use super::tag::Tag;
use crate::limits;

/// Bytes of the first message of a handshake.
pub const OPENING: usize = 48;
/// Bytes of the second one.
pub const ANSWER: usize = 48;
const CONTACT: u8 = 1;
const PAIR: u8 = 2;

/// What somebody wants who connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Knock {
    /// A contact, by its tag.
    Contact {
        /// As it was announced.
        tag: Tag,
        /// The first message of the handshake.
        opening: [u8; OPENING],
    },
    /// To pair, by the number of a code.
    Pair(u32),
}

impl Knock {
    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Contact { tag, opening } => [&[CONTACT][..], &tag.0, opening].concat(),
            Self::Pair(number) => [&[PAIR][..], &number.to_be_bytes()].concat(),
        }
    }

    /// How many bytes follow a first one; none if it is nothing that is known.
    pub const fn length_behind(first: u8) -> Option<usize> {
        match first {
            CONTACT => Some(8 + OPENING),
            PAIR => Some(4),
            _ => None,
        }
    }

    /// Reads one, whole.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (first, rest) = bytes.split_first()?;
        match *first {
            CONTACT => {
                let (tag, opening) = rest.split_first_chunk()?;
                Some(Self::Contact { tag: Tag(*tag), opening: opening.try_into().ok()? })
            }
            PAIR => {
                let number = u32::from_be_bytes(rest.try_into().ok()?);
                limits::PLATES.contains(&number).then_some(Self::Pair(number))
            }
            _ => None,
        }
    }
}
