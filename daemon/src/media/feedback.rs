//! What one side tells the other about how its voice comes: between two ahoys, some times a second.
//!
//! Lives here: the numbers and their bytes (the data of an RTCP APP packet, RFC 3550 §6.7); what came was written by the other side.
//! Must not: measure anything, or decide what follows.

use std::time::Duration;

use super::redundancy::Protection;

/// The numbers take so many bytes. What a later version says behind them is not read.
const LENGTH: usize = 24;
/// What `echo` says while nothing came that could be answered.
const NOTHING: u16 = u16::MAX;

/// How a voice comes, and what would help it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Feedback {
    /// What the sender is asked to do.
    pub wanted: Protection,
    /// The share of packets that did not come by themselves, of the last ten seconds or since it began: 0 to 1.
    pub lost: f32,
    /// The same of the last second.
    pub recent: f32,
    /// How much longer packets took lately than the fastest of the last half minute: a queue on the way that has filled.
    pub queue: Duration,
    /// How much sooner packets come lately than before: a way that has become shorter, or wider.
    pub sooner: Duration,
    /// Bytes of RTP that came in the last second, repeats too.
    pub bytes: u16,
    /// Packets that these were.
    pub packets: u16,
    /// Frames that were made up, of all that were due since the beginning: 0 to 1.
    pub concealed: f32,
    /// Frames that a copy or a repeat saved, of the same.
    pub repaired: f32,
    /// The clock of who says this, in ms, wrapping.
    pub stamp: u16,
    /// The last stamp that came from the other side, and how long ago; none before one came.
    pub echo: Option<(u16, Duration)>,
}

impl Feedback {
    /// As it travels.
    pub fn bytes(&self) -> [u8; LENGTH] {
        let ms = |time: Duration| u16::try_from(time.as_millis()).unwrap_or(u16::MAX);
        let (echo, held) = self.echo.map_or((0, NOTHING), |(stamp, ago)| (stamp, ms(ago).min(NOTHING - 1)));
        let words = [
            u16::from_be_bytes([self.wanted.copies, self.wanted.spacing]),
            of_share(self.lost),
            of_share(self.recent),
            ms(self.queue),
            self.bytes,
            self.packets,
            self.stamp,
            echo,
            held,
            of_share(self.concealed),
            of_share(self.repaired),
            ms(self.sooner),
        ];
        let mut bytes = [0; LENGTH];
        for (place, word) in bytes.chunks_exact_mut(2).zip(words) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        bytes
    }

    /// From what travelled; none if it is too short. Any numbers are taken: each has a bound of its own where it is used.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (bytes, _later) = bytes.split_first_chunk::<LENGTH>()?;
        let word = |n: usize| u16::from_be_bytes([bytes[2 * n], bytes[2 * n + 1]]);
        let (ms, share) =
            (|n: usize| Duration::from_millis(word(n).into()), |n| f32::from(word(n)) / f32::from(u16::MAX));
        Some(Self {
            wanted: Protection::clamped(bytes[0], bytes[1]),
            lost: share(1),
            recent: share(2),
            queue: ms(3),
            bytes: word(4),
            packets: word(5),
            stamp: word(6),
            echo: (word(8) != NOTHING).then(|| (word(7), ms(8))),
            concealed: share(9),
            repaired: share(10),
            sooner: ms(11),
        })
    }
}

fn of_share(share: f32) -> u16 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 65535")]
    let share = (share.clamp(0.0, 1.0) * f32::from(u16::MAX)).round() as u16;
    share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_arrives_and_what_cannot_be_said_is_bounded() {
        let said = Feedback {
            wanted: Protection::clamped(2, 3),
            lost: 1.0,
            recent: 0.0,
            queue: Duration::from_millis(180),
            sooner: Duration::from_millis(37),
            bytes: 6_800,
            packets: 50,
            concealed: 0.0,
            repaired: 1.0,
            stamp: 65_000,
            echo: Some((7, Duration::from_millis(12))),
        };
        assert_eq!(Feedback::from_bytes(&said.bytes()), Some(said));
        let silent = Feedback { echo: None, ..said };
        assert_eq!(Feedback::from_bytes(&silent.bytes()), Some(silent));
        let beyond = Feedback { lost: 7.0, recent: -1.0, queue: Duration::from_secs(100), ..said };
        let heard = Feedback::from_bytes(&beyond.bytes()).unwrap();
        assert_eq!((heard.lost, heard.recent), (1.0, 0.0));
        assert_eq!(heard.queue, Duration::from_millis(u16::MAX.into()));
    }

    #[test]
    fn a_later_version_may_say_more_and_what_is_too_short_says_nothing() {
        let said = Feedback::default();
        let longer = [&said.bytes()[..], &[1, 2, 3]].concat();
        assert_eq!(Feedback::from_bytes(&longer), Some(said));
        for length in 0..LENGTH {
            assert_eq!(Feedback::from_bytes(&said.bytes()[..length]), None);
        }
    }

    #[test]
    fn a_side_that_asks_for_more_copies_than_there_are_gets_what_there_is() {
        let heard = Feedback::from_bytes(&[255; LENGTH]).unwrap();
        assert_eq!(heard.wanted, Protection::clamped(255, 255));
        assert!(heard.wanted.copies <= 3 && heard.wanted.spacing <= 3);
        assert_eq!(heard.echo, None);
    }
}
