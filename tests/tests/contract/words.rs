//! What others say, on a real bus.
//!
//! Lives here: any words that decode, published and read again; the border against what was never cleaned.
//! Must not: know how words are cleaned.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use std::sync::Arc;

use ahoy_call::{Message, State};
use ahoy_proto::codec;
use ahoyd::bus::{EventData, Happening, Publication};
use ahoyd::values::board::Board;
use ahoyd::values::request::Answer;
use ahoyd::values::rows::{ContactRow, HistoryRow};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use tokio::sync::oneshot;
use zbus::OwnedVariant;

use super::rig::{CALL_PATH, DEVICE_PATH, PEER_PATH, Rig, idle, with_call};
use super::speech::{NOTHING, ROOT};

/// Letters that no bus carries, that steer, hide or turn, and some that are right.
const LETTERS: &str = "\0\u{1}\u{1b}\r\n\t\u{9b}\u{ad}\u{200d}\u{202e}\u{2028}\u{fe0f}\u{feff}\u{ffff}\u{e0041}ab 👨و\u{d4d}\u{301}";

fn text(value: &OwnedVariant) -> String {
    value.downcast_ref::<String>().unwrap()
}

/// All that was ordered before has been shown.
async fn shown(rig: &Rig) {
    let (reply, shown) = oneshot::channel();
    rig.port.order(Publication::Reply(reply, Ok(Answer::Done))).await;
    shown.await.unwrap().unwrap();
}

#[tokio::test]
async fn whatever_decodes_can_be_published_on_a_real_bus() {
    let mut rig = Rig::up(&idle()).await;
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let letter = prop_oneof![proptest::sample::select(LETTERS.chars().collect::<Vec<_>>()), any::<char>()];
    let words = proptest::collection::vec(letter, 0..300).prop_map(String::from_iter);
    for offer in [true, false].repeat(48) {
        let said = words.new_tree(&mut runner).unwrap().current();
        let wire = if offer {
            serde_json::json!({"kind": "offer", "remaining-ms": 9, "text": said})
        } else {
            serde_json::json!({"kind": "decline", "reason": "busy", "scope": "everywhere", "text": said})
        };
        let read = codec::decode(wire.to_string().as_bytes()).unwrap().unwrap();
        let mut board = with_call(State::Incoming);
        rig.port.publish(&board).await;
        let row = Arc::make_mut(&mut board.calls[0]);
        let (Message::Offer { text: said, .. } | Message::Decline { text: said, .. }) = &read else {
            panic!("{read:?}")
        };
        let kept = said.clone().unwrap_or_default();
        if offer {
            row.view.note = Some(kept.clone());
        } else {
            row.view.message = Some(kept.clone());
        }
        rig.port.publish(&board).await;
        shown(&rig).await;
        let call = rig.properties(CALL_PATH, "Call").await;
        assert_eq!(text(&call["Note"]) + &text(&call["Message"]), kept, "of {wire}");
        rig.port.publish(&idle()).await;
    }
    assert!(rig.port.reports.try_recv().is_err(), "the bus was never left");
}

#[tokio::test]
async fn what_no_bus_carries_does_not_get_there_whatever_holds_it() {
    let bad = || "An\0a\u{202e}".to_owned();
    let mut board = with_call(State::Incoming);
    let row = Arc::make_mut(&mut board.calls[0]);
    (row.name, row.icon, row.address, row.members[0].name) = (bad(), bad(), bad(), bad());
    (row.view.note, row.view.message) = (Some(bad()), Some(bad()));
    Arc::make_mut(&mut board.devices[0]).device.name = bad();
    let manager = &mut board.manager;
    (manager.problems, manager.cannot_dial, manager.input_device) = (vec![bad()], bad(), bad());
    (board.account.display_name, board.account.connection_error) = (bad(), bad());
    board.account.devices[0].0 = bad();

    let mut rig = Rig::up(&Board { devices: Vec::new(), ..idle() }).await;
    rig.port.publish(&board).await;
    let data = EventData { name: Some(bad()), ..EventData::default() };
    rig.port.order(Publication::Event(Happening { kind: "call.incoming", serial: 1, data })).await;
    shown(&rig).await;
    let call = rig.properties(CALL_PATH, "Call").await;
    assert_eq!(["Note", "Message", "RemoteName"].map(|name| text(&call[name])), ["Ana", "Ana", "Ana"]);
    assert_eq!(text(&rig.properties(PEER_PATH, "Peer").await["Name"]), "Ana");
    assert_eq!(text(&rig.properties(DEVICE_PATH, "AudioDevice").await["Name"]), "Ana");
    assert_eq!(text(&rig.properties(ROOT, "Manager").await["CannotDialReason"]), "Ana");

    // Rows of old files and what a row of history tells, as a method's answer.
    let contact = ContactRow { name: bad(), ..ContactRow::default() };
    let row = HistoryRow { name: bad(), note: bad(), message: bad(), ..HistoryRow::default() };
    for (path, member, answer) in [
        ("/org/ahoyd/Calls1/contacts", "Contacts.List", Answer::Contacts(vec![contact], String::new())),
        ("/org/ahoyd/Calls1/history", "History.List", Answer::History(vec![row], 0)),
    ] {
        let client = rig.client.clone();
        let (interface, method) = member.split_once('.').unwrap();
        let interface = format!("org.ahoyd.Calls1.{interface}");
        let to = Some("org.ahoyd.Calls1");
        let body = (&NOTHING, &NOTHING);
        let asking = client.call_method(to, path, Some(interface.as_str()), method, &body);
        let (answered, _) = tokio::join!(asking, rig.port.serve_one(&board, Ok(answer)));
        answered.unwrap_or_else(|error| panic!("{member}: {error}"));
    }
    assert!(rig.port.reports.try_recv().is_err(), "the bus was never left");
}
