//! Whose path is set up before the answer.
//!
//! Lives here: the choices.
//! Must not: know a contact.

/// Whose path is set up before our phone rings, so that an answer is heard at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preconnect {
    /// Every contact.
    Always,
    /// Contacts whose safety number was compared.
    Trusted,
    /// Nobody.
    Never,
}
