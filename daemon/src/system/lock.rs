//! One daemon per state directory.
//!
//! Lives here: the lock that is taken before anything else is opened and before the bus name is asked for.
//! Must not: say anything on the bus, or end the process.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::system::clock;

/// Held as long as the daemon lives; the kernel lets go of it at the end of the process, however that comes.
#[derive(Debug)]
pub struct StateLock {
    _file: File,
}

/// Why the state directory is not ours.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// A second daemon: not a failure, the first one serves.
    #[error("another ahoyd of this user runs already and goes on")]
    Taken,
    /// The directory or the file cannot be made.
    #[error("{} cannot be used", path.display())]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl StateLock {
    /// Takes the lock at `path`, making its directory (mode 0700) when it is missing. Never waits.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::Taken),
            Err(TryLockError::Error(error)) => Err(unusable(path, error)),
        }
    }

    /// The same, but a daemon that is just ending is waited for, `patience` at the most; `waiting` is called before that.
    ///
    /// The kernel wakes us when the lock is free. The thread that waits for it ends with the lock or with the process, so
    /// after [`LockError::Taken`] the process is to end.
    pub async fn take_within(
        path: &Path,
        patience: Duration,
        waiting: impl FnOnce(),
    ) -> Result<Self, LockError> {
        match Self::take(path) {
            Err(LockError::Taken) => waiting(),
            taken => return taken,
        }
        let file = open(path)?;
        let (tell, told) = oneshot::channel();
        // Too late, and nobody listens: the lock is let go of with the file.
        let wait = move || drop(tell.send(file.lock().map(|()| Self { _file: file })));
        let thread = std::thread::Builder::new().name("lock".to_owned()).spawn(wait);
        thread.map_err(|error| unusable(path, error))?;
        match clock::timeout(patience, told).await {
            Ok(Ok(Ok(lock))) => Ok(lock),
            Ok(Ok(Err(error))) => Err(unusable(path, error)),
            Ok(Err(_)) | Err(_) => Err(LockError::Taken),
        }
    }
}

/// The file that is locked. What lies in it means nothing.
fn open(path: &Path) -> Result<File, LockError> {
    if let Some(dir) = path.parent() {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(|error| unusable(path, error))?;
    }
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    file.map_err(|error| unusable(path, error))
}

fn unusable(path: &Path, source: io::Error) -> LockError {
    LockError::Unusable { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_daemon_is_told_apart_and_the_lock_is_free_after_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ahoy/lock");
        let first = StateLock::take(&path).unwrap();
        assert!(matches!(StateLock::take(&path), Err(LockError::Taken)));
        drop(first);
        StateLock::take(&path).unwrap();
    }

    #[tokio::test]
    async fn a_daemon_that_is_ending_is_waited_for_and_one_that_stays_is_not_waited_for_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ahoy/lock");
        let first = StateLock::take(&path).unwrap();
        let within = |patience| StateLock::take_within(&path, patience, || {});
        assert!(matches!(within(Duration::from_millis(20)).await, Err(LockError::Taken)));
        let ends = StateLock::take_within(&path, Duration::from_secs(60), move || drop(first));
        let second = ends.await.unwrap();
        assert!(matches!(StateLock::take(&path), Err(LockError::Taken)), "it is ours now");
        drop(second);
    }

    #[test]
    fn a_state_directory_that_cannot_be_made_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ahoy"), "a file in the way").unwrap();
        let error = StateLock::take(&dir.path().join("ahoy/lock")).unwrap_err();
        assert!(matches!(&error, LockError::Unusable { .. }));
        assert!(error.to_string().contains("ahoy/lock"), "{error}");
    }
}
