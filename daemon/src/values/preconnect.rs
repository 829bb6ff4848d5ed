//! Whose path is set up before the answer.
//!
//! Lives here: the choices.
//! Must not: know a contact.

use serde::{Deserialize, Serialize};

/// Whose path is set up before our phone rings, so that an answer is heard at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preconnect {
    /// Every contact.
    Always,
    /// Contacts whose safety number was compared.
    Trusted,
    /// Nobody.
    Never,
}
