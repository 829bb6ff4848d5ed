//! Where our keys lie.
//!
//! Lives here: the choices.
//! Must not: know a key.

use serde::{Deserialize, Serialize};

/// Where our long-term keys are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeysIn {
    /// In a file that only this user can read.
    #[default]
    File,
    /// In the Secret Service of the desktop, which the person unlocks.
    SecretService,
}
