//! What is refused at the bus, and by which name.
//!
//! Lives here: properties that cannot be set, unknown options, wrong types, the names of denials.
//! Must not: know why the engine denies anything.

use std::collections::{BTreeMap, HashMap};

use ahoy_call::State;
use ahoy_tests::introspection::interfaces;
use ahoyd::values::request::{Denied, DeniedKind};
use futures_util::FutureExt as _;
use zbus::{OwnedVariant, Variant};

use super::FOCUS;
use super::rig::{self, ACCOUNT_PATH, CALL_PATH, DEVICE_PATH, PEER_PATH, Rig, idle, with_call};
use super::speech::{NOTHING, ROOT, error_name, with_unknown_option};

#[tokio::test]
async fn nothing_else_can_be_set() {
    let rig = Rig::up(&with_call(State::Active)).await;
    let places = [
        (ROOT, "Manager"),
        (FOCUS, "Focus"),
        (CALL_PATH, "Call"),
        (PEER_PATH, "Peer"),
        (ACCOUNT_PATH, "Account"),
        (DEVICE_PATH, "AudioDevice"),
    ];
    for (path, interface) in places {
        let proxy = rig::properties_of(&rig.client, path).await;
        for (name, value) in rig.properties(path, interface).await {
            if ["DisplayName", "Enabled", "Relays", "Volume"].contains(&name.as_str())
                || interface == "AudioDevice" && name == "Muted"
            {
                continue;
            }
            let full = format!("org.ahoyd.Calls1.{interface}");
            proxy.set(full.try_into().unwrap(), &name, &value).await.expect_err(&name);
        }
    }
}

#[tokio::test]
async fn what_can_only_be_read_is_refused_by_that_name_and_an_empty_name_means_all() {
    let rig = Rig::up(&with_call(State::Active)).await;
    let places = [
        (ROOT, "Manager", "Muted"),
        (FOCUS, "Focus", "State"),
        (CALL_PATH, "Call", "State"),
        (PEER_PATH, "Peer", "State"),
        (DEVICE_PATH, "AudioDevice", "Kind"),
    ];
    for (path, interface, name) in places {
        let proxy = rig::properties_of(&rig.client, path).await;
        let full = || format!("org.ahoyd.Calls1.{interface}").try_into().unwrap();
        let refused = proxy.set(full(), name, &true.into()).await.unwrap_err();
        assert!(matches!(refused, zbus::fdo::Error::PropertyReadOnly(_)), "{interface}: {refused}");
        let refused = proxy.set(full(), "NoSuch", &true.into()).await.unwrap_err();
        assert!(matches!(refused, zbus::fdo::Error::UnknownProperty(_)), "{interface}: {refused}");
    }
    for (path, interface) in [(ROOT, "Manager"), (FOCUS, "Focus"), (ACCOUNT_PATH, "Account")] {
        let properties = Some("org.freedesktop.DBus.Properties");
        let reply = rig
            .client
            .call_method(Some("org.ahoyd.Calls1"), path, properties, "GetAll", &("",))
            .await
            .unwrap();
        let all: BTreeMap<String, OwnedVariant> = reply.body().deserialize().unwrap();
        assert_eq!(all, rig.properties(path, interface).await);
    }
}

#[tokio::test]
async fn every_method_refuses_an_unknown_option_by_its_name_and_asks_nothing() {
    let mut rig = Rig::up(&with_call(State::Active)).await;
    let paths = HashMap::from([
        ("Manager", ROOT),
        ("Focus", FOCUS),
        ("Call", CALL_PATH),
        ("Peer", PEER_PATH),
        ("Contacts", "/org/ahoyd/Calls1/contacts"),
        ("Account", ACCOUNT_PATH),
        ("AudioDevice", DEVICE_PATH),
        ("History", "/org/ahoyd/Calls1/history"),
    ]);
    let mut methods = 0;
    for (full, members) in ahoy_dbus::XML.iter().flat_map(|(_, xml)| interfaces(xml)) {
        let interface = full.strip_prefix("org.ahoyd.Calls1.").unwrap();
        for member in members.iter().filter_map(|line| line.strip_prefix("method ")) {
            let (method, arguments) = member.split_once(" (").unwrap();
            let body = with_unknown_option(arguments);
            let refused =
                rig.call(paths[interface], &format!("{interface}.{method}"), &body).await.unwrap_err();
            assert_eq!(error_name(&refused), "org.ahoyd.Calls1.Error.InvalidOption", "{interface}.{method}");
            assert!(refused.to_string().contains("'no-such-option'"), "{interface}.{method}: {refused}");
            methods += 1;
        }
    }
    assert!(methods >= 20, "only {methods} methods were tried");
    assert!(rig.port.asked.recv().now_or_never().is_none(), "a refused method reached the engine");
}

#[tokio::test]
async fn wrong_types_are_invalid_arguments() {
    let rig = Rig::up(&with_call(State::Incoming)).await;
    let serial = HashMap::from([("expect-serial", Variant::from("4"))]);
    let wrong = [
        rig.call(ROOT, "Manager.Dial", &(true, &NOTHING)).await,
        rig.call(FOCUS, "Focus.Answer", &("x")).await,
        rig.call(FOCUS, "Focus.Answer", &serial).await,
        rig.call(FOCUS, "Focus.Decline", &("never", &NOTHING)).await,
    ];
    for result in wrong {
        assert_eq!(error_name(&result.unwrap_err()), "org.freedesktop.DBus.Error.InvalidArgs");
    }
}

#[tokio::test]
async fn every_denial_has_its_name_in_the_table_and_carries_its_sentence() {
    let mut rig = Rig::up(&idle()).await;
    for &kind in DeniedKind::ALL {
        let client = rig.client.clone();
        let interface = Some("org.ahoyd.Calls1.Manager");
        let call = client.call_method(Some("org.ahoyd.Calls1"), ROOT, interface, "Reload", &NOTHING);
        let denied = Denied::new(kind, "What to do.");
        let board = idle();
        let (refused, _) = tokio::join!(call, rig.port.serve_one(&board, Err(denied)));
        let refused = ahoy_dbus::Error::from_zbus(&refused.unwrap_err()).expect("a name of the table");
        assert_eq!(refused.name.as_str(), format!("org.ahoyd.Calls1.Error.{kind:?}"));
        assert_eq!(refused.sentence, "What to do.");
    }
}
