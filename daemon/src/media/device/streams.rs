//! Opening one stream of the sound library.
//!
//! Lives here: hosts, devices by name, buffer sizes, which errors end a stream.
//! Must not: decide when or what to try; call the library's own choice of a host, which remembers a missing server for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{BufferSize, DeviceId, ErrorKind, HostId, StreamConfig, SupportedBufferSize};

use super::choice::{Choice, Way, clamp};
use super::rings::Meters;
use crate::media::codec::RATE;

/// A server that does not answer must not hold the thread.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How long a closing stream is waited for: a bare card has one user at a time.
const CLOSE: Duration = Duration::from_millis(700);

/// A running stream; dropping it stops it.
pub(super) struct Stream {
    /// The library said that it is over.
    pub(super) broken: Arc<AtomicBool>,
    /// The wished device was found (or none was wished).
    pub(super) as_wished: bool,
    /// The stream, and a host that must outlive it: the PipeWire library stays initialised while its host lives.
    open: Option<(cpal::Stream, Option<cpal::Host>)>,
}

/// Closing may hang in a library whose server has died. It must not hold the thread that finds the next one.
impl Drop for Stream {
    fn drop(&mut self) {
        let (closed, done) = sync_channel(1);
        let open = self.open.take();
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

impl Stream {
    /// Lets it run. Harmless when it runs.
    pub(super) fn begin(&self) -> Result<(), OpenError> {
        if let Some((stream, _)) = &self.open {
            stream.play()?;
        }
        Ok(())
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

/// Hosts that must live as long as the process: each new PulseAudio host would leave threads behind.
#[derive(Default)]
pub(super) struct Hosts {
    pulse: Option<cpal::Host>,
}

impl Hosts {
    /// Capture: made, and not running before [`Stream::begin`].
    pub(super) fn make_input(
        &mut self,
        choice: Choice,
        name: Option<&str>,
        meters: &Arc<Meters>,
        mut take: impl FnMut(&[f32]) + Send + 'static,
    ) -> Result<Stream, OpenError> {
        self.with_host(choice.way(), |host| {
            let (device, as_wished) = find(host, choice.way(), name, HostTrait::default_input_device)?;
            let range = device.supported_input_configs().ok().and_then(|mut all| all.next());
            let config = config(choice, range.map(|range| *range.buffer_size()));
            let (broken, on_error) = errors(meters);
            let stream = device.build_input_stream(
                config,
                move |block: &[f32], _: &cpal::InputCallbackInfo| take(block),
                on_error,
                Some(TIMEOUT),
            )?;
            Ok(Stream { broken, as_wished, open: Some((stream, None)) })
        })
    }

    /// Playback, running when this returns.
    pub(super) fn open_output(
        &mut self,
        choice: Choice,
        name: Option<&str>,
        meters: &Arc<Meters>,
        mut give: impl FnMut(&mut [f32]) + Send + 'static,
    ) -> Result<Stream, OpenError> {
        self.with_host(choice.way(), |host| {
            let (device, as_wished) = find(host, choice.way(), name, HostTrait::default_output_device)?;
            let range = device.supported_output_configs().ok().and_then(|mut all| all.next());
            let config = config(choice, range.map(|range| *range.buffer_size()));
            let (broken, on_error) = errors(meters);
            let stream = device.build_output_stream(
                config,
                move |block: &mut [f32], _: &cpal::OutputCallbackInfo| give(block),
                on_error,
                Some(TIMEOUT),
            )?;
            stream.play()?;
            Ok(Stream { broken, as_wished, open: Some((stream, None)) })
        })
    }

    fn with_host(
        &mut self,
        way: Way,
        open: impl FnOnce(&cpal::Host) -> Result<Stream, OpenError>,
    ) -> Result<Stream, OpenError> {
        match way {
            // Its list of devices is a snapshot: a new host each time.
            Way::PipeWire => {
                let host = cpal::host_from_id(HostId::PipeWire)?;
                let mut stream = open(&host)?;
                if let Some((_, keeps)) = &mut stream.open {
                    *keeps = Some(host);
                }
                Ok(stream)
            }
            Way::PulseAudio => {
                // Its connection may be dead since we last used it.
                let alive = |host: &cpal::Host| host.devices().is_ok();
                let host = match self.pulse.take().filter(alive) {
                    Some(host) => host,
                    None => cpal::host_from_id(HostId::PulseAudio)?,
                };
                let result = open(&host);
                self.pulse = Some(host);
                result
            }
            Way::AlsaPulse | Way::AlsaDefault => open(&cpal::host_from_id(HostId::Alsa)?),
        }
    }
}

fn find(
    host: &cpal::Host,
    way: Way,
    name: Option<&str>,
    default: impl FnOnce(&cpal::Host) -> Option<cpal::Device>,
) -> Result<(cpal::Device, bool), OpenError> {
    let by_id = |id: HostId, name: &str| host.device_by_id(&DeviceId::new(id, name));
    let named = name.and_then(|name| match way {
        Way::PipeWire => by_id(HostId::PipeWire, name),
        Way::PulseAudio => by_id(HostId::PulseAudio, name),
        Way::AlsaPulse | Way::AlsaDefault => None,
    });
    if let Some(device) = named {
        return Ok((device, true));
    }
    let device = match way {
        Way::PipeWire | Way::PulseAudio | Way::AlsaDefault => default(host),
        Way::AlsaPulse => by_id(HostId::Alsa, "pulse"),
    };
    Ok((device.ok_or(OpenError::NoDevice)?, name.is_none()))
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
fn errors(meters: &Arc<Meters>) -> (Arc<AtomicBool>, impl FnMut(cpal::Error) + Send + 'static) {
    let broken = Arc::new(AtomicBool::new(false));
    let (flag, meters) = (Arc::clone(&broken), Arc::clone(meters));
    let on_error = move |error: cpal::Error| {
        meters.errors.fetch_add(1, Ordering::Relaxed);
        if ends_stream(error.kind()) {
            flag.store(true, Ordering::Relaxed);
        }
    };
    (broken, on_error)
}

/// A moved stream goes on; a glitch passes; ALSA's unclassified errors at the start mean nothing. If one of these was
/// the end after all, no frames come and the watchdog sees that.
fn ends_stream(kind: ErrorKind) -> bool {
    use ErrorKind::{BackendError, DeviceChanged, RealtimeDenied, Xrun};
    !matches!(kind, DeviceChanged | Xrun | RealtimeDenied | BackendError)
}
