//! The proof that an inbox is ours: a signature over what its relay asks.
//!
//! Lives here: making it and checking it.
//! Must not: know when it is asked for, or who may write to the inbox.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::armor;
use crate::envelope::{Inbox, TokenHash};

const DOMAIN: &[u8] = b"ahoy relay claim 1";

/// The proof that an inbox is ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The public claim key, whose digest is the inbox.
    #[serde(with = "armor")]
    pub key: [u8; 32],
    /// Over the domain, the relay's nonce and the key.
    #[serde(with = "armor")]
    pub signature: [u8; 64],
    /// Who may write. At most `limits::TOKENS_IN_FRAME`.
    #[serde(default)]
    pub tokens: Vec<TokenHash>,
    /// Whether the rest of the list follows by `allow`.
    #[serde(default)]
    pub more: bool,
}

impl Claim {
    /// Signs a relay's nonce.
    pub fn sign(key: &SigningKey, nonce: &Nonce, tokens: Vec<TokenHash>, more: bool) -> Self {
        let public = key.verifying_key().to_bytes();
        let signature = key.sign(&claimed(nonce, &public)).to_bytes();
        Self { key: public, signature, tokens, more }
    }

    /// The inbox, if the signature is good for this nonce.
    pub fn verify(&self, nonce: &Nonce) -> Option<Inbox> {
        let key = VerifyingKey::from_bytes(&self.key).ok()?;
        key.verify_strict(&claimed(nonce, &self.key), &Signature::from_bytes(&self.signature)).ok()?;
        Some(Inbox::of(&self.key))
    }
}

fn claimed(nonce: &Nonce, key: &[u8; 32]) -> Vec<u8> {
    [DOMAIN, &nonce.0, key].concat()
}

/// What a relay asks to be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nonce(#[serde(with = "armor")] pub [u8; 32]);
