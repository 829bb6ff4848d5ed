//! The words of the database that the rules do not have.
//!
//! Lives here: what only history says, and who made an event so.
//! Must not: change a word that a database may hold already.

use ahoy_call::{CallView, Direction, EndedBy, Fact};

/// The event of a person having seen a missed call.
pub(super) const SEEN: &str = "seen";
/// The source of an end that nobody saw, made up for at the next start.
pub(super) const RESTART: &str = "restart";

/// Who made it so: `local`, `remote`, `network` or `policy`.
pub(super) fn source(fact: Fact, view: &CallView) -> &'static str {
    match (fact, view.direction) {
        (Fact::Answered, Direction::Incoming) if view.auto_answered => "policy",
        (Fact::Alone, _) => "policy",
        (Fact::Dialed | Fact::RingingHere | Fact::Held | Fact::Resumed | Fact::Rejoined, _)
        | (Fact::Answered, Direction::Incoming) => "local",
        (
            Fact::Offered
            | Fact::RingingThere
            | Fact::HeldThere
            | Fact::ResumedThere
            | Fact::GlareMerged
            | Fact::Grown
            | Fact::PeerInvited
            | Fact::PeerJoined
            | Fact::PeerDeclined
            | Fact::PeerLeft
            | Fact::Noted,
            _,
        )
        | (Fact::Answered, Direction::Outgoing) => "remote",
        (Fact::Connected | Fact::PathLost | Fact::PathRestored, _) => "network",
        (Fact::Ended, _) => view.ended_by.map_or(EndedBy::Local, |by| by).word(),
    }
}
