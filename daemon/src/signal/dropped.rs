//! What was dropped without a word, counted by cause.
//!
//! Lives here: the causes and their counters.
//! Must not: keep or show anything of what was dropped; its sender learns nothing.

use std::collections::BTreeMap;

use ahoy_proto::session::SessionError;

/// Why an input was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Not of the wire's shape, in clear or behind the seal.
    Malformed,
    /// A frame of no session of ours, or at the wrong time.
    UnknownSession,
    /// The seal did not hold: altered, or meant for another.
    Seal,
    /// A certificate that does not fit its handshake.
    WrongIdentity,
    /// Seen before, or too late.
    Replayed,
    /// Of no contact.
    UnknownSender,
    /// Of a device that is not on the contact's card.
    UnknownDevice,
    /// A certificate that is not valid now.
    Expired,
    /// Of a blocked contact.
    Blocked,
    /// With a token that we never gave out, or revoked.
    UnknownToken,
    /// With a token that belongs to another contact.
    ForeignToken,
    /// A kind or version that this program does not know.
    Unsupported,
    /// Too many rings at once.
    TooMany,
}

impl From<SessionError> for Cause {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Length
            | SessionError::Padding
            | SessionError::Payload(_)
            | SessionError::TooMuch => Self::Malformed,
            SessionError::UnknownFrame | SessionError::UnknownKind | SessionError::NoVersion => {
                Self::Unsupported
            }
            SessionError::Misplaced => Self::UnknownSession,
            SessionError::Seal | SessionError::Spent => Self::Seal,
            SessionError::WrongStatic => Self::WrongIdentity,
            SessionError::Replayed => Self::Replayed,
        }
    }
}

/// How much was dropped, by cause.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dropped(BTreeMap<Cause, u64>);

impl Dropped {
    /// Counts one.
    pub fn count(&mut self, cause: Cause) {
        let n = self.0.entry(cause).or_default();
        *n += 1;
        tracing::debug!(?cause, count = *n, "dropped an input");
    }

    /// How many for this cause.
    pub fn of(&self, cause: Cause) -> u64 {
        self.0.get(&cause).copied().unwrap_or(0)
    }

    /// How many in all.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }
}
