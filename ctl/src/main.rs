//! `ahoyctl`.
//!
//! Lives here: the start of the program.
//! Must not: hold anything else: the library does.

use std::process::ExitCode;

fn main() -> ExitCode {
    ahoyctl::answer_the_shell();
    ahoyctl::main()
}
