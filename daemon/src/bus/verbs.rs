//! What Focus and Call have in common: how a decline is read.
//!
//! Lives here: the words of `Decline` and its options.
//! Must not: know whether the call may be declined.

use ahoy_call::{DeclineReason, Scope};

use super::fault::Fault;
use super::options::{Dictionary, Options};
use crate::values::request::{Guard, Verb};

/// Reads a decline. `later` is a `declined` with a text.
pub(super) fn decline(reason: &str, options: Dictionary) -> Result<(Verb, Guard), Fault> {
    let mut options = Options::from(options);
    let guard = options.guard()?;
    let message = options.words("message")?;
    let scope = options.word("scope", &Scope::WORDS, Scope::named)?.unwrap_or(Scope::Everywhere);
    options.finish()?;
    let (reason, text) = match (DeclineReason::named(reason), reason) {
        (Some(reason), _) => (reason, message),
        (None, "later") => (DeclineReason::Declined, Some(message.unwrap_or_else(|| "later".to_owned()))),
        (None, _) => return Err(Fault::arguments("The reason is 'declined', 'busy' or 'later'.")),
    };
    Ok((Verb::Decline { reason, scope, text }, guard))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_is_declined_with_a_text() {
        let (verb, _) = decline("later", Dictionary::new()).unwrap();
        let expected = Verb::Decline {
            reason: DeclineReason::Declined,
            scope: Scope::Everywhere,
            text: Some("later".to_owned()),
        };
        assert_eq!(verb, expected);
    }

    #[test]
    fn a_reason_that_is_not_understood_is_a_wrong_argument() {
        let fault = decline("never", Dictionary::new()).unwrap_err();
        assert_eq!(zbus::DBusError::name(&fault).as_str(), "org.freedesktop.DBus.Error.InvalidArgs");
    }
}
