//! What a person reads when the rules refuse.
//!
//! Lives here: a sentence for each refusal.
//! Must not: decide anything.

use ahoy_call::{CallId, Refusal, State};

use crate::engine::Engine;
use crate::values::request::{Denied, DeniedKind};

impl Engine {
    /// `of`: the call that it was about.
    pub(super) fn denied(&self, refusal: Refusal, of: Option<CallId>) -> Denied {
        let view = of.and_then(|of| self.phone.views().into_iter().find(|view| view.id == of));
        let state = view.map_or("over", |view| in_words(view.state));
        match refusal {
            Refusal::NoSuchCall => Denied::new(
                DeniedKind::NoSuchCall,
                "There is no such call, or it ended more than ten seconds ago.",
            ),
            Refusal::InvalidState => Denied::new(
                DeniedKind::InvalidState,
                format!("The call {state}: this cannot be done to it now."),
            ),
            Refusal::AlreadyHandled => {
                Denied::new(DeniedKind::AlreadyHandled, format!("Too late: the call {state}."))
            }
            Refusal::AnsweredElsewhere => {
                Denied::new(DeniedKind::AnsweredElsewhere, "Another of your devices has answered.")
            }
            Refusal::Busy => {
                Denied::new(DeniedKind::Busy, "You are in a call already: hang up first, or let it be held.")
            }
            Refusal::NoDevice => Denied::new(
                DeniedKind::NoDevice,
                "The contact's card names no device that could be called: ask for a new card.",
            ),
            Refusal::OutOfRange => {
                Denied::new(DeniedKind::InvalidOption, "lifetime must be 10 to 180 seconds.")
            }
        }
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
