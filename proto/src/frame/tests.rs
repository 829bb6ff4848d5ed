//! Are frames read as they are written, and what is too long or unknown not?
//!
//! Lives here: every frame both ways, and what others could send in its place.
//! Must not: know when a frame is said.

use ed25519_dalek::{Signer as _, SigningKey};
use proptest::prelude::*;

use super::*;
use crate::envelope::{Inbox, Token, Ttl};
use crate::room::{RoomOver, Ticket};

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
        ToRelay::Room(RoomAsk::Open { passes: 4, lives_s: 90 }),
        ToRelay::Room(RoomAsk::Draw { by: Ticket([8; 73]), passes: 1, lives_s: 90 }),
        ToRelay::Room(RoomAsk::Enter { pass: Ticket([9; 73]) }),
        ToRelay::Room(RoomAsk::Remove { host: Ticket([9; 73]), who: "x".to_owned() }),
        ToRelay::Room(RoomAsk::People { host: Ticket([9; 73]) }),
        ToRelay::Room(RoomAsk::Close { host: Ticket([9; 73]) }),
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
        ToClient::Room(RoomNews::Passes { host: Some(Ticket([7; 73])), passes: vec![Ticket([8; 73]); 25] }),
        ToClient::Room(entry(1)),
        ToClient::Room(RoomNews::Done),
        ToClient::Room(RoomNews::People { who: vec!["x".to_owned()] }),
        ToClient::Room(RoomNews::Over { why: RoomOver::Used }),
        ToClient::Rooms { passes: 25 },
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
    let asked = ToRelay::parse(r#"{"kind":"room","ask":"paint","x":1}"#).unwrap();
    assert_eq!(asked, ToRelay::Room(RoomAsk::Unknown));
    let news = ToClient::parse(r#"{"kind":"room","news":"painted"}"#).unwrap();
    assert_eq!(news, ToClient::Room(RoomNews::Unknown));
    let over = ToClient::parse(r#"{"kind":"room","news":"over","why":"weather"}"#).unwrap();
    assert_eq!(over, ToClient::Room(RoomNews::Over { why: RoomOver::Unknown }));
}

#[test]
fn what_is_too_much_about_a_room_is_not_read_and_what_lets_in_is_not_shown() {
    let ticket = Ticket([1; 73]);
    for ask in [
        RoomAsk::Open { passes: 26, lives_s: 90 },
        RoomAsk::Open { passes: 1, lives_s: 181 },
        RoomAsk::Draw { by: ticket, passes: 26, lives_s: 90 },
        RoomAsk::Remove { host: ticket, who: String::new() },
        RoomAsk::Remove { host: ticket, who: "x".repeat(129) },
    ] {
        assert!(matches!(ToRelay::parse(&ToRelay::Room(ask).to_text()), Err(FrameError::TooMuch)));
    }
    for news in [
        RoomNews::Passes { host: None, passes: vec![ticket; 26] },
        RoomNews::People { who: vec!["x".to_owned(); 257] },
        entry(0),
        entry(5),
    ] {
        assert!(matches!(ToClient::parse(&ToClient::Room(news).to_text()), Err(FrameError::TooMuch)));
    }
    assert_eq!(format!("{:?} {ticket:?}", entry(1)), "Entry(1 urls) <ticket>");
    assert!(
        ToRelay::parse(r#"{"kind":"room","ask":"enter","pass":"AAAA"}"#).is_err(),
        "a ticket has one length"
    );
}

fn entry(urls: usize) -> RoomNews {
    let (token, identity) = ("secret".to_owned(), "x".to_owned());
    RoomNews::Entry { urls: vec!["wss://x".to_owned(); urls], token, identity, seat: Ticket([2; 73]) }
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
