//! The command line of `ahoyd`.
//!
//! Lives here: its options, for the program and for its man page alike.
//! Must not: use anything but clap: `papers/` takes this file as it is.

use std::path::PathBuf;

use clap::Parser;

/// The call service of this user. Normally started by the session bus through systemd.
#[derive(Debug, Parser)]
#[command(name = "ahoyd", version, about)]
pub struct Arguments {
    /// Read this instead of $XDG_CONFIG_HOME/ahoy/config.toml
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Start nothing: say whether FILE is right, and its settings as JSON
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    pub check_config: Option<PathBuf>,
}
