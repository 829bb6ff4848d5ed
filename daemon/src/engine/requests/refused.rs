//! What a person reads when the rules refuse.
//!
//! Lives here: a sentence for each refusal, and which call it is about.
//! Must not: decide anything.

use ahoy_call::{CallId, CallView, Command, Refusal, State};

use crate::values::request::{Denied, DeniedKind};

/// `of`: the call that it was about.
pub(in crate::engine) fn denied(views: &[CallView], refusal: Refusal, of: Option<CallId>) -> Denied {
    let view = of.and_then(|of| views.iter().find(|view| view.id == of));
    let state = view.map_or("over", |view| in_words(view.state));
    let (kind, sentence) = match refusal {
        Refusal::NoSuchCall => {
            (DeniedKind::NoSuchCall, "There is no such call, or it ended more than ten seconds ago.")
        }
        Refusal::InvalidState => {
            let sentence = format!("The call {state}: this cannot be done to it now.");
            return Denied::new(DeniedKind::InvalidState, sentence);
        }
        Refusal::AlreadyHandled => {
            return Denied::new(DeniedKind::AlreadyHandled, format!("Too late: the call {state}."));
        }
        Refusal::AnsweredElsewhere => {
            (DeniedKind::AnsweredElsewhere, "Another of your devices has answered.")
        }
        Refusal::Busy => (DeniedKind::Busy, "You are in a call already: hang up first, or let it be held."),
        Refusal::NoDevice => (
            DeniedKind::NoDevice,
            "The contact's card names no device that could be called: ask for a new card.",
        ),
        Refusal::TooSoon => {
            (DeniedKind::RateLimited, "The digits before these are still being sent: wait some seconds.")
        }
        Refusal::NotHost => (
            DeniedKind::PermissionDenied,
            "Only who began the group may do that, or who joined first once that one has left.",
        ),
        Refusal::RoomFull => (DeniedKind::Busy, "There is no place in the call for one more."),
        Refusal::OutOfRange => (DeniedKind::InvalidOption, "lifetime must be 10 to 180 seconds."),
    };
    Denied::new(kind, sentence)
}

/// The one call that a command is about.
pub(in crate::engine) fn about(command: &Command) -> Option<CallId> {
    match command {
        Command::Answer { call, .. }
        | Command::Silence { call }
        | Command::Hold { call }
        | Command::Resume { call }
        | Command::Decline { call, .. }
        | Command::HangUp { call, .. }
        | Command::Invite { call, .. }
        | Command::Merge { call, .. }
        | Command::Join { call }
        | Command::Remove { call, .. }
        | Command::SetMuted { call, .. }
        | Command::SendTones { call, .. } => Some(*call),
        Command::Dial { .. }
        | Command::StartGroup { .. }
        | Command::Swap
        | Command::Block { .. }
        | Command::Unblock { .. }
        | Command::HangUpAll
        | Command::SetAllMuted { .. } => None,
    }
}

fn in_words(state: State) -> &'static str {
    match state {
        State::Dialing => "is being dialed",
        State::Alerting => "rings there",
        State::Incoming => "rings here",
        State::Waiting => "waits",
        State::Connecting => "is being connected",
        State::Active => "is active",
        State::Held => "is held",
        State::Reconnecting => "is reconnecting",
        State::Disconnected => "is over",
    }
}
