//! Waiting for a file to appear in one of some folders, or to go, by the kernel's notice.
//!
//! Lives here: the watches.
//! Must not: know what the files are.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::system::clock;

/// See the head of this file.
pub(super) struct Arrivals {
    notices: Option<AsyncFd<OwnedFd>>,
    watched: BTreeSet<PathBuf>,
}

impl Arrivals {
    /// Nothing is watched yet.
    pub(super) fn new() -> Self {
        let made = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC);
        let notices = made.map_err(std::io::Error::from).and_then(readable);
        if let Err(error) = &notices {
            tracing::warn!(%error, "the kernel gives no notice of files: sound servers are looked for once a minute");
        }
        Self { notices: notices.ok(), watched: BTreeSet::new() }
    }

    /// Watches these folders, too. One that is not there is watched when it is asked for again.
    pub(super) fn watch(&mut self, folders: &[PathBuf]) {
        let Some(notices) = &self.notices else { return };
        self.watched.retain(|folder| folder.is_dir());
        for folder in folders {
            // The same folder again is the same watch to the kernel.
            let events = WatchFlags::CREATE
                | WatchFlags::DELETE
                | WatchFlags::MOVED_TO
                | WatchFlags::MOVED_FROM
                | WatchFlags::ATTRIB;
            if inotify::add_watch(notices.get_ref(), folder, events).is_ok() {
                self.watched.insert(folder.clone());
            }
        }
    }

    /// Until something appears in a watched folder or goes, or the time is over.
    pub(super) async fn wait(&mut self, at_most: Duration) {
        let Some(notices) = &self.notices else { return clock::sleep(at_most).await };
        // Over or not: who waits looks again.
        let _over = clock::timeout(at_most, async {
            let Ok(mut ready) = notices.readable().await else { return std::future::pending().await };
            let mut drained = [0_u8; 4096];
            while rustix::io::read(notices.get_ref(), &mut drained).is_ok() {}
            ready.clear_ready();
        })
        .await;
    }
}

#[expect(deprecated, reason = "an OwnedFd is I/O safe; the new function is unsafe")]
fn readable(made: OwnedFd) -> std::io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(made, Interest::READABLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_appears_wakes_and_one_that_was_there_does_not() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("old"), "").unwrap();
        let inner = folder.path().join("inner");
        let mut arrivals = Arrivals::new();
        let folders = [folder.path().to_owned(), inner.clone()];
        arrivals.watch(&folders);
        assert!(
            clock::timeout(Duration::from_millis(50), arrivals.wait(Duration::from_secs(9))).await.is_err()
        );
        for step in [&inner, &inner.join("socket")] {
            std::fs::create_dir(step).unwrap();
            clock::timeout(Duration::from_secs(5), arrivals.wait(Duration::from_secs(9))).await.unwrap();
            arrivals.watch(&folders);
        }
    }
}
