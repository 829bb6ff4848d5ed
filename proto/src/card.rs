//! Cards: what a contact holds of another, and needs to ring them.
//!
//! Lives here: the signed card, its text form, its bounds. Of two cards of one account the higher revision counts.
//! Must not: keep cards, make tokens, or know what the user calls the contact.

use ahoy_call::PeerId;
use ed25519_dalek::{SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::envelope::Inbox;
use crate::identity::{self, AccountBytes, CertificateError, DeviceCertificate};
use crate::relay_url::RelayUrl;
use crate::words::{self, NAME, Unfit, Words};
use crate::{armor, limits};

/// How the text form begins; the digit is its version.
pub const PREFIX: &str = "ahoy:1";

/// What a signature of the account key over a card begins with.
const DOMAIN: &[u8] = b"ahoy card 1\0";

/// Letters of its address stand for an account whose name has none that can be seen.
const NAMELESS: usize = 8;

/// Why a card was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    /// Longer than [`crate::limits::CARD_BYTES`].
    #[error("the card is too long")]
    TooLong,
    /// Does not begin with [`PREFIX`].
    #[error("this is no card: it does not begin with \"ahoy:1\"")]
    NoCard,
    /// Not base64url, or too short for a signature.
    #[error("the card is damaged: it is not base64url")]
    BadText,
    /// The signed body is no JSON of the right shape.
    #[error("the card is malformed")]
    Malformed,
    /// The account key is no usable key.
    #[error("the card holds an unusable key")]
    BadKey,
    /// The account key did not sign this.
    #[error("the card is not signed by its account")]
    BadSignature,
    /// Our own name is not fit for a card. A name that others put on theirs is cleaned instead.
    #[error("the name cannot stand on a card")]
    BadName(#[source] Unfit),
    /// No device, or more than [`crate::limits::CARD_DEVICES`].
    #[error("the card has no device, or too many")]
    DeviceCount,
    /// The same device twice.
    #[error("the card names a device twice")]
    DoubleDevice,
    /// More than [`crate::limits::DEVICE_INBOXES`] inboxes on one device.
    #[error("a device on the card has too many inboxes")]
    InboxCount,
    /// Not the address of a relay ([`RelayUrl`]).
    #[error("a relay on the card has no usable address")]
    BadRelay,
    /// A device certificate was rejected.
    #[error("a device on the card is not certified")]
    BadCertificate(#[source] CertificateError),
    /// A device certificate of another account.
    #[error("a device on the card belongs to another account")]
    ForeignDevice,
}

/// What a contact holds of another. Exists only with a valid signature.
#[derive(Clone, PartialEq, Eq)]
pub struct Card {
    /// The account.
    pub account: VerifyingKey,
    /// As the owner wants to be shown, cleaned; what was signed stays as it is.
    pub name: String,
    /// Of two cards of one account the higher counts.
    pub revision: u64,
    /// One to eight.
    pub devices: Vec<CardDevice>,
    /// The delivery token given to the holder; another in each exported card.
    pub token: [u8; 16],
    /// Signature and body as they were signed; fields of later versions stay in it.
    signed: Vec<u8>,
}

/// One device on a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardDevice {
    /// The account's word for it.
    pub certificate: DeviceCertificate,
    /// Where it takes mail, at most four.
    pub inboxes: Vec<InboxAt>,
}

/// An inbox and the relay that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxAt {
    /// `ws://…` or `wss://…`.
    pub relay: String,
    /// The inbox there.
    pub inbox: Inbox,
}

#[derive(Serialize, Deserialize)]
struct Body {
    #[serde(with = "armor")]
    account: [u8; 32],
    name: String,
    revision: u64,
    devices: Vec<BodyDevice>,
    #[serde(with = "armor")]
    token: [u8; 16],
}

#[derive(Serialize, Deserialize)]
struct BodyDevice {
    #[serde(with = "armor")]
    certificate: Vec<u8>,
    inboxes: Vec<BodyInbox>,
}

#[derive(Serialize, Deserialize)]
struct BodyInbox {
    relay: String,
    #[serde(with = "armor")]
    inbox: [u8; 16],
}

impl Card {
    /// Signs a card. `token` must be fresh for each card that is handed out.
    pub fn sign(
        account: &SigningKey,
        name: &str,
        revision: u64,
        devices: &[CardDevice],
        token: [u8; 16],
    ) -> Result<Self, CardError> {
        Words::own(name, NAME).map_err(CardError::BadName)?;
        let devices = devices.iter().map(|device| BodyDevice {
            certificate: device.certificate.as_bytes().to_vec(),
            inboxes: device
                .inboxes
                .iter()
                .map(|at| BodyInbox { relay: at.relay.clone(), inbox: at.inbox.bytes() })
                .collect(),
        });
        let body = Body {
            account: account.verifying_key().to_bytes(),
            name: name.to_owned(),
            revision,
            devices: devices.collect(),
            token,
        };
        let body = serde_json::to_vec(&body).map_err(|_| CardError::Malformed)?;
        Self::from_bytes(identity::sign(account, DOMAIN, &body))
    }

    /// Reads the text form and verifies everything but validity in time. What mail programs and editors add does no harm:
    /// blanks and line breaks around and in it, a byte order mark before it.
    pub fn parse(text: &str) -> Result<Self, CardError> {
        if text.len() > limits::CARD_BYTES * 2 {
            return Err(CardError::TooLong);
        }
        let text: String = text.trim_start_matches('\u{feff}').split_whitespace().collect();
        if text.len() > limits::CARD_BYTES {
            return Err(CardError::TooLong);
        }
        let text = text.strip_prefix(PREFIX).ok_or(CardError::NoCard)?;
        Self::from_bytes(armor::decode(text).ok_or(CardError::BadText)?)
    }

    /// Whose card a text says that it is. Nothing is verified: for a file that held a verified card when it was written,
    /// and whose card is parsed before it is used.
    pub fn peek(text: &str) -> Option<AccountBytes> {
        #[derive(Deserialize)]
        struct Claim {
            #[serde(with = "armor")]
            account: [u8; 32],
        }
        let signed = armor::decode(text.strip_prefix(PREFIX)?)?;
        let (_, body) = signed.split_first_chunk::<64>()?;
        let claim: Claim = serde_json::from_slice(body).ok()?;
        Some(AccountBytes(claim.account))
    }

    /// The text form.
    pub fn to_text(&self) -> String {
        format!("{PREFIX}{}", armor::encode(&self.signed))
    }

    /// The account's id.
    pub fn peer_id(&self) -> PeerId {
        identity::peer_id(&self.account)
    }

    /// The account's address.
    pub fn address(&self) -> String {
        identity::address(&self.account)
    }

    fn from_bytes(signed: Vec<u8>) -> Result<Self, CardError> {
        if signed.len() > limits::CARD_BYTES / 4 * 3 - PREFIX.len() {
            return Err(CardError::TooLong);
        }
        let (_, body) = signed.split_first_chunk::<64>().ok_or(CardError::BadText)?;
        let body: Body = serde_json::from_slice(body).map_err(|_| CardError::Malformed)?;
        let account = identity::key(&body.account).ok_or(CardError::BadKey)?;
        if !identity::is_signed(&account, DOMAIN, &signed) {
            return Err(CardError::BadSignature);
        }
        if body.devices.is_empty() || body.devices.len() > limits::CARD_DEVICES {
            return Err(CardError::DeviceCount);
        }
        let devices =
            body.devices.into_iter().map(|it| device(&account, it)).collect::<Result<Vec<_>, _>>()?;
        let double = |i: usize| {
            devices[..i].iter().any(|it| it.certificate.device() == devices[i].certificate.device())
        };
        if (1..devices.len()).any(double) {
            return Err(CardError::DoubleDevice);
        }
        let address = identity::address(&account);
        let name = words::name(&body.name, address.get(..NAMELESS).unwrap_or(&address));
        Ok(Self { account, name, revision: body.revision, devices, token: body.token, signed })
    }
}

fn device(account: &VerifyingKey, body: BodyDevice) -> Result<CardDevice, CardError> {
    let certificate = DeviceCertificate::from_bytes(&body.certificate).map_err(CardError::BadCertificate)?;
    if certificate.account() != account {
        return Err(CardError::ForeignDevice);
    }
    if body.inboxes.len() > limits::DEVICE_INBOXES {
        return Err(CardError::InboxCount);
    }
    if !body.inboxes.iter().all(|at| RelayUrl::parse(&at.relay).is_ok()) {
        return Err(CardError::BadRelay);
    }
    let inboxes = body
        .inboxes
        .into_iter()
        .map(|at| InboxAt { relay: at.relay, inbox: Inbox::from_bytes(at.inbox) })
        .collect();
    Ok(CardDevice { certificate, inboxes })
}

impl std::fmt::Debug for Card {
    /// Shows nothing that a log may not hold.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Card({:?}, revision {})", self.peer_id(), self.revision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn device(of: u8, seed: u8) -> CardDevice {
        let noise = x25519_dalek::PublicKey::from([seed; 32]);
        let key = account(seed).verifying_key();
        let certificate = DeviceCertificate::sign(&account(of), &key, &noise, "laptop", 1, 2).unwrap();
        let at = InboxAt { relay: "wss://relay.example".to_owned(), inbox: Inbox::from_bytes([seed; 16]) };
        CardDevice { certificate, inboxes: vec![at] }
    }

    fn sign(devices: &[CardDevice]) -> Result<Card, CardError> {
        Card::sign(&account(1), "Ana", 7, devices, [5; 16])
    }

    #[test]
    fn a_card_survives_as_text() {
        let card = sign(&[device(1, 2), device(1, 3)]).unwrap();
        let text = card.to_text();
        assert!(text.starts_with("ahoy:1"));
        let there = Card::parse(&format!(" {text}\n")).unwrap();
        assert_eq!(there, card);
        let mailed: Vec<&str> =
            (0..text.len()).step_by(76).map(|at| &text[at..text.len().min(at + 76)]).collect();
        assert_eq!(Card::parse(&mailed.join("\r\n")), Ok(card.clone()), "as mail breaks it");
        assert_eq!(Card::parse(&format!("\u{feff}{text}")), Ok(card.clone()), "as an editor saves it");
        assert_eq!((there.name.as_str(), there.revision, there.token), ("Ana", 7, [5; 16]));
        assert_eq!(there.devices[1].inboxes[0].inbox.bytes(), [3; 16]);
        assert_eq!(there.peer_id(), identity::peer_id(&account(1).verifying_key()));
        let peeked = Card::peek(&text).unwrap();
        assert_eq!((peeked.peer_id(), peeked.address()), (card.peer_id(), card.address()));
    }

    #[test]
    fn the_largest_card_fits() {
        let relay = format!("wss://{}", "r".repeat(limits::RELAY_URL_BYTES - 6));
        let devices: Vec<_> = (2..10)
            .map(|seed| {
                let mut device = device(1, seed);
                device.inboxes = vec![InboxAt { relay: relay.clone(), inbox: Inbox::from_bytes([1; 16]) }; 2];
                device
            })
            .collect();
        let text = sign(&devices).unwrap().to_text();
        assert!(text.len() <= limits::CARD_BYTES, "{}", text.len());
        assert!(Card::parse(&text).is_ok());
    }

    #[test]
    fn a_card_with_any_other_letter_is_rejected() {
        let text = sign(&[device(1, 2)]).unwrap().to_text();
        for at in 0..text.len() {
            for other in [['A', '-', '='], ['b', '0', '"']][at % 2] {
                let mut bad: Vec<char> = text.chars().collect();
                if bad[at] == other {
                    continue;
                }
                bad[at] = other;
                let bad: String = bad.into_iter().collect();
                assert!(Card::parse(&bad).is_err(), "letter {at} as {other:?}");
            }
            assert!(Card::parse(&text[..at]).is_err(), "cut at {at}");
        }
        assert!(Card::parse(&format!("{text}A")).is_err());
    }

    #[test]
    fn each_flaw_has_its_name() {
        assert_eq!(Card::parse("ahoy:2abc"), Err(CardError::NoCard));
        assert_eq!(Card::parse("ahoy:1?"), Err(CardError::BadText));
        assert_eq!(Card::parse(&format!("ahoy:1{}", "A".repeat(20_000))), Err(CardError::TooLong));
        assert_eq!(Card::parse(&format!("ahoy:1{}", "A".repeat(200))), Err(CardError::Malformed));
        assert_eq!(sign(&[]), Err(CardError::DeviceCount));
        assert_eq!(sign(&vec![device(1, 2); 9]), Err(CardError::DeviceCount));
        assert_eq!(sign(&[device(1, 2), device(1, 2)]), Err(CardError::DoubleDevice));
        assert_eq!(sign(&[device(3, 2)]), Err(CardError::ForeignDevice));
        let named = |name| Card::sign(&account(1), name, 1, &[device(1, 2)], [0; 16]);
        assert_eq!(named(" "), Err(CardError::BadName(Unfit::Empty)));
        assert_eq!(named("a\u{7}"), Err(CardError::BadName(Unfit::Letter { letter: '\u{7}', at: 2 })));
        let mut crowded = device(1, 2);
        crowded.inboxes = vec![crowded.inboxes[0].clone(); 5];
        assert_eq!(sign(&[crowded]), Err(CardError::InboxCount));
        for relay in
            ["http://x", "ws://", "wss://a b", "wss://ü", "wss://a/b?c=d", "wss://me@a", "ws://192.168.0.1"]
        {
            let mut lost = device(1, 2);
            lost.inboxes[0].relay = relay.to_owned();
            assert_eq!(sign(&[lost]), Err(CardError::BadRelay), "{relay}");
        }
    }

    #[test]
    fn the_name_that_others_put_on_their_card_is_cleaned_and_the_card_stays_as_signed() {
        let named = |name: &str| {
            let card = sign(&[device(1, 2)]).unwrap();
            let mut body: serde_json::Value = serde_json::from_slice(&card.signed[64..]).unwrap();
            body["name"] = name.into();
            let signed = identity::sign(&account(1), DOMAIN, &serde_json::to_vec(&body).unwrap());
            let card = Card::from_bytes(signed.clone()).unwrap();
            assert_eq!(card.to_text(), format!("{PREFIX}{}", armor::encode(&signed)));
            card.name
        };
        assert_eq!(named("An\u{200b}a\u{0}\n(verified)"), "Ana (verified)");
        assert_eq!(named("\u{202e}"), identity::address(&account(1).verifying_key())[..NAMELESS]);
        assert_eq!(named(&"x".repeat(100)).chars().count(), limits::NAME_CHARS);
    }

    #[test]
    fn a_card_signed_by_another_is_rejected() {
        let card = sign(&[device(1, 2)]).unwrap();
        let forged = identity::sign(&account(4), DOMAIN, &card.signed[64..]);
        assert_eq!(Card::from_bytes(forged), Err(CardError::BadSignature));
    }

    #[test]
    fn fields_of_later_versions_do_no_harm() {
        let card = sign(&[device(1, 2)]).unwrap();
        let mut body: serde_json::Value = serde_json::from_slice(&card.signed[64..]).unwrap();
        body["colour"] = "blue".into();
        let later = identity::sign(&account(1), DOMAIN, &serde_json::to_vec(&body).unwrap());
        let later = Card::from_bytes(later).unwrap();
        assert!(Card::parse(&later.to_text()).is_ok());
    }
}
