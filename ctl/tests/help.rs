//! Is every help text as it was agreed, small enough for a terminal, and with an example?
//!
//! Lives here: each help text of the program compared with its file in `help/`.
//! Must not: write into the source tree. When a text changes, the test leaves the new texts in its scratch folder and says how to take them over.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn every_help_text_is_the_agreed_one() {
    let agreed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/help");
    let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("help");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).unwrap();
    }
    fs::create_dir_all(&fresh).unwrap();
    let mut names = BTreeSet::new();
    let mut differ = Vec::new();
    for words in commands() {
        let name = format!("{}.txt", [&["ahoyctl".to_owned()], &words[..]].concat().join("-"));
        let text = help(&words);
        fs::write(fresh.join(&name), &text).unwrap();
        if fs::read_to_string(agreed.join(&name)).ok().as_deref() != Some(&text) {
            differ.push(name.clone());
        }
        names.insert(name);
    }
    let files = fs::read_dir(&agreed).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    differ.extend(files.filter(|file| !names.contains(file)));
    assert!(
        differ.is_empty(),
        "these differ or are gone: {differ:?}\nIf that is meant: rm {agreed}/*.txt; cp {fresh}/*.txt {agreed}/",
        agreed = agreed.display(),
        fresh = fresh.display(),
    );
}

#[test]
fn every_help_text_fits_a_terminal_of_80_by_24_and_shows_how() {
    for words in commands() {
        let text = help(&words);
        // The list of all commands may be longer than a screen of old.
        let most = if words.is_empty() { 40 } else { 24 };
        assert!(text.lines().count() <= most, "{words:?} has {} lines", text.lines().count());
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{words:?} is too wide");
        assert!(text.contains("Example: "), "{words:?} has no example");
    }
}

#[test]
fn every_command_that_the_program_has_is_found() {
    let all = commands();
    let first = help(&[]);
    for words in all.iter().filter(|words| words.len() == 1) {
        let listed = first.split_whitespace().any(|word| word == words[0]);
        assert!(listed, "the first help does not name {words:?}: see `after_help` in ctl/src/lib.rs");
    }
    for expected in ["call", "watch", "version"] {
        assert!(all.contains(&vec![expected.to_owned()]), "{expected}");
    }
    assert!(all.contains(&vec!["contact".to_owned(), "unblock".to_owned()]));
    assert!(all.contains(&vec!["account".to_owned(), "card".to_owned()]));
    assert!(all.len() >= 26, "{}", all.len());
}

/// Every command of the program.
fn commands() -> Vec<Vec<String>> {
    let mut all = Vec::new();
    collect(&ahoyctl::command(), &[], &mut all);
    all
}

fn collect(command: &clap::Command, words: &[String], all: &mut Vec<Vec<String>>) {
    all.push(words.to_vec());
    for inner in command.get_subcommands() {
        collect(inner, &[words, &[inner.get_name().to_owned()]].concat(), all);
    }
}

fn help(words: &[String]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_ahoyctl")).args(words).arg("--help").env_clear().output().unwrap();
    assert!(output.status.success(), "{words:?}");
    String::from_utf8(output.stdout).unwrap()
}
