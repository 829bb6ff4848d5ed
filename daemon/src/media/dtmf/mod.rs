//! The digits of a keypad (DTMF): how they sound, how they travel, when they play.
//!
//! Lives here: their sound. A digit to a side that takes telephone events (RFC 4733) is an event in place of the voice, else a tone in
//! the voice: `keypad.rs` makes both, `event.rs` has the bytes, `hearing.rs` plays what came.
//! Must not: know a path or a device; log a digit.

mod event;
mod hearing;
mod keypad;

pub use event::{Event, LENGTH};
pub(super) use hearing::{Hearing, SILENCE};
pub(super) use keypad::Keypad;

use super::codec::RATE;

/// The pitches of a digit, Hz: that of its row and that of its column on a keypad (ITU-T Q.23).
const ROWS: [u32; 4] = [697, 770, 852, 941];
const COLUMNS: [u32; 4] = [1_209, 1_336, 1_477, 1_633];
/// Where each digit stands on it, by its number (RFC 4733 §3.2): 0 to 9, `*`, `#`, A to D.
const PLACES: [(usize, usize); 16] = [
    (3, 1),
    (0, 0),
    (0, 1),
    (0, 2),
    (1, 0),
    (1, 1),
    (1, 2),
    (2, 0),
    (2, 1),
    (2, 2),
    (3, 0),
    (3, 2),
    (0, 3),
    (1, 3),
    (2, 3),
    (3, 3),
];
/// How loud each pitch is: both together -16.5 dBFS.
const LOUDNESS: f32 = 0.15;
/// It swells and fades so long, in samples: without that it would click.
const RAMP: u32 = 120;

/// The two pitches of a digit, Hz; none of what is no digit.
pub fn pitches(code: u8) -> Option<[u32; 2]> {
    let (row, column) = *PLACES.get(usize::from(code))?;
    Some([ROWS[row], COLUMNS[column]])
}

/// Adds a digit's tone to what is there, from so many samples after its beginning; it ends so many samples after that, if that is
/// known.
pub(super) fn add(code: u8, from: u32, until: Option<u32>, sound: &mut [f32]) {
    let Some(pitches) = pitches(code) else { return };
    for (at, sample) in (from..).zip(sound) {
        let left = until.map_or(RAMP, |until| until.saturating_sub(at));
        let loud = LOUDNESS * share(at.min(left).min(RAMP));
        *sample += loud * pitches.iter().map(|pitch| sine(*pitch, at)).sum::<f32>();
    }
}

fn share(of: u32) -> f32 {
    of as f32 / RAMP as f32
}

/// Of this pitch, so many samples after its beginning.
fn sine(pitch: u32, at: u32) -> f32 {
    // Whole periods are left out, so that the number stays small and exact.
    let turns = (u64::from(pitch) * u64::from(at)) % u64::from(RATE);
    (turns as f32 / RATE as f32 * std::f32::consts::TAU).sin()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::said::loudness;

    #[test]
    fn every_digit_has_the_two_pitches_of_its_place_and_no_other() {
        for code in 0..16 {
            let mut sound = [0.0; 4_800];
            add(code, 0, Some(4_800), &mut sound);
            let own = pitches(code).unwrap();
            for pitch in ROWS.into_iter().chain(COLUMNS) {
                let loud = loudness(&sound, pitch);
                assert_eq!(loud > 0.1, own.contains(&pitch), "digit {code}, {pitch} Hz: {loud}");
            }
        }
        let keys = b"123A456B789C*0#D";
        let numbered = |key: u8| b"0123456789*#ABCD".iter().position(|of| *of == key).unwrap();
        for (place, key) in keys.iter().enumerate() {
            assert_eq!(PLACES[numbered(*key)], (place / 4, place % 4), "{}", char::from(*key));
        }
    }

    #[test]
    fn a_tone_in_pieces_is_the_same_tone_and_nothing_follows_its_end() {
        let (mut whole, mut pieces) = ([0.0; 4_800], [0.0; 4_800]);
        add(5, 0, Some(3_000), &mut whole);
        for (n, piece) in (0..).zip(pieces.chunks_mut(960)) {
            add(5, n * 960, Some(3_000), piece);
        }
        assert_eq!(whole, pieces);
        assert!(whole[3_000..].iter().all(|sample| *sample == 0.0) && whole[2_900] != 0.0);
    }

    #[test]
    fn what_is_no_digit_makes_no_sound() {
        let mut sound = [0.0; 960];
        (16..=255).for_each(|code| add(code, 0, None, &mut sound));
        assert_eq!(sound, [0.0; 960]);
    }
}
