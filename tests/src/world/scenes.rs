//! How stories begin.
//!
//! Lives here: worlds in which something is already going on.
//! Must not: go further than several stories share.

use ahoy_call::{CallId, State};

use super::World;

/// Ada and Bob talk; Eve and Dan are there, too. Gives their call.
///
/// # Panics
/// If they do not.
pub fn talking() -> (World, CallId) {
    let mut w = World::new(3, &["ada", "bob", "eve", "dan"]);
    let call = w.talk("ada", "bob");
    assert_eq!((w.state("ada"), w.state("bob")), (Some(State::Active), Some(State::Active)));
    (w, call)
}

/// Eve's call waits at Bob beside his call with Ada. Gives both, his with Ada first.
///
/// # Panics
/// If it does not.
pub fn waiting() -> (World, CallId, CallId) {
    let (mut w, first) = talking();
    let second = w.ring("eve", "bob");
    assert_eq!(w.state_of("bob", second), Some(State::Waiting));
    assert_eq!(w.state_of("bob", first), Some(State::Active), "the first call is untouched");
    (w, first, second)
}
