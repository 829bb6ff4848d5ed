//! What goes through a neighbour's connection, behind its seal.
//!
//! Lives here: an envelope for an inbox of the other, and the word that it was taken.
//! Must not: know what an envelope holds.
//!
//! `1 ‖ inbox (16) ‖ token (16) ‖ id (16) ‖ ttl in seconds (4, big endian) ‖ body`, and `2 ‖ id (16)`. What begins with anything
//! else is of a later version, and is left alone.

use std::time::Duration;

use crate::envelope::{Body, Envelope, EnvelopeId, Inbox, Token, Ttl};
use crate::limits;

const SEND: u8 = 1;
const ACCEPTED: u8 = 2;
/// Bytes before a body.
const HEAD: usize = 1 + 3 * 16 + 4;
/// The longest.
pub const MOST: usize = HEAD + limits::BODY_BYTES;

/// One thing that is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// For one of the other's inboxes.
    Send(Envelope),
    /// It came, whatever became of it: as a relay, a neighbour tells nobody whether an inbox or a token is any.
    Accepted(EnvelopeId),
}

/// What came is nothing that an ahoy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what a neighbour said cannot be read")]
pub struct Unreadable;

impl Said {
    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Send(Envelope { inbox, token, id, ttl, body }) => {
                let seconds = u32::try_from(ttl.duration().as_secs()).unwrap_or(u32::MAX);
                let parts: [&[u8]; 6] = [
                    &[SEND],
                    &inbox.bytes(),
                    &token.bytes(),
                    &id.bytes(),
                    &seconds.to_be_bytes(),
                    body.bytes(),
                ];
                parts.concat()
            }
            Self::Accepted(id) => [&[ACCEPTED][..], &id.bytes()].concat(),
        }
    }

    /// Reads one. None: of a later version.
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, Unreadable> {
        let (kind, rest) = bytes.split_first().ok_or(Unreadable)?;
        match *kind {
            SEND => {
                let (inbox, rest) = rest.split_first_chunk().ok_or(Unreadable)?;
                let (token, rest) = rest.split_first_chunk().ok_or(Unreadable)?;
                let (id, rest) = rest.split_first_chunk().ok_or(Unreadable)?;
                let (ttl, body) = rest.split_first_chunk().ok_or(Unreadable)?;
                Ok(Some(Self::Send(Envelope {
                    inbox: Inbox::from_bytes(*inbox),
                    token: Token::from_bytes(*token),
                    id: EnvelopeId::from_bytes(*id),
                    ttl: Ttl::new(Duration::from_secs(u32::from_be_bytes(*ttl).into())),
                    body: Body::try_from(body.to_vec()).map_err(|_too_long| Unreadable)?,
                })))
            }
            ACCEPTED => {
                let id = <[u8; 16]>::try_from(rest).map_err(|_length| Unreadable)?;
                Ok(Some(Self::Accepted(EnvelopeId::from_bytes(id))))
            }
            _ => Ok(None),
        }
    }
}
