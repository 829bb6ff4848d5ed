//! Is what is installed whole, and is it all taken away again?
//!
//! Lives here: install and uninstall into a scratch folder; man pages and completions, judged by who reads them.
//! Must not: install anything on this machine.

#![expect(clippy::unwrap_used, reason = "helpers of a test may")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ahoy_tests::lab::{binary, root};
use tempfile::TempDir;

/// A target folder with programs and papers, as `make install` finds it.
fn built() -> TempDir {
    let target = tempfile::tempdir().unwrap();
    let programs = binary("ahoyd").parent().unwrap().to_owned();
    std::os::unix::fs::symlink(programs, target.path().join("release")).unwrap();
    let papers = Command::new(binary("ahoy-papers")).arg(target.path().join("papers")).status().unwrap();
    assert!(papers.success());
    target
}

fn files(script: &str, destdir: &Path, target: &Path) -> String {
    let mut command = Command::new(root().join("packaging/files.sh"));
    let output = command.args([script, "/opt/ahoy"]).args([destdir, target]).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn walk(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), found);
        } else {
            found.insert(entry.path());
        }
    }
}

#[test]
fn what_is_installed_is_what_is_listed_and_all_of_it_goes_again() {
    let target = built();
    let machine = tempfile::tempdir().unwrap();
    let foreign = machine.path().join("opt/ahoy/share/man/man1/other.1");
    fs::create_dir_all(foreign.parent().unwrap()).unwrap();
    fs::write(&foreign, "of somebody else").unwrap();
    files("install", machine.path(), target.path());
    let listed: BTreeSet<PathBuf> = files("list", Path::new(""), target.path())
        .lines()
        .map(|line| machine.path().join(line.trim_start_matches('/')))
        .chain([foreign.clone()])
        .collect();
    let mut found = BTreeSet::new();
    walk(machine.path(), &mut found);
    assert_eq!(found, listed);
    assert!(found.len() > 30, "{}", found.len());
    let unit = fs::read_to_string(machine.path().join("opt/ahoy/lib/systemd/user/ahoyd.service")).unwrap();
    assert!(unit.contains("ExecStart=/opt/ahoy/bin/ahoyd\n"), "the unit starts what was installed: {unit}");
    let activation = "opt/ahoy/share/dbus-1/services/org.ahoyd.Calls1.service";
    let activation = fs::read_to_string(machine.path().join(activation)).unwrap();
    assert!(activation.contains("Exec=/opt/ahoy/bin/ahoyd\n"), "{activation}");
    let entry = machine.path().join("opt/ahoy/share/applications/org.ahoyd.Ahoy.desktop");
    let entry = fs::read_to_string(entry).unwrap();
    let links = ["\nMimeType=x-scheme-handler/ahoy;\n", "\nExec=ahoyctl open %u\n"];
    assert!(
        links.iter().all(|line| entry.contains(line)),
        "a link of ahoy's is opened by what only asks: {entry}"
    );
    files("uninstall", machine.path(), target.path());
    let mut left = BTreeSet::new();
    walk(machine.path(), &mut left);
    assert_eq!(left, BTreeSet::from([foreign]), "nothing of ours stays, nothing of others goes");
    assert!(!machine.path().join("opt/ahoy/share/doc/ahoy").exists(), "our own folder goes too");
}

#[test]
fn man_pages_are_read_without_a_warning_and_completions_are_good_scripts() {
    let target = built();
    let papers = target.path().join("papers");
    let mut all = BTreeSet::new();
    walk(&papers, &mut all);
    assert_eq!(all.len(), 12, "{all:?}");
    for file in &all {
        let of = |part: &str| file.starts_with(papers.join(part));
        let check: &[&str] = if of("man") {
            &["man", "--warnings", "-l", "-Tutf8", "-Z"]
        } else if of("completions/bash") {
            &["bash", "-n"]
        } else if of("completions/zsh") {
            &["zsh", "-n"]
        } else {
            &["fish", "-n"]
        };
        let output =
            match Command::new(check[0]).args(&check[1..]).arg(file).env("LC_ALL", "C.UTF-8").output() {
                Ok(output) => output,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    println!("SKIPPED: {} is not installed", check[0]);
                    continue;
                }
                Err(error) => panic!("{}: {error}", check[0]),
            };
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.trim().is_empty(), "{}: {said}", file.display());
    }
}

#[test]
fn the_manual_names_what_a_relay_and_a_contact_can_learn() {
    let page = fs::read_to_string(root().join("papers/sections/ahoyd.roff")).unwrap();
    let section = page.split(".SH ").find(|section| section.starts_with("WHAT OTHERS CAN LEARN")).unwrap();
    let told = section.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        "a relay sees which inboxes exist",
        "network addresses of its clients",
        "may delay or drop",
        "your phone rang",
        "learns your network address",
        "preconnect",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[test]
fn the_desktop_entry_has_the_icon_that_is_installed() {
    let entry = fs::read_to_string(root().join("packaging/org.ahoyd.Ahoy.desktop")).unwrap();
    let icon = entry.lines().find_map(|line| line.strip_prefix("Icon=")).unwrap();
    let listed = files("list", Path::new(""), Path::new("target"));
    assert!(listed.contains(&format!("icons/hicolor/scalable/apps/{icon}.svg\n")), "{icon}");
    for needed in ["[Desktop Entry]", "Type=Application", "Name=", "Exec="] {
        assert!(entry.contains(needed), "{needed}");
    }
}

#[test]
fn the_samples_are_short_good_in_syntax_and_know_focus_alone() {
    let contrib = root().join("contrib");
    let mut all = BTreeSet::new();
    walk(&contrib, &mut all);
    let scratch = tempfile::tempdir().unwrap();
    let module = scratch.path().join("extension.mjs");
    fs::copy(contrib.join("gnome-shell/ahoy@ahoyd.org/extension.js"), &module).unwrap();
    for file in &all {
        let text = fs::read_to_string(file).unwrap();
        let name = file.display();
        assert!(text.lines().count() <= 80, "{name} is no short sample");
        for other in ["Manager", "Call", "Peer", "Contacts", "Account", "History", "AudioDevice"] {
            assert!(!text.contains(&format!("org.ahoyd.Calls1.{other}")), "{name} needs {other}");
        }
        let check: &[&str] = match file.extension().and_then(|extension| extension.to_str()) {
            Some("js") => &["node", "--check", module.to_str().unwrap()],
            Some("sh") => &["sh", "-n", file.to_str().unwrap()],
            Some("qml") => &["/usr/lib/qt6/bin/qmlformat", file.to_str().unwrap()],
            _ => continue,
        };
        match Command::new(check[0]).args(&check[1..]).output() {
            Ok(output) => {
                assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
            }
            Err(_) => println!("SKIPPED: {} is not installed, {name} is not checked", check[0]),
        }
    }
    assert!(all.len() >= 10, "{all:?}");
}
