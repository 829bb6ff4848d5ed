//! What tests say into a capture.
//!
//! Lives here: sounds by their place in time, and the packets that they become.
//! Must not: judge what is heard of them, but for how loud it is.

use super::capture::Capture;
use super::transport::Packet;

/// 300 Hz.
pub(super) fn tone(from: usize, samples: usize) -> Vec<f32> {
    (from..from + samples)
        .map(|i| 0.3 * (i as f32 / 48_000.0 * 300.0 * std::f32::consts::TAU).sin())
        .collect()
}

/// Harmonics of 140 Hz with moving loudness: the codec mends a steady tone badly, it takes it for noise.
pub(super) fn voice(from: usize, samples: usize) -> Vec<f32> {
    let loudness = |t: f32| 0.6 + 0.4 * (t * 19.0).sin();
    let sound = |t: f32| (1..9_u8).map(|h| (t * 880.0 * f32::from(h)).sin() / f32::from(h)).sum::<f32>();
    (from..from + samples).map(|i| i as f32 / 48_000.0).map(|t| 0.2 * loudness(t) * sound(t)).collect()
}

/// How loud this pitch is in it, Hz: the amplitude of its sine.
pub(super) fn loudness(sound: &[f32], pitch: u32) -> f32 {
    let part = |phase: fn(f32) -> f32| {
        let angle = |n: usize| (n as f32 / 48_000.0 * pitch as f32).fract() * std::f32::consts::TAU;
        sound.iter().enumerate().map(|(n, s)| s * phase(angle(n))).sum::<f32>() / sound.len() as f32
    };
    part(f32::sin).hypot(part(f32::cos)) * 2.0
}

pub(super) fn peak(sound: &[f32]) -> f32 {
    sound.iter().fold(0.0, |most, s| s.abs().max(most))
}

/// The packets that are full by then.
pub(super) fn feed(capture: &mut Capture, samples: &[f32]) -> Vec<Packet> {
    let mut sent = Vec::new();
    capture.feed(samples, |packet| sent.push(packet));
    sent
}
