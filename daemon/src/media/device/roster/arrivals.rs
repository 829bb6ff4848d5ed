//! Waiting for a file to appear in one of some folders, or to go, by the kernel's notice.
//!
//! Lives here: the watches.
//! Must not: know what the files are.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use inotify::{EventStream, Inotify, WatchMask};

use crate::system::clock;

/// See the head of this file.
pub(super) struct Arrivals {
    notices: Option<EventStream<[u8; 4096]>>,
}

impl Arrivals {
    /// Nothing is watched yet.
    pub(super) fn new() -> Self {
        let notices = Inotify::init().and_then(|made| made.into_event_stream([0; 4096]));
        if let Err(error) = &notices {
            tracing::warn!(%error, "the kernel gives no notice of files: sound servers are looked for once a minute");
        }
        Self { notices: notices.ok() }
    }

    /// Watches these folders, too. One that is not there is watched when it is asked for again; the same folder again is the
    /// same watch to the kernel.
    pub(super) fn watch(&mut self, folders: &[PathBuf]) {
        let Some(notices) = &self.notices else { return };
        let events = WatchMask::CREATE | WatchMask::DELETE | WatchMask::MOVE | WatchMask::ATTRIB;
        for folder in folders {
            let _absent = notices.watches().add(folder, events);
        }
    }

    /// Until something appears in a watched folder or goes, or the time is over.
    pub(super) async fn wait(&mut self, at_most: Duration) {
        let Some(notices) = &mut self.notices else { return clock::sleep(at_most).await };
        // Over or not: who waits looks again.
        let _over = clock::timeout(at_most, async {
            let mut notice = notices.next().await;
            while let Some(Ok(_)) = notice {
                notice = notices.next().now_or_never().flatten();
            }
        })
        .await;
    }
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
