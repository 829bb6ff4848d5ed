//! The files of contacts and tokens, as they are written.
//!
//! Lives here: what stands in a file, and how an id is spelled in its name.
//! Must not: read or write one.

use ahoy_call::PeerId;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::values::contact_rules::ContactRules;

/// The version of the files that this program writes and understands.
pub(super) const VERSION: u32 = 1;
/// The file of one contact, `<id>.json`. Times are microseconds since the Unix epoch.
#[derive(Serialize, Deserialize)]
pub(super) struct ContactFile {
    pub(super) version: u32,
    pub(super) card: String,
    pub(super) name: String,
    pub(super) blocked: bool,
    pub(super) mutual: bool,
    /// Files of before do not say.
    #[serde(default)]
    pub(super) ping_there: bool,
    /// They said that their account has ended. Files of before do not say.
    #[serde(default)]
    pub(super) ended: bool,
    #[serde(default)]
    pub(super) told: u64,
    pub(super) added_at: i64,
    pub(super) last_call_at: i64,
    #[serde(flatten)]
    pub(super) manner: ContactRules,
}

/// The file of one token that we gave out, `tokens/<hash>.json`. The token itself is kept by its holder alone.
#[derive(Serialize, Deserialize)]
pub(super) struct TokenFile {
    pub(super) version: u32,
    /// For whom, as the person said.
    pub(super) name: String,
    /// The id of the contact that it binds to.
    pub(super) bound: Option<String>,
    pub(super) issued_at: i64,
    /// What its holder finds us by on a local network; files of before do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) near: Option<String>,
}

/// The file of somebody who asks to be a contact, `asking/<id>.json`.
#[derive(Serialize, Deserialize)]
pub(super) struct AskingFile {
    pub(super) version: u32,
    pub(super) card: String,
    /// The hash of the token by which they asked.
    pub(super) token: String,
    pub(super) asked_at: i64,
}

pub(super) fn hex(id: [u8; 16]) -> String {
    HEXLOWER.encode(&id)
}

pub(super) fn unhex(text: &str) -> Option<[u8; 16]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

pub(super) fn peer(text: &str) -> Option<PeerId> {
    unhex(text).map(PeerId::from_bytes)
}
