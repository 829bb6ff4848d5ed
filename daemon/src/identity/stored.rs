//! The file of our keys.
//!
//! Lives here: what it holds, reading and writing it.
//! Must not: make a key, quote the file in an error, or overwrite one that it cannot read.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use ahoy_proto::identity::DeviceCertificate;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use super::{IdentityError, VERSION};
use crate::system::file;

/// The file. Keys in base64url; it is read and written as a whole. Without the account's key another device holds that.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) account: Option<String>,
    pub(super) device: String,
    pub(super) noise: String,
    pub(super) certificate: DeviceCertificate,
    /// Claim keys by relay, those of relays that are no longer configured too.
    pub(super) inboxes: BTreeMap<String, String>,
    /// The name that was set over the bus.
    pub(super) name: Option<String>,
    pub(super) revision: u64,
    /// What the card of this revision says.
    pub(super) shown_name: String,
    pub(super) shown_relays: Vec<String>,
}

/// What every version of it says.
#[derive(Deserialize)]
pub(super) struct Versioned {
    pub(super) version: u32,
}

impl Drop for Stored {
    fn drop(&mut self) {
        let secrets = [&mut self.device, &mut self.noise].into_iter().chain(&mut self.account);
        secrets.for_each(|secret| secret.zeroize());
        self.inboxes.values_mut().for_each(|secret| secret.zeroize());
    }
}

/// None: there is no file.
pub(super) fn read(path: &Path) -> Result<Option<Stored>, IdentityError> {
    let unusable = |source| IdentityError::Unusable { path: path.to_owned(), source };
    let text = match std::fs::read(path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(error)),
    };
    let mode = std::fs::metadata(path).map_err(unusable)?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!("the file of our keys could be read by others and is now closed to them");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(unusable)?;
    }
    // The text of a JSON error may quote the file, so only the place of the fault is told.
    let broken = |error: serde_json::Error| {
        damaged(path, &format!("line {}, column {}", error.line(), error.column()))
    };
    let Versioned { version } = serde_json::from_slice(&text).map_err(broken)?;
    if version > VERSION {
        return Err(IdentityError::Newer { path: path.to_owned() });
    }
    serde_json::from_slice(&text).map(Some).map_err(broken)
}

/// Writes it as a whole, readable by its owner alone.
pub(super) fn save(path: &Path, stored: &Stored) -> Result<(), IdentityError> {
    let unusable = |source| IdentityError::Unusable { path: path.to_owned(), source };
    if let Some(dir) = path.parent() {
        file::make_dir(dir).map_err(unusable)?;
    }
    let text = serde_json::to_vec_pretty(stored).map_err(|error| unusable(error.into()))?;
    file::write(path, &Zeroizing::new(text)).map_err(unusable)
}

/// Something is wrong with it; `what` quotes nothing of it.
pub(super) fn damaged(path: &Path, what: &str) -> IdentityError {
    IdentityError::Damaged { path: path.to_owned(), what: what.to_owned() }
}
