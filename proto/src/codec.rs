//! The messages of a call as bytes. JSON; what a later version adds is ignored.
//!
//! Lives here: `Message` ⇄ bytes, total and bounded; trailing bytes are refused. Words of others come out clean.
//! Several in one body: `codec/several.rs`.
//! Must not: seal, pad or repeat anything; read a description.

mod several;

use std::time::Duration;

use ahoy_call::{
    CallId, CancelReason, DeclineReason, Description, EndReason, Epoch, Message, Opaque, RoomWord, Scope,
    SdpKind,
};
use serde::{Deserialize, Serialize};

pub use self::several::{decode_all, encode_all};
pub use crate::codec_error::CodecError;
use crate::group::WireNews;
use crate::words::{NOTE, Words};
use crate::{armor, limits};

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
enum Wire {
    Ready,
    Offer {
        remaining_ms: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    Invite {
        remaining_ms: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instead_of: Option<String>,
        news: Box<WireNews>,
    },
    Log {
        news: Box<WireNews>,
    },
    Description {
        epoch: u16,
        sdp: String,
        body: String,
    },
    Candidates {
        epoch: u16,
        list: Vec<String>,
        #[serde(default)]
        complete: bool,
    },
    /// A way into the call's room.
    RoomPass {
        pass: String,
    },
    RoomKey {
        serial: u32,
        key: String,
    },
    RoomHears {
        serial: u32,
        heard: bool,
    },
    Ringing,
    Accept,
    Decline {
        reason: String,
        #[serde(default)]
        scope: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    Cancel {
        reason: String,
    },
    End {
        reason: String,
    },
    State {
        serial: u32,
        #[serde(default)]
        muted: bool,
        #[serde(default)]
        held: bool,
        #[serde(default)]
        camera: bool,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        listening: bool,
    },
    Several {
        list: Vec<Wire>,
    },
    #[serde(other)]
    Unknown,
}

/// Writes a message. Fails only if it is outside its bounds: those that [`decode`] checks, and those of our own words.
pub fn encode(message: &Message) -> Result<Vec<u8>, CodecError> {
    check(message)?;
    let bytes = serde_json::to_vec(&to_wire(message)?).map_err(|_| CodecError::Malformed)?;
    if bytes.len() > limits::SEALED_MESSAGE_BYTES {
        return Err(CodecError::TooLong);
    }
    Ok(bytes)
}

/// Reads one message. `None`: a kind that this version does not know, to be ignored.
pub fn decode(bytes: &[u8]) -> Result<Option<Message>, CodecError> {
    read(object(bytes, limits::SEALED_MESSAGE_BYTES)?)
}

fn read(wire: Wire) -> Result<Option<Message>, CodecError> {
    let Some(message) = from_wire(wire)? else { return Ok(None) };
    check(&message)?;
    Ok(Some(message))
}

/// Reads exactly one JSON object, without anything around it.
pub(crate) fn object<'de, T: Deserialize<'de>>(bytes: &'de [u8], most: usize) -> Result<T, CodecError> {
    if bytes.len() > most {
        return Err(CodecError::TooLong);
    }
    if bytes.first() != Some(&b'{') || bytes.last() != Some(&b'}') {
        return Err(CodecError::Malformed);
    }
    serde_json::from_slice(bytes).map_err(|_| CodecError::Malformed)
}

fn check(message: &Message) -> Result<(), CodecError> {
    let short =
        |text: &Option<String>| text.as_ref().is_none_or(|it| it.chars().count() <= limits::TEXT_CHARS);
    match message {
        Message::Offer { remaining, text } | Message::Invite { remaining, text, .. } => {
            if *remaining > limits::RING_LIFETIME {
                return Err(CodecError::OutOfRange("remaining-ms"));
            }
            if !short(text) {
                return Err(CodecError::OutOfRange("text"));
            }
        }
        Message::Description { description, .. } => {
            if description.body.0.len() > limits::DESCRIPTION_BYTES {
                return Err(CodecError::OutOfRange("body"));
            }
        }
        Message::Candidates { list, .. } => {
            if list.len() > limits::CANDIDATES || list.iter().any(|it| it.0.len() > limits::CANDIDATE_BYTES) {
                return Err(CodecError::OutOfRange("list"));
            }
        }
        Message::Decline { text, .. } => {
            if !short(text) {
                return Err(CodecError::OutOfRange("text"));
            }
        }
        Message::Room(RoomWord::Pass(opaque) | RoomWord::Key { key: opaque, .. }) => {
            if opaque.0.len() > limits::ROOM_WORD_BYTES {
                return Err(CodecError::OutOfRange("room"));
            }
        }
        Message::Ready { .. }
        | Message::Room(RoomWord::Hears { .. })
        | Message::Ringing
        | Message::Log(_)
        | Message::Accept
        | Message::Cancel { .. }
        | Message::End { .. }
        | Message::State { .. } => {}
    }
    Ok(())
}

fn to_wire(message: &Message) -> Result<Wire, CodecError> {
    Ok(match message {
        Message::Ready { .. } => Wire::Ready,
        Message::Offer { remaining, text } => Wire::Offer {
            remaining_ms: u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX),
            text: text.clone(),
        },
        Message::Invite { remaining, text, instead_of, news } => Wire::Invite {
            remaining_ms: u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX),
            text: text.clone(),
            instead_of: instead_of.map(|call| armor::encode(&call.bytes())),
            news: Box::new(WireNews::of(news)?),
        },
        Message::Log(news) => Wire::Log { news: Box::new(WireNews::of(news)?) },
        Message::Description { epoch, description } => Wire::Description {
            epoch: epoch.0,
            sdp: description.kind.word().to_owned(),
            body: armor::encode(&description.body.0),
        },
        Message::Candidates { epoch, list, complete } => Wire::Candidates {
            epoch: epoch.0,
            list: list.iter().map(|it| armor::encode(&it.0)).collect(),
            complete: *complete,
        },
        Message::Room(RoomWord::Pass(pass)) => Wire::RoomPass { pass: armor::encode(&pass.0) },
        Message::Room(RoomWord::Key { serial, key }) => {
            Wire::RoomKey { serial: *serial, key: armor::encode(&key.0) }
        }
        Message::Room(RoomWord::Hears { serial, heard }) => {
            Wire::RoomHears { serial: *serial, heard: *heard }
        }
        Message::Ringing => Wire::Ringing,
        Message::Accept => Wire::Accept,
        Message::Decline { reason, scope, text } => Wire::Decline {
            reason: reason.word().to_owned(),
            scope: scope.word().to_owned(),
            text: text.clone(),
        },
        Message::Cancel { reason } => Wire::Cancel { reason: reason.word().to_owned() },
        Message::End { reason } => Wire::End { reason: reason.word().to_owned() },
        Message::State { serial, muted, held, camera, listening } => Wire::State {
            serial: *serial,
            muted: *muted,
            held: *held,
            camera: *camera,
            listening: *listening,
        },
    })
}

/// A word of a later version becomes the nearest that this one knows: the verb itself must not be lost.
fn from_wire(wire: Wire) -> Result<Option<Message>, CodecError> {
    Ok(Some(match wire {
        Wire::Ready => Message::Ready { offers: false },
        Wire::Offer { remaining_ms, text } => {
            Message::Offer { remaining: Duration::from_millis(remaining_ms), text: cleaned(text) }
        }
        Wire::Invite { remaining_ms, text, instead_of, news } => Message::Invite {
            remaining: Duration::from_millis(remaining_ms),
            text: cleaned(text),
            instead_of: instead_of
                .and_then(|call| <[u8; 16]>::try_from(armor::decode(&call)?).ok())
                .map(CallId::from_bytes),
            news: Box::new(news.read()?),
        },
        Wire::Log { news } => Message::Log(Box::new(news.read()?)),
        Wire::Description { epoch, sdp, body } => Message::Description {
            epoch: Epoch(epoch),
            description: Description {
                kind: SdpKind::named(&sdp).ok_or(CodecError::Malformed)?,
                body: Opaque(armor::decode(&body).ok_or(CodecError::Malformed)?),
            },
        },
        Wire::Candidates { epoch, list, complete } => Message::Candidates {
            epoch: Epoch(epoch),
            list: list
                .iter()
                .map(|it| armor::decode(it).map(Opaque).ok_or(CodecError::Malformed))
                .collect::<Result<_, _>>()?,
            complete,
        },
        Wire::RoomPass { pass } => Message::Room(RoomWord::Pass(opaque(&pass)?)),
        Wire::RoomKey { serial, key } => Message::Room(RoomWord::Key { serial, key: opaque(&key)? }),
        Wire::RoomHears { serial, heard } => Message::Room(RoomWord::Hears { serial, heard }),
        Wire::Ringing => Message::Ringing,
        Wire::Accept => Message::Accept,
        Wire::Decline { reason, scope, text } => Message::Decline {
            reason: DeclineReason::named(&reason).unwrap_or(DeclineReason::Declined),
            scope: Scope::named(&scope).unwrap_or(Scope::ThisDevice),
            text: cleaned(text),
        },
        Wire::Cancel { reason } => {
            Message::Cancel { reason: CancelReason::named(&reason).unwrap_or(CancelReason::Canceled) }
        }
        Wire::End { reason } => {
            Message::End { reason: EndReason::named(&reason).unwrap_or(EndReason::Internal) }
        }
        Wire::State { serial, muted, held, camera, listening } => {
            Message::State { serial, muted, held, camera, listening }
        }
        // Only a whole body holds several.
        Wire::Several { .. } => return Err(CodecError::Malformed),
        Wire::Unknown => return Ok(None),
    }))
}

fn opaque(text: &str) -> Result<Opaque, CodecError> {
    armor::decode(text).map(Opaque).ok_or(CodecError::Malformed)
}

/// Words of others never cost the verb that brings them: they are cleaned, cut, or not there.
fn cleaned(text: Option<String>) -> Option<String> {
    text.map(|said| Words::of(&said, NOTE)).filter(|words| !words.is_empty()).map(String::from)
}

#[cfg(test)]
mod tests;
