//! `ahoy-relay`, a blind rendezvous: it carries sealed envelopes to inboxes, and knows neither who writes nor what.
//!
//! Lives here: the list of parts. Without the feature `serve` only the pure ones are built.
//! Must not: know a call, an identity or a name; `ahoy-proto` is taken without its sealed parts.
//!
//! # The model
//!
//! [`switchboard::Switchboard`] is all that a relay decides, as values: a connection comes, says frames, goes; what it returns is
//! what is to be said to whom, and orders to a [`store`], whose reports come back in. [`single::Single`] is the switchboard with a
//! store in memory, which answers at once. Identities cost nothing, so what somebody may take of the relay is counted by network
//! address ([`budgets`]). Sockets, TLS and the clock are the feature `serve`.
//!
//! ```
//! use ahoy_proto::frame::{ToClient, ToRelay};
//! use ahoy_relay::{single::Single, switchboard::{ClientId, What}, time::Moment, turn::Ice};
//! use std::net::{IpAddr, Ipv4Addr};
//!
//! let mut relay = Single::new([0; 32], Ice::default());
//! let (now, ana) = (Moment::from_micros(0), ClientId(1));
//! // Whoever connects and says hello is given a nonce; a claim of an inbox signs it.
//! assert!(relay.connect(now, ana, IpAddr::V4(Ipv4Addr::LOCALHOST)).is_empty());
//! let said = relay.handle(now, ana, ToRelay::Hello { version: 1 });
//! assert!(matches!(said[0].what, What::Say(ToClient::Challenge { .. })));
//! ```

pub mod address;
pub mod budgets;
mod client_id;
pub mod crowd;
mod mailbag;
mod output;
mod plates;
mod quota;
pub mod rooms;
mod shares;
pub mod single;
pub mod store;
pub mod switchboard;
pub mod tickets;
pub mod time;
pub mod token;
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
mod livekit;
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
pub mod sign_list;
#[cfg(feature = "serve")]
mod sockets;
