//! `ahoyd` with points at which a test may end it: built with the feature `failpoints` for the crash test alone.
//!
//! Lives here: the same program under another name, so that the two never take each other's place.
//! Must not: be installed.

#[path = "../main.rs"]
mod program;

fn main() -> std::process::ExitCode {
    program::main()
}
