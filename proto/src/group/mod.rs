//! What members of a group say of themselves, signed; and how that travels.
//!
//! Lives here: an entry of a group's log with its signature and its author's call card; `News` ⇄ bytes, total and bounded.
//! Must not: judge who has a place in a call, or what entries come to (`ahoy_call::group` does).
//!
//! An entry is signed by its author's device, over the call that it is of: it counts nowhere else. Who passes it on passes the
//! signed bytes on. The rules have our own entries unsigned; [`seal`] signs them before a message is written, each time into the
//! same bytes (RFC 8032).

#[cfg(test)]
mod tests;
mod wire;

use ahoy_call::group::{Entry, News, Start, Statement};
use ahoy_call::{LegId, Message, Opaque, PeerId};
use blake2::{Blake2s256, Digest as _};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

use crate::card::InboxAt;
use crate::codec_error::CodecError;
use crate::envelope::{Inbox, Token};
use crate::identity::{DeviceCertificate, is_signed, sign};
use crate::relay_url::RelayUrl;
use crate::words::{NAME, Words};
use crate::{armor, limits};

pub(crate) use wire::WireNews;
use wire::{WireStart, WireStatement};

/// What a signature of a device over its entry begins with.
const DOMAIN: &[u8] = b"ahoy group entry 1\0";

/// What its author gives with an entry, so that members who are no contacts of theirs can open a session with them, for this call
/// alone. Exists only with a valid signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallCard {
    /// Whose device it is.
    pub certificate: DeviceCertificate,
    /// Where it takes mail, at most four.
    pub inboxes: Vec<InboxAt>,
    /// How its owner calls themselves; may be empty.
    pub name: Words,
    /// How its owner calls the named group that the call is of; empty where it is of none.
    pub group: Words,
    /// The right to write there, made for this call and dropped with it.
    pub token: Token,
}

/// Who signs our own entries, and where we are reached for this call.
pub struct Sealer<'a> {
    /// The key of this device.
    pub device: &'a SigningKey,
    /// What goes with it. The same for the whole of a call: else the same statement would be signed into two prints.
    pub card: &'a CallCard,
}

/// An entry as it is signed.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Body {
    start: WireStart,
    certificate: DeviceCertificate,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    inboxes: Vec<WireInbox>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    group: String,
    token: Token,
    statement: WireStatement,
}

#[derive(Serialize, Deserialize)]
struct WireInbox {
    relay: String,
    inbox: Inbox,
}

/// An entry with its seal checked, and what else its author signed.
struct Opened {
    start: Start,
    statement: Statement,
    card: CallCard,
}

/// Signs what of the message is our own, so that it can be written. Does nothing to what is signed already.
///
/// # Errors
/// If the card is outside its bounds.
pub fn seal(message: &mut Message, sealer: &Sealer<'_>) -> Result<(), CodecError> {
    if let Message::Invite { news, .. } | Message::Log(news) = message {
        seal_news(news, sealer)?;
    }
    Ok(())
}

fn seal_news(news: &mut News, sealer: &Sealer<'_>) -> Result<(), CodecError> {
    let own = sealer.card.certificate.leg_id();
    let start = news.start;
    for entry in news.entries.iter_mut().filter(|entry| entry.author == own && entry.seal.0.is_empty()) {
        entry.seal = Opaque(signed(start, &entry.statement, sealer)?);
        entry.print = print(&entry.seal.0);
    }
    // The head of our own tells the print of the entry that it stands for, if that goes with it; else the receiver has it already.
    let known: Vec<(u32, u64)> = news
        .entries
        .iter()
        .filter(|entry| entry.author == own)
        .map(|entry| (entry.statement.number, entry.print))
        .collect();
    for head in news.heads.iter_mut().filter(|head| head.author == own) {
        let of = known.iter().find(|(number, _)| *number == head.number);
        head.print = of.map_or(0, |(_, print)| *print);
    }
    Ok(())
}

fn signed(start: Start, statement: &Statement, sealer: &Sealer<'_>) -> Result<Vec<u8>, CodecError> {
    let CallCard { certificate, inboxes, name, group, token } = sealer.card;
    let body = Body {
        start: WireStart::of(start),
        certificate: certificate.clone(),
        inboxes: inboxes.iter().map(|at| WireInbox { relay: at.relay.clone(), inbox: at.inbox }).collect(),
        name: name.to_string(),
        group: group.to_string(),
        token: *token,
        statement: WireStatement::of(statement),
    };
    let body = serde_json::to_vec(&body).map_err(|_| CodecError::Malformed)?;
    let signed = sign(sealer.device, DOMAIN, &body);
    if signed.len() > limits::GROUP_ENTRY_BYTES { Err(CodecError::TooLong) } else { Ok(signed) }
}

/// Reads what an author signed, and checks all of it: the account's word for the device, the device's for the entry.
fn open(signed: &[u8]) -> Result<Opened, CodecError> {
    if signed.len() > limits::GROUP_ENTRY_BYTES {
        return Err(CodecError::TooLong);
    }
    let (_, body) = signed.split_first_chunk::<64>().ok_or(CodecError::Malformed)?;
    let body: Body = serde_json::from_slice(body).map_err(|_| CodecError::Malformed)?;
    if !is_signed(body.certificate.device(), DOMAIN, signed) {
        return Err(CodecError::Unsigned);
    }
    if body.inboxes.len() > limits::DEVICE_INBOXES {
        return Err(CodecError::OutOfRange("inboxes"));
    }
    if !body.inboxes.iter().all(|at| RelayUrl::parse(&at.relay).is_ok()) {
        return Err(CodecError::OutOfRange("relay"));
    }
    let statement = body.statement.read().filter(Statement::is_within_bounds);
    let statement = statement.ok_or(CodecError::OutOfRange("statement"))?;
    let inboxes = body.inboxes.into_iter().map(|at| InboxAt { relay: at.relay, inbox: at.inbox }).collect();
    let [name, group] = [body.name, body.group].map(|text| Words::of(&text, NAME));
    let card = CallCard { certificate: body.certificate, inboxes, name, group, token: body.token };
    Ok(Opened { start: body.start.read(), statement, card })
}

/// The entry of these signed bytes, if it is of this call.
fn entry(start: Start, signed: Vec<u8>) -> Result<Entry, CodecError> {
    let Opened { start: of, statement, card } = open(&signed)?;
    if of != start {
        return Err(CodecError::OutOfRange("start"));
    }
    let (author, peer): (LegId, PeerId) = (card.certificate.leg_id(), card.certificate.peer_id());
    let print = print(&signed);
    Ok(Entry { author, peer, statement, seal: Opaque(signed), print })
}

/// The call card in an entry's seal, as [`ahoy_call::SignalOrder::Meet`] gives it back.
///
/// # Errors
/// If it is none: our own entry has none before it is sealed.
pub fn card_of(seal: &Opaque) -> Result<CallCard, CodecError> {
    open(&seal.0).map(|opened| opened.card)
}

/// The first eight bytes of BLAKE2s-256 of the signed body; never zero.
fn print(signed: &[u8]) -> u64 {
    let digest = Blake2s256::digest(signed.get(64..).unwrap_or_default());
    digest.iter().take(8).fold(0_u64, |all, byte| all << 8 | u64::from(*byte)).max(1)
}

/// What is known of an entry whose bytes are passed on.
fn armored(entry: &Entry) -> Result<String, CodecError> {
    if entry.seal.0.is_empty() {
        Err(CodecError::OutOfRange("seal"))
    } else {
        Ok(armor::encode(&entry.seal.0))
    }
}
