//! How much of each packet the codec says again in the next one, for a side that takes no copies.
//!
//! Lives here: what a side's reports of its loss mean for the encoder.
//! Must not: encode, or read a report's bytes.

/// Assumed of a side that has not reported yet: a call must begin well on a bad network too.
const AT_FIRST: f32 = 0.10;
/// Loss is believed at once. Its end is believed by that much with each report, of which one comes a second: bursts recur.
const FORGIVEN: f32 = 0.25;

/// The share of our packets that one side is expected to miss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::media) struct Redundancy {
    expected: f32,
}

impl Default for Redundancy {
    fn default() -> Self {
        Self { expected: AT_FIRST }
    }
}

impl Redundancy {
    /// The side reported that `lost` of 256 packets were missing lately.
    pub(in crate::media) fn reported(&mut self, lost: u8) {
        let lost = f32::from(lost) / 256.0;
        self.expected = match lost >= self.expected {
            true => lost,
            false => self.expected + (lost - self.expected) * FORGIVEN,
        };
    }

    /// For the encoder, in per cent; below 1 nothing is repeated.
    pub(in crate::media) fn percent(self) -> u8 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
        let percent = (self.expected * 100.0) as u8;
        percent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_counts_at_once_and_its_end_by_and_by() {
        let mut redundancy = Redundancy::default();
        assert_eq!(redundancy.percent(), 10, "nobody knows yet");
        let mut quiet = 0;
        while redundancy.percent() > 0 {
            redundancy.reported(0);
            quiet += 1;
        }
        assert!((5..=10).contains(&quiet), "{quiet} reports");
        redundancy.reported(13);
        assert_eq!(redundancy.percent(), 5);
        redundancy.reported(0);
        assert_eq!(redundancy.percent(), 3, "one good second is no promise");
        redundancy.reported(u8::MAX);
        assert_eq!(redundancy.percent(), 99);
    }
}
