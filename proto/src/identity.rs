//! Who somebody is: accounts, devices, and what proves that a device belongs to an account.
//!
//! Lives here: device certificates, the ids derived from keys, addresses and safety numbers.
//! Must not: make keys, keep keys, or know whom the user trusts.

#[cfg(test)]
mod tests;

use ahoy_call::{LegId, PeerId};
use blake2::{Blake2s256, Digest as _};
use data_encoding::{Encoding, Specification};
use ed25519_dalek::{SigningKey, VerifyingKey};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) use crate::signed::{is_signed, key, sign};
use crate::words::{self, NAME, Unfit, Words};
use crate::{armor, limits};

/// What a signature of the account key over a device certificate begins with.
const DOMAIN: &[u8] = b"ahoy device certificate 1\0";
/// How far another's clock may run ahead before a certificate of now counts as one of the future.
const CLOCK_SLACK_S: i64 = 86_400;

/// Why a device certificate was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Longer than [`crate::limits::CERTIFICATE_BYTES`].
    #[error("the certificate is too long")]
    TooLong,
    /// Shorter than a signature, or its body is no JSON of the right shape.
    #[error("the certificate is malformed")]
    Malformed,
    /// A key that is no point of the curve, or one of the weak ones; a Noise key of low order.
    #[error("the certificate holds an unusable key")]
    BadKey,
    /// The name that we gave our own device is not fit to be shown. Names of others are cleaned instead.
    #[error("the device's name cannot stand in a certificate")]
    BadName(#[source] Unfit),
    /// Ends before it begins.
    #[error("the certificate ends before it begins")]
    BadTimes,
    /// The account key did not sign this.
    #[error("the certificate is not signed by its account")]
    BadSignature,
}

/// The account key's word that a device is its own. Exists only with a valid signature.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceCertificate {
    account: VerifyingKey,
    device: VerifyingKey,
    noise: [u8; 32],
    name: String,
    created_s: i64,
    expires_s: i64,
    /// Signature and body as they were signed; fields of later versions stay in it.
    signed: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Body {
    #[serde(with = "armor")]
    account: [u8; 32],
    #[serde(with = "armor")]
    device: [u8; 32],
    #[serde(with = "armor")]
    noise: [u8; 32],
    name: String,
    created: i64,
    expires: i64,
}

impl DeviceCertificate {
    /// Signs for a device. `created_s` and `expires_s` are seconds since the Unix epoch.
    pub fn sign(
        account: &SigningKey,
        device: &VerifyingKey,
        noise: &x25519_dalek::PublicKey,
        name: &str,
        created_s: i64,
        expires_s: i64,
    ) -> Result<Self, CertificateError> {
        Words::own(name, NAME).map_err(CertificateError::BadName)?;
        let body = Body {
            account: account.verifying_key().to_bytes(),
            device: device.to_bytes(),
            noise: noise.to_bytes(),
            name: name.to_owned(),
            created: created_s,
            expires: expires_s,
        };
        let body = serde_json::to_vec(&body).map_err(|_| CertificateError::Malformed)?;
        Self::from_bytes(&sign(account, DOMAIN, &body))
    }

    /// Reads and verifies: the shape, the keys, the signature of the account that it names.
    /// Whether it is valid *now* is [`Self::is_valid_at`]; whose account that is, the caller knows.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CertificateError> {
        if bytes.len() > limits::CERTIFICATE_BYTES {
            return Err(CertificateError::TooLong);
        }
        let (_, body) = bytes.split_first_chunk::<64>().ok_or(CertificateError::Malformed)?;
        let body: Body = serde_json::from_slice(body).map_err(|_| CertificateError::Malformed)?;
        let account = key(&body.account).ok_or(CertificateError::BadKey)?;
        let device = key(&body.device).ok_or(CertificateError::BadKey)?;
        if is_low_order(&body.noise) {
            return Err(CertificateError::BadKey);
        }
        if body.expires <= body.created {
            return Err(CertificateError::BadTimes);
        }
        if !is_signed(&account, DOMAIN, bytes) {
            return Err(CertificateError::BadSignature);
        }
        Ok(Self {
            account,
            device,
            noise: body.noise,
            name: words::name(&body.name, "device"),
            created_s: body.created,
            expires_s: body.expires,
            signed: bytes.to_vec(),
        })
    }

    /// As it travels: signature, then the body as it was signed.
    pub fn as_bytes(&self) -> &[u8] {
        &self.signed
    }

    /// The account that signed it.
    pub fn account(&self) -> &VerifyingKey {
        &self.account
    }

    /// The device's signing key.
    pub fn device(&self) -> &VerifyingKey {
        &self.device
    }

    /// The device's static Noise key.
    pub fn noise(&self) -> [u8; 32] {
        self.noise
    }

    /// What the owner calls the device.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When it was signed, seconds since the Unix epoch.
    pub fn created_s(&self) -> i64 {
        self.created_s
    }

    /// From when on it is void, seconds since the Unix epoch.
    pub fn expires_s(&self) -> i64 {
        self.expires_s
    }

    /// The account's id.
    pub fn peer_id(&self) -> PeerId {
        peer_id(&self.account)
    }

    /// The device's id.
    pub fn leg_id(&self) -> LegId {
        leg_id(&self.device)
    }

    /// Its end has come.
    pub fn has_ended_at(&self, unix_s: i64) -> bool {
        unix_s >= self.expires_s
    }

    /// Not expired, and not of a future farther than a day: clocks differ.
    pub fn is_valid_at(&self, unix_s: i64) -> bool {
        self.created_s.saturating_sub(CLOCK_SLACK_S) <= unix_s && !self.has_ended_at(unix_s)
    }
}

impl std::fmt::Debug for DeviceCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DeviceCertificate({:?})", self.leg_id())
    }
}

impl Serialize for DeviceCertificate {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&armor::encode(&self.signed))
    }
}

impl<'de> Deserialize<'de> for DeviceCertificate {
    /// From text, verified as by [`DeviceCertificate::from_bytes`].
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = armor::decode(&text).ok_or_else(|| D::Error::custom("not base64url"))?;
        Self::from_bytes(&bytes).map_err(D::Error::custom)
    }
}

/// The bytes of an account's key, unproved: what a row of contacts keeps, without the cost of a point of the curve.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AccountBytes(pub [u8; 32]);

impl AccountBytes {
    /// The id of a contact with this key.
    pub fn peer_id(&self) -> PeerId {
        PeerId::from_bytes(first16(&self.0))
    }

    /// Its address.
    pub fn address(&self) -> String {
        z_base_32().encode(&self.0)
    }

    /// Sixty digits in twelve groups that both sides see alike, to be compared over another channel.
    pub fn safety_number(self, other: Self) -> String {
        let (low, high) = if self.0 <= other.0 { (self.0, other.0) } else { (other.0, self.0) };
        let digest = |part: u8| {
            Blake2s256::new()
                .chain_update(b"ahoy safety number 1\0")
                .chain_update([part])
                .chain_update(low)
                .chain_update(high)
                .finalize()
        };
        let bytes: Vec<u8> = digest(0).iter().chain(digest(1).iter()).copied().collect();
        let groups: Vec<String> = bytes
            .chunks_exact(5)
            .take(12)
            .map(|five| five.iter().fold(0_u64, |n, byte| n << 8 | u64::from(*byte)) % 100_000)
            .map(|group| format!("{group:05}"))
            .collect();
        groups.join(" ")
    }
}

impl std::fmt::Debug for AccountBytes {
    /// Shows nothing that a log may not hold.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AccountBytes({:?})", self.peer_id())
    }
}

/// A contact's id: the first 16 bytes of BLAKE2s-256 of the account key.
pub fn peer_id(account: &VerifyingKey) -> PeerId {
    PeerId::from_bytes(first16(account.as_bytes()))
}

/// A device's id: the first 16 bytes of BLAKE2s-256 of the device key.
pub fn leg_id(device: &VerifyingKey) -> LegId {
    LegId::from_bytes(first16(device.as_bytes()))
}

/// The account key in z-base-32 (52 characters): what a person may read out.
pub fn address(account: &VerifyingKey) -> String {
    z_base_32().encode(account.as_bytes())
}

/// The account key of an address, in either case. `None` if it is none.
pub fn parse_address(text: &str) -> Option<VerifyingKey> {
    let bytes = z_base_32().decode(text.to_ascii_lowercase().as_bytes()).ok()?;
    key(&<[u8; 32]>::try_from(bytes).ok()?)
}

/// Sixty digits in twelve groups that both sides see alike, to be compared over another channel.
pub fn safety_number(one: &VerifyingKey, other: &VerifyingKey) -> String {
    AccountBytes(one.to_bytes()).safety_number(AccountBytes(other.to_bytes()))
}

/// A key with which every exchange gives the same secret, known to all: zero, and the other points of low order of the
/// curve and of its twist (<https://cr.yp.to/ecdh.html>). The highest bit does not count.
fn is_low_order(key: &[u8; 32]) -> bool {
    const OF_EIGHT: [[u8; 32]; 2] = [
        [
            0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
            0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
        ],
        [
            0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
            0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
        ],
    ];
    let mut key = *key;
    key[31] &= 0x7f;
    let [first, middle @ .., last] = key;
    let small = first <= 1 && last == 0 && middle.iter().all(|byte| *byte == 0);
    // The field's prime less one, itself, and one more.
    let large = (0xec..=0xee).contains(&first) && last == 0x7f && middle.iter().all(|byte| *byte == 0xff);
    small || large || OF_EIGHT.contains(&key)
}

fn first16(key: &[u8; 32]) -> [u8; 16] {
    let digest = Blake2s256::digest(key);
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    id
}

fn z_base_32() -> Encoding {
    let mut specification = Specification::new();
    specification.symbols.push_str("ybndrfg8ejkmcpqxot1uwisza345h769");
    specification.encoding().expect("32 different symbols are a valid alphabet")
}
