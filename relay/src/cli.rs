//! The command line of `ahoy-relay`.
//!
//! Lives here: its options, for the program and for its man page alike.
//! Must not: use anything but clap: `papers/` takes this file as it is.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Carries sealed envelopes between phones.
#[derive(Debug, Parser)]
#[command(name = "ahoy-relay", version, args_conflicts_with_subcommands = true)]
pub struct Options {
    /// Address and port; port 0 takes any free one [default: 127.0.0.1:8790]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Configuration file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Certificate with its chain (PEM); without one only loopback is listened on
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Something else than to carry envelopes.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What else the program does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Sign a list of relays for phones, or make a key that signs such lists
    SignList(SignList),
}

/// How a list is signed.
#[derive(Debug, Args)]
pub struct SignList {
    /// Make a key in FILE, print its public half for `relay.list-keys` of phones, and sign nothing
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key", "relays", "after", "serial", "days", "next_keys", "output"])]
    pub new_key: Option<PathBuf>,
    /// The key that signs
    #[arg(long, value_name = "FILE", required_unless_present = "new_key")]
    pub key: Option<PathBuf>,
    /// A relay, those first that phones are to use first; 1 to 8 times
    #[arg(long = "relay", value_name = "URL", required_unless_present = "new_key")]
    pub relays: Vec<String>,
    /// The list that is published now: the new one follows it
    #[arg(long, value_name = "FILE")]
    pub after: Option<PathBuf>,
    /// Number of the list; a phone takes none that is lower than one it has seen [default: the next]
    #[arg(long, value_name = "N")]
    pub serial: Option<u64>,
    /// How long it is good, 1 to 400
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    pub days: u16,
    /// A key that may sign the following lists, as its public half; all others may not [default: the one that signs]
    #[arg(long = "next-key", value_name = "PUBLIC", allow_hyphen_values = true)]
    pub next_keys: Vec<String>,
    /// Where the list goes; it is replaced whole [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
