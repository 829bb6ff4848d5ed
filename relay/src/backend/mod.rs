//! What a relay remembers beyond its connections: token lists and waiting mail.
//!
//! Lives here: the trait that keeps them, small enough for a store outside the process.
//! Must not: know connections, or decide what a client is told.

mod memory;

use ahoy_proto::envelope::{Body, EnvelopeId, Inbox, TokenHash};

use crate::time::Moment;

pub use memory::{Bounds, Memory};

/// One envelope that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Which.
    pub id: EnvelopeId,
    /// The hash of the token that it came with.
    pub token: TokenHash,
    /// What is sealed.
    pub body: Body,
    /// When it came.
    pub came: Moment,
    /// When it is dropped.
    pub until: Moment,
}

/// What became of an envelope. Its sender never learns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It waits, and may be delivered.
    Waits,
    /// It waits for the rest of the token list, which decides.
    Undecided,
    /// Unknown inbox, unlisted token, a copy of one that waits, or no room at all.
    Dropped,
}

/// There is no room for one more token or inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no room for more tokens")]
pub struct Full;

/// Keeps lists and mail. Time is an argument.
pub trait Backend {
    /// The owner of an inbox is here: its list is now this one. With `more`, the rest follows, and what waits is judged
    /// when the list is whole.
    fn claim(&mut self, inbox: Inbox, tokens: &[TokenHash], more: bool) -> Result<(), Full>;

    /// Adds to a list.
    fn allow(&mut self, inbox: Inbox, tokens: &[TokenHash], more: bool) -> Result<(), Full>;

    /// Takes off a list, and drops what waits with these tokens.
    fn revoke(&mut self, inbox: Inbox, tokens: &[TokenHash]);

    /// The owner of an inbox left: its list lives on for a while.
    fn left(&mut self, now: Moment, inbox: Inbox);

    /// An envelope for an inbox.
    fn put(&mut self, inbox: Inbox, mail: Mail) -> Put;

    /// What may be delivered, oldest first; nothing while the list is incomplete.
    fn waiting(&self, inbox: Inbox) -> impl Iterator<Item = &Mail>;

    /// The owner has it.
    fn ack(&mut self, inbox: Inbox, id: EnvelopeId);

    /// Drops what is over.
    fn expire(&mut self, now: Moment);

    /// When `expire` next has something to do.
    fn deadline(&self) -> Option<Moment>;
}
