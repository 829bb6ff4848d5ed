//! Words of others in every form in which they leave the daemon: for the tests and the fuzzer that try to break them.
//!
//! Lives here: one message of a call on its way to the bus, into a row, a file, a pop-up; what must hold of each.
//! Must not: be used by the daemon itself, or spell anything of its own: each port shows what it really makes.

use std::sync::Arc;

use ahoy_call::{CallView, Direction, EndReason, Message, State};
use ahoy_proto::words::{NAME, NOTE, Words};

use crate::values::board::{Board, CallRow};
use crate::values::rows::HistoryRow;
use crate::{bus, desktop, history};

/// What becomes of one message.
#[derive(Debug)]
pub struct Outward {
    /// What the bus carries, as it is marshalled.
    pub bus: Vec<zbus::Message>,
    /// Its history row, after it was stored and read.
    pub row: HistoryRow,
    /// That row in a file.
    pub files: history::Files,
    /// The first line and the rest of its pop-up.
    pub popup: (String, String),
}

/// The words that a message brings, and those of our own card; `None` for one that brings none.
pub fn of(message: &Message, name: &str) -> Option<Outward> {
    let (direction, words) = match message {
        Message::Offer { text, .. } | Message::Invite { text, .. } => (Direction::Incoming, text.as_deref()?),
        Message::Decline { text, .. } => (Direction::Outgoing, text.as_deref()?),
        Message::Ready { .. }
        | Message::Description { .. }
        | Message::Candidates { .. }
        | Message::Ringing
        | Message::Log(_)
        | Message::Room(_)
        | Message::Accept
        | Message::Cancel { .. }
        | Message::End { .. }
        | Message::State { .. } => return None,
    };
    let call = call(direction, words, name);
    let (row, events, files) = history::through(&call.view, name).ok()?;
    let board = Board { calls: vec![Arc::clone(&call)], focus: Some(call.view.id), ..Board::default() };
    let bus = bus::marshalled(Arc::new(board), row.clone(), events).ok()?;
    Some(Outward { bus, row, files, popup: desktop::popup(&call) })
}

impl Outward {
    /// What is wrong with it, in a sentence; `None` when all is well.
    pub fn fault(&self) -> Option<String> {
        for message in &self.bus {
            let wrong = bus::texts(message).into_iter().find(|text| !carried(text));
            if let Some(text) = wrong {
                return Some(format!("the bus would not carry {text:?}"));
            }
        }
        let row = &self.row;
        let said = [(&row.name, NAME), (&row.note, NOTE), (&row.message, NOTE)];
        if let Some((text, _)) =
            said.into_iter().find(|(text, form)| !text.is_empty() && Words::own(text, *form).is_err())
        {
            return Some(format!("the row holds {text:?}"));
        }
        if let Some(wrong) = sheet(&self.files.csv).or_else(|| calendar(&self.files.ics)) {
            return Some(wrong);
        }
        if let Err(error) = serde_json::from_str::<serde_json::Value>(&self.files.json) {
            return Some(format!("the JSON cannot be read: {error}"));
        }
        let (summary, body) = &self.popup;
        let lines = |text: &str| text.chars().any(|letter| letter.is_control() && letter != '\n');
        (summary.contains('\n') || lines(summary) || lines(body) || body.contains('<'))
            .then(|| format!("the pop-up says {:?}", self.popup))
    }
}

/// Text that a bus daemon takes, and that no terminal obeys.
fn carried(text: &str) -> bool {
    !text.chars().any(|letter| letter.is_control() && letter != '\n')
}

/// A sheet has a head and one row of as many cells, whatever separates cells where it is read, and no cell is a formula.
fn sheet(csv: &str) -> Option<String> {
    let (head, row) = csv.split_once("\r\n")?;
    let row = row.strip_suffix("\r\n").unwrap_or(row);
    let (cells, outside) = cells(row);
    let formula = |cell: &String| {
        cell.split('\n')
            .any(|line| line.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']))
    };
    let plain = outside.chars().all(|letter| letter.is_ascii_alphanumeric() || "-:.".contains(letter));
    let fits = cells.len() == head.split(',').count() && plain && carried(row);
    (!fits || cells.iter().any(formula)).then(|| format!("a sheet would read {row:?} otherwise"))
}

/// The cells of one row (RFC 4180), and all letters that stand in no quotes.
fn cells(row: &str) -> (Vec<String>, String) {
    let (mut cells, mut outside, mut quoted) = (vec![String::new()], String::new(), false);
    let mut letters = row.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                cells.last_mut().expect("there is one").push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            letter => {
                if !quoted {
                    outside.push(letter);
                }
                cells.last_mut().expect("there is one").push(letter);
            }
        }
    }
    (cells, outside)
}

/// Every line of a calendar is a property, or goes on after a blank, and has at most 75 bytes.
fn calendar(ics: &str) -> Option<String> {
    let wrong = ics.split_terminator("\r\n").find(|line| {
        let known = line.split([':', ';']).next().is_some_and(|name| {
            !name.is_empty() && name.chars().all(|letter| letter.is_ascii_uppercase() || letter == '-')
        });
        line.len() > 75 || line.chars().any(char::is_control) || !(known || line.starts_with(' '))
    });
    wrong.map(|line| format!("a calendar would stumble over {line:?}"))
}

/// A call that rings here with these words, or that they declined with them.
fn call(direction: Direction, words: &str, name: &str) -> Arc<CallRow> {
    let incoming = direction == Direction::Incoming;
    let words = Some(words.to_owned());
    let view = CallView {
        direction,
        reason: (!incoming).then_some(EndReason::Declined),
        note: words.clone().filter(|_| incoming),
        message: words.filter(|_| !incoming),
        ..CallView::sample(7, if incoming { State::Incoming } else { State::Disconnected })
    };
    Arc::new(CallRow { history_id: 1, created_at: 1, ..CallRow::sample(view, name) })
}
