//! Are messages read as they are written, and what is too long or of another form not?
//!
//! Lives here: one of each message, there and back, and what others could send in its place.
//! Must not: know when a message is said.

use proptest::prelude::*;

use super::*;

fn one_of_each() -> Vec<Message> {
    let description = |kind| Message::Description {
        epoch: Epoch(3),
        description: Description { kind, body: Opaque(b"v=0\r\n".to_vec()) },
    };
    let mut all = vec![
        Message::Ready { offers: false },
        Message::Offer { remaining: Duration::from_millis(59_123), text: None },
        Message::Offer { remaining: Duration::ZERO, text: Some("bring the \"keys\"\nand hats".to_owned()) },
        description(SdpKind::Offer),
        description(SdpKind::Answer),
        Message::Candidates { epoch: Epoch(9), list: vec![Opaque(vec![0, 255])], complete: true },
        Message::Room(RoomWord::Pass(Opaque(vec![1; 100]))),
        Message::Room(RoomWord::Key { serial: 3, key: Opaque(vec![2; 60]) }),
        Message::Room(RoomWord::Hears { serial: 4, heard: true }),
        Message::Ringing,
        Message::Accept,
        Message::State { serial: 7, muted: true, held: false, camera: false, listening: false },
        Message::State { serial: 8, muted: false, held: false, camera: false, listening: true },
    ];
    for reason in [DeclineReason::Declined, DeclineReason::Busy] {
        for scope in [Scope::ThisDevice, Scope::Everywhere] {
            all.push(Message::Decline { reason, scope, text: Some("later".to_owned()) });
        }
    }
    all.extend(CancelReason::ALL.map(|reason| Message::Cancel { reason }));
    all.extend(EndReason::ALL.map(|reason| Message::End { reason }));
    all
}

#[test]
fn every_message_comes_back_as_it_went() {
    for message in one_of_each() {
        let bytes = encode(&message).unwrap();
        assert_eq!(decode(&bytes), Ok(Some(message)), "{}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn what_a_later_version_adds_is_ignored() {
    assert_eq!(decode(br#"{"kind":"dance","with":[1,2]}"#), Ok(None));
    assert_eq!(decode(br#"{"kind":"accept","hat":{"size":3}}"#), Ok(Some(Message::Accept)));
    let late = decode(br#"{"kind":"decline","reason":"later","scope":"moon"}"#).unwrap().unwrap();
    let plain = Message::Decline { reason: DeclineReason::Declined, scope: Scope::ThisDevice, text: None };
    assert_eq!(late, plain);
    let end = decode(br#"{"kind":"end","reason":"translated"}"#).unwrap().unwrap();
    assert_eq!(end, Message::End { reason: EndReason::Internal });
}

#[test]
fn trailing_bytes_and_other_shapes_are_refused() {
    for bad in [
        &b"{\"kind\":\"accept\"} "[..],
        b" {\"kind\":\"accept\"}",
        b"{\"kind\":\"accept\"}{}",
        b"{\"kind\":\"accept\"}}",
        b"{\"kind\":\"accept\",\"kind\":\"ringing\"}",
        b"[]",
        b"{}",
        b"",
        b"{\"kind\":3}",
        b"{\"kind\":\"offer\"}",
        b"{\"kind\":\"offer\",\"remaining-ms\":-1}",
        b"{\"kind\":\"description\",\"epoch\":70000,\"sdp\":\"offer\",\"body\":\"\"}",
        b"{\"kind\":\"description\",\"epoch\":7,\"sdp\":\"offer\",\"body\":\"*\"}",
    ] {
        assert_eq!(decode(bad), Err(CodecError::Malformed), "{}", String::from_utf8_lossy(bad));
    }
}

#[test]
fn words_of_others_are_cleaned_and_never_cost_the_verb() {
    let text = |said: &str| {
        let json =
            serde_json::json!({"kind": "decline", "reason": "busy", "scope": "everywhere", "text": said});
        match decode(json.to_string().as_bytes()) {
            Ok(Some(Message::Decline { reason: DeclineReason::Busy, scope: Scope::Everywhere, text })) => {
                text
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(text("la\u{0}ter\u{202e}\u{1b}[2J\nby").as_deref(), Some("later[2J\nby"));
    assert_eq!(text("\u{0}\u{200b}"), None);
    assert_eq!(text(&"x".repeat(281)), Some(format!("{}…", "x".repeat(279))));
    let offer = br#"{"kind":"offer","remaining-ms":1,"text":"\u0000hi"}"#;
    let heard = Message::Offer { remaining: Duration::from_millis(1), text: Some("hi".to_owned()) };
    assert_eq!(decode(offer), Ok(Some(heard)));
}

#[test]
fn bounds_hold_both_ways() {
    let long = Message::Offer { remaining: Duration::ZERO, text: Some("x".repeat(281)) };
    assert_eq!(encode(&long), Err(CodecError::OutOfRange("text")));
    let long = decode(br#"{"kind":"offer","remaining-ms":180001}"#);
    assert_eq!(long, Err(CodecError::OutOfRange("remaining-ms")));
    let list = vec![Opaque(vec![0; limits::CANDIDATE_BYTES]); limits::CANDIDATES];
    let fits = Message::Candidates { epoch: Epoch(0), list: list.clone(), complete: false };
    assert!(encode(&fits).is_ok());
    let many = [list, vec![Opaque(vec![])]].concat();
    let many = Message::Candidates { epoch: Epoch(0), list: many, complete: false };
    assert_eq!(encode(&many), Err(CodecError::OutOfRange("list")));
    for fits in [limits::ROOM_WORD_BYTES, limits::ROOM_WORD_BYTES + 1] {
        let opaque = Opaque(vec![0; fits]);
        let (key, pass) = (opaque.clone(), RoomWord::Pass(opaque));
        for word in [pass, RoomWord::Key { serial: 1, key }] {
            let told = encode(&Message::Room(word));
            assert_eq!(told.is_ok(), fits == limits::ROOM_WORD_BYTES);
        }
    }
    let long = serde_json::json!({"kind": "room-pass", "pass": "A".repeat(1_368)}).to_string();
    assert_eq!(decode(long.as_bytes()), Err(CodecError::OutOfRange("room")));
    assert_eq!(decode(&vec![b'{'; limits::SEALED_MESSAGE_BYTES + 1]), Err(CodecError::TooLong));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn a_damaged_message_is_read_or_refused(which in 0_usize..100, at in 0_usize..400, byte: u8) {
        let all = one_of_each();
        let mut bytes = encode(&all[which % all.len()]).unwrap();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(Some(message)) = decode(&bytes) {
            let again = encode(&message).unwrap();
            prop_assert_eq!(decode(&again), Ok(Some(message)));
        }
    }
}
