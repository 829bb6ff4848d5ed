//! What the tests share: a simulated world, labs, and checks of the tree.
//!
//! Lives here: the doors to the models, labs and checks that tests are written with.
//! Must not: hold a test of the project itself.

pub mod bus;
pub mod crash;
pub mod emulator;
pub mod introspection;
pub mod lab;
pub mod media;
pub mod network;
pub mod notifications;
pub mod op;
pub mod soak;
pub mod talk;
pub mod tidy;
pub mod world;
