//! What was answered before, so that a replay gets nothing, after a restart either.
//!
//! Lives here: a bounded set of the calls that rang us and of their handshakes, and its file.
//! Must not: hold anything from which a contact could be read.
//!
//! A replay that outlives the set, after thousands of later calls, would be sent a message 2 and ring nobody: the ring
//! needs message 3, which cannot be replayed.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};

use blake2::{Blake2s128, Digest as _};

/// How many marks are kept; a ring takes three.
const MOST: usize = 4096;
const MARK: usize = 16;

/// A digest of something that must not count twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark([u8; MARK]);

impl Mark {
    /// `kind` keeps digests of different things apart.
    pub(super) fn of(kind: &str, bytes: &[u8]) -> Self {
        let digest =
            Blake2s128::new().chain_update(kind.as_bytes()).chain_update([0]).chain_update(bytes).finalize();
        Self(digest.into())
    }
}

/// The marks, oldest first.
#[derive(Debug, Default)]
pub(super) struct Replay {
    order: VecDeque<Mark>,
    seen: BTreeSet<Mark>,
    changed: bool,
    path: Option<PathBuf>,
}

impl Replay {
    /// Reads the file in the state directory. A missing one is an empty one; a damaged one keeps its whole marks.
    pub(super) fn open(state: &Path) -> Self {
        let path = state.join("replay");
        let mut replay = Self::default();
        match std::fs::read(&path) {
            Ok(bytes) => {
                for mark in bytes.chunks_exact(MARK).rev().take(MOST).rev() {
                    let mut it = [0; MARK];
                    it.copy_from_slice(mark);
                    replay.insert(Mark(it));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(%error, "cannot read which rings were answered before"),
        }
        replay.changed = false;
        replay.path = Some(path);
        replay
    }

    /// Whether this was seen before.
    pub(super) fn contains(&self, mark: Mark) -> bool {
        self.seen.contains(&mark)
    }

    /// Remembers it, and forgets the oldest if there are too many.
    pub(super) fn insert(&mut self, mark: Mark) {
        if !self.seen.insert(mark) {
            return;
        }
        self.order.push_back(mark);
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        self.changed = true;
    }

    /// Writes the file if something changed: whole, by rename. A kill loses nothing; a loss of power may.
    pub(super) fn save(&mut self) {
        if !std::mem::take(&mut self.changed) {
            return;
        }
        let Some(path) = &self.path else { return };
        let bytes: Vec<u8> = self.order.iter().flat_map(|it| it.0).collect();
        let beside = path.with_extension("new");
        if let Err(error) = std::fs::write(&beside, bytes).and_then(|()| std::fs::rename(&beside, path)) {
            tracing::warn!(%error, "cannot keep which rings were answered");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(n: usize) -> Mark {
        Mark::of("test", &n.to_be_bytes())
    }

    #[test]
    fn a_mark_survives_a_restart_if_it_was_saved() {
        let dir = tempfile::tempdir().unwrap();
        let mut replay = Replay::open(dir.path());
        replay.insert(mark(1));
        assert!(!Replay::open(dir.path()).contains(mark(1)), "not saved yet");
        replay.save();
        let again = Replay::open(dir.path());
        assert!(again.contains(mark(1)));
        assert!(!again.contains(mark(2)));
        assert!(!again.contains(Mark::of("other", &1_usize.to_be_bytes())));
    }

    #[test]
    fn the_set_is_bounded_and_forgets_the_oldest() {
        let dir = tempfile::tempdir().unwrap();
        let mut replay = Replay::open(dir.path());
        for n in 0..=MOST {
            replay.insert(mark(n));
            replay.insert(mark(n));
        }
        assert!(!replay.contains(mark(0)));
        assert!(replay.contains(mark(1)) && replay.contains(mark(MOST)));
        replay.save();
        assert_eq!(std::fs::metadata(dir.path().join("replay")).unwrap().len(), (MOST * MARK) as u64);
    }

    #[test]
    fn a_damaged_file_is_read_as_far_as_it_goes() {
        let dir = tempfile::tempdir().unwrap();
        let mut replay = Replay::open(dir.path());
        replay.insert(mark(1));
        replay.save();
        let path = dir.path().join("replay");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend([1, 2, 3]);
        std::fs::write(&path, bytes).unwrap();
        assert!(Replay::open(dir.path()).contains(mark(1)));
    }
}
