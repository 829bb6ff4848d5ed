//! The sealing of frames, as LiveKit's clients do it: AES-128-GCM over all of a frame but its first byte, with a key for each sender.
//!
//! Lives here: one sender's keys and counters, opening by who it is from, what is refused, how often. A frame is
//! `first byte ‖ sealed ‖ nonce (12) ‖ 12 ‖ key index`; the first byte is authenticated, and shows no more than Opus' mode. The key of
//! the next index may be made of the one before (`after`): who has that one needs not be told.
//! Must not: make a key, or agree on one: sessions do. Keys arrive as they are.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;

use aes_gcm::aead::{AeadInPlace as _, KeyInit as _};
use aes_gcm::{Aes128Gcm, Nonce, Tag};
use blake2::{Blake2s256, Digest as _};
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::values::room::{FrameCipher, Identity};

/// Keys have an index of four bits.
pub const KEY_INDEXES: u8 = 16;
/// Bytes of a frame in clear: the longest that Opus makes (RFC 6716 §3.2.1).
pub const FRAME_MAX: usize = 1_275;
/// What sealing adds.
pub const OVERHEAD: usize = TAG + NONCE + 2;
const CLEAR: usize = 1;
const TAG: usize = 16;
const NONCE: usize = 12;
/// Senders whose frames are remembered.
const SENDERS: usize = 32;
/// Frames of one sender, back from the newest, of which each is taken once.
const WINDOW: u32 = 64;
/// Streams that a sender has left and that are remembered: it begins one each time that it comes to the room.
const STREAMS: usize = 64;
/// Steps of a sender's key that are looked for.
const STEPS: u8 = 8;
/// What the key after another is made with.
const AFTER: &[u8] = b"ahoy: the key after this one";
/// Between the time stamps of two frames of 20 ms, in samples: frames are told apart by it.
const SAMPLES: u32 = 960;

/// A key of a sender. Not shown, and wiped.
#[derive(Clone, PartialEq, Eq)]
pub struct FrameKey(Zeroizing<[u8; 16]>);

impl FrameKey {
    /// As it was agreed.
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for FrameKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<key>")
    }
}

/// All keys that count now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// Ours, and its index.
    pub own: Option<(u8, FrameKey)>,
    /// Those of others, by index. A key that is not here any more opens nothing.
    pub others: BTreeMap<Identity, BTreeMap<u8, FrameKey>>,
}

/// Why a frame is not played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unopened {
    /// Too short, too long, or not of this form.
    #[error("not a sealed frame")]
    Malformed,
    /// There is no such key of this sender.
    #[error("sealed with a key that is not known")]
    UnknownKey,
    /// It was changed on the way, or is somebody else's.
    #[error("not what its sender sealed")]
    Forged,
    /// It came before, or is too old to tell.
    #[error("came before")]
    Replayed,
    /// Silence of the server's.
    #[error("silence of the server")]
    Silence,
}

/// How many frames were not played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// [`Unopened::Malformed`]
    pub malformed: u64,
    /// [`Unopened::UnknownKey`]
    pub unknown_key: u64,
    /// [`Unopened::Forged`]
    pub forged: u64,
    /// [`Unopened::Replayed`]
    pub replayed: u64,
    /// [`Unopened::Silence`]
    pub silence: u64,
}

/// Seals frames of ours and opens those of others.
#[derive(Default)]
pub struct Frames {
    own: Option<(u8, FrameKey, Aes128Gcm)>,
    /// Frames that the present key has sealed: no nonce twice.
    sealed: u32,
    others: HashMap<Identity, Sender>,
    trailer: Vec<u8>,
    refusals: Refusals,
}

#[derive(Default)]
struct Sender {
    keys: BTreeMap<u8, (FrameKey, Aes128Gcm)>,
    /// What came after one of them, as the last frame showed.
    stepped: Option<Stepped>,
    /// What was taken: the newest nonce's stream and time, and which of those before it.
    taken: Option<Taken>,
    /// Streams that were left for another one, the oldest first: nobody goes back.
    left: VecDeque<u32>,
}

/// A key that was found from another.
struct Stepped {
    /// That one. Without it this one counts no more.
    from: (u8, FrameKey),
    index: u8,
    key: FrameKey,
    cipher: Aes128Gcm,
}

#[derive(Clone, Copy)]
struct Taken {
    ssrc: u32,
    newest: u32,
    before: u64,
}

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frames({} senders, {:?})", self.others.len(), self.refusals)
    }
}

impl Frames {
    /// These keys count from now on. A key that stays keeps its counters; ours must not come back once another took its place.
    pub fn set(&mut self, keys: &Keys) {
        let own = keys.own.as_ref().filter(|(index, _)| *index < KEY_INDEXES);
        let same = match (&self.own, own) {
            (Some((had, key, _)), Some((index, new))) => (had, key) == (index, new),
            (had, new) => had.is_none() && new.is_none(),
        };
        if !same {
            self.own = own.map(|(index, key)| (*index, key.clone(), cipher(key)));
            self.sealed = 0;
        }
        self.others.retain(|who, _| keys.others.contains_key(who));
        for (who, given) in keys.others.iter().take(SENDERS) {
            let sender = self.others.entry(who.clone()).or_default();
            sender.keys.retain(|index, (key, _)| given.get(index) == Some(key));
            sender.stepped.take_if(|it| given.get(&it.from.0) != Some(&it.from.1));
            for (index, key) in given.iter().filter(|(index, _)| **index < KEY_INDEXES) {
                sender.keys.entry(*index).or_insert_with(|| (key.clone(), cipher(key)));
            }
        }
    }

    /// What the server ends frames of its own with: they are silence, and sealed by nobody. Empty: it has said nothing.
    pub fn set_trailer(&mut self, trailer: &[u8]) {
        self.trailer = trailer.to_vec();
    }

    /// A frame of ours as it travels; none without a key, for one that is empty or too long, or when a key has sealed all it may.
    pub fn seal(&mut self, ssrc: u32, timestamp: u32, frame: &[u8]) -> Option<Vec<u8>> {
        let (index, _, cipher) = self.own.as_ref()?;
        let (clear, body) = frame.split_at_checked(CLEAR).filter(|_| frame.len() <= FRAME_MAX)?;
        // A count instead of what LiveKit's own clients derive from the time stamp: no two are alike while a key lasts, which is
        // what counts, and a listener reads it where it stands.
        let count = self.sealed;
        self.sealed = count.checked_add(1)?;
        let mut nonce = [0; NONCE];
        nonce[..4].copy_from_slice(&ssrc.to_be_bytes());
        nonce[4..8].copy_from_slice(&timestamp.to_be_bytes());
        nonce[8..].copy_from_slice(&count.to_be_bytes());
        let mut sealed = Vec::with_capacity(frame.len() + OVERHEAD);
        sealed.extend_from_slice(clear);
        sealed.extend_from_slice(body);
        let tag =
            cipher.encrypt_in_place_detached(Nonce::from_slice(&nonce), clear, &mut sealed[CLEAR..]).ok()?;
        sealed.extend_from_slice(&tag);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&[NONCE_LENGTH, *index]);
        Some(sealed)
    }

    /// A frame of somebody's. Each is taken once.
    pub fn open(&mut self, from: &Identity, frame: &[u8]) -> Result<Vec<u8>, Unopened> {
        let opened = self.opened(from, frame);
        if let Err(why) = opened {
            let count = match why {
                Unopened::Malformed => &mut self.refusals.malformed,
                Unopened::UnknownKey => &mut self.refusals.unknown_key,
                Unopened::Forged => &mut self.refusals.forged,
                Unopened::Replayed => &mut self.refusals.replayed,
                Unopened::Silence => &mut self.refusals.silence,
            };
            *count = count.saturating_add(1);
        }
        opened
    }

    /// How many were not opened since the beginning.
    pub fn refusals(&self) -> Refusals {
        self.refusals
    }

    fn opened(&mut self, from: &Identity, frame: &[u8]) -> Result<Vec<u8>, Unopened> {
        if !self.trailer.is_empty() && frame.ends_with(&self.trailer) {
            return Err(Unopened::Silence);
        }
        let length = frame.len().checked_sub(OVERHEAD).filter(|length| (CLEAR..=FRAME_MAX).contains(length));
        let length = length.ok_or(Unopened::Malformed)?;
        let (sealed, end) = frame.split_at(length);
        let (tag, end) = end.split_at(TAG);
        let Some((nonce, [NONCE_LENGTH, index])) = end.split_first_chunk::<NONCE>() else {
            return Err(Unopened::Malformed);
        };
        let sender = self.others.get_mut(from).ok_or(Unopened::UnknownKey)?;
        let open = |cipher: &Aes128Gcm| {
            let mut plain = sealed.to_vec();
            let (clear, body) = plain.split_at_mut(CLEAR);
            let (nonce, tag) = (Nonce::from_slice(nonce), Tag::from_slice(tag));
            cipher.decrypt_in_place_detached(nonce, clear, body, tag).ok().map(|()| plain)
        };
        let plain = sender.open(*index, open)?;
        if !sender.take(nonce) {
            return Err(Unopened::Replayed);
        }
        Ok(plain)
    }
}

/// The byte that says how long the nonce is.
const NONCE_LENGTH: u8 = 12;

/// In the nonce of a frame that was opened, so that it is what its sender sealed.
fn timestamp(frame: &[u8]) -> Option<u32> {
    let nonce = frame.get(frame.len().checked_sub(NONCE + 2)?..)?;
    nonce.get(4..8)?.try_into().ok().map(u32::from_be_bytes)
}

fn cipher(key: &FrameKey) -> Aes128Gcm {
    Aes128Gcm::new(aes_gcm::Key::<Aes128Gcm>::from_slice(&key.0[..]))
}

/// The key that comes after this one, by which nobody finds this one.
pub(super) fn after(key: &[u8; 16]) -> Zeroizing<[u8; 16]> {
    let digest = Blake2s256::new().chain_update(AFTER).chain_update(key).finalize();
    let mut next = Zeroizing::new([0; 16]);
    next.copy_from_slice(&digest[..16]);
    next
}

impl Sender {
    /// By the key of this index, or what came after one that is known: a sender tells only some of its steps.
    fn open(&mut self, index: u8, open: impl Fn(&Aes128Gcm) -> Option<Vec<u8>>) -> Result<Vec<u8>, Unopened> {
        let told = self.keys.get(&index).map(|(_, cipher)| cipher);
        let found = self.stepped.as_ref().filter(|it| it.index == index).map(|it| &it.cipher);
        if let Some(plain) = told.into_iter().chain(found).find_map(&open) {
            return Ok(plain);
        }
        let known = told.is_some() || found.is_some();
        let last = self.stepped.as_ref().map(|it| (it.from.clone(), it.index, &it.key));
        let all = self.keys.iter().map(|(index, (key, _))| ((*index, key.clone()), *index, key));
        let ahead = |of: u8| index.wrapping_sub(of) % KEY_INDEXES;
        for (from, of, key) in last.into_iter().chain(all).filter(|it| (1..=STEPS).contains(&ahead(it.1))) {
            let key = (0..ahead(of)).fold(key.clone(), |key, _| FrameKey(after(&key.0)));
            let cipher = cipher(&key);
            if let Some(plain) = open(&cipher) {
                self.stepped = Some(Stepped { from, index, key, cipher });
                return Ok(plain);
            }
        }
        Err(if known { Unopened::Forged } else { Unopened::UnknownKey })
    }

    /// Whether a frame with this nonce, which its sender did seal, has not come before. A sender begins anew with another stream.
    fn take(&mut self, nonce: &[u8; NONCE]) -> bool {
        let [a, b, c, d, e, f, g, h, ..] = *nonce;
        let (ssrc, time) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
        let Some(taken) = self.taken.as_mut().filter(|taken| taken.ssrc == ssrc) else {
            if self.left.contains(&ssrc) {
                return false;
            }
            let before = self.taken.replace(Taken { ssrc, newest: time, before: 0 });
            self.left.extend(before.map(|taken| taken.ssrc));
            if self.left.len() > STREAMS {
                self.left.pop_front();
            }
            return true;
        };
        let ahead = time.wrapping_sub(taken.newest);
        if ahead == 0 {
            return false;
        }
        if ahead < 1 << 31 {
            // What lies between is still to come; where it is no multiple of a frame, nothing of before is known any more.
            let frames = if ahead.is_multiple_of(SAMPLES) { ahead / SAMPLES } else { WINDOW };
            let moved = taken.before.checked_shl(frames).unwrap_or(0);
            taken.before = moved | 1_u64.checked_shl(frames - 1).unwrap_or(0);
            taken.newest = time;
            return true;
        }
        let back = time.wrapping_neg().wrapping_add(taken.newest);
        if !back.is_multiple_of(SAMPLES) || back / SAMPLES > WINDOW {
            return false;
        }
        let bit = 1_u64 << (back / SAMPLES - 1);
        let fresh = taken.before & bit == 0;
        taken.before |= bit;
        fresh
    }
}

/// Frames with the keys that count at each moment.
#[derive(Debug)]
pub struct Ring {
    keys: watch::Receiver<Keys>,
    trailer: watch::Receiver<Vec<u8>>,
    frames: Frames,
}

impl Ring {
    /// With the newest of these, and of what [`Frames::set_trailer`] takes.
    pub fn new(mut keys: watch::Receiver<Keys>, mut trailer: watch::Receiver<Vec<u8>>) -> Self {
        keys.mark_changed();
        trailer.mark_changed();
        Self { keys, trailer, frames: Frames::default() }
    }

    /// The keys as they are now.
    fn now(&mut self) -> &mut Frames {
        // Whoever gave them is gone: those that there are stay until the connection goes as well.
        if self.keys.has_changed().unwrap_or(false) {
            self.frames.set(&self.keys.borrow_and_update());
        }
        if self.trailer.has_changed().unwrap_or(false) {
            self.frames.set_trailer(&self.trailer.borrow_and_update());
        }
        &mut self.frames
    }
}

impl FrameCipher for Ring {
    fn seal(&mut self, ssrc: u32, timestamp: u32, frame: &[u8]) -> Option<Vec<u8>> {
        self.now().seal(ssrc, timestamp, frame)
    }

    fn open(&mut self, from: &Identity, frame: &[u8]) -> Option<(u32, Vec<u8>)> {
        let opened = self.now().open(from, frame);
        let opened = opened.map_err(|why| tracing::trace!(%why, "a frame is not played")).ok()?;
        Some((timestamp(frame)?, opened))
    }
}

#[cfg(test)]
mod tests;
