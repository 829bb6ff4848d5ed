//! What is announced on a local network for a contact, and the key that goes with it.
//!
//! Lives here: the key that both have of a token, its tag and its pre-shared key of an hour, the inbox of a device among
//! neighbours.
//! Must not: read a clock, or hold more of a token than that.

use std::fmt;
use std::time::Duration;

use blake2::digest::consts::U16;
use blake2::digest::{KeyInit as _, Mac as _};
use blake2::{Blake2s, Blake2s256, Blake2sMac256, Digest as _};
use ed25519_dalek::VerifyingKey;
use zeroize::Zeroizing;

use crate::envelope::{Inbox, Token};

/// How long a tag is good.
pub const TAG_LIVES: Duration = Duration::from_secs(3_600);

/// What a token's giver and holder have in common to find each other with. It opens no inbox: the giver, who must not keep the
/// token itself, keeps this.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NeighbourKey([u8; 16]);

/// Which hour of the calendar it is, counted since the epoch. Both sides look one hour back and ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hour(pub u64);

/// A token's sign of one hour: to all others a random number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub [u8; 8]);

impl NeighbourKey {
    /// The first 16 bytes of BLAKE2s-256("ahoy neighbour" ‖ token).
    pub fn of(token: &Token) -> Self {
        let digest = Blake2s256::new().chain_update(b"ahoy neighbour").chain_update(token.bytes()).finalize();
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        Self(first)
    }

    /// The key with which tags are made: the first 16 bytes of BLAKE2s-256("ahoy neighbour 2" ‖ this ‖ the giver's account key). Who
    /// carries envelopes sees the token with each, and this account's key never.
    pub fn of_giver(self, account: &VerifyingKey) -> Self {
        let digest = Blake2s256::new()
            .chain_update(b"ahoy neighbour 2")
            .chain_update(self.0)
            .chain_update(account.as_bytes())
            .finalize();
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        Self(first)
    }

    /// From its sixteen bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its sixteen bytes.
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// What the token's giver announces in this hour.
    pub fn tag(&self, hour: Hour) -> Tag {
        let mut tag = [0; 8];
        tag.copy_from_slice(&self.derive(b"tag", hour)[..8]);
        Tag(tag)
    }

    /// What encrypts a connection that names that tag.
    pub(super) fn psk(&self, hour: Hour) -> Zeroizing<[u8; 32]> {
        self.derive(b"psk", hour)
    }

    /// BLAKE2s keyed with this, over what for ‖ the hour, eight bytes, big endian.
    fn derive(&self, what: &[u8], hour: Hour) -> Zeroizing<[u8; 32]> {
        let mac = Blake2sMac256::new_from_slice(&self.0).expect("a key of 16 bytes is short enough");
        Zeroizing::new(
            mac.chain_update(what).chain_update(hour.0.to_be_bytes()).finalize().into_bytes().into(),
        )
    }
}

/// It finds its holder's contacts: never shown.
impl fmt::Debug for NeighbourKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NeighbourKey(…)")
    }
}

impl Hour {
    /// Of a time of the calendar; before the epoch it is the first.
    pub fn at(unix_s: i64) -> Self {
        Self(u64::try_from(unix_s).unwrap_or(0) / TAG_LIVES.as_secs())
    }

    /// When the next one begins.
    pub fn ends_s(self) -> i64 {
        i64::try_from(self.0.saturating_add(1).saturating_mul(TAG_LIVES.as_secs())).unwrap_or(i64::MAX)
    }

    /// This one and its neighbours, in which the other's clock may be.
    pub fn around(self) -> [Self; 3] {
        [self, Self(self.0.saturating_sub(1)), Self(self.0.saturating_add(1))]
    }
}

/// Where a device takes what neighbours bring. No relay knows it, and no card has to say it: whoever has the card can tell.
pub fn inbox_of(device: &VerifyingKey) -> Inbox {
    let digest = Blake2s::<U16>::new().chain_update(b"ahoy neighbour inbox").chain_update(device.as_bytes());
    Inbox::from_bytes(digest.finalize().into())
}
