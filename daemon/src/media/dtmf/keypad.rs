//! Digits that are being sent, frame by frame of the voice.
//!
//! Lives here: what each frame holds while a digit lasts: its tone, for who takes no events; the packet of its event, for who does.
//! Must not: keep more than one wish and a half; know who takes what.
//!
//! Every frame of 20 ms is one packet, whether it holds the voice or an event, under the next sequence number of the voice. So numbers
//! and time run on as ever, and one number never stands for two packets. While an event lasts the voice is silent (RFC 4733 §2.5.1: the
//! two take turns in one stream), and so it is in the gap: who listens for tones must not hear a word between two of them.
//! The last packet of an event goes three times (§2.5.1.4); each packet says all of the event so far, which is copy enough.

use std::collections::VecDeque;
use std::time::Duration;

use ahoy_call::{Digit, Digits, GAP, PAUSE, TONE};

use super::{Event, add};
use crate::media::codec::FRAME;

const TONE_FRAMES: u32 = frames(TONE);
const GAP_FRAMES: u32 = frames(GAP);
const PAUSE_FRAMES: u32 = frames(PAUSE);
/// How often the last packet goes.
const LAST_TIMES: u32 = 3;
/// Digits that wait at most: those of one wish, and those that the rules let wait before it.
const MOST: usize = 2 * Digits::MOST;

/// What a frame holds in place of the voice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::media) struct Pressed {
    /// The packet for who takes events; the frame as it is else.
    pub(in crate::media) event: Option<Event>,
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(in crate::media) struct Keypad {
    waiting: VecDeque<Digit>,
    /// The present one, its frames that are over, and the timestamp of its first.
    present: Option<(Digit, u32, u32)>,
}

impl Keypad {
    /// These are sent, behind those that wait. What finds no room is left out, and there is no honest way to that.
    pub(in crate::media) fn press(&mut self, digits: &Digits) {
        let room = MOST - self.waiting.len();
        if digits.iter().count() > room {
            tracing::warn!("more digits than may wait");
        }
        self.waiting.extend(digits.iter().take(room));
    }

    /// Nothing waits any more, and what sounds ends.
    pub(in crate::media) fn release(&mut self) {
        *self = Self::default();
    }

    /// Nothing is being sent.
    pub(in crate::media) fn is_idle(&self) -> bool {
        self.present.is_none() && self.waiting.is_empty()
    }

    /// The next frame of the voice, which begins at this timestamp: what is sent in its place, with the tone in `sound`. None: the
    /// voice.
    pub(in crate::media) fn frame(&mut self, timestamp: u32, sound: &mut [f32]) -> Option<Pressed> {
        if self.present.is_none() {
            self.present = self.waiting.pop_front().map(|digit| (digit, 0, timestamp));
        }
        let (digit, done, begin) = self.present.as_mut()?;
        let (digit, number, begin) = (*digit, *done, *begin);
        *done += 1;
        let frames = match digit {
            Digit::Tone(_) => TONE_FRAMES + GAP_FRAMES,
            Digit::Pause => PAUSE_FRAMES,
        };
        if number + 1 == frames {
            self.present = None;
        }
        let Digit::Tone(code) = digit else { return None };
        sound.fill(0.0);
        add(code, samples(number), Some(samples(TONE_FRAMES)), sound);
        let duration = u16::try_from(samples((number + 1).min(TONE_FRAMES))).unwrap_or(u16::MAX);
        let end = number + 1 >= TONE_FRAMES;
        let goes = number < TONE_FRAMES + LAST_TIMES - 1;
        Some(Pressed { event: goes.then_some(Event { code, end, duration, begin }) })
    }
}

/// Frames of 20 ms that last so long.
#[expect(clippy::cast_possible_truncation, reason = "some seconds at most")]
const fn frames(time: Duration) -> u32 {
    (time.as_millis() / 20) as u32
}

fn samples(frames: u32) -> u32 {
    frames * u32::try_from(FRAME).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(text: &str) -> Keypad {
        let mut keypad = Keypad::default();
        keypad.press(&Digits::parse(text).unwrap());
        keypad
    }

    /// So many frames from this timestamp on: what of them is an event, silence or voice.
    fn frames(keypad: &mut Keypad, from: u32, count: u32) -> Vec<String> {
        let frame = |n| {
            let mut sound = [9.0; FRAME];
            let pressed = keypad.frame(from.wrapping_add(n * 960), &mut sound);
            let loud = sound.iter().any(|sample| *sample != 0.0);
            match pressed {
                None => {
                    assert_eq!(sound, [9.0; FRAME], "the voice is left alone");
                    "voice".to_owned()
                }
                Some(Pressed { event: None }) => if loud { "tone alone" } else { "silence" }.to_owned(),
                Some(Pressed { event: Some(event) }) => {
                    let Event { code, end, duration, begin } = event;
                    let (ends, silent) = (if end { " end" } else { "" }, if loud { "" } else { ", silent" });
                    format!("{code}@{} {duration}{ends}{silent}", begin.wrapping_sub(from) / 960)
                }
            }
        };
        (0..count).map(frame).collect()
    }

    #[test]
    fn the_packets_of_two_digits_are_those_of_the_rfc() {
        // The time wraps in the middle of it.
        let mut keypad = press("3#");
        let table = [
            "3@0 960",
            "3@0 1920",
            "3@0 2880",
            "3@0 3840",
            "3@0 4800 end",
            "3@0 4800 end, silent",
            "3@0 4800 end, silent",
            "silence",
            "silence",
            "11@9 960",
            "11@9 1920",
            "11@9 2880",
            "11@9 3840",
            "11@9 4800 end",
            "11@9 4800 end, silent",
            "11@9 4800 end, silent",
            "silence",
            "silence",
            "voice",
        ];
        assert_eq!(frames(&mut keypad, u32::MAX - 2_000, 19), table);
        assert!(keypad.is_idle());
    }

    #[test]
    fn a_pause_is_two_seconds_of_the_voice() {
        let mut keypad = press(",7");
        assert_eq!(frames(&mut keypad, 0, 100), vec!["voice"; 100]);
        assert!(!keypad.is_idle());
        let digit = frames(&mut keypad, 0, 9);
        assert_eq!((digit[0].as_str(), digit[8].as_str()), ("7@0 960", "silence"));
        assert!(keypad.is_idle());
    }

    #[test]
    fn digits_wait_behind_each_other_up_to_a_bound_and_none_after_a_release() {
        let mut keypad = press("1");
        frames(&mut keypad, 0, 3);
        (0..9).for_each(|_| keypad.press(&Digits::parse(&"5".repeat(64)).unwrap()));
        assert_eq!(keypad.waiting.len(), MOST);
        assert_eq!(frames(&mut keypad, 0, 6 + 9).last().unwrap(), "silence");
        keypad.release();
        assert!(keypad.is_idle());
        assert_eq!(frames(&mut keypad, 0, 1), ["voice"], "in the middle of one");
    }
}
