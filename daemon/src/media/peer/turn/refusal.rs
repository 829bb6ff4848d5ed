//! The answer to a request that no TURN server will answer.
//!
//! Lives here: error responses (RFC 8489 §6.3.4), pure. Without them the library would repeat the request for ten seconds, and
//! gathering would wait for that.
//! Must not: be sent over a network.

/// 500 Server Error (RFC 8489 §14.8).
const SERVER_ERROR: &[u8] = &[0, 9, 0, 4, 0, 0, 5, 0];
/// 401 Unauthenticated, with a realm and a nonce (RFC 8489 §9.2.4).
const UNAUTHENTICATED: &[u8] = b"\0\x09\0\x04\0\0\x04\x01\0\x14\0\x04none\0\x15\0\x04none";
/// The type of a request for an allocation (RFC 8656 §17).
const ALLOCATE: [u8; 2] = [0x00, 0x03];
/// MESSAGE-INTEGRITY (RFC 8489 §14.5).
const INTEGRITY: [u8; 2] = [0x00, 0x08];
/// The bits of a type that say "error response" (RFC 8489 §5).
const IS_ERROR: [u8; 2] = [0x01, 0x10];

/// To a request of the library's; none to anything else. An allocation is refused as servers do it, to the request that is signed:
/// gathering goes on for ever where the first one fails for any reason but its missing signature.
pub(super) fn refusal(request: &[u8]) -> Option<Vec<u8>> {
    let (head, attributes) = request.split_at_checked(20)?;
    let is_request = head[0] >> 6 == 0 && head[0] & IS_ERROR[0] == 0 && head[1] & IS_ERROR[1] == 0;
    let first = head.starts_with(&ALLOCATE) && !is_signed(attributes);
    let error = if first { UNAUTHENTICATED } else { SERVER_ERROR };
    let mut answer = [head, error].concat();
    answer[0] |= IS_ERROR[0];
    answer[1] |= IS_ERROR[1];
    answer[2..4].copy_from_slice(&u16::try_from(error.len()).ok()?.to_be_bytes());
    is_request.then_some(answer)
}

/// Attributes are padded to four bytes (RFC 8489 §14).
fn is_signed(mut attributes: &[u8]) -> bool {
    while let [kind, other, high, low, rest @ ..] = attributes {
        if [*kind, *other] == INTEGRITY {
            return true;
        }
        let length = usize::from(u16::from_be_bytes([*high, *low])).next_multiple_of(4);
        attributes = rest.get(length..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use rtc::stun::error_code::ErrorCodeAttribute;
    use rtc::stun::message::{CLASS_ERROR_RESPONSE, Getter as _, METHOD_ALLOCATE, Message};

    use super::*;

    fn request(kind: u8, attributes: &[u8]) -> Vec<u8> {
        let length = u8::try_from(attributes.len()).unwrap();
        [&[0, kind, 0, length, 0x21, 0x12, 0xa4, 0x42][..], &[5; 12], attributes].concat()
    }

    fn code(request: &[u8]) -> u16 {
        let mut read = Message::new();
        read.raw = refusal(request).unwrap();
        read.decode().unwrap();
        assert_eq!((read.typ.class, read.transaction_id.0), (CLASS_ERROR_RESPONSE, [5; 12]));
        assert_eq!(read.typ.method == METHOD_ALLOCATE, request[1] == 3);
        let mut code = ErrorCodeAttribute::default();
        code.get_from(&read).unwrap();
        code.code.0
    }

    #[test]
    fn the_library_reads_it_as_an_error_of_its_own_request_and_nothing_else_is_refused() {
        let signature = [&[0, 8, 0, 20][..], &[9; 20]].concat();
        let name = [0, 6, 0, 3, b'a', b'n', b'a', 0];
        assert_eq!(code(&request(3, &[])), 401);
        assert_eq!(code(&request(3, &name)), 401);
        assert_eq!(code(&request(3, &[&name[..], &signature].concat())), 500);
        for lie in [&[0, 6, 0xff, 0xff][..], &[0, 6, 0, 9, 1], &[0, 8]] {
            assert_eq!(code(&request(3, lie)), 401, "{lie:?}");
        }
        assert_eq!(code(&request(4, &[])), 500, "a renewal");
        let whole = request(3, &[]);
        for other in [&whole[..19], &[0x40; 30], &[0x80; 30], &[&[1, 3][..], &whole[2..]].concat()] {
            assert_eq!(refusal(other), None);
        }
    }

    #[test]
    fn an_allocation_that_is_refused_so_fails_under_the_name_that_gathering_knows() {
        use rtc::sansio::Protocol as _;
        use rtc::shared::{TransportContext, TransportMessage, TransportProtocol};
        use rtc::turn::client::{Client, ClientConfig, Event};

        use crate::system::clock;

        let at = "192.0.0.8:1".parse().unwrap();
        let config = ClientConfig {
            turn_serv_addr: "192.0.0.8:1".to_owned(),
            username: "u".to_owned(),
            password: "c".to_owned(),
            ..ClientConfig::default()
        };
        let mut client = Client::new(config, rtc::crypto::default_provider().unwrap()).unwrap();
        let known = client.allocate(clock::instant()).unwrap();
        while let Some(asked) = client.poll_write() {
            let message = refusal(&asked.message).unwrap()[..].into();
            let transport = TransportContext {
                local_addr: "0.0.0.0:0".parse().unwrap(),
                peer_addr: at,
                transport_protocol: TransportProtocol::UDP,
                ecn: None,
            };
            client.handle_read(TransportMessage { now: clock::instant(), transport, message }).unwrap();
        }
        let Some(Event::AllocateError(failed, _)) = client.poll_event() else { panic!("it failed") };
        assert_eq!(failed, known);
    }
}
