//! Who we are, for whoever signs, speaks or is reached as us.
//!
//! Lives here: our keys, name and inboxes as a value that prints nothing secret; the card made of it.
//! Must not: read or write a file.

use std::sync::Arc;

use ahoy_call::{LegId, PeerId};
use ahoy_proto::card::{Card, CardDevice, CardError, InboxAt};
use ahoy_proto::envelope::Inbox;
use ahoy_proto::identity::{self, DeviceCertificate};
use blake2::Blake2sMac;
use blake2::digest::consts::U16;
use blake2::digest::{KeyInit as _, Mac as _};
use ed25519_dalek::SigningKey;
use x25519_dalek::StaticSecret;
use zeroize::Zeroizing;

/// Keeps the tokens of contacts apart from all else that is made of the account's key.
const TOKEN_DOMAIN: &[u8] = b"ahoy token of a contact 1\0";

/// Our keys, and what our card says beside them. Prints nothing secret.
#[derive(Clone)]
pub struct Own {
    /// What of the account is on this device.
    pub account: Account,
    /// This device's key.
    pub device: SigningKey,
    /// This device's static key of Noise sessions.
    pub noise: StaticSecret,
    /// The account's word for this device.
    pub certificate: DeviceCertificate,
    /// Where this device takes mail, one a configured relay.
    pub inboxes: Vec<OwnInbox>,
    /// As others see us.
    pub display_name: String,
    /// Of our card; rises when name, device or inboxes change.
    pub revision: u64,
    /// All secrets, where they are not in our file: what it takes to be written anew.
    pub apart: Option<Arc<Zeroizing<Vec<u8>>>>,
}

/// What a device has of its account.
#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "a program has one, or two for a moment")]
pub enum Account {
    /// Its key, which signs certificates and cards, nothing else.
    Holder(SigningKey),
    /// No more than its certificate: another device of the account holds the key.
    Certified,
    /// Nothing now: its keys are where they cannot be read. What stands for the device's is chance.
    Away,
    /// There is no account, and none is made until its keys could be kept where they are to be.
    Nobody,
}

/// Why there is no card of ours.
#[derive(Debug, thiserror::Error)]
pub enum NoCard {
    /// Cards are signed where the account's key is.
    #[error("cards are made on the device that holds the account")]
    NotHeld,
    /// No relay lists more tokens.
    #[error("too many cards were given out")]
    TooMany,
    /// Nothing is signed without keys.
    #[error("the keys of this account cannot be read now: ahoyctl status says why")]
    Away,
    /// This value was not made by `identity::open`.
    #[error(transparent)]
    Unfit(#[from] CardError),
}

/// How keys stand that could not be had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum KeysNews {
    /// Nobody waits for them.
    #[default]
    Nothing,
    /// Why they are not to be had.
    Missing(String),
    /// They are there: all begins anew.
    Here,
}

/// An inbox of ours.
#[derive(Clone)]
pub struct OwnInbox {
    /// The relay's URL.
    pub relay: String,
    /// Made for this relay alone: who holds it may claim the inbox.
    pub claim: SigningKey,
}

impl Own {
    /// Our card with this delivery token in it.
    pub fn card(&self, token: [u8; 16]) -> Result<Card, NoCard> {
        let inboxes = self.inboxes.iter().map(|own| InboxAt { relay: own.relay.clone(), inbox: own.inbox() });
        let device = CardDevice { certificate: self.certificate.clone(), inboxes: inboxes.collect() };
        Ok(Card::sign(self.holder()?, &self.display_name, self.revision, &[device], token)?)
    }

    /// The token on every card of ours that is made for this contact. Nobody else can tell it, and it need not be kept.
    pub fn token_for(&self, peer: PeerId) -> Result<[u8; 16], NoCard> {
        let key = self.holder()?.to_bytes();
        let mac = Blake2sMac::<U16>::new_from_slice(&key).expect("a key of 32 bytes fits");
        let mac = mac.chain_update(TOKEN_DOMAIN).chain_update(peer.bytes());
        Ok(mac.finalize().into_bytes().into())
    }

    /// The account's key, where it is.
    pub fn holder(&self) -> Result<&SigningKey, NoCard> {
        match &self.account {
            Account::Holder(key) => Ok(key),
            Account::Certified => Err(NoCard::NotHeld),
            Account::Away | Account::Nobody => Err(NoCard::Away),
        }
    }

    /// The keys are not there: nothing can be signed, nobody reached.
    pub fn is_away(&self) -> bool {
        matches!(self.account, Account::Away | Account::Nobody)
    }

    /// The id under which contacts know us.
    pub fn peer_id(&self) -> PeerId {
        identity::peer_id(self.certificate.account())
    }

    /// The id of this device.
    pub fn leg_id(&self) -> LegId {
        identity::leg_id(&self.device.verifying_key())
    }

    /// The relays that are to hold an inbox of ours.
    pub fn relays(&self) -> Vec<String> {
        self.inboxes.iter().map(|inbox| inbox.relay.clone()).collect()
    }

    /// The account's address.
    pub fn address(&self) -> String {
        identity::address(self.certificate.account())
    }
}

impl OwnInbox {
    /// The inbox that this claim key opens.
    pub fn inbox(&self) -> Inbox {
        Inbox::of(self.claim.verifying_key().as_bytes())
    }
}

impl std::fmt::Debug for Own {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Own({:?}, {:?}, revision {})", self.peer_id(), self.leg_id(), self.revision)
    }
}

impl std::fmt::Debug for OwnInbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OwnInbox")
    }
}
