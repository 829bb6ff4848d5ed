//! A link that was opened: a note asks, and nothing is done before a button says so.
//!
//! Lives here: the question, what its button asks for, and a word of how a pairing ended that began here.
//! Must not: answer by itself; a click on the note is no answer.

use std::sync::Arc;

use ahoy_proto::pair::link::Link;

use super::note::{Key, Note, Sign, name};
use crate::values::board::Board;
use crate::values::link::Offer;
use crate::values::pairing::{PairingRequest, PairingRow, PairingState};
use crate::values::request::{ContactRequest, Request};

/// The buttons' keys.
const YES: &str = "yes";
const NO: &str = "no";

/// The newest link, as far as it was not answered.
#[derive(Debug, Default)]
pub(super) struct Offers {
    asked: Option<Arc<Offer>>,
    /// The last one that was answered.
    answered: u64,
    /// A button has begun a pairing after this one.
    after: Option<u64>,
    /// How that one ended.
    ended: Option<PairingRow>,
    /// As it stands now.
    pairing: u64,
}

impl Offers {
    /// What is shown now.
    pub(super) fn look(&mut self, board: &Board) {
        self.asked = board.offer.clone().filter(|offer| offer.serial > self.answered);
        let row = &board.manager.pairing;
        self.pairing = row.serial;
        let over = matches!(row.state, Some(PairingState::Paired | PairingState::Failed));
        if over && self.after.take_if(|after| row.serial > *after).is_some() {
            self.ended = Some(row.clone());
        }
    }

    /// A person pressed a button of the question, or closed it.
    pub(super) fn answered(&mut self, button: Option<&str>) -> Option<Request> {
        self.ended = None;
        let offer = self.asked.take()?;
        self.answered = offer.serial;
        if button != Some(YES) {
            return None;
        }
        Some(match &offer.link {
            Link::Pair(code) => {
                self.after = Some(self.pairing);
                PairingRequest::Join(code.clone()).into()
            }
            Link::Card(card) => ContactRequest::Add(card.to_text()).into(),
        })
    }

    /// The question, or how it ended.
    pub(super) fn notes(&self) -> Vec<Note> {
        let asks = self.asked.as_deref().map(question);
        asks.or_else(|| self.ended.as_ref().map(ending)).into_iter().collect()
    }
}

fn question(offer: &Offer) -> Note {
    let row = &offer.row;
    let (summary, body, yes) = match &offer.link {
        Link::Pair(_) if row.relay.is_empty() => {
            ("Pair with who made this link?".to_owned(), format!("Its code is {}.", row.code), "Pair")
        }
        Link::Pair(_) => {
            let body = format!("Its code is {}, at {}.", row.code, row.relay);
            ("Pair with who made this link?".to_owned(), body, "Pair")
        }
        Link::Card(_) => {
            let body = format!("So they call themselves. Safety number: {}.", row.safety_number);
            (format!("Add {} to your contacts?", name(&row.name)), body, "Add")
        }
    };
    let body = format!("{body}\nOnly if you know whose it is: they will be able to call you.");
    let buttons = vec![(YES, yes.to_owned()), (NO, "Not now".to_owned())];
    note(summary, body, "To answer in a terminal: ahoyctl open LINK.", buttons)
}

fn ending(row: &PairingRow) -> Note {
    let (summary, body) = match row.state {
        Some(PairingState::Paired) => {
            let number = format!("Both see the same safety number: {}.", row.safety_number);
            (format!("{} is your contact now", name(&row.name)), number)
        }
        Some(PairingState::Asking | PairingState::Waiting | PairingState::Meeting | PairingState::Failed)
        | None => ("Nothing came of the pairing".to_owned(), row.sentence.clone()),
    };
    note(summary, body, "", Vec::new())
}

fn note(
    summary: String,
    body: String,
    without_buttons: &'static str,
    buttons: Vec<(&'static str, String)>,
) -> Note {
    Note {
        key: Key::Link,
        summary,
        body,
        without_buttons,
        buttons,
        urgent: false,
        category: "presence",
        icon: Sign::Asks,
        picture: String::new(),
        outlives_us: false,
    }
}

#[cfg(test)]
mod tests {
    use ahoy_proto::pair::code::Code;

    use super::*;
    use crate::values::link::LinkRow;

    fn board(serial: u64) -> Board {
        let link = Link::Pair(Code::parse("4711-abandon-ability@relay.example").unwrap());
        let row = LinkRow {
            kind: "pair",
            code: "4711-abandon-ability".to_owned(),
            relay: "relay.example".to_owned(),
            ..LinkRow::default()
        };
        Board { offer: Some(Arc::new(Offer { serial, link, row })), ..Board::default() }
    }

    #[test]
    fn a_link_asks_and_pairs_only_by_its_button() {
        let mut offers = Offers::default();
        offers.look(&board(1));
        let notes = offers.notes();
        assert!(notes[0].body.contains("4711-abandon-ability, at relay.example"), "{notes:?}");
        assert!(offers.answered(Some("default")).is_none() && offers.notes().is_empty());
        offers.look(&board(1));
        assert!(offers.notes().is_empty(), "it asks once");
        for no in [Some(NO), None] {
            offers.look(&board(2 + u64::from(no.is_none())));
            assert_eq!((offers.notes().len(), offers.answered(no)), (1, None));
        }
        offers.look(&board(4));
        let code = Code::parse("4711-abandon-ability@relay.example").unwrap();
        assert_eq!(offers.answered(Some(YES)), Some(PairingRequest::Join(code).into()));
        assert!(offers.notes().is_empty());

        let mut ends = board(4);
        ends.manager.pairing =
            PairingRow { serial: 1, state: Some(PairingState::Meeting), ..PairingRow::default() };
        offers.look(&ends);
        assert!(offers.notes().is_empty(), "it is not over");
        ends.manager.pairing.state = Some(PairingState::Paired);
        ends.manager.pairing.name = "Ben".to_owned();
        offers.look(&ends);
        assert_eq!(offers.notes()[0].summary, "Ben is your contact now");
        offers.answered(None);
        offers.look(&ends);
        assert!(offers.notes().is_empty(), "told once");
    }

    #[test]
    fn a_pairing_that_did_not_begin_with_a_link_is_not_told() {
        let mut offers = Offers::default();
        let mut board = Board::default();
        board.manager.pairing =
            PairingRow { serial: 1, state: Some(PairingState::Failed), ..PairingRow::default() };
        offers.look(&board);
        assert!(offers.notes().is_empty());
    }
}
