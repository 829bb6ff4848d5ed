//! How members of a call get into a room: what is asked of a relay that has rooms, and what it says.
//!
//! Lives here: the words of both, and tickets, which a relay makes and reads and nobody else; the frames that carry them are in `frame.rs`.
//! Must not: know whose call it is: a relay learns how many come, never who.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{armor, limits};

/// Bytes of a ticket.
pub const TICKET_BYTES: usize = 73;

/// A right at a relay's rooms, signed with what all relays of these rooms share. Whoever holds it has it, so it travels sealed.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ticket(#[serde(with = "armor")] pub [u8; TICKET_BYTES]);

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<ticket>")
    }
}

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum RoomAsk {
    /// A room, and passes for those who are to come. Only for who has an inbox here. Answered by `passes`, with the host's ticket.
    Open {
        /// How many, at most `limits::ROOM_PASSES`.
        passes: u8,
        /// How long they are good, at most as long as a ring.
        lives_s: u16,
    },
    /// More passes. Answered by `passes`.
    Draw {
        /// The host's ticket, or that of somebody's seat.
        by: Ticket,
        /// How many.
        passes: u8,
        /// How long they are good.
        lives_s: u16,
    },
    /// Into the room. A pass is good once. Answered by `entry`.
    Enter {
        /// The pass.
        pass: Ticket,
    },
    /// Puts somebody out. Answered by `done`.
    Remove {
        /// The host's ticket.
        host: Ticket,
        /// Their identity in the room.
        who: String,
    },
    /// Who is there, by identity. Answered by `people`.
    People {
        /// The host's ticket.
        host: Ticket,
    },
    /// The end of the room. Answered by `done`; where the room's server cannot be reached the relay goes on trying.
    Close {
        /// The host's ticket.
        host: Ticket,
    },
    /// A word that this version does not know; ignored.
    #[serde(other)]
    Unknown,
}

/// What a relay says.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "news", rename_all = "kebab-case")]
pub enum RoomNews {
    /// What was asked for.
    Passes {
        /// For who opened the room.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<Ticket>,
        /// Each good once.
        passes: Vec<Ticket>,
    },
    /// The way in.
    Entry {
        /// Servers of the room, any of them: `wss://…`.
        urls: Vec<String>,
        /// Lets this identity into this room for `limits::ROOM_TOKEN_FOR`.
        token: String,
        /// Random, and of this room alone: the other members are told it by who comes.
        identity: String,
        /// To draw passes for others, and for coming back.
        seat: Ticket,
    },
    /// It is done.
    Done,
    /// Who is there.
    People {
        /// By identity.
        who: Vec<String>,
    },
    /// Nothing comes of it.
    Over {
        /// Why.
        why: RoomOver,
    },
    /// A word that this version does not know; ignored.
    #[serde(other)]
    Unknown,
}

/// Tokens and identities are not shown.
impl fmt::Debug for RoomNews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passes { passes, .. } => write!(f, "Passes({})", passes.len()),
            Self::Entry { urls, .. } => write!(f, "Entry({} urls)", urls.len()),
            Self::Done => f.write_str("Done"),
            Self::People { who } => write!(f, "People({})", who.len()),
            Self::Over { why } => write!(f, "Over({why:?})"),
            Self::Unknown => f.write_str("Unknown"),
        }
    }
}

/// Why nothing comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoomOver {
    /// This relay has no rooms, or their server does not answer now.
    None,
    /// The ticket is not of these rooms, or not for this.
    Bad,
    /// Its time is over.
    Expired,
    /// Somebody has used it.
    Used,
    /// Too much was asked from this address in this minute.
    Rate,
    /// A reason that this version does not know.
    #[serde(other)]
    Unknown,
}

impl RoomNews {
    /// Whether nothing in it is too long or too much.
    pub(crate) fn fits(&self) -> bool {
        let short = |text: &String, most: usize| (1..=most).contains(&text.len());
        match self {
            Self::Passes { passes, .. } => passes.len() <= limits::ROOM_PASSES,
            Self::Entry { urls, token, identity, .. } => {
                (1..=limits::ROOM_URLS).contains(&urls.len())
                    && urls.iter().all(|url| short(url, limits::RELAY_URL_BYTES))
                    && short(token, limits::ROOM_TOKEN_BYTES)
                    && short(identity, limits::ROOM_IDENTITY_BYTES)
            }
            Self::People { who } => {
                who.len() <= limits::ROOM_PEOPLE
                    && who.iter().all(|one| short(one, limits::ROOM_IDENTITY_BYTES))
            }
            Self::Done | Self::Over { .. } | Self::Unknown => true,
        }
    }
}

impl RoomAsk {
    /// Whether nothing in it is too long or too much.
    pub(crate) fn fits(&self) -> bool {
        match self {
            Self::Open { passes, lives_s } | Self::Draw { passes, lives_s, .. } => {
                usize::from(*passes) <= limits::ROOM_PASSES
                    && u64::from(*lives_s) <= limits::RING_LIFETIME.as_secs()
            }
            Self::Remove { who, .. } => (1..=limits::ROOM_IDENTITY_BYTES).contains(&who.len()),
            Self::Enter { .. } | Self::People { .. } | Self::Close { .. } | Self::Unknown => true,
        }
    }
}
