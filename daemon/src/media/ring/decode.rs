//! A sound file that somebody else made, as samples.
//!
//! Lives here: what is read of it at most, its decoding, mixing and resampling.
//! Must not: trust the file, or choose it.

use std::fs::OpenOptions;
use std::io::{self, Cursor, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{
    Async, FixedAsync, Resampler as _, SincInterpolationParameters, SincInterpolationType, WindowFunction,
};
use rustix::fs::OFlags;
use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;

use crate::media::codec::RATE;

/// So much of a file is read: half a minute of uncompressed stereo, and some. What is larger plays from its beginning.
const LARGEST: u64 = 8 * 1024 * 1024;
/// What is longer is cut off: 30 s.
const LONGEST: usize = 1_440_000;
/// Sample rates of a file, Hz.
const RATES: std::ops::RangeInclusive<u32> = 8_000..=192_000;
/// Channels of a file.
const CHANNELS: std::ops::RangeInclusive<usize> = 1..=8;
/// Packets that are decoded at most: many times what 30 s need.
const PACKETS: usize = 100_000;
/// Samples that are brought to another rate together.
const TOGETHER: usize = 1_024;

/// Why a file is not played.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unplayable {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// No ordinary file.
    #[error("it is no file")]
    NoFile,
    /// Not what it says.
    #[error("it is neither Ogg Vorbis nor WAV: {0}")]
    Format(#[from] Error),
    /// A rate or a number of channels that no sound has.
    #[error("its sample rate or its channels make no sense")]
    Strange,
    /// There is nothing in it.
    #[error("it holds no sound")]
    Empty,
    /// The decoder broke.
    #[error("the decoder broke on it")]
    Broke,
    /// Something else is to be played.
    #[error("it is not needed any more")]
    Late,
}

/// The file as mono samples of 48 kHz. `late`: asked between two packets whether it still matters.
pub(super) fn file(path: &Path, late: &dyn Fn() -> bool) -> Result<Vec<f32>, Unplayable> {
    // A pipe must not make us wait.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let facts = opened.metadata()?;
    if !facts.is_file() {
        return Err(Unplayable::NoFile);
    }
    let mut bytes = Vec::new();
    opened.take(LARGEST).read_to_end(&mut bytes)?;
    mend(&mut bytes);
    // The decoder is meant never to panic; a hostile file must not end the thread that rings.
    let decoded = catch_unwind(AssertUnwindSafe(|| decode(bytes, late)));
    let (mono, rate) = decoded.map_err(|_panic| Unplayable::Broke)??;
    resample(mono, rate).ok_or(Unplayable::Strange)
}

/// Programs that write into a pipe leave the sizes of a WAV file at 0, and some count wrongly: what is there counts. A size that is
/// too small means to the end of the file, as one that is too large does.
fn mend(bytes: &mut [u8]) {
    const HEAD: usize = 12;
    const CHUNK: usize = 8;
    let end = bytes.len();
    if end < HEAD || !bytes.starts_with(b"RIFF") || bytes[8..HEAD] != *b"WAVE" {
        return;
    }
    let size = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    bytes[4..8].copy_from_slice(&size(end - 8));
    let mut at = HEAD;
    while at + CHUNK <= end {
        let said: [u8; 4] = std::array::from_fn(|n| bytes[at + 4 + n]);
        let said = usize::try_from(u32::from_le_bytes(said)).unwrap_or(usize::MAX);
        let next = (at + CHUNK).saturating_add(said).saturating_add(said % 2);
        // What follows is another chunk, or so little that it does not matter.
        let follows = next.checked_add(CHUNK).is_some_and(|after| after > end && next <= end + 1)
            || bytes
                .get(next..next.saturating_add(4))
                .is_some_and(|name| name.iter().all(|byte| (b' '..=b'~').contains(byte)));
        if bytes[at..at + 4] == *b"data" {
            if said == 0 || !follows {
                bytes[at + 4..at + CHUNK].copy_from_slice(&size(end - at - CHUNK));
            }
            return;
        }
        at = next;
    }
}

fn decode(bytes: Vec<u8>, late: &dyn Fn() -> bool) -> Result<(Vec<f32>, u32), Unplayable> {
    let source = MediaSourceStream::new(Box::new(Cursor::new(bytes)), MediaSourceStreamOptions::default());
    let mut format = symphonia::default::get_probe().probe(
        &Hint::new(),
        source,
        FormatOptions::default(),
        MetadataOptions::default(),
    )?;
    let track = format.default_track(TrackType::Audio).ok_or(Unplayable::Empty)?;
    let id = track.id;
    let parameters = track.codec_params.as_ref().and_then(|all| all.audio()).ok_or(Unplayable::Empty)?;
    let mut decoder =
        symphonia::default::get_codecs().make_audio_decoder(parameters, &AudioDecoderOptions::default())?;
    let (mut mono, mut rate, mut block) = (Vec::new(), 0, Vec::<f32>::new());
    for _ in 0..PACKETS {
        if late() {
            return Err(Unplayable::Late);
        }
        // A file that is cut off is played as far as it goes.
        let Ok(Some(packet)) = format.next_packet() else { break };
        if packet.track_id != id {
            continue;
        }
        let decoded = match decoder.decode(&packet) {
            Ok(decoded) => decoded,
            Err(Error::DecodeError(_)) => continue,
            Err(_) => break,
        };
        let (this_rate, channels) = (decoded.spec().rate(), decoded.spec().channels().count());
        if !RATES.contains(&this_rate) || !CHANNELS.contains(&channels) || rate != 0 && rate != this_rate {
            return Err(Unplayable::Strange);
        }
        rate = this_rate;
        decoded.copy_to_vec_interleaved(&mut block);
        let share = 1.0 / channels as f32;
        mono.extend(block.chunks_exact(channels).map(|frame| sane(frame.iter().sum::<f32>() * share)));
        if mono.len() as u64 >= LONGEST as u64 * u64::from(rate) / u64::from(RATE) {
            break;
        }
    }
    if mono.is_empty() { Err(Unplayable::Empty) } else { Ok((mono, rate)) }
}

fn sane(sample: f32) -> f32 {
    if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 }
}

/// To 48 kHz; good for a ring, 50 dB.
fn resample(mut samples: Vec<f32>, rate: u32) -> Option<Vec<f32>> {
    let length = samples.len() as u64 * u64::from(RATE) / u64::from(rate);
    if rate != RATE {
        // What would fold back is cut off.
        let filter = SincInterpolationParameters::new(32, WindowFunction::Hann)
            .f_cutoff(0.95)
            .oversampling_factor(256)
            .interpolation(SincInterpolationType::Linear);
        let ratio = f64::from(RATE) / f64::from(rate);
        let mut resampler =
            Async::<f32>::new_sinc(ratio, 1.0, &filter, TOGETHER, 1, FixedAsync::Input).ok()?;
        let whole = InterleavedSlice::new(&samples, 1, samples.len()).ok()?;
        samples = resampler.process_all(&whole, samples.len(), None).ok()?.take_data();
        samples.iter_mut().for_each(|sample| *sample = sane(*sample));
    }
    samples.truncate(usize::try_from(length).ok()?.min(LONGEST));
    Some(samples)
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use super::*;

    fn wave(rate: u32, channels: u16, samples: &[i16]) -> Vec<u8> {
        let length = u32::try_from(samples.len() * 2).unwrap();
        let mut wave = Vec::new();
        wave.extend(b"RIFF");
        wave.extend((36 + length).to_le_bytes());
        wave.extend(b"WAVEfmt ");
        wave.extend(16_u32.to_le_bytes());
        wave.extend([1_u16, channels].into_iter().flat_map(u16::to_le_bytes));
        wave.extend([rate, rate * u32::from(channels) * 2].into_iter().flat_map(u32::to_le_bytes));
        wave.extend([channels * 2, 16].into_iter().flat_map(u16::to_le_bytes));
        wave.extend(b"data");
        wave.extend(length.to_le_bytes());
        wave.extend(samples.iter().flat_map(|s| s.to_le_bytes()));
        wave
    }

    #[expect(clippy::cast_possible_truncation, reason = "a tone of half the range")]
    fn tone(rate: u32, channels: u16, tenths: u32) -> Vec<u8> {
        let count = rate / 10 * tenths;
        let one = |n: u32| (16_384.0 * (TAU * 440.0 * n as f32 / rate as f32).sin()) as i16;
        let samples: Vec<i16> = (0..count).flat_map(|n| vec![one(n); channels.into()]).collect();
        wave(rate, channels, &samples)
    }

    fn play(bytes: &[u8]) -> Result<Vec<f32>, Unplayable> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sound");
        std::fs::write(&path, bytes).unwrap();
        file(&path, &|| false)
    }

    #[test]
    fn a_tone_keeps_its_pitch_length_and_loudness_from_every_rate() {
        for (rate, channels) in [(8_000, 1), (22_050, 2), (44_100, 2), (48_000, 1), (96_000, 6)] {
            let samples = play(&tone(rate, channels, 5)).unwrap();
            assert!((23_990..=24_000).contains(&samples.len()), "{rate}: {}", samples.len());
            let middle = &samples[2_400..21_600];
            let (mut sine, mut cosine, mut all) = (0.0, 0.0, 0.0);
            for (n, s) in middle.iter().enumerate() {
                let angle = TAU * 440.0 * n as f32 / 48_000.0;
                sine += s * angle.sin();
                cosine += s * angle.cos();
                all += s * s;
            }
            let power = 2.0 * (sine * sine + cosine * cosine) / middle.len() as f32;
            assert!(power / all > 0.999, "{rate}: {} of it is the tone", power / all);
            assert!((all / middle.len() as f32).sqrt() > 0.34, "{rate}");
        }
    }

    #[test]
    fn what_is_too_long_or_too_large_plays_from_its_beginning() {
        assert_eq!(play(&tone(8_000, 1, 400)).unwrap().len(), LONGEST);
        let large = tone(48_000, 2, 600);
        assert!(large.len() as u64 > LARGEST);
        assert_eq!(play(&large).unwrap().len(), LONGEST);
    }

    #[test]
    fn sizes_of_a_wav_that_are_zero_or_wrong_mean_to_the_end_of_the_file() {
        let good = tone(44_100, 2, 5);
        let whole = play(&good).unwrap();
        let with = |riff: u32, data: u32| {
            let mut bent = good.clone();
            bent[4..8].copy_from_slice(&riff.to_le_bytes());
            bent[40..44].copy_from_slice(&data.to_le_bytes());
            bent
        };
        let (riff, data) = (u32::try_from(good.len() - 8).unwrap(), u32::try_from(good.len() - 44).unwrap());
        for (riff, data) in [
            (0, 0),
            (riff, 0),
            (0, data),
            (riff - 8, data),
            (riff, data - 4_001),
            (u32::MAX, u32::MAX),
            (riff + 90, data + 90),
        ] {
            assert_eq!(play(&with(riff, data)).unwrap().len(), whole.len(), "{riff} {data}");
        }
        let mut followed = good.clone();
        followed.extend(b"LIST\x04\0\0\0abcd");
        assert_eq!(play(&followed).unwrap().len(), whole.len(), "what follows is no sound");
        assert!(play(&with(0, 0)[..44]).is_err(), "a head alone");
    }

    #[test]
    fn hostile_files_are_refused_and_nothing_else_happens() {
        let good = tone(44_100, 2, 2);
        let mut cut = good.clone();
        cut.truncate(2_000);
        assert!(play(&cut).is_ok(), "as far as it goes");
        for bytes in [
            &b""[..],
            b"RIFF",
            b"OggS",
            &[0xff; 5_000],
            &good[..30],
            &tone(4_000, 1, 1),
            &wave(44_100, 0, &[]),
        ] {
            assert!(play(bytes).is_err(), "{:?}", &bytes[..bytes.len().min(12)]);
        }
        // Every byte of the head in turn is another one.
        for at in 0..60 {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bent = good.clone();
                bent[at] = value;
                if let Ok(samples) = play(&bent) {
                    assert!(samples.len() <= LONGEST && samples.iter().all(|s| s.is_finite()));
                }
            }
        }
    }

    #[test]
    fn only_files_are_read_and_a_pipe_does_not_make_us_wait() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipe");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, mode).unwrap();
        for path in [&path, Path::new("/dev/zero"), directory.path(), Path::new("/nowhere")] {
            assert!(matches!(file(path, &|| false), Err(Unplayable::NoFile | Unplayable::Io(_))), "{path:?}");
        }
    }

    #[test]
    fn what_is_not_needed_any_more_is_left_off() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sound");
        std::fs::write(&path, tone(44_100, 2, 10)).unwrap();
        assert!(matches!(file(&path, &|| true), Err(Unplayable::Late)));
    }
}
