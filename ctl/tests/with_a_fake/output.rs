//! Are the shapes that programs read what they were?
//!
//! Lives here: JSON, JSON lines and tab-separated output of ahoyctl against the fake daemon.
//! Must not: claim anything about ahoyd.

use serde_json::json;

use crate::dict;
use crate::fake::{self, ACCOUNT, Answer, FOCUS, Fake, ROOT, Step, ended, owned, path};

#[tokio::test]
async fn status_is_manager_with_focus_and_account() {
    let mut fake = Fake::start().await;
    let status = fake.ctl(&["status", "--json"]).await.json();
    let expected = json!({
        "v": 1, "running": true, "version": "9.9.9", "ready": true, "online": true, "connection_state": "online",
        "problems": [], "muted": false, "missed_count": 2, "active_call": "/",
        "focus": {"state": "idle", "call": "/", "peer_name": "", "muted": false, "since_monotonic": 0},
        "account": {"id": "aa", "address": "ybnd", "display_name": "Ana", "connection_state": "online",
                    "connection_error": "", "relays": ["ws://127.0.0.1:1"]},
    });
    assert_eq!(status, expected);
    let done = fake.ctl(&["status"]).await;
    assert_eq!(done.out, "ahoyd\t9.9.9 online\naccount\tAna ybnd\ncall\tidle\nmissed\t2\n");
}

#[tokio::test]
async fn status_in_a_pipe_names_each_problem() {
    let mut fake = Fake::start().await;
    let problems = vec!["No sound server.".to_owned(), "No relay.".to_owned()];
    fake.put(ROOT, "Manager", dict! {"Version": "1", "ConnectionState": "offline", "Problems": problems});
    let done = fake.ctl(&["status"]).await;
    assert!(done.out.ends_with("problem\tNo sound server.\nproblem\tNo relay.\n"), "{done:?}");
}

#[tokio::test]
async fn doctor_is_a_line_a_check_and_fails_only_where_one_does() {
    let mut fake = Fake::start().await;
    let relay = ("relay", "ok", "The relay answers in 12 ms.", dict! {"rtt-ms": 12.5_f64, "relay": 1_u32});
    let shown = ("notifications", "warn", "No notification server runs.", dict! {});
    fake.on("Manager.Diagnose", Answer::Findings(vec![relay, shown]), vec![]);
    let done = fake.ends(&["doctor", "--json"], 0).await;
    let checks = json!([
        {"check": "relay", "verdict": "ok", "sentence": "The relay answers in 12 ms.", "data": {"rtt_ms": 12.5, "relay": 1}},
        {"check": "notifications", "verdict": "warn", "sentence": "No notification server runs.", "data": {}},
    ]);
    assert_eq!(done.json(), json!({"v": 1, "running": true, "checks": checks}));
    let bad = ("turn-udp", "fail", "The TURN server does not answer.", dict! {});
    fake.on("Manager.Diagnose", Answer::Findings(vec![bad]), vec![]);
    let done = fake.ends(&["doctor"], 1).await;
    assert_eq!(done.out, "fail\tturn-udp\tThe TURN server does not answer.\n");
    fake.refuses("Manager.Diagnose", "RateLimited", "Too many have asked for that: try again in a minute.");
    fake.ends(&["doctor"], 1).await;
}

#[tokio::test]
async fn a_list_is_an_object_of_calls_oldest_first_or_one_line_a_call() {
    let mut fake = Fake::with(&[(2, "Cleo", "incoming")]).await;
    fake.put_call(1, "Ben\tthe\u{1b}[31mfirst", "dialing");
    let list = fake.ctl(&["list", "--json"]).await.json();
    assert_eq!((&list["v"], list["calls"].as_array().unwrap().len()), (&json!(1), 2));
    assert_eq!(list["calls"][1]["remote_name"], "Cleo");
    assert_eq!(list["calls"][1]["path"], fake::call_path(2));
    let lines = fake.ctl(&["list"]).await.out;
    let first = "01010101-0101-0101-0101-010101010101\tBen the [31mfirst\toutgoing\tdialing\t\t\t\n";
    let second = "02020202-0202-0202-0202-020202020202\tCleo\tincoming\tincoming\t\t\t\n";
    assert_eq!(lines, format!("{first}{second}"), "a name makes no column and steers no terminal");
    let lines = fake.ctl(&["list", "--jsonl"]).await.out;
    assert_eq!(lines.lines().count(), 2);
}

#[tokio::test]
async fn an_empty_list_is_empty_in_every_form() {
    let mut fake = Fake::start().await;
    assert_eq!(fake.ctl(&["list", "--json"]).await.json(), json!({"v": 1, "calls": []}));
    assert_eq!(fake.ctl(&["list", "--jsonl"]).await.out, "");
    assert_eq!(fake.ctl(&["list"]).await.out, "");
}

#[tokio::test]
async fn show_without_an_argument_is_the_only_living_call() {
    let mut fake = Fake::with(&[(1, "Ben", "active")]).await;
    let path = fake.put_call(2, "Ben", "active");
    fake.play(Step::Set(path, "Call", ended("completed"))).await;
    for args in [&["show", "--json"][..], &["show", "ben", "--json"], &["show", "0101", "--json"]] {
        let shown = fake.ctl(args).await.json();
        assert_eq!(shown["call"]["id"], "01010101-0101-0101-0101-010101010101", "{args:?}");
        assert_eq!((&shown["v"], &shown["call"]["created_at"]), (&json!(1), &json!(1_000_001)));
    }
    let done = fake.ctl(&["show"]).await;
    assert!(done.out.contains("remote_name\tBen\n") && done.out.contains("state\tactive\n"), "{done:?}");
}

#[tokio::test]
async fn history_is_rows_with_the_cursor_to_go_on_from() {
    let mut fake = Fake::start().await;
    let row = dict! {"id": 7_u64, "direction": "incoming", "name": "Ben", "outcome": "answered", "reason": "completed",
    "ended-by": "remote", "created-at": 1_793_714_709_000_000_i64, "duration-ms": 131_900_u64, "seen": true};
    fake.on("History.List", Answer::History(vec![row.clone()], 7), vec![]);
    let history = fake.ctl(&["history", "--json", "--missed", "--limit", "3"]).await.json();
    assert_eq!((&history["v"], &history["next"]), (&json!(1), &json!(7)));
    let expected = json!({"id": 7, "direction": "incoming", "name": "Ben", "outcome": "answered", "reason": "completed",
        "ended_by": "remote", "created_at": 1_793_714_709_000_000_i64, "duration_ms": 131_900, "seen": true});
    assert_eq!(history["rows"], json!([expected]));
    let asked = &fake.asked[0];
    assert!(asked.contains("\"missed\"") && asked.contains("limit") && asked.contains('3'), "{asked}");
    let lines = fake.ctl(&["history"]).await.out;
    assert_eq!(lines, "7\t2026-11-03T14:05:09Z\tincoming\tBen\tanswered\t131\n");
    fake.on("History.Get", Answer::Row(row), vec![]);
    assert_eq!(fake.ctl(&["history", "7", "--json"]).await.json()["rows"], json!([expected]));
}

#[tokio::test]
async fn the_story_of_a_call_is_told_line_by_line() {
    let mut fake = Fake::start().await;
    let row = dict! {"id": 7_u64, "direction": "outgoing", "name": "Ben", "duration-ms": 60_000_u64, "outcome": "answered"};
    let event = |event: &'static str, source: &'static str, after: u64| {
        dict! {"at": 1_793_714_709_000_000_i64 + i64::try_from(after).unwrap() * 1000, "after-ms": after, "event": event,
        "source": source, "state": "active", "note": if after == 0 { "lunch?" } else { "" },
        "reason": "completed", "ended-by": "remote"}
    };
    let events = vec![
        event("dialed", "local", 0),
        event("answered", "remote", 1500),
        event("ended", "remote", 61_500),
    ];
    fake.on("History.Get", Answer::Row(row), vec![]);
    fake.on("History.Events", Answer::Rows(events), vec![]);
    let told = fake.ctl(&["history", "show", "7"]).await.out;
    let expected = [
        "2026-11-03T14:05:09Z\t0.000\tdialed\tlocal\tYou called Ben: \u{201c}lunch?\u{201d}.\n",
        "2026-11-03T14:05:10Z\t1.500\tanswered\tremote\tBen answered.\n",
        "2026-11-03T14:06:10Z\t61.500\tended\tremote\tBen hung up. You had talked for 01:00.\n",
    ];
    assert_eq!(told, expected.concat());
    let json = fake.ctl(&["history", "show", "7", "--json"]).await.json();
    assert_eq!((&json["v"], &json["row"]["id"]), (&json!(1), &json!(7)));
    let second = &json["events"][1];
    assert_eq!((&second["after_ms"], &second["sentence"]), (&json!(1500), &json!("Ben answered.")));
}

#[tokio::test]
async fn rows_are_searched_seen_and_removed() {
    let mut fake = Fake::start().await;
    fake.on("History.List", Answer::History(vec![], 0), vec![]);
    fake.ctl(&["history", "search", "lunch", "--outcome", "busy", "--since", "2026-01-02T00:00:00Z"]).await;
    let asked = fake.asked.last().unwrap();
    for part in ["\"lunch\"", "\"busy\"", "1767312000000000"] {
        assert!(asked.contains(part), "{asked}");
    }
    fake.on("History.MarkSeen", Answer::Nothing, vec![]);
    assert_eq!(fake.ctl(&["history", "seen"]).await.out, "seen\tall\n");
    fake.on("History.Delete", Answer::Nothing, vec![]);
    assert_eq!(fake.ctl(&["history", "rm", "4", "5"]).await.out, "removed\t4 5\n");
    assert!(fake.asked.last().unwrap().contains("4"), "{:?}", fake.asked);
    assert_eq!(fake.ctl(&["history", "rm"]).await.code, 2, "nothing named");
    assert_eq!(fake.ctl(&["history", "rm", "--until", "soon"]).await.code, 2);
}

#[tokio::test]
async fn contacts_are_listed_to_the_last_page() {
    let mut fake = Fake::start().await;
    let row = dict! {"id": "c1", "name": "Ben", "address": "ybnd", "blocked": true, "mutual": true, "added-at": 5_i64, "last-call-at": 0_i64};
    fake.on("Contacts.List", Answer::Contacts(vec![row], ""), vec![]);
    let expected = json!({"id": "c1", "name": "Ben", "address": "ybnd", "blocked": true, "mutual": true, "added_at": 5, "last_call_at": 0});
    for args in [&["contact", "list", "--json"][..], &["contact", "--json"]] {
        assert_eq!(fake.ctl(args).await.json(), json!({"v": 1, "contacts": [expected]}), "{args:?}");
    }
    assert_eq!(fake.ctl(&["contact", "list", "--blocked"]).await.out, "c1\tBen\tybnd\tblocked, mutual\n");
    assert!(fake.asked[2].contains("blocked"), "{:?}", fake.asked);
}

#[tokio::test]
async fn a_card_goes_from_one_account_to_another_through_a_pipe() {
    let mut fake = Fake::start().await;
    fake.on("Account.ExportCard", Answer::Text("ahoy:1abc"), vec![]);
    let card = fake.ctl(&["account", "card", "--for", "Ben"]).await.out;
    assert_eq!(card, "ahoy:1abc\n", "nothing but the card");
    assert!(fake.asked[0].starts_with(&format!("Account.ExportCard {ACCOUNT}")), "{:?}", fake.asked);
    assert!(fake.asked[0].contains("\"Ben\""), "{:?}", fake.asked);
    fake.on("Contacts.Add", Answer::Text("c9"), vec![]);
    fake.on(
        "Contacts.Get",
        Answer::Row(dict! {"id": "c9", "name": "Ben", "address": "ybnd", "mutual": false}),
        vec![],
    );
    let done = fake.ctl_fed(&["contact", "add", "-", "--json"], &card).await;
    assert_eq!(done.json()["contact"]["id"], "c9");
    assert!(fake.asked[1].contains("\"ahoy:1abc\""), "without the line's end: {}", fake.asked[1]);
    let file = fake.bus.file("ben.card");
    std::fs::write(&file, "ahoy:1abc\n\n").unwrap();
    assert_eq!(fake.ctl(&["contact", "add", file.to_str().unwrap()]).await.out, "c9\tBen\tybnd\t\n");
    assert_eq!(fake.ctl(&["contact", "add", "/nowhere/at/all"]).await.code, 2);
    assert_eq!(fake.ctl_fed(&["contact", "add", "-"], " \n").await.code, 2);
}

#[tokio::test]
async fn a_toggle_of_the_focused_call_is_the_daemons_and_guarded() {
    let mut fake = Fake::start().await;
    let call = fake.put_call(1, "Ben", "active");
    fake.put(FOCUS, "Focus", dict! {"State": "active", "Call": path(&call)});
    let muted = Step::Set(call, "Call", dict! {"Muted": true});
    fake.on("Focus.ToggleMute", Answer::Flag(true), vec![muted]);
    assert_eq!(fake.ctl(&["mute", "--json"]).await.json()["call"]["muted"], true);
    assert!(fake.asked[0].contains("expect-call"), "{:?}", fake.asked);
    fake.on("Call.SetMuted", Answer::Nothing, vec![]);
    assert_eq!(fake.ctl(&["mute", "off"]).await.code, 0);
    assert!(fake.asked[1].starts_with("Call.SetMuted"), "{:?}", fake.asked);
}

#[tokio::test]
async fn a_stream_gives_the_full_state_first_and_then_each_change_in_order() {
    let mut fake = Fake::start().await;
    let mut stream = fake.stream(&["watch", "--jsonl"]);
    let state = fake.line(&mut stream).await;
    assert_eq!((&state["v"], &state["event"], &state["calls"]), (&json!(1), &json!("state"), &json!([])));
    assert_eq!((&state["focus"]["state"], &state["running"]), (&json!("idle"), &json!(true)));
    let path = fake::call_path(3);
    let id = "03030303-0303-0303-0303-030303030303";
    fake.play(Step::Add(path.clone(), "Call", fake::call(3, "Cleo", "incoming"))).await;
    fake.play(Step::Set(path.clone(), "Call", dict! {"State": "active", "Muted": true})).await;
    fake.play(Step::Event("call.ended", 4, dict! {"reason": "completed"})).await;
    fake.play(Step::Remove(path.clone(), "Call")).await;
    let added = fake.line(&mut stream).await;
    let call = &added["call"];
    assert_eq!(json!([added["event"], call["id"], call["state"]]), json!(["added", id, "incoming"]));
    let expected = json!({"v": 1, "event": "changed", "object": "call", "path": path, "id": id, "properties": {"state": "active", "muted": true}});
    assert_eq!(fake.line(&mut stream).await, expected);
    let expected =
        json!({"v": 1, "event": "event", "type": "call.ended", "serial": 4, "data": {"reason": "completed"}});
    assert_eq!(fake.line(&mut stream).await, expected);
    assert_eq!(fake.line(&mut stream).await, json!({"v": 1, "event": "removed", "path": path, "id": id}));
}

#[tokio::test]
async fn a_stream_outlives_the_daemon() {
    let mut fake = Fake::start().await;
    let mut stream = fake.stream(&["watch", "--jsonl"]);
    assert_eq!(fake.line(&mut stream).await["event"], "state");
    fake.play(Step::Leave).await;
    assert_eq!(fake.line(&mut stream).await, json!({"v": 1, "event": "gone"}));
    assert!(!fake.bus.was_started(), "it waits for the daemon and does not start it");
    fake.play(Step::Come).await;
    let state = fake.line(&mut stream).await;
    assert_eq!((&state["event"], &state["version"]), (&json!("state"), &json!("9.9.9")));
}

#[tokio::test]
async fn an_unknown_type_in_a_row_of_a_later_daemon_does_no_harm() {
    let mut fake = Fake::start().await;
    let inner = owned(zbus::Variant::from(vec![1_i16, 2]));
    let row = fake::Dict::from([("id".to_owned(), owned(8_u64.into())), ("waveform".to_owned(), inner)]);
    fake.on("History.List", Answer::History(vec![row], 0), vec![]);
    assert_eq!(fake.ctl(&["history", "--json"]).await.json()["rows"], json!([{"id": 8, "waveform": [1, 2]}]));
}

#[tokio::test]
async fn with_two_calls_a_verb_means_the_one_that_is_talked_in() {
    let mut fake = Fake::start().await;
    for (number, name, state, held) in [(1, "Ana", "held", true), (2, "Ben", "active", false)] {
        let mut row = fake::call(number, name, state);
        row.extend(dict! {"CanHold": true, "LocalHold": held});
        fake.put(&fake::call_path(number), "Call", row);
    }
    fake.put_call(3, "Cleo", "waiting");
    for (verb, method) in [("hangup", "Call.Hangup"), ("hold", "Call.Hold"), ("resume", "Call.Resume")] {
        fake.on(method, Answer::Nothing, vec![]);
        assert_eq!(fake.ctl(&[verb]).await.code, 0, "{verb}");
        let expected = fake::call_path(if verb == "resume" { 1 } else { 2 });
        assert!(fake.asked.last().unwrap().contains(&expected), "{verb}: {:?}", fake.asked.last());
    }
}

#[tokio::test]
async fn do_not_disturb_is_set_with_its_end_and_told() {
    let mut fake = Fake::start().await;
    fake.on(
        "Manager.SetDnd",
        Answer::Nothing,
        vec![Step::Set(ROOT.to_owned(), "Manager", dict! {"Dnd": "all", "DndUntil": 0_i64})],
    );
    let done = fake.ctl(&["dnd", "on"]).await;
    assert_eq!(done.out, "do not disturb\t\n");
    assert!(fake.asked.last().unwrap().contains("\"all\""), "{:?}", fake.asked.last());
    assert_eq!(fake.ctl(&["dnd", "on", "--until", "yesterday"]).await.code, 2);
    assert_eq!(fake.ctl(&["dnd", "off", "--for", "1h"]).await.code, 2);
    assert_eq!(fake.ctl(&["dnd", "--json"]).await.json(), json!({"v": 1, "dnd": "all", "dnd_until": 0}));
}
