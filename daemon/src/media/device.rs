//! The sound devices: a thread that owns the streams, and the handle of the media task.
//!
//! Lives here: the handle, the rings' far ends, how much playback wants.
//! Must not: encode, decode, or know calls. Nothing outside this file and its folder knows the sound library.
//!
//! The shape: `DeviceHandle::spawn` once; `warm` when a call begins (playback runs with silence, no capture runs), `open_capture`
//! when it is answered, `pause_capture` while its path is gone, `close` after the last call. None of them waits. Failures never
//! end anything: the thread tries again until it works, goes where the wish and the roster of devices lead, and `state` says
//! what is missing.
//!
//! How the media task is woken: it is not. The callbacks must not call the kernel, so the task asks `due` when the next one is
//! expected, and reads just after the microphone's and writes just before the speaker's. One that is late is absorbed by
//! `wanted`, which learns from underruns.

mod block;
mod choice;
mod gauge;
mod margin;
mod presence;
mod pulse;
mod rhythm;
mod rings;
pub mod roster;
mod speakers;
mod states;
mod streams;
mod trial;
mod worker;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use ahoy_call::Moment;
use rtrb::{Consumer, Producer};
use tokio::sync::watch;

pub use self::gauge::Gauges;
use self::margin::Margin;
use self::rhythm::Rhythm;
use self::rings::Meters;
pub use self::roster::Roster;
pub use self::speakers::{Clip, Speakers};
pub use self::states::{Entry, States};
pub use self::trial::Trial;
use self::worker::{Command, Worker, World};
use super::codec::RATE;
use crate::values::devices::{Device, Flow, Found, Server};

/// Streams whose far end nobody has fetched yet.
const ENDS: usize = 64;
/// Orders that wait for the thread; it takes them within a rebuild of a stream.
const COMMANDS: usize = 64;
/// How often samples are to be read and written where no callback is expected. Each poll costs a wake-up.
const POLL: Duration = Duration::from_millis(8);
/// And how often while nothing is wanted of them: a packet of silence is due so often, whatever they do.
const IDLE: Duration = Duration::from_millis(20);
/// The same as [`POLL`] in samples.
const POLLED: usize = 384;
/// How much sooner or later than asked for the task may wake.
const EARLY: Duration = Duration::from_millis(1);
/// A callback may be that much late; one that is later is looked for again after [`AGAIN`].
const LATE: Duration = Duration::from_micros(500);
const AGAIN: Duration = Duration::from_millis(1);
/// What is taken so soon after what must be written is written along with it: a wake-up costs more than these few milliseconds.
const ALONG: Duration = Duration::from_millis(5);

/// Which devices a person wants: node names of the sound server, its defaults if none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Where to capture.
    pub input: Option<String>,
    /// Where to play.
    pub output: Option<String>,
}

/// How the devices are now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeviceState {
    /// Playback runs (if it was asked for).
    pub playing: bool,
    /// Samples come from the microphone (if it was asked for).
    pub capturing: bool,
    /// The microphone in use, where it is known which.
    pub input: Option<Device>,
    /// The loudspeaker in use, where it is known which.
    pub output: Option<Device>,
    /// One sentence for each thing that is missing to the call; without one empty.
    pub problems: Vec<String>,
    /// Samples came too late for the loudspeaker more than once in this call.
    pub starved: bool,
}

/// Numbers since the thread began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceCounts {
    /// Samples from the microphone.
    pub captured: u64,
    /// Samples that the speaker asked for.
    pub played: u64,
    /// Captured samples that nobody fetched in time.
    pub overruns: u64,
    /// Times that the speaker found too little.
    pub underruns: u64,
    /// Errors of the sound library that ended nothing.
    pub errors: u64,
}

/// What a person should know of the devices while no call needs them.
pub fn missing(found: &Found) -> Option<String> {
    let there = |flow| found.devices.iter().any(|device| device.flow == flow);
    match found.server {
        Server::Unknown | Server::PipeWire | Server::Card => None,
        Server::None => Some(worker::NO_SERVER.to_owned()),
        Server::PulseAudio => match (there(Flow::Input), there(Flow::Output)) {
            (true, true) => None,
            (false, true) => Some("No microphone is there: you can hear, but not be heard.".to_owned()),
            (true, false) => Some("No loudspeaker is there: calls cannot be heard.".to_owned()),
            (false, false) => {
                Some("No microphone and no loudspeaker is there: calls have no sound.".to_owned())
            }
        },
    }
}

/// The far end of a new stream's ring.
enum End {
    Capture { opened: u64, samples: Consumer<f32> },
    Playback { samples: Producer<f32>, played: Consumer<f32> },
}

impl DeviceHandle {
    /// Begin the thread, which serves what is wished while it is found. It ends when the handle is dropped. `shown`: where its
    /// troubles are shown beside those of others.
    pub fn spawn(
        wish: watch::Receiver<Wish>,
        found: watch::Receiver<Arc<Found>>,
        shown: Option<Entry>,
    ) -> std::io::Result<DeviceHandle> {
        let (commands, orders) = sync_channel(COMMANDS);
        let (ends_out, ends) = sync_channel(ENDS);
        let (state_out, state) = watch::channel(DeviceState::default());
        let meters = Arc::new(Meters::default());
        let worker =
            Worker::new(World { wish, found }, orders, ends_out, (state_out, shown), Arc::clone(&meters));
        std::thread::Builder::new().name("sound".into()).spawn(move || worker.run())?;
        Ok(DeviceHandle {
            commands,
            ends,
            state,
            meters,
            capture: None,
            playback: None,
            played: None,
            opened: 0,
            open: false,
            closed: true,
            margin: Margin::default(),
            underruns: 0,
        })
    }
}

/// The media task's end. Dropping it closes the devices.
#[derive(Debug)]
pub struct DeviceHandle {
    commands: SyncSender<Command>,
    ends: Receiver<End>,
    state: watch::Receiver<DeviceState>,
    meters: Arc<Meters>,
    capture: Option<Consumer<f32>>,
    playback: Option<Producer<f32>>,
    played: Option<Consumer<f32>>,
    /// Which `open_capture` is in force; samples of an earlier one are never read.
    opened: u64,
    open: bool,
    /// Neither side is to run.
    closed: bool,
    margin: Margin,
    underruns: u64,
}

impl DeviceHandle {
    /// Let playback run with silence, so that an answer is heard at once. No capture runs: at most its stream is made, and the server reads nothing for it.
    pub fn warm(&mut self) {
        self.closed = false;
        self.order(Command::Warm);
    }

    /// Open the microphone (and playback, if it is not). Harmless when it is open.
    pub fn open_capture(&mut self) {
        if !self.open {
            (self.open, self.closed) = (true, false);
            self.opened += 1;
            self.margin.begin_anew();
            self.order(Command::Capture(Some(self.opened)));
        }
    }

    /// Close the microphone; from now on `read` gives nothing. Playback goes on.
    pub fn pause_capture(&mut self) {
        (self.open, self.capture) = (false, None);
        self.order(Command::Capture(None));
    }

    /// Close everything.
    pub fn close(&mut self) {
        (self.open, self.closed) = (false, true);
        (self.capture, self.playback, self.played) = (None, None, None);
        self.order(Command::Close);
    }

    /// What was captured since the last call, oldest first, as much as fits. 0 if nothing was, and if there is no microphone.
    pub fn read(&mut self, out: &mut [f32]) -> usize {
        self.fetch();
        let Some(samples) = &mut self.capture else { return 0 };
        let (taken, _rest) = samples.pop_partial_slice(out);
        taken.len()
    }

    /// When to read and write next, from now. `missing`: how many samples from the microphone are worth reading; none
    /// if it is not read.
    pub fn due(&mut self, now: Moment, missing: Option<usize>) -> Duration {
        self.fetch();
        let expected = |rhythm: Option<Rhythm>| rhythm.filter(|rhythm| rhythm.holds(now));
        let read = missing.zip(self.capture.as_ref()).map(|(missing, samples)| {
            expected(self.meters.capture()).map_or(POLL, |rhythm| {
                let blocks = missing.saturating_sub(samples.slots()).div_ceil(rhythm.block);
                (rhythm.nth(blocks) + LATE).since(now).max(AGAIN)
            })
        });
        let write = self.playback.as_ref().map(|samples| {
            expected(self.meters.playback()).map_or(POLL, |rhythm| {
                let covered = queued(samples) / rhythm.block;
                rhythm.nth(covered + 1).since(now + self.lead() + EARLY).max(AGAIN)
            })
        });
        read.into_iter().chain(write).min().unwrap_or(if self.closed { IDLE } else { POLL })
    }

    /// How many samples to write now, so that the speaker does not run dry until the next time. 0 while there is no speaker.
    pub fn wanted(&mut self, now: Moment) -> usize {
        self.fetch();
        let underruns = self.meters.underruns.load(Ordering::Relaxed);
        if underruns != self.underruns {
            self.underruns = underruns;
            self.margin.underran();
        }
        let Some(samples) = &self.playback else { return 0 };
        let level = match self.meters.playback().filter(|rhythm| rhythm.holds(now)) {
            Some(rhythm) => rhythm.until(now + self.lead() + EARLY + ALONG) * rhythm.block,
            None => self.meters.block.load(Ordering::Relaxed).max(POLLED) + self.margin.samples(),
        };
        level.saturating_sub(queued(samples)).min(samples.slots())
    }

    /// So long before a callback its samples are written.
    fn lead(&self) -> Duration {
        Duration::from_micros(self.margin.samples() as u64 * 1_000_000 / u64::from(RATE))
    }

    /// Write samples for the speaker, at most as many as `wanted`; more are dropped.
    pub fn write(&mut self, samples: &[f32]) {
        self.margin.wrote(samples.len());
        if let Some(ring) = &mut self.playback {
            let (_written, _dropped) = ring.push_partial_slice(samples);
            self.meters.primed.store(true, Ordering::Release);
        }
    }

    /// What the speaker was really given since the last call, oldest first, as much as fits. What nobody fetched for a quarter
    /// of a second is lost.
    pub fn played(&mut self, out: &mut [f32]) -> usize {
        self.fetch();
        let Some(samples) = &mut self.played else { return 0 };
        let (taken, _rest) = samples.pop_partial_slice(out);
        taken.len()
    }

    /// The loudspeaker in use is one that only its owner hears, as far as is known.
    pub fn at_the_ear(&self) -> bool {
        self.state.borrow().output.as_ref().is_some_and(|device| device.kind.at_the_ear())
    }

    /// How the devices are, now and at each change.
    pub fn state(&self) -> watch::Receiver<DeviceState> {
        self.state.clone()
    }

    /// Numbers since the thread began.
    pub fn counts(&self) -> DeviceCounts {
        self.meters.counts()
    }

    fn fetch(&mut self) {
        while let Ok(end) = self.ends.try_recv() {
            match end {
                End::Capture { opened, samples } if self.open && opened == self.opened => {
                    self.capture = Some(samples);
                }
                End::Capture { .. } => {}
                End::Playback { samples, played } => {
                    (self.playback, self.played) = (Some(samples), Some(played));
                }
            }
        }
    }

    fn order(&self, command: Command) {
        if self.commands.try_send(command).is_err() {
            tracing::error!("the sound thread takes no orders");
        }
    }
}

/// Samples that were written and not taken yet.
fn queued(samples: &Producer<f32>) -> usize {
    samples.buffer().capacity() - samples.slots()
}

#[cfg(test)]
mod tests;
