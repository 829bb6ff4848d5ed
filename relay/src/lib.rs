//! `ahoy-relay`, a blind rendezvous: it carries sealed envelopes to inboxes, and knows neither who writes nor what.
//!
//! Lives here: the list of parts. Without the feature `serve` only the pure ones are built.
//! Must not: know a call, an identity or a name; `ahoy-proto` is taken without its sealed parts.

pub mod address;
pub mod budgets;
mod client_id;
pub mod crowd;
mod mailbag;
mod output;
mod quota;
mod shares;
pub mod single;
pub mod store;
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
mod exchange;
#[cfg(feature = "serve")]
mod fair;
#[cfg(feature = "serve")]
mod handshakes;
#[cfg(feature = "serve")]
mod load;
#[cfg(feature = "serve")]
mod metered;
#[cfg(feature = "serve")]
mod pace;
#[cfg(feature = "serve")]
pub mod serve;
#[cfg(feature = "serve")]
mod settings;
#[cfg(feature = "serve")]
mod sockets;
