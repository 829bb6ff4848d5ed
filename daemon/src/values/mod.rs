//! What the engine and its ports say to each other.
//!
//! Lives here: plain values, one file a subject.
//! Must not: do anything: no I/O, no clock; know the engine or a port.

pub mod account;
pub mod board;
pub mod budget;
pub mod contact_rules;
pub mod devices;
pub mod diagnosis;
pub mod dnd;
pub mod happening;
pub mod ice;
pub mod keys;
pub mod lease;
pub mod line;
pub mod link;
pub mod media;
pub mod near;
pub mod own;
pub mod pairing;
pub mod preconnect;
pub mod relays;
pub mod request;
pub mod room;
pub mod roster;
pub mod rows;
pub mod setting;
pub mod tone;
