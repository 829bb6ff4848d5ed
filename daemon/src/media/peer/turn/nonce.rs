//! Requests under a nonce that a TURN server takes no more (438, RFC 8489 §9.2.4). Of a channel that is renewed so the library makes a
//! new one, which no server grants beside the old: the path is dead from there on.
//!
//! Lives here: which requests are open, and the same one under the nonce that the server names, pure. The library hears of the last
//! answer alone.
//! Must not: send; change what else a request says; sign what the library has not signed.

use std::collections::VecDeque;
use std::net::SocketAddr;

use rtc::crypto::default_provider;
use rtc::stun::attributes::{
    ATTR_FINGERPRINT, ATTR_MESSAGE_INTEGRITY, ATTR_NONCE, ATTR_REALM, ATTR_USERNAME, AttrType,
};
use rtc::stun::error_code::{CODE_STALE_NONCE, ErrorCodeAttribute};
use rtc::stun::fingerprint::FINGERPRINT;
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{Getter as _, Message, Setter as _};

use crate::values::ice::IceServer;

/// Requests that are remembered at once: a client has few under way.
const MOST_OPEN: usize = 16;
/// So often one is signed anew. The library repeats it six times, and each of those may be refused.
const MOST_TIMES: usize = 8;
/// The longest request that is remembered.
const LONGEST: usize = 1_024;
/// The longest nonce (RFC 8489 §14.10).
const LONGEST_NONCE: usize = 763;
/// Requests to renew an allocation, a permission and a channel, by the end of their types (RFC 8656 §17). All begin with a zero.
const REFRESH: u8 = 4;
const CREATE_PERMISSION: u8 = 8;
const CHANNEL_BIND: u8 = 9;
/// What an answer adds to that: it is one, and an error (RFC 8489 §5).
const ANSWER: u8 = 1;
const ERROR: u8 = 0x10;

/// A STUN message of one of these three kinds, by its head.
struct Head {
    method: u8,
    answer: bool,
    error: bool,
    transaction: Transaction,
}

type Transaction = [u8; 12];

impl Head {
    fn of(datagram: &[u8]) -> Option<Self> {
        let [high, low, ..] = *datagram else { return None };
        let (answer, error, method) = (high == ANSWER, low & ERROR != 0, low & !ERROR);
        let ours = high <= ANSWER && [REFRESH, CREATE_PERMISSION, CHANNEL_BIND].contains(&method);
        let transaction = datagram.get(8..20)?.try_into().ok()?;
        ours.then_some(Self { method, answer, error, transaction })
    }
}

/// What becomes of a datagram that came.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Came {
    /// This goes to where it came from.
    pub(super) again: Option<Vec<u8>>,
    /// The library does not hear of it.
    pub(super) kept_back: bool,
}

/// See the head of this file.
pub(in super::super) struct Requests {
    /// Names and passwords.
    credentials: Vec<(String, String)>,
    open: VecDeque<Open>,
}

struct Open {
    to: SocketAddr,
    transaction: Transaction,
    request: Vec<u8>,
    /// So often it was signed anew.
    times: usize,
}

impl std::fmt::Debug for Requests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Requests").field("open", &self.open.len()).finish_non_exhaustive()
    }
}

/// Whether a datagram is one of those, or an answer to one.
pub(super) fn concerns(datagram: &[u8]) -> bool {
    Head::of(datagram).is_some()
}

impl Requests {
    pub(in super::super) fn new(servers: &[IceServer]) -> Self {
        let credentials = servers.iter().map(|it| (it.username.clone(), it.credential.clone())).collect();
        Self { credentials, open: VecDeque::new() }
    }

    /// The library sent a datagram to this address.
    pub(super) fn went(&mut self, to: SocketAddr, datagram: &[u8]) {
        let Some(Head { answer: false, error: false, transaction, .. }) = Head::of(datagram) else { return };
        let known = self.open.iter().any(|open| open.to == to && open.transaction == transaction);
        if known || datagram.len() > LONGEST {
            return;
        }
        if self.open.len() == MOST_OPEN {
            self.open.pop_front();
        }
        self.open.push_back(Open { to, transaction, request: datagram.to_vec(), times: 0 });
    }

    /// A datagram came from there.
    pub(super) fn came(&mut self, from: SocketAddr, datagram: &[u8]) -> Came {
        let nothing = Came::default();
        let Some(Head { method, answer: true, error, transaction }) = Head::of(datagram) else {
            return nothing;
        };
        let is_it = |open: &Open| open.to == from && open.transaction == transaction;
        let Some(place) = self.open.iter().position(is_it) else { return nothing };
        let open = &mut self.open[place];
        let again = error.then(|| read(datagram)).flatten().filter(|_| open.times < MOST_TIMES);
        let again = again.and_then(|refusal| signed_anew(&open.request, &refusal, &self.credentials));
        open.times += 1;
        if again.is_none() {
            self.open.remove(place);
        }
        // From a refused Refresh the library learns the nonce, and loses nothing by it.
        Came { kept_back: again.is_some() && method != REFRESH, again }
    }
}

fn read(datagram: &[u8]) -> Option<Message> {
    let mut message = Message::new();
    message.unmarshal_binary(datagram).ok()?;
    Some(message)
}

fn text(message: &Message, kind: AttrType) -> Option<String> {
    String::from_utf8(message.get(kind).ok()?).ok()
}

/// The request under the nonce of an answer that refuses it for an old one; none if it does not, or is about another realm. Signed
/// with that of the credentials with which the library signed it.
fn signed_anew(request: &[u8], refusal: &Message, credentials: &[(String, String)]) -> Option<Vec<u8>> {
    let mut code = ErrorCodeAttribute::default();
    code.get_from(refusal).ok().filter(|()| code.code == CODE_STALE_NONCE)?;
    let nonce = refusal.get(ATTR_NONCE).ok().filter(|nonce| nonce.len() <= LONGEST_NONCE)?;
    let mut old = read(request)?;
    let (name, realm) = (text(&old, ATTR_USERNAME)?, text(&old, ATTR_REALM)?);
    if text(refusal, ATTR_REALM).is_some_and(|other| other != realm) {
        return None;
    }
    let provider = default_provider().ok()?;
    let crypto = provider.crypto();
    let mut keys = credentials.iter().filter(|(known, _)| *known == name).filter_map(|(name, password)| {
        let (name, password) = (name.clone(), password.clone());
        MessageIntegrity::long_term_integrity_key(name, realm.clone(), password, crypto).ok()
    });
    let key = keys.find(|key| MessageIntegrity::check(&mut old, key, crypto).is_ok())?;
    let mut new = Message::new();
    (new.typ, new.transaction_id) = (old.typ, old.transaction_id);
    new.write_header();
    for attribute in &old.attributes.0 {
        match attribute.typ {
            ATTR_NONCE => new.add(ATTR_NONCE, &nonce),
            ATTR_MESSAGE_INTEGRITY | ATTR_FINGERPRINT => {}
            kind => new.add(kind, &attribute.value),
        }
    }
    MessageIntegrity::new_raw_integrity_with_provider(key, crypto).add_to(&mut new).ok()?;
    FINGERPRINT.add_to(&mut new).ok()?;
    Some(new.raw)
}

#[cfg(test)]
pub(super) mod tests;
