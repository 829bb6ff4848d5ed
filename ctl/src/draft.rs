//! A file that is there as a whole or as it was before.
//!
//! Lives here: the draft beside the file, which takes its place when all is written.
//! Must not: know what is written.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::fault::{Exit, Fault};

/// Being written. Without [`Self::finish`] nothing is left of it, and the file is as it was.
#[derive(Debug)]
pub(crate) struct Draft {
    into: File,
    /// What the person named.
    file: PathBuf,
    /// Where it is written first, and what it becomes; none for what is no file (a pipe, a terminal).
    beside: Option<(PathBuf, PathBuf)>,
}

impl Draft {
    /// Begins one for `file`; through a link, so that the link stays.
    pub(crate) fn begin(file: &Path) -> Result<Self, Fault> {
        Self::begin_as(file, None)
    }

    /// The same for a file that only this user may read, whoever could read what was there.
    pub(crate) fn begin_private(file: &Path) -> Result<Self, Fault> {
        Self::begin_as(file, Some(0o600))
    }

    fn begin_as(file: &Path, mode: Option<u32>) -> Result<Self, Fault> {
        let cannot = |error: io::Error| cannot(file, &error);
        let kind = std::fs::metadata(file);
        if kind.as_ref().is_ok_and(|kind| !kind.is_file()) {
            let into = OpenOptions::new().write(true).open(file).map_err(cannot)?;
            return Ok(Self { into, file: file.to_owned(), beside: None });
        }
        let becomes = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
        let mut name = OsString::from(".");
        name.push(becomes.file_name().ok_or_else(|| cannot(io::ErrorKind::IsADirectory.into()))?);
        name.push(format!(".{}.part", std::process::id()));
        let draft = becomes.with_file_name(name);
        let mut new = OpenOptions::new();
        let into =
            new.write(true).create_new(true).mode(mode.unwrap_or(0o666)).open(&draft).map_err(cannot)?;
        let begun = Self { into, file: file.to_owned(), beside: Some((draft, becomes)) };
        if let (Ok(kind), None) = (kind, mode) {
            begun.into.set_permissions(kind.permissions()).map_err(cannot)?;
        }
        Ok(begun)
    }

    /// Where to write.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.into.as_fd()
    }

    /// All is written: it takes its place.
    pub(crate) fn finish(mut self) -> Result<(), Fault> {
        let Some((draft, becomes)) = &self.beside else { return Ok(()) };
        let placed = self.into.sync_all().and_then(|()| std::fs::rename(draft, becomes));
        placed.map_err(|error| cannot(&self.file, &error))?;
        self.beside = None;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some((draft, _)) = &self.beside {
            // What cannot be removed is a hidden file that the next run does not mind.
            let _ = std::fs::remove_file(draft);
        }
    }
}

fn cannot(file: &Path, error: &io::Error) -> Fault {
    Fault::new(Exit::Usage, format!("Cannot write to '{}': {error}.", file.display()))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_replaced_when_all_is_written_and_stays_otherwise() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("calls.csv"), dir.path().join("link.csv"));
        std::fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let left = Draft::begin(&link).unwrap();
        (&left.into).write_all(b"half").unwrap();
        drop(left);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "old");
        let whole = Draft::begin(&link).unwrap();
        (&whole.into).write_all(b"new").unwrap();
        whole.finish().unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "new");
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink(), "the link stays one");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "and nothing lies beside it");
        std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        Draft::begin_private(&file).unwrap().finish().unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(Draft::begin(&dir.path().join("no/such/folder.csv")).is_err());
    }
}
