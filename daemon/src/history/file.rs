//! The database as a file: opening it, and why it is not open.
//!
//! Lives here: making and judging the file, setting a damaged one aside, what SQLite's complaints mean to a person.
//! Must not: delete a database, or anything of one.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use super::schema::{self, Belongs};
use super::{Unfinished, events};
use crate::system::clock;

/// How long a write waits for another program that holds the file.
const HELD_BY_OTHERS: Duration = Duration::from_millis(250);
/// A larger database is not read through at the start; damage in it shows at the first use.
const READ_THROUGH: u64 = 4 * 1024 * 1024;

/// Why a database is not open.
pub(super) enum Fault {
    /// It is no database, or a broken one.
    Damaged(String),
    /// A later program wrote it.
    Newer,
    /// SQLite cannot use it, for a reason that may pass.
    Sql(rusqlite::Error),
    /// The file cannot be made.
    Disk(io::Error),
}

/// Opens the database, making it if it is missing, and closes the rows that the last run left open.
pub(super) fn open(path: &Path) -> Result<(Connection, Vec<Unfinished>), Fault> {
    // Made by us first, so that it and the files beside it are readable by this user only.
    match OpenOptions::new().create_new(true).write(true).mode(0o600).open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(Fault::Disk(error)),
    }
    let size = std::fs::metadata(path).map_err(Fault::Disk)?.len();
    let mut db = Connection::open(path).map_err(sort)?;
    db.busy_timeout(HELD_BY_OTHERS).map_err(sort)?;
    match schema::prepare(&mut db).map_err(sort)? {
        Belongs::Ready => {}
        Belongs::Newer => return Err(Fault::Newer),
        Belongs::Foreign => return Err(Fault::Damaged("it is another program's database".into())),
    }
    if size <= READ_THROUGH {
        let found: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(sort)?;
        if found != "ok" {
            return Err(Fault::Damaged(found.replace('\n', " ")));
        }
    }
    let left_open = events::close_open(&mut db, clock::unix_us()).map_err(sort)?;
    Ok((db, left_open))
}

/// Renames a database with what belongs to it; its new name.
pub(super) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let kept = with_suffix(path, &format!(".damaged-{}", clock::unix_us() / 1_000));
    std::fs::rename(path, &kept)?;
    for suffix in ["-wal", "-shm"] {
        match std::fs::rename(with_suffix(path, suffix), with_suffix(&kept, suffix)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(%error, suffix, "a part of the damaged history stays where it is");
            }
        }
    }
    Ok(kept)
}

fn sort(error: rusqlite::Error) -> Fault {
    if is_damage(&error) { Fault::Damaged(in_words(&error)) } else { Fault::Sql(error) }
}

pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Why SQLite cannot, as a person says it.
pub(super) fn in_words(error: &rusqlite::Error) -> String {
    let known = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "another program holds it",
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => "its folder or file is read-only",
        Some(ErrorCode::CannotOpen) => "the file or its folder cannot be opened or written to",
        Some(ErrorCode::SystemIoFailure) => "the disk fails",
        Some(ErrorCode::NotADatabase) => "the file is no database",
        Some(ErrorCode::DatabaseCorrupt) => "the database is malformed",
        _ => return error.to_string(),
    };
    known.to_owned()
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
