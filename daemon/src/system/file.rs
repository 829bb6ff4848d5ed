//! Small files that are whole or not there.
//!
//! Lives here: writing by rename, so that a crash leaves the old content or the new; mode 0600.
//! Must not: know what is in them.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt as _};
use std::path::Path;

/// Makes the directory and its parents, readable by this user only. An existing one is left as it is.
pub fn make_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Puts `content` at `path` and waits until the disk has it. Nobody ever sees a half of it. The directory must be there.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    write_past(path, content, Access::Private, || Ok(()))
}

/// Who may read what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// This user.
    Private,
    /// Whoever could before; of a new file this user.
    AsBefore,
}

/// The same, if `gate` lets it through when everything is prepared: nothing has changed before.
pub fn write_past(
    path: &Path,
    content: &[u8],
    access: Access,
    gate: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mode = match access {
        Access::Private => 0o600,
        Access::AsBefore => std::fs::metadata(path).map_or(0o600, |there| there.permissions().mode() & 0o777),
    };
    let written = write_beside(&beside, content, mode)
        .and_then(|()| gate())
        .and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        // The half file is in nobody's way; the next write begins it anew.
        drop(std::fs::remove_file(&beside));
        return written;
    }
    sync_dir(path)
}

/// Removes the file and waits until the disk knows. A missing one is removed already.
pub fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Ok(()) => sync_dir(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn write_beside(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(content)?;
    file.sync_all()
}

fn sync_dir(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_only_its_user_can_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/row.json");
        make_dir(path.parent().unwrap()).unwrap();
        write(&path, b"a longer first content").unwrap();
        write(&path, b"second").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"second");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        let all = std::fs::read_dir(path.parent().unwrap()).unwrap();
        assert_eq!(all.count(), 1, "nothing is left beside it");
        remove(&path).unwrap();
        remove(&path).unwrap();
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("row.json");
        write(&path, b"old").unwrap();
        std::fs::create_dir(path.with_extension("new")).unwrap();
        assert!(write(&path, b"new").is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
    }
}
