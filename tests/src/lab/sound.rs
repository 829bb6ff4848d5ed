//! A mouth that hums a tone, and ears that know one tone from another.
//!
//! Lives here: what is played into a microphone, and what is heard at a speaker. Time is counted in samples.
//! Must not: know calls.

use std::f64::consts::TAU;
use std::io::{self, ErrorKind, Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use super::Running;

const RATE: u32 = 48_000;
/// Samples in one listening step, 20 ms.
const STEP: usize = 960;
/// Steps that wait for who listens and is late, 4 s.
const KEPT: usize = 200;
/// A tone counts as heard from here on, in dBFS.
const AUDIBLE: f64 = -40.0;
/// Each pitch of a digit has at least so much; in 20 ms its neighbour seems to have a fifth of it.
const DIGIT: f64 = -26.0;
/// Nothing counts as heard below.
const SILENT: f64 = -70.0;

/// A tone in somebody's microphone, until it is dropped.
#[derive(Debug)]
pub struct Mouth(#[expect(dead_code, reason = "lives as long as the tone")] Running);

impl Mouth {
    /// Hums at −12 dBFS. `player` is a command that plays raw samples from its input.
    pub fn hum(player: Command, frequency: f64) -> io::Result<Self> {
        Self::hum_on(player, frequency, &[true])
    }

    /// Speaks at −12 dBFS, with a pause of a fifth of each second: what lasts without one is a noise, and no voice.
    pub fn speak(player: Command, frequency: f64) -> io::Result<Self> {
        let spoken = |at| at % RATE < RATE / 5 * 4;
        Self::play(player, move |at| [if spoken(at) { sample(frequency, at) } else { 0 }])
    }

    /// The same on those of the player's channels that are marked; the others are silent.
    pub fn hum_on(player: Command, frequency: f64, channels: &[bool]) -> io::Result<Self> {
        let channels = channels.to_vec();
        Self::play(player, move |at| {
            let hums = sample(frequency, at);
            channels.iter().map(|on| if *on { hums } else { 0 }).collect::<Vec<_>>()
        })
    }

    /// Plays what there is on each channel at each sample of a second, again and again.
    fn play<F: IntoIterator<Item = i16>>(
        mut player: Command,
        frame: impl Fn(u32) -> F + Send + 'static,
    ) -> io::Result<Self> {
        let mut running = Running::start(player.stdin(Stdio::piped()))?;
        let mut input = running.child().stdin.take().ok_or_else(|| io::Error::other("the player's input"))?;
        let play = move || {
            let mut at = 0_u32;
            loop {
                let samples = (at..at + RATE / 50).flat_map(&frame);
                let block: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
                // A whole second holds whole periods of every frequency in hertz.
                at = (at + RATE / 50) % RATE;
                if input.write_all(&block).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name("mouth".to_owned()).spawn(play)?;
        Ok(Self(running))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the value is within a quarter of the range")]
fn sample(frequency: f64, at: u32) -> i16 {
    (11_600.0 * (TAU * frequency * f64::from(at) / f64::from(RATE)).sin()) as i16
}

/// What a speaker plays, step by step and on each of its channels: an ear that hears nothing does not hide behind one that does.
/// Each wait begins with what is played when it begins.
#[derive(Debug)]
pub struct Ears {
    #[expect(dead_code, reason = "lives as long as we listen")]
    running: Running,
    steps: Receiver<Step>,
}

/// 20 ms, channel by channel.
type Step = Vec<Vec<f64>>;

impl Ears {
    /// Listens. `recorder` is a command that writes raw samples of two channels to its output.
    pub fn open(recorder: Command) -> io::Result<Self> {
        Self::open_channels(recorder, 2, &[0, 1])
    }

    /// The same with so many channels, of which those are listened to.
    pub fn open_channels(mut recorder: Command, channels: usize, judged: &[usize]) -> io::Result<Self> {
        let judged = judged.to_vec();
        let mut running = Running::start(recorder.stdout(Stdio::piped()))?;
        let mut output =
            running.child().stdout.take().ok_or_else(|| io::Error::other("the recorder's output"))?;
        let (ready, steps) = sync_channel(KEPT);
        // Reads always, so that nothing old waits in the recorder; what nobody listens to for longer is lost.
        let listen = move || {
            let mut bytes = vec![0; STEP * 2 * channels];
            while output.read_exact(&mut bytes).is_ok() {
                let all = samples(&bytes);
                let of = |channel: &usize| all.iter().skip(*channel).step_by(channels).copied().collect();
                if let Err(TrySendError::Disconnected(_)) = ready.try_send(judged.iter().map(of).collect()) {
                    return;
                }
            }
        };
        thread::Builder::new().name("ears".to_owned()).spawn(listen)?;
        Ok(Self { running, steps })
    }

    /// Listens until the tone is there, and it alone, for 200 ms; how long that took, in sound.
    pub fn until_tone(&mut self, frequency: f64, within: Duration) -> io::Result<Duration> {
        self.until(10, within, |step| is_tone(step, frequency))
    }

    /// The same for a tone that comes once and lasts no longer than 200 ms: 60 ms of it, for the steps of listening fall anywhere,
    /// and a machine that starves breaks it. What was played since [`Self::attend`] counts: a test may be late, too.
    pub fn until_beep(&mut self, frequency: f64, within: Duration) -> io::Result<Duration> {
        self.until_next(3, within, |step| is_tone(step, frequency))
    }

    /// Listens until so many digits of a keypad were heard, each alone and for 40 ms at least; which. Two alike after each other count
    /// as one: a machine that starves breaks a tone.
    pub fn digits(&mut self, count: usize, within: Duration) -> io::Result<String> {
        self.attend();
        let (mut all, mut before) = (String::new(), None);
        for _ in 0..steps(within) {
            let step = self.step()?;
            let heard = digit(&step[0]).filter(|one| step.iter().all(|channel| digit(channel) == Some(*one)));
            // The first step of a digit may hold the end of something else.
            all.extend(heard.filter(|one| heard == before && !all.ends_with(*one)));
            before = heard;
            if all.len() == count {
                return Ok(all);
            }
        }
        Err(io::Error::new(ErrorKind::TimedOut, format!("{} digits within {within:?}", all.len())))
    }

    /// Listens until nothing is heard for 200 ms.
    pub fn until_silence(&mut self, within: Duration) -> io::Result<Duration> {
        self.until_silent_for(Duration::from_millis(200), within)
    }

    /// The same for so long: a machine that starves is silent for a moment by itself.
    pub fn until_silent_for(&mut self, lasting: Duration, within: Duration) -> io::Result<Duration> {
        self.until(steps(lasting), within, |step| level(step) < SILENT)
    }

    /// The loudest 20 ms of what comes next, in dBFS.
    pub fn loudest(&mut self, lasting: Duration) -> io::Result<f64> {
        Ok(self.levels(lasting)?.into_iter().fold(f64::NEG_INFINITY, f64::max))
    }

    /// The same on each channel.
    pub fn levels(&mut self, lasting: Duration) -> io::Result<Vec<f64>> {
        self.attend();
        let mut loudest = Vec::new();
        for _ in 0..steps(lasting) {
            let step = self.step()?;
            loudest.resize(step.len(), f64::NEG_INFINITY);
            for (loudest, channel) in loudest.iter_mut().zip(&step) {
                *loudest = loudest.max(level(channel));
            }
        }
        Ok(loudest)
    }

    fn until(
        &mut self,
        wanted: u32,
        within: Duration,
        fits: impl Fn(&[f64]) -> bool,
    ) -> io::Result<Duration> {
        self.attend();
        self.until_next(wanted, within, fits)
    }

    fn until_next(
        &mut self,
        wanted: u32,
        within: Duration,
        fits: impl Fn(&[f64]) -> bool,
    ) -> io::Result<Duration> {
        let mut together = 0;
        let mut last = Vec::new();
        for n in 0..steps(within) {
            let step = self.step()?;
            last = step.iter().map(|channel| level(channel).round()).collect();
            together = if step.iter().all(|channel| fits(channel)) { together + 1 } else { 0 };
            if together == wanted {
                return Ok(Duration::from_millis(20) * (n + 1 - wanted));
            }
        }
        Err(io::Error::new(
            ErrorKind::TimedOut,
            format!("not heard within {within:?}; the last levels were {last:?} dBFS"),
        ))
    }

    /// Forgets what was heard before.
    pub fn attend(&mut self) {
        while self.steps.try_recv().is_ok() {}
    }

    fn step(&mut self) -> io::Result<Step> {
        self.steps.recv().map_err(|_| io::Error::new(ErrorKind::UnexpectedEof, "the recorder ended"))
    }
}

fn samples(bytes: &[u8]) -> Vec<f64> {
    bytes.chunks_exact(2).map(|pair| f64::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0).collect()
}

fn steps(time: Duration) -> u32 {
    u32::try_from(time.as_millis() / 20).expect("tests listen for minutes at most")
}

/// That tone, and it alone.
fn is_tone(step: &[f64], frequency: f64) -> bool {
    level(step) > AUDIBLE && level(step) - tone(step, frequency) < 3.0
}

/// The digit of a keypad that sounds (ITU-T Q.23), and it alone.
fn digit(step: &[f64]) -> Option<char> {
    let strong = |pitches: [f64; 4]| pitches.into_iter().position(|pitch| tone(step, pitch) > DIGIT);
    let (row, column) =
        (strong([697.0, 770.0, 852.0, 941.0])?, strong([1_209.0, 1_336.0, 1_477.0, 1_633.0])?);
    // Two pitches of the same loudness have 3 dB more than each.
    let of_one = tone(step, [697.0, 770.0, 852.0, 941.0][row]);
    (level(step) - of_one < 5.0).then(|| char::from(b"123A456B789C*0#D"[row * 4 + column]))
}

/// Mean power in dBFS.
fn level(step: &[f64]) -> f64 {
    10.0 * (step.iter().map(|s| s * s).sum::<f64>() / count(step)).max(1e-12).log10()
}

/// The power of one frequency in dBFS (the same as `level` for a pure tone).
fn tone(step: &[f64], frequency: f64) -> f64 {
    let angle =
        |n: usize| TAU * frequency * f64::from(u32::try_from(n).expect("a step is short")) / f64::from(RATE);
    let (mut real, mut imaginary) = (0.0, 0.0);
    for (n, s) in step.iter().enumerate() {
        real += s * angle(n).cos();
        imaginary += s * angle(n).sin();
    }
    10.0 * (2.0 * (real * real + imaginary * imaginary) / count(step).powi(2)).max(1e-12).log10()
}

fn count(step: &[f64]) -> f64 {
    f64::from(u32::try_from(step.len()).expect("a step is short"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hum(frequency: f64) -> Vec<f64> {
        (0..960).map(|n| f64::from(sample(frequency, n)) / 32_768.0).collect()
    }

    #[test]
    fn a_digit_is_known_from_another_and_from_a_hum() {
        let keys =
            [(697.0, 1_209.0, '1'), (770.0, 1_336.0, '5'), (941.0, 1_633.0, 'D'), (941.0, 1_336.0, '0')];
        for (row, column, key) in keys {
            let both: Vec<f64> =
                hum(row).iter().zip(hum(column)).map(|(a, b)| (a + b) * 0.15 / 0.354).collect();
            assert_eq!(digit(&both), Some(key));
            let beside: Vec<f64> = both.iter().zip(hum(300.0)).map(|(a, b)| a + b).collect();
            assert_eq!(digit(&beside), None, "somebody speaks");
        }
        assert_eq!(digit(&hum(697.0)), None);
        assert_eq!(digit(&[0.0; 960]), None);
    }

    #[test]
    fn a_tone_is_known_from_another_and_from_silence() {
        assert!((level(&hum(600.0)) - -12.0).abs() < 0.2, "{}", level(&hum(600.0)));
        assert!((tone(&hum(600.0), 600.0) - -12.0).abs() < 0.2);
        assert!(tone(&hum(600.0), 950.0) < -40.0);
        assert!(level(&[0.0; 960]) < SILENT);
    }
}
