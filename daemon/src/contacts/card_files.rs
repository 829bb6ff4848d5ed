//! The cards of contacts, read from their files when they are used.
//!
//! Lives here: reading and verifying one; having a damaged file set aside and telling of it.
//! Must not: keep a card in memory, or write one.

use std::path::{Path, PathBuf};

use ahoy_call::PeerId;
use ahoy_proto::card::Card;
use tokio::sync::watch;

use super::disk::{self, Fault};
use super::format::{ContactFile, hex};
use crate::system::store::Store;
use crate::values::roster::Cards;

/// Where cards are kept: their holder's files. A card comes verified; nothing that was only in a file is believed.
pub(super) struct Shelf {
    dir: PathBuf,
    problems: watch::Sender<Vec<String>>,
    store: Store,
}

impl Shelf {
    /// With what was told when the files were listed.
    pub(super) fn new(dir: &Path, problems: Vec<String>, store: Store) -> Self {
        Self { dir: dir.to_owned(), problems: watch::Sender::new(problems), store }
    }

    /// One sentence for each file that was not taken.
    pub(super) fn problems(&self) -> watch::Receiver<Vec<String>> {
        self.problems.subscribe()
    }

    /// The file of a contact.
    pub(super) fn path(&self, peer: PeerId) -> PathBuf {
        self.dir.join(hex(peer.bytes())).with_extension("json")
    }
}

impl Shelf {
    /// Sets the file aside if it still is damaged, and tells.
    fn set_aside(&self, peer: PeerId) {
        let (path, problems) = (self.path(peer), self.problems.clone());
        let job = move || {
            let sentence = match read(&path, peer) {
                Ok(_) => return,
                // Removed meanwhile, or set aside before.
                Err(Fault::Unreadable(error)) if error.kind() == std::io::ErrorKind::NotFound => return,
                Err(fault) => disk::contact_aside(&path, fault),
            };
            problems.send_if_modified(|told| {
                let new = !told.contains(&sentence);
                if new {
                    told.push(sentence);
                }
                new
            });
        };
        if self.store.run(Box::new(job)).is_err() {
            tracing::warn!("a damaged contact was not set aside: the disk does not answer");
        }
    }
}

impl Cards for Shelf {
    fn card(&self, peer: PeerId) -> Option<Card> {
        match read(&self.path(peer), peer) {
            Ok(card) => Some(card),
            Err(Fault::Unreadable(error)) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(_) => {
                self.set_aside(peer);
                None
            }
        }
    }
}

fn read(path: &Path, peer: PeerId) -> Result<Card, Fault> {
    let verified =
        |_: &str, file: ContactFile| Card::parse(&file.card).ok().filter(|card| card.peer_id() == peer);
    disk::understand(path, verified)
}
