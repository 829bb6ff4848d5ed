//! Does an account come whole or not at all, and leave with all of its own?
//!
//! Lives here: sealed files, right and wrong; a state folder before and after a start, and one that stopped in the middle.
//! Must not: start a daemon; need real keys.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Seek as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use age::secrecy::SecretString;
use ahoy_call::Moment;

use super::bundle::{Bundle, KEYS, MOST_BYTES};
use super::*;
use crate::system::store::Gate;

const JUDGES: Judges = Judges {
    whole: |_, _| Ok(Zeroizing::new(b"{}".to_vec())),
    keys: |bytes| {
        if bytes == b"ours" { Ok("address".to_owned()) } else { Err("The keys are damaged.".to_owned()) }
    },
    contact: |_, bytes| bytes.starts_with(b"a contact"),
    token: |_, bytes| bytes == b"a token",
    settings: |text| if text.contains('=') { Ok(()) } else { Err("no".to_owned()) },
};

const CONTACT: &str = "contacts/00112233445566778899aabbccddeeff.json";
const TOKEN: &str = "contacts/tokens/00112233445566778899aabbccddeeff.json";

fn secret(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

fn sealed(plain: &[u8]) -> Vec<u8> {
    let mut file = tempfile::tempfile().unwrap();
    sealed::seal(plain, secret("correct horse"), file.try_clone().unwrap()).unwrap();
    file.rewind().unwrap();
    sealed::read(&Lease(OwnedFd::from(file))).unwrap()
}

fn opened(bytes: &[u8], passphrase: &str) -> Result<Vec<u8>, String> {
    let plain = sealed::open(bytes.to_vec(), secret(passphrase)).map_err(|denied| denied.sentence)?;
    Ok(plain.to_vec())
}

#[test]
fn what_was_sealed_is_opened_by_its_passphrase_alone_and_each_failure_has_its_sentence() {
    let plain = vec![7; 100_000];
    let whole = sealed(&plain);
    assert_eq!(opened(&whole, "correct horse").unwrap(), plain);
    let says = |bytes: &[u8], passphrase: &str, what: &str| {
        let said = opened(bytes, passphrase).unwrap_err();
        assert!(said.contains(what), "{said}, and not {what}");
    };
    says(&whole, "correct horse ", "passphrase is wrong");
    says(&whole[..whole.len() - 1], "correct horse", "cut or damaged");
    says(&whole[..70_000], "correct horse", "cut or damaged");
    says(&whole[..100], "correct horse", "no exported account");
    says(b"a letter", "correct horse", "no exported account");
    says(&vec![b'\n'; 70_000], "correct horse", "no exported account");
    let mut flipped = whole.clone();
    flipped[50_000] ^= 1;
    says(&flipped, "correct horse", "cut or damaged");
}

#[test]
fn a_file_that_asks_for_more_work_than_ours_is_refused_before_it_is_done() {
    let whole = sealed(b"x");
    let at = whole.windows(4).position(|part| part == b" 18\n").unwrap();
    // 2^30 would take 1 TiB: who began it would not come back.
    for more in [b" 19\n", b" 30\n"] {
        let mut greedy = whole.clone();
        greedy[at..at + 4].copy_from_slice(more);
        let said = opened(&greedy, "correct horse").unwrap_err();
        assert!(said.contains("more work"), "{said}");
    }
}

#[test]
fn a_file_that_is_too_large_or_no_file_is_refused_unread() {
    let large = tempfile::tempfile().unwrap();
    large.set_len(u64::try_from(MOST_BYTES * 2).unwrap()).unwrap();
    let said = sealed::read(&Lease(large.into())).unwrap_err().sentence;
    assert!(said.contains("larger"), "{said}");
    let (pipe, _held) = std::os::unix::net::UnixStream::pair().unwrap();
    assert_eq!(sealed::read(&Lease(pipe.into())).unwrap_err().kind, DeniedKind::InvalidOption);
}

#[test]
fn a_passphrase_is_one_line_and_no_more_than_anybody_types() {
    let read = |bytes: &[u8]| {
        let (mut ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        ours.write_all(bytes).unwrap();
        drop(ours);
        sealed::passphrase(&Lease(theirs.into()))
    };
    for typed in ["two words", "two words\n", "two words\r\n"] {
        sealed::is_long_enough(&read(typed.as_bytes()).unwrap()).unwrap();
        assert_eq!(age::secrecy::ExposeSecret::expose_secret(&read(typed.as_bytes()).unwrap()), "two words");
    }
    for wrong in [&b""[..], b"\n", b"\xff\xfe", &[b'a'; 5_000]] {
        assert_eq!(read(wrong).unwrap_err().kind, DeniedKind::InvalidOption);
    }
    assert!(sealed::is_long_enough(&secret("seven77")).is_err());
}

/// Each look at the clock is a second later, and one more byte lies there.
#[test]
fn a_passphrase_that_drips_has_its_time_as_a_whole_and_not_for_each_byte() {
    let (mut ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut looks = 0;
    let clock = || {
        looks += 1;
        ours.write_all(b"a").unwrap();
        Moment::from_micros(looks * 1_000_000)
    };
    let denied = sealed::passphrase_by(clock, &Lease(theirs.into())).unwrap_err();
    assert!(denied.sentence.contains("No passphrase came"), "{denied:?}");
    assert_eq!(looks, 11, "ten seconds after the first look");
}

#[test]
fn what_is_in_a_file_is_an_account_of_ours_or_nothing_of_it_is_taken() {
    let read = |text: &str| Bundle::read(text.as_bytes()).map(|_| ()).map_err(|denied| denied.sentence);
    assert_eq!(read(r#"{"ahoy-account":1,"files":{}}"#), Ok(()));
    assert!(read(r#"{"ahoy-account":2,"files":{}}"#).unwrap_err().contains("newer"));
    assert!(read("[]").unwrap_err().contains("no account"));
    for name in [
        "../own.json",
        "/etc/passwd",
        "contacts/../../x.json",
        "contacts/tokens/../own.json",
        "contacts/00112233445566778899AABBCCDDEEFF.json",
        "identity/own.json.new",
        "leaving",
        "come/plan.json",
    ] {
        let text = serde_json::json!({"ahoy-account": 1, "files": {name: "x"}}).to_string();
        assert!(read(&text).unwrap_err().contains("damaged"), "{name}");
    }
}

/// A state folder with these files in it.
fn state(files: &[(&str, &str)]) -> (tempfile::TempDir, Paths) {
    let dir = tempfile::tempdir().unwrap();
    let paths = Paths { config: dir.path().join("config/config.toml"), state: dir.path().join("state") };
    for folder in ["state/identity", "state/contacts/tokens", "config"] {
        fs::create_dir_all(dir.path().join(folder)).unwrap();
    }
    for (name, text) in files {
        fs::write(paths.state.join(name), text).unwrap();
    }
    fs::write(&paths.config, "old = true").unwrap();
    (dir, paths)
}

/// All files below a folder, with what is in them.
fn all(below: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![below.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(below).unwrap().display().to_string();
                let aside = name.strip_prefix("aside-").and_then(|rest| rest.split_once('/'));
                let name = aside.map_or(name.clone(), |(_, rest)| format!("aside/{rest}"));
                found.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    found
}

const OLD: [(&str, &str); 5] = [
    (KEYS, "theirs"),
    ("contacts/ff.json", "old"),
    ("groups.json", "old groups"),
    ("history.db", "old calls"),
    ("history.db-wal", "tail"),
];

fn bundle() -> Bundle {
    let mut bundle = Bundle::new();
    for (name, text) in
        [(KEYS, "ours"), (CONTACT, "a contact"), (TOKEN, "a token"), ("config.toml", "new = 1")]
    {
        bundle.files.insert(name.to_owned(), text.to_owned());
    }
    bundle.set_history(b"new calls");
    bundle
}

#[test]
fn an_account_that_came_is_in_use_after_the_next_start_and_what_was_here_is_kept() {
    let (_dir, paths) = state(&OLD);
    let before = all(&paths.state);
    assert_eq!(stage::stage(&paths, &bundle(), JUDGES).unwrap(), "address");
    assert_eq!(settle(&paths).unwrap(), Settled::default(), "what was not decided does not happen");
    assert_eq!(all(&paths.state), before);
    stage::stage(&paths, &bundle(), JUDGES).unwrap();
    assert_eq!(fs::metadata(paths.coming().join(KEYS)).unwrap().permissions().mode() & 0o777, 0o600);
    come(&paths, &Gate::default()).unwrap();
    assert_eq!(fs::read_to_string(paths.state.join(KEYS)).unwrap(), "theirs", "not before the next start");
    let aside = settle(&paths).unwrap().came.unwrap();
    let now = all(&paths.state);
    let is = |name: &str, text: &str| assert_eq!(now.get(name).map(String::as_str), Some(text), "{name}");
    is(KEYS, "ours");
    is(CONTACT, "a contact");
    is(TOKEN, "a token");
    is("groups.json", "[]");
    is("history.db", "new calls");
    for (name, text) in OLD {
        is(&format!("aside/{name}"), text);
    }
    is("aside/config.toml", "old = true");
    assert_eq!(now.len(), 11, "{now:?}");
    assert_eq!(fs::read_to_string(&paths.config).unwrap(), "new = 1");
    assert_eq!(fs::metadata(aside).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(settle(&paths).unwrap(), Settled::default(), "once");
    assert_eq!(all(&paths.state), now);
}

#[test]
fn a_file_of_which_one_part_is_wrong_changes_nothing() {
    for (name, text) in [(KEYS, "others"), (CONTACT, "no"), (TOKEN, "no"), ("config.toml", "nonsense")] {
        let (_dir, paths) = state(&OLD);
        let before = all(&paths.state);
        let mut bundle = bundle();
        bundle.files.insert(name.to_owned(), text.to_owned());
        let denied = stage::stage(&paths, &bundle, JUDGES).unwrap_err();
        assert!(
            denied.sentence.contains("damaged") && denied.sentence.contains("hing was changed"),
            "{denied:?}"
        );
        assert_eq!(all(&paths.state), before, "{name}");
    }
    let (_dir, paths) = state(&OLD);
    let mut without = bundle();
    without.files.remove(KEYS);
    assert!(stage::stage(&paths, &without, JUDGES).is_err());
}

/// The machine stops after each of the renames in turn; the next start goes on.
#[test]
fn a_machine_that_stops_in_the_middle_loses_neither_account() {
    let done = {
        let (_dir, paths) = state(&OLD);
        stage::stage(&paths, &bundle(), JUDGES).unwrap();
        come(&paths, &Gate::default()).unwrap();
        settle(&paths).unwrap();
        all(&paths.state)
    };
    // What `take_in` renames, in its order: away, and in its place.
    let steps = ["identity", "contacts", "groups.json", "history.db-wal", "history.db"];
    for stop in 0..=steps.len() * 2 {
        let (_dir, paths) = state(&OLD);
        stage::stage(&paths, &bundle(), JUDGES).unwrap();
        come(&paths, &Gate::default()).unwrap();
        let plan: stage::Plan =
            serde_json::from_slice(&fs::read(paths.come().join("plan.json")).unwrap()).unwrap();
        let aside = paths.state.join(plan.aside);
        fs::create_dir(&aside).unwrap();
        for step in 0..stop {
            let part = steps[step / 2];
            let (from, to) = match step % 2 {
                0 => (paths.state.join(part), aside.join(part)),
                _ => (paths.come().join(part), paths.state.join(part)),
            };
            if from.exists() {
                fs::rename(from, to).unwrap();
            }
        }
        settle(&paths).unwrap();
        assert_eq!(all(&paths.state), done, "stopped after {stop} steps");
    }
}

#[test]
fn an_account_that_left_leaves_nothing_of_its_own_and_the_calls_unless_they_are_to_go() {
    for history in [false, true] {
        let (_dir, paths) = state(&OLD);
        fs::write(paths.state.join("chosen.json"), "{}").unwrap();
        fs::write(paths.state.join("replay.log"), "x").unwrap();
        Leaving { history }.decide(&paths, &Gate::default()).unwrap();
        assert_eq!(
            fs::read_to_string(paths.state.join(KEYS)).unwrap(),
            "theirs",
            "not before the next start"
        );
        assert!(settle(&paths).unwrap().left);
        let left = all(&paths.state);
        let names: Vec<&str> = left.keys().map(String::as_str).collect();
        let calls: &[&str] =
            if history { &["chosen.json"] } else { &["chosen.json", "history.db", "history.db-wal"] };
        assert_eq!(names, calls);
        assert_eq!(settle(&paths).unwrap(), Settled::default());
    }
}
