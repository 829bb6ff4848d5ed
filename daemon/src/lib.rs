//! `ahoyd`, the per-user call service: one engine, and ports around it.
//!
//! Lives here: the list of rooms. What each owns is told in its head comment and in ARCHITECTURE.md.
//! Must not: hold code of its own.

pub mod board;
pub mod bus;
pub mod clock;
pub mod config;
pub mod contacts;
pub mod file;
pub mod history;
pub mod ice;
pub mod identity;
pub mod lock;
pub mod media;
pub mod paths;
pub mod private;
pub mod ready;
pub mod request;
pub mod roster;
pub mod rows;
pub mod signal;
