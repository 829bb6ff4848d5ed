//! Sentences on standard error.
//!
//! Lives here: the one way in which `ahoyctl` complains.
//! Must not: end the program.

use std::io::Write as _;

use crate::clean;

/// A sentence on standard error. Nothing helps if that is closed.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", clean::lines(text));
}
