//! What a program in a sandbox may do on the bus.
//!
//! Lives here: a real caller in a mount namespace whose root holds `/.flatpak-info`, beside one that has none.
//! Must not: need a sandbox to be installed.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "whatever fails here fails the test"
)]

use std::process::Stdio;

use ahoy_call::State;
use ahoyd::bus::Publication;
use ahoyd::values::request::{Answer, Asked, CallRequest, DaemonRequest, Request};
use tokio::process::Command;

use super::rig::{ACCOUNT_PATH, CALL, CALL_PATH, DEVICE_PATH, PEER_PATH, Rig, with_call};
use super::{FOCUS, ROOT};

/// Makes a root of this system's programs, with the file that every flatpak has or without it, and runs `busctl` there.
const INSIDE: &str = r#"
set -e
mount -t tmpfs tmpfs "$0"
cd "$0"
mkdir usr etc bus
mount --rbind /usr usr
for link in bin lib lib64 sbin; do [ ! -e "/$link" ] || ln -s "usr/$link" "$link"; done
mount --rbind "$1" bus
[ "$2" = free ] || : >.flatpak-info
shift 2
exec chroot . /usr/bin/busctl --address=unix:path=/bus/bus "$@"
"#;

/// Runs busctl; its output, or what it complains of.
async fn busctl(rig: &Rig, kind: &str, arguments: &[&str]) -> Result<String, String> {
    let place = tempfile::tempdir().unwrap();
    let address = rig.bus.address();
    let folder =
        std::path::Path::new(address.strip_prefix("unix:path=").unwrap()).parent().unwrap().to_owned();
    let output = Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c", INSIDE])
        .arg(place.path())
        .arg(folder)
        .arg(kind)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim().to_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// A method with empty options as its last argument.
async fn method(
    rig: &Rig,
    kind: &str,
    path: &str,
    member: &str,
    arguments: &[&str],
) -> Result<String, String> {
    let (interface, name) = member.split_once('.').unwrap();
    let interface = format!("org.ahoyd.Calls1.{interface}");
    let mut words = vec!["call", "org.ahoyd.Calls1", path, &interface, name];
    words.extend(arguments);
    busctl(rig, kind, &words).await
}

/// Answers whatever reaches the engine, and tells what that was.
async fn served<T>(rig: &mut Rig, client: impl AsyncFn(&Rig) -> T) -> (T, Vec<Request>) {
    let mut reached = Vec::new();
    let (_none, nothing) = tokio::sync::mpsc::channel(1);
    let mut asked = std::mem::replace(&mut rig.port.asked, nothing);
    let orders = rig.port.orders.clone();
    let outcome = {
        let mut client = std::pin::pin!(client(rig));
        loop {
            tokio::select! {
                outcome = &mut client => break outcome,
                Some(Asked { what, reply }) = asked.recv() => {
                    let answer = match &what {
                        Request::Call(CallRequest::Dial { .. }) => Answer::Call(CALL),
                        Request::Call(CallRequest::Verb { .. }) | Request::Daemon(DaemonRequest::RegisterAgent(_)) => Answer::Flag(true),
                        _ => Answer::Done,
                    };
                    reached.push(what);
                    orders.send(Publication::Reply(reply, Ok(answer))).await.unwrap();
                }
            }
        }
    };
    rig.port.asked = asked;
    (outcome, reached)
}

/// Some machines let nobody make a namespace.
async fn can_be_sandboxed() -> bool {
    let tried = Command::new("unshare").args(["--mount", "--map-root-user", "true"]).output().await;
    let can = tried.is_ok_and(|output| output.status.success());
    if !can {
        println!("SKIPPED: no mount namespace can be made here");
    }
    can
}

#[tokio::test]
async fn a_sandboxed_program_steers_the_call_reads_it_and_dials_by_id_and_nothing_else() {
    if !can_be_sandboxed().await {
        return;
    }
    let mut rig = Rig::up(&with_call(State::Active)).await;
    let id = "be".repeat(16);
    let (outcome, reached) = served(&mut rig, async |rig| {
        let mut all = Vec::new();
        all.push(method(rig, "flatpak", FOCUS, "Focus.ToggleMute", &["a{sv}", "0"]).await);
        all.push(method(rig, "flatpak", ROOT, "Manager.RegisterAgent", &["a{sv}", "0"]).await);
        all.push(method(rig, "flatpak", ROOT, "Manager.Dial", &["sa{sv}", &id, "0"]).await);
        for (path, interface) in
            [(FOCUS, "Focus"), (ROOT, "Manager"), (CALL_PATH, "Call"), (PEER_PATH, "Peer")]
        {
            let interface = format!("org.ahoyd.Calls1.{interface}");
            let words = [
                "call",
                "org.ahoyd.Calls1",
                path,
                "org.freedesktop.DBus.Properties",
                "GetAll",
                "s",
                &interface,
            ];
            all.push(busctl(rig, "flatpak", &words).await);
        }
        all
    })
    .await;
    for (number, one) in outcome.iter().enumerate() {
        assert!(one.is_ok(), "{number}: {one:?}");
    }
    assert!(
        reached
            .iter()
            .any(|what| matches!(what, Request::Call(CallRequest::Dial { target, .. }) if *target == id))
    );

    let refused: [(&str, &str, &[&str]); 17] = [
        (ROOT, "Manager.Dial", &["sa{sv}", "Ben", "0"]),
        (ROOT, "Manager.Dial", &["sa{sv}", "history:1", "0"]),
        (ROOT, "Manager.SetSetting", &["sva{sv}", "relay.urls", "as", "1", "wss://evil", "0"]),
        (ROOT, "Manager.HangupAll", &["a{sv}", "0"]),
        (ROOT, "Manager.SetMuted", &["ba{sv}", "false", "0"]),
        (ROOT, "Manager.SetDnd", &["sxa{sv}", "all", "0", "0"]),
        (ROOT, "Manager.GetSettings", &["a{sv}", "0"]),
        (CALL_PATH, "Call.Answer", &["a{sv}", "0"]),
        (CALL_PATH, "Call.OpenLevels", &["a{sv}", "0"]),
        (PEER_PATH, "Peer.Remove", &["a{sv}", "0"]),
        (CALL_PATH, "Call.GetStats", &["a{sv}", "0"]),
        ("/org/ahoyd/Calls1/contacts", "Contacts.Add", &["sa{sv}", "ahoy:1x", "0"]),
        ("/org/ahoyd/Calls1/contacts", "Contacts.List", &["a{sv}a{sv}", "0", "0"]),
        ("/org/ahoyd/Calls1/history", "History.Get", &["ta{sv}", "1", "0"]),
        (ACCOUNT_PATH, "Account.ExportCard", &["a{sv}", "0"]),
        (DEVICE_PATH, "AudioDevice.OpenLevels", &["a{sv}", "0"]),
        (DEVICE_PATH, "AudioDevice.Test", &["a{sv}", "0"]),
    ];
    let (outcome, reached) = served(&mut rig, async |rig| {
        let mut all = Vec::new();
        for (path, member, arguments) in refused {
            all.push((member.to_owned(), method(rig, "flatpak", path, member, arguments).await));
        }
        let set = [
            "set-property",
            "org.ahoyd.Calls1",
            ACCOUNT_PATH,
            "org.ahoyd.Calls1.Account",
            "DisplayName",
            "s",
            "Eve",
        ];
        all.push(("DisplayName".to_owned(), busctl(rig, "flatpak", &set).await));
        let get = ["get-property", "org.ahoyd.Calls1", ACCOUNT_PATH, "org.ahoyd.Calls1.Account", "Address"];
        all.push(("Address".to_owned(), busctl(rig, "flatpak", &get).await));
        all
    })
    .await;
    assert!(reached.is_empty(), "reached the engine: {reached:?}");
    for (what, one) in outcome {
        let said = one.expect_err(&what);
        assert!(said.contains("A sandboxed program may"), "{what}: {said}");
    }
}

#[tokio::test]
async fn the_object_manager_shows_a_sandboxed_program_what_it_may_read() {
    if !can_be_sandboxed().await {
        return;
    }
    let rig = Rig::up(&with_call(State::Active)).await;
    let words = [
        "--json=short",
        "call",
        "org.ahoyd.Calls1",
        ROOT,
        "org.freedesktop.DBus.ObjectManager",
        "GetManagedObjects",
    ];
    let (inside, outside) =
        (busctl(&rig, "flatpak", &words).await.unwrap(), busctl(&rig, "free", &words).await.unwrap());
    assert!(
        [CALL_PATH, PEER_PATH, FOCUS].iter().all(|path| inside.contains(&format!("\"{path}\""))),
        "{inside}"
    );
    for hidden in ["org.ahoyd.Calls1.Account\"", "org.ahoyd.Calls1.Contacts", DEVICE_PATH] {
        assert!(!inside.contains(hidden) && outside.contains(hidden), "{hidden}: {inside}");
    }
}

#[tokio::test]
async fn a_program_in_another_root_that_is_no_sandbox_may_do_everything() {
    if !can_be_sandboxed().await {
        return;
    }
    let mut rig = Rig::up(&with_call(State::Active)).await;
    let (outcome, reached) = served(&mut rig, async |rig| {
        method(rig, "free", ROOT, "Manager.SetMuted", &["ba{sv}", "true", "0"]).await
    })
    .await;
    outcome.unwrap();
    assert_eq!(reached, [Request::Call(CallRequest::SetAllMuted(true))]);
}
