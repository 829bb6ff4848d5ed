//! Who we are and who may speak to us: what signaling needs of identity and contacts.
//!
//! Lives here: the value that the engine passes from contacts to signaling.
//! Must not: know where it is kept.

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
