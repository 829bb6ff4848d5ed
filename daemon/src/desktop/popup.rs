//! The pop-up of a ring, and of a call that must not be forgotten.
//!
//! Lives here: what it says and offers while a call rings or waits, was answered by itself or was left by everybody else, and
//! what its buttons ask for; pure.
//! Must not: know how it is shown, or answer anything but the button that says so.

use std::sync::Arc;

use ahoy_call::{CallId, DeclineReason, Others, Scope};

use super::note::{Key, Note, Sign, WORDS, clean, name};
use super::popup_content::Scene;
use crate::values::board::CallRow;
use crate::values::request::{CallRequest, Guard, Request, Verb, Which};

/// The buttons' keys. `default`, a click on the pop-up itself, is none of them: it must not answer.
const ANSWER: &str = "answer";
const DECLINE: &str = "decline";
const HANG_UP: &str = "hang-up";
/// Closes the pop-up, and no more.
const STAY: &str = "stay";

/// The pop-ups that should be on the screen; none while a client of ours shows the ring itself.
pub(super) fn notes(scene: &Scene, shown_by_an_agent: bool) -> Vec<Note> {
    if shown_by_an_agent {
        return Vec::new();
    }
    scene.ringing.iter().map(|row| note(row, scene.engaged.as_ref())).collect()
}

/// What says that a call was answered by itself, for as long as the call is there or until somebody closes it.
pub(super) fn self_answered(scene: &Scene) -> Vec<Note> {
    let note = |row: &Arc<CallRow>| Note {
        key: Key::SelfAnswered(row.view.id),
        summary: format!("The call of {} was answered by itself", name(&row.name)),
        body: "You are heard.".to_owned(),
        without_buttons: "To hang up: ahoyctl hangup.",
        buttons: vec![(HANG_UP, "Hang up".to_owned())],
        urgent: true,
        category: "call",
        icon: Sign::Ringing,
        picture: row.icon.clone(),
        outlives_us: false,
    };
    scene.self_answered.iter().map(note).collect()
}

/// What says that nobody else is in a group any more.
pub(super) fn alone(scene: &Scene) -> Vec<Note> {
    let note = |row: &Arc<CallRow>| Note {
        key: Key::Alone(row.view.id),
        summary: format!("You are alone in the call with {}", name(&row.name)),
        body: "It ends by itself in a few minutes, if nobody comes back.".to_owned(),
        without_buttons: "To end it: ahoyctl hangup.",
        buttons: vec![(HANG_UP, "End".to_owned()), (STAY, "Stay".to_owned())],
        urgent: false,
        category: "call",
        icon: Sign::Missed,
        picture: row.icon.clone(),
        outlives_us: false,
    };
    scene.alone.iter().map(note).collect()
}

pub(super) fn note(row: &Arc<CallRow>, engaged: Option<&Arc<CallRow>>) -> Note {
    let mut lines = Vec::new();
    if let Some(words) = &row.view.note {
        lines.push(format!("“{}”", clean(words, WORDS)));
    }
    let answer = match engaged {
        Some(other) => {
            lines.push(format!("Answering puts your call with {} on hold.", name(&other.name)));
            "Hold and answer"
        }
        None => "Answer",
    };
    if row.view.silenced {
        lines.push("Rings without a sound.".to_owned());
    }
    Note {
        key: Key::Ring(row.view.id),
        summary: format!("{} is calling", name(&row.name)),
        body: lines.join("\n"),
        without_buttons: "To answer: ahoyctl answer. To refuse: ahoyctl decline.",
        buttons: vec![(ANSWER, answer.to_owned()), (DECLINE, "Decline".to_owned())],
        urgent: !row.view.silenced,
        category: "call.incoming",
        icon: Sign::Ringing,
        picture: row.icon.clone(),
        outlives_us: false,
    }
}

/// What a pressed button asks for.
pub(super) fn pressed(call: CallId, button: &str) -> Option<Request> {
    let verb = match button {
        ANSWER => Verb::Answer(Others::Hold),
        HANG_UP => Verb::HangUp,
        DECLINE => Verb::Decline { reason: DeclineReason::Declined, scope: Scope::Everywhere, text: None },
        _ => return None,
    };
    Some(Request::Call(CallRequest::Verb { call: Which::Id(call), verb, guard: Guard::default() }))
}

#[cfg(test)]
mod tests {
    use ahoy_call::State;

    use super::super::popup_content::tests::{call, scene};
    use super::*;

    #[test]
    fn a_call_that_was_answered_by_itself_says_so_while_it_lasts() {
        let mut row = call(1, "Ana", State::Active);
        assert_eq!(self_answered(&scene(vec![Arc::clone(&row)])), []);
        Arc::make_mut(&mut row).view.auto_answered = true;
        let shown = self_answered(&scene(vec![Arc::clone(&row)]));
        assert_eq!(shown[0].summary, "The call of Ana was answered by itself");
        assert!(shown[0].urgent);
        let hang_up = pressed(row.view.id, shown[0].buttons[0].0);
        assert!(matches!(hang_up, Some(Request::Call(CallRequest::Verb { verb: Verb::HangUp, .. }))));
        Arc::make_mut(&mut row).view.state = State::Disconnected;
        assert_eq!(self_answered(&scene(vec![row])), []);
    }

    #[test]
    fn who_is_alone_in_a_group_may_end_it_or_stay() {
        let mut row = call(1, "Ana and 2 more", State::Active);
        assert_eq!(alone(&scene(vec![Arc::clone(&row)])), []);
        Arc::make_mut(&mut row).view.alone = true;
        let shown = &alone(&scene(vec![Arc::clone(&row)]))[0];
        assert_eq!(shown.summary, "You are alone in the call with Ana and 2 more");
        let asked = |button: usize| pressed(row.view.id, shown.buttons[button].0);
        assert!(matches!(asked(0), Some(Request::Call(CallRequest::Verb { verb: Verb::HangUp, .. }))));
        assert_eq!((shown.buttons[1].1.as_str(), asked(1)), ("Stay", None));
        Arc::make_mut(&mut row).view.state = State::Disconnected;
        assert_eq!(alone(&scene(vec![row])), [], "it is over");
    }
}
