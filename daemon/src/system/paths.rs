//! Where the files of this user lie.
//!
//! Lives here: every path that the daemon opens by itself.
//! Must not: open, make or check any of them.

use std::path::PathBuf;

use directories::ProjectDirs;

/// The places of configuration and state, by the XDG base directories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// `config.toml`.
    pub config: PathBuf,
    /// The directory of everything that must survive a restart.
    pub state: PathBuf,
}

/// The user has no home directory and says no other place.
#[derive(Debug, thiserror::Error)]
#[error("this user has no home directory: set HOME, or XDG_CONFIG_HOME and XDG_STATE_HOME")]
pub struct NoHome;

impl Paths {
    /// The places of this user; `config` takes the place of `$XDG_CONFIG_HOME/ahoy/config.toml`.
    pub fn find(config: Option<PathBuf>) -> Result<Self, NoHome> {
        let dirs = ProjectDirs::from("", "", "ahoy").ok_or(NoHome)?;
        Ok(Self {
            config: config.unwrap_or_else(|| dirs.config_dir().join("config.toml")),
            state: dirs.state_dir().ok_or(NoHome)?.to_owned(),
        })
    }

    /// The person's own programs for events, beside the configuration.
    pub fn hooks(&self) -> PathBuf {
        self.config.with_file_name("hooks.d")
    }

    /// The file whose lock says that a daemon runs on this state.
    pub fn lock(&self) -> PathBuf {
        self.state.join("lock")
    }

    /// The directory of our long-term keys.
    pub fn identity(&self) -> PathBuf {
        self.state.join("identity")
    }

    /// The directory of contacts and of the tokens we gave out.
    pub fn contacts(&self) -> PathBuf {
        self.state.join("contacts")
    }

    /// The database of past calls.
    pub fn history(&self) -> PathBuf {
        self.state.join("history.db")
    }

    /// What do-not-disturb was set to.
    pub fn dnd(&self) -> PathBuf {
        self.state.join("dnd")
    }

    /// What a person picked in passing, and what outdoes the configuration so long.
    pub fn chosen(&self) -> PathBuf {
        self.state.join("chosen.json")
    }

    /// An account that was imported, while it is written; nothing looks there.
    pub fn coming(&self) -> PathBuf {
        self.state.join("coming")
    }

    /// An account that was imported and takes its place at the next start.
    pub fn come(&self) -> PathBuf {
        self.state.join("come")
    }

    /// The decision that the account goes at the next start.
    pub fn leaving(&self) -> PathBuf {
        self.state.join("leaving")
    }

    /// A copy of the past calls, while it is being sealed.
    pub fn copy_of_history(&self) -> PathBuf {
        self.state.join("history.copy")
    }

    /// Named groups.
    pub fn groups(&self) -> PathBuf {
        self.state.join("groups.json")
    }

    /// What was said of local networks.
    pub fn networks(&self) -> PathBuf {
        self.state.join("networks.json")
    }

    /// What is remembered of relays.
    pub fn relays(&self) -> PathBuf {
        self.state.join("relays.json")
    }

    /// What signaling has seen and must not take twice.
    pub fn replay(&self) -> PathBuf {
        self.state.join("replay")
    }
}
