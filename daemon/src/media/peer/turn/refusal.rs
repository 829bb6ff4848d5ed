//! The answer to a request that no TURN server will answer.
//!
//! Lives here: an error response (RFC 8489 §6.3.4), pure. Without it the library would repeat the request for ten seconds, and
//! gathering would wait for that.
//! Must not: be sent over a network.

/// 500 Server Error (RFC 8489 §14.8).
const ERROR_CODE: [u8; 8] = [0, 9, 0, 4, 0, 0, 5, 0];
/// The bits of a type that say "error response" (RFC 8489 §5).
const IS_ERROR: [u8; 2] = [0x01, 0x10];

/// To a request of the library's; none to anything else.
pub(super) fn refusal(request: &[u8]) -> Option<Vec<u8>> {
    let header: [u8; 20] = request.get(..20)?.try_into().ok()?;
    let is_request = header[0] >> 6 == 0 && header[0] & IS_ERROR[0] == 0 && header[1] & IS_ERROR[1] == 0;
    let mut answer = header.to_vec();
    answer[0] |= IS_ERROR[0];
    answer[1] |= IS_ERROR[1];
    answer[2..4].copy_from_slice(&[0, 8]);
    answer.extend(ERROR_CODE);
    is_request.then_some(answer)
}

#[cfg(test)]
mod tests {
    use rtc::stun::error_code::ErrorCodeAttribute;
    use rtc::stun::message::{CLASS_ERROR_RESPONSE, Getter as _, METHOD_ALLOCATE, Message};

    use super::*;

    #[test]
    fn the_library_reads_it_as_an_error_of_its_own_request_and_nothing_else_is_refused() {
        let mut request = vec![0, 3, 0, 4, 0x21, 0x12, 0xa4, 0x42];
        request.extend([5; 12]);
        request.extend([0; 4]);
        let mut read = Message::new();
        read.raw = refusal(&request).unwrap();
        read.decode().unwrap();
        assert_eq!((read.typ.method, read.typ.class), (METHOD_ALLOCATE, CLASS_ERROR_RESPONSE));
        assert_eq!(read.transaction_id.0, [5; 12]);
        let mut code = ErrorCodeAttribute::default();
        code.get_from(&read).unwrap();
        assert_eq!(code.code.0, 500);
        for other in [&request[..19], &[0x40; 30], &[0x80; 30], &[&[1, 3][..], &request[2..]].concat()] {
            assert_eq!(refusal(other), None);
        }
    }
}
