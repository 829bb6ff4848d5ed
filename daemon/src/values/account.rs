//! What is asked of the account as a whole.
//!
//! Lives here: sealing it into a file, bringing one, taking it off this machine, as values.
//! Must not: hold a key or a passphrase: they come by descriptors.

use crate::values::lease::Lease;

/// A wish about the account.
#[derive(Debug, PartialEq)]
pub enum AccountRequest {
    /// Seal it into a file.
    Export {
        /// The file.
        into: Lease,
        /// Where the passphrase is read from.
        secret: Lease,
        /// Past calls, too.
        history: bool,
    },
    /// Bring one from a file. Answered with its address; the daemon begins anew behind the answer.
    Import {
        /// The file.
        from: Lease,
        /// Where the passphrase is read from.
        secret: Lease,
        /// Though there is an account in use here, which is kept aside.
        replace: bool,
    },
    /// Take it off this machine. Answered with who was told; the daemon begins anew behind the answer.
    Remove {
        /// Past calls, too.
        history: bool,
        /// It lives on elsewhere: nobody is told, and its inboxes stay.
        moved: bool,
    },
}
