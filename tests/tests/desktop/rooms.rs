//! Hooks, the lock against sleep, and agents.
//!
//! Lives here: what is run, held and kept back, and for how long.
//! Must not: know a notification or a player.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ahoy_call::State;
use ahoy_tests::bus::PrivateBus;
use ahoyd::bus::{Publication, serve};
use ahoyd::values::board::{Board, Newest};
use ahoyd::values::request::{Answer, Asked, CallRequest, DaemonRequest, Request, Verb};
use tokio::sync::mpsc;
use zbus::wire::OwnedFd;
use zbus::{Connection, interface};

use super::rig::{Rig, call, connect, until, within};

/// Everything that was under way on the bus when this was called has come to its end: more turns of the loop than any
/// chain of the port's questions to a player has.
pub(crate) async fn settled(rig: &Rig) {
    let dbus_client = rig.connect().await;
    let dbus = zbus::fdo::DBusProxy::new(&dbus_client).await.unwrap();
    for _ in 0..30 {
        dbus.get_id().await.unwrap();
    }
}

/// A program in a hooks folder.
fn hook(folder: &Path, name: &str, script: &str) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Waits for a file that a hook writes by renaming.
async fn written(rig: &Rig, path: &Path) -> String {
    until(&rig.connect().await, async || fs::read_to_string(path).ok()).await
}

#[tokio::test]
async fn hooks_are_told_by_environment_and_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let script = format!("(env | grep ^AHOY_ | sort; cat) >{0}.new; mv {0}.new {0}", out.display());
    hook(folder.path(), "call.missed/10-note", &script);
    hook(folder.path(), "call.answered/10-note", "echo wrong >&2; exit 1");
    let rig = Rig::with_hooks(PrivateBus::start().unwrap(), folder.path(), Duration::from_secs(5));
    rig.happens("call.answered", 1, "Ana");
    rig.happens("call.missed", 1, "Ana \"A\"\n$(reboot)");
    let said = written(&rig, &out).await;
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines.contains(&"AHOY_EVENT=call.missed"), "{said}");
    assert!(lines.contains(&"AHOY_NAME=Ana \"A\" $(reboot)"), "{said}");
    let json: serde_json::Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!((json["type"].as_str(), json["v"].as_u64()), (Some("call.missed"), Some(1)));
    assert_eq!(json["contact"], "01".repeat(16));
}

#[tokio::test]
async fn a_hook_that_takes_too_long_is_killed_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let script = format!("sleep 1000 & echo $$ $! >{0}.new; mv {0}.new {0}; wait", pids.display());
    hook(folder.path(), "call.missed", &script);
    let after = folder.path().join("after");
    hook(folder.path(), "call.ended", &format!("touch {}", after.display()));
    let rig = Rig::with_hooks(PrivateBus::start().unwrap(), folder.path(), Duration::from_millis(500));
    rig.happens("call.missed", 1, "Ana");
    let pids = written(&rig, &pids).await;
    let gone = async || (!pids.split_whitespace().any(alive)).then_some(());
    until(&rig.connect().await, gone).await;
    rig.happens("call.ended", 1, "Ana");
    written(&rig, &after).await;
}

/// A process that is there and not merely waiting to be reaped.
fn alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}

#[tokio::test]
async fn no_more_than_four_hooks_run_at_once_and_all_have_their_turn() {
    let folder = tempfile::tempdir().unwrap();
    let [running, most, done] = ["running", "most", "done"].map(|name| folder.path().join(name));
    fs::create_dir(&running).unwrap();
    fs::create_dir(&done).unwrap();
    let script = format!(
        "touch {0}/$$; ls {0} | wc -l >>{1}; sleep 0.1; rm {0}/$$; touch {2}/$$",
        running.display(),
        most.display(),
        done.display()
    );
    hook(folder.path(), "call.ended", &script);
    let rig = Rig::with_hooks(PrivateBus::start().unwrap(), folder.path(), Duration::from_secs(8));
    for _ in 0..12 {
        rig.happens("call.ended", 1, "Ana");
    }
    let all = async || (fs::read_dir(&done).unwrap().count() == 12).then_some(());
    until(&rig.connect().await, all).await;
    let counts = fs::read_to_string(&most).unwrap();
    let most = counts.lines().filter_map(|line| line.trim().parse::<u32>().ok()).max().unwrap();
    assert!((2..=4).contains(&most), "{most} ran at once");
}

/// A logind that hands out locks and knows which are open.
struct Logind {
    held: mpsc::Sender<(String, String, std::io::PipeReader)>,
}

#[interface(name = "org.freedesktop.login1.Manager")]
impl Logind {
    async fn inhibit(&self, what: String, _who: String, _why: String, mode: String) -> OwnedFd {
        let (ours, theirs) = std::io::pipe().unwrap();
        self.held.send((what, mode, ours)).await.unwrap();
        OwnedFd::from(std::os::fd::OwnedFd::from(theirs))
    }
}

#[tokio::test]
async fn sleep_is_inhibited_in_a_call_and_not_by_a_ring() {
    let rig = Rig::start();
    let (held_out, mut held) = mpsc::channel(4);
    let logind = rig.connect().await;
    logind.object_server().at("/org/freedesktop/login1", Logind { held: held_out }).await.unwrap();
    logind.request_name("org.freedesktop.login1").await.unwrap();
    rig.show(vec![call(1, "Ana", State::Incoming)]);
    settled(&rig).await;
    assert!(held.try_recv().is_err(), "a ring lets the machine sleep");
    rig.show(vec![call(1, "Ana", State::Active)]);
    let (what, mode, lock) = within(held.recv()).await.unwrap();
    assert_eq!((what.as_str(), mode.as_str()), ("idle", "block"));
    let (what, mode, _sleep) = within(held.recv()).await.unwrap();
    assert_eq!((what.as_str(), mode.as_str()), ("sleep", "delay"), "a person may close the day");
    let released = released(lock);
    rig.show(vec![call(1, "Ana", State::Held)]);
    settled(&rig).await;
    assert!(!released.is_finished(), "a call that is held still keeps it awake");
    rig.show(vec![call(1, "Ana", State::Disconnected)]);
    assert_eq!(within(released).await.unwrap(), 0, "the lock is let go");
}

/// Ends when the lock is let go.
fn released(mut lock: std::io::PipeReader) -> tokio::task::JoinHandle<usize> {
    tokio::task::spawn_blocking(move || std::io::Read::read(&mut lock, &mut [0]).unwrap())
}

#[tokio::test]
async fn before_a_sleep_the_call_is_put_aside_and_the_machine_waits_for_that_alone() {
    let mut rig = Rig::start();
    let (held_out, mut held) = mpsc::channel(4);
    let logind = rig.connect().await;
    let path = "/org/freedesktop/login1";
    logind.object_server().at(path, Logind { held: held_out }).await.unwrap();
    logind.request_name("org.freedesktop.login1").await.unwrap();
    let sleep = async |going: bool| {
        let emitter = zbus::object_server::SignalEmitter::new(&logind, path).unwrap();
        emitter.emit("org.freedesktop.login1.Manager", "PrepareForSleep", &(going,)).await.unwrap();
    };
    rig.show(vec![call(1, "Ana", State::Active), call(2, "Ben", State::Alerting)]);
    let (_, _, _idle) = within(held.recv()).await.unwrap();
    let (_, _, lock) = within(held.recv()).await.unwrap();
    let released = released(lock);
    sleep(true).await;
    let verb = |request: Request| {
        let Request::Call(CallRequest::Verb { verb, .. }) = request else { panic!("{request:?}") };
        verb
    };
    assert_eq!(verb(rig.asks().await.what), Verb::Hold, "the other side is told");
    assert_eq!(verb(rig.asks().await.what), Verb::HangUp, "nobody's phone rings for a machine that sleeps");
    let mut put_aside = call(1, "Ana", State::Held);
    put_aside.view.local_hold = true;
    rig.show(vec![put_aside]);
    assert_eq!(within(released).await.unwrap(), 0, "then the machine may sleep");
    sleep(false).await;
    assert_eq!(verb(rig.asks().await.what), Verb::Resume);
    let (what, mode, _lock) = within(held.recv()).await.unwrap();
    assert_eq!((what.as_str(), mode.as_str()), ("sleep", "delay"), "and it is asked to wait again");
}

/// The bus port with a test in the engine's place, and a client.
async fn served() -> (PrivateBus, mpsc::Receiver<Asked>, mpsc::Sender<Publication>, tokio::task::JoinSet<()>)
{
    let bus = PrivateBus::start().unwrap();
    let bus_address = bus.address();
    let (orders, orders_in) = mpsc::channel(16);
    let (asked_out, asked) = mpsc::channel(16);
    let (reports_out, mut reports) = mpsc::channel(16);
    let mut task = tokio::task::JoinSet::new();
    let shown = Newest { board: std::sync::Arc::new(Board::default()), lost: 0 };
    let (boards, seen) = tokio::sync::watch::channel(Some(shown));
    task.spawn(async move {
        serve(Some(bus_address), asked_out, seen, orders_in, reports_out).await;
        drop(boards);
    });
    within(reports.recv()).await.unwrap();
    (bus, asked, orders, task)
}

async fn register(client: &Connection, method: &str) {
    let proxy = ahoy_dbus::proxy::ManagerProxy::new(client).await.unwrap();
    match method {
        "register" => proxy.register_agent(&ahoy_dbus::Dict::new()).await.unwrap(),
        _ => proxy.unregister_agent(&ahoy_dbus::Dict::new()).await.unwrap(),
    }
}

#[tokio::test]
async fn an_agent_holds_until_it_unregisters_or_leaves_the_bus() {
    let (bus, mut asked, _orders, _task) = served().await;
    let client = connect(&bus).await;
    let name = client.unique_name().unwrap().to_string();
    let (_, ()) = tokio::join!(register(&client, "register"), async {
        let Asked { what, reply } = within(asked.recv()).await.unwrap();
        assert_eq!(what, Request::Daemon(DaemonRequest::RegisterAgent(name.clone())));
        reply.send(Ok(Answer::Flag(true))).unwrap();
    });
    let (_, ()) = tokio::join!(register(&client, "unregister"), async {
        let Asked { what, reply } = within(asked.recv()).await.unwrap();
        assert_eq!(what, Request::Daemon(DaemonRequest::UnregisterAgent(name.clone())));
        reply.send(Ok(Answer::Done)).unwrap();
    });
    // The client dies without a word.
    drop(client);
    let Asked { what, .. } = within(asked.recv()).await.unwrap();
    assert_eq!(what, Request::Daemon(DaemonRequest::UnregisterAgent(name)));
}
