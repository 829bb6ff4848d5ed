//! The files of contacts and tokens.
//!
//! Lives here: what stands in a file, reading all of them at the start, the thread that writes them in order.
//! Must not: decide what is written.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use ahoy_call::PeerId;
use ahoy_proto::card::Card;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::manner::Manner;
use crate::{clock, file};

/// The version of the files that this program writes and understands.
pub(super) const VERSION: u32 = 1;
/// Writes that may wait for a slow disk; more are dropped and told.
const QUEUE: usize = 256;
/// How long somebody waits for the disk before they hear that it is stuck.
const PATIENCE: Duration = Duration::from_secs(2);

/// The file of one contact, `<id>.json`. Times are microseconds since the Unix epoch.
#[derive(Serialize, Deserialize)]
pub(super) struct ContactFile {
    pub(super) version: u32,
    pub(super) card: String,
    pub(super) name: String,
    pub(super) blocked: bool,
    pub(super) mutual: bool,
    pub(super) added_at: i64,
    pub(super) last_call_at: i64,
    #[serde(flatten)]
    pub(super) manner: Manner,
}

/// The file of one token that we gave out, `tokens/<hash>.json`. The token itself is kept by its holder alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct TokenFile {
    pub(super) version: u32,
    /// For whom, as the person said.
    pub(super) name: String,
    /// The id of the contact that it binds to.
    pub(super) bound: Option<String>,
    pub(super) issued_at: i64,
}

/// All that could be read, and what is to be told about the rest.
#[derive(Default)]
pub(super) struct Loaded {
    pub(super) contacts: Vec<(ContactFile, Card)>,
    pub(super) tokens: Vec<([u8; 16], TokenFile)>,
    pub(super) problems: Vec<String>,
}

/// Reads everything in `dir`, making it if it is missing. A file that cannot be understood is set aside, the others live.
pub(super) fn load(dir: &Path) -> io::Result<Loaded> {
    let mut loaded = Loaded::default();
    file::make_dir(&dir.join("tokens"))?;
    for path in files(dir)? {
        match understand(&path, contact) {
            Ok(contact) => loaded.contacts.push(contact),
            Err(fault) => loaded.problems.push(aside(&path, fault, "a contact", "add its card again")),
        }
    }
    for path in files(&dir.join("tokens"))? {
        match understand(&path, token) {
            Ok(token) => loaded.tokens.push(token),
            Err(fault) => {
                loaded.problems.push(aside(
                    &path,
                    fault,
                    "the note of a card that was given out",
                    "give out a new one",
                ));
            }
        }
    }
    Ok(loaded)
}

enum Fault {
    Damaged,
    Newer,
    Unreadable(io::Error),
}

fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn understand<T>(path: &Path, read: impl FnOnce(&str, &str) -> Option<T>) -> Result<T, Fault> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let text = match std::fs::read(path) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| Fault::Damaged)?,
        Err(error) => return Err(Fault::Unreadable(error)),
    };
    let Version { version } = serde_json::from_str(&text).map_err(|_| Fault::Damaged)?;
    if version > VERSION {
        return Err(Fault::Newer);
    }
    let stem = path.file_stem().and_then(|stem| stem.to_str()).ok_or(Fault::Damaged)?;
    read(stem, &text).ok_or(Fault::Damaged)
}

fn contact(stem: &str, text: &str) -> Option<(ContactFile, Card)> {
    let file: ContactFile = serde_json::from_str(text).ok()?;
    let card = Card::parse(&file.card).ok()?;
    (hex(card.peer_id().bytes()) == stem).then_some((file, card))
}

fn token(stem: &str, text: &str) -> Option<([u8; 16], TokenFile)> {
    let file: TokenFile = serde_json::from_str(text).ok()?;
    if file.bound.as_deref().is_some_and(|bound| unhex(bound).is_none()) {
        return None;
    }
    Some((unhex(stem)?, file))
}

/// The sentence about a file that was not taken. A damaged one is renamed, so that it is told once.
fn aside(path: &Path, fault: Fault, what: &str, advice: &str) -> String {
    match fault {
        Fault::Newer => format!("{what} was written by a newer ahoyd and is left alone: {}", path.display()),
        Fault::Unreadable(error) => format!("{what} cannot be read ({error}): {}", path.display()),
        Fault::Damaged => {
            let kept = path.with_extension(format!("damaged-{}", clock::unix_us() / 1_000_000));
            match std::fs::rename(path, &kept) {
                Ok(()) => format!("{what} is damaged and was set aside as {}: {advice}", kept.display()),
                Err(error) => {
                    format!("{what} is damaged and cannot be set aside ({error}): {}", path.display())
                }
            }
        }
    }
}

/// The thread that writes, in the order in which it was told. Dropping this waits for what is queued.
pub(super) struct Disk {
    orders: Option<SyncSender<Order>>,
    thread: Option<std::thread::JoinHandle<()>>,
    problem: watch::Receiver<String>,
}

struct Order {
    path: PathBuf,
    /// The new content; `None` removes the file.
    content: Option<Vec<u8>>,
    done: Option<SyncSender<io::Result<()>>>,
}

impl Disk {
    pub(super) fn spawn() -> io::Result<Self> {
        let (orders, inbox) = sync_channel(QUEUE);
        let (tell, problem) = watch::channel(String::new());
        let thread =
            std::thread::Builder::new().name("contacts".into()).spawn(move || write_all(&inbox, &tell))?;
        Ok(Self { orders: Some(orders), thread: Some(thread), problem })
    }

    /// A sentence about a write that nobody waited for and that failed; empty when all is well.
    pub(super) fn problem(&self) -> watch::Receiver<String> {
        self.problem.clone()
    }

    /// Writes (or, with no content, removes) and waits for the disk: for what a person asked for.
    pub(super) fn write_and_wait(&self, path: PathBuf, content: Option<Vec<u8>>) -> io::Result<()> {
        let (done, answer) = sync_channel(1);
        self.send(Order { path, content, done: Some(done) })?;
        answer.recv_timeout(PATIENCE).map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// Writes some time soon: for what the daemon notes by itself.
    pub(super) fn write_soon(&self, path: PathBuf, content: Vec<u8>) {
        if let Err(error) = self.send(Order { path, content: Some(content), done: None }) {
            tracing::warn!(%error, "a note about a contact is not kept over a restart");
        }
    }

    fn send(&self, order: Order) -> io::Result<()> {
        let Some(orders) = &self.orders else { return Err(io::ErrorKind::BrokenPipe.into()) };
        orders.try_send(order).map_err(|_| io::ErrorKind::WouldBlock.into())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was printed there.
            drop(thread.join());
        }
    }
}

fn write_all(inbox: &Receiver<Order>, tell: &watch::Sender<String>) {
    for Order { path, content, done } in inbox {
        let result = match content {
            Some(content) => file::write(&path, &content),
            None => file::remove(&path),
        };
        let sentence = match &result {
            Ok(()) => String::new(),
            Err(error) => {
                format!("contacts cannot be written ({error}): {}", path.parent().unwrap_or(&path).display())
            }
        };
        tell.send_if_modified(|now| {
            now != &sentence && {
                now.clone_from(&sentence);
                true
            }
        });
        if let Some(done) = done {
            // Whoever waited may have lost patience.
            drop(done.try_send(result));
        }
    }
}

pub(super) fn hex(id: [u8; 16]) -> String {
    HEXLOWER.encode(&id)
}

pub(super) fn unhex(text: &str) -> Option<[u8; 16]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

pub(super) fn peer(text: &str) -> Option<PeerId> {
    unhex(text).map(PeerId::from_bytes)
}
