//! STUN messages and ChannelData on a stream (RFC 8489 §6.2.2, RFC 8656 §12.5).
//!
//! Lives here: where one message ends and the next begins, both ways, pure. What comes was written by a server, and may be anything.
//! Must not: look into a message beyond its length, or keep more than one of them.

/// The longest message that is taken: the library's own room for one. Longer ones are passed over.
pub(super) const LONGEST: usize = 2000;
/// Of a STUN message, without what it holds.
pub(super) const STUN_HEADER: usize = 20;
/// Of ChannelData: its number and its length.
const CHANNEL_HEADER: usize = 4;
/// What every STUN message has after its length (RFC 8489 §5).
const COOKIE: [u8; 4] = 0x2112_A442_u32.to_be_bytes();

/// What came is neither: nobody can tell where the next message begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither STUN nor ChannelData")]
pub(super) struct Nonsense;

/// Bytes of a message, and of the message with what follows up to the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Length {
    message: usize,
    whole: usize,
}

/// By how it begins; none while too little of it is there.
fn length(head: &[u8]) -> Result<Option<Length>, Nonsense> {
    let [kind, _, high, low, rest @ ..] = head else { return Ok(None) };
    let said = usize::from(u16::from_be_bytes([*high, *low]));
    match kind >> 6 {
        0 if said.is_multiple_of(4) => match rest.get(..COOKIE.len()) {
            None => Ok(None),
            Some(cookie) if cookie == COOKIE => {
                Ok(Some(Length { message: STUN_HEADER + said, whole: STUN_HEADER + said }))
            }
            Some(_) => Err(Nonsense),
        },
        1 => {
            let message = CHANNEL_HEADER + said;
            Ok(Some(Length { message, whole: message.next_multiple_of(4) }))
        }
        _ => Err(Nonsense),
    }
}

/// The messages of a stream, from whatever pieces it comes in.
#[derive(Debug, Default)]
pub(super) struct Framing {
    /// A STUN message came: before that a server has nothing else to say.
    begun: bool,
    held: Vec<u8>,
    /// Bytes to come that are nobody's.
    passed_over: usize,
}

impl Framing {
    /// Takes in what came and gives out each message that is complete, as it would come by UDP. After an error the stream is of no
    /// use any more.
    pub(super) fn take(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8])) -> Result<(), Nonsense> {
        loop {
            let over = self.passed_over.min(bytes.len());
            (self.passed_over, bytes) = (self.passed_over - over, &bytes[over..]);
            let length = length(&self.held)?;
            if !self.begun && self.held.first().is_some_and(|kind| kind >> 6 != 0) {
                return Err(Nonsense);
            }
            let wanted = match length {
                Some(Length { message, whole }) if message > LONGEST => {
                    self.passed_over = whole - self.held.len();
                    self.held.clear();
                    continue;
                }
                Some(Length { message, whole }) if self.held.len() == whole => {
                    self.begun = true;
                    each(&self.held[..message]);
                    self.held.clear();
                    continue;
                }
                Some(Length { whole, .. }) => whole,
                // One byte more may say it.
                None => self.held.len() + 1,
            };
            if bytes.is_empty() {
                return Ok(());
            }
            let (more, rest) = bytes.split_at((wanted - self.held.len()).min(bytes.len()));
            self.held.extend_from_slice(more);
            bytes = rest;
        }
    }
}

/// A datagram of the library's as it goes on a stream; none if it is not for a TURN server.
pub(super) fn framed(datagram: &[u8]) -> Option<Vec<u8>> {
    let Length { message, whole } = length(datagram).ok().flatten()?;
    // By UDP the padding of ChannelData may be there or not.
    let complete = datagram.len() == message || datagram.len() == whole;
    let mut bytes = datagram.get(..message).filter(|_| complete)?.to_vec();
    bytes.resize(whole, 0);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stun(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut message = kind.to_be_bytes().to_vec();
        message.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        message.extend(COOKIE);
        message.extend([7; 12]);
        message.extend(body);
        message
    }

    fn channel(length: u16, data: &[u8]) -> Vec<u8> {
        let mut message = vec![0x40, 1];
        message.extend(length.to_be_bytes());
        message.extend(data);
        message
    }

    fn taken(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Result<(), Nonsense>) {
        let (mut framing, mut all) = (Framing::default(), Vec::new());
        framing.take(&stun(0x0103, &[]), |_| {}).unwrap();
        for piece in pieces {
            let taken = framing.take(piece, |message| all.push(message.to_vec()));
            assert!(framing.held.len() <= LONGEST + 3, "no more than one message is kept");
            if taken.is_err() {
                return (all, taken);
            }
        }
        (all, Ok(()))
    }

    #[test]
    fn what_goes_out_comes_in_the_same_at_once_and_a_byte_at_a_time() {
        let messages = [
            stun(0x0103, &[1; 40]),
            channel(3, b"abc"),
            channel(4, b"abcd"),
            channel(0, b""),
            stun(0x0115, &[]),
            channel(1_200, &[9; 1_200]),
        ];
        let stream: Vec<u8> = messages.iter().flat_map(|message| framed(message).unwrap()).collect();
        assert_eq!(stream.len() % 4, 0, "the padding is there");
        assert_eq!(taken(&[&stream]), (messages.to_vec(), Ok(())));
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(taken(&bytes), (messages.to_vec(), Ok(())));
        for size in [2, 3, 5, 7, 19, 21] {
            assert_eq!(taken(&stream.chunks(size).collect::<Vec<_>>()).0, messages, "in pieces of {size}");
        }
    }

    #[test]
    fn a_half_message_is_waited_for_and_never_given_out() {
        let whole = framed(&channel(6, b"abcdef")).unwrap();
        for end in 0..whole.len() {
            assert_eq!(taken(&[&whole[..end]]), (vec![], Ok(())), "{end} of {} bytes", whole.len());
        }
    }

    #[test]
    fn a_length_that_lies_costs_its_bytes_and_no_memory() {
        let after = stun(0x0103, &[1; 8]);
        for long in [channel(u16::MAX, &[]), stun(0x0103, &[]), channel(2_100, &[])] {
            let mut long = long;
            long[2..4].copy_from_slice(&0xfff0_u16.to_be_bytes());
            let whole = 0xfff0 + if long[0] >> 6 == 0 { STUN_HEADER } else { CHANNEL_HEADER };
            let rest = vec![0xff; whole - long.len()];
            assert_eq!(
                taken(&[&long, &rest, &after]),
                (vec![after.clone()], Ok(())),
                "the next one is found"
            );
        }
    }

    #[test]
    fn what_is_neither_ends_the_stream() {
        let mut no_cookie = stun(0x0103, &[1; 4]);
        no_cookie[4] = 0;
        let odd = [0x01, 0x03, 0, 3, 0x21, 0x12, 0xa4, 0x42];
        for nonsense in [&[0x80; 40][..], &[0xff; 40], &no_cookie, &odd] {
            let before = framed(&channel(4, b"abcd")).unwrap();
            assert_eq!(taken(&[&before, nonsense]), (vec![before.clone()], Err(Nonsense)), "{nonsense:x?}");
        }
    }

    #[test]
    fn what_does_not_begin_with_stun_is_no_turn_server() {
        for first in [
            &b"HTTP/1.1 400 Bad Request\r\n"[..],
            &channel(3, b"abc"),
            b"SSH-2.0-OpenSSH_9.2\r\n",
            &[0x16, 3, 1, 2, 0, 1, 0, 1],
        ] {
            let taken = first.chunks(1).try_fold(Framing::default(), |mut framing, byte| {
                framing.take(byte, |message| unreachable!("{message:x?}")).map(|()| framing)
            });
            assert!(taken.is_err(), "{first:x?}");
        }
    }

    #[test]
    fn any_bytes_in_any_pieces_give_messages_within_bounds_or_an_end() {
        let mut seed = 0x9e37_79b9_u32;
        let mut chance = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed.to_be_bytes()[0]
        };
        let mut given = 0;
        for _ in 0..2_000 {
            // Half of it looks like a beginning, so that it goes on.
            let bytes: Vec<u8> = (0..64)
                .flat_map(|_| {
                    let any = [chance(), chance(), 0, chance() % 64];
                    if chance() % 2 == 0 { channel(u16::from(any[3]), &any) } else { any.to_vec() }
                })
                .collect();
            let size = usize::from(chance() % 9) + 1;
            let (all, _) = taken(&bytes.chunks(size).collect::<Vec<_>>());
            assert!(all.iter().all(|message| (CHANNEL_HEADER..=LONGEST).contains(&message.len())));
            given += all.len();
        }
        assert!(given > 1_000, "some of it was messages: {given}");
    }

    #[test]
    fn only_what_is_for_a_turn_server_goes_out() {
        assert_eq!(framed(&channel(3, b"abc")), Some(channel(3, b"abc\0")));
        assert_eq!(framed(&channel(3, b"abc\0")), Some(channel(3, b"abc\0")), "padded already");
        for other in [&b""[..], b"abc", &[0x80; 20], &[20, 254, 253, 0, 0, 0, 0], &channel(9, b"abc")] {
            assert_eq!(framed(other), None, "{other:x?}");
        }
        assert_eq!(framed(&[stun(1, &[]), vec![0; 4]].concat()), None, "more than it says");
    }
}
