//! What a sealed file holds, as it is written.
//!
//! Lives here: its form and version, the names that it may hold and how much, reading it strictly.
//! Must not: seal it, or touch the disk.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use super::failed;
use crate::values::request::Denied;

/// The version that this program writes, and the newest that it understands.
const VERSION: u32 = 1;
/// All of it, sealed or not: ten thousand contacts are a quarter of that.
pub(super) const MOST_BYTES: usize = 64 * 1024 * 1024;
/// One small file.
pub(super) const MOST_OF_ONE: usize = 1024 * 1024;
/// Small files: as many contacts and cards given out as a daemon keeps.
const MOST_FILES: usize = 40_000;

/// Our keys.
pub(super) const KEYS: &str = "identity/own.json";
/// The configuration.
pub(super) const SETTINGS: &str = "config.toml";
/// Past calls, a database.
pub(super) const HISTORY: &str = "history.db";
/// Files beside them that a daemon has.
pub(super) const SINGLE: [&str; 3] = ["chosen.json", "dnd", GROUPS];
/// Named groups.
pub(super) const GROUPS: &str = "groups.json";

/// The files of an account, by their names in the daemon's folder.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Bundle {
    #[serde(rename = "ahoy-account")]
    version: u32,
    /// Text.
    pub(super) files: BTreeMap<String, String>,
    /// What is no text, in base64.
    #[serde(default)]
    data: BTreeMap<String, String>,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    Keys,
    Settings,
    Single,
    /// By the name of its file, without the ending.
    Contact(&'a str),
    Token(&'a str),
}

impl Bundle {
    /// An empty one.
    pub(super) fn new() -> Self {
        let (files, data) = Default::default();
        Self { version: VERSION, files, data }
    }

    /// Past calls.
    pub(super) fn set_history(&mut self, bytes: &[u8]) {
        self.data.insert(HISTORY.to_owned(), BASE64.encode(bytes));
    }

    /// Past calls, if they are in it.
    pub(super) fn history(&self) -> Result<Option<Vec<u8>>, Denied> {
        let Some(text) = self.data.get(HISTORY) else { return Ok(None) };
        BASE64.decode(text.as_bytes()).map(Some).map_err(|_| wrong(HISTORY))
    }

    /// As it is sealed.
    pub(super) fn write(&self) -> Result<Zeroizing<Vec<u8>>, Denied> {
        let bytes =
            serde_json::to_vec(self).map(Zeroizing::new).map_err(|error| failed(error.to_string()))?;
        if bytes.len() > MOST_BYTES {
            let most = MOST_BYTES / 1024 / 1024;
            let sentence = format!(
                "The account is too large for one file (more than {most} MiB): export it without its history, and that by `ahoyctl history export`."
            );
            return Err(failed(sentence));
        }
        Ok(bytes)
    }

    /// What was sealed, whoever sealed it.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Denied> {
        #[derive(Deserialize)]
        struct Version {
            #[serde(rename = "ahoy-account")]
            version: u32,
        }
        let other = |_| failed("The file was opened, but there is no account of ahoy in it.");
        let Version { version } = serde_json::from_slice(bytes).map_err(other)?;
        if version > VERSION {
            return Err(failed("The file was written by a newer ahoy: update this one, then import it."));
        }
        let bundle: Self = serde_json::from_slice(bytes).map_err(other)?;
        if bundle.files.len() > MOST_FILES || bundle.data.len() > MOST_FILES {
            return Err(failed("There is more in the file than an account can have."));
        }
        for (name, text) in &bundle.files {
            if place(name).is_none() || text.len() > MOST_OF_ONE {
                return Err(wrong(name));
            }
        }
        Ok(bundle)
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        self.files.values_mut().for_each(|text| text.zeroize());
    }
}

/// What a name stands for. Others do not come to the disk.
pub(super) fn place(name: &str) -> Option<Place<'_>> {
    match name {
        KEYS => return Some(Place::Keys),
        SETTINGS => return Some(Place::Settings),
        _ if SINGLE.contains(&name) => return Some(Place::Single),
        _ => {}
    }
    let stem = name.strip_prefix("contacts/")?.strip_suffix(".json")?;
    let (token, stem) = stem.strip_prefix("tokens/").map_or((false, stem), |stem| (true, stem));
    let id = stem.len() == 32 && stem.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    id.then_some(if token { Place::Token(stem) } else { Place::Contact(stem) })
}

/// A part that is not what it should be. The name is ours or of our letters' kind.
pub(super) fn wrong(name: &str) -> Denied {
    let shown: String = name.chars().filter(|letter| !letter.is_control()).take(80).collect();
    failed(format!("The account in the file is damaged ({shown}): nothing was changed."))
}
