//! Notices of people who ask to be contacts.
//!
//! Lives here: who has asked since the daemon began and was not answered, and what a button does.
//! Must not: ring; know how a note is kept on the screen.

use std::collections::BTreeMap;

use ahoy_call::PeerId;

use super::note::{Key, Note, Sign, name};
use crate::values::happening::Happening;
use crate::values::request::{ContactRequest, Request};

/// The buttons' keys.
const ACCEPT: &str = "accept";
const DISMISS: &str = "dismiss";
/// So many have a notice of their own; the others stand in the list alone.
const MOST: usize = 4;

/// Who has asked, and what they call themselves.
#[derive(Debug, Default)]
pub(super) struct Asking(BTreeMap<PeerId, String>);

impl Asking {
    /// Something happened.
    pub(super) fn heard(&mut self, happening: &Happening) {
        let Some(peer) = happening.data.contact.filter(|_| happening.kind == "contact.request") else {
            return;
        };
        if self.0.len() < MOST {
            self.0.insert(peer, name(happening.data.name.as_deref().unwrap_or_default()));
        }
    }

    /// These still wait for an answer.
    pub(super) fn wait(&mut self, waiting: &[PeerId]) {
        self.0.retain(|peer, _| waiting.contains(peer));
    }

    /// A person has seen the notice.
    pub(super) fn seen(&mut self, peer: PeerId) {
        self.0.remove(&peer);
    }

    /// The notices that should be on the screen.
    pub(super) fn notes(&self) -> Vec<Note> {
        self.0.iter().map(|(peer, name)| note(*peer, name)).collect()
    }
}

/// What a pressed button asks for.
pub(super) fn pressed(peer: PeerId, button: &str) -> Option<Request> {
    let id = data_encoding::HEXLOWER.encode(&peer.bytes());
    match button {
        ACCEPT => Some(ContactRequest::Accept(id).into()),
        DISMISS => Some(ContactRequest::Dismiss(id).into()),
        _ => None,
    }
}

fn note(peer: PeerId, name: &str) -> Note {
    Note {
        key: Key::Asks(peer),
        summary: format!("{name} asks to be your contact"),
        body: "So they call themselves; they have a card that you gave out. To see more first: ahoyctl contact requests."
            .to_owned(),
        without_buttons: "To answer: ahoyctl contact accept.",
        buttons: vec![(ACCEPT, "Accept".to_owned()), (DISMISS, "Dismiss".to_owned())],
        urgent: false,
        category: "presence",
        icon: Sign::Asks,
        picture: String::new(),
        outlives_us: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::happening::EventData;

    fn asks(who: u8, name: &str) -> Happening {
        let contact = Some(PeerId::from_bytes([who; 16]));
        let data = EventData { contact, name: Some(name.to_owned()), ..EventData::default() };
        Happening { kind: "contact.request", serial: 1, data }
    }

    #[test]
    fn who_asks_has_one_notice_until_they_are_answered_anywhere_and_a_crowd_does_not_fill_the_screen() {
        let mut asking = Asking::default();
        asking.heard(&asks(1, "Ben\n\u{202e}<b>"));
        asking.heard(&Happening { kind: "call.missed", ..asks(2, "Cleo") });
        let notes = asking.notes();
        assert_eq!((notes.len(), notes[0].summary.as_str()), (1, "Ben <b> asks to be your contact"));
        assert!(!notes[0].urgent && notes[0].category != "call.incoming", "it never looks like a ring");
        (0..20).for_each(|who| asking.heard(&asks(who, "Somebody else")));
        assert_eq!(asking.notes().len(), MOST);
        let one = PeerId::from_bytes([1; 16]);
        asking.wait(&[one]);
        assert_eq!(asking.notes().len(), 1);
        asking.seen(one);
        assert!(asking.notes().is_empty());
    }

    #[test]
    fn a_button_accepts_or_dismisses_that_very_person() {
        let (one, id) = (PeerId::from_bytes([1; 16]), "01".repeat(16));
        assert_eq!(pressed(one, "accept"), Some(ContactRequest::Accept(id.clone()).into()));
        assert_eq!(pressed(one, "dismiss"), Some(ContactRequest::Dismiss(id).into()));
        assert_eq!(pressed(one, "default"), None, "a click on the note is no answer");
    }
}
