//! Can whatever others say be shown everywhere, and nowhere do harm?
//!
//! Lives here: any message that decodes, as the bus carries it, in a history and its exports, on a terminal, in a pop-up; the corpus of the fuzz target that does the same.
//! Must not: know how words are cleaned. A real bus is tried in `contract/words.rs`.

use std::path::Path;

use ahoy_call::Message;
use ahoy_proto::codec;
use ahoyd::engine::outward;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Letters that steer, hide, turn, or mean something where words are written to.
const TRICKS: &str = "\0\u{7}\u{1b}\r\n\t\u{7f}\u{9b}\u{ad}\u{61c}\u{180e}\u{200b}\u{200c}\u{200d}\u{202e}\u{2028}\u{2060}\u{2066}\u{3164}\u{fe0f}\u{feff}\u{e0041}=+-@＝;,\"'\\<&:a1👨و\u{d4d}\u{301}";

/// The messages of a call that bring words, as they come off the wire.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let tricks: Vec<char> = TRICKS.chars().collect();
    let letter = prop_oneof![3 => proptest::sample::select(tricks), 1 => any::<char>()];
    let words = proptest::collection::vec(letter, 0..320).prop_map(String::from_iter);
    (words, any::<bool>()).prop_map(|(words, offer)| {
        let message = if offer {
            serde_json::json!({"kind": "offer", "remaining-ms": 9, "text": words})
        } else {
            serde_json::json!({"kind": "decline", "reason": "busy", "scope": "everywhere", "text": words})
        };
        message.to_string().into_bytes()
    })
}

/// The words of one message that decodes. The verb is never lost.
fn words_of(bytes: &[u8]) -> (Message, Option<String>) {
    let read = codec::decode(bytes).expect("no words cost the verb").expect("the kind is known");
    let (Message::Offer { text, .. } | Message::Decline { text, .. }) = &read else { panic!("{read:?}") };
    let text = text.clone();
    (read, text)
}

#[test]
fn whatever_decodes_can_be_stored_listed_exported_printed_and_shown() {
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(256) });
    let tried = runner.run(&(message(), ".{0,80}"), |(bytes, name)| {
        let (message, _) = words_of(&bytes);
        let name = ahoy_proto::words::name(&name, "Somebody");
        if let Some(shown) = outward::of(&message, &name) {
            prop_assert_eq!(shown.fault(), None);
            let row = &shown.row;
            for text in [&row.name, &row.note, &row.message, &shown.files.csv, &shown.files.json] {
                prop_assert_eq!(
                    &ahoyctl::clean::lines(&text.replace("\r\n", "\n")),
                    &text.replace("\r\n", "\n")
                );
            }
        }
        Ok(())
    });
    tried.unwrap();
}

#[test]
fn the_corpus_of_the_fuzz_target_outward_is_replayed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/outward");
    let mut shown = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let Ok(Some(message)) = codec::decode(&bytes) else { continue };
        if let Some(outward) = outward::of(&message, "Ana") {
            assert_eq!(outward.fault(), None, "{}", String::from_utf8_lossy(&bytes));
            shown += 1;
        }
    }
    assert!(shown > 5, "only {shown} bring words");
}
