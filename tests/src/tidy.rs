//! What can be read from a source file or a manifest alone: layering, head comments, length, words, links.
//!
//! Lives here: the checks as functions of text; each returns what is wrong, in sentences.
//! Must not: read files or start programs: `tests/tidy.rs` walks the tree.

mod house;
mod imports;

use toml::{Table, Value};

/// From this length on a file is asked to split.
pub const LONG: usize = 400;
/// Past this length the tree is not tidy.
pub const TOO_LONG: usize = 600;

/// Libraries that only one room may use: the name in paths, and where it may stand.
const OWNED: [(&str, &str); 6] = [
    ("webrtc", "daemon/src/media/peer"),
    ("rtc", "daemon/src/media/peer"),
    ("cpal", "daemon/src/media/device"),
    ("pipewire", "daemon/src/media/device/streams"),
    ("pulseaudio", "daemon/src/media/device"),
    ("rusqlite", "daemon/src/history/"),
];

/// Readings of time, which belong to `clock.rs` alone.
const CLOCKS: [&str; 5] =
    ["Instant::now", "SystemTime::now", "tokio::time::", "thread::sleep", "ClockId::Boottime"];

/// What each crate's `[dependencies]` may not name. A name with `*` at the end stands for all that begin so.
const NEVER: [(&str, &[&str]); 5] = [
    ("call", &["*"]),
    (
        "proto",
        &[
            "tokio*",
            "futures*",
            "zbus",
            "webrtc",
            "rtc",
            "rustix",
            "getrandom",
            "rand",
            "tracing",
            "ahoy-dbus",
        ],
    ),
    ("dbus", &["ahoy-call", "ahoy-proto", "tokio*", "ahoyd", "ahoy-relay"]),
    ("ctl", &["ahoy-call", "ahoy-proto", "ahoyd", "ahoy-relay", "rusqlite", "toml"]),
    ("relay", &["ahoy-call", "ahoy-dbus", "ahoyd", "snow", "zbus"]),
];

/// What a requirement may wait for.
const CAPABILITIES: [&str; 11] = [
    "group calls",
    "rooms",
    "pairing",
    "discovery",
    "paths",
    "foreign peers",
    "statistics",
    "sound",
    "video",
    "screen",
    "shared relays",
];

/// Everything that is wrong in one Rust file, by its path from the root.
pub fn rust_file(path: &str, text: &str) -> Vec<String> {
    let code = without_comments(text);
    let mut wrong = Vec::new();
    wrong.extend(head_comment(text));
    if path.contains("_tests.rs") || path.contains("_tests/") {
        wrong.push(
            "tests lie beside their module, in its `tests.rs` or at its end, or in `tests/`".to_owned(),
        );
    }
    wrong.extend(house::file(path, &code));
    wrong.extend(house::words(path, &code));
    wrong.extend(house::engine(path, &code));
    // This file's own tests name them all.
    let planted = path == "tests/src/tidy.rs";
    for (library, room) in OWNED.into_iter().filter(|_| !planted) {
        if !path.starts_with(room) && names_crate(&code, library) {
            wrong.push(format!("uses {library}, which belongs to {room}"));
        }
    }
    let timeless =
        path.starts_with("call/") || path.starts_with("proto/src") || path.starts_with("daemon/src");
    if timeless && path != "daemon/src/system/clock.rs" {
        let found = CLOCKS.iter().filter(|clock| code.contains(*clock));
        wrong.extend(found.map(|clock| format!("reads time by {clock}: that is clock.rs's work")));
    }
    let lines = text.lines().count();
    if lines > TOO_LONG {
        wrong.push(format!("has {lines} lines; at most {TOO_LONG}"));
    }
    wrong.into_iter().map(|what| format!("{path}: {what}")).collect()
}

/// Files that import each other in a circle, in any crate; a module and its own children are one thing. Their paths and texts.
pub fn circles(files: &[(String, String)]) -> Vec<String> {
    let crates = ["bench", "call", "ctl", "daemon", "dbus", "papers", "proto", "relay", "tests"];
    let mut found = Vec::new();
    for name in crates {
        let root = format!("{name}/src/");
        let inside = |(path, text): &'_ (String, String)| {
            let path = path.strip_prefix(&root)?;
            Some((path.to_owned(), without_tests(&without_comments(text))))
        };
        let own: Vec<(String, String)> = files.iter().filter_map(inside).collect();
        let own: Vec<(&str, String)> = own.iter().map(|(path, code)| (path.as_str(), code.clone())).collect();
        let circles = imports::circles(&own);
        found.extend(
            circles.into_iter().map(|files| format!("{root}: import each other in a circle: {files:?}")),
        );
    }
    found
}

/// A file must open with what lives in it and what it must not do.
fn head_comment(text: &str) -> Option<String> {
    let head: Vec<&str> = text.lines().take_while(|line| line.starts_with("//!")).collect();
    let says = |words: &str| head.iter().any(|line| line.starts_with(&format!("//! {words}:")));
    let first = head.first().is_some_and(|line| line.len() > "//! ".len());
    (!first || !says("Lives here") || !says("Must not"))
        .then(|| "does not open with a sentence, `Lives here:` and `Must not:`".to_owned())
}

/// Whether `library` stands at the beginning of a path, or is imported as it is.
fn names_crate(code: &str, library: &str) -> bool {
    code.match_indices(library).any(|(at, _)| {
        let before = code[..at].trim_end_matches(' ');
        let after = &code[at + library.len()..];
        let begins = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '"');
        let imported =
            (before.ends_with("use") || before.ends_with("crate")) && after.starts_with([';', ' ']);
        begins && (after.starts_with("::") || imported)
    })
}

/// The text without line comments: enough for the checks here, which look for paths.
fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

/// Without the tests at the end: they may look at whoever uses what they test.
fn without_tests(code: &str) -> String {
    code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned()
}

/// Dependencies that a crate's manifest may not have.
pub fn manifest(folder: &str, text: &str) -> Vec<String> {
    let Ok(table) = text.parse::<Table>() else { return vec![format!("{folder}: no TOML")] };
    let depends: Vec<(&String, &Value)> =
        table.get("dependencies").and_then(Value::as_table).into_iter().flatten().collect();
    let mut wrong = Vec::new();
    for pattern in NEVER.iter().filter(|(name, _)| *name == folder).flat_map(|(_, never)| *never) {
        let fits = |name: &str| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == *pattern,
        };
        let found = depends.iter().filter(|(name, _)| fits(name));
        wrong.extend(found.map(|(name, _)| format!("{folder}: may not depend on {name}")));
    }
    for (library, room) in OWNED {
        if !room.starts_with(&format!("{folder}/")) && depends.iter().any(|(name, _)| *name == library) {
            wrong.push(format!("{folder}: may not depend on {library}, which belongs to {room}"));
        }
    }
    let sealed = |value: &Value| value.to_string().contains("\"sealed\"");
    if folder == "relay" && depends.iter().any(|(name, value)| *name == "ahoy-proto" && sealed(value)) {
        wrong.push("relay: takes the sealed half of ahoy-proto".to_owned());
    }
    wrong
}

/// Words that no file of the project may hold: unfinished work, and paths of one machine.
pub fn words(path: &str, text: &str) -> Vec<String> {
    let never = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("X", "XX"),
        concat!("unimplemented", "!("),
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("/fa", "rm/"),
    ];
    let found = |line: &str| never.iter().find(|word| line.contains(*word)).copied();
    let lines = text.lines().enumerate();
    lines.filter_map(|(n, line)| Some(format!("{path}:{}: holds `{}`", n + 1, found(line)?))).collect()
}

/// Where the lock file takes crates from: the public registry alone.
pub fn lock_file(text: &str) -> Vec<String> {
    let public = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    let sources = text.lines().filter(|line| line.starts_with("source = "));
    sources.filter(|line| *line != public).map(|line| format!("Cargo.lock: {line}")).collect()
}

/// Files that a page names, by a link or as code: each must exist.
pub fn named_files(page: &str) -> Vec<&str> {
    let links = page.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    let code = page.split('`').skip(1).step_by(2).filter(|word| looks_like_a_file(word));
    links.filter(|link| !link.contains("://") && !link.is_empty()).chain(code).collect()
}

fn looks_like_a_file(word: &str) -> bool {
    let ends = [".rs", ".toml", ".xml", ".sh", ".py", ".md", ".service"];
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let ours = !word.starts_with(['/', '.']) && word.chars().all(plain);
    ours && word.contains('/') && (word.ends_with('/') || ends.iter().any(|end| word.ends_with(end)))
}

/// What is wrong with one entry of `ids.toml`; `tests` says whether a test of that name exists.
pub fn requirement(id: &str, entry: &Value, tests: impl Fn(&str) -> bool) -> Vec<String> {
    let Some(entry) = entry.as_table() else { return vec![format!("{id}: not a table")] };
    let mut wrong = Vec::new();
    if entry.get("is").and_then(Value::as_str).is_none_or(|says| says.trim().is_empty()) {
        wrong.push(format!("{id}: lacks its sentence"));
    }
    let ways: Vec<&str> =
        ["test", "later", "left-out"].into_iter().filter(|way| entry.contains_key(*way)).collect();
    if ways.len() != 1 {
        wrong.push(format!("{id}: needs exactly one of test, later, left-out; has {ways:?}"));
    }
    if let Some(other) =
        entry.get("later").filter(|later| !later.as_str().is_some_and(|later| CAPABILITIES.contains(&later)))
    {
        wrong.push(format!("{id}: waits for {other}, which is none of {CAPABILITIES:?}"));
    }
    let empty = |way: &&str| entry[*way].as_str().is_some_and(|text| text.trim().is_empty());
    wrong.extend(ways.iter().copied().filter(empty).map(|way| format!("{id}: `{way}` says nothing")));
    let named: Vec<&str> = match entry.get("test") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        Some(_) => vec![""],
        None => vec![],
    };
    let missing = named.into_iter().filter(|name| !tests(name));
    wrong.extend(missing.map(|name| format!("{id}: there is no test `{name}`")));
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "//! A room.\n//!\n//! Lives here: a thing.\n//! Must not: do more.\n";

    fn finds(path: &str, code: &str) -> bool {
        !rust_file(path, &format!("{HEAD}{code}")).is_empty()
    }

    #[test]
    fn a_tidy_file_passes() {
        assert!(!finds("daemon/src/bus/mod.rs", "use crate::values::board::Board;"));
    }

    #[test]
    fn a_file_without_its_head_comment_is_found() {
        for text in ["fn f() {}", "//! A room.\n", "//! A room.\n//! Lives here: x.\n"] {
            assert_eq!(rust_file("call/src/a.rs", text).len(), 1, "{text}");
        }
    }

    #[test]
    fn tests_in_a_third_place_are_found() {
        assert!(finds("relay/src/mail_tests.rs", "") && finds("relay/src/mail_tests/rig.rs", ""));
        assert!(!finds("relay/src/mail/tests.rs", "") && !finds("relay/tests/mail.rs", ""));
    }

    #[test]
    fn a_library_outside_its_room_is_found() {
        assert!(finds("daemon/src/media/session.rs", "use webrtc::peer::X;"));
        assert!(finds("daemon/src/media/session.rs", "let x: rtc::Y = 1;"));
        assert!(finds("daemon/src/engine/mod.rs", "use cpal;"));
        assert!(finds("daemon/src/contacts/mod.rs", "fn f(c: &rusqlite::Connection) {}"));
        assert!(!finds("daemon/src/media/peer/webrtc.rs", "use webrtc::peer::X; use rtc::z;"));
        assert!(!finds("daemon/src/media/session.rs", "use super::peer::webrtc::X; // webrtc::Y"));
    }

    #[test]
    fn a_clock_outside_its_room_is_found() {
        assert!(finds("daemon/src/engine/mod.rs", "let t = Instant::now();"));
        assert!(finds("call/src/phone.rs", "std::thread::sleep(d)"));
        assert!(!finds("daemon/src/system/clock.rs", "let t = Instant::now();"));
    }

    #[test]
    fn a_file_that_is_too_long_is_found() {
        assert!(finds("ctl/src/main.rs", &"\n".repeat(TOO_LONG)));
        assert!(!finds("ctl/src/main.rs", &"\n".repeat(TOO_LONG - 4)));
    }

    #[test]
    fn a_forbidden_arrow_between_crates_is_found() {
        let bad = [
            ("call", "serde = \"1\""),
            ("proto", "tokio-rustls.workspace = true"),
            ("dbus", "ahoy-call.workspace = true"),
            ("ctl", "rusqlite = \"1\""),
            ("relay", "ahoy-proto = { workspace = true, features = [\"sealed\"] }"),
            ("tests", "cpal = \"1\""),
        ];
        for (folder, line) in bad {
            assert_ne!(manifest(folder, &format!("[dependencies]\n{line}\n")), [""; 0], "{folder}: {line}");
        }
        assert_eq!(manifest("relay", "[dependencies]\nahoy-proto.workspace = true\n"), [""; 0]);
    }

    #[test]
    fn a_forbidden_word_is_found_with_its_line() {
        let text = format!("fine\n// {} later\n", concat!("TO", "DO"));
        assert!(words("a.rs", &text)[0].starts_with("a.rs:2:"));
        assert_eq!(words("b.md", "a todo list"), [""; 0]);
    }

    #[test]
    fn a_crate_from_elsewhere_is_found() {
        assert_eq!(lock_file("source = \"registry+https://mirror.example/index\"\n").len(), 1);
        assert_eq!(lock_file("source = \"git+https://github.com/a/b\"\n").len(), 1);
    }

    #[test]
    fn files_that_a_page_names_are_listed() {
        let page =
            "See [it](call/src/x.rs#here), [site](https://a.b), `daemon/src/e.rs`, `Phone`, `a b/c.rs`.";
        assert_eq!(named_files(page), ["call/src/x.rs", "daemon/src/e.rs"]);
    }

    #[test]
    fn a_requirement_that_nothing_shows_is_found() {
        let check = |text: &str| {
            let table: Table = text.parse().unwrap();
            requirement("R-1", &table["R-1"], |name| name == "it_rings")
        };
        assert_eq!(check("[R-1]\nis = 'It rings.'\ntest = 'it_rings'"), [""; 0]);
        assert_eq!(check("[R-1]\nis = 'It rings.'\nlater = 'video'"), [""; 0]);
        assert_eq!(check("[R-1]\nis = 'It rings.'\ntest = 'it_sings'").len(), 1);
        assert_eq!(check("[R-1]\nis = 'It rings.'").len(), 1);
        assert_eq!(check("[R-1]\ntest = 'it_rings'").len(), 1);
        assert_eq!(check("[R-1]\nis = 'It rings.'\ntest = 'it_rings'\nlater = 'video'").len(), 1);
        assert_eq!(check("[R-1]\nis = 'It rings.'\nlater = ''").len(), 2);
        assert_eq!(check("[R-1]\nis = 'It rings.'\nlater = 'some day'").len(), 1);
    }
}
