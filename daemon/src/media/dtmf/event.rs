//! A telephone event in a packet (RFC 4733 §2.3).
//!
//! Lives here: its four bytes, to and from; what came was written by the other side.
//! Must not: know which packets there are of an event, or what one sounds like.

use std::fmt;

/// Bytes of one.
pub const LENGTH: usize = 4;
/// The second byte: the end, and how loud it is, in dB below 0 dBm0 (our tone's level).
const END: u8 = 0x80;
const VOLUME: u8 = 10;

/// One packet of an event.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Which: a digit by its number, 0 to 15; others are none that we know.
    pub code: u8,
    /// It is over.
    pub end: bool,
    /// How long it lasted so far, in samples.
    pub duration: u16,
    /// When it began: the timestamp of every packet of it.
    pub begin: u32,
}

impl Event {
    /// What travels beside the timestamp.
    pub fn bytes(self) -> [u8; LENGTH] {
        let [high, low] = self.duration.to_be_bytes();
        [self.code, if self.end { END | VOLUME } else { VOLUME }, high, low]
    }

    /// It is the first packet of its event, as we send them (§2.5.1.2: that one has the marker bit).
    pub fn is_first(self) -> bool {
        self.duration <= 960 && !self.end
    }

    /// Of a packet with this timestamp; none of what is not of that length. How loud it says that it is does not count.
    pub fn from_bytes(begin: u32, bytes: &[u8]) -> Option<Self> {
        let [code, flags, high, low] = *bytes else { return None };
        Some(Self { code, end: flags & END != 0, duration: u16::from_be_bytes([high, low]), begin })
    }
}

/// The digit is nobody's business.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({} samples, end {})", self.duration, self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_four_bytes_as_the_rfc_draws_them() {
        let event = Event { code: 11, end: true, duration: 4_800, begin: 77 };
        assert_eq!(event.bytes(), [11, 0x80 | 10, 0x12, 0xc0]);
        assert_eq!(Event::from_bytes(77, &event.bytes()), Some(event));
        assert_eq!(Event { end: false, ..event }.bytes()[1], 10);
        assert_eq!(Event::from_bytes(0, &[1, 0x3f, 0, 1]).map(|event| event.end), Some(false));
        assert_eq!(format!("{event:?}"), "Event(4800 samples, end true)");
    }

    #[test]
    fn another_length_is_no_event() {
        for length in [0, 1, 3, 5, 8, 1_200] {
            assert_eq!(Event::from_bytes(0, &vec![1; length]), None, "{length}");
        }
    }
}
