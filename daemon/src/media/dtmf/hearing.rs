//! Digits that the other side sends as events (RFC 4733): when each of them sounds.
//!
//! Lives here: which frame of its voice an event's packet stands for, and which tone goes with that frame. The playout buffer then
//! treats it as a frame of silence: order, time, loss, doubles and their bounds are its matter.
//! Must not: believe a duration beyond the frames that packets came for; keep more than a buffer's worth of frames.
//!
//! A packet says all of its event so far, so it also stands for those before it that got lost. A tone goes on over a hole of a few
//! frames and no longer: who loses the end of an event loses no more than that.

use super::{Event, add};
use crate::media::codec::{FRAME, FRAMES_MAX};
use crate::media::playout::SPAN;

/// One frame that says nothing: 20 ms of Opus in the mode for music, empty (RFC 6716 §3.1).
pub(in crate::media) const SILENCE: [u8; 3] = [0xf8, 0xff, 0xfe];

const FRAME_SAMPLES: u32 = 960;
/// Frames before its own that a packet stands for, if they did not come: the longest that is worth mending.
const EARLIER: u8 = 7;
/// Frames that a tone goes on over a hole.
const HOLE: u8 = 3;
/// The end of an event comes again, each time a frame later; so many packets may be missing before it.
const NEAR: u16 = 16;

/// A frame with a tone: how many samples after the tone's beginning it begins, and after how many the tone ends if that is known.
#[derive(Clone, Copy)]
struct Tone {
    code: u8,
    /// The frame in which it begins.
    head: i64,
    from: u32,
    until: Option<u32>,
}

/// The newest packet of all, as the next one is reckoned from it.
#[derive(Clone, Copy, Debug)]
struct Newest {
    path: u16,
    sequence: u16,
    timestamp: u32,
    frames: u32,
}

/// See the head of this file.
pub(in crate::media) struct Hearing {
    newest: Option<Newest>,
    /// By frame number, in a ring.
    tones: Vec<Option<(i64, Tone)>>,
    /// What sounded last, and for how many missing frames it went on.
    sounding: Option<(Tone, u8)>,
}

impl std::fmt::Debug for Hearing {
    /// The digits are nobody's business.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hearing").field("sounding", &self.sounding.is_some()).finish_non_exhaustive()
    }
}

impl Default for Hearing {
    fn default() -> Self {
        let frames = usize::try_from(SPAN).expect("fits");
        Self { newest: None, tones: vec![None; frames], sounding: None }
    }
}

impl Hearing {
    /// A packet of so many frames has its place in the voice.
    pub(in crate::media) fn passed(&mut self, path: u16, sequence: u16, timestamp: u32, frames: usize) {
        let newer = self.newest.is_none_or(|newest| {
            newest.path != path || sequence.wrapping_sub(newest.sequence).cast_signed() > 0
        });
        if newer {
            let frames = u32::try_from(frames.clamp(1, FRAMES_MAX)).unwrap_or(1);
            self.newest = Some(Newest { path, sequence, timestamp, frames });
        }
    }

    /// The timestamp of the frame that a packet of an event stands for; none if it stands for none.
    pub(in crate::media) fn place(&self, path: u16, sequence: u16, event: Event) -> Option<u32> {
        let frames = u32::from(event.duration).div_ceil(FRAME_SAMPLES);
        // A packet goes when the frame is over that it tells of last.
        let told = event.begin.wrapping_add(frames.saturating_sub(1) * FRAME_SAMPLES);
        let Some(newest) = self.newest.filter(|newest| event.end && newest.path == path) else {
            return Some(told);
        };
        let steps = sequence.wrapping_sub(newest.sequence);
        let since = FRAME_SAMPLES * (newest.frames + u32::from(steps) - 1);
        let timestamp = newest.timestamp.wrapping_add(since);
        let behind = timestamp.wrapping_sub(told);
        let fits = (1..=NEAR).contains(&steps)
            && behind % FRAME_SAMPLES == 0
            && behind <= FRAME_SAMPLES * u32::from(NEAR);
        fits.then_some(timestamp)
    }

    /// The packet of an event that stands for this frame, of this timestamp, has come. Returns for how many frames before it it
    /// stands, too.
    pub(in crate::media) fn came(&mut self, number: i64, timestamp: u32, event: Event) -> u8 {
        let since = timestamp.wrapping_sub(event.begin) / FRAME_SAMPLES;
        let earlier = u8::try_from(since).unwrap_or(u8::MAX).min(EARLIER);
        let head = number - i64::from(since);
        for before in 0..=earlier {
            let from = (since - u32::from(before)) * FRAME_SAMPLES;
            if from < u32::from(event.duration) && super::pitches(event.code).is_some() {
                let until = event.end.then_some(u32::from(event.duration));
                let number = number - i64::from(before);
                self.tones[index(number)] = Some((number, Tone { code: event.code, head, from, until }));
            }
        }
        earlier
    }

    /// A frame is played: its tone is added. `true`: it has one.
    pub(in crate::media) fn plays(&mut self, number: i64, frame: &mut [f32; FRAME]) -> bool {
        let tone = self.tones[index(number)].filter(|(of, _)| *of == number).map(|(_, tone)| tone);
        // What went on over a hole may come after all: it goes on from there, or it would click.
        let before = self.sounding.map(|(tone, _)| tone);
        let tone = tone.map(|tone| match before.filter(|before| before.head == tone.head) {
            Some(before) => tone.moved_to(before.from + FRAME_SAMPLES),
            None => tone,
        });
        self.sounding = tone.map(|tone| (tone, 0));
        tone.inspect(|tone| tone.add(frame)).is_some()
    }

    /// A frame is missing when it should be played: a tone that was there goes on for a while.
    pub(in crate::media) fn misses(&mut self, frame: &mut [f32; FRAME]) {
        let Some((tone, missed)) = &mut self.sounding else { return };
        if *missed == HOLE {
            self.sounding = None;
            return;
        }
        *missed += 1;
        tone.from += FRAME_SAMPLES;
        tone.add(frame);
    }

    /// What waits to be played is nobody's any more.
    pub(in crate::media) fn forget(&mut self) {
        *self = Self::default();
    }
}

impl Tone {
    /// The same part of it at another time, with as much left.
    fn moved_to(self, from: u32) -> Self {
        Self { from, until: self.until.map(|until| from + until.saturating_sub(self.from)), ..self }
    }

    fn add(self, frame: &mut [f32; FRAME]) {
        add(self.code, self.from, self.until, frame);
    }
}

fn index(number: i64) -> usize {
    usize::try_from(number.rem_euclid(SPAN)).expect("a remainder of 64")
}
