//! What the relay sees of two phones.
//!
//! Lives here: `Inbox`, `Token` and its hash, `EnvelopeId`, `Ttl`, the bounded sealed `Body`, and `Envelope`, which
//! names no sender.
//! Must not: know who sends, or what is sealed.

use std::fmt;
use std::time::Duration;

use blake2::digest::consts::U16;
use blake2::{Blake2s, Blake2s256, Digest as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{armor, limits};

/// Sixteen bytes that travel as base64url.
macro_rules! sixteen {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// From its sixteen bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// Its sixteen bytes.
            pub const fn bytes(self) -> [u8; 16] {
                self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                armor::serialize(&self.0, to)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                armor::deserialize(from).map(Self)
            }
        }
    };
}

sixteen! {
    /// Where a device takes mail at one relay: the digest of a claim key.
    Inbox
}
sixteen! {
    /// Lets its holder write to an inbox. Every exported card carries a fresh one.
    Token
}
sixteen! {
    /// What a relay knows of a token: enough to compare, too little to make one.
    TokenHash
}
sixteen! {
    /// Names one envelope, random. A repeat carries the same, and the relay keeps one copy.
    EnvelopeId
}

impl Inbox {
    /// BLAKE2s with 16 bytes of output over the public claim key: whoever can sign with the key owns the inbox.
    pub fn of(claim_key: &[u8; 32]) -> Self {
        Self(Blake2s::<U16>::digest(claim_key).into())
    }
}

impl Token {
    /// The first 16 bytes of BLAKE2s-256("ahoy token" ‖ token).
    pub fn hash(&self) -> TokenHash {
        let digest = Blake2s256::new().chain_update(b"ahoy token").chain_update(self.0).finalize();
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        TokenHash(first)
    }
}

/// Two bytes in hex: enough to follow one inbox through a log, too little to write to it.
impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inbox({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

/// A token is a capability: never shown.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenHash({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

impl fmt::Debug for EnvelopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnvelopeId({:02x}{:02x}{:02x}{:02x}…)", self.0[0], self.0[1], self.0[2], self.0[3])
    }
}

/// How long an envelope may wait for its owner, in whole seconds; more than seven days counts as seven days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ttl(u32);

impl Ttl {
    /// Rounded up to whole seconds, at most `limits::TTL`.
    pub fn new(lives: Duration) -> Self {
        let lives = lives.min(limits::TTL);
        let whole = lives.as_secs().saturating_add(u64::from(lives.subsec_nanos() > 0));
        Self(u32::try_from(whole).unwrap_or(u32::MAX))
    }

    /// At most `limits::TTL`.
    pub fn duration(self) -> Duration {
        Duration::from_secs(u64::from(self.0)).min(limits::TTL)
    }
}

/// A sealed body: opaque here, at most `limits::BODY_BYTES`.
#[derive(Clone, PartialEq, Eq)]
pub struct Body(Vec<u8>);

/// A sealed body was longer than `limits::BODY_BYTES`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sealed body of {0} bytes is longer than a relay carries")]
pub struct BodyTooLong(pub usize);

impl TryFrom<Vec<u8>> for Body {
    type Error = BodyTooLong;

    fn try_from(bytes: Vec<u8>) -> Result<Self, BodyTooLong> {
        if bytes.len() > limits::BODY_BYTES { Err(BodyTooLong(bytes.len())) } else { Ok(Self(bytes)) }
    }
}

impl Body {
    /// The sealed bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The sealed bytes, owned.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        armor::serialize(self, to)
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        armor::deserialize(from)
    }
}

/// One sealed message on its way to an inbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Where to.
    pub inbox: Inbox,
    /// The right to write there.
    pub token: Token,
    /// Which envelope; the same in every repeat.
    pub id: EnvelopeId,
    /// How long it may wait.
    pub ttl: Ttl,
    /// What is sealed.
    pub body: Body,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_inbox_and_token_never_change() {
        let hex = |bytes: [u8; 16]| data_encoding::HEXLOWER.encode(&bytes);
        assert_eq!(hex(Inbox::of(&[7; 32]).bytes()), "6dd1336c395307cd4a38f0df032c5fb0");
        assert_eq!(hex(Token::from_bytes([9; 16]).hash().bytes()), "012122e0feff46b695f9d1bdc9779566");
    }

    #[test]
    fn a_body_is_bounded_when_made_and_when_read() {
        assert!(Body::try_from(vec![0; limits::BODY_BYTES]).is_ok());
        assert_eq!(Body::try_from(vec![0; limits::BODY_BYTES + 1]), Err(BodyTooLong(limits::BODY_BYTES + 1)));
        let text = format!("\"{}\"", armor::encode(&vec![0; limits::BODY_BYTES + 1]));
        assert!(serde_json::from_str::<Body>(&text).is_err());
    }

    #[test]
    fn a_ttl_rounds_up_and_ends_at_a_week() {
        assert_eq!(Ttl::new(Duration::from_millis(1)).duration(), Duration::from_secs(1));
        assert_eq!(Ttl::new(Duration::from_secs(u64::MAX)).duration(), limits::TTL);
    }

    #[test]
    fn nothing_that_opens_an_inbox_is_printed() {
        let token = Token::from_bytes([0xab; 16]);
        assert!(!format!("{token:?}{:?}", token.hash()).contains("abab"));
        assert!(!format!("{:?}", Inbox::from_bytes([0xcd; 16])).contains("cdcdcd"));
    }
}
