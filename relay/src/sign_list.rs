//! `ahoy-relay sign-list`: a list of relays for phones, signed, and the keys that sign such lists.
//!
//! Lives here: the file of a key, the list that follows another, where both are written.
//! Must not: publish a list, or know what phones make of it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use ahoy_proto::limits;
use ahoy_proto::relay_list::{ListKey, Lists, RelayList, Said};
use anyhow::{Context as _, Result, bail, ensure};
use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::SigningKey;
use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::cli::SignList;

/// The longest file of a key that is read: 43 letters and the end of their line.
const KEY_BYTES: u64 = 64;

/// Does what is wanted, and returns what is printed.
pub fn run(wanted: &SignList) -> Result<String> {
    if let Some(file) = &wanted.new_key {
        return new_key(file).with_context(|| format!("making a key in {}", file.display()));
    }
    let (Some(file), now_s) = (&wanted.key, Timestamp::now().as_second()) else { bail!("--key is missing") };
    let key = read_key(file).with_context(|| format!("reading the key in {}", file.display()))?;
    let mut lists = match &wanted.after {
        Some(file) => read_lists(file).with_context(|| format!("reading the list in {}", file.display()))?,
        None => Lists::default(),
    };
    let list = RelayList::sign(&key, &said(wanted, &key, &lists, now_s)?)?;
    lists.push(list)?;
    let text = lists.to_text();
    let Some(output) = &wanted.output else { return Ok(text) };
    replace(output, &text).with_context(|| format!("writing {}", output.display()))?;
    Ok(String::new())
}

fn said(wanted: &SignList, key: &SigningKey, before: &Lists, now_s: i64) -> Result<Said> {
    let last = before.last().map_or(0, |list| list.said.serial);
    let serial = match wanted.serial {
        Some(serial) => serial,
        None => last.checked_add(1).context("no serial is left after the last one")?,
    };
    let next = wanted.next_keys.iter().map(|text| {
        ListKey::parse(text)
            .with_context(|| format!("{text} is no public half of a key: --new-key prints one"))
    });
    let mut keys = next.collect::<Result<Vec<ListKey>>>()?;
    if keys.is_empty() {
        keys.push(ListKey::of(key));
    }
    let expires_s = now_s.saturating_add(i64::from(wanted.days) * 86_400);
    Ok(Said { serial, issued_s: now_s, expires_s, relays: wanted.relays.clone(), keys })
}

/// Makes a key that nobody else can read, and returns its public half. A file that is there stays.
fn new_key(file: &Path) -> Result<String> {
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(secret.as_mut()).map_err(|_| io::Error::other("the system has no random numbers"))?;
    let text = Zeroizing::new(BASE64URL_NOPAD.encode(secret.as_ref()) + "\n");
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    Ok(format!("{}\n", ListKey::of(&SigningKey::from_bytes(&secret))))
}

fn read_key(file: &Path) -> Result<SigningKey> {
    let about = fs::metadata(file)?;
    ensure!(about.permissions().mode() & 0o077 == 0, "others can read it: chmod 600 it");
    ensure!(about.len() <= KEY_BYTES, "it is no key that --new-key made");
    let text = Zeroizing::new(fs::read_to_string(file)?);
    let bytes = BASE64URL_NOPAD.decode(text.trim_ascii().as_bytes()).ok().map(Zeroizing::new);
    let secret = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok()).map(Zeroizing::new);
    let secret = secret.context("it is no key that --new-key made")?;
    Ok(SigningKey::from_bytes(&secret))
}

fn read_lists(file: &Path) -> Result<Lists> {
    let most = u64::try_from(limits::RELAY_LIST_BYTES).unwrap_or(u64::MAX);
    ensure!(fs::metadata(file)?.len() <= most, "it is longer than any list");
    Ok(Lists::parse(&fs::read_to_string(file)?)?)
}

/// Whole or not at all: a web server may be reading it.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    let beside = Path::new(&beside);
    let mut out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(beside)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    fs::rename(beside, file)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Command, Options};

    /// As if it was typed.
    fn sign_list(arguments: &[&str]) -> Result<String> {
        let options = Options::try_parse_from(["ahoy-relay", "sign-list"].iter().chain(arguments))?;
        let Some(Command::SignList(wanted)) = options.command else { bail!("not taken for the command") };
        run(&wanted)
    }

    #[test]
    fn a_key_is_made_signs_and_hands_over_to_another() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name).display().to_string();
        let (one, two, list) = (place("one"), place("two"), place("list"));
        let public = sign_list(&["--new-key", &one]).unwrap();
        let root = ListKey::parse(public.trim()).unwrap();
        assert_eq!(fs::metadata(&one).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(sign_list(&["--new-key", &one]).is_err(), "a key is never overwritten");
        let next = sign_list(&["--new-key", &two]).unwrap();

        let relay = ["--relay", "wss://a.example", "--relay", "wss://b.example"];
        let begin = [&["--key", &one, "-o", &list][..], &relay].concat();
        assert_eq!(sign_list(&begin).unwrap(), "");
        let go_on = [&["--key", &one, "--after", &list, "-o", &list, "--next-key", next.trim()][..], &relay];
        sign_list(&go_on.concat()).unwrap();
        let refused = sign_list(&[&["--key", &one, "--after", &list][..], &relay].concat()).unwrap_err();
        assert!(refused.to_string().contains("replaced"), "{refused}");
        let printed = sign_list(&[&["--key", &two, "--after", &list][..], &relay].concat()).unwrap();

        let now_s = Timestamp::now().as_second();
        let lists = Lists::parse(&printed).unwrap();
        let newest = lists.newest(&[root], None, now_s).unwrap().unwrap();
        assert_eq!((newest.said.serial, newest.said.relays.len()), (3, 2));
        assert!(newest.by.to_string() == next.trim() && newest.said.expires_s > now_s + 29 * 86_400);
    }

    #[test]
    fn a_key_whose_first_letter_is_a_hyphen_is_a_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key").display().to_string();
        sign_list(&["--new-key", &file]).unwrap();
        let point = |n: u8| SigningKey::from_bytes(&[n; 32]);
        let key = (0..=u8::MAX).map(|n| ListKey::of(&point(n)).to_string()).find(|key| key.starts_with('-'));
        let key = key.expect("one of 64 is such a key");
        let text = sign_list(&["--key", &file, "--next-key", &key, "--relay", "wss://a.example"]).unwrap();
        let said = Lists::parse(&text).unwrap().last().unwrap().said.clone();
        assert_eq!(said.keys, [ListKey::parse(&key).unwrap()]);
    }

    #[test]
    fn what_no_phone_would_take_is_not_signed() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key").display().to_string();
        sign_list(&["--new-key", &key]).unwrap();
        for wrong in [
            &["--relay", "ws://a.example"][..],
            &["--relay", "wss://a.example", "--days", "401"],
            &["--relay", "wss://a.example", "--days", "0"],
            &["--relay", "wss://a.example", "--serial", "0"],
            &["--relay", "wss://a.example", "--next-key", "x"],
            &[],
        ] {
            assert!(sign_list(&[&["--key", &key][..], wrong].concat()).is_err(), "{wrong:?}");
        }
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(
            sign_list(&["--key", &key, "--relay", "wss://a.example"]).is_err(),
            "others can read the key"
        );
    }
}
