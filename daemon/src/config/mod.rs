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

use tracing::Level;

use crate::values::media::{MediaSettings, Ringing, Wishes};
use crate::values::preconnect::Preconnect;
use crate::values::rows::Retention;
pub use chosen::{Chosen, ChosenKey};
pub use edit::{EditError, write_past};
use file::{File, Wrong};

/// The whole configuration, every value within its range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `[account] name`: our name as others see it; without it the user database says.
    pub name: Option<String>,
    /// `[account] enabled`: others can reach us; otherwise we are offline.
    pub enabled: bool,
    /// `[relay]`.
    pub relay: Relay,
    /// `[call]`.
    pub call: Call,
    /// `[media]`.
    pub media: Media,
    /// `[history]`: how long rows are kept; for ever unless a person says otherwise.
    pub history: Retention,
    /// `[voice]`: what is done to the voice of the microphone.
    pub voice: Wishes,
    /// `[ring]`: how it rings.
    pub ring: Ringing,
    /// `[log] level`.
    pub log: Level,
}

/// Where our inboxes are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relay {
    /// `wss://…`, or `ws://…` on this machine; each once.
    pub urls: Vec<String>,
    /// One more certificate authority (PEM) besides the system's.
    pub ca_file: Option<PathBuf>,
}

/// How calls behave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// How long an unanswered call rings. 10–180 s.
    pub lifetime: Duration,
    /// How long a broken path is mended before the call ends. 5–60 s.
    pub reconnect_window: Duration,
    /// The longest an incoming call rings here, whatever the caller asked for. 10–180 s.
    pub ring_at_most: Duration,
    /// A second call rings; otherwise its caller hears busy.
    pub call_waiting: bool,
    /// Who may learn our network address before we answer.
    pub preconnect: Preconnect,
}

/// How sound is taken, played and sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// The microphone; the system's default if none.
    pub input: Option<String>,
    /// The speaker; the system's default if none.
    pub output: Option<String>,
    /// Where it rings; the system's default if empty.
    pub ring: Vec<String>,
    /// Over which network interfaces paths may go.
    pub interfaces: Interfaces,
    /// Bits a second of the voice codec. 12,000–64,000.
    pub bitrate: u32,
}

/// Over which network interfaces paths may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interfaces {
    /// All that are up; loopback only if there is nothing else.
    Auto,
    /// These, by name.
    Only(Vec<String>),
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

impl Default for Config {
    fn default() -> Self {
        Self {
            name: None,
            enabled: true,
            relay: Relay::default(),
            call: Call {
                lifetime: Duration::from_secs(60),
                reconnect_window: Duration::from_secs(30),
                ring_at_most: Duration::from_secs(180),
                call_waiting: true,
                preconnect: Preconnect::Always,
            },
            media: Media {
                input: None,
                output: None,
                ring: Vec::new(),
                interfaces: Interfaces::Auto,
                bitrate: 32_000,
            },
            history: Retention::default(),
            voice: Wishes::default(),
            ring: Ringing::default(),
            log: Level::INFO,
        }
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
        let wrong = |Wrong { at, sentence }: Wrong| {
            let (line, column) = position(text, at.start);
            ConfigError::Wrong { path: path.to_owned(), line, column, sentence }
        };
        let file: File = toml::from_str(text).map_err(|error| {
            wrong(Wrong { at: error.span().unwrap_or(0..0), sentence: error.message().to_owned() })
        })?;
        file.check().map_err(wrong)
    }
}

impl Config {
    /// What concerns sound and paths, as the media port takes it.
    pub fn media_settings(&self) -> MediaSettings {
        let interfaces = match &self.media.interfaces {
            Interfaces::Auto => Vec::new(),
            Interfaces::Only(names) => names.clone(),
        };
        MediaSettings {
            bitrate: self.media.bitrate,
            input: self.media.input.clone(),
            output: self.media.output.clone(),
            ring: self.media.ring.clone(),
            interfaces,
            voice: self.voice,
            ringing: self.ring.clone(),
        }
    }
}

fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or("");
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}
