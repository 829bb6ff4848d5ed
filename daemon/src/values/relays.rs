//! Relays of ours, and where each comes from.
//!
//! Lives here: the value, its words, and what was learned from outside.
//! Must not: choose, or know how anything is found.

use ahoy_proto::relay_list::{ListKey, RelayList};

/// Where we have a relay from, in the order in which they count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RelayFrom {
    /// A person wrote it into the configuration.
    Configuration,
    /// A signed list.
    List,
    /// The domain name system.
    Dns,
    /// It took us in before.
    Worked,
    /// A contact is reached there.
    Card,
    /// A code or link by which a person pairs names it.
    Link,
}

impl RelayFrom {
    /// As it is shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::List => "list",
            Self::Dns => "dns",
            Self::Worked => "worked-before",
            Self::Card => "contact",
            Self::Link => "link",
        }
    }
}

/// A relay that is to hold an inbox of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenRelay {
    /// Its address.
    pub url: String,
    /// Where we have it from.
    pub from: RelayFrom,
}

/// What came of a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Learned {
    /// A list that is newer than what we had, and by whose first keys it is believed.
    List(Vec<ListKey>, Box<RelayList>),
    /// What the domain says; perhaps nothing.
    Dns(String, Vec<String>),
}

/// One relay as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServingRow {
    /// Its address.
    pub url: String,
    /// It holds our inbox now.
    pub serves: bool,
    /// Where we have it from.
    pub from: &'static str,
}
