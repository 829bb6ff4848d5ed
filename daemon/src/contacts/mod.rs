//! Contacts: cards and rows, as files written by rename.
//!
//! Lives here: the store that the engine owns, names and ids of contacts, the tokens that were given out, people who ask to be
//! contacts, the roster for signaling.
//! Must not: know a call, a session or the bus.

mod asker;
mod asking;
mod card_files;
mod change;
mod disk;
mod find;
mod format;
mod row;
mod store;
#[cfg(test)]
mod tests;
mod tokens;

pub use crate::values::roster::{Known, Roster, Token};
pub use crate::values::rows::{ContactChange, ContactFilter, ContactRow, RequestRow};
pub use asking::Asked;
pub use change::Change;
pub use disk::{is_contact, is_token};
pub use store::{Added, Contacts};
