//! Is an identity what it says, and told the same to both?
//!
//! Lives here: certificates, addresses and safety numbers, good and forged.
//! Must not: travel, or be kept.

use super::*;

fn account(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn certificate() -> DeviceCertificate {
    let noise = x25519_dalek::PublicKey::from([9; 32]);
    DeviceCertificate::sign(&account(1), &account(2).verifying_key(), &noise, "laptop", 1_000_000, 2_000_000)
        .unwrap()
}

#[test]
fn a_certificate_survives_the_wire() {
    let there = DeviceCertificate::from_bytes(certificate().as_bytes()).unwrap();
    assert_eq!(there, certificate());
    assert_eq!(there.name(), "laptop");
    assert_eq!(there.noise(), [9; 32]);
    let json = serde_json::to_string(&there).unwrap();
    assert_eq!(serde_json::from_str::<DeviceCertificate>(&json).unwrap(), there);
}

#[test]
fn a_certificate_with_any_flipped_bit_is_rejected() {
    let good = certificate();
    for at in 0..good.as_bytes().len() {
        let mut bad = good.as_bytes().to_vec();
        bad[at] ^= 1 << (at % 8);
        assert!(DeviceCertificate::from_bytes(&bad).is_err(), "byte {at}");
    }
}

#[test]
fn what_another_account_signed_is_rejected() {
    let good = certificate();
    let body = &good.as_bytes()[64..];
    let bad = sign(&account(3), DOMAIN, body);
    assert_eq!(DeviceCertificate::from_bytes(&bad), Err(CertificateError::BadSignature));
    let other_domain = sign(&account(1), b"ahoy card 1\0", body);
    assert_eq!(DeviceCertificate::from_bytes(&other_domain), Err(CertificateError::BadSignature));
}

#[test]
fn names_and_times_have_bounds() {
    let noise = x25519_dalek::PublicKey::from([9; 32]);
    let device = account(2).verifying_key();
    let make = |name: &str, from, to| DeviceCertificate::sign(&account(1), &device, &noise, name, from, to);
    let unfit =
        |name: &str| make(name, 1, 2).is_err_and(|error| matches!(error, CertificateError::BadName(_)));
    assert!(unfit("") && unfit("a\nb") && unfit(&"x".repeat(65)));
    assert_eq!(make("a", 2, 2), Err(CertificateError::BadTimes));
    assert_eq!(make(&"x".repeat(64), 1, 2).map(|c| c.name().len()), Ok(64));
    assert_eq!(DeviceCertificate::from_bytes(&[0; 2000]), Err(CertificateError::TooLong));
    assert_eq!(DeviceCertificate::from_bytes(&[0; 20]), Err(CertificateError::Malformed));
}

#[test]
fn a_session_key_whose_secrets_everybody_knows_is_rejected() {
    let mut of_prime = [0xff; 32];
    of_prime[31] = 0x7f;
    let mut weak = vec![[0; 32], hex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")];
    weak.push(hex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"));
    weak.extend([0xec, 0xed, 0xee].map(|first| {
        let mut key = of_prime;
        key[0] = first;
        key
    }));
    weak.push({
        let mut one = [0; 32];
        one[0] = 1;
        one
    });
    for mut key in weak {
        for highest in [0, 0x80] {
            key[31] |= highest;
            assert_eq!(x25519_dalek::x25519([7; 32], key), [0; 32], "the exchange is void: {key:?}");
            let noise = x25519_dalek::PublicKey::from(key);
            let device = account(2).verifying_key();
            let made = DeviceCertificate::sign(&account(1), &device, &noise, "desk", 1, 2);
            assert_eq!(made, Err(CertificateError::BadKey), "{key:?}");
        }
    }
}

fn hex(text: &str) -> [u8; 32] {
    data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap().try_into().unwrap()
}

#[test]
fn validity_has_two_ends() {
    let certificate = certificate();
    assert!(!certificate.is_valid_at(1_000_000 - 86_401));
    assert!(certificate.is_valid_at(1_000_000 - 86_400));
    assert!(certificate.is_valid_at(1_999_999));
    assert!(!certificate.is_valid_at(2_000_000));
}

#[test]
fn an_address_is_52_letters_and_leads_back_to_the_key() {
    let key = account(1).verifying_key();
    let text = address(&key);
    assert_eq!(text.len(), 52);
    assert_eq!(parse_address(&text), Some(key));
    assert_eq!(parse_address(&text.to_ascii_uppercase()), Some(key));
    assert_eq!(parse_address(&text[1..]), None);
    assert_eq!(parse_address("not an address"), None);
}

#[test]
fn both_sides_see_the_same_safety_number_and_a_third_another() {
    let [a, b, c] = [1, 2, 3].map(|seed| account(seed).verifying_key());
    assert_eq!(safety_number(&a, &b), safety_number(&b, &a));
    assert_ne!(safety_number(&a, &b), safety_number(&a, &c));
    assert_eq!(safety_number(&a, &b).len(), 71);
    assert!(safety_number(&a, &b).chars().all(|c| c.is_ascii_digit() || c == ' '));
}
