//! What came in a file, laid ready beside what is in use.
//!
//! Lives here: looking at every part before one is written, writing all of it, and the one rename that decides.
//! Must not: touch what is in use: `settle.rs` does, before the next run opens it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::bundle::{Bundle, GROUPS, HISTORY, KEYS, Place, place, wrong};
use super::{Judges, failed};
use crate::system::paths::Paths;
use crate::system::store::Gate;
use crate::system::{clock, file};
use crate::values::request::Denied;

/// What is to be done with what lies ready.
#[derive(Serialize, Deserialize)]
pub(super) struct Plan {
    /// The folder beside it in which the old files are kept.
    pub(super) aside: String,
}

/// The file of the plan.
pub(super) const PLAN: &str = "plan.json";

/// Writes all of it to where nobody looks yet. The account's address.
pub(super) fn stage(paths: &Paths, bundle: &Bundle, judges: Judges) -> Result<String, Denied> {
    let mut address = None;
    for (name, text) in &bundle.files {
        let bytes = text.as_bytes();
        let right = match place(name).ok_or_else(|| wrong(name))? {
            Place::Keys => {
                let judged =
                    (judges.keys)(bytes).map_err(|why| failed(format!("{why} Nothing was changed.")))?;
                address = Some(judged);
                true
            }
            Place::Settings => (judges.settings)(text).is_ok(),
            Place::Single => true,
            Place::Contact(stem) => (judges.contact)(stem, bytes),
            Place::Token(stem) => (judges.token)(stem, bytes),
        };
        if !right {
            return Err(wrong(name));
        }
    }
    let address = address.ok_or_else(|| wrong(KEYS))?;
    let history = bundle.history()?;
    let written = write(&paths.coming(), bundle, history.as_deref());
    written.map_err(|error| {
        failed(format!("The disk does not take the account: {error}. Nothing was changed."))
    })?;
    Ok(address)
}

fn write(at: &Path, bundle: &Bundle, history: Option<&[u8]>) -> io::Result<()> {
    match std::fs::remove_dir_all(at) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    file::make_dir(&at.join("identity"))?;
    file::make_dir(&at.join("contacts/tokens"))?;
    for (name, text) in &bundle.files {
        put(&at.join(name), text.as_bytes())?;
    }
    // Where the account has none: those of the account that was here go aside with it.
    if !bundle.files.contains_key(GROUPS) {
        put(&at.join(GROUPS), b"[]")?;
    }
    if let Some(history) = history {
        put(&at.join(HISTORY), history)?;
    }
    let plan = Plan { aside: format!("aside-{}", clock::unix_us().div_euclid(1_000_000)) };
    put(&at.join(PLAN), &serde_json::to_vec(&plan)?)?;
    // All at once: one by one ten thousand contacts would take a minute.
    rustix::fs::syncfs(File::open(at)?).map_err(io::Error::from)
}

fn put(at: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().create_new(true).write(true).mode(0o600).open(at)?.write_all(bytes)
}

/// What lies ready counts from the next start on.
pub fn come(paths: &Paths, gate: &Gate) -> io::Result<()> {
    gate.pass()?;
    std::fs::rename(paths.coming(), paths.come())?;
    File::open(&paths.state)?.sync_all()
}
