//! A bus that was joined for a while.
//!
//! Lives here: a connection that is closed when it is left.
//! Must not: know what it is for.

use std::ops::Deref;
use std::time::Duration;

use zbus::Connection;

use crate::system::clock;

/// How long closing may take; it is no more than a word to the kernel.
const PATIENCE: Duration = Duration::from_secs(1);

/// Closes the connection when it is dropped. Dropping the library's own is not enough: now and then, where its streams end with
/// it, its socket and the task that reads there stay until somebody writes to us.
#[derive(Debug)]
pub(super) struct Joined(pub(super) Connection);

impl Deref for Joined {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        // Without a runtime the program ends, and its sockets with it.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let bus = self.0.clone();
        runtime.spawn(async move {
            if let Ok(Err(error)) = clock::timeout(PATIENCE, bus.close()).await {
                tracing::debug!(%error, "a bus was left without a word");
            }
        });
    }
}
