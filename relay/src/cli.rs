//! The command line of `ahoy-relay`.
//!
//! Lives here: its options, for the program and for its man page alike.
//! Must not: use anything but clap: `papers/` takes this file as it is.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

/// Carries sealed envelopes between phones.
#[derive(Debug, Parser)]
#[command(name = "ahoy-relay", version)]
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
}
