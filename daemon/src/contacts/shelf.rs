//! The cards of contacts, read from their files when they are used.
//!
//! Lives here: reading and verifying one; setting a damaged file aside and telling of it.
//! Must not: keep a card in memory, or write one.

use std::path::{Path, PathBuf};

use ahoy_call::PeerId;
use ahoy_proto::card::Card;
use tokio::sync::watch;

use super::disk::{self, ContactFile, Fault, hex};
use crate::roster::Cards;

/// Where cards are kept: their holder's files. A card comes verified; nothing that was only in a file is believed.
pub(super) struct Shelf {
    dir: PathBuf,
    problems: watch::Sender<Vec<String>>,
}

impl Shelf {
    /// With what was told when the files were listed.
    pub(super) fn new(dir: &Path, problems: Vec<String>) -> Self {
        Self { dir: dir.to_owned(), problems: watch::Sender::new(problems) }
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

impl Cards for Shelf {
    fn card(&self, peer: PeerId) -> Option<Card> {
        let path = self.path(peer);
        let verified =
            |_: &str, file: ContactFile| Card::parse(&file.card).ok().filter(|card| card.peer_id() == peer);
        match disk::understand(&path, verified) {
            Ok(card) => Some(card),
            // Removed meanwhile, or set aside before.
            Err(Fault::Unreadable(error)) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(fault) => {
                let sentence = disk::contact_aside(&path, fault);
                self.problems.send_if_modified(|told| {
                    let new = !told.contains(&sentence);
                    if new {
                        told.push(sentence);
                    }
                    new
                });
                None
            }
        }
    }
}
