//! The border to the bus: nothing leaves that the bus would not carry, or that would deceive who reads it.
//!
//! Lives here: boards, answers and events with every text checked once more. Words of others are clean when they come in;
//! old files and rows, sound devices, other programs' errors are not ours to believe.
//! Must not: know an interface, or change anything but texts.

use std::sync::Arc;

use ahoy_proto::words::{self, Form, NOTE, SENTENCE, Words, without_nul};

use crate::values::board::{Board, CallRow, DeviceRow};
use crate::values::diagnosis::Finding;
use crate::values::happening::EventData;
use crate::values::link::LinkRow;
use crate::values::request::{Answer, Denied};
use crate::values::rows::{ContactRow, GroupRow, HistoryEvent, HistoryPeer, HistoryRow, RequestRow, Told};
use crate::values::setting::Setting;

/// What a sound server may call a device.
const LABEL: Form = Form::line(256);

/// A board as it is shown. What is right stays the same value, so that calls are still compared by their place.
pub(super) fn board(board: Arc<Board>) -> Arc<Board> {
    let clean = cleaned(&board);
    if clean == *board { board } else { Arc::new(clean) }
}

/// An answer as it is sent.
pub(super) fn answer(answer: Answer) -> Answer {
    match answer {
        Answer::Text(text) => Answer::Text(plain(text)),
        Answer::Settings(listed) => {
            Answer::Settings(listed.into_iter().map(|(key, value)| (key, setting(value))).collect())
        }
        Answer::Contacts(rows, next) => {
            Answer::Contacts(rows.into_iter().map(contact).collect(), plain(next))
        }
        Answer::Contact(row) => Answer::Contact(Box::new(contact(*row))),
        Answer::History(listed, next) => Answer::History(rows(listed), next),
        Answer::Row(row) => Answer::Row(Box::new(history(*row))),
        Answer::Events(log) => Answer::Events(events(log)),
        Answer::Cards(given) => Answer::Cards(
            given.into_iter().map(|(id, name, at)| (plain(id), shown_name(&name), at)).collect(),
        ),
        Answer::Requests(asking) => Answer::Requests(asking.into_iter().map(request).collect()),
        Answer::Groups(groups) => Answer::Groups(groups.into_iter().map(group).collect()),
        Answer::Link(row) => Answer::Link(Box::new(link(*row))),
        Answer::Findings(found) => Answer::Findings(
            found.into_iter().map(|it| Finding { sentence: sentence(&it.sentence), ..it }).collect(),
        ),
        Answer::Done
        | Answer::Call(_)
        | Answer::Flag(_)
        | Answer::Stats(_)
        | Answer::Count(_)
        | Answer::Told(..) => answer,
    }
}

fn link(row: LinkRow) -> LinkRow {
    LinkRow { code: plain(row.code), relay: plain(row.relay), name: shown_name(&row.name), ..row }
}

fn request(row: RequestRow) -> RequestRow {
    RequestRow { name: words::name(&row.name, "Somebody"), given_to: shown_name(&row.given_to), ..row }
}

fn group(row: GroupRow) -> GroupRow {
    let names = row.names.iter().map(|name| shown_name(name)).collect();
    GroupRow { name: shown_name(&row.name), names, ..row }
}

/// Rows of history as they are sent.
pub(super) fn rows(rows: Vec<HistoryRow>) -> Vec<HistoryRow> {
    rows.into_iter().map(history).collect()
}

/// Events of a row as they are sent.
pub(super) fn events(events: Vec<HistoryEvent>) -> Vec<HistoryEvent> {
    events.into_iter().map(told).collect()
}

/// A denial as it is sent.
pub(super) fn denied(denied: Denied) -> Denied {
    Denied { sentence: sentence(&denied.sentence), ..denied }
}

/// An event as it is sent.
pub(super) fn event(data: EventData) -> EventData {
    EventData { name: data.name.map(|name| words::name(&name, "Somebody")), ..data }
}

fn cleaned(board: &Board) -> Board {
    let mut board = board.clone();
    let manager = &mut board.manager;
    for text in manager.problems.iter_mut().chain([&mut manager.cannot_dial]) {
        *text = sentence(text);
    }
    let pairing = &mut manager.pairing;
    pairing.sentence = sentence(&pairing.sentence);
    if pairing.contact.is_some() {
        pairing.name = shown_name(&pairing.name);
    }
    let ids = [&mut manager.input_device, &mut manager.output_device, &mut manager.config_file];
    for text in ids.into_iter().chain(&mut manager.ring_devices) {
        *text = plain(std::mem::take(text));
    }
    let account = &mut board.account;
    account.display_name = shown_name(&account.display_name);
    account.connection_error = sentence(&account.connection_error);
    let serving = account.serving.iter_mut().map(|row| &mut row.url);
    for relay in account.relays.iter_mut().chain(serving) {
        *relay = plain(std::mem::take(relay));
    }
    for (name, _, _) in &mut account.devices {
        *name = shown_name(name);
    }
    for row in &mut board.calls {
        let clean = call(row);
        if clean != **row {
            *row = Arc::new(clean);
        }
    }
    for row in &mut board.devices {
        let clean = device(row);
        if clean != **row {
            *row = Arc::new(clean);
        }
    }
    board
}

fn call(row: &CallRow) -> CallRow {
    let mut row = row.clone();
    row.name = shown_name(&row.name);
    for text in [&mut row.icon, &mut row.ring_tone, &mut row.address] {
        *text = plain(std::mem::take(text));
    }
    for member in &mut row.members {
        member.name = shown_name(&member.name);
    }
    for text in [&mut row.view.note, &mut row.view.message] {
        *text = text.take().map(|said| note(&said));
    }
    row
}

fn device(row: &DeviceRow) -> DeviceRow {
    let mut row = row.clone();
    row.device.name = Words::of(&row.device.name, LABEL).into();
    row.device.id = plain(row.device.id);
    row
}

fn contact(row: ContactRow) -> ContactRow {
    let mut row = row;
    row.name = shown_name(&row.name);
    row.manner.icon = plain(row.manner.icon);
    row.manner.ring_tone = plain(row.manner.ring_tone);
    row
}

fn history(row: HistoryRow) -> HistoryRow {
    let peers =
        row.peers.into_iter().map(|peer| HistoryPeer { name: shown_name(&peer.name), ..peer }).collect();
    HistoryRow {
        name: shown_name(&row.name),
        note: note(&row.note),
        message: note(&row.message),
        peers,
        ..row
    }
}

fn told(event: HistoryEvent) -> HistoryEvent {
    let clean = |told| match told {
        Told::Text(text) => Told::Text(note(&text)),
        Told::Number(_) | Told::Time(_) => told,
    };
    let data = event.data.into_iter().map(|(key, told)| (plain(key), clean(told))).collect();
    HistoryEvent { data, ..event }
}

fn setting(value: Setting) -> Setting {
    match value {
        Setting::Text(text) => Setting::Text(plain(text)),
        Setting::Texts(texts) => Setting::Texts(texts.into_iter().map(plain).collect()),
        Setting::Flag(_) | Setting::Whole(_) | Setting::Real(_) => value,
    }
}

/// No name stays none.
fn shown_name(name: &str) -> String {
    if name.is_empty() { String::new() } else { words::name(name, "Somebody") }
}

fn note(said: &str) -> String {
    Words::of(said, NOTE).into()
}

fn sentence(said: &str) -> String {
    Words::of(said, SENTENCE).into()
}

/// A path, an id: nothing of it is for an eye, and no letter of it may go but the one that no bus carries.
fn plain(text: String) -> String {
    if text.contains('\0') { without_nul(&text).into_owned() } else { text }
}
