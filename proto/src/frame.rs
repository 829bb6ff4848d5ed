//! What a client and its relay say to each other: JSON text frames over a WebSocket with the subprotocol
//! `ahoy.relay.1`.
//!
//! Lives here: the frames of both directions, their bounded parsing, the close codes. The proof that an inbox is ours: `frame/claim.rs`.
//! Must not: know when to say what; that is the relay's switchboard and the daemon's link.

mod claim;

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use self::claim::{Claim, Nonce};
use crate::envelope::{Body, Envelope, EnvelopeId, TokenHash};
use crate::limits;
use crate::plate::{PlateAsk, PlateNews, PlateOver};
use crate::room::{RoomAsk, RoomNews};

/// The WebSocket subprotocol.
pub const SUBPROTOCOL: &str = "ahoy.relay.1";

/// The version that `hello` names.
pub const VERSION: u32 = 1;

/// From a client to its relay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ToRelay {
    /// The first frame. Answered by `challenge`.
    Hello {
        /// The newest version that the client speaks.
        version: u32,
    },
    /// Takes an inbox and lists who may write to it. Replaces the list that the relay may still have. Answered by
    /// `welcome`; a claim that does not verify ends the connection (1008).
    Claim(Claim),
    /// Adds tokens to the list.
    Allow {
        /// At most `limits::TOKENS_IN_FRAME`.
        tokens: Vec<TokenHash>,
        /// Whether the list is still incomplete: what comes meanwhile is judged when it is whole.
        #[serde(default)]
        more: bool,
    },
    /// Takes tokens off the list, and drops what waits with them.
    Revoke {
        /// At most `limits::TOKENS_IN_FRAME`.
        tokens: Vec<TokenHash>,
    },
    /// Carries an envelope. Answered by `accepted`, whatever becomes of it, or by `refused` past a limit.
    Send(Envelope),
    /// A delivered envelope is in safe hands: the relay forgets it.
    Ack {
        /// Which.
        id: EnvelopeId,
    },
    /// Asks for fresh TURN credentials.
    Credentials,
    /// Asks for a number under which another finds us, to pair. Answered by `plate-claimed` or `plate-over`; a relay that does not
    /// know the word says nothing.
    PlateClaim,
    /// Asks for who holds this number. Answered by `plate-met`, to both, or by `plate-over`.
    PlateJoin {
        /// Which.
        number: u32,
    },
    /// Carries a message to the other. Before `plate-met` it is dropped.
    PlateSay {
        /// At most `limits::PLATE_BYTES` in all.
        body: Body,
    },
    /// The pairing is over; the other hears `plate-over`.
    PlateLeave,
    /// Something about a room. A relay that does not know the word says nothing; one without rooms says so in `welcome`.
    Room(RoomAsk),
    /// A kind that this version does not know; ignored.
    #[serde(other)]
    Unknown,
}

/// From a relay to its client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ToClient {
    /// What a claim on this connection must sign.
    Challenge {
        /// Fresh for each connection.
        nonce: Nonce,
    },
    /// The inbox is claimed; mail follows.
    Welcome {
        /// What this relay allows.
        limits: Limits,
        /// STUN and TURN servers.
        #[serde(default)]
        ice_servers: Vec<IceServer>,
    },
    /// An envelope arrived at the relay. Says nothing about its owner.
    Accepted {
        /// Which.
        id: EnvelopeId,
    },
    /// An envelope for the claimed inbox. Comes again after every claim, until its `ack`.
    Deliver(Deliver),
    /// The answer to `credentials`.
    Credentials {
        /// STUN and TURN servers.
        #[serde(default)]
        ice_servers: Vec<IceServer>,
    },
    /// A number is ours.
    PlateClaimed {
        /// Within `limits::PLATES`.
        number: u32,
        /// How long it waits for the other, in seconds.
        lives_s: u32,
    },
    /// The other is there.
    PlateMet,
    /// A message of the other.
    PlateSaid {
        /// What is said.
        body: Body,
    },
    /// Nothing comes of a number any more.
    PlateOver {
        /// Why.
        why: PlateOver,
    },
    /// The answer about a room.
    Room(RoomNews),
    /// The server of the rooms answers again, or does not any more: what `welcome` said of rooms is no longer so.
    Rooms {
        /// How many people a room takes; 0: there are none.
        passes: u32,
    },
    /// A frame was not obeyed, for a reason that lies with its sender alone.
    Refused {
        /// The envelope, if it was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<EnvelopeId>,
        /// Why.
        why: Why,
    },
    /// A kind that this version does not know; ignored.
    #[serde(other)]
    Unknown,
}

/// An envelope on its last leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliver {
    /// Which.
    pub id: EnvelopeId,
    /// How long the relay held it, in milliseconds.
    pub held_ms: u64,
    /// The hash of the token that it came with.
    pub token: TokenHash,
    /// What is sealed.
    pub body: Body,
}

/// What a relay allows, so that a client need not find out by being cut off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Bytes of one sealed body.
    pub body_bytes: u32,
    /// Tokens of one inbox.
    pub tokens: u32,
    /// Envelopes that wait for one inbox.
    pub mailbox: u32,
    /// Seconds that an envelope waits at most.
    pub ttl_s: u32,
    /// Envelopes sent in a minute.
    pub per_minute: u32,
    /// People in one room; 0: there are no rooms, or not now.
    #[serde(skip_serializing_if = "is_zero")]
    pub room: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A STUN or TURN server (RFC 7064, RFC 7065).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceServer {
    /// `stun:host:port`, `turn:host:port?transport=udp`.
    pub urls: Vec<String>,
    /// For TURN.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub username: String,
    /// For TURN.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub credential: String,
}

/// Credentials are not shown.
impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IceServer({} urls)", self.urls.len())
    }
}

/// Why a frame was not obeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// Too many in this minute.
    Rate,
    /// `hello` comes first.
    HelloFirst,
    /// Only the owner of an inbox may do that.
    NotClaimed,
    /// One claim for each connection.
    AlreadyClaimed,
    /// The list is full.
    TooManyTokens,
    /// A reason that this version does not know.
    #[serde(other)]
    Unknown,
}

/// Why a relay closes a connection; the WebSocket's close code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseCode {
    /// The relay ends. 1001.
    GoingAway,
    /// A bad claim, or neither claim nor envelope in time. 1008.
    Policy,
    /// A message longer than `limits::MESSAGE_BYTES`. 1009.
    TooBig,
    /// Does not read, or the relay is full: come again later. 1013.
    Slow,
    /// A newer connection claimed the same inbox: stay away for `limits::DISPLACED_FOR`. 4001.
    Displaced,
}

impl CloseCode {
    /// RFC 6455 §7.4, and 4001 of our own.
    pub const fn number(self) -> u16 {
        match self {
            Self::GoingAway => 1001,
            Self::Policy => 1008,
            Self::TooBig => 1009,
            Self::Slow => 1013,
            Self::Displaced => 4001,
        }
    }

    /// `None` for a code that no relay of ours sends.
    pub const fn from_number(number: u16) -> Option<Self> {
        match number {
            1001 => Some(Self::GoingAway),
            1008 => Some(Self::Policy),
            1009 => Some(Self::TooBig),
            1013 => Some(Self::Slow),
            4001 => Some(Self::Displaced),
            _ => None,
        }
    }
}

/// Why a text is not a frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// More than `limits::MESSAGE_BYTES`.
    #[error("a frame of {0} bytes is too long")]
    TooLong(usize),
    /// Not JSON, or not of the expected form.
    #[error("not a frame")]
    Malformed(#[source] serde_json::Error),
    /// A list longer than its limit.
    #[error("a list of {0} entries is too long")]
    TooMany(usize),
    /// Something about a room that is past a limit.
    #[error("a word about a room is too long or asks for too much")]
    TooMuch,
}

impl ToRelay {
    /// Reads one text frame. Never trusts its length, its lists or its bodies.
    pub fn parse(text: &str) -> Result<Self, FrameError> {
        let frame: Self = parse(text)?;
        let tokens = match &frame {
            Self::Claim(Claim { tokens, .. }) | Self::Allow { tokens, .. } | Self::Revoke { tokens } => {
                tokens.len()
            }
            Self::PlateSay { body } if body.bytes().len() > limits::PLATE_BYTES => {
                return Err(FrameError::TooLong(body.bytes().len()));
            }
            Self::Room(ask) if !ask.fits() => return Err(FrameError::TooMuch),
            Self::Hello { .. }
            | Self::Send(_)
            | Self::Ack { .. }
            | Self::Credentials
            | Self::PlateClaim
            | Self::PlateJoin { .. }
            | Self::PlateSay { .. }
            | Self::PlateLeave
            | Self::Room(_)
            | Self::Unknown => 0,
        };
        if tokens > limits::TOKENS_IN_FRAME { Err(FrameError::TooMany(tokens)) } else { Ok(frame) }
    }

    /// As one text frame.
    pub fn to_text(&self) -> String {
        to_text(self)
    }
}

impl ToClient {
    /// Reads one text frame. Never trusts its length, its lists or its bodies.
    pub fn parse(text: &str) -> Result<Self, FrameError> {
        let frame: Self = parse(text)?;
        if let Self::Welcome { ice_servers, .. } | Self::Credentials { ice_servers } = &frame {
            let most = ice_servers.iter().map(|s| s.urls.len()).max().unwrap_or(0).max(ice_servers.len());
            if most > limits::ICE_SERVERS {
                return Err(FrameError::TooMany(most));
            }
        }
        if let Self::PlateSaid { body } = &frame
            && body.bytes().len() > limits::PLATE_BYTES
        {
            return Err(FrameError::TooLong(body.bytes().len()));
        }
        if matches!(&frame, Self::Room(news) if !news.fits()) {
            return Err(FrameError::TooMuch);
        }
        Ok(frame)
    }

    /// As one text frame.
    pub fn to_text(&self) -> String {
        to_text(self)
    }
}

impl From<PlateAsk> for ToRelay {
    fn from(ask: PlateAsk) -> Self {
        match ask {
            PlateAsk::Claim => Self::PlateClaim,
            PlateAsk::Join(number) => Self::PlateJoin { number },
            PlateAsk::Say(body) => Self::PlateSay { body },
            PlateAsk::Leave => Self::PlateLeave,
        }
    }
}

impl From<PlateNews> for ToClient {
    fn from(news: PlateNews) -> Self {
        match news {
            PlateNews::Claimed(number, lives) => {
                let lives_s = u32::try_from(lives.as_secs()).unwrap_or(u32::MAX);
                Self::PlateClaimed { number, lives_s }
            }
            PlateNews::Met => Self::PlateMet,
            PlateNews::Said(body) => Self::PlateSaid { body },
            PlateNews::Over(why) => Self::PlateOver { why },
        }
    }
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, FrameError> {
    if text.len() > limits::MESSAGE_BYTES {
        return Err(FrameError::TooLong(text.len()));
    }
    serde_json::from_str(text).map_err(FrameError::Malformed)
}

fn to_text<T: Serialize>(frame: &T) -> String {
    serde_json::to_string(frame).expect("frames hold only strings, numbers, lists and booleans")
}

#[cfg(test)]
mod tests;
