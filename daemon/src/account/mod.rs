//! The account as a whole: sealed into a file, brought from one, taken off this machine.
//!
//! Lives here: a thread for each of these jobs, and what the next start does with what was decided (`settle.rs`).
//! Must not: know a call or a session; change what a running daemon has open: that is done between two runs.

mod bundle;
mod gather;
mod sealed;
mod settle;
mod stage;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

use crate::system::paths::Paths;
use crate::values::own::Own;
use crate::values::request::{Answer, Denied, DeniedKind, Lease};
pub use settle::{Leaving, Settled, settle};
pub use stage::come;

/// The file of our keys, or a sentence.
pub type Whole = Result<Zeroizing<Vec<u8>>, String>;

/// What other rooms know of their files.
#[derive(Clone, Copy, Debug)]
pub struct Judges {
    /// The file of our keys, whole, or why it cannot be had.
    pub whole: fn(&Path, &Own) -> Whole,
    /// The account's address, if these are its keys; else a sentence.
    pub keys: fn(&[u8]) -> Result<String, String>,
    /// Whether a contact's file of that name (without its ending) holds one.
    pub contact: fn(&str, &[u8]) -> bool,
    /// The same of the note of a card that was given out.
    pub token: fn(&str, &[u8]) -> bool,
    /// Why this is no configuration.
    pub settings: fn(&str) -> Result<(), String>,
}

/// Whoever does these jobs.
#[derive(Clone, Debug)]
pub struct Accounts {
    judges: Judges,
    reports: mpsc::Sender<Report>,
}

/// What is to be sealed, and into what.
#[derive(Debug)]
pub struct Export {
    /// Where the daemon's files lie.
    pub paths: Paths,
    /// Who we are.
    pub own: Arc<Own>,
    /// Past calls: where a copy of them will lie when that is said.
    pub history: Option<(PathBuf, oneshot::Receiver<Result<Answer, Denied>>)>,
    /// The file.
    pub into: Lease,
    /// Where the passphrase is read from.
    pub secret: Lease,
}

/// What is to be brought here.
#[derive(Debug)]
pub struct Import {
    /// Where the daemon's files lie.
    pub paths: Paths,
    /// The file.
    pub from: Lease,
    /// Where the passphrase is read from.
    pub secret: Lease,
}

/// What came of a job.
#[derive(Debug)]
pub enum Report {
    /// An export is over.
    Sealed(Result<(), Denied>),
    /// A file was opened and found right; it lies ready, and [`come`] makes it count from the next start on. Its address.
    Opened(Result<String, Denied>),
}

impl Accounts {
    /// Reports what each job came to.
    pub fn new(judges: Judges, reports: mpsc::Sender<Report>) -> Self {
        Self { judges, reports }
    }

    /// Begins an export.
    pub fn export(&self, export: Export) -> io::Result<()> {
        self.begin(move |judges| Report::Sealed(seal(export, judges)))
    }

    /// Begins an import.
    pub fn import(&self, import: Import) -> io::Result<()> {
        self.begin(move |judges| Report::Opened(open(&import, judges)))
    }

    fn begin(&self, job: impl FnOnce(Judges) -> Report + Send + 'static) -> io::Result<()> {
        let Self { judges, reports } = self.clone();
        // The daemon may be stopping.
        let work = move || drop(reports.blocking_send(job(judges)));
        std::thread::Builder::new().name("account".to_owned()).spawn(work).map(drop)
    }
}

fn seal(export: Export, judges: Judges) -> Result<(), Denied> {
    let Export { paths, own, history, into, secret } = export;
    // First: the copy holds what others must not read, and must not stay, whatever is refused.
    let history = match history {
        None => None,
        Some((copy, waiting)) => {
            let copied =
                waiting.blocking_recv().unwrap_or_else(|_gone| Err(failed("the history does not answer")));
            let read = copied.and_then(|_done| gather::history(&copy));
            drop(std::fs::remove_file(&copy));
            Some(read?)
        }
    };
    let into = sealed::regular(into)?;
    let secret = sealed::passphrase(&secret)?;
    sealed::is_long_enough(&secret)?;
    let keys = (judges.whole)(&paths.identity(), &own).map_err(failed)?;
    let bundle = gather::all(&paths, &keys, history)?;
    sealed::seal(&bundle.write()?, secret, into)
}

fn open(import: &Import, judges: Judges) -> Result<String, Denied> {
    let secret = sealed::passphrase(&import.secret)?;
    let plain = sealed::open(sealed::read(&import.from)?, secret)?;
    let bundle = bundle::Bundle::read(&plain)?;
    stage::stage(&import.paths, &bundle, judges)
}

/// Anything that went wrong, in a sentence.
fn failed(sentence: impl Into<String>) -> Denied {
    Denied::new(DeniedKind::Failed, sentence)
}
