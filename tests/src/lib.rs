//! What the tests share.
//!
//! Lives here: the doors to the models, labs and checks that tests are written with.
//! Must not: hold a test of the project itself.

pub mod bus;
pub mod introspection;
pub mod lab;
pub mod tidy;
