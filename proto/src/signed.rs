//! Signatures over a body, kept apart by what they are for.
//!
//! Lives here: signing and verifying with a domain before the body, and which keys can verify at all.
//! Must not: know what is signed, or whom the user trusts.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

/// Signature over domain and body, then the body.
pub(crate) fn sign(with: &SigningKey, domain: &[u8], body: &[u8]) -> Vec<u8> {
    let signature = with.sign(&[domain, body].concat());
    [&signature.to_bytes()[..], body].concat()
}

/// Whether `signed` is a signature of `by` over domain and body, then the body. Malleable signatures count as none.
pub(crate) fn is_signed(by: &VerifyingKey, domain: &[u8], signed: &[u8]) -> bool {
    let Some((signature, body)) = signed.split_first_chunk::<64>() else { return false };
    by.verify_strict(&[domain, body].concat(), &Signature::from_bytes(signature)).is_ok()
}

/// A key that can verify. `None` for what is no point or a weak one.
pub(crate) fn key(bytes: &[u8; 32]) -> Option<VerifyingKey> {
    VerifyingKey::from_bytes(bytes).ok().filter(|key| !key.is_weak())
}
