//! How the bus spells what the rules know.
//!
//! Lives here: paths, call ids, states, reasons; total functions from our closed words to strings and back.
//! Must not: hold state, or decide anything.

use ahoy_call::{CallId, MemberId, PeerId};
pub(super) use ahoy_dbus::{BUS_NAME as NAME, CONTACTS, FOCUS, HISTORY, ROOT};
use blake2::digest::consts::U16;
use blake2::{Blake2s, Digest};
use zbus::wire::OwnedObjectPath;

use crate::values::devices::Flow;

type Blake2s128 = Blake2s<U16>;

/// How a dial says that it means whom a row of history was with; the row's number follows.
pub(super) const BY_HISTORY: &str = "history:";

/// The path that stands for "none".
pub(super) fn nowhere() -> OwnedObjectPath {
    OwnedObjectPath::default()
}

/// The path of an object that is always there.
pub(super) fn fixed(path: &'static str) -> OwnedObjectPath {
    self::path(path.to_owned())
}

/// The path of a call.
pub(super) fn call_path(id: CallId) -> OwnedObjectPath {
    path(ahoy_dbus::call_path(&hex(id.bytes())))
}

/// The path of one of the others in a call.
pub(super) fn peer_path(call: CallId, member: MemberId) -> OwnedObjectPath {
    path(ahoy_dbus::peer_path(&hex(call.bytes()), member.0))
}

/// The path of the account with this id.
pub(super) fn account_path(id: &str) -> OwnedObjectPath {
    path(ahoy_dbus::account_path(id))
}

/// The path of a sound device: ids hold what a path may not.
pub(super) fn device_path(flow: Flow, id: &str) -> OwnedObjectPath {
    let mut hash = Blake2s128::new();
    hash.update(flow.word());
    hash.update([0]);
    hash.update(id);
    path(ahoy_dbus::device_path(&hex(hash.finalize().into())))
}

/// A call by its path, its `Id`, or its 32 hex digits.
pub(super) fn parse_call(text: &str) -> Option<CallId> {
    let text = text.strip_prefix(ROOT).and_then(|rest| rest.strip_prefix("/call_")).unwrap_or(text);
    let digits = text.replace('-', "");
    let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok()?;
    Some(CallId::from_bytes(bytes.try_into().ok()?))
}

/// A call's `Id`: the text form of a UUID.
pub(super) fn uuid(id: CallId) -> String {
    let digits = hex(id.bytes());
    format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..])
}

/// A contact's id.
pub(super) fn contact(id: PeerId) -> String {
    hex(id.bytes())
}

fn hex(bytes: [u8; 16]) -> String {
    data_encoding::HEXLOWER.encode(&bytes)
}

/// Ids are made of hex digits, so that a path is always valid; a foreign one becomes "none".
fn path(text: String) -> OwnedObjectPath {
    OwnedObjectPath::try_from(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_found_by_its_path_its_id_and_its_digits() {
        let id = CallId::from_bytes([0xab; 16]);
        assert_eq!(parse_call(call_path(id).as_str()), Some(id));
        assert_eq!(parse_call(&uuid(id)), Some(id));
        assert_eq!(parse_call(&hex(id.bytes())), Some(id));
        assert_eq!(uuid(id), "abababab-abab-abab-abab-abababababab");
    }

    #[test]
    fn what_is_no_call_is_none() {
        for text in ["", "/", "/org/ahoyd/Calls1/focus", "abab", "/org/ahoyd/Calls1/call_xyz"] {
            assert_eq!(parse_call(text), None, "{text}");
        }
    }
}
