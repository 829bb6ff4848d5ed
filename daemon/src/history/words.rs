//! How the database spells what the rules say.
//!
//! Lives here: one function a vocabulary, the spellings of DBUS.md, written by hand.
//! Must not: change a word that a database may hold already; be shared with the bus.

use ahoy_call::{CallView, Direction, EndReason, EndedBy, Fact, Outcome, State};

/// The event of a person having seen a missed call.
pub(super) const SEEN: &str = "seen";
/// The source of an end that nobody saw, made up for at the next start.
pub(super) const RESTART: &str = "restart";

/// All outcomes, as a filter may name them.
pub(super) const OUTCOMES: [&str; 10] = [
    "answered",
    "missed",
    "declined",
    "busy",
    "no-answer",
    "unavailable",
    "canceled",
    "failed",
    "elsewhere",
    "interrupted",
];

pub(super) fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Incoming => "incoming",
        Direction::Outgoing => "outgoing",
    }
}

pub(super) fn state(state: State) -> &'static str {
    match state {
        State::Dialing => "dialing",
        State::Alerting => "alerting",
        State::Incoming => "incoming",
        State::Waiting => "waiting",
        State::Connecting => "connecting",
        State::Active => "active",
        State::Held => "held",
        State::Reconnecting => "reconnecting",
        State::Disconnected => "disconnected",
    }
}

pub(super) fn reason(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Completed => "completed",
        EndReason::Canceled => "canceled",
        EndReason::Declined => "declined",
        EndReason::Busy => "busy",
        EndReason::NoAnswer => "no-answer",
        EndReason::Missed => "missed",
        EndReason::AnsweredElsewhere => "answered-elsewhere",
        EndReason::DeclinedElsewhere => "declined-elsewhere",
        EndReason::Unreachable => "unreachable",
        EndReason::Unavailable => "unavailable",
        EndReason::IceFailed => "ice-failed",
        EndReason::NegotiationFailed => "negotiation-failed",
        EndReason::MediaFailed => "media-failed",
        EndReason::ConnectionLost => "connection-lost",
        EndReason::SignalingFailed => "signaling-failed",
        EndReason::SecurityFailed => "security-failed",
        EndReason::Shutdown => "shutdown",
        EndReason::Interrupted => "interrupted",
        EndReason::Internal => "internal",
    }
}

pub(super) fn ended_by(by: EndedBy) -> &'static str {
    match by {
        EndedBy::Local => "local",
        EndedBy::Remote => "remote",
        EndedBy::Network => "network",
        EndedBy::Policy => "policy",
    }
}

pub(super) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Answered => "answered",
        Outcome::Missed => "missed",
        Outcome::Declined => "declined",
        Outcome::Busy => "busy",
        Outcome::NoAnswer => "no-answer",
        Outcome::Unavailable => "unavailable",
        Outcome::Canceled => "canceled",
        Outcome::Failed => "failed",
        Outcome::Elsewhere => "elsewhere",
        Outcome::Interrupted => "interrupted",
    }
}

pub(super) fn fact(fact: Fact) -> &'static str {
    match fact {
        Fact::Dialed => "dialed",
        Fact::Offered => "offered",
        Fact::RingingThere => "ringing-there",
        Fact::RingingHere => "ringing-here",
        Fact::Answered => "answered",
        Fact::Connected => "connected",
        Fact::PathLost => "path-lost",
        Fact::PathRestored => "path-restored",
        Fact::Held => "held",
        Fact::Resumed => "resumed",
        Fact::HeldThere => "held-there",
        Fact::ResumedThere => "resumed-there",
        Fact::GlareMerged => "glare-merged",
        Fact::Noted => "noted",
        Fact::Ended => "ended",
    }
}

/// Who made it so: `local`, `remote`, `network` or `policy`.
pub(super) fn source(fact: Fact, view: &CallView) -> &'static str {
    match (fact, view.direction) {
        (Fact::Answered, Direction::Incoming) if view.auto_answered => "policy",
        (Fact::Dialed | Fact::RingingHere | Fact::Held | Fact::Resumed, _)
        | (Fact::Answered, Direction::Incoming) => "local",
        (
            Fact::Offered
            | Fact::RingingThere
            | Fact::HeldThere
            | Fact::ResumedThere
            | Fact::GlareMerged
            | Fact::Noted,
            _,
        )
        | (Fact::Answered, Direction::Outgoing) => "remote",
        (Fact::Connected | Fact::PathLost | Fact::PathRestored, _) => "network",
        (Fact::Ended, _) => view.ended_by.map_or("local", ended_by),
    }
}
