//! `ahoyd`, the per-user call service: one engine, and ports around it.
//!
//! Lives here: the list of rooms. What each owns is told in its head comment and in ARCHITECTURE.md.
//! Must not: hold code of its own.

mod answer;
pub mod board;
pub mod budget;
pub mod bus;
pub mod census;
mod choose;
pub mod cli;
pub mod clock;
pub mod config;
pub mod contacts;
pub mod desktop;
pub mod devices;
pub mod door;
pub mod engine;
pub mod failpoint;
pub mod file;
pub mod happening;
pub mod history;
pub mod ice;
pub mod identity;
pub mod lock;
pub mod log;
pub mod manner;
pub mod media;
pub mod memory;
mod names;
mod netlink;
pub(crate) mod outages;
pub mod outward;
pub mod paths;
mod perform;
mod policy;
pub mod private;
pub mod ready;
pub mod request;
pub mod roster;
pub mod rows;
pub mod show;
pub mod signal;
pub mod store;
pub mod tones;
