//! What the handshake carries: who calls whom about what, before a session stands.
//!
//! Lives here: the payloads of handshake messages 1 and 2, total and bounded.
//! Must not: judge whether the sender may ring, or what time it is.

use std::time::Duration;

use ahoy_call::CallId;
use serde::{Deserialize, Serialize};

use crate::card::Card;
use crate::codec::{CodecError, object};
use crate::envelope::{Inbox, Token, TokenHash};
use crate::identity::DeviceCertificate;
use crate::{armor, limits};

/// The version of the sealed messages that this program speaks.
pub const VERSION: u16 = 1;

/// The word among [`Hello::features`] and [`Reply::features`] of who lets the other see whether they can be reached: a
/// [`HelloKind::Ping`] of theirs is answered.
pub const PING: &str = "ping";

/// The word among [`Hello::features`] of a caller that takes the callee's offer of the first path right behind message 2, and among
/// [`Reply::features`] of a callee whose offer follows. Without it the caller offers, with message 3.
pub const CALLEE_OFFERS: &str = "callee-offers";

/// What a [`HelloKind::Bye`] names whose sender's account has ended: it is about no call. Older programs know no such call, and do
/// nothing.
pub const NO_CALL: CallId = CallId::from_bytes([0; 16]);

/// The payload of message 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The sender's device and account. Its Noise key must be the one of the handshake.
    pub certificate: DeviceCertificate,
    /// The revision of the sender's card, so that the other notices an old one.
    pub revision: u64,
    /// The call it is about; for `ping` and `card` a random one.
    pub call: CallId,
    /// How long the ring lives, as the sender says. At most 180 s.
    pub lifetime: Duration,
    /// Versions that the sender speaks.
    pub versions: Vec<u16>,
    /// What the sender can do beyond them.
    pub features: Vec<String>,
    /// Where the answer goes. Older programs name no place.
    pub reply: Option<ReplyTo>,
    /// When it was made, seconds since the Unix epoch by the sender's calendar. Older programs do not say.
    pub sent_s: Option<i64>,
    /// The token with which it is sent, so that no relay can put another one beside it. Older programs do not say.
    pub token: Option<TokenHash>,
    /// What it wants.
    pub kind: HelloKind,
}

/// An inbox of the sender at the relay that carries its message 1, and the right to write there: so the other side need
/// not speak to any relay but its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyTo {
    /// The inbox.
    pub inbox: Inbox,
    /// The right.
    pub token: Token,
}

/// What a message 1 is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HelloKind {
    /// To call.
    Ring,
    /// To open a session with another member of a group call: it rings nobody. Its token is that of a call card, or of a contact.
    Meet,
    /// The sender was killed in that call and no longer knows it; about [`NO_CALL`]: its account has ended.
    Bye,
    /// The sender called in vain.
    Missed,
    /// Is anybody there.
    Ping,
    /// Here is my card.
    Card(Box<Card>),
}

/// The payload of message 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The chosen one of the caller's versions.
    pub version: u16,
    /// The revision of the sender's card.
    pub revision: u64,
    /// What the sender can do beyond the version.
    pub features: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WireHello {
    kind: String,
    certificate: DeviceCertificate,
    #[serde(default)]
    revision: u64,
    #[serde(with = "armor")]
    call: [u8; 16],
    lifetime_ms: u64,
    versions: Vec<u16>,
    #[serde(default)]
    features: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply: Option<ReplyTo>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<TokenHash>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    card: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WireReply {
    version: u16,
    #[serde(default)]
    revision: u64,
    #[serde(default)]
    features: Vec<String>,
}

impl Hello {
    /// Writes it. Fails only outside the bounds.
    pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
        let (kind, card) = match &self.kind {
            HelloKind::Ring => ("ring", None),
            HelloKind::Meet => ("meet", None),
            HelloKind::Bye => ("bye", None),
            HelloKind::Missed => ("missed", None),
            HelloKind::Ping => ("ping", None),
            HelloKind::Card(card) => ("card", Some(card.to_text())),
        };
        self.check()?;
        let wire = WireHello {
            kind: kind.to_owned(),
            certificate: self.certificate.clone(),
            revision: self.revision,
            call: self.call.bytes(),
            lifetime_ms: u64::try_from(self.lifetime.as_millis()).unwrap_or(u64::MAX),
            versions: self.versions.clone(),
            features: self.features.clone(),
            reply: self.reply,
            sent: self.sent_s,
            token: self.token,
            card,
        };
        let bytes = serde_json::to_vec(&wire).map_err(|_| CodecError::Malformed)?;
        if bytes.len() > limits::HELLO_BYTES { Err(CodecError::TooLong) } else { Ok(bytes) }
    }

    /// Reads it and verifies the certificate's signature. `None`: a kind that this version does not know.
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, CodecError> {
        let wire: WireHello = object(bytes, limits::HELLO_BYTES)?;
        let kind = match wire.kind.as_str() {
            "ring" => HelloKind::Ring,
            "meet" => HelloKind::Meet,
            "bye" => HelloKind::Bye,
            "missed" => HelloKind::Missed,
            "ping" => HelloKind::Ping,
            "card" => {
                let text =
                    wire.card.filter(|text| text.len() <= limits::CARD_BYTES).ok_or(CodecError::Malformed)?;
                HelloKind::Card(Box::new(Card::parse(&text).map_err(|_| CodecError::Malformed)?))
            }
            _ => return Ok(None),
        };
        let hello = Self {
            certificate: wire.certificate,
            revision: wire.revision,
            call: CallId::from_bytes(wire.call),
            lifetime: Duration::from_millis(wire.lifetime_ms),
            versions: wire.versions,
            features: wire.features,
            reply: wire.reply,
            sent_s: wire.sent,
            token: wire.token,
            kind,
        };
        hello.check()?;
        Ok(Some(hello))
    }

    fn check(&self) -> Result<(), CodecError> {
        if self.lifetime > limits::RING_LIFETIME {
            return Err(CodecError::OutOfRange("lifetime-ms"));
        }
        if self.versions.is_empty() || self.versions.len() > limits::HELLO_LIST {
            return Err(CodecError::OutOfRange("versions"));
        }
        check_features(&self.features)
    }
}

impl Reply {
    /// Writes it. Fails only outside the bounds.
    pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
        check_features(&self.features)?;
        let wire =
            WireReply { version: self.version, revision: self.revision, features: self.features.clone() };
        let bytes = serde_json::to_vec(&wire).map_err(|_| CodecError::Malformed)?;
        if bytes.len() > limits::REPLY_BYTES { Err(CodecError::TooLong) } else { Ok(bytes) }
    }

    /// Reads it.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let wire: WireReply = object(bytes, limits::REPLY_BYTES)?;
        check_features(&wire.features)?;
        Ok(Self { version: wire.version, revision: wire.revision, features: wire.features })
    }
}

fn check_features(features: &[String]) -> Result<(), CodecError> {
    if features.len() > limits::HELLO_LIST || features.iter().any(|it| it.len() > limits::FEATURE_BYTES) {
        return Err(CodecError::OutOfRange("features"));
    }
    Ok(())
}
