//! One Noise session between two devices about one call: `Noise_IK_25519_ChaChaPoly_BLAKE2s`, sans I/O.
//!
//! Lives here: the frame header, the handshake, sealing and opening with explicit nonces, padding.
//! Must not: know whether the other may speak to us, repeat or order anything; make randomness.
//!
//! A frame is `version (1) ‖ session id (16) ‖ type (1) ‖ nonce (8, big endian) ‖ Noise message`.
//! The prologue is `ahoy/1 ‖ session id ‖ the callee's device key`, so a frame fits one session of one device alone.
//! Sealed frames of one session may take any path and come in any order.

use ahoy_call::CallId;
use ed25519_dalek::VerifyingKey;
use snow::{Builder, HandshakeState, StatelessTransportState};
use x25519_dalek::StaticSecret;
use zeroize::{Zeroize as _, ZeroizeOnDrop};

use crate::codec::CodecError;
use crate::hello::{Hello, Reply, VERSION};
use crate::identity::DeviceCertificate;
use crate::window::Window;

/// The only version of the frame's header.
const FRAME_VERSION: u8 = 1;
/// Bytes before the Noise message.
pub const HEADER: usize = 26;
/// The largest plaintext, padding and its length field included.
const MAX_PADDED: usize = 32_768;
/// The smallest plaintext.
const MIN_PADDED: usize = 512;
/// The most that one frame can carry.
pub const MAX_CONTENT: usize = MAX_PADDED - 2;
/// The longest frame: message 1 with an ephemeral key, a sealed static key and two tags.
pub const MAX_FRAME: usize = HEADER + 32 + 48 + MAX_PADDED + 16;

/// Why a frame was not opened or not made. What failed is counted; the sender learns nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// Shorter than a header, or longer than [`MAX_FRAME`].
    #[error("a frame of impossible length")]
    Length,
    /// A version or type that this program does not know.
    #[error("a frame of unknown version or type")]
    UnknownFrame,
    /// A frame of another session, or of a type that does not fit here.
    #[error("a frame that does not belong here")]
    Misplaced,
    /// The seal does not hold.
    #[error("the seal does not hold")]
    Seal,
    /// The padding is not the padding of its content.
    #[error("the padding is wrong")]
    Padding,
    /// What was sealed is malformed.
    #[error("the sealed payload is malformed")]
    Payload(#[source] CodecError),
    /// A kind of message 1 that this version does not know.
    #[error("a handshake of unknown kind")]
    UnknownKind,
    /// The certificate inside is for another Noise key than the handshake used.
    #[error("the certificate does not fit the handshake")]
    WrongStatic,
    /// No version in common.
    #[error("no version in common")]
    NoVersion,
    /// This nonce was used, or is too old.
    #[error("a replayed or late frame")]
    Replayed,
    /// Too much for one frame.
    #[error("too much for one frame")]
    TooMuch,
    /// A key was refused, or the nonces are used up.
    #[error("the session cannot go on")]
    Spent,
}

/// 16 random bytes that name a session towards whoever carries its frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub [u8; 16]);

/// What the handshake needs of chance. Fresh random bytes each time; used once, and wiped.
pub struct Ephemeral(pub [u8; 32]);

impl Drop for Ephemeral {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for Ephemeral {}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Handshake message 1, from the caller.
    Hello,
    /// Handshake message 2, from the callee.
    Reply,
    /// Everything after.
    Sealed,
}

/// The clear part of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Which session.
    pub session: SessionId,
    /// Which type.
    pub kind: FrameKind,
    /// The nonce; 0 in a handshake.
    pub nonce: u64,
}

impl Header {
    /// Reads the clear part, whatever follows it.
    pub fn read(frame: &[u8]) -> Result<Self, SessionError> {
        let (head, body) = frame.split_first_chunk::<HEADER>().ok_or(SessionError::Length)?;
        if body.is_empty() || frame.len() > MAX_FRAME {
            return Err(SessionError::Length);
        }
        let [version, rest @ ..] = head;
        let mut session = [0; 16];
        session.copy_from_slice(&rest[..16]);
        let mut nonce = [0; 8];
        nonce.copy_from_slice(&rest[17..]);
        let nonce = u64::from_be_bytes(nonce);
        let kind = match (*version, rest[16], nonce) {
            (FRAME_VERSION, 1, 0) => FrameKind::Hello,
            (FRAME_VERSION, 2, 0) => FrameKind::Reply,
            (FRAME_VERSION, 3, _) => FrameKind::Sealed,
            _ => return Err(SessionError::UnknownFrame),
        };
        Ok(Self { session: SessionId(session), kind, nonce })
    }

    fn write(self, noise: &[u8]) -> Vec<u8> {
        let kind = match self.kind {
            FrameKind::Hello => 1,
            FrameKind::Reply => 2,
            FrameKind::Sealed => 3,
        };
        [&[FRAME_VERSION][..], &self.session.0, &[kind], &self.nonce.to_be_bytes(), noise].concat()
    }
}

/// The caller's side until message 2 came.
pub struct Calling {
    /// Taken when message 2 was opened.
    state: Option<HandshakeState>,
    id: SessionId,
    call: CallId,
    message_1: Vec<u8>,
}

impl Calling {
    /// Makes message 1 for one device.
    pub fn begin(
        id: SessionId,
        ephemeral: &Ephemeral,
        own: &StaticSecret,
        callee: &DeviceCertificate,
        hello: &Hello,
    ) -> Result<Self, SessionError> {
        let mut state = builder(own.as_bytes(), ephemeral, &prologue(id, callee.device()))?
            .remote_public_key(&callee.noise())
            .and_then(Builder::build_initiator)
            .map_err(|_| SessionError::Spent)?;
        let payload = pad(&hello.encode().map_err(SessionError::Payload)?)?;
        let header = Header { session: id, kind: FrameKind::Hello, nonce: 0 };
        let message_1 = header.write(&write(&mut state, &payload)?);
        Ok(Self { state: Some(state), id, call: hello.call, message_1 })
    }

    /// To be sent, and repeated byte for byte.
    pub fn message_1(&self) -> &[u8] {
        &self.message_1
    }

    /// The session.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// The call it is about.
    pub fn call(&self) -> CallId {
        self.call
    }

    /// Opens message 2. A wrong one changes nothing: the right one may still come.
    pub fn finish(&mut self, frame: &[u8]) -> Result<(Session, Reply), SessionError> {
        let header = Header::read(frame)?;
        if header.session != self.id || header.kind != FrameKind::Reply {
            return Err(SessionError::Misplaced);
        }
        let state = self.state.as_mut().ok_or(SessionError::Misplaced)?;
        let payload = read(state, &frame[HEADER..])?;
        // The seal held, so it is the callee's own word: a malformed one ends the handshake.
        let state = self.state.take().ok_or(SessionError::Misplaced)?;
        let reply = Reply::decode(unpad(&payload)?).map_err(SessionError::Payload)?;
        if reply.version != VERSION {
            return Err(SessionError::NoVersion);
        }
        Ok((Session::new(self.id, state, None)?, reply))
    }
}

/// The callee's side after message 1 was opened: nothing has been sent, and need not be.
pub struct Called {
    state: HandshakeState,
    id: SessionId,
    message_1: Vec<u8>,
}

impl Called {
    /// Opens message 1. That the sender is who the certificate names is proved; that it lives now is not.
    pub fn open(
        own: &StaticSecret,
        device: &VerifyingKey,
        ephemeral: &Ephemeral,
        frame: &[u8],
    ) -> Result<(Self, Hello), SessionError> {
        let header = Header::read(frame)?;
        if header.kind != FrameKind::Hello {
            return Err(SessionError::Misplaced);
        }
        let mut state = builder(own.as_bytes(), ephemeral, &prologue(header.session, device))?
            .build_responder()
            .map_err(|_| SessionError::Spent)?;
        let payload = read(&mut state, &frame[HEADER..])?;
        let hello = Hello::decode(unpad(&payload)?)
            .map_err(SessionError::Payload)?
            .ok_or(SessionError::UnknownKind)?;
        if state.get_remote_static() != Some(&hello.certificate.noise()[..]) {
            return Err(SessionError::WrongStatic);
        }
        if !hello.versions.contains(&VERSION) {
            return Err(SessionError::NoVersion);
        }
        Ok((Self { state, id: header.session, message_1: frame.to_vec() }, hello))
    }

    /// The session.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// Whether this is message 1, byte for byte.
    pub fn is_repeat(&self, frame: &[u8]) -> bool {
        self.message_1 == frame
    }

    /// Makes message 2; [`Session::again`] keeps it.
    pub fn reply(mut self, revision: u64, features: &[String]) -> Result<(Session, Vec<u8>), SessionError> {
        let reply = Reply { version: VERSION, revision, features: features.to_vec() };
        let payload = pad(&reply.encode().map_err(SessionError::Payload)?)?;
        let header = Header { session: self.id, kind: FrameKind::Reply, nonce: 0 };
        let message_2 = header.write(&write(&mut self.state, &payload)?);
        let stored = (self.message_1, message_2.clone());
        Ok((Session::new(self.id, self.state, Some(stored))?, message_2))
    }
}

/// A session that stands.
pub struct Session {
    id: SessionId,
    state: StatelessTransportState,
    next: u64,
    window: Window,
    /// The callee's: message 1 and what it was answered with.
    stored: Option<(Vec<u8>, Vec<u8>)>,
}

impl Session {
    fn new(
        id: SessionId,
        state: HandshakeState,
        stored: Option<(Vec<u8>, Vec<u8>)>,
    ) -> Result<Self, SessionError> {
        let state = state.into_stateless_transport_mode().map_err(|_| SessionError::Spent)?;
        Ok(Self { id, state, next: 0, window: Window::default(), stored })
    }

    /// Its id.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// The stored message 2, if this frame is the very message 1 that it answered.
    pub fn again(&self, frame: &[u8]) -> Option<&[u8]> {
        self.stored.as_ref().filter(|(message_1, _)| message_1 == frame).map(|(_, message_2)| &message_2[..])
    }

    /// Seals content into a frame with a nonce of its own.
    pub fn seal(&mut self, content: &[u8]) -> Result<Vec<u8>, SessionError> {
        let plain = pad(content)?;
        let mut noise = vec![0; plain.len() + 16];
        let nonce = self.next;
        let n = self.state.write_message(nonce, &plain, &mut noise).map_err(|_| SessionError::Spent)?;
        self.next = nonce.checked_add(1).ok_or(SessionError::Spent)?;
        Ok(Header { session: self.id, kind: FrameKind::Sealed, nonce }.write(&noise[..n]))
    }

    /// Opens a frame, each nonce once.
    pub fn open(&mut self, frame: &[u8]) -> Result<Vec<u8>, SessionError> {
        let header = Header::read(frame)?;
        if header.session != self.id || header.kind != FrameKind::Sealed {
            return Err(SessionError::Misplaced);
        }
        if !self.window.is_fresh(header.nonce) {
            return Err(SessionError::Replayed);
        }
        let noise = &frame[HEADER..];
        let mut plain = vec![0; noise.len()];
        let n = self.state.read_message(header.nonce, noise, &mut plain).map_err(|_| SessionError::Seal)?;
        if !self.window.take(header.nonce) {
            return Err(SessionError::Replayed);
        }
        unpad(&plain[..n]).map(<[u8]>::to_vec)
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
debug_as_name!(Calling, Called, Session, Ephemeral);

fn prologue(id: SessionId, callee: &VerifyingKey) -> Vec<u8> {
    [&b"ahoy/1"[..], &id.0, callee.as_bytes()].concat()
}

fn builder<'a>(
    own: &'a [u8; 32],
    ephemeral: &'a Ephemeral,
    prologue: &'a [u8],
) -> Result<Builder<'a>, SessionError> {
    let params = "Noise_IK_25519_ChaChaPoly_BLAKE2s".parse().map_err(|_| SessionError::Spent)?;
    // Chance is an argument in this crate: the key given here is as fresh as one that snow would draw itself.
    Builder::new(params)
        .fixed_ephemeral_key_for_testing_only(&ephemeral.0)
        .local_private_key(own)
        .and_then(|it| it.prologue(prologue))
        .map_err(|_| SessionError::Spent)
}

fn write(state: &mut HandshakeState, payload: &[u8]) -> Result<Vec<u8>, SessionError> {
    let mut noise = vec![0; MAX_FRAME];
    let n = state.write_message(payload, &mut noise).map_err(|_| SessionError::Spent)?;
    noise.truncate(n);
    Ok(noise)
}

fn read(state: &mut HandshakeState, noise: &[u8]) -> Result<Vec<u8>, SessionError> {
    let mut payload = vec![0; noise.len()];
    let n = state.read_message(noise, &mut payload).map_err(|_| SessionError::Seal)?;
    payload.truncate(n);
    Ok(payload)
}

/// Length, content, zeros up to the next of 512, 1024 … 32,768: sizes tell little.
fn pad(content: &[u8]) -> Result<Vec<u8>, SessionError> {
    let length = u16::try_from(content.len()).map_err(|_| SessionError::TooMuch)?;
    let full = (content.len() + 2).next_power_of_two().max(MIN_PADDED);
    if full > MAX_PADDED {
        return Err(SessionError::TooMuch);
    }
    let mut plain = [&length.to_be_bytes()[..], content].concat();
    plain.resize(full, 0);
    Ok(plain)
}

/// The content of a padded plaintext. Only the one padding that `pad` makes is taken.
pub fn unpad(plain: &[u8]) -> Result<&[u8], SessionError> {
    let (length, rest) = plain.split_first_chunk::<2>().ok_or(SessionError::Padding)?;
    let (content, zeros) =
        rest.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(SessionError::Padding)?;
    let full = (content.len() + 2).next_power_of_two().max(MIN_PADDED);
    if plain.len() != full || full > MAX_PADDED || zeros.iter().any(|zero| *zero != 0) {
        return Err(SessionError::Padding);
    }
    Ok(content)
}
