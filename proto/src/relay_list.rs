//! A signed list of relays, as who runs some publishes it, and its changes of keys.
//!
//! Lives here: its text, its bounds, the signature, and which of two lists counts.
//! Must not: fetch or keep a list, read a clock.
//!
//! The text has one line a signed list. The last is the one that counts. Those before it are there because each named keys
//! that may sign the following ones: who knows nothing but the first key comes by them to the present one.

#[cfg(test)]
mod tests;

use std::fmt;
use std::slice;

use ed25519_dalek::{SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::relay_url::RelayUrl;
use crate::signed::{is_signed, key, sign};
use crate::{armor, limits};

/// How each line begins; the digit is its version.
pub const PREFIX: &str = "ahoy-relays:1";

/// What a signature over a list begins with.
const DOMAIN: &[u8] = b"ahoy relay list 1\0";
/// How far our clock may be behind the one that signed.
const CLOCK_SLACK_S: i64 = 86_400;

/// Why a list does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// Longer than [`limits::RELAY_LIST_BYTES`], or of more lines than [`limits::RELAY_LIST_LINES`].
    #[error("the list of relays is too long")]
    TooLong,
    /// No line of it begins with [`PREFIX`], or one does not.
    #[error("this is no list of relays: a line of one begins with \"ahoy-relays:1\"")]
    NoList,
    /// Not base64url, no JSON of the right shape, unusable keys, a serial of 0 or none that rises.
    #[error("the list of relays is malformed")]
    Malformed,
    /// No relay, too many, one twice, or an address that is none.
    #[error("the list names no relay, more than 8, one of them twice, or an address that is none")]
    BadRelays,
    /// No key for the next list, or more than [`limits::RELAY_LIST_KEYS`].
    #[error("the list names no key for the next one, or more than 4")]
    BadKeys,
    /// Ends before it begins, or is to live longer than [`limits::RELAY_LIST_LIVES`].
    #[error("the list is good for less than a day or for more than 400")]
    BadTimes,
    /// The key that it names did not sign it.
    #[error("the list is not signed by the key that it names")]
    BadSignature,
    /// Nobody that is believed signed it.
    #[error("the list is signed by a key that is not in the configuration")]
    ForeignKey,
    /// A list that we have seen handed the right to sign over to other keys.
    #[error("the list is signed by a key that was replaced")]
    Replaced,
    /// A newer one was seen before.
    #[error("the list is older than one that was seen before")]
    Older,
    /// Its time is over.
    #[error("the list has expired")]
    Expired,
    /// It was signed in the future of our clock.
    #[error("the list is from the future: is the clock right?")]
    NotYet,
}

/// A key that may sign lists, as everybody may know it. Shown as base64url.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ListKey([u8; 32]);

impl ListKey {
    /// Reads what [`fmt::Display`] shows. `None` for what can verify nothing.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = <[u8; 32]>::try_from(armor::decode(text)?).ok()?;
        key(&bytes).map(|_| Self(bytes))
    }

    /// The public half of a key.
    pub fn of(secret: &SigningKey) -> Self {
        Self(secret.verifying_key().to_bytes())
    }

    fn verifies(self) -> Option<VerifyingKey> {
        key(&self.0)
    }
}

impl fmt::Display for ListKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&armor::encode(&self.0))
    }
}

impl fmt::Debug for ListKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a list says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Rises with each list, from 1.
    pub serial: u64,
    /// In seconds since the Unix epoch.
    pub issued_s: i64,
    /// From then on it counts no more.
    pub expires_s: i64,
    /// One to eight, those first that are to be used first.
    pub relays: Vec<String>,
    /// Who may sign the next one.
    pub keys: Vec<ListKey>,
}

/// One signed list. Exists only with a valid signature of the key that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayList {
    /// What it says.
    pub said: Said,
    /// Who signed it.
    pub by: ListKey,
    signed: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Body {
    #[serde(with = "armor")]
    by: [u8; 32],
    serial: u64,
    issued: i64,
    expires: i64,
    relays: Vec<String>,
    keys: Vec<String>,
}

impl RelayList {
    /// Signs one.
    pub fn sign(with: &SigningKey, said: &Said) -> Result<Self, ListError> {
        let body = Body {
            by: with.verifying_key().to_bytes(),
            serial: said.serial,
            issued: said.issued_s,
            expires: said.expires_s,
            relays: said.relays.clone(),
            keys: said.keys.iter().map(ListKey::to_string).collect(),
        };
        let body = serde_json::to_vec(&body).map_err(|_| ListError::Malformed)?;
        Self::from_bytes(sign(with, DOMAIN, &body))
    }

    fn from_bytes(signed: Vec<u8>) -> Result<Self, ListError> {
        let (_, body) = signed.split_first_chunk::<64>().ok_or(ListError::Malformed)?;
        let body: Body = serde_json::from_slice(body).map_err(|_| ListError::Malformed)?;
        let by = ListKey(body.by);
        let verifies = by.verifies().ok_or(ListError::Malformed)?;
        if !is_signed(&verifies, DOMAIN, &signed) {
            return Err(ListError::BadSignature);
        }
        if body.serial == 0 {
            return Err(ListError::Malformed);
        }
        if !are_relays(&body.relays) {
            return Err(ListError::BadRelays);
        }
        let keys: Option<Vec<ListKey>> = body.keys.iter().map(|text| ListKey::parse(text)).collect();
        let keys = keys.ok_or(ListError::Malformed)?;
        if !(1..=limits::RELAY_LIST_KEYS).contains(&keys.len()) {
            return Err(ListError::BadKeys);
        }
        let most = i64::try_from(limits::RELAY_LIST_LIVES.as_secs()).unwrap_or(i64::MAX);
        let lives = body.expires.checked_sub(body.issued).ok_or(ListError::BadTimes)?;
        if body.issued < 0 || !(86_400..=most).contains(&lives) {
            return Err(ListError::BadTimes);
        }
        let said = Said {
            serial: body.serial,
            issued_s: body.issued,
            expires_s: body.expires,
            relays: body.relays,
            keys,
        };
        Ok(Self { said, by, signed })
    }
}

/// Each an address, none twice.
fn are_relays(relays: &[String]) -> bool {
    let read: Option<Vec<RelayUrl>> = relays.iter().map(|url| RelayUrl::parse(url).ok()).collect();
    let different = |urls: Vec<RelayUrl>| urls.iter().enumerate().all(|(n, url)| !urls[..n].contains(url));
    (1..=limits::RELAY_LIST_RELAYS).contains(&relays.len()) && read.is_some_and(different)
}

/// What was taken of lists before: none older counts again, and who may sign the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The highest.
    pub serial: u64,
    /// Those of that list.
    pub keys: Vec<ListKey>,
}

/// The text: some lists, each with the signature of the key that it names. Whether that is believed, [`Lists::newest`] says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists(Vec<RelayList>);

impl Lists {
    /// Reads a text that anybody may have written.
    pub fn parse(text: &str) -> Result<Self, ListError> {
        if text.len() > limits::RELAY_LIST_BYTES {
            return Err(ListError::TooLong);
        }
        let mut lists: Vec<RelayList> = Vec::new();
        for line in text.split_ascii_whitespace() {
            if lists.len() == limits::RELAY_LIST_LINES {
                return Err(ListError::TooLong);
            }
            let armored = line.strip_prefix(PREFIX).ok_or(ListError::NoList)?;
            let list = RelayList::from_bytes(armor::decode(armored).ok_or(ListError::Malformed)?)?;
            if lists.last().is_some_and(|before| before.said.serial >= list.said.serial) {
                return Err(ListError::Malformed);
            }
            lists.push(list);
        }
        if lists.is_empty() { Err(ListError::NoList) } else { Ok(Self(lists)) }
    }

    /// One line each.
    pub fn to_text(&self) -> String {
        self.0.iter().map(|list| format!("{PREFIX}{}\n", armor::encode(&list.signed))).collect()
    }

    /// The one that counts, whoever signed it.
    pub fn last(&self) -> Option<&RelayList> {
        self.0.last()
    }

    /// Puts a new list behind the others, for who signs it. Lines that nobody needs any more to come to its key go.
    pub fn push(&mut self, list: RelayList) -> Result<(), ListError> {
        if let Some(last) = self.last() {
            if list.said.serial <= last.said.serial {
                return Err(ListError::Older);
            }
            if !last.said.keys.contains(&list.by) {
                return Err(ListError::Replaced);
            }
        }
        while let Some((last, before)) = self.0.split_last() {
            let known = before.last().map_or(slice::from_ref(&last.by), |list| &list.said.keys);
            if !known.contains(&list.by) {
                break;
            }
            self.0.pop();
        }
        self.0.push(list);
        if self.0.len() > limits::RELAY_LIST_LINES || self.to_text().len() > limits::RELAY_LIST_BYTES {
            return Err(ListError::TooLong);
        }
        Ok(())
    }

    /// The newest list, if there is a newer one than was taken before; none if that is still the newest. `roots` are believed where
    /// nothing was taken yet.
    pub fn newest(
        &self,
        roots: &[ListKey],
        taken: Option<&Taken>,
        now_s: i64,
    ) -> Result<Option<&RelayList>, ListError> {
        let (mut serial, mut keys) = taken.map_or((0, roots), |taken| (taken.serial, &taken.keys[..]));
        let mut newer = None;
        for list in self.0.iter().filter(|list| taken.is_none_or(|it| list.said.serial > it.serial)) {
            if !keys.contains(&list.by) {
                return Err(if serial == 0 { ListError::ForeignKey } else { ListError::Replaced });
            }
            (serial, keys, newer) = (list.said.serial, &list.said.keys, Some(list));
        }
        let Some(list) = newer else {
            let older = self.last().is_none_or(|last| last.said.serial < serial);
            return if older { Err(ListError::Older) } else { Ok(None) };
        };
        if list.said.expires_s <= now_s {
            return Err(ListError::Expired);
        }
        if list.said.issued_s > now_s.saturating_add(CLOCK_SLACK_S) {
            return Err(ListError::NotYet);
        }
        Ok(Some(list))
    }
}
