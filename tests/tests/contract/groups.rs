//! The verbs of calls of many and of named groups.
//!
//! Lives here: what each makes the daemon do, option by option, and what its client gets or is refused.
//! Must not: know what the rules make of it.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ahoy_call::{CallId, CallKind, MemberId, State};
use ahoyd::values::board::Board;
use ahoyd::values::request::{
    Answer, CallRequest, ContactRequest, Denied, DeniedKind, Guard, Request, Verb, Which,
};
use futures_util::FutureExt as _;
use serde::Serialize;
use zbus::message::Message;
use zbus::{DynamicType, ObjectPath, Variant};

use super::rig::{CALL, CALL_PATH, PEER_PATH, Rig, with_call};
use super::speech::{NOTHING, ROOT, error_name};

const CONTACTS: &str = "/org/ahoyd/Calls1/contacts";
const OTHER_PATH: &str = "/org/ahoyd/Calls1/call_c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2";

/// A call of many that runs.
fn group() -> Board {
    let mut board = with_call(State::Active);
    Arc::make_mut(&mut board.calls[0]).view.kind = CallKind::Group;
    board
}

/// What this method asked for, and what became of it.
async fn asked<B: Serialize + DynamicType>(
    rig: &mut Rig,
    (path, member): (&str, &str),
    body: &B,
    answer: Result<Answer, Denied>,
) -> (Request, zbus::Result<Message>) {
    let client = rig.client.clone();
    let (interface, method) = member.split_once('.').unwrap();
    let interface = format!("org.ahoyd.Calls1.{interface}");
    let call = client.call_method(Some("org.ahoyd.Calls1"), path, Some(interface.as_str()), method, body);
    let board = group();
    let (reply, asked) = tokio::join!(call, rig.port.serve_one(&board, answer));
    (asked.what, reply)
}

fn names(all: &[&str]) -> Vec<String> {
    all.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn a_group_begins_with_its_options_and_its_call_is_returned() {
    let mut rig = Rig::up(&group()).await;
    let method = (ROOT, "Manager.StartGroup");
    let options = HashMap::from([
        ("lifetime", Variant::from(30_u32)),
        ("note", Variant::from("tonight")),
        ("hold-others", Variant::from(false)),
    ]);
    let body = (names(&["ben", "cleo"]), options);
    let (what, reply) = asked(&mut rig, method, &body, Ok(Answer::Call(CALL))).await;
    let wanted = CallRequest::StartGroup {
        targets: names(&["ben", "cleo"]),
        lifetime: Some(Duration::from_secs(30)),
        note: Some("tonight".to_owned()),
        hold_others: false,
    };
    assert_eq!(what, Request::Call(wanted));
    let made = reply.unwrap().body();
    let made: ObjectPath<'_> = made.deserialize().unwrap();
    assert_eq!(made.as_str(), CALL_PATH);

    let full = Denied::new(DeniedKind::InvalidOption, "Ten at most.");
    let (what, reply) = asked(&mut rig, method, &(names(&["ben"]), &NOTHING), Err(full)).await;
    let wanted =
        CallRequest::StartGroup { targets: names(&["ben"]), lifetime: None, note: None, hold_others: true };
    assert_eq!(what, Request::Call(wanted));
    assert_eq!(error_name(&reply.unwrap_err()), "org.ahoyd.Calls1.Error.InvalidOption");
}

#[tokio::test]
async fn each_verb_on_a_group_reaches_the_engine_as_what_it_says() {
    let mut rig = Rig::up(&group()).await;
    let verb = |verb, guard| Request::Call(CallRequest::Verb { call: Which::Id(CALL), verb, guard });
    let ring = HashMap::from([("lifetime", Variant::from(20_u32))]);
    let (what, _) = asked(&mut rig, (CALL_PATH, "Call.Invite"), &("dora", &ring), Ok(Answer::Done)).await;
    let lifetime = Some(Duration::from_secs(20));
    assert_eq!(what, Request::Call(CallRequest::Invite { call: CALL, target: "dora".to_owned(), lifetime }));

    let (what, _) = asked(&mut rig, (CALL_PATH, "Call.Join"), &NOTHING, Ok(Answer::Done)).await;
    assert_eq!(what, verb(Verb::Join, Guard::default()));

    for (everyone, wanted) in [(true, Verb::EndForAll), (false, Verb::HangUp)] {
        let options = HashMap::from([("everyone", Variant::from(everyone))]);
        let (what, _) = asked(&mut rig, (CALL_PATH, "Call.Hangup"), &options, Ok(Answer::Done)).await;
        assert_eq!(what, verb(wanted, Guard::default()));
    }
    let seen = HashMap::from([("expect-serial", Variant::from(4_u64))]);
    let (what, _) = asked(&mut rig, (CALL_PATH, "Call.Hangup"), &seen, Ok(Answer::Done)).await;
    assert_eq!(what, verb(Verb::HangUp, Guard { call: None, serial: Some(4) }));

    // By who may not: the rules decide, and their name for it arrives.
    let denied = Denied::new(DeniedKind::InvalidState, "Who began the call may.");
    let (what, reply) = asked(&mut rig, (PEER_PATH, "Peer.Remove"), &NOTHING, Err(denied)).await;
    assert_eq!(what, Request::Call(CallRequest::RemoveMember(CALL, MemberId::FIRST)));
    assert_eq!(error_name(&reply.unwrap_err()), "org.ahoyd.Calls1.Error.InvalidState");
}

#[tokio::test]
async fn two_calls_are_merged_in_the_order_in_which_they_are_named_and_nothing_else_is() {
    let mut rig = Rig::up(&group()).await;
    let path = |path: &'static str| ObjectPath::try_from(path).unwrap();
    let both = (vec![path(CALL_PATH), path(OTHER_PATH)], &NOTHING);
    let (what, _) = asked(&mut rig, (ROOT, "Manager.Merge"), &both, Ok(Answer::Done)).await;
    assert_eq!(what, Request::Call(CallRequest::Merge(CALL, CallId::from_bytes([0xc2; 16]))));
    for wrong in [
        vec![],
        vec![path(CALL_PATH)],
        vec![path(CALL_PATH), path(OTHER_PATH), path(CALL_PATH)],
        vec![path(CALL_PATH), path(PEER_PATH)],
        vec![path(CALL_PATH), path(ROOT)],
    ] {
        let refused = rig.call(ROOT, "Manager.Merge", &(&wrong, &NOTHING)).await.unwrap_err();
        assert_eq!(error_name(&refused), "org.freedesktop.DBus.Error.InvalidArgs", "{wrong:?}");
    }
    assert!(rig.port.asked.recv().now_or_never().is_none(), "none of these was asked for");
}

#[tokio::test]
async fn named_groups_are_made_changed_and_forgotten_by_what_is_said_of_them() {
    let mut rig = Rig::up(&group()).await;
    let made = ("book club", names(&["ben", "cleo"]), &NOTHING);
    let (what, reply) =
        asked(&mut rig, (CONTACTS, "Contacts.MakeGroup"), &made, Ok(Answer::Text("g1".to_owned()))).await;
    let (name, members) = ("book club".to_owned(), names(&["ben", "cleo"]));
    assert_eq!(what, Request::Contact(ContactRequest::MakeGroup { name, members }));
    assert_eq!(reply.unwrap().body().deserialize::<String>().unwrap(), "g1");

    // What is not named stays.
    let add = HashMap::from([("add", Variant::from(vec!["dora"]))]);
    let changes = HashMap::from([("name", Variant::from("book")), ("drop", Variant::from(vec!["ben"]))]);
    for (changes, name, add, drop) in
        [(&add, None, &["dora"][..], &[][..]), (&changes, Some("book"), &[][..], &["ben"][..])]
    {
        let body = ("g1", changes, &NOTHING);
        let (what, _) = asked(&mut rig, (CONTACTS, "Contacts.ChangeGroup"), &body, Ok(Answer::Done)).await;
        let (group, name) = ("g1".to_owned(), name.map(str::to_owned));
        let wanted = ContactRequest::ChangeGroup { group, name, add: names(add), drop: names(drop) };
        assert_eq!(what, Request::Contact(wanted));
    }
    let unknown = HashMap::from([("members", Variant::from(vec!["dora"]))]);
    let refused = rig.call(CONTACTS, "Contacts.ChangeGroup", &("g1", &unknown, &NOTHING)).await.unwrap_err();
    assert_eq!(error_name(&refused), "org.ahoyd.Calls1.Error.InvalidOption");

    let body = ("g1", &NOTHING);
    let (what, _) = asked(&mut rig, (CONTACTS, "Contacts.ForgetGroup"), &body, Ok(Answer::Done)).await;
    assert_eq!(what, Request::Contact(ContactRequest::ForgetGroup("g1".to_owned())));
}
