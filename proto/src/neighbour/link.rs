//! A connection between two neighbours: `Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s`, sans I/O.
//!
//! Lives here: the handshake, sealing and opening in order.
//! Must not: know what is said, hold a socket, make randomness.
//!
//! The pre-shared key is of the tag that the first message names: who has no such token cannot make that message, and gets no
//! answer. A key that is stolen later opens nothing that was said before. The prologue is `ahoy neighbour 1 ‖ tag`.

use snow::{Builder, HandshakeState, TransportState};

use super::knock::{ANSWER, OPENING};
use super::said::{self, Said};
use super::tag::{Hour, NeighbourKey};
use crate::session::Ephemeral;

/// What a seal adds.
const SEAL: usize = 16;
/// The longest frame, without its length.
pub const MAX_FRAME: usize = said::MOST + SEAL;
const _: () = assert!(MAX_FRAME <= 65_535, "a frame is one message of Noise");

/// Why a connection is of no use. The other learns nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The other does not have the key of the tag, or what it said was altered, left out or doubled.
    #[error("the seal does not hold")]
    Seal,
    /// Behind the seal is nothing that an ahoy says.
    #[error("what was sealed cannot be read")]
    Unreadable,
    /// A frame of impossible length.
    #[error("a frame of impossible length")]
    Length,
    /// No key, or the nonces are used up.
    #[error("the connection cannot go on")]
    Spent,
}

/// Who dials, until the answer came.
pub struct Dialing(HandshakeState);

/// A connection that stands: what is sealed here is opened there in the same order.
pub struct Link(TransportState);

impl Dialing {
    /// Makes the first message, which goes behind the tag.
    pub fn begin(
        key: &NeighbourKey,
        hour: Hour,
        ephemeral: &Ephemeral,
    ) -> Result<(Self, [u8; OPENING]), LinkError> {
        let mut state = state(key, hour, ephemeral, |it| it.build_initiator())?;
        let message = write(&mut state)?;
        Ok((Self(state), message))
    }

    /// Opens the answer.
    pub fn finish(mut self, answer: &[u8; ANSWER]) -> Result<Link, LinkError> {
        read(&mut self.0, answer)?;
        transport(self.0)
    }
}

/// Opens the first message of who dials, who named that key's tag of that hour; and the answer.
pub fn answer(
    key: &NeighbourKey,
    hour: Hour,
    ephemeral: &Ephemeral,
    opening: &[u8; OPENING],
) -> Result<(Link, [u8; ANSWER]), LinkError> {
    let mut state = state(key, hour, ephemeral, |it| it.build_responder())?;
    read(&mut state, opening)?;
    let message = write(&mut state)?;
    Ok((transport(state)?, message))
}

impl Link {
    /// One frame, its length before it: two bytes, big endian.
    pub fn seal(&mut self, said: &Said) -> Result<Vec<u8>, LinkError> {
        let plain = said.encode();
        let length = u16::try_from(plain.len() + SEAL).map_err(|_| LinkError::Length)?;
        let mut frame = length.to_be_bytes().to_vec();
        frame.resize(2 + usize::from(length), 0);
        self.0.write_message(&plain, &mut frame[2..]).map_err(|_| LinkError::Spent)?;
        Ok(frame)
    }

    /// Opens one frame, without its length. None: of a later version.
    pub fn open(&mut self, frame: &[u8]) -> Result<Option<Said>, LinkError> {
        if frame.len() > MAX_FRAME {
            return Err(LinkError::Length);
        }
        let mut plain = vec![0; frame.len()];
        let n = self.0.read_message(frame, &mut plain).map_err(|_| LinkError::Seal)?;
        Said::decode(&plain[..n]).map_err(|_| LinkError::Unreadable)
    }
}

macro_rules! debug_as_name {
    ($($name:ident),*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    )*};
}
debug_as_name!(Dialing, Link);

fn state(
    key: &NeighbourKey,
    hour: Hour,
    ephemeral: &Ephemeral,
    build: impl FnOnce(Builder<'_>) -> Result<HandshakeState, snow::Error>,
) -> Result<HandshakeState, LinkError> {
    let params = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s".parse().map_err(|_| LinkError::Spent)?;
    let prologue = [&b"ahoy neighbour 1"[..], &key.tag(hour).0].concat();
    let psk = key.psk(hour);
    // Chance is an argument in this crate: the key given here is as fresh as one that snow would draw itself.
    Builder::new(params)
        .fixed_ephemeral_key_for_testing_only(&ephemeral.0)
        .psk(0, &psk)
        .and_then(|it| it.prologue(&prologue))
        .and_then(build)
        .map_err(|_| LinkError::Spent)
}

fn write<const N: usize>(state: &mut HandshakeState) -> Result<[u8; N], LinkError> {
    let mut message = [0; N];
    let n = state.write_message(&[], &mut message).map_err(|_| LinkError::Spent)?;
    if n == N { Ok(message) } else { Err(LinkError::Length) }
}

fn read(state: &mut HandshakeState, message: &[u8]) -> Result<(), LinkError> {
    let mut payload = [0; OPENING];
    state.read_message(message, &mut payload).map(drop).map_err(|_| LinkError::Seal)
}

fn transport(state: HandshakeState) -> Result<Link, LinkError> {
    state.into_transport_mode().map(Link).map_err(|_| LinkError::Spent)
}
