//! A voice that is a steady tone, and the ear for one.
//!
//! Lives here: encoding, decoding, and when a tone was there.
//! Must not: know where packets come from.

use std::f32::consts::TAU;
use std::time::Duration;

use ahoy_call::Moment;
use ahoyd::media::codec::{Decoder, Encoder, FRAME, FRAMES_MAX, PACKET_MAX};
use ahoyd::media::transport::Packet;

/// A pitch in Hz, a multiple of 100: whole waves fit the 10 ms in which the other side looks for one, and none is taken for another.
pub(crate) type Pitch = u16;

/// Louder than this, of 1, is there.
const THERE: f32 = 0.03;

/// Speaks one tone, frame by frame.
pub(crate) struct Mouth {
    encoder: Encoder,
    sequence: u16,
}

impl Mouth {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self { encoder: Encoder::new(32_000)?, sequence: 0 })
    }

    /// The next 20 ms; silence without a pitch.
    pub(crate) fn frame(&mut self, pitch: Option<Pitch>) -> anyhow::Result<Packet> {
        let sound: Vec<f32> =
            (0..FRAME).map(|n| pitch.map_or(0.0, |pitch| 0.3 * angle(n, pitch).sin())).collect();
        let mut packet = [0; PACKET_MAX];
        let length = self.encoder.encode(&sound, &mut packet)?;
        self.sequence = self.sequence.wrapping_add(1);
        Ok(Packet {
            sequence: self.sequence,
            timestamp: u32::from(self.sequence) * 960,
            first: self.sequence == 1,
            payload: packet[..length].to_vec(),
            copies: Vec::new(),
            event: None,
        })
    }
}

/// Listens for one tone.
pub(crate) struct Ear {
    decoder: Decoder,
    pitch: Pitch,
    /// When it came first and last.
    first: Option<Moment>,
    last: Option<Moment>,
    gap: Duration,
}

impl Ear {
    pub(crate) fn new(pitch: Pitch) -> anyhow::Result<Self> {
        Ok(Self { decoder: Decoder::new()?, pitch, first: None, last: None, gap: Duration::ZERO })
    }

    pub(crate) fn hear(&mut self, now: Moment, payload: &[u8]) {
        let mut sound = vec![0.0; FRAME * FRAMES_MAX];
        let frames = ahoyd::media::codec::frames(payload).unwrap_or(1).clamp(1, FRAMES_MAX);
        let sound = &mut sound[..FRAME * frames];
        self.decoder.decode(payload, sound);
        if loudness(sound, self.pitch) > THERE {
            self.first.get_or_insert(now);
            self.gap = self.gap.max(self.last.map_or(Duration::ZERO, |last| now.since(last)));
            self.last = Some(now);
        }
    }

    /// When the tone came first.
    pub(crate) fn first(&self) -> Option<Moment> {
        self.first
    }

    /// For how long it has been missing.
    pub(crate) fn silence(&self, now: Moment) -> Duration {
        self.last.map_or(Duration::MAX, |last| now.since(last))
    }

    /// The longest time between two frames with it, since this was last asked to forget.
    pub(crate) fn gap(&self, now: Moment) -> Duration {
        self.gap.max(self.silence(now))
    }

    pub(crate) fn forget(&mut self) {
        self.gap = Duration::ZERO;
    }
}

fn loudness(samples: &[f32], pitch: Pitch) -> f32 {
    let part = |phase: fn(f32) -> f32| {
        samples.iter().enumerate().map(|(n, sample)| sample * phase(angle(n, pitch))).sum::<f32>()
    };
    let count = f32::from(u16::try_from(samples.len()).unwrap_or(u16::MAX));
    part(f32::sin).hypot(part(f32::cos)) * 2.0 / count
}

fn angle(sample: usize, pitch: Pitch) -> f32 {
    // Whole waves are left out, so that the number stays small and exact.
    let step = (sample % FRAME) * usize::from(pitch) % 48_000;
    TAU * f32::from(u16::try_from(step).unwrap_or_default()) / 48_000.0
}
