//! ahoyctl between other programs: readers that go, files of every name, places without a bus or a daemon, time zones.
//!
//! Lives here: what a bar, a shell, cron and a mail program do to it.
//! Must not: claim anything about ahoyd.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;

use crate::dict;
use crate::fake::bus::PrivateBus;
use crate::fake::{Answer, Done, Fake, Step, command};

#[tokio::test]
async fn a_follower_whose_reader_has_gone_ends_though_nothing_happens() {
    for args in [
        &["watch", "--waybar"][..],
        &["watch"],
        &["watch", "--jsonl"],
        &["watch", "--format", "{{ state }}"],
        &["events"],
    ] {
        let mut fake = Fake::start().await;
        fake.later.push_back(Step::Event("call.missed", 5, dict! {"name": "Ben"}));
        let done = fake.until_its_reader_goes(args).await;
        assert_eq!((done.code, done.err.as_str()), (0, ""), "{args:?}");
    }
}

#[tokio::test]
async fn an_export_whose_reader_has_gone_ends_as_a_list_does() {
    let mut fake = Fake::start().await;
    let broken = "The export was broken off: Broken pipe (os error 32).";
    fake.refuses("History.Export", "Failed", broken);
    let done = fake.without_a_reader(&["history", "export", "csv"]).await;
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    let done = fake.ctl(&["history", "export", "csv"]).await;
    assert_eq!(done.code, 1, "with a reader it is told: {done:?}");
}

#[tokio::test]
async fn an_export_that_fails_leaves_the_file_as_it_was() {
    let mut fake = Fake::start().await;
    let file = fake.bus.file("calls.csv");
    std::fs::write(&file, "the last backup").unwrap();
    fake.refuses("History.Export", "Failed", "The history cannot be read: it is damaged.");
    let name = file.to_str().unwrap();
    assert_eq!(fake.ctl(&["history", "export", "csv", name]).await.code, 1);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "the last backup");
    let beside = std::fs::read_dir(file.parent().unwrap()).unwrap().flatten();
    assert!(beside.into_iter().all(|entry| !entry.file_name().to_string_lossy().contains(".part")));
}

#[tokio::test]
async fn files_are_named_by_bytes() {
    let mut fake = Fake::start().await;
    fake.on("Contacts.Add", Answer::Text("c9"), vec![]);
    fake.on("Contacts.Get", Answer::Row(dict! {"id": "c9", "name": "Ben", "mutual": true}), vec![]);
    let odd = fake.bus.file("").join(OsStr::from_bytes(b"karte-\xfc.card"));
    std::fs::write(&odd, "ahoy:1abc").unwrap();
    let done = fake.run(command(&fake.bus, &["contact", "add"]).arg(&odd)).await;
    assert_eq!(done.code, 0, "{done:?}");
    fake.on("History.Export", Answer::Count(0), vec![]);
    let odd = fake.bus.file("").join(OsStr::from_bytes(b"rufe-\xfc.csv"));
    let done = fake.run(command(&fake.bus, &["history", "export", "csv"]).arg(&odd)).await;
    assert!(done.code == 0 && odd.exists(), "{done:?}");
}

#[tokio::test]
async fn what_cannot_be_a_card_does_not_get_to_the_bus() {
    let mut fake = Fake::start().await;
    for (what, bytes) in [
        ("a file with zeroes", vec![0; 4096]),
        ("one that is too large", vec![b'A'; 300_000]),
        ("one in Latin-1", b"ahoy:1\xfc".to_vec()),
    ] {
        let file = fake.bus.file("thing");
        std::fs::write(&file, bytes).unwrap();
        let done = fake.ends(&["contact", "add", file.to_str().unwrap()], 2).await;
        assert!(done.err.contains("is no card"), "{what}: {done:?}");
    }
    assert!(fake.asked.iter().all(|asked| !asked.starts_with("Contacts.Add")), "{:?}", fake.asked);
    fake.on("Contacts.Add", Answer::Text("c9"), vec![]);
    fake.on("Contacts.Get", Answer::Row(dict! {"id": "c9", "name": "Ben", "mutual": true}), vec![]);
    assert_eq!(fake.ctl_fed(&["contact", "add", "-"], "\u{feff}ahoy:1ab\r\nc\r\n").await.code, 0);
}

#[tokio::test]
async fn who_is_added_and_looks_like_somebody_is_told_of() {
    let mut fake = Fake::start().await;
    fake.on("Contacts.Add", Answer::Text("c9"), vec![]);
    let row = dict! {"id": "c9", "name": "Ana", "mutual": true, "looks-like": vec!["c1".to_owned()]};
    fake.on("Contacts.Get", Answer::Row(row), vec![]);
    let done = fake.ctl_fed(&["contact", "add", "-"], "ahoy:1abc").await;
    assert!(done.code == 0 && done.err.contains("looks like") && done.err.contains("c1"), "{done:?}");
}

#[tokio::test]
async fn words_of_others_cannot_turn_a_terminal_in_any_form() {
    let mut fake = Fake::start().await;
    let path = fake.put_call(1, "An\u{202e}a\u{1b}[2J\u{200b}", "dialing");
    let turned = |text: &str| text.contains(['\u{202e}', '\u{200b}', '\u{1b}']);
    for args in [
        &["list"][..],
        &["show"],
        &["list", "--json"],
        &["list", "--jsonl"],
        &["show", "--format", "{{ remote_name }}"],
    ] {
        let done = fake.ctl(args).await;
        assert!(done.code == 0 && !turned(&done.out), "{args:?} {path}: {done:?}");
    }
    let list = fake.ctl(&["list", "--json"]).await.json();
    assert_eq!(list["calls"][0]["remote_name"], "An\u{202e}a\u{1b}[2J\u{200b}");
}

#[tokio::test]
async fn a_time_zone_has_its_name_and_one_that_is_not_known_is_told_once() {
    let mut fake = Fake::start().await;
    let row = || dict! {"id": 7_u64, "name": "Ben", "created-at": 1_793_714_709_000_000_i64};
    fake.on("History.List", Answer::History(vec![row(), row()], 0), vec![]);
    let shown = "{{ time(created_at) }}";
    for (zone, expected) in [
        ("Asia/Tokyo", "2026-11-03 23:05"),
        (":Asia/Tokyo", "2026-11-03 23:05"),
        ("asia/tokyo", "2026-11-03 23:05"),
        ("America/St_Johns", "2026-11-03 10:35"),
        ("<+0330>-3:30", "2026-11-03 17:35"),
        ("UTC", "2026-11-03 14:05"),
    ] {
        let done = fake.run(command(&fake.bus, &["history", "--format", shown]).env("TZ", zone)).await;
        assert_eq!((done.out, done.err), (format!("{expected}\n").repeat(2), String::new()), "{zone}");
    }
    let done = fake.run(command(&fake.bus, &["history", "--format", shown]).env("TZ", "Mars/Olympus")).await;
    assert_eq!(done.out, "2026-11-03 14:05\n".repeat(2));
    assert_eq!(done.err.matches("Mars/Olympus").count(), 1, "{done:?}");
}

#[tokio::test]
async fn without_a_bus_the_variables_that_are_missing_are_named() {
    let bus = PrivateBus::start();
    let nowhere = format!("unix:path={}", bus.file("no-bus").display());
    let output = command(&bus, &["status"]).env("DBUS_SESSION_BUS_ADDRESS", nowhere).output().await.unwrap();
    let done = Done::from(output);
    assert_eq!(done.code, 8);
    let named = ["DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"].iter().all(|name| done.err.contains(name));
    assert!(named && !done.err.contains("dbus-run-session"), "{done:?}");
}

/// A folder with this program and an `ahoyd` that only judges configurations: a text with `wrong` in it is.
fn a_place_with_a_judge(bus: &PrivateBus) -> std::path::PathBuf {
    let folder = bus.file("bin");
    std::fs::create_dir(&folder).unwrap();
    let judge = folder.join("ahoyd");
    let script = "#!/bin/sh\n[ \"$1\" = --check-config ] || exit 1\n\
        if grep -q wrong \"$2\"; then echo \"ahoyd: $2:1:1: that is wrong\" >&2; exit 78; fi\n\
        echo '{\"call.lifetime\":60,\"relay.urls\":[\"wss://a\",\"wss://b\"]}'\n";
    std::fs::write(&judge, script).unwrap();
    std::fs::set_permissions(&judge, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_ahoyctl"), folder.join("ahoyctl")).unwrap();
    folder
}

#[tokio::test]
async fn a_configuration_that_keeps_ahoyd_from_starting_can_be_seen_and_mended() {
    let bus = PrivateBus::start();
    let bin = a_place_with_a_judge(&bus);
    let file = bus.file("home/ahoy/config.toml");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "wrong = 1\n").unwrap();
    let ctl = async |args: &[&str], editor: &str| {
        let mut command = tokio::process::Command::new(bin.join("ahoyctl"));
        command.args(args).env_clear().env("DBUS_SESSION_BUS_ADDRESS", bus.address());
        command.env("XDG_CONFIG_HOME", bus.file("home")).env("EDITOR", editor);
        command.env("PATH", "/usr/bin:/bin");
        Done::from(command.output().await.unwrap())
    };
    assert_eq!(ctl(&["config", "path"], "").await.out, format!("{}\n", file.display()));
    let done = ctl(&["config", "get"], "").await;
    assert!(done.code == 2 && done.err.contains("config.toml:1:1: that is wrong"), "{done:?}");

    let done = ctl(&["config", "edit"], "sed -i s/1/2/").await;
    assert!(done.code == 2 && done.err.contains("that is wrong"), "{done:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "wrong = 1\n", "what is wrong is not saved");
    let kept = std::fs::read_to_string(file.with_file_name("config.toml.wrong.toml")).unwrap();
    assert_eq!(kept, "wrong = 2\n", "and not lost");

    let done = ctl(&["config", "edit"], "sed -i s/wrong/right/").await;
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "right = 1\n");
    assert_eq!(ctl(&["config", "get", "lifetime"], "").await.out, "60\n");
    assert_eq!(ctl(&["config", "set", "lifetime", "5"], "").await.code, 8, "changing needs ahoyd");
}

#[tokio::test]
async fn a_ring_tone_is_told_by_its_whole_path_and_one_that_is_not_there_is_refused() {
    let mut fake = Fake::start().await;
    fake.on("Manager.GetSettings", Answer::Row(dict! {"ring.tone": ""}), vec![]);
    fake.on("Manager.SetSetting", Answer::Nothing, vec![]);
    let folder = fake.bus.file("music");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("my ring.wav"), "").unwrap();
    let whole = folder.join("my ring.wav").display().to_string();
    let uri = format!("file://{}", whole.replace(' ', "%20"));
    for said in ["my ring.wav", "./my ring.wav", uri.as_str()] {
        let done =
            fake.run(command(&fake.bus, &["config", "set", "ring.tone", said]).current_dir(&folder)).await;
        assert_eq!(done.code, 0, "{said}: {done:?}");
        let asked = fake.asked.iter().rfind(|asked| asked.starts_with("Manager.SetSetting")).unwrap();
        assert!(asked.contains(&whole), "{said}: {asked}");
    }
    let asked = fake.asked.len();
    assert_eq!(fake.ctl(&["config", "set", "ring.tone", "/nowhere/ring.wav"]).await.code, 2);
    fake.on("Contacts.Get", Answer::Row(dict! {"id": "c9", "name": "Ben"}), vec![]);
    fake.ends(&["contact", "set", "ben", "--ring-tone", "/nowhere/ring.wav"], 2).await;
    let changed = |asked: &String| asked.contains("/nowhere");
    assert!(!fake.asked[asked..].iter().any(changed), "{:?}", fake.asked);
}
