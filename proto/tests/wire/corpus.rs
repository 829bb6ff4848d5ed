//! Does any input that a fuzz target ever learned from break a decoder?
//!
//! Lives here: the replay of `fuzz/corpus/`, and the proof that it would notice.
//! Must not: explore; that is the fuzzer's.

use std::fs;
use std::path::{Path, PathBuf};

use crate::known::{self, decoders::TARGETS};

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    files.sort();
    files
}

/// How many a decoder read, and how many it refused.
fn replay(target: &str, decode: impl Fn(&[u8]) -> bool) -> (usize, usize) {
    let outcomes: Vec<bool> = corpus(target).iter().map(|(_, bytes)| decode(bytes)).collect();
    let read = outcomes.iter().filter(|it| **it).count();
    (read, outcomes.len() - read)
}

#[test]
fn every_corpus_is_replayed_and_reaches_both_ends_of_its_decoder() {
    for (target, decode) in TARGETS {
        let (read, refused) = replay(target, decode);
        println!("{target}: {read} read, {refused} refused");
        assert!(read > 0, "{target}: no file gets through");
        assert!(refused > 0, "{target}: no file is refused");
    }
}

#[test]
fn a_planted_panic_behind_each_decoder_would_be_found() {
    for (target, decode) in TARGETS {
        let planted = move |bytes: &[u8]| {
            let read = decode(bytes);
            assert!(!read, "planted");
            read
        };
        let found = std::panic::catch_unwind(|| replay(target, planted)).is_err();
        assert!(found, "{target}: the replay never comes behind its decoder");
    }
}

#[test]
fn every_corpus_has_a_target_and_every_target_a_program() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let names = |folder: &str| {
        let mut names: Vec<_> = fs::read_dir(fuzz.join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    let mut targets = TARGETS.map(|(name, _)| name.to_owned()).to_vec();
    // Those that know the daemon; their corpora are replayed by the tests of the whole, and of the daemon.
    targets.extend(["neighbour_dns", "outward", "relay_dns", "room", "voice"].map(str::to_owned));
    targets.sort();
    assert_eq!(names("corpus"), targets);
    assert_eq!(names("fuzz_targets"), targets);
}

#[test]
fn inputs_near_the_known_ones_break_nothing() {
    for (target, decode) in TARGETS {
        for (path, bytes) in corpus(target) {
            let step = (bytes.len() / 3).max(1);
            for at in (0..bytes.len()).step_by(step) {
                let mut near = bytes.clone();
                near[at] = near[at].wrapping_add(1);
                decode(&near);
                decode(&bytes[..at]);
            }
            assert!(path.exists());
        }
    }
}

#[test]
fn the_known_inputs_are_checked_in() {
    for ((target, name), bytes) in known::corpora() {
        let found = corpus(target).into_iter().find(|(path, _)| path.ends_with(&name));
        assert_eq!(found.map(|(_, bytes)| bytes), Some(bytes), "{target}/{name}");
    }
}
