//! What members of a call tell each other of its room: a way in, and who one is there with the key of one's frames.
//!
//! Lives here: both as the JSON that travels sealed. What a relay is asked is in `room.rs`.
//! Must not: make a ticket or a key; say one in a log.

use std::fmt;

use ahoy_call::Opaque;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::codec_error::CodecError;
use crate::relay_url::RelayUrl;
use crate::room::Ticket;
use crate::{armor, limits};

/// Keys have an index of four bits.
pub const KEY_INDEXES: u8 = 16;

/// Lets one device into a room, once.
#[derive(Clone, PartialEq, Eq)]
pub struct RoomPass {
    /// Where it is good.
    pub relay: RelayUrl,
    /// The pass.
    pub ticket: Ticket,
}

/// Who a device is in its room, and what it seals its frames with.
#[derive(Clone, PartialEq, Eq)]
pub struct RoomKey {
    /// As the room's server calls it.
    pub identity: String,
    /// Below [`KEY_INDEXES`]: each frame names it.
    pub index: u8,
    /// AES-128.
    pub key: Zeroizing<[u8; 16]>,
}

#[derive(Serialize, Deserialize)]
struct Pass {
    relay: String,
    pass: Ticket,
}

#[derive(Serialize, Deserialize)]
struct Key {
    identity: String,
    index: u8,
    #[serde(with = "armor")]
    key: Sixteen,
}

/// A key on its way through `armor`.
struct Sixteen(Zeroizing<[u8; 16]>);

impl AsRef<[u8]> for Sixteen {
    fn as_ref(&self) -> &[u8] {
        &self.0[..]
    }
}

impl TryFrom<Vec<u8>> for Sixteen {
    type Error = ();

    fn try_from(bytes: Vec<u8>) -> Result<Self, ()> {
        let bytes = Zeroizing::new(bytes);
        <[u8; 16]>::try_from(&bytes[..]).map(|key| Self(Zeroizing::new(key))).map_err(|_| ())
    }
}

fn read<T: for<'de> Deserialize<'de>>(word: &Opaque) -> Result<T, CodecError> {
    if word.0.len() > limits::ROOM_WORD_BYTES {
        return Err(CodecError::TooLong);
    }
    serde_json::from_slice(&word.0).map_err(|_| CodecError::Malformed)
}

fn write<T: Serialize>(value: &T) -> Result<Opaque, CodecError> {
    let bytes = serde_json::to_vec(value).map_err(|_| CodecError::Malformed)?;
    if bytes.len() > limits::ROOM_WORD_BYTES { Err(CodecError::TooLong) } else { Ok(Opaque(bytes)) }
}

impl RoomPass {
    /// Reads one of somebody's. The relay may be any that a card could name.
    pub fn read(word: &Opaque) -> Result<Self, CodecError> {
        let Pass { relay, pass: ticket } = read(word)?;
        let relay = RelayUrl::parse(&relay).map_err(|_| CodecError::OutOfRange("relay"))?;
        Ok(Self { relay, ticket })
    }

    /// As it travels.
    pub fn write(&self) -> Result<Opaque, CodecError> {
        write(&Pass { relay: self.relay.as_str().to_owned(), pass: self.ticket })
    }
}

impl RoomKey {
    /// Reads one of somebody's.
    pub fn read(word: &Opaque) -> Result<Self, CodecError> {
        let Key { identity, index, key } = read(word)?;
        let fits = (1..=limits::ROOM_IDENTITY_BYTES).contains(&identity.len())
            && identity.bytes().all(|byte| byte.is_ascii_graphic());
        if !fits {
            return Err(CodecError::OutOfRange("identity"));
        }
        if index >= KEY_INDEXES {
            return Err(CodecError::OutOfRange("index"));
        }
        Ok(Self { identity, index, key: key.0 })
    }

    /// As it travels.
    pub fn write(&self) -> Result<Opaque, CodecError> {
        write(&Key { identity: self.identity.clone(), index: self.index, key: Sixteen(self.key.clone()) })
    }
}

impl fmt::Debug for RoomPass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<pass>")
    }
}

impl fmt::Debug for RoomKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoomKey({})", self.index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::TICKET_BYTES;

    fn word(json: &str) -> Opaque {
        Opaque(json.as_bytes().to_vec())
    }

    #[test]
    fn a_pass_and_a_key_come_as_they_went_and_are_not_shown() {
        let relay = RelayUrl::parse("wss://relay.example").unwrap();
        let pass = RoomPass { relay, ticket: Ticket([3; TICKET_BYTES]) };
        assert_eq!(RoomPass::read(&pass.write().unwrap()), Ok(pass.clone()));
        let key = RoomKey { identity: "0f".repeat(16), index: 15, key: Zeroizing::new([0xab; 16]) };
        assert_eq!(RoomKey::read(&key.write().unwrap()), Ok(key.clone()));
        assert_eq!(format!("{pass:?} {key:?}"), "<pass> RoomKey(15)");
    }

    #[test]
    fn what_is_too_long_or_out_of_range_is_refused_and_an_unknown_field_is_not() {
        let ticket = armor::encode(&[3; TICKET_BYTES]);
        let pass = |relay: &str, ticket: &str| {
            RoomPass::read(&word(&format!(r#"{{"relay":"{relay}","pass":"{ticket}","later":[1]}}"#)))
        };
        assert!(pass("wss://relay.example", &ticket).is_ok());
        for relay in ["ws://relay.example", "https://relay.example", "wss://a@relay.example", ""] {
            assert_eq!(pass(relay, &ticket), Err(CodecError::OutOfRange("relay")), "{relay}");
        }
        assert_eq!(pass("wss://relay.example", "AAAA"), Err(CodecError::Malformed));
        assert_eq!(pass(&format!("wss://{}", "a".repeat(1_024)), &ticket), Err(CodecError::TooLong));
        let key = |identity: &str, index: u32, key: &[u8]| {
            let key = armor::encode(key);
            RoomKey::read(&word(&format!(r#"{{"identity":"{identity}","index":{index},"key":"{key}"}}"#)))
        };
        assert!(key("ana", 0, &[1; 16]).is_ok());
        assert_eq!(key("", 0, &[1; 16]), Err(CodecError::OutOfRange("identity")));
        assert_eq!(key("a b", 0, &[1; 16]), Err(CodecError::OutOfRange("identity")));
        assert_eq!(key(&"a".repeat(129), 0, &[1; 16]), Err(CodecError::OutOfRange("identity")));
        assert_eq!(key("ana", 16, &[1; 16]), Err(CodecError::OutOfRange("index")));
        assert_eq!(key("ana", 300, &[1; 16]), Err(CodecError::Malformed));
        assert_eq!(key("ana", 0, &[1; 15]), Err(CodecError::Malformed));
    }
}
