//! CPace, a key from a word that two people share: draft-irtf-cfrg-cpace-21, ristretto255 with SHA-512, in the roles of
//! initiator and responder.
//!
//! Lives here: the generator, a share, the key; the draft's own vectors are in `tests/cpace.rs`.
//! Must not: confirm a key, know what a code is, make randomness.
//!
//! Whoever sees a run, or takes part in it without the word, learns nothing of the word but whether one guess was right.

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity as _;
use sha2::{Digest as _, Sha512};
use zeroize::{Zeroize as _, Zeroizing};

/// Names the group in every digest (§7.3).
const DSI: &[u8] = b"CPaceRistretto255";
/// Names the key's digest.
const DSI_ISK: &[u8] = b"CPaceRistretto255_ISK";
/// Bytes of one input block of SHA-512: the word is alone in the first.
const BLOCK: usize = 128;

/// A share as it travels, and what else of its sender the key is bound to.
#[derive(Clone, Copy, Debug)]
pub struct Share<'a> {
    /// The encoded point.
    pub point: [u8; 32],
    /// The associated data.
    pub data: &'a [u8],
}

/// One side of one run. Wiped when it is dropped.
pub struct Secret(Scalar);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Secret {
    /// Of fresh random bytes: 64 of them, so that every scalar is as likely as another.
    pub fn new(chance: &[u8; 64]) -> Self {
        Self(Scalar::from_bytes_mod_order_wide(chance))
    }

    /// The share of this side: the generator of this word, channel and session, as often as the secret says.
    pub fn share(&self, word: &[u8], channel: &[u8], session: &[u8]) -> [u8; 32] {
        (generator(word, channel, session) * self.0).compress().to_bytes()
    }

    /// The common point. `None` for what is no point, and for the neutral element, which would be known to all.
    pub fn common(&self, theirs: &[u8; 32]) -> Option<Zeroizing<[u8; 32]>> {
        let point = CompressedRistretto(*theirs).decompress()?;
        let common = point * self.0;
        (!common.is_identity()).then(|| Zeroizing::new(common.compress().to_bytes()))
    }

    #[cfg(test)]
    pub(super) fn exactly(bytes: [u8; 32]) -> Self {
        Self(Scalar::from_canonical_bytes(bytes).expect("a test's scalar"))
    }
}

/// The point that a word stands for in one session of one channel.
pub(super) fn generator(word: &[u8], channel: &[u8], session: &[u8]) -> RistrettoPoint {
    let text = Zeroizing::new(generator_string(word, channel, session));
    let mut digest: [u8; 64] = Sha512::digest(&text[..]).into();
    let point = RistrettoPoint::from_uniform_bytes(&digest);
    digest.zeroize();
    point
}

/// What the generator is a digest of (§7.2): the word is followed by zeros, so that its block holds nothing that others choose.
pub(super) fn generator_string(word: &[u8], channel: &[u8], session: &[u8]) -> Vec<u8> {
    let before = lv_cat(&[DSI, word]);
    let zeros = vec![0; BLOCK.saturating_sub(1 + before.len())];
    [before, lv_cat(&[&zeros, channel, session])].concat()
}

/// The key that both get who used the same word: of `a`, who began, and `b`.
pub fn key(session: &[u8], common: &[u8; 32], a: &Share<'_>, b: &Share<'_>) -> Zeroizing<[u8; 64]> {
    let text = Zeroizing::new([lv_cat(&[DSI_ISK, session, common]), transcript(a, b)].concat());
    Zeroizing::new(Sha512::digest(&text[..]).into())
}

/// What both sides said, in the order of their roles.
pub(super) fn transcript(a: &Share<'_>, b: &Share<'_>) -> Vec<u8> {
    lv_cat(&[&a.point, a.data, &b.point, b.data])
}

/// Each part behind its length.
pub(super) fn lv_cat(parts: &[&[u8]]) -> Vec<u8> {
    let mut all = Vec::new();
    for part in parts {
        // LEB128: seven bits a byte, the lowest first; the highest bit says that more follow.
        let mut length = part.len();
        while length > 0x7f {
            all.push(u8::try_from(length & 0x7f).unwrap_or(0) | 0x80);
            length >>= 7;
        }
        all.push(u8::try_from(length).unwrap_or(0));
        all.extend_from_slice(part);
    }
    all
}

#[cfg(test)]
#[path = "tests/cpace.rs"]
mod tests;
