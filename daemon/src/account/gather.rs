//! The files of this account, read for a sealed copy.
//!
//! Lives here: which files belong to it.
//! Must not: change one; read them on the engine's thread. Each file is written by rename, so each is whole.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use super::bundle::{Bundle, KEYS, MOST_BYTES, MOST_OF_ONE, Place, SETTINGS, SINGLE, place};
use super::failed;
use crate::system::paths::Paths;
use crate::values::request::Denied;

/// All of it but the history, which was copied.
pub(super) fn all(paths: &Paths, keys: &[u8], history: Option<Vec<u8>>) -> Result<Bundle, Denied> {
    let mut bundle = Bundle::new();
    let keys = std::str::from_utf8(keys).map_err(|_| failed("the file of our keys is damaged"))?;
    bundle.files.insert(KEYS.to_owned(), keys.to_owned());
    take(&mut bundle, SETTINGS, &paths.config)?;
    for name in SINGLE {
        take(&mut bundle, name, &paths.state.join(name))?;
    }
    for (folder, at) in [("contacts", paths.contacts()), ("contacts/tokens", paths.contacts().join("tokens"))]
    {
        for entry in std::fs::read_dir(&at).map_err(|error| unread(&at, &error))? {
            let entry = entry.map_err(|error| unread(&at, &error))?;
            let Ok(file) = entry.file_name().into_string() else { continue };
            let name = format!("{folder}/{file}");
            if matches!(place(&name), Some(Place::Contact(_) | Place::Token(_))) {
                take(&mut bundle, &name, &entry.path())?;
            }
        }
    }
    if let Some(history) = history {
        bundle.set_history(&history);
    }
    Ok(bundle)
}

/// The copy of the history.
pub(super) fn history(copy: &Path) -> Result<Vec<u8>, Denied> {
    // Half as much again in base64.
    match read(copy, MOST_BYTES / 2) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            let sentence = "The history is too long for one file: export the account without it, and the calls by `ahoyctl history export`.";
            Err(failed(sentence))
        }
        Err(error) => Err(unread(copy, &error)),
    }
}

/// One file, if it is there. It may go while we look: then it is none of the account's any more.
fn take(bundle: &mut Bundle, name: &str, at: &Path) -> Result<(), Denied> {
    let text = match read(at, MOST_OF_ONE) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => Err(error),
    };
    bundle.files.insert(name.to_owned(), text.map_err(|error| unread(at, &error))?);
    Ok(())
}

fn read(at: &Path, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most_read = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    File::open(at)?.take(most_read).read_to_end(&mut bytes)?;
    if bytes.len() > most { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

fn unread(at: &Path, error: &io::Error) -> Denied {
    failed(format!("{} cannot be read ({error}): nothing was exported.", at.display()))
}
