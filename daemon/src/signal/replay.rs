//! What was answered before, so that a replay gets nothing, after a restart either.
//!
//! Lives here: the marks of each contact, a bounded set, and their file: a log to which each mark is appended, rewritten
//! when more than half of it is old. A [`Write`] of it is made on the store's thread, one at a time.
//! Must not: hold anything from which a contact could be read; wait for the disk.
//!
//! A replay that outlives its contact's marks, which only that contact can push out, rings nobody: the ring needs message 3,
//! which cannot be replayed.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use ahoy_call::PeerId;
use blake2::{Blake2s128, Digest as _};

/// Marks of one contact that are kept; a ring takes three.
const MOST: usize = 256;
/// Marks that earlier programs wrote without saying whose they are.
const MOST_OF_ANYBODY: usize = 4096;
const MARK: usize = 16;
/// Whose, and what.
const RECORD: usize = 2 * MARK;
/// Records in the file before it is looked whether it is worth rewriting.
const WORTH_REWRITING: usize = 4096;

/// A digest of something that must not count twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark([u8; MARK]);

/// A digest of whose it is.
type Of = Mark;

/// What earlier programs wrote: it counts for every contact.
const ANYBODY: Of = Mark([0; MARK]);

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
    marks: BTreeMap<Of, VecDeque<Mark>>,
    /// Records that the file has not yet, and no write holds.
    unwritten: Vec<u8>,
    /// Records in the file.
    written: usize,
    /// Marks that were made, and those of them whose write is over. A write that failed is over, too: it was said.
    made: u64,
    over: u64,
    writing: bool,
    path: Option<PathBuf>,
    /// The last write failed, and that was said.
    failing: bool,
}

impl Replay {
    /// Reads the file in the state directory. A missing one is an empty one; a damaged one keeps its whole records. What an
    /// earlier program kept is taken over.
    pub(super) fn open(state: &Path) -> Self {
        let path = state.join("replay.log");
        let mut replay = Self::default();
        let bytes = read(&path);
        for record in bytes.chunks_exact(RECORD) {
            let (of, mark) = record.split_at(MARK);
            replay.keep(digest(of), digest(mark));
        }
        replay.written = bytes.len() / RECORD;
        let before = state.join("replay");
        let old = read(&before);
        for mark in old.chunks_exact(MARK) {
            replay.keep(ANYBODY, digest(mark));
        }
        // A half record would put every later one out of place.
        let half = !bytes.len().is_multiple_of(RECORD);
        if half || !old.is_empty() || replay.is_worth_rewriting() {
            let wrote = Write { path: path.clone(), bytes: replay.bytes(), whole: true, made: 0 }.run();
            if wrote.done.is_ok() && !old.is_empty() {
                drop(std::fs::remove_file(before));
            }
            replay.wrote(wrote);
        }
        replay.path = Some(path);
        replay
    }

    /// Whether this contact's was seen before.
    pub(super) fn contains(&self, peer: PeerId, mark: Mark) -> bool {
        let has = |of| self.marks.get(&of).is_some_and(|marks| marks.contains(&mark));
        has(whose(peer)) || has(ANYBODY)
    }

    /// Remembers it, and forgets the oldest of this contact if there are too many.
    pub(super) fn insert(&mut self, peer: PeerId, mark: Mark) {
        let of = whose(peer);
        if self.keep(of, mark) && self.path.is_some() {
            self.made += 1;
            self.unwritten.extend(of.0);
            self.unwritten.extend(mark.0);
        }
    }

    /// How many marks were made. What one guards waits until [`Self::over`] has come to it.
    pub(super) fn made(&self) -> u64 {
        self.made
    }

    /// Of how many marks the write is over. A kill loses none of them; a loss of power may.
    pub(super) fn over(&self) -> u64 {
        self.over
    }

    /// What is to be written now, on another thread; [`Self::wrote`] hears how it went. None while a write is being made.
    pub(super) fn begin_write(&mut self) -> Option<Write> {
        let path = self.path.clone().filter(|_| !self.writing && !self.unwritten.is_empty())?;
        let new = std::mem::take(&mut self.unwritten);
        self.writing = true;
        // What a failed write left is unknown: the whole file is written anew.
        let whole = self.failing || self.is_worth_rewriting();
        let bytes = if whole { self.bytes() } else { new };
        Some(Write { path, bytes, whole, made: self.made })
    }

    /// A write is over.
    pub(super) fn wrote(&mut self, Wrote { records, whole, made, done }: Wrote) {
        self.writing = false;
        self.over = made;
        match &done {
            Ok(()) => self.written = if whole { records } else { self.written + records },
            Err(error) if !self.failing => tracing::warn!(%error, "cannot keep which rings were answered"),
            Err(_) => {}
        }
        self.failing = done.is_err();
    }

    fn keep(&mut self, of: Of, mark: Mark) -> bool {
        let marks = self.marks.entry(of).or_default();
        if marks.contains(&mark) {
            return false;
        }
        marks.push_back(mark);
        if marks.len() > if of == ANYBODY { MOST_OF_ANYBODY } else { MOST } {
            marks.pop_front();
        }
        true
    }

    fn is_worth_rewriting(&self) -> bool {
        let kept: usize = self.marks.values().map(VecDeque::len).sum();
        self.written >= WORTH_REWRITING && self.written > 2 * kept
    }

    /// Writes all here and now.
    #[cfg(test)]
    pub(super) fn save(&mut self) {
        while let Some(write) = self.begin_write() {
            self.wrote(write.run());
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let kept = self.marks.iter().flat_map(|(of, marks)| marks.iter().map(|mark| [of.0, mark.0].concat()));
        kept.flatten().collect()
    }
}

/// What the file lacks.
#[derive(Debug)]
pub(super) struct Write {
    path: PathBuf,
    bytes: Vec<u8>,
    /// The file is made anew, beside and by rename.
    whole: bool,
    made: u64,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Wrote {
    records: usize,
    whole: bool,
    made: u64,
    done: io::Result<()>,
}

impl Write {
    /// Writes it. It is not waited for the disk.
    pub(super) fn run(self) -> Wrote {
        let beside = self.path.with_extension("new");
        let path = if self.whole { &beside } else { &self.path };
        let done = open_file(path, !self.whole)
            .and_then(|mut file| file.write_all(&self.bytes))
            .and_then(|()| if self.whole { std::fs::rename(&beside, &self.path) } else { Ok(()) });
        Wrote { done, ..self.not_run() }
    }

    /// Nobody takes it.
    pub(super) fn not_run(&self) -> Wrote {
        let Self { whole, made, .. } = *self;
        let done = Err(io::Error::other("the disk does not answer"));
        Wrote { records: self.bytes.len() / RECORD, whole, made, done }
    }
}

/// Readable by this user alone.
fn open_file(path: &Path, append: bool) -> io::Result<File> {
    OpenOptions::new().create(true).write(true).append(append).truncate(!append).mode(0o600).open(path)
}

fn read(path: &Path) -> Vec<u8> {
    match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(%error, "cannot read which rings were answered before");
            }
            Vec::new()
        }
    }
}

fn whose(peer: PeerId) -> Of {
    Mark::of("contact", &peer.bytes())
}

fn digest(bytes: &[u8]) -> Mark {
    let mut it = [0; MARK];
    it.copy_from_slice(bytes);
    Mark(it)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const ANA: PeerId = PeerId::from_bytes([1; 16]);
    const EVE: PeerId = PeerId::from_bytes([2; 16]);

    fn mark(n: usize) -> Mark {
        Mark::of("test", &n.to_be_bytes())
    }

    fn bytes_in(dir: &Path) -> u64 {
        std::fs::metadata(dir.join("replay.log")).unwrap().len()
    }

    #[test]
    fn a_mark_survives_a_restart_if_it_was_saved_and_nobody_else_can_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut replay = Replay::open(dir.path());
        replay.insert(ANA, mark(1));
        assert!(!Replay::open(dir.path()).contains(ANA, mark(1)), "not saved yet");
        replay.save();
        let again = Replay::open(dir.path());
        assert!(again.contains(ANA, mark(1)));
        assert!(!again.contains(EVE, mark(1)), "it is Ana's");
        assert!(!again.contains(ANA, mark(2)));
        assert!(!again.contains(ANA, Mark::of("other", &1_usize.to_be_bytes())));
        let mode = std::fs::metadata(dir.path().join("replay.log")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_contact_pushes_out_its_own_marks_and_nobody_elses() {
        let dir = tempfile::tempdir().unwrap();
        let mut replay = Replay::open(dir.path());
        replay.insert(ANA, mark(0));
        for n in 0..=MOST {
            replay.insert(EVE, mark(n));
            replay.insert(EVE, mark(n));
        }
        assert!(!replay.contains(EVE, mark(0)));
        assert!(replay.contains(EVE, mark(1)) && replay.contains(EVE, mark(MOST)));
        assert!(replay.contains(ANA, mark(0)));
        replay.save();
        assert!(Replay::open(dir.path()).contains(ANA, mark(0)));
    }

    #[test]
    fn a_mark_costs_the_disk_its_own_bytes_and_the_file_stays_small() {
        let dir = tempfile::tempdir().unwrap();
        let mut replay = Replay::open(dir.path());
        let mut most = 0;
        for n in 0..20_000 {
            let before = if n == 0 { 0 } else { bytes_in(dir.path()) };
            replay.insert(EVE, mark(n));
            replay.save();
            let now = bytes_in(dir.path());
            assert!(now == before + RECORD as u64 || now <= (MOST * RECORD) as u64, "{before} {now}");
            most = most.max(now);
        }
        assert!(most <= (WORTH_REWRITING * RECORD) as u64, "{most}");
        let again = Replay::open(dir.path());
        assert!(again.contains(EVE, mark(19_999)) && !again.contains(EVE, mark(0)));
    }

    #[test]
    fn a_damaged_file_is_read_as_far_as_it_goes_and_what_follows_is_in_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let mut replay = Replay::open(dir.path());
        replay.insert(ANA, mark(1));
        replay.save();
        let path = dir.path().join("replay.log");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend([1, 2, 3]);
        std::fs::write(&path, bytes).unwrap();
        let mut replay = Replay::open(dir.path());
        assert!(replay.contains(ANA, mark(1)));
        replay.insert(ANA, mark(2));
        replay.save();
        let again = Replay::open(dir.path());
        assert!(again.contains(ANA, mark(1)) && again.contains(ANA, mark(2)));
    }

    #[test]
    fn what_an_earlier_program_kept_is_taken_over_and_counts_for_everybody() {
        let dir = tempfile::tempdir().unwrap();
        let old: Vec<u8> = (0..3).flat_map(|n| mark(n).0).collect();
        std::fs::write(dir.path().join("replay"), old).unwrap();
        for _ in 0..2 {
            let replay = Replay::open(dir.path());
            assert!(replay.contains(ANA, mark(0)) && replay.contains(EVE, mark(2)));
            assert!(!dir.path().join("replay").exists());
        }
    }

    #[test]
    fn a_disk_that_takes_nothing_loses_nothing_once_it_does_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut replay = Replay::open(dir.path());
        let path = dir.path().join("replay.log");
        std::fs::create_dir(&path).unwrap();
        replay.insert(ANA, mark(1));
        replay.save();
        std::fs::remove_dir(&path).unwrap();
        replay.insert(ANA, mark(2));
        replay.save();
        let again = Replay::open(dir.path());
        assert!(again.contains(ANA, mark(1)) && again.contains(ANA, mark(2)));
    }
}
