//! The devices on a real sound server: is what is said into the microphone heard at the speaker, and only then?
//!
//! Lives here: a private sound server, a tone, and what the server itself says about our streams.
//! Must not: use the network, or believe the device thread's own word.
//!
//! Without the usual harness: the sound libraries read the environment of their process, so the test starts the private
//! server and then itself once more, inside. `cargo test --test sound` runs it for both ways to the server.

use std::io::Read;
use std::process::{Child, Command, Stdio, exit};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use ahoy_call::Moment;
use ahoyd::media::capture::Capture;
use ahoyd::media::device::{DeviceHandle, Wish, roster};
use ahoyd::media::pipeline::Playback;
use ahoyd::system::clock;
use tokio::sync::watch;

const LAB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/lab/soundlab.sh");
/// Gives players and recorders the priority that the lab's sound servers have.
const REALTIME: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/lab/realtime.sh");
/// Keeps a core awake while this process lives.
const AWAKE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/lab/awake.sh");
/// What is waited for comes long before, in milliseconds: a machine that builds something beside takes its time.
const SOON: u64 = 20_000;
/// The tone's frequency and its root mean square in the microphone.
const HERTZ: f32 = 440.0;
const LEVEL: f32 = 0.2;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let verdict = match arguments.first().map(String::as_str) {
        Some("inside") => inside(&arguments[1]),
        // A filter that does not name this test.
        Some(other) if !other.starts_with('-') && !"sound".contains(other) => Ok(()),
        Some(_) | None => ["pipewire", "pulse"].into_iter().try_for_each(outside),
    };
    if let Err(error) = verdict {
        eprintln!("sound: {error}");
        exit(1);
    }
}

/// A private sound server, and this program in it. For `pulse` the PipeWire socket is hidden from us.
fn outside(way: &str) -> Outcome {
    let directory = tempfile::tempdir()?;
    let lab = directory.path().join("lab");
    let owner = std::process::id().to_string();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let awake = (0..cores).map(|_| Ok(Killed(Command::new(AWAKE).arg(&owner).spawn()?)));
    let _awake = awake.collect::<Outcome<Vec<Killed>>>()?;
    run(Command::new(LAB).arg("up").arg(&lab).args(["--owner", &owner]))?;
    let mut inside = Command::new(LAB);
    inside.arg("run").arg(&lab);
    if way == "pulse" {
        inside.arg("env").arg(format!("XDG_RUNTIME_DIR={}", directory.path().display()));
    }
    let verdict = run(inside.arg(std::env::current_exe()?).arg("inside").arg(&lab));
    let down = run(Command::new(LAB).arg("down").arg(&lab));
    verdict.and(down).map_err(|error| format!("by {way}: {error}"))?;
    eprintln!("sound by {way} ... ok");
    Ok(())
}

fn inside(lab: &str) -> Outcome {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).without_time().init();
    let wave = format!("{lab}/tone.wav");
    std::fs::write(&wave, tone())?;
    let (wish, wished) = watch::channel(Wish::default());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let roster = runtime.block_on(async { roster::follow() });
    let mut handle = DeviceHandle::spawn(wished, roster.found.clone(), None)?;
    let mut loops = Loop::new()?;

    // The microphone hears a tone from here on; nobody may listen to it before the call is answered.
    let mut mouth = speak(&wave)?;
    let mut ear = Ear::listen()?;
    let (quiet_in, quiet_out) = (ear.captures()?, streams("sink-inputs")?);
    handle.warm();
    loops
        .until(&mut handle, SOON, |handle| handle.state().borrow().playing)
        .ok_or("failed: playback runs")?;
    loops.pass(&mut handle, 1_000);
    expect(streams("sink-inputs")? == quiet_out + 1, "warm: the server lists our playback")?;
    expect(ear.captures()? == quiet_in, "warm: the server runs no capture of ours")?;
    expect(handle.counts().captured == 0 && ear.judge().0 < 1e-4, "warm: not a sample was read or heard")?;

    let heard = answer(&mut loops, &mut handle, &mut ear)?;
    eprintln!("  answer to heard: {} ms, the ear's own delay included", heard.as_millis());
    expect(ear.captures()? == quiet_in + 1, "open: the server runs our capture")?;
    loops.pass(&mut handle, 1_500);
    ear.forget();
    loops.pass(&mut handle, 2_500);
    let (level, purity) = ear.judge();
    let told = loops.playback.statistics();
    eprintln!("  level {level:.3}, purity {purity:.3}, {:?}, {told:?}", handle.counts());
    expect(
        (0.5..2.0).contains(&(level / LEVEL)),
        "the tone keeps its level, the server's mixing of channels aside",
    )?;
    expect(purity > 0.9, "what is heard is that tone")?;
    expect(told.delay <= Duration::from_millis(250), "the delay is bounded, however busy the machine")?;

    handle.pause_capture();
    let gone = loops.until(&mut handle, SOON, |_| ear.captures().is_ok_and(|count| count == quiet_in));
    gone.ok_or("failed: paused: the server runs no capture of ours")?;
    // What was said before is still under way, and its end is faded out.
    loops.pass(&mut handle, 700);
    let before = handle.counts().captured;
    ear.forget();
    loops.pass(&mut handle, 500);
    expect(handle.counts().captured == before, "paused: nothing is read")?;
    expect(ear.judge().0 < 1e-3, "paused: nothing is heard")?;
    let heard = answer(&mut loops, &mut handle, &mut ear)?;
    eprintln!("  opened again to heard: {} ms", heard.as_millis());

    // The server dies in the call.
    run(Command::new(LAB).args(["stop", lab, "sound"]))?;
    drop((mouth, ear));
    let told = loops.until(&mut handle, SOON, |handle| handle.state().borrow().problems.len() == 1);
    eprintln!("  without a server: {:?}", handle.state().borrow().problems);
    told.ok_or("failed: it is told that there is no server")?;
    run(Command::new(LAB).args(["start", lab, "sound"]))?;
    let back = clock::now();
    mouth = speak(&wave)?;
    ear = Ear::listen()?;
    let heard = loops.until(&mut handle, SOON, |_| ear.level(20) > LEVEL / 2.0).ok_or("failed: it heals")?;
    eprintln!("  server back to heard: {} ms", heard.since(back).as_millis());
    let told = loops.until(&mut handle, SOON, |handle| handle.state().borrow().problems.is_empty());
    told.ok_or("failed: and no problem is told")?;

    handle.close();
    let left = || Ok::<_, Box<dyn std::error::Error>>((streams("source-outputs")?, streams("sink-inputs")?));
    let gone = loops.until(&mut handle, SOON, |_| left().is_ok_and(|left| left == (quiet_in, quiet_out)));
    gone.ok_or("failed: closed: nothing of ours is left")?;

    // By name, and by a name that nobody has.
    wish.send_replace(Wish { input: Some("mic".into()), output: Some("speaker".into()) });
    handle.warm();
    let heard = answer(&mut loops, &mut handle, &mut ear)?;
    eprintln!("  by name, answer to heard: {} ms", heard.as_millis());
    expect(handle.state().borrow().problems.is_empty(), "both names are known")?;
    handle.close();
    wish.send_replace(Wish { input: Some("nothing".into()), output: Some("mic_in".into()) });
    handle.warm();
    handle.open_capture();
    let told = loops.until(&mut handle, SOON, |handle| {
        let state = handle.state().borrow().clone();
        state.problems.len() == 1 && state.capturing
    });
    told.ok_or("failed: the default microphone takes the place of an unknown one, and that is told")?;
    loops.pass(&mut handle, 300);
    ear.forget();
    loops.pass(&mut handle, 500);
    expect(ear.judge().0 < 1e-3, "another loudspeaker is really another one")?;
    drop(mouth);
    Ok(())
}

/// Open the microphone; how long until its tone is heard.
fn answer(loops: &mut Loop, handle: &mut DeviceHandle, ear: &mut Ear) -> Outcome<Duration> {
    let answered = clock::now();
    let before = handle.counts().captured;
    handle.open_capture();
    let opened = loops.until(handle, SOON, |handle| handle.counts().captured > before);
    let opened = opened.ok_or("failed: the microphone opens")?;
    eprintln!("  microphone open: {} ms", opened.since(answered).as_millis());
    let heard =
        loops.until(handle, SOON, |_| ear.level(20) > LEVEL / 2.0).ok_or("failed: the tone is heard")?;
    Ok(heard.since(answered))
}

/// Begin the tone in the microphone.
fn speak(wave: &str) -> Outcome<Killed> {
    let mut player = Command::new(REALTIME);
    // It complains when the server dies under it.
    player.args(["9", "paplay", "--latency-msec=300", "--device=mic_in", wave]).stderr(Stdio::null());
    Ok(Killed(player.spawn()?))
}

/// The pipeline with its own output as input, polled as the media task does.
struct Loop {
    capture: Capture,
    playback: Playback,
    never: Receiver<()>,
    _keeps: SyncSender<()>,
}

impl Loop {
    fn new() -> Outcome<Self> {
        let (keeps, never) = sync_channel(1);
        let (capture, playback) = (Capture::new(32_000, 7)?, Playback::new()?);
        Ok(Self { capture, playback, never, _keeps: keeps })
    }

    /// Run for at most so many milliseconds; when `done` first said so.
    fn until(
        &mut self,
        handle: &mut DeviceHandle,
        ms: u64,
        mut done: impl FnMut(&DeviceHandle) -> bool,
    ) -> Option<Moment> {
        let end = clock::now() + Duration::from_millis(ms);
        let mut block = [0.0; 960];
        loop {
            let now = clock::now();
            if done(handle) {
                return Some(now);
            }
            if now >= end {
                return None;
            }
            while let taken @ 1.. = handle.read(&mut block) {
                let Self { capture, playback, .. } = self;
                capture.feed(&block[..taken], |packet| playback.receive(now, 0, &packet));
            }
            while let wanted @ 1.. = handle.wanted(now).min(block.len()) {
                self.playback.play(now, &mut block[..wanted]);
                handle.write(&block[..wanted]);
            }
            let due = handle.due(clock::now(), Some(self.capture.missing()));
            let _timeout = self.never.recv_timeout(due);
        }
    }

    fn pass(&mut self, handle: &mut DeviceHandle, ms: u64) {
        let _passed = self.until(handle, ms, |_| false);
    }
}

/// What the speaker plays, recorded at the server's monitor.
struct Ear {
    blocks: Receiver<Vec<f32>>,
    heard: Vec<f32>,
    _recorder: Killed,
}

impl Ear {
    /// Returns when the first block came.
    fn listen() -> Outcome<Self> {
        let mut recorder = Command::new(REALTIME)
            .args([
                "9",
                "parecord",
                "--raw",
                "--format=float32le",
                "--rate=48000",
                "--channels=1",
                "--latency-msec=20",
            ])
            .arg("--device=speaker.monitor")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut pipe = recorder.stdout.take().ok_or("a pipe was asked for")?;
        let (send, blocks) = sync_channel(10_000);
        std::thread::Builder::new().name("ear".into()).spawn(move || {
            let mut bytes = [0; 1_920];
            while pipe.read_exact(&mut bytes).is_ok() {
                let samples = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
                if send.try_send(samples.collect()).is_err() {
                    return;
                }
            }
        })?;
        let ear = Self { blocks, heard: Vec::new(), _recorder: Killed(recorder) };
        ear.blocks.recv_timeout(Duration::from_secs(5)).map_err(|_| "failed: the ear records")?;
        Ok(ear)
    }

    /// How many captures the server runs.
    fn captures(&self) -> Outcome<usize> {
        let output = Command::new("pactl").args(["list", "source-outputs"]).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).matches("Corked: no").count())
    }

    /// Root mean square of the last milliseconds that came.
    fn level(&mut self, ms: usize) -> f32 {
        self.heard.extend(self.blocks.try_iter().flatten());
        rms(&self.heard[self.heard.len().saturating_sub(ms * 48)..])
    }

    fn forget(&mut self) {
        self.level(0);
        self.heard.clear();
    }

    /// Level since `forget`, and how much of the energy is the tone's (1: all): of pieces of 50 ms the middle ones, for
    /// glitches of a busy machine are not what is tested.
    fn judge(&mut self) -> (f32, f32) {
        self.level(0);
        let middle = |of: fn(&[f32]) -> f32| {
            let mut pieces: Vec<f32> = self.heard.chunks_exact(2_400).map(of).collect();
            pieces.sort_by(f32::total_cmp);
            pieces.get(pieces.len() / 2).copied().unwrap_or_default()
        };
        (middle(rms), middle(purity))
    }
}

fn rms(sound: &[f32]) -> f32 {
    (sound.iter().map(|s| s * s).sum::<f32>() / sound.len().max(1) as f32).sqrt()
}

fn purity(sound: &[f32]) -> f32 {
    let (mut sine, mut cosine, mut all) = (0.0, 0.0, 1e-12);
    for (i, sample) in sound.iter().enumerate() {
        let angle = i as f32 / 48_000.0 * HERTZ * std::f32::consts::TAU;
        sine += sample * angle.sin();
        cosine += sample * angle.cos();
        all += sample * sample;
    }
    2.0 * (sine * sine + cosine * cosine) / (all * sound.len() as f32)
}

/// A minute of the tone as a WAV file.
fn tone() -> Vec<u8> {
    let samples = 60 * 48_000_u32;
    let mut wave = Vec::new();
    wave.extend(b"RIFF");
    wave.extend((36 + 2 * samples).to_le_bytes());
    wave.extend(b"WAVEfmt ");
    wave.extend(16_u32.to_le_bytes());
    wave.extend([1_u16, 1].into_iter().flat_map(u16::to_le_bytes));
    wave.extend([48_000_u32, 96_000].into_iter().flat_map(u32::to_le_bytes));
    wave.extend([2_u16, 16].into_iter().flat_map(u16::to_le_bytes));
    wave.extend(b"data");
    wave.extend((2 * samples).to_le_bytes());
    for i in 0..samples {
        let angle = f64::from(i) / 48_000.0 * f64::from(HERTZ) * std::f64::consts::TAU;
        #[expect(clippy::cast_possible_truncation, reason = "the sine of a fifth of full scale fits")]
        let sample = (angle.sin() * f64::from(LEVEL) * std::f64::consts::SQRT_2 * 32_767.0).round() as i16;
        wave.extend(sample.to_le_bytes());
    }
    wave
}

/// How many streams of a kind (`sink-inputs`, `source-outputs`) the server lists.
fn streams(kind: &str) -> Outcome<usize> {
    let output = Command::new("pactl").args(["list", "short", kind]).output()?;
    if !output.status.success() {
        return Err(format!("pactl: {}", output.status).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().count())
}

/// Ends with the test, whatever happens.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _already_ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn run(command: &mut Command) -> Outcome {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}

fn expect(holds: bool, what: &str) -> Outcome {
    if holds { Ok(()) } else { Err(format!("failed: {what}").into()) }
}
