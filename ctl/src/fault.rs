//! Why a command of ahoyctl ends as it does: an exit code and one readable sentence.
//!
//! Lives here: the exit codes, and what each error of the bus becomes.
//! Must not: print, or exit.

use ahoy_dbus::types::Reason;
use ahoy_dbus::{Error, ErrorName};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done.
    Ok = 0,
    /// Anything that has no code of its own.
    Error = 1,
    /// Wrong arguments, or several things fit.
    Usage = 2,
    /// It took too long, or nobody answered.
    Timeout = 3,
    /// No relay.
    NotRegistered = 4,
    /// There is no call in the state that the command needs.
    NoCall = 5,
    /// They said no.
    Declined = 6,
    /// They, or we, are in a call.
    Busy = 7,
    /// The daemon is not running.
    NotRunning = 8,
    /// Their phone did not ring, or the path did not hold.
    Unreachable = 9,
    /// No such call, contact or row.
    NoSuch = 10,
    /// No sound device here, or nothing to call there.
    NoDevice = 11,
    /// Handled by somebody else, or not what the person saw.
    Handled = 12,
}

impl Exit {
    /// How `call --wait` ends when the call is over for this reason.
    pub(crate) fn of_reason(reason: &Reason) -> Self {
        match reason {
            Reason::Completed | Reason::Canceled => Self::Ok,
            Reason::NoAnswer => Self::Timeout,
            Reason::Declined | Reason::AllDeclined => Self::Declined,
            Reason::Busy => Self::Busy,
            Reason::Unavailable
            | Reason::Unreachable
            | Reason::IceFailed
            | Reason::NoTurn
            | Reason::ConnectionLost
            | Reason::SignalingFailed => Self::Unreachable,
            Reason::MediaFailed => Self::NoDevice,
            Reason::AnsweredElsewhere => Self::Handled,
            Reason::Missed
            | Reason::DeclinedElsewhere
            | Reason::Superseded
            | Reason::LastLeft
            | Reason::RoomFull
            | Reason::RoomEnded
            | Reason::Removed
            | Reason::EndedByHost
            | Reason::NegotiationFailed
            | Reason::SecurityFailed
            | Reason::Shutdown
            | Reason::Interrupted
            | Reason::Internal
            | Reason::Other(_) => Self::Error,
        }
    }

    fn of_error(name: ErrorName) -> Self {
        match name {
            ErrorName::InvalidOption | ErrorName::Ambiguous => Self::Usage,
            ErrorName::NotConnected => Self::NotRegistered,
            ErrorName::InvalidState => Self::NoCall,
            ErrorName::Busy => Self::Busy,
            ErrorName::NoSuchCall
            | ErrorName::NoSuchContact
            | ErrorName::NoSuchDevice
            | ErrorName::NoSuchRecord => Self::NoSuch,
            ErrorName::NoDevice => Self::NoDevice,
            ErrorName::Stale | ErrorName::AlreadyHandled | ErrorName::AnsweredElsewhere => Self::Handled,
            ErrorName::NotReady
            | ErrorName::PermissionDenied
            | ErrorName::NotSupported
            | ErrorName::RateLimited
            | ErrorName::Failed => Self::Error,
        }
    }
}

/// A failure, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The exit code.
    pub(crate) exit: Exit,
    /// One sentence, and for an ambiguity the list below it.
    pub(crate) sentence: String,
}

impl Fault {
    /// A failure.
    pub(crate) fn new(exit: Exit, sentence: impl Into<String>) -> Self {
        Self { exit, sentence: sentence.into() }
    }

    /// The daemon is not there.
    pub(crate) fn not_running() -> Self {
        Self::new(Exit::NotRunning, "ahoyd is not running. Start it with: systemctl --user start ahoyd")
    }

    /// It did not answer in time.
    pub(crate) fn timed_out() -> Self {
        Self::new(Exit::Timeout, "ahoyd did not answer within 5 seconds. See: systemctl --user status ahoyd")
    }
}

impl From<zbus::Error> for Fault {
    fn from(error: zbus::Error) -> Self {
        if let Some(ours) = Error::from_zbus(&error) {
            return Self::new(Exit::of_error(ours.name), ours.to_string());
        }
        #[expect(clippy::wildcard_enum_match_arm, reason = "the errors of zbus are an open set")]
        match error {
            zbus::Error::FDO(inner) => Self::from(*inner),
            zbus::Error::InputOutput(_) => Self::new(
                Exit::NotRunning,
                "The connection to the session bus broke, and ahoyd is reached over it. Log in again, or check DBUS_SESSION_BUS_ADDRESS.",
            ),
            other => Self::new(Exit::Error, format!("The bus says: {other}.")),
        }
    }
}

impl From<zbus::fdo::Error> for Fault {
    fn from(error: zbus::fdo::Error) -> Self {
        use zbus::fdo::Error as Fdo;
        #[expect(clippy::wildcard_enum_match_arm, reason = "the errors of D-Bus are an open set")]
        match error {
            Fdo::ZBus(inner) => Self::from(inner),
            // NoReply is what the bus says when the daemon dies before it answers.
            Fdo::ServiceUnknown(_) | Fdo::NameHasNoOwner(_) | Fdo::NoReply(_) | Fdo::Disconnected(_) => {
                Self::not_running()
            }
            Fdo::SpawnExecFailed(text) | Fdo::SpawnFailed(text) | Fdo::SpawnChildExited(text) => {
                let mut fault = Self::not_running();
                fault.sentence.push_str(&format!(" (the bus tried: {text})"));
                fault
            }
            Fdo::InvalidArgs(text) => Self::new(Exit::Usage, text),
            Fdo::UnknownObject(_) => {
                Self::new(Exit::NoSuch, "It is gone: calls leave the bus ten seconds after their end.")
            }
            Fdo::UnknownMethod(_) | Fdo::UnknownInterface(_) | Fdo::UnknownProperty(_) => {
                Self::new(Exit::Error, "This ahoyd does not offer that. Compare: ahoyctl version")
            }
            other => Self::new(Exit::Error, format!("The bus says: {other}.")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_a_call_ends_has_its_published_code() {
        let published = [
            ("completed", 0),
            ("canceled", 0),
            ("no-answer", 3),
            ("declined", 6),
            ("all-declined", 6),
            ("busy", 7),
            ("unavailable", 9),
            ("unreachable", 9),
            ("ice-failed", 9),
            ("no-turn", 9),
            ("connection-lost", 9),
            ("signaling-failed", 9),
            ("media-failed", 11),
            ("answered-elsewhere", 12),
        ];
        for word in Reason::WORDS {
            let expected = published.iter().find(|(known, _)| known == word).map_or(1, |(_, code)| *code);
            assert_eq!(Exit::of_reason(&Reason::from(*word)) as u8, expected, "{word}");
        }
        assert_eq!(Exit::of_reason(&Reason::from("abducted")), Exit::Error);
    }
}
