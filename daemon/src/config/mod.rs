//! What a person decides: `config.toml`.
//!
//! Lives here: the keys, their defaults and ranges; a `Config` that exists is right; changing one key of the file.
//! Must not: know where the file lies, or act on a value.

mod chosen;
mod edit;
mod file;
mod listed;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ahoy_proto::relay_list::ListKey;
use serde::{Deserialize, Serialize};
use tracing::Level;

use crate::values::keys::KeysIn;
use crate::values::media::{MediaSettings, Ringing, Wishes};
use crate::values::preconnect::Preconnect;
use crate::values::rows::Retention;
pub use chosen::{Chosen, ChosenKey};
pub use edit::{EditError, write_past};

/// The whole configuration, every value within its range.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `[account]`.
    pub account: Account,
    /// `[relay]`.
    pub relay: Relay,
    /// `[lan]`.
    pub lan: Lan,
    /// `[call]`.
    pub call: Call,
    /// `[media]`.
    pub media: Media,
    /// `[history]`: how long rows are kept; for ever unless a person says otherwise.
    #[serde(with = "file::HistoryTable")]
    pub history: Retention,
    /// `[voice]`: what is done to the voice of the microphone.
    #[serde(with = "file::VoiceTable")]
    pub voice: Wishes,
    /// `[ring]`: how it rings.
    #[serde(with = "file::RingTable")]
    pub ring: Ringing,
    /// `[log]`.
    pub log: Log,
}

/// Who we are to others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Account {
    /// Our name as others see it; without it the user database says.
    #[serde(deserialize_with = "file::name")]
    pub name: Option<String>,
    /// Others can reach us; otherwise we are offline.
    #[serde(deserialize_with = "file::flag")]
    pub enabled: bool,
    /// Where our keys lie.
    #[serde(deserialize_with = "file::keys")]
    pub keys: KeysIn,
}

/// Where our inboxes are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Relay {
    /// `wss://…`, or `ws://…` on this machine; each once.
    #[serde(deserialize_with = "file::relay_urls")]
    pub urls: Vec<String>,
    /// One more certificate authority (PEM) besides the system's.
    #[serde(deserialize_with = "file::ca_file")]
    pub ca_file: Option<PathBuf>,
    /// Where `urls` is empty, relays that are found otherwise serve; all that follows is for that.
    #[serde(deserialize_with = "file::flag")]
    pub find: bool,
    /// Where a signed list of relays is, `https://…`.
    #[serde(deserialize_with = "file::https")]
    pub list: Option<String>,
    /// Keys that may sign that list. Without one it is not asked for.
    #[serde(deserialize_with = "file::list_keys")]
    pub list_keys: Vec<String>,
    /// A domain whose name server tells of relays, in the text records of `_ahoy.DOMAIN`.
    #[serde(deserialize_with = "file::domain")]
    pub domain: Option<String>,
    /// Who is asked about that domain: a resolver of DNS over HTTPS, `https://…`. Without one nobody is.
    #[serde(deserialize_with = "file::https")]
    pub resolver: Option<String>,
}

/// Neighbours on local networks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lan {
    /// Contacts find us, and we them, without a relay, where a person trusts the network.
    #[serde(deserialize_with = "file::flag")]
    pub enabled: bool,
}

/// How calls behave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Call {
    /// How long an unanswered call rings. 10–180 s.
    #[serde(deserialize_with = "file::lifetime", serialize_with = "file::seconds")]
    pub lifetime: Duration,
    /// How long a broken path is mended before the call ends. 5–60 s.
    #[serde(deserialize_with = "file::window", serialize_with = "file::seconds")]
    pub reconnect_window: Duration,
    /// The longest an incoming call rings here, whatever the caller asked for. 10–180 s.
    #[serde(deserialize_with = "file::lifetime", serialize_with = "file::seconds")]
    pub ring_at_most: Duration,
    /// A second call rings; otherwise its caller hears busy.
    #[serde(deserialize_with = "file::flag")]
    pub call_waiting: bool,
    /// Who may learn our network address before we answer.
    #[serde(deserialize_with = "file::preconnect")]
    pub preconnect: Preconnect,
}

/// How sound is taken, played and sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Media {
    /// The microphone; the system's default if none.
    #[serde(deserialize_with = "file::device")]
    pub input: Option<String>,
    /// The speaker; the system's default if none.
    #[serde(deserialize_with = "file::device")]
    pub output: Option<String>,
    /// Where it rings; the system's default if empty.
    #[serde(deserialize_with = "file::devices")]
    pub ring: Vec<String>,
    /// Over which network interfaces paths may go, by name. If empty all that are up; loopback only if there is nothing else.
    #[serde(deserialize_with = "file::interfaces", serialize_with = "file::names_or_auto")]
    pub interfaces: Vec<String>,
    /// Only our TURN servers may learn our network address in calls, whoever the other is.
    #[serde(deserialize_with = "file::flag")]
    pub relay_only: bool,
    /// Bits a second of the voice codec. 12,000–64,000.
    #[serde(deserialize_with = "file::bitrate")]
    pub bitrate: u32,
}

/// What is logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// The least that is.
    #[serde(deserialize_with = "file::level", serialize_with = "file::level_word")]
    pub level: Level,
}

/// Why there is no configuration. Its text names file, line and column, and what would be right.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is there and cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A key or value is wrong.
    #[error("{}:{line}:{column}: {sentence}", path.display())]
    Wrong {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// What is wrong and what would be right.
        sentence: String,
    },
}

impl Relay {
    /// The keys that are believed at first.
    pub fn roots(&self) -> Vec<ListKey> {
        self.list_keys.iter().filter_map(|text| ListKey::parse(text)).collect()
    }
}

impl Default for Account {
    fn default() -> Self {
        Self { name: None, enabled: true, keys: KeysIn::File }
    }
}

impl Default for Relay {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            ca_file: None,
            find: true,
            list: None,
            list_keys: Vec::new(),
            domain: None,
            resolver: None,
        }
    }
}

impl Default for Lan {
    fn default() -> Self {
        Self { enabled: true }
    }
}

impl Default for Call {
    fn default() -> Self {
        Self {
            lifetime: Duration::from_secs(60),
            reconnect_window: Duration::from_secs(30),
            ring_at_most: Duration::from_secs(180),
            call_waiting: true,
            preconnect: Preconnect::Always,
        }
    }
}

impl Default for Media {
    fn default() -> Self {
        Self {
            input: None,
            output: None,
            ring: Vec::new(),
            interfaces: Vec::new(),
            relay_only: false,
            bitrate: 32_000,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: Level::INFO }
    }
}

impl Config {
    /// Reads the file; a missing one is an empty one, all defaults.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text, path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(ConfigError::Unreadable { path: path.to_owned(), source }),
        }
    }

    /// Reads a text; `path` stands in errors.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|at| text.get(..at.start)).unwrap_or("");
            let (line, in_line) =
                (before.matches('\n').count() + 1, before.rsplit('\n').next().unwrap_or(""));
            let mut sentence = error.message().to_owned();
            if sentence.starts_with(file::MUST_BE) {
                let key = before.trim_end_matches([' ', '\t', '=', '"', '\'']);
                let key = key.rsplit(|letter: char| !letter.is_alphanumeric() && letter != '-').next();
                sentence = format!("`{}` {sentence}", key.unwrap_or(""));
            }
            ConfigError::Wrong { path: path.to_owned(), line, column: in_line.chars().count() + 1, sentence }
        })
    }

    /// What concerns sound and paths, as the media port takes it.
    pub fn media_settings(&self) -> MediaSettings {
        MediaSettings {
            bitrate: self.media.bitrate,
            input: self.media.input.clone(),
            output: self.media.output.clone(),
            ring: self.media.ring.clone(),
            interfaces: self.media.interfaces.clone(),
            relay_only: self.media.relay_only,
            ca_file: self.relay.ca_file.clone(),
            voice: self.voice,
            ringing: self.ring.clone(),
        }
    }
}
