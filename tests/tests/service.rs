//! Does the daemon live well under systemd?
//!
//! Lives here: the unit as it is shipped, in a real `systemd --user` of a made-up user (`lab/user-manager.sh`, `lab/service.sh`).
//! Must not: touch the manager of the person who runs the tests.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of a test may")]

use std::fs;
use std::path::Path;
use std::process::Command;

use ahoy_tests::lab::{binary, root};

const UNIT: &str = include_str!("../../systemd/ahoyd.service");
const ACTIVATION: &str = include_str!("../../dbus/org.ahoyd.Calls1.service");

#[test]
fn a_verb_starts_the_daemon_through_systemd_and_a_look_does_not() {
    play("activation", "");
}

#[test]
fn a_hung_engine_is_noticed_and_the_daemon_begun_anew() {
    play("hang", "[Service]\nWatchdogSec=2\n");
}

#[test]
fn a_daemon_that_is_killed_or_restarted_in_a_call_tells_the_other_and_is_there_again() {
    play("calls", "");
}

#[test]
fn a_daemon_that_cannot_start_is_given_up_and_says_why() {
    play("failures", "[Service]\nRestartSec=100ms\n");
}

#[test]
fn a_hook_runs_outside_of_the_services_sandbox_and_what_it_leaves_running_stays() {
    play("hooks", "");
}

#[test]
fn the_daemon_leaves_no_core_file() {
    play("cores", "");
}

#[test]
fn a_daemon_whose_terminal_ends_says_farewell() {
    play("terminal", "");
}

#[test]
fn a_newcomer_is_led_to_the_first_call() {
    play("newcomer", "");
}

#[test]
fn the_units_hold_nothing_that_systemd_does_not_know() {
    if !Path::new("/usr/bin/systemd-analyze").exists() {
        println!("SKIPPED: systemd-analyze is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (unit, user) in [("ahoyd.service", true), ("ahoy-relay.service", false)] {
        let program = format!("{}/", binary("ahoyd").parent().unwrap().display());
        let text = fs::read_to_string(root().join("systemd").join(unit)).unwrap();
        let file = folder.path().join(unit);
        fs::write(&file, text.replace("/usr/bin/", &program)).unwrap();
        let analyze = |arguments: &[&str]| {
            let mut command = Command::new("systemd-analyze");
            command.args(if user { &["--user"][..] } else { &["--system"] }).args(arguments).arg(&file);
            let output = command.env("XDG_RUNTIME_DIR", folder.path()).output().unwrap();
            let said = [output.stdout, output.stderr].concat();
            (output.status.success(), String::from_utf8_lossy(&said).into_owned())
        };
        let (good, said) = analyze(&["verify", "--man=no", "--recursive-errors=no"]);
        // An unknown key is a mere warning with a good exit status.
        assert!(good && said.trim().is_empty(), "{unit}: {said}");
        let (_, table) = analyze(&["security", "--offline=true", "--no-pager"]);
        let score = table.lines().find(|line| line.contains("exposure level")).unwrap_or(&table);
        println!("SCORE: {unit}: {}", score.trim_start_matches(|c: char| !c.is_ascii_alphabetic()));
    }
}

/// One scenario in a manager of its own; `drop_in` is added to the unit.
fn play(scenario: &str, drop_in: &str) {
    let needed = ["/lib/systemd/systemd", "/lib/systemd/systemd-journald", "/usr/bin/dbus-daemon"];
    if let Some(missing) = needed.iter().find(|file| !Path::new(file).exists()) {
        println!("SKIPPED: {missing} is not installed");
        return;
    }
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: a manager of one's own needs root");
        return;
    }
    let programs = binary("ahoyd").parent().unwrap().to_owned();
    let units = tempfile::tempdir().unwrap();
    let at = |name: &str| units.path().join(name);
    let inside = "/srv/lab/bin/";
    for folder in ["dbus-1", "files/.local/state", "files/.config", "ahoyd.service.d"] {
        fs::create_dir_all(at(folder)).unwrap();
    }
    fs::write(at("ahoyd.service"), UNIT.replace("/usr/bin/", inside)).unwrap();
    fs::write(at("ahoyd.service.d/test.conf"), drop_in).unwrap();
    fs::write(at("dbus-1/org.ahoyd.Calls1.service"), ACTIVATION.replace("@bindir@/", inside)).unwrap();
    fs::copy(root().join("tests/lab/service.sh"), at("files/service.sh")).unwrap();
    let mut command = Command::new(root().join("tests/lab/user-manager.sh"));
    command.args([units.path(), &programs]).args(["bash", "/srv/lab/nora/service.sh", scenario]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}");
    assert!(
        output.status.success() && said.ends_with(&format!("DONE: {scenario}\n")),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
