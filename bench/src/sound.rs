//! Sound with the time at which it was played: mouths, ears, and what is found in what they heard.
//!
//! Lives here: the test signal, recordings that know when each sample was, onset of a tone, place of a chirp.
//! Must not: know calls.

use std::f64::consts::TAU;
use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use ahoy_tests::lab::{Desk, Running};
use anyhow::Context as _;

use crate::time::now;

const RATE: f64 = 48_000.0;
/// Samples in a second.
const SECOND: usize = 48_000;
/// A chirp begins so often.
const EVERY: usize = SECOND / 2;
const CHIRP: usize = SECOND * 30 / 1000;
/// The window in which a tone is looked for, 5 ms.
const WINDOW: usize = SECOND / 200;
/// A tone that is louder than this, in dBFS, is there. It is sent at −12.
const AUDIBLE: f64 = -24.0;
/// A sample's time is reckoned by the pieces that came so long before and after it.
const ABOUT: Duration = Duration::from_millis(400);
/// What is found must look so much like the chirp: 1 is equal, chance is below 0.2.
const ALIKE: f64 = 0.45;

/// A tone without end with a chirp in it twice a second, in somebody's microphone, until it is dropped.
#[derive(Debug)]
pub(crate) struct Mouth(#[expect(dead_code, reason = "lives as long as the sound")] Running);

impl Mouth {
    pub(crate) fn open(desk: &Desk, tone: f64) -> anyhow::Result<Self> {
        // In large pieces, here and at the ears: else the server would work in smaller blocks than the daemon wishes for.
        let mut running = Running::start(desk.tool("pacat", "mic_in", "200").stdin(Stdio::piped()))?;
        let mut input = running.child().stdin.take().context("the player's input")?;
        let period: Vec<u8> = signal(tone).iter().flat_map(|it| it.to_le_bytes()).collect();
        let play = move || while input.write_all(&period).is_ok() {};
        std::thread::Builder::new().name("mouth".to_owned()).spawn(play)?;
        Ok(Self(running))
    }
}

/// One period: half a second. Every tone of even hertz fits into it whole.
fn signal(tone: f64) -> Vec<i16> {
    let mut sound: Vec<f64> = (0..EVERY).map(|n| 0.25 * 2_f64.sqrt() * (TAU * tone * at(n)).sin()).collect();
    for (sample, chirp) in sound.iter_mut().zip(chirp()) {
        *sample = 0.5 * chirp;
    }
    sound.iter().map(|it| to_i16(*it)).collect()
}

/// 30 ms from 600 to 6000 Hz, soft at both ends.
fn chirp() -> impl Iterator<Item = f64> {
    let (from, to, lasting) = (600.0, 6000.0, at(CHIRP));
    (0..CHIRP).map(move |n| {
        let t = at(n);
        let soft = (TAU / 2.0 * t / lasting).sin();
        soft * (TAU * (from * t + (to - from) * t * t / (2.0 * lasting))).sin()
    })
}

/// What one end of a desk plays, from the beginning of listening on, and when.
#[derive(Debug)]
pub(crate) struct Ears {
    #[expect(dead_code, reason = "lives as long as we listen")]
    running: Running,
    pieces: Receiver<(Instant, Vec<f64>)>,
    recording: Recording,
}

impl Ears {
    /// Listens to a source of a desk.
    pub(crate) fn open(desk: &Desk, source: &str) -> anyhow::Result<Self> {
        let mut running = Running::start(desk.tool("parec", source, "100").stdout(Stdio::piped()))?;
        let mut output = running.child().stdout.take().context("the recorder's output")?;
        // Ten minutes in pieces of 10 ms.
        let (tell, pieces) = sync_channel(60_000);
        let listen = move || {
            let (mut bytes, mut odd) = ([0; 1 << 14], Vec::new());
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                let came = now();
                odd.extend_from_slice(&bytes[..count]);
                let whole = odd.len() / 2 * 2;
                let samples = odd.drain(..whole).as_slice().chunks_exact(2).map(sample).collect();
                if tell.send((came, samples)).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("ears".to_owned()).spawn(listen)?;
        Ok(Self { running, pieces, recording: Recording::default() })
    }

    /// All that was heard so far.
    pub(crate) fn recording(&mut self) -> &Recording {
        for (came, samples) in self.pieces.try_iter() {
            self.recording.add(came, &samples);
        }
        &self.recording
    }
}

fn sample(bytes: &[u8]) -> f64 {
    f64::from(i16::from_le_bytes([bytes[0], bytes[1]])) / 32_768.0
}

/// Samples, and when pieces of them came.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    samples: Vec<f64>,
    /// When so many samples were there.
    pieces: Vec<(Instant, usize)>,
}

impl Recording {
    fn add(&mut self, came: Instant, samples: &[f64]) {
        self.samples.extend_from_slice(samples);
        self.pieces.push((came, self.samples.len()));
    }

    /// When the first sample would have been if none had got lost, by what came about that time: a recorder that is kept waiting
    /// loses some, and all that it hears later would seem to have been heard earlier.
    fn began(&self, about: Instant) -> Option<Instant> {
        let first = self.pieces.partition_point(|(came, _)| *came + ABOUT < about);
        let near = self.pieces[first..].iter().take_while(|(came, _)| *came <= about + ABOUT);
        // A piece can come late, never early: the earliest is nearest to the truth.
        near.filter_map(|(came, there)| came.checked_sub(Duration::from_secs_f64(at(*there)))).min()
    }

    /// How much less came between two times than there should have been: what the sound server, or the recorder, lost of them.
    pub(crate) fn lost(&self, from: Instant, to: Instant) -> Duration {
        match (self.began(from + ABOUT), self.began(to.checked_sub(ABOUT).unwrap_or(to))) {
            (Some(first), Some(last)) => last.saturating_duration_since(first),
            (None, _) | (_, None) => to.saturating_duration_since(from),
        }
    }

    fn between(&self, from: Instant, to: Instant, about: Instant) -> &[f64] {
        let Some(began) = self.began(about) else { return &[] };
        let place = |time: Instant| index(time.saturating_duration_since(began).as_secs_f64());
        let end = place(to).min(self.samples.len());
        &self.samples[place(from).min(end)..end]
    }

    /// When that tone begins, and stays: the end of its first 5 ms.
    pub(crate) fn onset(&self, tone: f64, from: Instant, to: Instant) -> Option<Instant> {
        let heard = self.between(from, to, from);
        let there = |at: usize| heard.get(at..at + WINDOW).is_some_and(|it| level(it, tone) > AUDIBLE);
        let step = WINDOW / 5;
        let first =
            (0..heard.len() / step).map(|n| n * step).find(|&at| (0..4).all(|n| there(at + n * WINDOW)))?;
        Some(from + Duration::from_secs_f64(at(first + WINDOW)))
    }

    /// The loudest 5 ms of that tone, in dBFS, and when they were, reckoned by what came about the end: where a stream begins
    /// to play, PipeWire changes its blocks, and a recorder misses the rest of the old one.
    pub(crate) fn loudest(&self, tone: f64, from: Instant, to: Instant) -> (f64, Instant) {
        let heard = self.between(from, to, to);
        let levels = heard.chunks_exact(WINDOW).map(|it| level(it, tone)).enumerate();
        let loudest = levels.max_by(|one, other| one.1.total_cmp(&other.1));
        loudest.map_or((f64::NEG_INFINITY, from), |(place, level)| {
            (level, from + Duration::from_secs_f64(at(place * WINDOW)))
        })
    }

    /// Where the chirp begins that looks most like one; `None` if nothing does.
    pub(crate) fn chirp(&self, from: Instant, to: Instant) -> Option<Instant> {
        let heard = self.between(from, to, from);
        let wanted: Vec<f64> = chirp().collect();
        let energy: f64 = wanted.iter().map(|it| it * it).sum();
        let likeness = |at: usize| {
            let piece = &heard[at..at + CHIRP];
            let product: f64 = piece.iter().zip(&wanted).map(|(a, b)| a * b).sum();
            let loudness: f64 = piece.iter().map(|it| it * it).sum();
            product.abs() / (energy * loudness).sqrt().max(1e-9)
        };
        let (place, best) = (0..heard.len().checked_sub(CHIRP)?)
            .map(|at| (at, likeness(at)))
            .max_by(|one, other| one.1.total_cmp(&other.1))?;
        (best > ALIKE).then(|| from + Duration::from_secs_f64(at(place)))
    }
}

/// How much of one frequency is in it, in dBFS.
fn level(piece: &[f64], tone: f64) -> f64 {
    let (mut real, mut imaginary) = (0.0, 0.0);
    for (n, sample) in piece.iter().enumerate() {
        let angle = TAU * tone * at(n);
        real += sample * angle.cos();
        imaginary += sample * angle.sin();
    }
    let power = 2.0 * (real * real + imaginary * imaginary) / (at(piece.len()) * RATE).powi(2).max(1.0);
    10.0 * power.max(1e-12).log10()
}

/// Seconds at that sample.
#[expect(clippy::cast_precision_loss, reason = "recordings are minutes long")]
fn at(sample: usize) -> f64 {
    sample as f64 / RATE
}

/// The sample at that second.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a time since the beginning, minutes at most"
)]
fn index(seconds: f64) -> usize {
    (seconds.max(0.0) * RATE) as usize
}

#[expect(clippy::cast_possible_truncation, reason = "the value is within the range")]
fn to_i16(sample: f64) -> i16 {
    (sample.clamp(-1.0, 1.0) * 32_767.0) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second of the signal of 2 kHz, cut at the 400th millisecond so that it begins with tone.
    fn recording(silence: Duration) -> (Recording, Instant) {
        let began = now();
        let mut samples = vec![0.0; index(silence.as_secs_f64())];
        let sound = signal(2000.0);
        samples.extend(sound[SECOND * 4 / 10..].iter().chain(&sound).map(|it| f64::from(*it) / 32_768.0));
        let mut recording = Recording::default();
        for (n, piece) in samples.chunks(480).enumerate() {
            recording.add(began + Duration::from_secs_f64(at(n * 480 + piece.len())), piece);
        }
        (recording, began)
    }

    #[test]
    fn a_tone_and_a_chirp_are_found_where_they_are_and_another_tone_is_not() {
        let (recording, began) = recording(Duration::from_millis(200));
        let end = began + Duration::from_secs(1);
        let onset = recording.onset(2000.0, began, end).unwrap();
        assert!((ms(began, onset) - 203.0).abs() < 4.0, "{}", ms(began, onset));
        assert_eq!(recording.onset(3000.0, began, end), None);
        assert!(recording.loudest(2000.0, began, began + Duration::from_millis(190)).0 < -100.0);
        let (from, to) = (began + Duration::from_millis(210), onset + Duration::from_millis(80));
        let (level, when) = recording.loudest(2000.0, from, to);
        assert!((level + 12.0).abs() < 1.0 && (from..to).contains(&when), "{level} dBFS");
        let chirp = recording.chirp(began, end).unwrap();
        assert!((ms(began, chirp) - 300.0).abs() < 0.1, "{}", ms(began, chirp));
        assert_eq!(recording.chirp(began, began + Duration::from_millis(290)), None, "there is none before");
    }

    #[test]
    fn what_a_recorder_lost_moves_nothing_that_it_heard_later() {
        let began = now();
        let mut recording = Recording::default();
        let sound = signal(2000.0);
        for (n, piece) in sound.repeat(10).chunks(480).enumerate() {
            let piece: Vec<f64> = piece.iter().map(|it| f64::from(*it) / 32_768.0).collect();
            // One piece of 10 ms is lost after a second.
            if n != 100 {
                recording.add(began + Duration::from_millis(10 * (n as u64 + 1)), &piece);
            }
        }
        let lost = recording.lost(began + Duration::from_millis(200), began + Duration::from_millis(3_000));
        assert!((lost.as_secs_f64() * 1e3 - 10.0).abs() < 0.1, "what was lost is told: {lost:?}");
        let kept = recording.lost(began + Duration::from_millis(1_500), began + Duration::from_millis(4_500));
        assert!(kept < Duration::from_micros(100), "{kept:?}");
        let from = began + Duration::from_millis(4_200);
        let chirp = recording.chirp(from, from + Duration::from_millis(600)).unwrap();
        assert!((ms(began, chirp) - 4_500.0).abs() < 0.1, "{}", ms(began, chirp));
    }

    use crate::time::ms;
}
