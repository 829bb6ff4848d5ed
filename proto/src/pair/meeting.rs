//! What two daemons say to each other once a code has brought them together, sans I/O.
//!
//! Lives here: the order of the messages, the confirmation of the key both ways, the cards behind it.
//! Must not: keep a contact, know how a message travels, make randomness.
//!
//! ```text
//! started  1 ‖ session ‖ share ───────────────▶ joined
//!          ◀─────────── 2 ‖ share ‖ confirmation
//!          3 ‖ confirmation ──────────────────▶
//!          4 ‖ sealed card ───────────────────▶
//!          ◀──────────────────── 4 ‖ sealed card
//!          4 ‖ sealed "kept" ─────────────────▶
//! ```
//! No card, key or name leaves before the other has shown that it knows the words. The key is bound to the number, the relay's
//! name and the roles. Each message has one place: any that is altered, left out, doubled or of another run ends the meeting.
//! Who joined keeps the card when it hears that its own was kept: without the very last message one has a contact that the other
//! lacks, which no order of messages can avoid; whoever lacks it is told. So it is where who joined ends it after its card went.

use blake2::{Blake2s256, Digest as _};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::code::Code;
use super::cpace::{self, Secret, Share};
use crate::card::Card;
use crate::limits;

/// Names this form of the meeting in the key.
const DOMAIN: &[u8] = b"ahoy pair 1";
const BEGIN: u8 = 1;
const ANSWER: u8 = 2;
const CONFIRM: u8 = 3;
const SEALED: u8 = 4;
/// Behind the seal: a card's text.
const CARD: u8 = 1;
/// Behind the seal: the card that came is kept.
const KEPT: u8 = 2;
/// What is sealed has a multiple of this many bytes, so that no length of a name shows.
const PADDED: usize = 1_024;
/// The longest card that is sent: with its padding and seal it fits with room to spare.
const CARD_BYTES: usize = limits::CARD_BYTES;
const _: () =
    assert!(CARD_BYTES + 3 * PADDED < limits::PLATE_BYTES, "a card fits behind what is said before it");

/// Which of the two one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Shows the code.
    Started,
    /// Types it.
    Joined,
}

impl Role {
    const fn word(self) -> &'static [u8] {
        match self {
            Self::Started => b"started",
            Self::Joined => b"joined",
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::Started => Self::Joined,
            Self::Joined => Self::Started,
        }
    }
}

/// Fresh random bytes for one meeting.
pub struct Chance {
    /// For the share.
    pub secret: Zeroizing<[u8; 64]>,
    /// For the name of the run; of who started.
    pub session: [u8; 16],
}

/// Why a meeting is over. Nobody is told which; the sentence is for the own person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MeetingError {
    /// The other does not know the words, or what was said was altered on its way.
    #[error("the words do not fit")]
    WrongCode,
    /// A message that no ahoy would have sent here.
    #[error("a message that does not belong here")]
    Misplaced,
    /// The seal does not hold.
    #[error("the seal does not hold")]
    Seal,
    /// What was sealed is no card.
    #[error("there is no card behind the seal")]
    NoCard,
    /// Our own card is too long to be sent this way.
    #[error("the card is too long")]
    TooLong,
}

/// What follows from something that was heard, in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Say this to the other.
    Say(Vec<u8>),
    /// They know the words: our card is wanted, by [`Meeting::give`].
    WantsCard,
    /// Their card: keep it, and then say so by [`Meeting::kept`].
    Keep(Box<Card>),
}

/// One side of a meeting.
pub struct Meeting {
    role: Role,
    word: Zeroizing<String>,
    channel: Vec<u8>,
    state: State,
}

enum State {
    /// Who started waits for the answer.
    Begun { secret: Secret, session: [u8; 16], share: [u8; 32] },
    /// Who joined waits for the beginning.
    Waits(Box<Chance>),
    /// Who joined waits for the confirmation.
    Answered(Box<Keys>),
    /// Both know the words; so far came of the cards.
    Sealed { keys: Box<Keys>, sent: u8, ours: Option<String>, theirs: Option<Box<Card>> },
    /// Nothing more is said or heard.
    Over,
}

struct Keys {
    ours: Zeroizing<[u8; 32]>,
    theirs: Zeroizing<[u8; 32]>,
    confirms_ours: Zeroizing<[u8; 32]>,
    confirms_theirs: Zeroizing<[u8; 32]>,
}

impl Meeting {
    /// Of who showed the code, at the relay of this name, and what to say first.
    pub fn start(code: &Code, relay: &str, chance: Chance) -> (Self, Vec<u8>) {
        let (word, channel) = bound(code, relay);
        let (secret, session) = (Secret::new(&chance.secret), chance.session);
        let share = secret.share(word.as_bytes(), &channel, &session);
        let first = [&[BEGIN][..], &session, &share].concat();
        (Self { role: Role::Started, word, channel, state: State::Begun { secret, session, share } }, first)
    }

    /// Of who typed it, at the relay of this name.
    pub fn join(code: &Code, relay: &str, chance: Chance) -> Self {
        let (word, channel) = bound(code, relay);
        Self { role: Role::Joined, word, channel, state: State::Waits(Box::new(chance)) }
    }

    /// Whether the other has shown that it knows the words.
    pub fn is_confirmed(&self) -> bool {
        matches!(self.state, State::Sealed { .. })
    }

    /// Whether we have shown that we know the words, and the other has not yet.
    pub fn has_answered(&self) -> bool {
        matches!(self.state, State::Answered(_))
    }

    /// The other said this. After an error nothing more is said or heard.
    pub fn hear(&mut self, message: &[u8]) -> Result<Vec<Next>, MeetingError> {
        let (kind, rest) = message.split_first().ok_or(MeetingError::Misplaced)?;
        match (std::mem::replace(&mut self.state, State::Over), *kind) {
            (State::Waits(chance), BEGIN) => self.answer(&chance, rest),
            (State::Begun { secret, session, share }, ANSWER) => {
                self.confirm(&secret, &session, &share, rest)
            }
            (State::Answered(keys), CONFIRM) => {
                if !bool::from(rest.ct_eq(&keys.confirms_theirs[..])) {
                    return Err(MeetingError::WrongCode);
                }
                self.state = State::Sealed { keys, sent: 0, ours: None, theirs: None };
                Ok(vec![Next::WantsCard])
            }
            (State::Sealed { keys, sent, ours, theirs }, SEALED) => {
                self.opened(keys, (sent, ours, theirs), rest)
            }
            (
                State::Begun { .. }
                | State::Waits(_)
                | State::Answered(_)
                | State::Sealed { .. }
                | State::Over,
                _,
            ) => Err(MeetingError::Misplaced),
        }
    }

    /// Our card, once it is wanted. It goes out at once, or after theirs has come.
    pub fn give(&mut self, card: String) -> Result<Vec<Next>, MeetingError> {
        if card.len() > CARD_BYTES {
            self.state = State::Over;
            return Err(MeetingError::TooLong);
        }
        let State::Sealed { keys, sent, ours, theirs } = &mut self.state else {
            return Err(MeetingError::Misplaced);
        };
        if *sent > 0 || ours.is_some() {
            return Err(MeetingError::Misplaced);
        }
        if self.role == Role::Joined && theirs.is_none() {
            *ours = Some(card);
            return Ok(Vec::new());
        }
        Ok(vec![Next::Say(seal(keys, sent, CARD, card.as_bytes()))])
    }

    /// Of who started: their card is kept, and both are each other's contacts when they hear it.
    pub fn kept(&mut self) -> Result<Vec<u8>, MeetingError> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Sealed { keys, mut sent, theirs: Some(_), .. } if self.role == Role::Started => {
                Ok(seal(&keys, &mut sent, KEPT, &[]))
            }
            State::Sealed { .. }
            | State::Begun { .. }
            | State::Waits(_)
            | State::Answered(_)
            | State::Over => Err(MeetingError::Misplaced),
        }
    }

    fn answer(&mut self, chance: &Chance, begin: &[u8]) -> Result<Vec<Next>, MeetingError> {
        let (session, theirs) = begin.split_first_chunk::<16>().ok_or(MeetingError::Misplaced)?;
        let theirs: &[u8; 32] = theirs.try_into().map_err(|_| MeetingError::Misplaced)?;
        let secret = Secret::new(&chance.secret);
        let ours = secret.share(self.word.as_bytes(), &self.channel, session);
        let keys = self.keys(&secret, session, &ours, theirs)?;
        let answer = [&[ANSWER][..], &ours, &keys.confirms_ours[..]].concat();
        self.state = State::Answered(Box::new(keys));
        Ok(vec![Next::Say(answer)])
    }

    fn confirm(
        &mut self,
        secret: &Secret,
        session: &[u8; 16],
        ours: &[u8; 32],
        answer: &[u8],
    ) -> Result<Vec<Next>, MeetingError> {
        let (theirs, confirmation) = answer.split_first_chunk::<32>().ok_or(MeetingError::Misplaced)?;
        if confirmation.len() != 32 {
            return Err(MeetingError::Misplaced);
        }
        let keys = self.keys(secret, session, ours, theirs)?;
        if !bool::from(confirmation.ct_eq(&keys.confirms_theirs[..])) {
            return Err(MeetingError::WrongCode);
        }
        let confirm = [&[CONFIRM][..], &keys.confirms_ours[..]].concat();
        self.state = State::Sealed { keys: Box::new(keys), sent: 0, ours: None, theirs: None };
        Ok(vec![Next::Say(confirm), Next::WantsCard])
    }

    fn opened(
        &mut self,
        keys: Box<Keys>,
        (mut sent, ours, theirs): (u8, Option<String>, Option<Box<Card>>),
        sealed: &[u8],
    ) -> Result<Vec<Next>, MeetingError> {
        let number = u8::from(theirs.is_some());
        let (kind, content) = open(&keys, number, sealed)?;
        match (kind, theirs, self.role) {
            // Who started has given its own card before: without it there is nothing to be answered.
            (CARD, None, Role::Started) if sent == 0 => Err(MeetingError::Misplaced),
            (CARD, None, _) => {
                let text = std::str::from_utf8(&content).map_err(|_| MeetingError::NoCard)?;
                let card = Box::new(Card::parse(text).map_err(|_| MeetingError::NoCard)?);
                let said = ours.map(|ours| Next::Say(seal(&keys, &mut sent, CARD, ours.as_bytes())));
                let keep = (self.role == Role::Started).then(|| Next::Keep(card.clone()));
                self.state = State::Sealed { keys, sent, ours: None, theirs: Some(card) };
                Ok(said.into_iter().chain(keep).collect())
            }
            (KEPT, Some(card), Role::Joined) if content.is_empty() && sent > 0 => Ok(vec![Next::Keep(card)]),
            _ => Err(MeetingError::Misplaced),
        }
    }

    fn keys(
        &self,
        secret: &Secret,
        session: &[u8],
        ours: &[u8; 32],
        theirs: &[u8; 32],
    ) -> Result<Keys, MeetingError> {
        // Our own share come back is no other's.
        let common = secret.common(theirs).filter(|_| ours != theirs).ok_or(MeetingError::WrongCode)?;
        let share = |role: Role, point: &[u8; 32]| Share { point: *point, data: role.word() };
        let (ours, theirs) = (share(self.role, ours), share(self.role.other(), theirs));
        let (a, b) = if self.role == Role::Started { (ours, theirs) } else { (theirs, ours) };
        let key = cpace::key(session, &common, &a, &b);
        let of = |what: &[u8], role: Role| {
            let digest = Blake2s256::new().chain_update(DOMAIN).chain_update([0]).chain_update(what);
            let digest = digest.chain_update([0]).chain_update(role.word()).chain_update([0]);
            Zeroizing::new(<[u8; 32]>::from(digest.chain_update(&key[..]).finalize()))
        };
        Ok(Keys {
            ours: of(b"seal", self.role),
            theirs: of(b"seal", self.role.other()),
            confirms_ours: of(b"confirm", self.role),
            confirms_theirs: of(b"confirm", self.role.other()),
        })
    }
}

/// Nothing of a meeting is for a log.
impl std::fmt::Debug for Meeting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Meeting({:?})", self.role)
    }
}

/// The word, and what else the key is bound to.
fn bound(code: &Code, relay: &str) -> (Zeroizing<String>, Vec<u8>) {
    let number = code.number.to_string();
    (Zeroizing::new(code.secret()), cpace::lv_cat(&[DOMAIN, number.as_bytes(), relay.as_bytes()]))
}

fn nonce(number: u8) -> Nonce {
    Nonce::from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, number])
}

/// `sent` counts what this side has sealed: no nonce is used twice.
fn seal(keys: &Keys, sent: &mut u8, kind: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("a card is shorter than that");
    let mut plain = Zeroizing::new([&[kind][..], &length.to_be_bytes(), content].concat());
    let padded = plain.len().next_multiple_of(PADDED);
    plain.resize(padded, 0);
    let cipher = ChaCha20Poly1305::new((&*keys.ours).into());
    let sealed = cipher.encrypt(&nonce(*sent), Payload { msg: &plain, aad: &[SEALED] });
    *sent += 1;
    [vec![SEALED], sealed.expect("less than a cipher's limit")].concat()
}

fn open(keys: &Keys, number: u8, sealed: &[u8]) -> Result<(u8, Zeroizing<Vec<u8>>), MeetingError> {
    if sealed.len() > limits::PLATE_BYTES {
        return Err(MeetingError::Misplaced);
    }
    let cipher = ChaCha20Poly1305::new((&*keys.theirs).into());
    let plain = cipher.decrypt(&nonce(number), Payload { msg: sealed, aad: &[SEALED] });
    let plain = Zeroizing::new(plain.map_err(|_| MeetingError::Seal)?);
    let [kind, high, low, rest @ ..] = &plain[..] else { return Err(MeetingError::Misplaced) };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    let content = rest.get(..length).ok_or(MeetingError::Misplaced)?;
    Ok((*kind, Zeroizing::new(content.to_vec())))
}

#[cfg(test)]
#[path = "tests/meeting.rs"]
mod tests;
