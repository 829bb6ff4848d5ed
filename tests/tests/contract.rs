//! Is what the daemon serves the contract?
//!
//! Lives here: the real bus port on a private bus, compared with the hand-written XML and with the rules beside it.
//! Must not: start a whole daemon; the engine's place is the test's.

#[path = "contract/comings.rs"]
mod comings;
#[path = "contract/groups.rs"]
mod groups;
#[path = "contract/lost.rs"]
mod lost;
#[path = "contract/page.rs"]
mod page;
#[path = "contract/refusals.rs"]
mod refusals;
#[path = "contract/rig.rs"]
mod rig;
#[path = "contract/sandbox.rs"]
mod sandbox;
#[path = "contract/speech.rs"]
mod speech;
#[path = "contract/words.rs"]
mod words;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use ahoy_call::{Others, State};
use ahoy_tests::bus::PrivateBus;
use ahoy_tests::introspection::interfaces;
use ahoyd::bus::{Publication, Report};
use ahoyd::values::board::{Board, DeviceRow, Newest};
use ahoyd::values::request::{
    Answer, CallRequest, ContactRequest, DaemonRequest, Denied, DeniedKind, DeviceRequest, Guard, Request,
    Verb, Which,
};
use futures_util::FutureExt;
use zbus::fdo::IntrospectableProxy;
use zbus::message::Type;
use zbus::{OwnedVariant, Variant};

use self::rig::{
    ACCOUNT_PATH, CALL, CALL_PATH, DEVICE_PATH, PEER_PATH, Port, Rig, changes, connect, idle, member, muted,
    speaker, with_call,
};
use self::speech::{NOTHING, ROOT, error_name, managed, within_five_seconds};

const FOCUS: &str = "/org/ahoyd/Calls1/focus";

#[tokio::test]
async fn live_introspection_of_every_object_equals_the_contract() {
    let rig = Rig::up(&with_call(State::Active)).await;
    let mut live = BTreeMap::new();
    for path in managed(&rig).await.into_keys().chain([ROOT.to_owned()]) {
        let proxy = IntrospectableProxy::builder(&rig.client).destination("org.ahoyd.Calls1").path(path);
        let proxy = proxy.build().await.unwrap();
        let served = interfaces(&proxy.introspect().await.unwrap());
        let ours = served.into_iter().filter(|(name, _)| name.starts_with("org.ahoyd."));
        live.extend(ours);
    }
    let written = ahoy_dbus::XML.iter().flat_map(|(_, xml)| interfaces(xml)).collect();
    assert_eq!(live, written);
}

#[tokio::test]
async fn the_object_manager_tells_the_whole_state() {
    let rig = Rig::up(&with_call(State::Active)).await;
    let managed = managed(&rig).await;
    let paths: BTreeSet<&str> = managed.keys().map(String::as_str).collect();
    let contacts = "/org/ahoyd/Calls1/contacts";
    let history = "/org/ahoyd/Calls1/history";
    let all = [ACCOUNT_PATH, CALL_PATH, PEER_PATH, DEVICE_PATH, FOCUS, contacts, history];
    assert_eq!(paths, BTreeSet::from(all));
    for (path, interfaces) in managed {
        for (interface, properties) in interfaces {
            let short = interface.strip_prefix("org.ahoyd.Calls1.").expect("only ours are managed");
            assert_eq!(rig.properties(&path, short).await, properties, "{path}");
        }
    }
}

#[tokio::test]
async fn one_transition_is_one_properties_changed_an_object_and_the_signals_fold_to_the_properties() {
    let rig = Rig::up(&idle()).await;
    let mut monitor = rig.monitor().await;
    let mut folded: BTreeMap<(String, String), BTreeMap<String, OwnedVariant>> = BTreeMap::new();
    let fixed = [(ROOT, "Manager"), (FOCUS, "Focus"), (ACCOUNT_PATH, "Account")];
    for (path, interface) in fixed {
        folded.insert((path.into(), interface.into()), rig.properties(path, interface).await);
    }
    let call = [(CALL_PATH, "Call"), (PEER_PATH, "Peer")];
    let objects = [(PEER_PATH, "Peer"), (CALL_PATH, "Call"), (FOCUS, "Focus"), (ROOT, "Manager")];
    let steps = [
        (with_call(State::Dialing), 2, &[(FOCUS, "Focus")][..]),
        (with_call(State::Alerting), 0, &objects[1..3]),
        (with_call(State::Connecting), 0, &objects[..]),
        (with_call(State::Active), 0, &objects[..3]),
        (muted(with_call(State::Active)), 0, &objects[1..3]),
        (muted(with_call(State::Active)), 0, &[][..]),
        (with_call(State::Disconnected), 0, &objects[..]),
    ];
    rig.seen(&mut monitor).await;
    for (number, (board, added, expected)) in steps.into_iter().enumerate() {
        rig.port.publish(&board).await;
        let seen = rig.seen(&mut monitor).await;
        let added_now = seen.iter().filter(|message| member(message) == "InterfacesAdded").count();
        assert_eq!(added_now, added, "step {number}");
        for (path, interface) in call.into_iter().filter(|_| added > 0) {
            folded.insert((path.into(), interface.into()), rig.properties(path, interface).await);
        }
        let changed = changes(&seen);
        let objects: Vec<(&str, &str)> =
            changed.iter().map(|(path, interface, _)| (path.as_str(), interface.as_str())).collect();
        let once: BTreeSet<(&str, &str)> = objects.iter().copied().collect();
        assert_eq!(objects.len(), once.len(), "step {number}: an object spoke twice: {objects:?}");
        assert_eq!(once, expected.iter().copied().collect(), "step {number}");
        for (path, interface, properties) in changed {
            let shown = folded.get_mut(&(path, interface)).unwrap();
            for (name, value) in properties {
                assert_ne!(shown.get(&name), Some(&value), "step {number}: {name} has not changed");
                shown.insert(name, value);
            }
        }
        for ((path, interface), properties) in &folded {
            assert_eq!(&rig.properties(path, interface).await, properties, "step {number}: {path}");
        }
    }
    rig.port.publish(&idle()).await;
    let seen = rig.seen(&mut monitor).await;
    let removed = seen.iter().filter(|message| member(message) == "InterfacesRemoved").count();
    assert_eq!(removed, 2, "an ended call that leaves the board leaves the bus");
    let gone = rig.call(CALL_PATH, "Call.Hangup", &NOTHING).await.unwrap_err();
    assert_eq!(error_name(&gone), "org.freedesktop.DBus.Error.UnknownObject");
}

#[tokio::test]
async fn a_method_returns_after_the_properties_show_its_effect() {
    let mut rig = Rig::up(&with_call(State::Incoming)).await;
    let mut monitor = rig.monitor().await;
    let call = rig.client.clone();
    let answer = async {
        call.call_method(Some("org.ahoyd.Calls1"), FOCUS, Some("org.ahoyd.Calls1.Focus"), "Answer", &NOTHING)
            .await
            .unwrap()
    };
    let board = with_call(State::Connecting);
    let (_, asked) = tokio::join!(answer, rig.port.serve_one(&board, Ok(Answer::Done)));
    let expected = Request::Call(CallRequest::Verb {
        call: Which::FocusRinging,
        verb: Verb::Answer(Others::Hold),
        guard: Guard::default(),
    });
    assert_eq!(asked.what, expected);
    let focus = rig.properties(FOCUS, "Focus").await;
    assert_eq!(focus["State"], Variant::from("connecting").try_into_owned().unwrap());
    let seen = rig.seen(&mut monitor).await;
    let reply = seen.iter().position(|message| message.message_type() == Type::MethodReturn);
    let last = seen.iter().rposition(|message| member(message) == "PropertiesChanged");
    assert!(last.unwrap() < reply.unwrap(), "signals first, then the reply");
}

#[tokio::test]
async fn a_reply_that_is_let_go_too_early_is_seen_by_the_same_measure() {
    let mut rig = Rig::up(&with_call(State::Incoming)).await;
    let mut monitor = rig.monitor().await;
    let client = rig.client.clone();
    let interface = Some("org.ahoyd.Calls1.Focus");
    let answer = client.call_method(Some("org.ahoyd.Calls1"), FOCUS, interface, "Answer", &NOTHING);
    let wrong_order = async {
        let asked = rig.port.asked().await;
        rig.port.order(Publication::Reply(asked.reply, Ok(Answer::Done))).await;
    };
    let (answered, ()) = tokio::join!(answer, wrong_order);
    answered.unwrap();
    rig.port.publish(&with_call(State::Connecting)).await;
    let seen = rig.seen(&mut monitor).await;
    let reply = seen.iter().position(|message| message.message_type() == Type::MethodReturn);
    let last = seen.iter().rposition(|message| member(message) == "PropertiesChanged");
    assert!(last.unwrap() > reply.unwrap(), "the measure must tell one order from the other");
}

#[tokio::test]
async fn setting_the_name_waits_for_no_lock_and_speaks_once() {
    let mut rig = Rig::up(&idle()).await;
    let mut monitor = rig.monitor().await;
    let client = rig.client.clone();
    let set = async {
        let proxy = rig::properties_of(&client, ACCOUNT_PATH).await;
        let interface = "org.ahoyd.Calls1.Account".try_into().unwrap();
        proxy.set(interface, "DisplayName", &"Anna".into()).await.unwrap();
    };
    // A call that appears while the name is being set needs the tree.
    let mut board = with_call(State::Incoming);
    board.account.display_name = "Anna".to_owned();
    let ((), asked) = tokio::join!(set, rig.port.serve_one(&board, Ok(Answer::Done)));
    assert_eq!(asked.what, Request::Daemon(DaemonRequest::SetDisplayName("Anna".to_owned())));
    let seen = rig.seen(&mut monitor).await;
    let account: Vec<_> = changes(&seen).into_iter().filter(|(path, ..)| path == ACCOUNT_PATH).collect();
    assert_eq!(account.len(), 1, "{account:?}");
    assert_eq!(account[0].2.keys().collect::<Vec<_>>(), ["DisplayName"]);
}

#[tokio::test]
async fn a_volume_that_is_set_reaches_the_engine_and_its_change_is_told_once() {
    let mut rig = Rig::up(&idle()).await;
    let mut monitor = rig.monitor().await;
    let proxy = rig::properties_of(&rig.client, DEVICE_PATH).await;
    let interface = || "org.ahoyd.Calls1.AudioDevice".try_into().unwrap();
    proxy.set(interface(), "Volume", &0.75_f64.into()).await.unwrap();
    let asked = rig.port.asked().await.what;
    let Request::Device(DeviceRequest::Adjust(adjust)) = asked else { panic!("{asked:?}") };
    assert_eq!((adjust.id.as_str(), adjust.volume, adjust.muted), ("usb.speaker-1", Some(0.75), None));
    let board = Board { devices: vec![speaker(0.75)], ..idle() };
    rig.port.publish(&board).await;
    let seen = rig.seen(&mut monitor).await;
    let told: Vec<_> = changes(&seen).into_iter().filter(|(path, ..)| path == DEVICE_PATH).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].2.keys().collect::<Vec<_>>(), ["Volume"]);
    let refused = proxy.set(interface(), "Volume", &1.75_f64.into()).await.unwrap_err();
    assert!(refused.to_string().contains("between 0 and 1.5"), "{refused}");
    assert!(rig.port.asked.recv().now_or_never().is_none(), "a refused one reached the engine");
}

#[tokio::test]
async fn a_device_is_an_object_while_it_is_there_or_chosen() {
    let rig = Rig::up(&idle()).await;
    let mut monitor = rig.monitor().await;
    rig.port.publish(&Board { devices: Vec::new(), ..idle() }).await;
    rig.port.publish(&idle()).await;
    let mut away = DeviceRow::clone(&speaker(0.5));
    (away.present, away.roles) = (false, Vec::new());
    rig.port.publish(&Board { devices: vec![Arc::new(away)], ..idle() }).await;
    let seen = rig.seen(&mut monitor).await;
    let count = |name: &str| seen.iter().filter(|message| member(message) == name).count();
    assert_eq!((count("InterfacesRemoved"), count("InterfacesAdded")), (1, 1));
    let shown = rig.properties(DEVICE_PATH, "AudioDevice").await;
    assert_eq!(shown["Present"], Variant::from(false).try_into_owned().unwrap());
    let proxy = rig::properties_of(&rig.client, DEVICE_PATH).await;
    let interface = "org.ahoyd.Calls1.AudioDevice".try_into().unwrap();
    let refused = proxy.set(interface, "Muted", &true.into()).await.unwrap_err();
    assert!(refused.to_string().contains("plug it in"), "{refused}");
}

#[tokio::test]
async fn the_other_in_a_call_of_two_is_as_loud_as_its_contact_and_cannot_be_removed() {
    let mut rig = Rig::up(&with_call(State::Active)).await;
    let mut monitor = rig.monitor().await;
    let refused = rig.call(PEER_PATH, "Peer.Remove", &NOTHING).await.unwrap_err();
    assert_eq!(error_name(&refused), "org.ahoyd.Calls1.Error.InvalidState");
    let proxy = rig::properties_of(&rig.client, PEER_PATH).await;
    let peer = || "org.ahoyd.Calls1.Peer".try_into().unwrap();
    let refused = proxy.set(peer(), "Volume", &2.1.into()).await.unwrap_err();
    assert!(refused.to_string().contains("between 0 and 2"), "{refused}");
    rig.seen(&mut monitor).await;
    let mut board = with_call(State::Active);
    Arc::make_mut(&mut board.calls[0]).members[0].volume = 0.5;
    proxy.set(peer(), "Volume", &0.5.into()).await.unwrap();
    let asked = rig.port.serve_one(&board, Ok(Answer::Done)).await;
    let Request::Contact(ContactRequest::Change(id, change)) = asked.what else { panic!("{:?}", asked.what) };
    assert_eq!((id, change.manner.volume), ("be".repeat(16), Some(0.5)));
    let told = changes(&rig.seen(&mut monitor).await);
    let objects: Vec<&str> = told.iter().map(|(path, ..)| path.as_str()).collect();
    assert_eq!(objects, [PEER_PATH], "once, and nothing else has changed");
    assert_eq!(told[0].2["Volume"], Variant::from(0.5).try_into_owned().unwrap());
}

#[tokio::test]
async fn a_plain_number_is_taken_as_an_option_where_it_fits() {
    let mut rig = Rig::up(&idle()).await;
    let client = rig.client.clone();
    let options = HashMap::from([("lifetime", Variant::from(30_i32))]);
    let body = ("Ben", options);
    let interface = Some("org.ahoyd.Calls1.Manager");
    let dial = client.call_method(Some("org.ahoyd.Calls1"), ROOT, interface, "Dial", &body);
    let board = idle();
    let (dialed, asked) = tokio::join!(dial, rig.port.serve_one(&board, Ok(Answer::Call(CALL))));
    dialed.unwrap();
    let Request::Call(CallRequest::Dial { lifetime, .. }) = asked.what else { panic!("{:?}", asked.what) };
    assert_eq!(lifetime, Some(std::time::Duration::from_secs(30)));
}

#[tokio::test]
async fn the_answers_to_one_connection_keep_the_order_of_its_questions() {
    let rig = Rig::up(&with_call(State::Active)).await;
    let question = |interface: &str, member: &str, body: &str| {
        let builder = zbus::Message::method_call(ROOT, member).destination("org.ahoyd.Calls1");
        let builder = builder.interface(interface.to_owned());
        if body.is_empty() { builder.build(&()).unwrap() } else { builder.build(&body).unwrap() }
    };
    let objects = question("org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "");
    let manager = question("org.freedesktop.DBus.Properties", "GetAll", "org.ahoyd.Calls1.Manager");
    let asked = [&objects, &manager].map(|message| message.primary_header().serial_num());
    let mut stream = zbus::MessageStream::from(&rig.client);
    rig.client.send_all(&[objects, manager]).await.unwrap();
    let mut answered = Vec::new();
    while answered.len() < 2 {
        let message = futures_util::StreamExt::next(&mut stream).await.unwrap().unwrap();
        answered.extend(message.header().reply_serial().filter(|serial| asked.contains(serial)));
    }
    assert_eq!(answered, asked);
}

#[tokio::test]
async fn what_the_person_saw_reaches_the_engine() {
    let mut rig = Rig::up(&with_call(State::Incoming)).await;
    let client = rig.client.clone();
    let options = HashMap::from([
        ("expect-call", Variant::from(zbus::ObjectPath::try_from(CALL_PATH).unwrap())),
        ("expect-serial", Variant::from(4_u64)),
    ]);
    let body = ("busy", options);
    let interface = Some("org.ahoyd.Calls1.Call");
    let decline = client.call_method(Some("org.ahoyd.Calls1"), CALL_PATH, interface, "Decline", &body);
    let stale = Denied::new(DeniedKind::Stale, "The call has changed: look again.");
    let board = with_call(State::Incoming);
    let (refused, asked) = tokio::join!(decline, rig.port.serve_one(&board, Err(stale)));
    assert_eq!(error_name(&refused.unwrap_err()), "org.ahoyd.Calls1.Error.Stale");
    let Request::Call(CallRequest::Verb { call, guard, .. }) = asked.what else { panic!("{:?}", asked.what) };
    assert_eq!(call, Which::Id(CALL));
    assert_eq!(guard, Guard { call: Some(CALL), serial: Some(4) });
}
