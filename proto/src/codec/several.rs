//! Several messages of a call in one body: each costs a relay as much as one, and as much to be acknowledged.
//!
//! Lives here: how they are put together and taken apart.
//! Must not: know what a message holds, or which of them may wait for others.
//!
//! Only members of a group are told things so: peers from before there were groups do not know it.

use ahoy_call::Message;

use super::{CodecError, Wire, encode, object, read};
use crate::limits;

const BEGIN: &[u8] = br#"{"kind":"several","list":["#;
const END: &[u8] = b"]}";

/// Writes messages into as few bodies as they fit in, in their order. Fails as [`encode`] does.
pub fn encode_all(messages: &[Message]) -> Result<Vec<Vec<u8>>, CodecError> {
    let mut bodies: Vec<Vec<Vec<u8>>> = Vec::new();
    let room = limits::SEALED_MESSAGE_BYTES - BEGIN.len() - END.len();
    for message in messages {
        let one = encode(message)?;
        let fits = |body: &&mut Vec<Vec<u8>>| {
            let taken: usize = body.iter().map(|it| it.len() + 1).sum();
            body.len() < limits::MESSAGES_IN_BODY && taken + one.len() <= room
        };
        match bodies.last_mut().filter(fits) {
            Some(body) => body.push(one),
            None => bodies.push(vec![one]),
        }
    }
    let put_together = |body: Vec<Vec<u8>>| match <[Vec<u8>; 1]>::try_from(body) {
        Ok([one]) => one,
        Err(body) => [BEGIN, &body.join(&b','), END].concat(),
    };
    Ok(bodies.into_iter().map(put_together).collect())
}

/// Reads what one body holds, one message or several. Kinds that this version does not know are left out: nothing may be left.
pub fn decode_all(body: &[u8]) -> Result<Vec<Message>, CodecError> {
    let whole = object(body, limits::SEALED_MESSAGE_BYTES)?;
    let list = if let Wire::Several { list } = whole { list } else { vec![whole] };
    if list.len() > limits::MESSAGES_IN_BODY {
        return Err(CodecError::OutOfRange("list"));
    }
    list.into_iter().filter_map(|wire| read(wire).transpose()).collect()
}

#[cfg(test)]
mod tests {
    use ahoy_call::{Opaque, RoomWord};

    use super::*;

    fn key(serial: u32, bytes: usize) -> Message {
        Message::Room(RoomWord::Key { serial, key: Opaque(vec![7; bytes]) })
    }

    #[test]
    fn as_many_as_fit_go_together_and_one_goes_as_ever() {
        assert_eq!(encode_all(&[]), Ok(Vec::new()));
        let one = encode_all(&[Message::Ringing]).unwrap();
        assert_eq!(one, [encode(&Message::Ringing).unwrap()]);

        let many: Vec<Message> = (0..20).map(|serial| key(serial, 16)).collect();
        let bodies = encode_all(&many).unwrap();
        let read: Vec<Vec<Message>> = bodies.iter().map(|it| decode_all(it).unwrap()).collect();
        assert_eq!(read.iter().map(Vec::len).collect::<Vec<_>>(), [8, 8, 4]);
        assert_eq!(read.concat(), many);
    }

    #[test]
    fn no_body_is_longer_than_a_sealed_message() {
        let candidates = |list| Message::Candidates { epoch: ahoy_call::Epoch(1), list, complete: false };
        let of = |bytes: usize| Opaque(vec![7; bytes]);
        let full = candidates(vec![of(limits::CANDIDATE_BYTES); limits::CANDIDATES]);
        let mut seen = [0; 3];
        for bytes in (0..limits::CANDIDATE_BYTES).step_by(5) {
            let beside = candidates([vec![of(limits::CANDIDATE_BYTES); 15], vec![of(bytes)]].concat());
            let all = [full.clone(), beside];
            let bodies = encode_all(&all).unwrap();
            assert!(bodies.iter().all(|body| body.len() <= limits::SEALED_MESSAGE_BYTES));
            let read: Vec<Message> = bodies.iter().flat_map(|it| decode_all(it).unwrap()).collect();
            assert_eq!(read, all);
            seen[bodies.len()] += 1;
        }
        assert!(seen[1] > 0 && seen[2] > 0, "{seen:?}");
    }

    #[test]
    fn what_is_unknown_among_them_is_left_out_and_what_is_wrong_costs_the_body() {
        let read = |body: &str| decode_all(body.as_bytes());
        let some = r#"{"kind":"several","list":[{"kind":"ringing"},{"kind":"dance"},{"kind":"accept"}]}"#;
        assert_eq!(read(some), Ok(vec![Message::Ringing, Message::Accept]));
        assert_eq!(read(r#"{"kind":"dance"}"#), Ok(Vec::new()));
        assert_eq!(read(r#"{"kind":"several","list":[]}"#), Ok(Vec::new()));
        let within = r#"{"kind":"several","list":[{"kind":"several","list":[]}]}"#;
        assert_eq!(read(within), Err(CodecError::Malformed));
        let nine = format!(r#"{{"kind":"several","list":[{}]}}"#, [r#"{"kind":"ringing"}"#; 9].join(","));
        assert_eq!(read(&nine), Err(CodecError::OutOfRange("list")));
        let wrong = r#"{"kind":"several","list":[{"kind":"ringing"},{"kind":"description","epoch":1,"sdp":"x","body":""}]}"#;
        assert_eq!(read(wrong), Err(CodecError::Malformed));
        let deep = format!("{}{}", r#"{"kind":"several","list":["#.repeat(1_000), "]}".repeat(1_000));
        assert_eq!(read(&deep), Err(CodecError::Malformed));
        assert_eq!(
            super::super::decode(some.as_bytes()),
            Err(CodecError::Malformed),
            "it is not one message"
        );
    }
}
