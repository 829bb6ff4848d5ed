//! Contacts: cards and rows, as files written by rename.
//!
//! Lives here: the store that the engine owns, names and ids of contacts, the tokens that were given out, the roster for signaling.
//! Must not: know a call, a session or the bus.

use std::sync::Arc;

use ahoy_call::PeerId;
use ahoy_proto::card::Card;

use crate::identity::Own;

/// Who we are and who may speak to us: what signaling needs of identity and contacts.
#[derive(Debug)]
pub struct Roster {
    /// Our keys, inboxes and certificate.
    pub own: Arc<Own>,
    /// The contacts.
    pub contacts: Vec<Known>,
    /// The tokens we gave out with our cards and did not revoke.
    pub tokens: Vec<Token>,
}

/// A contact as signaling sees it.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its id.
    pub peer: PeerId,
    /// The newest valid card we hold.
    pub card: Card,
    /// Never answered, never rung.
    pub blocked: bool,
    /// It may learn our network address before we answer.
    pub preconnect: bool,
}

/// A delivery token of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its hash, as the relay lists it.
    pub hash: [u8; 16],
    /// The first contact whose sealed message came with it; from others it is dropped.
    pub bound: Option<PeerId>,
}

/// Which contacts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactFilter {
    /// A part of the name, id or address.
    pub text: Option<String>,
    /// Only blocked or only not.
    pub blocked: Option<bool>,
    /// At most so many, 1 to 1000; 100 if none.
    pub limit: Option<u32>,
    /// Go on after this id.
    pub after: Option<String>,
}

/// What to change of a contact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactChange {
    /// A new name, 1 to 64 characters.
    pub name: Option<String>,
    /// Block or unblock.
    pub blocked: Option<bool>,
}

/// One contact. Times are microseconds since the Unix epoch, 0: never.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactRow {
    /// 32 hex digits.
    pub id: String,
    /// z-base-32 of the account key.
    pub address: String,
    /// As the person calls them.
    pub name: String,
    /// Never answered, never rung.
    pub blocked: bool,
    /// A handshake was once completed: they have our card.
    pub mutual: bool,
    /// When it was added.
    pub added_at: i64,
    /// The last call with them.
    pub last_call_at: i64,
}
