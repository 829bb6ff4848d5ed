//! The table of errors of the bus.
//!
//! Lives here: one variant for each name below `org.ahoyd.Calls1.Error.`, and an error that can be sent as a reply or read from one.
//! Must not: word the sentences: those come from whoever refuses.

use zbus::message::{Header, Message};
use zbus::names::ErrorName as BusErrorName;

/// What every error name of ours begins with.
pub const PREFIX: &str = "org.ahoyd.Calls1.Error.";

macro_rules! table {
    ($($(#[$doc:meta])* $variant:ident,)*) => {
        /// Why a method was refused. A refused method changed nothing, but for `Failed`, where the sentence says.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorName {
            $($(#[$doc])* $variant,)*
        }

        impl ErrorName {
            /// The whole table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name on the bus, `org.ahoyd.Calls1.Error.…`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!("org.ahoyd.Calls1.Error.", stringify!($variant)),)*
                }
            }
        }
    };
}

table! {
    /// The daemon still starts or already stops: try again.
    NotReady,
    /// No such call, or it ended more than ten seconds ago.
    NoSuchCall,
    /// No contact by this id, name or address.
    NoSuchContact,
    /// No such device.
    NoSuchDevice,
    /// No such row.
    NoSuchRecord,
    /// The call's state does not allow it.
    InvalidState,
    /// An option is unknown or out of range.
    InvalidOption,
    /// Not the call that the person saw: nothing happened.
    Stale,
    /// The contrary was already done.
    AlreadyHandled,
    /// Another device of ours took it.
    AnsweredElsewhere,
    /// Several fit.
    Ambiguous,
    /// There is a call already.
    Busy,
    /// No relay.
    NotConnected,
    /// Nothing to call there, or no sound device here.
    NoDevice,
    /// Not for this client.
    PermissionDenied,
    /// Not on this machine or not in this version.
    NotSupported,
    /// Too many of these in a minute.
    RateLimited,
    /// Anything else; the sentence says what.
    Failed,
}

impl ErrorName {
    /// The variant of a full name on the bus, if it is one of ours.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.as_str() == name)
    }
}

/// A refusal with its one sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Which.
    pub name: ErrorName,
    /// For the person.
    pub sentence: String,
}

impl Error {
    /// A refusal.
    pub fn new(name: ErrorName, sentence: impl Into<String>) -> Self {
        Self { name, sentence: sentence.into() }
    }

    /// Reads a refusal of ours out of what a method call brought; `None` for anything else (no daemon, wrong types, …).
    #[must_use]
    pub fn from_zbus(error: &zbus::Error) -> Option<Self> {
        let zbus::Error::MethodError(name, sentence, _) = error else { return None };
        let name = ErrorName::from_name(name.as_str())?;
        Some(Self { name, sentence: sentence.clone().unwrap_or_default() })
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.sentence.is_empty() { f.write_str(self.name.as_str()) } else { f.write_str(&self.sentence) }
    }
}

impl std::error::Error for Error {}

impl zbus::DBusError for Error {
    fn create_reply(&self, call: &Header<'_>) -> zbus::Result<Message> {
        Message::error(call, self.name.as_str()).build(&self.sentence)
    }

    fn name(&self) -> BusErrorName<'_> {
        BusErrorName::from_static_str_unchecked(self.name.as_str())
    }

    fn description(&self) -> Option<&str> {
        Some(&self.sentence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_published_one() {
        let published = "NotReady NoSuchCall NoSuchContact NoSuchDevice NoSuchRecord InvalidState InvalidOption Stale AlreadyHandled \
             AnsweredElsewhere Ambiguous Busy NotConnected NoDevice PermissionDenied NotSupported RateLimited Failed";
        let ours: Vec<&str> =
            ErrorName::ALL.iter().map(|name| name.as_str().strip_prefix(PREFIX).unwrap()).collect();
        assert_eq!(ours, published.split_whitespace().collect::<Vec<_>>());
    }

    #[test]
    fn every_name_finds_its_variant_again() {
        for name in ErrorName::ALL {
            assert_eq!(ErrorName::from_name(name.as_str()), Some(*name));
            BusErrorName::try_from(name.as_str()).expect("a valid D-Bus error name");
        }
        assert_eq!(ErrorName::from_name("org.freedesktop.DBus.Error.Failed"), None);
        assert_eq!(ErrorName::from_name("org.ahoyd.Calls1.Error."), None);
    }

    #[test]
    fn every_error_that_the_contract_names_is_in_the_table() {
        for (interface, xml) in crate::XML {
            for found in xml.split(" Error.").skip(1).filter(|rest| !rest.starts_with("X below")) {
                let name: String = found.chars().take_while(char::is_ascii_alphabetic).collect();
                assert!(
                    ErrorName::from_name(&format!("{PREFIX}{name}")).is_some(),
                    "{interface}: Error.{name}"
                );
            }
        }
    }
}
