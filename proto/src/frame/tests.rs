//! Are frames read as they are written, and what is too long or unknown not?
//!
//! Lives here: every frame both ways, and what others could send in its place.
//! Must not: know when a frame is said.

use proptest::prelude::*;

use super::*;
use crate::envelope::{Token, Ttl};

fn envelope(bytes: usize) -> Envelope {
    Envelope {
        inbox: Inbox::from_bytes([1; 16]),
        token: Token::from_bytes([2; 16]),
        id: EnvelopeId::from_bytes([3; 16]),
        ttl: Ttl::new(std::time::Duration::from_secs(60)),
        body: Body::try_from(vec![4; bytes]).unwrap(),
    }
}

#[test]
fn every_frame_survives_the_way() {
    let key = SigningKey::from_bytes(&[5; 32]);
    let tokens = vec![TokenHash::from_bytes([6; 16])];
    for frame in [
        ToRelay::Hello { version: 1 },
        ToRelay::Claim(Claim::sign(&key, &Nonce([7; 32]), tokens.clone(), true)),
        ToRelay::Allow { tokens: tokens.clone(), more: false },
        ToRelay::Revoke { tokens: tokens.clone() },
        ToRelay::Send(envelope(100)),
        ToRelay::Ack { id: EnvelopeId::from_bytes([3; 16]) },
        ToRelay::Credentials,
        ToRelay::PlateClaim,
        ToRelay::PlateJoin { number: 4711 },
        ToRelay::PlateSay { body: Body::try_from(vec![1, 2, 3]).unwrap() },
        ToRelay::PlateLeave,
    ] {
        assert_eq!(ToRelay::parse(&frame.to_text()).unwrap(), frame);
    }
    let server =
        IceServer { urls: vec!["stun:s:1".into()], username: String::new(), credential: String::new() };
    for frame in [
        ToClient::Challenge { nonce: Nonce([7; 32]) },
        ToClient::Welcome { limits: Limits::default(), ice_servers: vec![server.clone()] },
        ToClient::Accepted { id: EnvelopeId::from_bytes([3; 16]) },
        ToClient::Deliver(Deliver {
            id: EnvelopeId::from_bytes([3; 16]),
            held_ms: 5,
            token: tokens[0],
            body: Body::try_from(vec![1, 2, 3]).unwrap(),
        }),
        ToClient::Credentials { ice_servers: vec![server] },
        ToClient::PlateClaimed { number: 4711, lives_s: 600 },
        ToClient::PlateMet,
        ToClient::PlateSaid { body: Body::try_from(vec![1, 2, 3]).unwrap() },
        ToClient::PlateOver { why: PlateOver::NoSuch },
        ToClient::Refused { id: None, why: Why::Rate },
    ] {
        assert_eq!(ToClient::parse(&frame.to_text()).unwrap(), frame);
    }
}

#[test]
fn unknown_fields_and_kinds_are_ignored() {
    let hello = ToRelay::parse(r#"{"kind":"hello","version":1,"mood":[{}]}"#).unwrap();
    assert_eq!(hello, ToRelay::Hello { version: 1 });
    assert_eq!(ToRelay::parse(r#"{"kind":"plate-open","x":1}"#).unwrap(), ToRelay::Unknown);
    assert_eq!(ToRelay::parse(r#"{"kind":"credentials","x":1}"#).unwrap(), ToRelay::Credentials);
    assert_eq!(ToClient::parse(r#"{"kind":"knock"}"#).unwrap(), ToClient::Unknown);
    let refused = ToClient::parse(r#"{"kind":"refused","why":"weather"}"#).unwrap();
    assert_eq!(refused, ToClient::Refused { id: None, why: Why::Unknown });
    let over = ToClient::parse(r#"{"kind":"plate-over","why":"weather"}"#).unwrap();
    assert_eq!(over, ToClient::PlateOver { why: PlateOver::Unknown });
}

#[test]
fn what_is_too_long_is_not_read() {
    let long = format!(r#"{{"kind":"hello","version":1,"x":"{}"}}"#, "a".repeat(limits::MESSAGE_BYTES));
    assert!(matches!(ToRelay::parse(&long), Err(FrameError::TooLong(_))));
    let tokens = vec![TokenHash::from_bytes([0; 16]); limits::TOKENS_IN_FRAME + 1];
    let text = ToRelay::Allow { tokens, more: false }.to_text();
    assert!(matches!(ToRelay::parse(&text), Err(FrameError::TooMany(1_025))));
    let body = Body::try_from(vec![0; limits::PLATE_BYTES + 1]).unwrap();
    let up = ToRelay::PlateSay { body: body.clone() }.to_text();
    assert!(matches!(ToRelay::parse(&up), Err(FrameError::TooLong(_))));
    let down = ToClient::PlateSaid { body }.to_text();
    assert!(matches!(ToClient::parse(&down), Err(FrameError::TooLong(_))));
    let largest = ToRelay::Send(envelope(limits::BODY_BYTES)).to_text();
    assert!(ToRelay::parse(&largest).is_ok(), "the largest body fits: {} bytes", largest.len());
}

#[test]
fn a_claim_is_good_for_its_nonce_and_its_key_alone() {
    let key = SigningKey::from_bytes(&[5; 32]);
    let claim = Claim::sign(&key, &Nonce([7; 32]), Vec::new(), false);
    assert_eq!(claim.verify(&Nonce([7; 32])), Some(Inbox::of(&key.verifying_key().to_bytes())));
    assert_eq!(claim.verify(&Nonce([8; 32])), None, "another connection's nonce");
    let other = SigningKey::from_bytes(&[6; 32]).verifying_key().to_bytes();
    assert_eq!(Claim { key: other, ..claim.clone() }.verify(&Nonce([7; 32])), None, "another's inbox");
    let bare = key.sign(&[7; 32]).to_bytes();
    let claim = Claim { signature: bare, ..claim };
    assert_eq!(claim.verify(&Nonce([7; 32])), None, "a signature without the domain");
}

proptest! {
    #[test]
    fn no_text_makes_a_parser_panic(text in ".{0,200}") {
        let _frame = ToRelay::parse(&text);
        let _frame = ToClient::parse(&text);
    }
}
