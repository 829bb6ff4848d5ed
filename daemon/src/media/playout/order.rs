//! From wrapping RTP numbers to frame numbers that never wrap.
//!
//! Lives here: which frame a packet is, and when a sender began anew (the idea of RFC 3550, appendix A.1).
//! Must not: keep packets or time.

use super::FRAME_SAMPLES;

/// Within one stream packets are at most a minute apart.
const REACH: i64 = 3_000;
/// So many packets in a row that fit each other, and not the stream, are a new stream.
const AGREE: u8 = 3;
/// A new stream's numbers lie this far above the old one's.
const APART: i64 = 10_000;

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// This frame.
    At(i64),
    /// No frame of this stream.
    Nowhere,
    /// The first frame of a new stream.
    Anew(i64),
}

/// The newest packet of the stream, and the last that did not fit.
#[derive(Debug)]
pub(super) struct Order {
    number: i64,
    sequence: u16,
    timestamp: u32,
    stranger: Option<(u16, u32, u8)>,
}

impl Order {
    pub(super) fn new(sequence: u16, timestamp: u32) -> Self {
        Self { number: APART, sequence, timestamp, stranger: None }
    }

    /// Sequence and timestamp must have moved alike, and `plausible` may object to the result.
    pub(super) fn place(&mut self, sequence: u16, timestamp: u32, plausible: impl Fn(i64) -> bool) -> Place {
        let steps = i64::from(sequence.wrapping_sub(self.sequence).cast_signed());
        let samples = i64::from(timestamp.wrapping_sub(self.timestamp).cast_signed());
        let number = self.number + steps;
        if samples == steps * FRAME_SAMPLES && steps.abs() <= REACH && plausible(number) {
            if steps > 0 {
                (self.number, self.sequence, self.timestamp) = (number, sequence, timestamp);
            }
            self.stranger = None;
            return Place::At(number);
        }
        let agreed = match self.stranger {
            Some((s, t, n)) if sequence == s.wrapping_add(1) && timestamp == t.wrapping_add(960) => n + 1,
            Some(_) | None => 1,
        };
        if agreed < AGREE {
            self.stranger = Some((sequence, timestamp, agreed));
            return Place::Nowhere;
        }
        let number = self.number + APART;
        *self = Self { number, sequence, timestamp, stranger: None };
        Place::Anew(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_through_both_wraps() {
        let mut order = Order::new(65_530, u32::MAX - 2_000);
        let mut last = order.number - 1;
        for i in 0..100_000_u32 {
            let sequence = 65_530_u16.wrapping_add(u16::try_from(i % 65_536).unwrap());
            let timestamp = (u32::MAX - 2_000).wrapping_add(i.wrapping_mul(960));
            assert_eq!(order.place(sequence, timestamp, |_| true), Place::At(last + 1));
            last += 1;
        }
        assert_eq!(
            order.place(
                65_530_u16.wrapping_add(34_462),
                (u32::MAX - 2_000).wrapping_add(99_998 * 960),
                |_| true
            ),
            Place::At(last - 1)
        );
    }

    #[test]
    fn a_stranger_is_nowhere_until_three_agree() {
        let mut order = Order::new(1, 960);
        assert_eq!(order.place(2, 5, |_| true), Place::Nowhere, "sequence and timestamp disagree");
        assert_eq!(order.place(30_000, 0, |_| true), Place::Nowhere);
        assert_eq!(order.place(2, 1_920, |_| true), Place::At(APART + 1), "the stream goes on");
        assert_eq!(order.place(9_000, 77, |_| true), Place::Nowhere);
        assert_eq!(order.place(9_001, 77 + 960, |_| true), Place::Nowhere);
        assert_eq!(order.place(9_002, 77 + 1_920, |_| true), Place::Anew(2 * APART + 1));
        assert_eq!(order.place(9_003, 77 + 2_880, |_| true), Place::At(2 * APART + 2));
    }
}
