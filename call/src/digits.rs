//! Digits of a keypad that are sent into a call, and how long they take.
//!
//! Lives here: which digits there are, how many at once, and the times of a tone, of the gap behind it, and of a pause.
//! Must not: know how a digit sounds or travels; show one: they may be somebody's secret.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// How long a digit sounds: what a browser sends (W3C WebRTC §7.2), and more than the 65 ms that a sender owes (ETSI ES 201 235-2 §4).
pub const TONE: Duration = Duration::from_millis(100);
/// How long it is silent behind a digit: the 70 ms of a browser, rounded up to whole frames of 20 ms.
pub const GAP: Duration = Duration::from_millis(80);
/// What `,` stands for.
pub const PAUSE: Duration = Duration::from_secs(2);

/// One of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Digit {
    /// A tone, by its number in RFC 4733 §3.2: 0 to 9, 10 for `*`, 11 for `#`, 12 to 15 for A to D.
    Tone(u8),
    /// Nothing is sent for [`PAUSE`].
    Pause,
}

impl Digit {
    /// How long it takes, with the gap behind it.
    #[must_use]
    pub const fn lasts(self) -> Duration {
        match self {
            Self::Tone(_) => TONE.saturating_add(GAP),
            Self::Pause => PAUSE,
        }
    }
}

/// Digits in the order in which they are sent, 1 to [`Digits::MOST`].
#[derive(Clone, PartialEq, Eq)]
pub struct Digits(Vec<Digit>);

impl Digits {
    /// So many at once.
    pub const MOST: usize = 64;

    /// From what a person types: `0` to `9`, `*`, `#`, `A` to `D` in large or small letters, and `,` for a pause. None if there is
    /// anything else in it, or nothing, or too much.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Option<Vec<Digit>> = text.bytes().take(Self::MOST + 1).map(digit).collect();
        digits.filter(|digits| (1..=Self::MOST).contains(&digits.len())).map(Self)
    }

    /// How long all of them take.
    #[must_use]
    pub fn lasts(&self) -> Duration {
        self.0.iter().map(|digit| digit.lasts()).sum()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Digit> + '_ {
        self.0.iter().copied()
    }
}

fn digit(letter: u8) -> Option<Digit> {
    Some(match letter {
        b'0'..=b'9' => Digit::Tone(letter - b'0'),
        b'*' => Digit::Tone(10),
        b'#' => Digit::Tone(11),
        b'A'..=b'D' => Digit::Tone(letter - b'A' + 12),
        b'a'..=b'd' => Digit::Tone(letter - b'a' + 12),
        b',' => Digit::Pause,
        _ => return None,
    })
}

impl fmt::Debug for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digit")
    }
}

impl fmt::Debug for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digits")
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn a_keypad_has_sixteen_digits_and_a_pause_and_nothing_else_is_sent() {
        let numbers = |text: &str| {
            let number = |digit| if let Digit::Tone(number) = digit { Some(number) } else { None };
            Digits::parse(text).map(|digits| digits.iter().map(number).collect::<Vec<_>>())
        };
        let all: Vec<_> = (0..16).map(Some).chain([None]).collect();
        assert_eq!(numbers("0123456789*#ABCD,"), Some(all.clone()));
        assert_eq!(numbers("0123456789*#abcd,"), Some(all));
        for other in ["", "1 2", "E", "1;2", "+49", "１", "\0", "p"] {
            assert_eq!(numbers(other), None, "{other:?}");
        }
        assert!(Digits::parse(&"7".repeat(64)).is_some() && Digits::parse(&"7".repeat(65)).is_none());
    }

    #[test]
    fn a_log_holds_no_digit_and_not_how_many() {
        assert_eq!(
            format!("{:?}", Digits::parse("1234").unwrap()),
            format!("{:?}", Digits::parse("9").unwrap())
        );
        assert!(!format!("{:?}", Digits::parse("1234").unwrap().iter().collect::<Vec<_>>()).contains('1'));
    }

    #[test]
    fn a_digit_takes_its_tone_and_its_gap_and_a_pause_two_seconds() {
        assert_eq!(Digits::parse("12,").unwrap().lasts(), Duration::from_millis(2 * 180 + 2_000));
    }
}
