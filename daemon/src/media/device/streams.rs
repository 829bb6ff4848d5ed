//! Opening one stream of a sound server, or of ALSA.
//!
//! Lives here: what is asked for, what came of it, and ALSA, which is reached by cpal; servers: `streams/`.
//! Must not: decide when or what to try; wait for a library without a deadline.

mod bridge;
mod pipewire;
mod pulse;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use bridge::Work;
use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{BufferSize, DeviceId, ErrorKind, HostId, StreamConfig, SupportedBufferSize};

use super::choice::{Choice, Way, clamp};
use super::rings::Meters;
use crate::media::codec::RATE;

/// ALSA's library may wait for a server that does not answer: it is left alone after this.
const TIMEOUT: Duration = Duration::from_secs(3);
/// How long a closing stream of ALSA is waited for: a bare card has one user at a time.
const CLOSE: Duration = Duration::from_millis(700);

/// Who we are to a sound server: the names of our files for the desktop.
const APPLICATION: &str = "org.ahoyd.Ahoy";
const ICON: &str = "org.ahoyd.Ahoy";

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The voices of a call, and trying a device for one.
    Voice,
    /// A ring or a tone.
    Ring,
}

impl Purpose {
    /// For people, in a mixer. The same at every start, for volumes are remembered by it.
    fn name(self) -> &'static str {
        match self {
            Self::Voice => "Voice",
            Self::Ring => "Ring",
        }
    }

    fn pipewire_role(self) -> &'static str {
        match self {
            Self::Voice => "Communication",
            Self::Ring => "Notification",
        }
    }

    fn pulse_role(self) -> &'static str {
        match self {
            Self::Voice => "phone",
            Self::Ring => "event",
        }
    }
}

/// A node that stands in where there is no device: what it plays nobody hears.
pub(super) fn is_dummy(name: &str) -> bool {
    name == "auto_null" || name == "auto_null.monitor"
}

/// A device that may have to change its profile before it gives anything, and stops playing music well once it listens.
pub(super) fn is_bluetooth(name: &str) -> bool {
    name.starts_with("bluez")
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
struct Opening<'a> {
    wished: Option<&'a str>,
    frames: u32,
    purpose: Purpose,
}

/// A stream; dropping it stops it.
pub(super) struct Stream {
    /// The library said that it is over.
    pub(super) broken: Arc<AtomicBool>,
    /// The wished device was found (or none was wished).
    pub(super) as_wished: bool,
    open: Open,
}

enum Open {
    PipeWire(pipewire::OwnStream),
    Pulse(pulse::OwnStream),
    /// Runs from the beginning.
    Alsa {
        _stream: Closed,
    },
}

impl Stream {
    /// Lets it run. Harmless when it runs.
    pub(super) fn begin(&self) -> Result<(), OpenError> {
        let begun = match &self.open {
            Open::PipeWire(line) => line.run(),
            Open::Pulse(line) => line.run(),
            Open::Alsa { .. } => true,
        };
        if begun { Ok(()) } else { Err(OpenError::NoDevice) }
    }
}

impl Stream {
    /// From now on the server is asked for blocks of so many frames; the stream goes on meanwhile. ALSA keeps what it has.
    pub(super) fn ask_for_block(&self, frames: u32) {
        match &self.open {
            Open::PipeWire(line) => line.ask_for_block(frames),
            Open::Pulse(line) => line.ask_for_block(frames),
            Open::Alsa { .. } => {}
        }
    }
}

/// Why a stream did not open.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    /// The host has no device of this direction.
    #[error("no such device")]
    NoDevice,
    /// Another program has it.
    #[error("the device is in use")]
    Busy,
    /// We may not.
    #[error("permission denied")]
    Forbidden,
    /// Nothing was answered in time.
    #[error("no answer")]
    Silent,
    /// The server's reason.
    #[error("{0}")]
    Server(String),
    /// The library's reason.
    #[error(transparent)]
    Library(cpal::Error),
}

impl From<cpal::Error> for OpenError {
    fn from(error: cpal::Error) -> Self {
        let kinds = [
            (ErrorKind::DeviceBusy, Self::Busy),
            (ErrorKind::PermissionDenied, Self::Forbidden),
            (ErrorKind::DeviceNotAvailable, Self::NoDevice),
        ];
        let known = kinds.into_iter().find(|(kind, _)| *kind == error.kind());
        known.map_or(Self::Library(error), |(_, known)| known)
    }
}

/// Capture: made, and not running before [`Stream::begin`] but with ALSA.
pub(super) fn make_input(
    choice: Choice,
    name: Option<&str>,
    meters: &Arc<Meters>,
    take: impl FnMut(&[f32]) + Send + 'static,
) -> Result<Stream, OpenError> {
    open(choice, name, Purpose::Voice, meters, Work::Take(Box::new(take)))
}

/// Playback, running when this returns.
pub(super) fn open_output(
    choice: Choice,
    name: Option<&str>,
    purpose: Purpose,
    meters: &Arc<Meters>,
    give: impl FnMut(&mut [f32]) + Send + 'static,
) -> Result<Stream, OpenError> {
    let stream = open(choice, name, purpose, meters, Work::Give(Box::new(give)))?;
    stream.begin()?;
    Ok(stream)
}

fn open(
    choice: Choice,
    wished: Option<&str>,
    purpose: Purpose,
    meters: &Arc<Meters>,
    work: Work,
) -> Result<Stream, OpenError> {
    let broken = Arc::new(AtomicBool::new(false));
    let opening = Opening { wished, frames: choice.frames(), purpose };
    let (open, as_wished) = match choice.way() {
        Way::PipeWire => {
            let (line, as_wished) = pipewire::open(&opening, work, &broken)?;
            (Open::PipeWire(line), as_wished)
        }
        Way::PulseAudio => {
            let (line, as_wished) = pulse::open(&opening, work, &broken)?;
            (Open::Pulse(line), as_wished)
        }
        Way::AlsaPulse | Way::AlsaDefault => {
            let (meters, ends) = (Arc::clone(meters), Arc::clone(&broken));
            let made = within(TIMEOUT, move || alsa(choice, &meters, &ends, work));
            // Its devices have no names that a person chose.
            (Open::Alsa { _stream: Closed(Some(made.ok_or(OpenError::Silent)??)) }, wished.is_none())
        }
    };
    Ok(Stream { broken, as_wished, open })
}

/// What a library does, if it does it in time. Else its thread is left alone; what it makes in the end is dropped there.
fn within<T: Send + 'static>(time: Duration, run: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (tell, told) = sync_channel(1);
    let run = move || {
        // Who waited may have given up.
        let _late = tell.try_send(run());
    };
    std::thread::Builder::new().name("sound-open".into()).spawn(run).ok()?;
    told.recv_timeout(time).ok()
}

/// A stream of ALSA. Closing may hang in a library whose server has died: it must not hold the thread that finds the next one.
struct Closed(Option<cpal::Stream>);

impl Drop for Closed {
    fn drop(&mut self) {
        let (closed, done) = sync_channel(1);
        let open = self.0.take();
        let close = move || {
            drop(open);
            // Who waited may have given up.
            let _late = closed.try_send(());
        };
        // A thread that does not begin drops what it was given: here.
        if let Ok(_closing) = std::thread::Builder::new().name("sound-close".into()).spawn(close)
            && done.recv_timeout(CLOSE) == Err(RecvTimeoutError::Timeout)
        {
            tracing::warn!("a stream takes long to close");
        }
    }
}

fn alsa(
    choice: Choice,
    meters: &Arc<Meters>,
    broken: &Arc<AtomicBool>,
    work: Work,
) -> Result<cpal::Stream, OpenError> {
    let host = cpal::host_from_id(HostId::Alsa)?;
    let device = match (choice.way(), &work) {
        (Way::AlsaPulse, _) => host.device_by_id(&DeviceId::new(HostId::Alsa, "pulse")),
        (_, Work::Give(_)) => host.default_output_device(),
        (_, Work::Take(_)) => host.default_input_device(),
    };
    let device = device.ok_or(OpenError::NoDevice)?;
    let on_error = errors(meters, broken);
    let stream = match work {
        Work::Give(mut give) => {
            let range = device.supported_output_configs().ok().and_then(|mut all| all.next());
            device.build_output_stream(
                config(choice, range.map(|range| *range.buffer_size())),
                move |block: &mut [f32], _: &cpal::OutputCallbackInfo| give(block),
                on_error,
                Some(TIMEOUT),
            )?
        }
        Work::Take(mut take) => {
            let range = device.supported_input_configs().ok().and_then(|mut all| all.next());
            device.build_input_stream(
                config(choice, range.map(|range| *range.buffer_size())),
                move |block: &[f32], _: &cpal::InputCallbackInfo| take(block),
                on_error,
                Some(TIMEOUT),
            )?
        }
    };
    stream.play()?;
    Ok(stream)
}

/// The sound servers mix voices to any number of loudspeakers; a bare card is asked for what most have.
pub(super) fn channels(choice: Choice) -> usize {
    match choice.way() {
        Way::PipeWire | Way::PulseAudio | Way::AlsaPulse => 1,
        Way::AlsaDefault => 2,
    }
}

fn config(choice: Choice, size: Option<SupportedBufferSize>) -> StreamConfig {
    let range = match size {
        Some(SupportedBufferSize::Range { min, max }) => Some((min, max)),
        Some(SupportedBufferSize::Unknown) | None => None,
    };
    StreamConfig {
        channels: u16::try_from(channels(choice)).unwrap_or(1),
        sample_rate: RATE,
        buffer_size: BufferSize::Fixed(clamp(choice.frames(), range)),
    }
}

/// The error callback may run on the sound library's own thread: it sets a flag and counts.
fn errors(meters: &Arc<Meters>, broken: &Arc<AtomicBool>) -> impl FnMut(cpal::Error) + Send + 'static {
    let (flag, meters) = (Arc::clone(broken), Arc::clone(meters));
    move |error: cpal::Error| {
        meters.errors.fetch_add(1, Ordering::Relaxed);
        if ends_stream(error.kind()) {
            flag.store(true, Ordering::Relaxed);
        }
    }
}

/// A moved stream goes on; a glitch passes; ALSA's unclassified errors at the start mean nothing. If one of these was
/// the end after all, no frames come and the watchdog sees that.
fn ends_stream(kind: ErrorKind) -> bool {
    use ErrorKind::{BackendError, DeviceChanged, RealtimeDenied, Xrun};
    !matches!(kind, DeviceChanged | Xrun | RealtimeDenied | BackendError)
}
