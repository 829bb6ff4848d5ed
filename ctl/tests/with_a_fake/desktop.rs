//! Do settings, events, bars and templates reach people and programs in the agreed shapes?
//!
//! Lives here: `config`, `events`, `watch --waybar`, `--format`, `logs`, `completions` against the fake daemon.
//! Must not: claim anything about ahoyd.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::dict;
use crate::fake::bus::PrivateBus;
use crate::fake::{Answer, FOCUS, Fake, Step, alone, path};

fn settings() -> Answer {
    Answer::Row(dict! {"call.lifetime": 60_i64, "log.level": "info", "log.lines": 7_i64,
    "relay.urls": vec!["wss://a".to_owned(), "wss://b".to_owned()]})
}

#[tokio::test]
async fn settings_are_shown_by_name_and_one_value_alone() {
    let mut fake = Fake::start().await;
    fake.on("Manager.GetSettings", settings(), vec![]);
    let all = fake.ctl(&["config", "get"]).await.out;
    assert_eq!(all, "call.lifetime\t60\nlog.level\tinfo\nlog.lines\t7\nrelay.urls\twss://a wss://b\n");
    assert_eq!(fake.ctl(&["config", "get", "urls"]).await.out, "wss://a\nwss://b\n");
    let one = fake.ctl(&["config", "get", "call", "--json"]).await.json();
    assert_eq!(one, json!({"v": 1, "key": "call.lifetime", "value": 60}));
    assert_eq!(fake.ctl(&["config", "get", "--json"]).await.json()["settings"]["log.level"], "info");
}

#[tokio::test]
async fn a_setting_is_written_with_its_whole_name_and_a_refusal_is_told() {
    let mut fake = Fake::start().await;
    fake.on("Manager.GetSettings", settings(), vec![]);
    fake.on("Manager.SetSetting", Answer::Nothing, vec![]);
    assert_eq!(fake.ctl(&["config", "set", "urls", "wss://c"]).await.code, 0);
    let asked = fake.asked.iter().find(|asked| asked.starts_with("Manager.SetSetting")).unwrap();
    assert!(asked.contains("\"relay.urls\"") && asked.contains("[\"wss://c\"]"), "a list of one: {asked}");
    fake.refuses("Manager.SetSetting", "InvalidOption", "`lifetime` must be 10 to 180");
    let done = fake.ctl(&["config", "set", "lifetime", "5"]).await;
    assert_eq!((done.code, done.err.as_str()), (2, "ahoyctl: `lifetime` must be 10 to 180\n"));
}

#[tokio::test]
async fn events_are_lines_and_the_first_that_was_waited_for_can_be_the_last() {
    let mut fake = Fake::start().await;
    fake.later.push_back(Step::Event("relay.down", 3, dict! {}));
    let ended = dict! {"name": "Ben", "contact": "c1", "reason": "completed"};
    fake.later.push_back(Step::Event("call.ended", 4, ended));
    // The second step is played after a second look at the state.
    let mut watcher = fake.stream(&["watch", "--jsonl"]);
    fake.line(&mut watcher).await;
    let done = fake.ctl(&["events", "call", "--once"]).await;
    assert_eq!((done.code, done.out.as_str()), (0, "call.ended\t4\tBen\tc1\tcompleted\t\t\t\t\n"));
    fake.later.push_back(Step::Event("call.missed", 5, dict! {"name": "Ben"}));
    let done = fake.ctl(&["events", "--once", "--json"]).await;
    assert_eq!(done.json(), json!({"v": 1, "type": "call.missed", "serial": 5, "name": "Ben"}));
}

#[tokio::test]
async fn a_bar_follows_focus_alone_and_outlives_the_daemon() {
    let mut fake = Fake::start().await;
    let mut bar = fake.stream(&["watch", "--waybar"]);
    assert_eq!(fake.line(&mut bar).await["text"], "");
    let calls = dict! {"State": "incoming", "PeerName": "Ana <3", "Call": path("/x")};
    fake.play(Step::Set(FOCUS.to_owned(), "Focus", calls)).await;
    let line = fake.line(&mut bar).await;
    assert_eq!((&line["text"], &line["alt"]), (&json!("Ana &lt;3 calls"), &json!("incoming")));
    fake.play(Step::Leave).await;
    assert_eq!(fake.line(&mut bar).await["alt"], "off");
    fake.play(Step::Come).await;
    assert_eq!(fake.line(&mut bar).await["alt"], "incoming", "and it is told anew when the daemon is back");
}

#[tokio::test]
async fn a_template_makes_a_line_of_each_thing() {
    let mut fake = Fake::with(&[(1, "Ben", "active"), (2, "Cleo", "incoming")]).await;
    let done = fake.ctl(&["list", "--format", "{{ peer }}\\t{{ state }}"]).await;
    assert_eq!(done.out, "Ben\tactive\nCleo\tincoming\n");
    assert_eq!(fake.ctl(&["show", "ben", "--format", "{{ direction }}"]).await.out, "outgoing\n");
    assert_eq!(fake.ctl(&["status", "--format", "{{ connection_state }} {{ peer }}"]).await.out, "online \n");
    let done = fake.ctl(&["list", "--format", "{{ per }}"]).await;
    assert!(done.code == 2 && done.err.contains("peer"), "{done:?}");
    assert_eq!(fake.ctl(&["list", "--format", "{{ per"]).await.code, 2);
    let history = vec![dict! {"id": 7_u64, "name": "Ben", "duration-ms": 61_000_u64}];
    fake.on("History.List", Answer::History(history, 0), vec![]);
    let done = fake.ctl(&["history", "--format", "{{ peer }} {{ span(duration_ms) }}"]).await;
    assert_eq!(done.out, "Ben 01:01\n");
}

#[tokio::test]
async fn completions_and_logs_need_no_daemon_and_no_bus() {
    let bus = PrivateBus::start();
    for shell in ["bash", "zsh", "fish"] {
        let done = alone(&bus, &["completions", shell]).await;
        assert!(done.code == 0 && done.out.contains("ahoyctl"), "{shell} {done:?}");
    }
    assert_eq!(alone(&bus, &["completions", "tcsh"]).await.code, 2);
    // Without a PATH there is no journalctl: it says where else to look.
    let done = alone(&bus, &["logs"]).await;
    assert!(done.code == 10 && done.err.contains("standard error"), "{done:?}");
    assert!(!bus.was_started());
}

#[tokio::test]
async fn a_hook_that_is_tried_out_has_a_time_limit_for_all_that_it_starts() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let hook = |name: &str, script: &str| {
        let file = folder.path().join("hooks.d/call.missed").join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    hook("10-good", "cat");
    let mut fake = Fake::start().await;
    let config = folder.path().join("config.toml").display().to_string();
    fake.on("Properties.Get", Answer::Value(config), vec![]);
    let done = fake.ctl(&["hook", "run", "call.missed", "--name", "Ben"]).await;
    assert_eq!((done.code, done.err.as_str()), (0, ""), "{done:?}");
    assert_eq!(done.json(), json!({"v": 1, "type": "call.missed", "serial": 0, "name": "Ben"}));

    hook("20-slow", &format!("sleep 1000 & echo $$ $! >{}; wait", pids.display()));
    hook("30-last", "echo last");
    let done = fake.ends(&["hook", "run", "call.missed", "--timeout", "1"], 3).await;
    assert!(done.err.contains("20-slow: it took longer than 1 s and was killed"), "{done:?}");
    assert!(done.out.ends_with("last\n"), "the next has its turn: {done:?}");
    let pids = std::fs::read_to_string(pids).unwrap();
    assert_eq!(pids.split_whitespace().count(), 2);
    assert!(!pids.split_whitespace().any(alive), "what it started is killed too: {pids}");
    hook("20-slow", "exit 7");
    let done = fake.ctl(&["hook", "run", "call.missed"]).await;
    assert!(done.code == 1 && done.err.contains("20-slow: exit status: 7"), "{done:?}");
}

/// A process that is there and not merely waiting to be reaped.
fn alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}
