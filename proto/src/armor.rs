//! Bytes as text inside JSON: base64url without padding (RFC 4648 §5), exactly one spelling for each value.
//!
//! Lives here: the serde adapter for keys, signatures and sealed bodies.
//! Must not: know what the bytes mean.

use data_encoding::BASE64URL_NOPAD;
use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer, Serializer};

/// Bytes to text.
pub(crate) fn encode(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

/// Text to bytes. `None` for a foreign character, a bad length or unused bits that are not zero.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64URL_NOPAD.decode(text.as_bytes()).ok()
}

/// For `#[serde(with = "armor")]`.
pub(crate) fn serialize<T: AsRef<[u8]>, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&encode(value.as_ref()))
}

/// For `#[serde(with = "armor")]`. The length is the type's own.
pub(crate) fn deserialize<'de, T: TryFrom<Vec<u8>>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    let text = String::deserialize(from)?;
    let bytes = decode(&text).ok_or_else(|| D::Error::custom("not base64url"))?;
    T::try_from(bytes).map_err(|_| D::Error::custom("wrong length"))
}
