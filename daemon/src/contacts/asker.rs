//! Somebody who asks to be a contact, in memory: all but their card.
//!
//! Lives here: what is known of them, and how their file is read.
//! Must not: decide who may ask.

use std::path::{Path, PathBuf};

use ahoy_call::PeerId;
use ahoy_proto::card::Card;
use ahoy_proto::identity::AccountBytes;

use super::format::{AskingFile, hex, unhex};

/// Somebody who asks. Their card is in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asking {
    /// The hash of the token by which they asked.
    pub(super) token: [u8; 16],
    pub(super) account: AccountBytes,
    pub(super) name: Box<str>,
    pub(super) revision: u64,
    /// Microseconds since the Unix epoch.
    pub(super) asked_at: i64,
}

impl Asking {
    pub(super) fn of(card: &Card, token: [u8; 16], asked_at: i64) -> Self {
        let account = AccountBytes(card.account.to_bytes());
        Self { token, account, name: (*card.name).into(), revision: card.revision, asked_at }
    }
}

/// Where the files of those who ask lie.
pub(super) fn place(dir: &Path) -> PathBuf {
    dir.join("asking")
}

/// One of them; `stem` is its name without the ending.
pub(super) fn read(stem: &str, file: AskingFile) -> Option<(PeerId, Asking)> {
    let card = Card::parse(&file.card).ok()?;
    let peer = card.peer_id();
    (hex(peer.bytes()) == stem).then_some(())?;
    Some((peer, Asking::of(&card, unhex(&file.token)?, file.asked_at)))
}
