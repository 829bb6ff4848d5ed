//! Is the tree what its papers say: layering, head comments, length, format, words, links, requirements?
//!
//! Lives here: walking the files of the project and asking cargo about them.
//! Must not: hold a rule: they are in `src/tidy.rs`, each with a planted violation.

#![expect(clippy::unwrap_used, reason = "helpers of tests, too")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ahoy_tests::tidy;

const BARE_METAL: &str = "thumbv7em-none-eabi";

#[test]
fn every_rust_file_is_in_its_layer_and_opens_with_its_purpose() {
    let files = sources("rs");
    assert!(files.len() > 30, "the walk found only {} files", files.len());
    let checked = files.iter().filter(|(path, _)| !path.starts_with("fuzz/"));
    let wrong: Vec<String> = checked.flat_map(|(path, text)| tidy::rust_file(path, text)).collect();
    for (path, text) in &files {
        let lines = text.lines().count();
        if lines > tidy::LONG {
            println!("{path}: {lines} lines; what in it belongs in another room?");
        }
    }
    none(&wrong);
}

#[test]
fn no_two_files_import_each_other_in_a_circle() {
    none(&tidy::circles(&sources("rs")));
}

#[test]
fn manifests_have_only_arrows_that_point_down() {
    let crates = ["call", "proto", "dbus", "ctl", "daemon", "relay", "tests", "bench"];
    let wrong: Vec<String> =
        crates.iter().flat_map(|name| tidy::manifest(name, &read(&format!("{name}/Cargo.toml")))).collect();
    none(&wrong);
    let workspace: toml::Table = read("Cargo.toml").parse().unwrap();
    let proto = &workspace["workspace"]["dependencies"]["ahoy-proto"];
    assert_eq!(proto["default-features"].as_bool(), Some(false), "else the relay gets the sealed half");
    let rules = read("call/src/lib.rs");
    assert!(rules.contains("#![no_std]") && !rules.contains("extern crate std"), "call has no std");
}

#[test]
fn no_file_holds_unfinished_work_or_the_path_of_one_machine() {
    let kinds = ["rs", "toml", "md", "py", "sh", "xml", "service", "yml"];
    let mut wrong: Vec<String> = kinds
        .iter()
        .flat_map(|kind| sources(kind))
        .flat_map(|(path, text)| tidy::words(&path, &text))
        .collect();
    for path in ["Makefile", ".ci/run"] {
        wrong.extend(tidy::words(path, &read(path)));
    }
    wrong.extend(tidy::lock_file(&read("Cargo.lock")));
    none(&wrong);
}

#[test]
fn files_that_the_papers_name_exist() {
    let mut wrong = Vec::new();
    for page in ["README.md", "ARCHITECTURE.md", "DECISIONS.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        let Ok(text) = fs::read_to_string(root().join(page)) else { continue };
        let missing = tidy::named_files(&text).into_iter().filter(|file| !root().join(file).exists());
        wrong.extend(missing.map(|file| format!("{page}: there is no {file}")));
    }
    none(&wrong);
}

#[test]
fn every_requirement_says_what_shows_it() {
    let ids: toml::Table = read("tests/ids.toml").parse().unwrap();
    assert!(ids.len() > 100, "only {} requirements", ids.len());
    let known = test_names();
    let wrong: Vec<String> = ids
        .iter()
        .flat_map(|(id, entry)| tidy::requirement(id, entry, |name| known.contains(name)))
        .collect();
    none(&wrong);
}

#[test]
fn known_faults_of_what_is_built_in_fail_the_check_where_there_is_a_network() {
    let deny: toml::Table = read("deny.toml").parse().unwrap();
    let advisories = deny["advisories"].as_table().unwrap();
    assert_eq!(advisories["yanked"].as_str(), Some("deny"));
    for ignored in advisories["ignore"].as_array().unwrap() {
        assert!(ignored.get("reason").is_some(), "{ignored}: why may it stay?");
    }
    let steps = read("tests/all.sh");
    assert!(steps.contains("cargo deny fetch db"));
    // As a step: what fails there is counted.
    assert!(steps.contains("then step \"advisories\" cargo deny check --disable-fetch advisories\n"));
}

#[test]
fn the_code_is_formatted() {
    cargo(&["fmt", "--all", "--", "--check"]);
}

#[test]
fn the_relay_alone_is_built_without_anything_that_could_read_a_call() {
    let tree = cargo(&[
        "tree",
        "--offline",
        "--package",
        "ahoy-relay",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
    ]);
    assert!(tree.contains("ahoy-proto"), "the relay's tree:\n{tree}");
    for never in ["ahoy-call", "snow", "x25519-dalek", "ahoy-dbus", "opus", "rtc"] {
        assert!(!tree.lines().any(|line| line.split(' ').next() == Some(never)), "the relay takes {never}");
    }
}

#[test]
fn the_rules_build_for_a_machine_without_an_operating_system() {
    let rustc =
        Command::new("rustc").args(["--print", "target-libdir", "--target", BARE_METAL]).output().unwrap();
    if !Path::new(String::from_utf8_lossy(&rustc.stdout).trim()).join("..").is_dir() {
        println!("SKIPPED: the target {BARE_METAL} is not installed");
        return;
    }
    cargo(&["build", "--offline", "--quiet", "--package", "ahoy-call", "--target", BARE_METAL]);
}

fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} to mend:\n{}", wrong.len(), wrong.join("\n"));
}

/// Runs cargo at the root and returns what it printed; fails with its complaints.
fn cargo(args: &[&str]) -> String {
    let run = Command::new(env!("CARGO")).args(args).current_dir(root()).output().unwrap();
    let printed = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success(), "cargo {args:?}:\n{printed}{}", String::from_utf8_lossy(&run.stderr));
    printed
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files of one kind, by their path from the root.
fn sources(kind: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type().unwrap().is_dir() {
                if !name.starts_with('.') && !["target", "corpus", "artifacts"].contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if name.ends_with(&format!(".{kind}")) {
                let inside = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
                found.push((inside, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// All tests of the tree, as crate::file::name: without the folders `src` and `tests`, and `tests.rs` as what it stands beside.
fn test_names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (path, text) in sources("rs") {
        let mut parts = path.trim_end_matches(".rs").split('/');
        let package = parts.next().unwrap_or_default();
        let files: Vec<&str> =
            parts.filter(|part| !["src", "tests", "mod", "lib", "main"].contains(part)).collect();
        let place = [&[package], &files[..]].concat().join("::");
        let mut marked = false;
        for line in text.lines().map(str::trim) {
            marked |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            let line = line.strip_prefix("async ").unwrap_or(line);
            if let Some(rest) = line.strip_prefix("fn ").filter(|_| marked) {
                names.insert(format!("{place}::{}", rest.split('(').next().unwrap_or(rest)));
                marked = false;
            }
        }
    }
    names
}
