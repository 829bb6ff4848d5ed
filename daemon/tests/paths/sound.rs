//! The sound of one side, without a device: a microphone that hums, and an ear that judges what was played.
//!
//! Lives here: the people by their voices, the microphone's switch, what an ear tells of a quarter of a second.
//! Must not: know a session or a path.

use std::f32::consts::TAU;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use ahoy_call::Moment;
use ahoyd::media::Sound;

/// A person, known by the pitch of their voice in Hz.
pub(crate) type Voice = u32;
pub(crate) const ANA: Voice = 300;
pub(crate) const BEN: Voice = 700;
pub(crate) const CID: Voice = 1_100;

/// A quarter of a second: what an ear judges.
const WINDOW: usize = 12_000;

/// The switch of a microphone, and what was done with it.
#[derive(Clone, Default)]
pub(crate) struct Mic {
    on: Arc<AtomicBool>,
    ever: Arc<AtomicBool>,
    unplugged: Arc<AtomicBool>,
    resting: Arc<AtomicBool>,
}

impl Mic {
    pub(crate) fn is_read(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }
    pub(crate) fn was_read(&self) -> bool {
        self.ever.load(Ordering::Relaxed)
    }
    pub(crate) fn is_left_to_others(&self) -> bool {
        self.resting.load(Ordering::Relaxed) && !self.is_read()
    }
    pub(crate) fn unplug(&self) {
        self.unplugged.store(true, Ordering::Relaxed);
    }
    pub(crate) fn plug(&self) {
        self.unplugged.store(false, Ordering::Relaxed);
    }
}

/// What was played, judged by the end of it.
pub(crate) struct Ear {
    played: Receiver<Vec<f32>>,
    all: Vec<f32>,
    /// Digits so far, and how far that was looked at.
    digits: String,
    judged: usize,
}

impl Ear {
    fn window(&mut self) -> Option<&[f32]> {
        self.all.extend(self.played.try_iter().flatten());
        self.all.last_chunk::<WINDOW>().map(|chunk| &chunk[..])
    }

    /// This voice, loud and without a break in the last quarter of a second.
    pub(crate) fn hears(&mut self, voice: Voice) -> bool {
        self.window().is_some_and(|window| window.chunks(2400).all(|part| loudness(part, voice) > 0.05))
    }

    /// The digits that were played since it began to listen, by their pitches (ITU-T Q.23). Two alike after each other count as
    /// one: a machine that starves breaks a tone.
    pub(crate) fn digits(&mut self) -> &str {
        self.window();
        let (rows, columns) = ([697, 770, 852, 941], [1_209, 1_336, 1_477, 1_633]);
        while let Some(part) = self.all.get(self.judged..self.judged + 1_200) {
            let strong = |pitches: [Voice; 4]| pitches.iter().position(|pitch| loudness(part, *pitch) > 0.09);
            let place = strong(rows).and_then(|row| Some((row, strong(columns)?)));
            let digit = place.map(|(row, column)| char::from(b"123A456B789C*0#D"[row * 4 + column]));
            self.digits.extend(digit.filter(|one| !self.digits.ends_with(*one)));
            self.judged += 480;
        }
        &self.digits
    }

    /// At most -70 dBFS in the last quarter of a second.
    pub(crate) fn is_silent(&mut self) -> bool {
        let threshold = 10f32.powf(-70.0 / 20.0);
        self.window().is_some_and(|window| rms(window) <= threshold)
    }

    pub(crate) fn is_untouched(&mut self) -> bool {
        self.all.extend(self.played.try_iter().flatten());
        self.all.iter().all(|&sample| sample == 0.0)
    }

    pub(crate) fn start_over(&mut self) {
        self.window();
        self.all.clear();
        self.digits.clear();
        self.judged = 0;
    }

    /// The longest stretch, in steps of 10 ms, in which next to nothing was played.
    pub(crate) fn longest_gap(&mut self) -> Duration {
        self.window();
        let quiet: Vec<bool> = self.all.chunks(480).map(|part| rms(part) < 0.02).collect();
        let longest = quiet.split(|quiet| !quiet).map(<[bool]>::len).max().unwrap_or(0);
        Duration::from_millis(10) * u32::try_from(longest).unwrap()
    }
}

fn rms(samples: &[f32]) -> f32 {
    (samples.iter().map(|s| s * s).sum::<f32>() / count(samples)).sqrt()
}

/// How loud this pitch is in it.
fn loudness(samples: &[f32], voice: Voice) -> f32 {
    let part = |phase: fn(f32) -> f32| {
        samples.iter().enumerate().map(|(n, s)| s * phase(angle(n, voice))).sum::<f32>() / count(samples)
    };
    part(f32::sin).hypot(part(f32::cos)) * 2.0
}

fn count(samples: &[f32]) -> f32 {
    f32::from(u16::try_from(samples.len()).unwrap())
}

fn angle(sample: usize, voice: Voice) -> f32 {
    // Whole periods are left out, so that the number stays small and exact.
    let step = u32::try_from(sample % 48_000).unwrap() * voice % 48_000;
    TAU * f32::from(u16::try_from(step).unwrap()) / 48_000.0
}

/// A microphone and a speaker that keep time by the clock.
pub(crate) struct Hum {
    voice: Voice,
    mic: Mic,
    since: Option<Moment>,
    given: usize,
    played: SyncSender<Vec<f32>>,
    asked: Option<Moment>,
    wrote: usize,
}

impl Hum {
    /// With the microphone's switch, and the ear that listens.
    pub(crate) fn new(voice: Voice) -> (Self, Mic, Ear) {
        let mic = Mic::default();
        let (played, heard) = sync_channel(100_000);
        let hum = Self { voice, mic: mic.clone(), since: None, given: 0, played, asked: None, wrote: 0 };
        (hum, mic, Ear { played: heard, all: Vec::new(), digits: String::new(), judged: 0 })
    }
}

impl Sound for Hum {
    fn capture(&mut self, on: bool) {
        self.mic.on.store(on, Ordering::Relaxed);
        self.mic.ever.fetch_or(on, Ordering::Relaxed);
        (self.since, self.given) = (None, 0);
    }

    fn rest(&mut self, resting: bool) {
        self.mic.resting.store(resting, Ordering::Relaxed);
        (self.asked, self.wrote) = (None, 0);
    }

    fn read(&mut self, now: Moment, block: &mut [f32]) -> usize {
        if !self.mic.is_read() || self.mic.unplugged.load(Ordering::Relaxed) {
            self.since = None;
            return 0;
        }
        if self.since.is_none() {
            (self.since, self.given) = (Some(now), 0);
        }
        let due = samples(now - self.since.unwrap()).saturating_sub(self.given).min(block.len());
        for (n, place) in block.iter_mut().take(due).enumerate() {
            *place = 0.3 * angle(self.given + n, self.voice).sin();
        }
        self.given += due;
        due
    }

    fn wanted(&mut self, now: Moment) -> usize {
        let asked = *self.asked.get_or_insert(now);
        (samples(now - asked) + 480).saturating_sub(self.wrote)
    }

    fn due(&mut self, _now: Moment, _missing: Option<usize>) -> Duration {
        Duration::from_millis(8)
    }

    fn write(&mut self, samples: &[f32]) {
        assert!(!self.mic.resting.load(Ordering::Relaxed), "a held call plays nothing");
        self.wrote += samples.len();
        self.played.try_send(samples.to_vec()).unwrap();
    }
}

fn samples(duration: Duration) -> usize {
    usize::try_from(duration.as_micros() * 48 / 1000).unwrap()
}
