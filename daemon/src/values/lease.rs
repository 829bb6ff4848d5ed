//! What a client has opened and lends us.
//!
//! Lives here: the value that holds it, and lets go of it.
//! Must not: read or write it.

use std::os::fd::{AsRawFd as _, OwnedFd};

/// An open file of a client's, closed when it is dropped.
#[derive(Debug)]
pub struct Lease(pub OwnedFd);

impl PartialEq for Lease {
    /// The same descriptor.
    fn eq(&self, other: &Self) -> bool {
        self.0.as_raw_fd() == other.0.as_raw_fd()
    }
}
