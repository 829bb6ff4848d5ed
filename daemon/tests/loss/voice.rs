//! What is said, and where it is kept.
//!
//! Lives here: a made-up voice with pauses, files of samples.
//! Must not: know packets.

use std::path::Path;

/// Twenty seconds of a made-up voice: syllables of a falling and rising pitch, a pause in every two seconds; or the samples in the
/// file that `AHOY_SPEECH` names.
pub(crate) fn said() -> Vec<f32> {
    if let Some(path) = std::env::var_os("AHOY_SPEECH") {
        let bytes = std::fs::read(path).unwrap();
        return bytes
            .chunks_exact(2)
            .map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0)
            .collect();
    }
    let mut phase = 0.0_f32;
    (0..48_000 * 20_u32)
        .map(|sample| {
            let t = sample as f32 / 48_000.0;
            let pitch = 120.0 + 25.0 * (t * 2.1).sin() + 10.0 * (t * 7.3).sin();
            phase = (phase + pitch / 48_000.0).fract();
            let syllable = (t * 4.0 * std::f32::consts::PI).sin().abs().sqrt();
            let speaks = t.rem_euclid(2.0) < 1.6;
            let formant = |n: u8| {
                1.0 / (1.0 + ((f32::from(n) * pitch - 600.0 - 300.0 * (t * 3.0).sin()) / 400.0).powi(2))
            };
            let sound = |n: u8| {
                (phase * f32::from(n) * std::f32::consts::TAU).sin() * (0.2 / f32::from(n) + 0.4 * formant(n))
            };
            if speaks { 0.12 * syllable * (1..20_u8).map(sound).sum::<f32>() } else { 0.0 }
        })
        .collect()
}

/// Keeps what was heard under this name, as 32-bit floats, in the folder that `AHOY_HEARD` names, if it does.
pub(crate) fn keep(name: &str, sound: &[f32]) {
    let Some(folder) = std::env::var_os("AHOY_HEARD") else { return };
    let bytes: Vec<u8> = sound.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    std::fs::write(Path::new(&folder).join(name.replace(' ', "_").replace(',', "") + ".raw"), bytes).unwrap();
}
