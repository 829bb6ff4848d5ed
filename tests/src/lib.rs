//! The simulated world in which the rules of calling are tested.
//!
//! Lives here: people, network, media as models; what can happen; what must hold.
//! Must not: be part of a program.

pub mod media;
pub mod network;
pub mod op;
pub mod world;
