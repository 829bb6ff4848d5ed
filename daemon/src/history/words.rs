//! How the database spells what the rules say.
//!
//! Lives here: one function a vocabulary, the spellings of DBUS.md, written by hand.
//! Must not: change a word that a database may hold already; be shared with the bus.

use ahoy_call::{Direction, EndReason, EndedBy, Fact, Outcome, State};

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
