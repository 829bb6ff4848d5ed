//! Why a method fails, as a D-Bus error.
//!
//! Lives here: the error name of each denial, and the sentence beside it.
//! Must not: decide that something is denied.

use std::fmt;

use ahoy_dbus::{Error, ErrorName};
use zbus::message::{Header, Message};
use zbus::{BoxDBusError, DBusError};

use crate::values::request::Denied;

/// An error reply: a name for programs, a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// One of the contract's table.
    Refused(Error),
    /// A value is of the wrong type, or is none of the words that are understood.
    Arguments(String),
}

impl Fault {
    /// An option is unknown or out of range.
    pub(super) fn option(sentence: impl Into<String>) -> Self {
        Self::Refused(Error::new(ErrorName::InvalidOption, sentence))
    }

    /// One of the contract's table, with its sentence.
    pub(super) fn refused(error: Error) -> Self {
        Self::Refused(error)
    }

    /// A value is of the wrong type, or is none of the words that are understood.
    pub(super) fn arguments(sentence: impl Into<String>) -> Self {
        Self::Arguments(sentence.into())
    }
}

impl From<Denied> for Fault {
    fn from(denied: Denied) -> Self {
        Self::Refused(Error::new(denied.kind, denied.sentence))
    }
}

impl From<Fault> for BoxDBusError {
    fn from(fault: Fault) -> Self {
        Box::new(fault)
    }
}

impl DBusError for Fault {
    fn create_reply(&self, call: &Header<'_>) -> zbus::Result<Message> {
        Message::error(call, self.name()).build(&self.to_string())
    }

    fn name(&self) -> zbus::names::ErrorName<'_> {
        zbus::names::ErrorName::from_static_str_unchecked(match self {
            Self::Refused(error) => error.name.as_str(),
            Self::Arguments(_) => "org.freedesktop.DBus.Error.InvalidArgs",
        })
    }

    fn description(&self) -> Option<&str> {
        Some(match self {
            Self::Refused(error) => &error.sentence,
            Self::Arguments(sentence) => sentence,
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description().unwrap_or_default())
    }
}

impl std::error::Error for Fault {}
