//! Does each way things can go end with its published exit code, and one readable sentence?
//!
//! Lives here: ahoyctl against the fake daemon of `fake/`, code by code.
//! Must not: claim anything about ahoyd.

use crate::dict;
use crate::fake::bus::PrivateBus;
use crate::fake::{self, Answer, Done, Fake, Step, alone, call_path, ended};

#[tokio::test]
async fn answering_the_only_ringing_call_needs_no_argument_and_ends_with_0() {
    let mut fake = Fake::with(&[(1, "Ben", "active")]).await;
    let path = fake.put_call(2, "Cleo", "incoming");
    let connecting = dict! {"State": "connecting", "CanAnswer": false};
    fake.on("Call.Answer", Answer::Nothing, vec![Step::Set(path.clone(), "Call", connecting)]);
    let done = fake.ends(&["answer", "--json"], 0).await;
    assert_eq!(done.json()["call"]["state"], "connecting", "the effect is shown");
    assert_eq!(fake.asked.len(), 1);
    assert!(fake.asked[0].starts_with(&format!("Call.Answer {path}")), "{:?}", fake.asked);
}

#[tokio::test]
async fn a_failure_without_a_code_of_its_own_ends_with_1_and_its_sentence() {
    let mut fake = Fake::with(&[(1, "Ben", "active")]).await;
    fake.refuses("Call.Hangup", "Failed", "The disk is full: make room.");
    let done = fake.ctl(&["hangup"]).await;
    assert_eq!((done.code, done.err.as_str()), (1, "ahoyctl: The disk is full: make room.\n"));
}

#[tokio::test]
async fn two_calls_that_fit_end_with_2_and_the_list_and_nothing_is_done() {
    let mut fake = Fake::with(&[(1, "Ben", "incoming"), (2, "Benedikt", "incoming")]).await;
    for args in [&["answer"][..], &["answer", "bened-or-ben"], &["answer", "be"]] {
        let done = fake.ctl(args).await;
        let expected = if args.len() > 1 && args[1] != "be" { 10 } else { 2 };
        assert_eq!(done.code, expected, "{args:?} {done:?}");
        if expected == 2 {
            assert!(done.err.contains("Ben ") && done.err.contains("Benedikt"), "{done:?}");
        }
    }
    assert!(fake.asked.is_empty());
    // A whole name is never ambiguous.
    fake.on("Call.Answer", Answer::Nothing, vec![]);
    assert_eq!(fake.ctl(&["answer", "ben"]).await.code, 0);
    assert!(fake.asked[0].contains(&call_path(1)));
}

#[tokio::test]
async fn two_contacts_that_fit_end_with_2_and_nobody_is_called() {
    let mut fake = Fake::start().await;
    let (error, several) = ("org.ahoyd.Calls1.Error.Ambiguous", "several fit: Ana (01), Anton (02)");
    for (method, words) in
        [("Manager.Dial", ["call", "an"].as_slice()), ("Contacts.Get", &["contact", "block", "an"])]
    {
        fake.on(method, Answer::Error(error, several), vec![]);
        let done = fake.ctl(words).await;
        assert_eq!(done.code, 2, "{done:?}");
        assert!(done.err.contains(several), "what the daemon says is printed: {done:?}");
    }
    assert_eq!(fake.asked.len(), 2, "nothing was done: {:?}", fake.asked);
}

#[tokio::test]
async fn wrong_usage_ends_with_2() {
    let bus = PrivateBus::start();
    for args in
        [&["call"][..], &["mute", "loud"], &["call", "ana", "--lifetime", "5"], &["wait", "--state", "sad"]]
    {
        assert_eq!(alone(&bus, args).await.code, 2, "{args:?}");
    }
}

#[tokio::test]
async fn waiting_in_vain_ends_with_3() {
    let mut fake = Fake::with(&[(1, "Ben", "incoming")]).await;
    fake.ends(&["wait", "--state", "active", "--timeout", "0.2"], 3).await;
}

#[tokio::test]
async fn a_daemon_that_does_not_answer_is_given_up_with_3() {
    let mut fake = Fake::with(&[(1, "Ben", "active")]).await;
    fake.on("Call.Hangup", Answer::Silence, vec![]);
    let done = fake.ends(&["hangup"], 3).await;
    assert!(done.err.contains("did not answer"), "{done:?}");
}

#[tokio::test]
async fn no_relay_ends_with_4() {
    let done = dial_refused("NotConnected").await;
    assert_eq!(done.code, 4, "{done:?}");
}

#[tokio::test]
async fn no_call_in_that_state_ends_with_5() {
    let mut fake = Fake::start().await;
    // What a person hangs up without a call may be a test call: the daemon is asked.
    fake.refuses("Focus.Hangup", "NoSuchCall", "There is no call.");
    fake.ends(&["hangup"], 5).await;
    fake.asked.clear();
    for verb in ["answer", "decline", "mute", "show"] {
        fake.ends(&[verb], 5).await;
    }
    // A call that is named is left to the daemon to judge.
    fake.put_call(1, "Ben", "dialing");
    fake.refuses("Call.Answer", "InvalidState", "It does not ring here.");
    assert_eq!(fake.ctl(&["answer"]).await.code, 5);
    assert!(fake.asked.is_empty(), "nothing rings, so nothing was asked");
    assert_eq!(fake.ctl(&["answer", "ben"]).await.code, 5);
    assert_eq!(fake.asked.len(), 1);
}

#[tokio::test]
async fn a_call_that_is_waited_for_ends_with_the_code_of_its_reason() {
    for (reason, code) in [("completed", 0), ("no-answer", 3), ("answered-elsewhere", 12), ("abducted", 1)] {
        let done = dial_and_wait("--wait", reason, false).await;
        assert_eq!(done.code, code, "{reason} {done:?}");
        assert_eq!(done.json()["call"]["state_reason"], reason);
    }
}

#[tokio::test]
async fn waiting_for_sound_ends_with_0_when_it_flows_and_never_for_a_call_that_ended_before() {
    let done = dial_and_wait("--wait=active", "completed", true).await;
    assert_eq!((done.code, done.json()["call"]["state"].as_str()), (0, Some("active")), "{done:?}");
    let done = dial_and_wait("--wait=active", "canceled", false).await;
    assert_eq!(done.code, 5, "{done:?}");
    let done = dial_and_wait("--wait=active", "declined", false).await;
    assert_eq!(done.code, 6, "{done:?}");
}

#[tokio::test]
async fn a_call_in_the_way_ends_with_7() {
    assert_eq!(dial_refused("Busy").await.code, 7);
}

#[tokio::test]
async fn without_the_daemon_every_look_and_verb_ends_with_8_says_how_to_start_it_and_starts_nothing() {
    let bus = PrivateBus::start();
    for args in [
        &["status"][..],
        &["list"],
        &["show"],
        &["answer"],
        &["hangup"],
        &["hangup", "--all"],
        &["mute"],
        &["wait"],
    ] {
        let done = alone(&bus, args).await;
        assert_eq!(done.code, 8, "{args:?} {done:?}");
        assert!(done.err.contains("systemctl --user start ahoyd"), "{args:?} {done:?}");
        assert!(!bus.was_started(), "{args:?} started the daemon");
    }
    let done = alone(&bus, &["status", "--json"]).await;
    assert_eq!((done.code, done.json()), (8, serde_json::json!({"v": 1, "running": false})));
    assert_eq!(alone(&bus, &["version"]).await.code, 0, "a version can be told without the daemon");
    assert!(!bus.was_started());
    // The counter-check: the trap works.
    for args in [&["account"][..], &["contact", "list"], &["history"], &["call", "ana"]] {
        let bus = PrivateBus::start();
        let done = alone(&bus, args).await;
        assert_eq!(done.code, 8, "{args:?} {done:?}");
        assert!(bus.was_started(), "{args:?}: the bus would have started it");
    }
}

#[tokio::test]
async fn a_daemon_that_dies_while_its_call_is_waited_for_ends_with_8() {
    let mut fake = Fake::with(&[(1, "Ben", "active")]).await;
    fake.later.push_back(Step::Leave);
    fake.ends(&["wait", "ben"], 8).await;
}

#[tokio::test]
async fn what_does_not_exist_ends_with_10() {
    let mut fake = Fake::start().await;
    assert_eq!(fake.ctl(&["show", "ben"]).await.code, 10);
    assert_eq!(fake.ctl(&["contact", "rm", "ben"]).await.code, 10);
    fake.refuses("History.Get", "NoSuchRecord", "There is no row 7.");
    assert_eq!(fake.ctl(&["history", "7"]).await.code, 10);
    assert_eq!(dial_refused("NoSuchContact").await.code, 10);
}

#[tokio::test]
async fn nothing_to_call_there_ends_with_11() {
    assert_eq!(dial_refused("NoDevice").await.code, 11);
}

#[tokio::test]
async fn a_verb_that_comes_too_late_ends_with_12() {
    let mut fake = Fake::with(&[(1, "Ben", "incoming")]).await;
    for error in ["Stale", "AlreadyHandled", "AnsweredElsewhere"] {
        fake.refuses("Call.Answer", error, "Somebody was faster.");
        assert_eq!(fake.ctl(&["answer"]).await.code, 12, "{error}");
    }
}

#[tokio::test]
async fn nobody_but_the_daemon_can_tell_that_a_call_is_active() {
    let mut fake = Fake::start().await;
    let path = fake.put_call(1, "Ben", "dialing");
    let forger = fake::connect(&fake.bus).await;
    let mut stream = fake.stream(&["watch", "--jsonl"]);
    assert_eq!(fake.line(&mut stream).await["calls"][0]["state"], "dialing");
    let forged = ("org.ahoyd.Calls1.Call", dict! {"State": "active"}, Vec::<String>::new());
    let properties = "org.freedesktop.DBus.Properties";
    // Straight to the client, past every match rule.
    let to = Some(fake.client.as_str());
    forger.emit_signal(to, path.as_str(), properties, "PropertiesChanged", &forged).await.unwrap();
    // Once the forger has an answer of the bus, the bus has passed on what it sent before.
    zbus::fdo::DBusProxy::new(&forger).await.unwrap().get_id().await.unwrap();
    fake.play(Step::Set(path, "Call", dict! {"State": "alerting"})).await;
    let next = fake.line(&mut stream).await;
    assert_eq!(next["properties"]["state"], "alerting", "the forged signal left no trace: {next}");
}

/// `call cleo` where Dial is refused.
async fn dial_refused(error: &'static str) -> Done {
    let mut fake = Fake::start().await;
    fake.refuses("Manager.Dial", error, "No.");
    fake.ctl(&["call", "cleo"]).await
}

/// A call that rings there and then ends, after it was active if `answered`.
async fn dial_and_wait(wait: &str, reason: &str, answered: bool) -> Done {
    let mut fake = Fake::start().await;
    let path = call_path(7);
    let added = Step::Add(path.clone(), "Call", fake::call(7, "Cleo", "dialing"));
    fake.on("Manager.Dial", Answer::Path(path.clone()), vec![added]);
    fake.later.push_back(Step::Set(
        path.clone(),
        "Call",
        if answered {
            dict! {"State": "active"}
        } else {
            ended(reason)
        },
    ));
    let done = fake.ctl(&["call", "cleo", wait, "--json", "--note", "hi"]).await;
    let dial = fake.asked.iter().find(|asked| asked.starts_with("Manager.Dial")).unwrap();
    assert!(dial.contains("\"cleo\"") && dial.contains("note"), "what was typed: {dial}");
    done
}
