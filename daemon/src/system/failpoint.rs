//! Points at which a test may end this process, as SIGKILL does, let a disk sleep, or let a thread run away. Without the feature
//! `failpoints` there are none.
//!
//! Lives here: the functions that such points call, each in its two forms.
//! Must not: be in a program that people run: a test looks for it there.

use std::fmt::Debug;

/// The file in the runtime directory that names the armed point: `POINT WHAT`, such as `commit Answered`.
#[cfg(feature = "failpoints")]
pub const FILE: &str = "ahoy-failpoint";

/// Ends the process at once if this point is armed for this fact or state. Nothing is flushed, dropped or told.
#[cfg(feature = "failpoints")]
pub fn reached(point: &str, what: impl Debug) {
    let Some(folder) = std::env::var_os("XDG_RUNTIME_DIR") else { return };
    let armed = std::fs::read_to_string(std::path::Path::new(&folder).join(FILE)).unwrap_or_default();
    if armed.trim() == format!("{point} {what:?}") {
        let ended = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        unreachable!("a process that killed itself goes on: {ended:?}");
    }
}

/// Nothing.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn reached(_point: &str, _what: impl Debug) {}

/// A disk that sleeps as long as `ahoy-failpoint` says `asleep`. Never on the engine's thread.
#[cfg(feature = "failpoints")]
pub fn disk() {
    let Some(folder) = std::env::var_os("XDG_RUNTIME_DIR") else { return };
    let file = std::path::Path::new(&folder).join(FILE);
    while std::fs::read_to_string(&file).is_ok_and(|armed| armed.trim() == "asleep") {
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
}

/// Nothing.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn disk() {}

/// Computes for half a second without a pause, once, where `ahoy-failpoint` says `run-away`.
#[cfg(feature = "failpoints")]
pub fn run_away() {
    let Some(folder) = std::env::var_os("XDG_RUNTIME_DIR") else { return };
    let file = std::path::Path::new(&folder).join(FILE);
    if std::fs::read_to_string(&file).is_ok_and(|armed| armed.trim() == "run-away")
        && std::fs::remove_file(&file).is_ok()
    {
        let until = super::clock::now() + std::time::Duration::from_millis(500);
        while super::clock::now() < until {
            std::hint::spin_loop();
        }
    }
}

/// Nothing.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn run_away() {}
