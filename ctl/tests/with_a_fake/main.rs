//! ahoyctl against a daemon that is played by the test.
//!
//! Lives here: the list of questions, one file each, and the fake that all of them use.
//! Must not: claim anything about ahoyd.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod desktop;
mod exit_codes;
mod fake;
mod output;
mod places;
