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
}
