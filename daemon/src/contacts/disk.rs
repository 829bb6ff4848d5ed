//! The files of contacts and tokens.
//!
//! Lives here: reading all of them at the start, changing one.
//! Must not: decide what is written.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use ahoy_call::PeerId;
use ahoy_proto::card::Card;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Token;
use super::asker::{self, Asking};
use super::format::{AskingFile, ContactFile, TokenFile, VERSION, hex, peer, unhex};
use super::row::Row;
use crate::system::file::Access;
use crate::system::store::Gate;
use crate::system::{clock, file};

/// How a file of this version begins.
const PRESENT: &str = "{\"version\":1,";

/// All that could be read, and what is to be told about the rest.
pub(super) struct Loaded {
    pub(super) rows: BTreeMap<PeerId, Row>,
    /// By hash.
    pub(super) tokens: Vec<Token>,
    /// When each token that nobody uses yet was given out.
    pub(super) unused: BTreeMap<[u8; 16], i64>,
    pub(super) asking: BTreeMap<PeerId, Asking>,
    pub(super) problems: Vec<String>,
}

/// Reads everything in `dir`, making it if it is missing. A file that cannot be understood is set aside, the others live.
/// The signature of a card is checked when the card is used.
pub(super) fn load(dir: &Path) -> io::Result<Loaded> {
    let mut problems = Vec::new();
    file::make_dir(&dir.join("tokens"))?;
    file::make_dir(&asker::place(dir))?;
    // In one piece: a map that is built at once has no half-empty nodes.
    let rows = read_all(dir, contact, |path, fault| problems.push(contact_aside(path, fault)))?;
    let rows: BTreeMap<PeerId, Row> = rows.into_iter().collect();
    let tokens = read_all(&dir.join("tokens"), token, |path, fault| {
        problems.push(aside(path, fault, "the note of a card that was given out", "give out a new one"));
    })?;
    let fresh = tokens.iter().filter(|(token, _)| token.bound.is_none());
    let unused = fresh.map(|(token, issued_at)| (token.hash, *issued_at)).collect();
    let mut tokens: Vec<Token> = tokens.into_iter().map(|(token, _)| token).collect();
    tokens.sort_unstable_by_key(|token| token.hash);
    tokens.shrink_to_fit();
    let asking = read_all(&asker::place(dir), asker::read, |path, fault| {
        problems.push(aside(path, fault, "a request to be a contact", "let them add your card again"));
    })?;
    let mut asking: BTreeMap<PeerId, Asking> = asking.into_iter().collect();
    // Accepted, but not taken away before the program ended.
    asking.retain(|peer, _| !rows.contains_key(peer));
    problems.sort();
    Ok(Loaded { rows, tokens, unused, asking, problems })
}

fn read_all<F: DeserializeOwned, T>(
    dir: &Path,
    read: impl Fn(&str, F) -> Option<T>,
    mut wrong: impl FnMut(&Path, Fault),
) -> io::Result<Vec<T>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "json") || entry.file_type()?.is_dir() {
            continue;
        }
        match understand(&path, &read) {
            Ok(one) => all.push(one),
            Err(fault) => wrong(&path, fault),
        }
    }
    Ok(all)
}

pub(super) enum Fault {
    Damaged,
    Newer,
    Unreadable(io::Error),
}

/// What is in a file of this program; `read` gets the name without its ending.
pub(super) fn understand<F: DeserializeOwned, T>(
    path: &Path,
    read: impl FnOnce(&str, F) -> Option<T>,
) -> Result<T, Fault> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let text = match std::fs::read(path) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| Fault::Damaged)?,
        Err(error) => return Err(Fault::Unreadable(error)),
    };
    // As we write it. With ten thousand files it counts that each is read through once.
    if !text.starts_with(PRESENT) {
        let Version { version } = serde_json::from_str(&text).map_err(|_| Fault::Damaged)?;
        if version > VERSION {
            return Err(Fault::Newer);
        }
    }
    let stem = path.file_stem().and_then(|stem| stem.to_str()).ok_or(Fault::Damaged)?;
    let file = serde_json::from_str(&text).map_err(|_| Fault::Damaged)?;
    read(stem, file).ok_or(Fault::Damaged)
}

/// Whether a contact's file of that name (without its ending) holds one.
pub fn is_contact(stem: &str, bytes: &[u8]) -> bool {
    serde_json::from_slice(bytes).is_ok_and(|file| contact(stem, file).is_some())
}

/// The same of the note of a card that was given out.
pub fn is_token(stem: &str, bytes: &[u8]) -> bool {
    serde_json::from_slice(bytes).is_ok_and(|file| token(stem, file).is_some())
}

fn contact(stem: &str, file: ContactFile) -> Option<(PeerId, Row)> {
    let account = Card::peek(&file.card)?;
    let peer = account.peer_id();
    (hex(peer.bytes()) == stem).then(|| (peer, Row::of(account, file)))
}

fn token(stem: &str, file: TokenFile) -> Option<(Token, i64)> {
    let bound = match file.bound {
        Some(bound) => Some(peer(&bound)?),
        None => None,
    };
    let near = file.near.as_deref().and_then(unhex);
    Some((Token { hash: unhex(stem)?, bound, near }, file.issued_at))
}

/// The sentence about a contact's file that was not taken.
pub(super) fn contact_aside(path: &Path, fault: Fault) -> String {
    aside(path, fault, "a contact", "add its card again")
}

/// The sentence about a file that was not taken. A damaged one is renamed, so that it is told once.
fn aside(path: &Path, fault: Fault, what: &str, advice: &str) -> String {
    match fault {
        Fault::Newer => format!("{what} was written by a newer ahoyd and is left alone: {}", path.display()),
        Fault::Unreadable(error) => format!("{what} cannot be read ({error}): {}", path.display()),
        Fault::Damaged => {
            let kept = path.with_extension(format!("damaged-{}", clock::unix_us() / 1_000_000));
            match std::fs::rename(path, &kept) {
                Ok(()) => format!("{what} is damaged and was set aside as {}: {advice}", kept.display()),
                Err(error) => {
                    format!("{what} is damaged and cannot be set aside ({error}): {}", path.display())
                }
            }
        }
    }
}

/// What shall become of a file.
pub(super) enum Content {
    /// A contact with a new card.
    Contact(Box<ContactFile>),
    /// What a person decided about the contact; the card in the file stays, and what the daemon noted.
    Row(Box<Row>),
    /// What the daemon noted of the contact: a handshake, the time of a call. What a person decided stays.
    Noted(Box<Row>),
    /// A new token.
    Token(TokenFile),
    /// Somebody who asks to be a contact.
    Asking(Box<AskingFile>),
    /// The token belongs to this contact from now on.
    Bound(PeerId),
    /// Removed.
    Nothing,
}

/// Makes of the file at `path` what it shall be, if the gate lets it through.
pub(super) fn put(path: &Path, content: Content, gate: &Gate) -> io::Result<()> {
    let bytes = match content {
        Content::Contact(file) => serde_json::to_vec(&file)?,
        Content::Row(row) => {
            let now: ContactFile = serde_json::from_slice(&std::fs::read(path)?)?;
            let (mutual, ended, told, last_call_at) = (now.mutual, now.ended, now.told, now.last_call_at);
            serde_json::to_vec(&ContactFile { mutual, ended, told, last_call_at, ..row.file(now.card) })?
        }
        Content::Noted(row) => {
            let now: ContactFile = serde_json::from_slice(&std::fs::read(path)?)?;
            let Row { mutual, ping_there, ended, told, last_call_at, .. } = *row;
            serde_json::to_vec(&ContactFile { mutual, ping_there, ended, told, last_call_at, ..now })?
        }
        Content::Token(file) => serde_json::to_vec(&file)?,
        Content::Asking(file) => serde_json::to_vec(&file)?,
        Content::Bound(peer) => {
            let now: TokenFile = serde_json::from_slice(&std::fs::read(path)?)?;
            serde_json::to_vec(&TokenFile { bound: Some(hex(peer.bytes())), ..now })?
        }
        Content::Nothing => {
            gate.pass()?;
            return file::remove(path);
        }
    };
    file::write_past(path, &bytes, Access::Private, || gate.pass())
}
