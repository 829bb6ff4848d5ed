//! Links that were opened: what they hold, and that a person is to be asked.
//!
//! Lives here: the value for who opened one, and the one for the screen.
//! Must not: do what a link says.

use ahoy_proto::pair::link::Link;

/// What a link holds, for who opened it. What does not apply is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkRow {
    /// `pair` or `card`.
    pub kind: &'static str,
    /// The number and the words.
    pub code: String,
    /// The relay where they are good; empty: any.
    pub relay: String,
    /// As the owner of the card calls themselves.
    pub name: String,
    /// Theirs.
    pub address: String,
    /// Sixty digits that both see alike.
    pub safety_number: String,
}

/// A link about which a person is to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Rises by one with each.
    pub serial: u64,
    /// What would be done.
    pub link: Link,
    /// What it says.
    pub row: LinkRow,
}
