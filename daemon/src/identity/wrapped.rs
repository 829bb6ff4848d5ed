//! A session with the Secret Service in which secrets are wrapped, `dh-ietf1024-sha256-aes128-cbc-pkcs7` of its specification.
//!
//! Lives here: the exchange (RFC 2409, second Oakley group), its key, one secret wrapped and unwrapped.
//! Must not: say anything on a bus. That bus is this machine's own: what it keeps away is a look at the bus, not at the service.

use aes::Aes128;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockDecryptMut as _, BlockEncryptMut as _, KeyIvInit as _};
use crypto_bigint::modular::runtime_mod::{DynResidue, DynResidueParams};
use crypto_bigint::{Encoding as _, U1024};
use hkdf::Hkdf;
use zeroize::Zeroizing;

/// The algorithm, as the service calls it.
pub(super) const ALGORITHM: &str = "dh-ietf1024-sha256-aes128-cbc-pkcs7";

const PRIME: U1024 = U1024::from_be_hex(
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7edee386bfb5a899fa5ae9f24117c4b1fe649286651ece65381ffffffffffffffff",
);

/// Our half of the exchange.
pub(super) struct Half(Zeroizing<[u8; 128]>);

/// The key of a session.
pub(super) struct Key(Zeroizing<[u8; 16]>);

impl Half {
    /// From chance.
    pub(super) fn of(chance: Zeroizing<[u8; 128]>) -> Self {
        Self(chance)
    }

    /// What the service is told.
    pub(super) fn public(&self) -> [u8; 128] {
        self.power(&U1024::from_u8(2))
    }

    /// The key, by what the service tells; none if that is no half.
    pub(super) fn key(&self, theirs: &[u8]) -> Option<Key> {
        let mut bytes = [0; 128];
        bytes.get_mut(128_usize.checked_sub(theirs.len())?..)?.copy_from_slice(theirs);
        let theirs = U1024::from_be_slice(&bytes);
        let most = PRIME.wrapping_sub(&U1024::ONE);
        if theirs <= U1024::ONE || theirs >= most {
            return None;
        }
        let shared = Zeroizing::new(self.power(&theirs));
        let mut key = Zeroizing::new([0; 16]);
        Hkdf::<hkdf_sha2::Sha256>::new(None, &shared[..]).expand(&[], &mut key[..]).ok()?;
        Some(Key(key))
    }

    fn power(&self, base: &U1024) -> [u8; 128] {
        let modulus = DynResidueParams::new(&PRIME);
        DynResidue::new(base, modulus).pow(&U1024::from_be_slice(&self.0[..])).retrieve().to_be_bytes()
    }
}

impl Key {
    /// Wraps a secret; the parameter beside it is chance.
    pub(super) fn wrap(&self, parameter: &[u8; 16], secret: &[u8]) -> Vec<u8> {
        let cipher = cbc::Encryptor::<Aes128>::new((&*self.0).into(), parameter.into());
        cipher.encrypt_padded_vec_mut::<Pkcs7>(secret)
    }

    /// What was wrapped; none if it was not by this key.
    pub(super) fn unwrap(&self, parameter: &[u8], wrapped: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let parameter = <[u8; 16]>::try_from(parameter).ok()?;
        let cipher = cbc::Decryptor::<Aes128>::new((&*self.0).into(), (&parameter).into());
        cipher.decrypt_padded_vec_mut::<Pkcs7>(wrapped).ok().map(Zeroizing::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_halves_come_to_one_key_and_what_is_wrapped_is_unwrapped_by_it_alone() {
        let half = |byte| Half::of(Zeroizing::new([byte; 128]));
        let (ours, theirs, others) = (half(3), half(7), half(9));
        let key = ours.key(&theirs.public()).unwrap();
        let same = theirs.key(&ours.public()).unwrap();
        let wrapped = key.wrap(&[5; 16], b"a secret of some length");
        assert_eq!(wrapped.len(), 32);
        assert_eq!(same.unwrap(&[5; 16], &wrapped).unwrap().as_slice(), b"a secret of some length");
        let other = ours.key(&others.public()).unwrap();
        assert!(
            other
                .unwrap(&[5; 16], &wrapped)
                .is_none_or(|plain| plain.as_slice() != b"a secret of some length")
        );
        assert!(key.unwrap(&[5; 15], &wrapped).is_none() && key.unwrap(&[5; 16], &wrapped[1..]).is_none());
    }

    #[test]
    fn what_is_no_half_makes_no_key() {
        let half = Half::of(Zeroizing::new([3; 128]));
        let least = PRIME.wrapping_sub(&U1024::ONE).to_be_bytes();
        for wrong in [&[][..], &[0; 128], &[1], &least, &PRIME.to_be_bytes(), &[255; 128], &[1; 129]] {
            assert!(half.key(wrong).is_none());
        }
    }
}
