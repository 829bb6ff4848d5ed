//! `ahoy-relay`, a blind rendezvous: it carries sealed envelopes to inboxes, and knows neither who writes nor what.
//!
//! Lives here: the list of parts. Without the feature `serve` only the pure ones are built.
//! Must not: know a call, an identity or a name; `ahoy-proto` is taken without its sealed parts.

pub mod backend;
mod quota;
pub mod switchboard;
pub mod time;
pub mod turn;

#[cfg(feature = "serve")]
pub mod cli;
#[cfg(feature = "serve")]
pub mod clock;
#[cfg(feature = "serve")]
pub mod config;
#[cfg(feature = "serve")]
mod connection;
#[cfg(feature = "serve")]
pub mod serve;
