//! A change of contacts or tokens: decided, then written, then so.
//!
//! Lives here: the steps of a change, each a file and what is true once it is written.
//! Must not: decide a change (`store.rs` does), or wait.

use std::io;
use std::path::PathBuf;

use ahoy_call::PeerId;

use super::Token;
use super::asker::Asking;
use super::disk::{self, Content};
use super::row::Row;
use crate::system::store::{Gate, Store};

/// What a change of contacts consists of. Made by [`super::Contacts`], written on the store's thread, and given back to
/// [`super::Contacts::commit`]. Until then nothing is so.
#[derive(Default)]
#[must_use]
pub struct Change {
    steps: Vec<Step>,
    /// So many of the steps are on the disk.
    done: usize,
}

struct Step {
    path: PathBuf,
    content: Option<Content>,
    then: Then,
}

/// What is true once a step is written.
pub(super) enum Then {
    /// The contact is this.
    Row(PeerId, Row),
    /// There is no such contact.
    Gone(PeerId),
    /// This token is listed, given out at that time.
    Listed(Token, i64),
    /// It is not.
    Revoked([u8; 16]),
    /// This token is listed, and this contact's from the beginning.
    Theirs(Token),
    /// A token that is listed is this contact's.
    Bound([u8; 16], PeerId),
    /// Somebody asks to be a contact.
    Asks(PeerId, Asking),
    /// They do not, any more.
    AsksNot(PeerId),
}

impl Change {
    /// One more step, after those before.
    pub(super) fn and(mut self, path: PathBuf, content: Content, then: Then) -> Self {
        self.steps.push(Step { path, content: Some(content), then });
        self
    }

    /// There is nothing to be written.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// On the store's thread: writes the steps in order and stops at the first that fails; those before it are real.
    pub fn write(&mut self, store: &Store, gate: &Gate) -> io::Result<()> {
        for step in &mut self.steps {
            let Some(content) = step.content.take() else { continue };
            let result = disk::put(&step.path, content, gate);
            store.note(&step.path, &result);
            result?;
            self.done += 1;
        }
        Ok(())
    }

    /// What of it is true now.
    pub(super) fn true_now(self) -> impl Iterator<Item = Then> {
        self.steps.into_iter().take(self.done).map(|step| step.then)
    }
}

impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Change({} of {} steps written)", self.done, self.steps.len())
    }
}
