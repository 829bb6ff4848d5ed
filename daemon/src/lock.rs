//! One daemon per state directory.
//!
//! Lives here: the lock that is taken before anything else is opened and before the bus name is asked for.
//! Must not: say anything on the bus, or end the process.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

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
        let unusable = |source| LockError::Unusable { path: path.to_owned(), source };
        if let Some(dir) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(unusable)?;
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path)
            .map_err(unusable)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(LockError::Taken),
            Err(error) => Err(unusable(error.into())),
        }
    }
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

    #[test]
    fn a_state_directory_that_cannot_be_made_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ahoy"), "a file in the way").unwrap();
        let error = StateLock::take(&dir.path().join("ahoy/lock")).unwrap_err();
        assert!(matches!(&error, LockError::Unusable { .. }));
        assert!(error.to_string().contains("ahoy/lock"), "{error}");
    }
}
