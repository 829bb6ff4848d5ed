//! Why a method fails, as a D-Bus error.
//!
//! Lives here: the error name of each denial, and the sentence beside it.
//! Must not: decide that something is denied.

use std::fmt;

use zbus::message::{Header, Message};
use zbus::names::ErrorName;

use crate::request::{Denied, DeniedKind};

/// An error reply: a name for programs, a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    name: &'static str,
    sentence: String,
}

impl Fault {
    /// An option is unknown or out of range.
    pub fn option(sentence: impl Into<String>) -> Self {
        Denied::new(DeniedKind::InvalidOption, sentence).into()
    }

    /// A value is of the wrong type, or is none of the words that are understood.
    pub fn arguments(sentence: impl Into<String>) -> Self {
        Self { name: "org.freedesktop.DBus.Error.InvalidArgs", sentence: sentence.into() }
    }
}

/// The error name of each kind, as in the table of the contract.
pub fn name(kind: DeniedKind) -> &'static str {
    match kind {
        DeniedKind::NotReady => "org.ahoyd.Calls1.Error.NotReady",
        DeniedKind::NoSuchCall => "org.ahoyd.Calls1.Error.NoSuchCall",
        DeniedKind::NoSuchContact => "org.ahoyd.Calls1.Error.NoSuchContact",
        DeniedKind::NoSuchRecord => "org.ahoyd.Calls1.Error.NoSuchRecord",
        DeniedKind::InvalidState => "org.ahoyd.Calls1.Error.InvalidState",
        DeniedKind::InvalidOption => "org.ahoyd.Calls1.Error.InvalidOption",
        DeniedKind::Stale => "org.ahoyd.Calls1.Error.Stale",
        DeniedKind::AlreadyHandled => "org.ahoyd.Calls1.Error.AlreadyHandled",
        DeniedKind::AnsweredElsewhere => "org.ahoyd.Calls1.Error.AnsweredElsewhere",
        DeniedKind::Ambiguous => "org.ahoyd.Calls1.Error.Ambiguous",
        DeniedKind::Busy => "org.ahoyd.Calls1.Error.Busy",
        DeniedKind::NotConnected => "org.ahoyd.Calls1.Error.NotConnected",
        DeniedKind::NoDevice => "org.ahoyd.Calls1.Error.NoDevice",
        DeniedKind::NotSupported => "org.ahoyd.Calls1.Error.NotSupported",
        DeniedKind::RateLimited => "org.ahoyd.Calls1.Error.RateLimited",
        DeniedKind::Failed => "org.ahoyd.Calls1.Error.Failed",
    }
}

impl From<Denied> for Fault {
    fn from(denied: Denied) -> Self {
        Self { name: name(denied.kind), sentence: denied.sentence }
    }
}

impl zbus::DBusError for Fault {
    fn create_reply(&self, call: &Header<'_>) -> zbus::Result<Message> {
        Message::error(call, self.name).build(&self.sentence)
    }

    fn name(&self) -> ErrorName<'_> {
        ErrorName::from_static_str_unchecked(self.name)
    }

    fn description(&self) -> Option<&str> {
        Some(&self.sentence)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Fault {}
