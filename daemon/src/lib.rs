//! `ahoyd`, the per-user call service: one engine, and ports around it.
//!
//! Lives here: the list of rooms. What each owns is told in its head comment and in ARCHITECTURE.md.
//! Must not: hold code of its own.

pub mod account;
pub mod bus;
pub mod config;
pub mod contacts;
pub mod desktop;
pub mod diagnosis;
pub mod discovery;
pub mod engine;
pub mod history;
pub mod identity;
pub mod media;
pub mod neighbours;
pub mod pair;
pub mod room;
pub mod signal;
pub mod system;
pub mod values;
