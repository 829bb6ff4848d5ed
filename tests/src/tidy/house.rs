//! The rooms of the daemon and their walls.
//!
//! Lives here: what each room may import, and the words that were given up.
//! Must not: read text by itself: `imports.rs` does.

use super::imports;

/// Each beside the others: none may know another.
const PORTS: [&str; 11] = [
    "bus",
    "config",
    "contacts",
    "desktop",
    "history",
    "identity",
    "media",
    "pair",
    "room",
    "signal",
    "transport",
];
/// What ports and engine have below them.
const BELOW: [&str; 2] = ["values", "system"];

/// Words that a room gave up, as the name of a type, a module or a file.
const GIVEN_UP: [(&str, &[&str]); 9] = [
    ("daemon/src/engine/", &["Hardware", "choose", "door", "policy", "Manner"]),
    ("daemon/src/values/", &["Manner", "manner"]),
    ("daemon/src/bus/", &["Desk", "desk", "spell", "Uprooted"]),
    ("daemon/src/desktop/", &["wall", "scene", "sign", "Face", "Faces"]),
    ("daemon/src/signal/", &["knocks", "errands", "Line", "Order", "Waiting"]),
    ("daemon/src/contacts/", &["shelf"]),
    ("daemon/src/history/", &["Order", "Waiting"]),
    ("daemon/src/media/", &["Choked", "Told", "Asked", "Line", "Path", "Waiting", "Player"]),
    ("relay/src/", &["Line"]),
];

/// What is wrong with the place of a file, and with what it imports.
pub(super) fn file(path: &str, code: &str) -> Vec<String> {
    let Some(inside) = path.strip_prefix("daemon/src/") else { return Vec::new() };
    let Some((own, _)) = inside.split_once('/') else {
        let fine = ["main.rs", "lib.rs"].contains(&inside);
        return if fine { Vec::new() } else { vec!["lies loose: which room does it belong to?".to_owned()] };
    };
    let test = inside.contains("/tests") || inside.contains("_tests");
    let may = |room: &str| match own {
        "engine" | "bin" => true,
        "values" => room == "values",
        "system" => room == "system",
        // The tests of a port may make what they need with another.
        _ => room == own || BELOW.contains(&room) || test && room != "engine",
    };
    let rooms = PORTS.into_iter().chain(BELOW).chain(["engine"]);
    let named = imports::paths(code);
    rooms
        .filter(|room| !may(room) && named.iter().any(|name| lies_in(inside, name, room)))
        .map(|room| format!("is a part of `{own}` and names `{room}`"))
        .collect()
}

/// Whether a path that is named in that file leads into the room.
fn lies_in(file: &str, name: &str, room: &str) -> bool {
    let mut parts = name.split("::");
    match parts.next() {
        Some("crate") => parts.next() == Some(room),
        Some("super") => {
            // A file lies as deep as its path; `mod.rs` is its folder.
            let depth = file.split('/').count() - usize::from(file.ends_with("/mod.rs"));
            let ups = 1 + parts.clone().take_while(|part| *part == "super").count();
            ups == depth && parts.find(|part| *part != "super") == Some(room)
        }
        _ => false,
    }
}

/// Words that were given up and are back.
pub(super) fn words(path: &str, code: &str) -> Vec<String> {
    let given_up = GIVEN_UP.iter().filter(|(room, _)| path.starts_with(room)).flat_map(|(_, words)| *words);
    let stem = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".rs");
    let declares = |word: &str| {
        ["struct ", "enum ", "trait ", "type ", "mod "].iter().any(|kind| {
            code.match_indices(kind).any(|(at, _)| {
                let rest = &code[at + kind.len()..];
                rest.strip_prefix(word)
                    .is_some_and(|after| !after.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
            })
        })
    };
    given_up
        .filter(|word| **word == stem || declares(word))
        .map(|word| {
            format!("has a type, a module or its name called `{word}`, a word that was given up here")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_that_names_another_is_found_however_it_is_written() {
        let path = "daemon/src/media/session.rs";
        assert!(!file(path, "use crate::signal::Link;").is_empty());
        assert!(!file(path, "use crate::{\n    values::devices,\n    signal::{Link, Peer},\n};").is_empty());
        assert!(!file(path, "fn f() { super::super::history::open() }").is_empty());
        assert!(!file(path, "use crate::engine::Engine;").is_empty());
        assert!(
            file(path, "use crate::media::peer; use crate::values::{signal}; use super::history;").is_empty()
        );
        assert!(file("daemon/src/engine/mod.rs", "use crate::{signal, media};").is_empty());
        assert!(!file("daemon/src/values/rows.rs", "use crate::system::clock;").is_empty());
        assert!(!file("daemon/src/system/file.rs", "use crate::values::rows;").is_empty());
        assert!(!file("daemon/src/media/tests.rs", "use crate::engine::Engine;").is_empty());
    }

    #[test]
    fn a_loose_file_is_found() {
        assert!(!file("daemon/src/board.rs", "").is_empty());
        assert!(file("daemon/src/main.rs", "use ahoyd::bus;").is_empty());
    }

    #[test]
    fn a_word_that_was_given_up_is_found_as_a_type_a_module_and_a_file() {
        assert!(!words("daemon/src/signal/x.rs", "pub struct Line {").is_empty());
        assert!(!words("daemon/src/bus/mod.rs", "mod spell;").is_empty());
        assert!(!words("daemon/src/desktop/wall.rs", "").is_empty());
        assert!(words("daemon/src/signal/x.rs", "struct PeerLine; struct Liner;").is_empty());
        assert!(words("ctl/src/x.rs", "struct Desk;").is_empty());
    }
}
