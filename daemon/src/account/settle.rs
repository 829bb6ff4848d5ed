//! What was decided about the account, done between two runs, while nobody has a file of it open.
//!
//! Lives here: putting an imported account in the place of the one that was here, taking an account off. Each step can be
//! done again: whenever the machine stops, the next start goes on where it was.
//! Must not: decide anything; lose a key that nobody wanted removed.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::bundle::{HISTORY, SETTINGS, SINGLE};
use super::stage::{PLAN, Plan};
use crate::system::file::{self, Access};
use crate::system::paths::Paths;
use crate::system::store::Gate;

/// The decision that this machine's account goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaving {
    /// Past calls go, too.
    pub history: bool,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// An imported account took the place of another, which is kept there.
    pub came: Option<PathBuf>,
    /// The account was removed.
    pub left: bool,
}

impl Leaving {
    /// It is decided: the next start takes the account off.
    pub fn decide(self, paths: &Paths, gate: &Gate) -> io::Result<()> {
        file::write_past(&paths.leaving(), &serde_json::to_vec(&self)?, Access::Private, || gate.pass())
    }
}

/// Does what was decided in the last run. To be called with the state locked, before any of its files is opened.
pub fn settle(paths: &Paths) -> io::Result<Settled> {
    let mut settled = Settled::default();
    if let Some(leaving) = read::<Leaving>(&paths.leaving())? {
        leave(paths, leaving)?;
        settled.left = true;
    }
    let come = paths.come();
    if let Some(plan) = read::<Plan>(&come.join(PLAN))? {
        settled.came = Some(take_in(paths, &come, &plan)?);
    }
    // What never was decided, or what is left of something done.
    for rest in [come, paths.coming()] {
        gone(std::fs::remove_dir_all(rest))?;
    }
    gone(std::fs::remove_file(paths.copy_of_history()))?;
    Ok(settled)
}

fn read<T: serde::de::DeserializeOwned>(at: &Path) -> io::Result<Option<T>> {
    match std::fs::read(at) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn take_in(paths: &Paths, come: &Path, plan: &Plan) -> io::Result<PathBuf> {
    // A name of ours alone: a plan is only read from where we wrote it, and yet.
    let name = Path::new(&plan.aside).file_name().ok_or(io::ErrorKind::InvalidData)?;
    let aside = paths.state.join(name);
    file::make_dir(&aside)?;
    let database = [HISTORY, "history.db-wal", "history.db-shm"];
    let mut parts = vec!["identity", "contacts"];
    parts.extend(SINGLE);
    for part in parts {
        swap(paths, come, &aside, part)?;
    }
    if come.join(HISTORY).exists() {
        // What belongs to the old one first: with it the new one would be read wrongly.
        for part in database.iter().rev() {
            if !aside.join(part).exists() {
                gone(std::fs::rename(paths.state.join(part), aside.join(part)))?;
            }
        }
        std::fs::rename(come.join(HISTORY), paths.history())?;
    }
    settings(paths, come, &aside)?;
    File::open(&paths.state)?.sync_all()?;
    Ok(aside)
}

/// A part that came takes its place; what was there is kept.
fn swap(paths: &Paths, come: &Path, aside: &Path, part: &str) -> io::Result<()> {
    if !come.join(part).exists() {
        return Ok(());
    }
    if !aside.join(part).exists() {
        gone(std::fs::rename(paths.state.join(part), aside.join(part)))?;
    }
    std::fs::rename(come.join(part), paths.state.join(part))
}

/// The configuration lies elsewhere, may be a link, and may not be ours to write: then it stays as it is.
fn settings(paths: &Paths, come: &Path, aside: &Path) -> io::Result<()> {
    let Ok(new) = std::fs::read(come.join(SETTINGS)) else { return Ok(()) };
    let old = std::fs::read(&paths.config).unwrap_or_default();
    if old == new {
        return Ok(());
    }
    if !old.is_empty() && !aside.join(SETTINGS).exists() {
        file::write(&aside.join(SETTINGS), &old)?;
    }
    let target = std::fs::canonicalize(&paths.config).unwrap_or_else(|_| paths.config.clone());
    let written = target
        .parent()
        .map_or(Ok(()), file::make_dir)
        .and_then(|()| file::write_past(&target, &new, Access::AsBefore, || Ok(())));
    if let Err(error) = written {
        eprintln!(
            "ahoyd: the imported settings are not in force, {} cannot be written: {error}",
            target.display()
        );
    }
    Ok(())
}

fn leave(paths: &Paths, leaving: Leaving) -> io::Result<()> {
    gone(std::fs::remove_dir_all(paths.contacts()))?;
    for part in ["replay", "replay.log", "dnd", "relays.json", "groups.json"] {
        gone(std::fs::remove_file(paths.state.join(part)))?;
    }
    if leaving.history {
        for part in ["history.db-wal", "history.db-shm", HISTORY] {
            gone(std::fs::remove_file(paths.state.join(part)))?;
        }
    }
    gone(std::fs::remove_dir_all(paths.identity()))?;
    File::open(&paths.state)?.sync_all()?;
    // Last: until here the next start does it again.
    file::remove(&paths.leaving())
}

fn gone(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
