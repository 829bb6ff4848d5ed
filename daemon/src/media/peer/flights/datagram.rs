//! What a datagram means for the DTLS handshake of its path.
//!
//! Lives here: that, by its first bytes (RFC 7983 §7), also of one that a TURN server carries; pure. Any bytes may come.
//! Must not: decrypt, check or change one.

/// See the head of this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A part of a flight: ChangeCipherSpec or handshake messages come first in it (RFC 6347 §4.1).
    Handshake,
    /// Voice, or data in DTLS: who sends it has the keys, and waits for no flight any more.
    Keyed,
}

const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
/// The first byte of the version of DTLS 1.0 and 1.2.
const DTLS_1: u8 = 254;
/// Of ChannelData: its number and its length (RFC 8656 §12.4).
const CHANNEL_HEADER: usize = 4;
/// Of a STUN message, without its attributes (RFC 8489 §5).
const STUN_HEADER: usize = 20;
/// Send and Data indications (RFC 8656 §17).
const INDICATIONS: [[u8; 2]; 2] = [[0x00, 0x16], [0x00, 0x17]];
/// DATA (RFC 8656 §18.4).
const DATA: [u8; 2] = [0x00, 0x13];

/// None: it means nothing for that.
pub(super) fn kind(datagram: &[u8]) -> Option<Kind> {
    let carried = match datagram.first()? {
        0..=3 => indicated(datagram)?,
        64..=79 => datagram.get(CHANNEL_HEADER..)?,
        _ => datagram,
    };
    match carried {
        [CHANGE_CIPHER_SPEC | HANDSHAKE, DTLS_1, ..] => Some(Kind::Handshake),
        [APPLICATION_DATA, DTLS_1, ..] | [128..=191, ..] => Some(Kind::Keyed),
        _ => None,
    }
}

/// What an indication carries.
fn indicated(message: &[u8]) -> Option<&[u8]> {
    let (head, mut attributes) = message.split_at_checked(STUN_HEADER)?;
    if !INDICATIONS.iter().any(|kind| head.starts_with(kind)) {
        return None;
    }
    while let [kind, other, high, low, rest @ ..] = attributes {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if [*kind, *other] == DATA {
            return rest.get(..length);
        }
        attributes = rest.get(length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT_HELLO: [u8; 14] = [22, 254, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1];

    fn indication(kind: u8, attributes: &[u8]) -> Vec<u8> {
        let length = u8::try_from(attributes.len()).unwrap();
        [&[0, kind, 0, length, 0x21, 0x12, 0xa4, 0x42][..], &[5; 12], attributes].concat()
    }

    fn data(bytes: &[u8]) -> Vec<u8> {
        let peer = [0, 0x12, 0, 8, 0, 1, 9, 9, 9, 9, 9, 9];
        let length = u8::try_from(bytes.len()).unwrap();
        [&peer[..], &[0, 0x13, 0, length], bytes, &[0; 2]].concat()
    }

    #[test]
    fn flights_and_what_has_the_keys_are_known_bare_and_by_a_turn_server() {
        let records = [
            (&CLIENT_HELLO[..], Some(Kind::Handshake)),
            (&[20, 254, 253, 0, 0], Some(Kind::Handshake)),
            (&[23, 254, 253, 0, 1], Some(Kind::Keyed)),
            (&[0x80, 111, 0, 1], Some(Kind::Keyed)),
            (&[0x81, 200, 0, 1], Some(Kind::Keyed)),
            (&[21, 254, 253, 0, 1], None),
            (&[22, 3, 1, 0, 1], None),
            (&[22], None),
            (&[0x90; 1], Some(Kind::Keyed)),
            (&[0xff; 30], None),
        ];
        for (record, means) in records {
            assert_eq!(kind(record), means, "{record:x?}");
            let length = u8::try_from(record.len()).unwrap();
            assert_eq!(kind(&[&[0x40, 1, 0, length][..], record].concat()), means, "ChannelData {record:x?}");
            for indicated in [0x16, 0x17] {
                assert_eq!(kind(&indication(indicated, &data(record))), means, "an indication {record:x?}");
            }
        }
    }

    #[test]
    fn what_is_neither_means_nothing_and_lengths_that_lie_are_borne() {
        let binding = indication(1, &data(&CLIENT_HELLO));
        assert_eq!(kind(&binding), None, "a check of ICE");
        for lie in [
            &[0, 0x13, 0xff, 0xff, 22, 254][..],
            &[0, 0x12, 0xff, 0xff],
            &[0, 0x12, 0, 9, 1],
            &[0, 0x13],
            &[],
            &[0, 0x13, 0, 0],
        ] {
            assert_eq!(kind(&indication(0x16, lie)), None, "{lie:x?}");
        }
        for short in [&[][..], &[0x40], &[0x40, 1, 0, 4], &[0, 0x16, 0, 0], &[0x40, 1, 0, 4, 22]] {
            assert_eq!(kind(short), None, "{short:x?}");
        }
    }
}
