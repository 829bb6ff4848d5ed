//! The rooms of the daemon and their walls.
//!
//! Lives here: what each room may import, and the words that were given up.
//! Must not: read text by itself: `imports.rs` does.

use super::imports;

/// Each beside the others: none may know another.
const PORTS: [&str; 15] = [
    "account",
    "bus",
    "config",
    "contacts",
    "desktop",
    "diagnosis",
    "discovery",
    "history",
    "identity",
    "media",
    "neighbours",
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

/// Verbs that a room gave up, as the name of a function.
const VERBS_GIVEN_UP: [(&str, &[&str]); 2] = [
    ("daemon/src/engine/", &["asked", "heard", "rung", "told", "tell", "feed"]),
    ("daemon/src/media/", &["hush", "heed", "obey"]),
];

/// The engine and its hands; every other file of its room is a component, which does not know it.
const HANDS: [&str; 15] = [
    "accounts.rs",
    "cards.rs",
    "due.rs",
    "found.rs",
    "group_news.rs",
    "mod.rs",
    "kept.rs",
    "near.rs",
    "pairing.rs",
    "perform.rs",
    "refresh.rs",
    "reports.rs",
    "rings.rs",
    "rooms.rs",
    "test_call.rs",
];

/// What is wrong with a file of the engine: a field of its state that others reach, a component that names the engine.
pub(super) fn engine(path: &str, code: &str) -> Vec<String> {
    let Some(inside) = path.strip_prefix("daemon/src/engine/") else { return Vec::new() };
    let shared = code.lines().map(str::trim).filter(|line| {
        let rest = line.strip_prefix("pub(").and_then(|rest| rest.split_once(") "));
        let name = rest.and_then(|(_, rest)| rest.split_once(':')).map(|(name, _)| name);
        name.is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
    });
    let mut wrong: Vec<String> =
        shared.map(|field| format!("shares a field of the engine's state: `{field}`")).collect();
    let words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
    if !HANDS.contains(&inside) && words.into_iter().any(|word| word == "Engine") {
        wrong.push("is a component of the engine and names it".to_owned());
    }
    wrong
}

/// What is wrong with the place of a file, and with what it imports.
pub(super) fn file(path: &str, code: &str) -> Vec<String> {
    let Some(inside) = path.strip_prefix("daemon/src/") else { return Vec::new() };
    let Some((own, _)) = inside.split_once('/') else {
        let fine = ["main.rs", "lib.rs"].contains(&inside);
        return if fine { Vec::new() } else { vec!["lies loose: which room does it belong to?".to_owned()] };
    };
    let test = inside.contains("/tests");
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
    let of = |list: &'static [(&str, &[&str])]| {
        list.iter().filter(|(room, _)| path.starts_with(room)).flat_map(|(_, words)| *words)
    };
    let (given_up, verbs) = (of(&GIVEN_UP), of(&VERBS_GIVEN_UP));
    let stem = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".rs");
    let declares = |kinds: &[&str], word: &str| {
        kinds.iter().any(|kind| {
            code.match_indices(kind).any(|(at, _)| {
                let rest = &code[at + kind.len()..];
                rest.strip_prefix(word)
                    .is_some_and(|after| !after.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
            })
        })
    };
    let types = ["struct ", "enum ", "trait ", "type ", "mod "];
    let found = given_up.filter(|word| **word == stem || declares(&types, word));
    found
        .chain(verbs.filter(|verb| declares(&["fn "], verb)))
        .map(|word| format!("calls something or itself `{word}`, a word that was given up here"))
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
        assert!(!words("daemon/src/engine/x.rs", "    fn feed(&mut self) {").is_empty());
        assert!(words("daemon/src/engine/x.rs", "fn feeder() { it.feed() }").is_empty());
    }

    #[test]
    fn a_shared_field_of_the_engine_and_a_component_that_knows_it_are_found() {
        let path = "daemon/src/engine/devices.rs";
        for field in ["pub(crate) found: Arc<Found>,", "pub(super) seen: u8,", "pub(in crate::engine) a: B,"]
        {
            assert_eq!(engine(path, &format!("struct Devices {{\n    {field}\n}}")).len(), 1, "{field}");
        }
        let fine =
            "pub(super) struct Devices {\n    found: u8,\n}\npub(super) fn a(b: u8) {}\npub(super) use a::b;";
        assert!(engine(path, fine).is_empty());
        assert!(engine("daemon/src/media/x.rs", "pub(crate) found: u8,").is_empty());
        assert!(!engine(path, "impl Engine {").is_empty());
        assert!(engine(path, "fn a(of: &EngineHandle) {}").is_empty());
        assert!(engine("daemon/src/engine/perform.rs", "impl Engine {").is_empty());
    }
}
