//! One stream of PulseAudio, on a connection of its own.
//!
//! Lives here: the connection, the stream and its properties, and the end of both. A connection of its own ends with its stream:
//! nothing is left behind in the server or here, and a server that does not answer holds up nobody.
//! Must not: decide when or what to try.

use std::ffi::CString;
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake};
use std::thread::Thread;
use std::time::Duration;

use ahoy_call::Moment;
use futures_util::FutureExt;
use pulseaudio::protocol::stream::{BufferAttr, StreamFlags};
use pulseaudio::protocol::{
    ChannelMap, PlaybackStreamParams, Prop, Props, PulseError, RecordStreamParams, SampleFormat, SampleSpec,
};
use pulseaudio::{AsPlaybackSource, Client, ClientError, PlaybackStream, RecordStream};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::bridge::{Bridge, SAMPLE, Work};
use super::{APPLICATION, ICON, OpenError, Opening, Purpose};
use crate::media::codec::RATE;
use crate::media::device::presence;
use crate::system::clock;

/// How long the server may take for each answer.
const ANSWERS: Duration = Duration::from_secs(2);

/// A stream that was made and does not run yet. Dropping it ends it, without waiting.
pub(super) struct OwnStream {
    socket: UnixStream,
    stream: Made,
    _client: Client,
}

enum Made {
    Playback(PlaybackStream),
    Record(RecordStream),
}

impl OwnStream {
    /// Lets it run. The order is given; its answer is not waited for: a device that never begins is found by its silence.
    pub(super) fn run(&self) -> bool {
        let answer = match &self.stream {
            Made::Playback(stream) => stream.uncork().now_or_never(),
            Made::Record(stream) => stream.uncork().now_or_never(),
        };
        answer.is_none_or(|answer| answer.is_ok())
    }
}

impl Drop for OwnStream {
    fn drop(&mut self) {
        // The thread of the connection ends with its socket, and the server drops what was on it.
        let _over = self.socket.shutdown(std::net::Shutdown::Both);
    }
}

/// Told when the connection lets go of the stream, whatever the reason.
struct Ends(Arc<AtomicBool>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Makes one; whether it is on the wished device.
pub(super) fn open(
    opening: &Opening<'_>,
    work: Work,
    broken: &Arc<AtomicBool>,
) -> Result<(OwnStream, bool), OpenError> {
    let socket = connect()?;
    let cookie = pulseaudio::cookie_path_from_env().and_then(|path| std::fs::read(path).ok());
    let client = Client::new_unix(c"ahoy", socket.try_clone().map_err(failed)?, cookie)?;
    // From here on whatever fails closes the connection.
    let guard = Closing(Some(socket));
    let until = clock::now() + ANSWERS;
    let device = place(&client, opening.wished, &work, until)?;
    let as_wished = opening.wished.is_none() || device.is_some();
    let (ends, mut bridge) = (Ends(Arc::clone(broken)), Bridge::new(work));
    let (attributes, flags) = buffer(opening.frames);
    let sample_spec = SampleSpec { format: SampleFormat::Float32Le, channels: 1, sample_rate: RATE };
    let (channel_map, props) = (ChannelMap::mono(), properties(opening.purpose));
    let stream = match bridge.gives() {
        true => {
            let give = move |bytes: &mut [u8]| {
                let _told_at_the_end = &ends;
                bridge.fill(bytes);
                bytes.len()
            };
            let params = PlaybackStreamParams {
                sample_spec,
                channel_map,
                sink_name: device,
                buffer_attr: attributes,
                props,
                flags,
                ..PlaybackStreamParams::default()
            };
            let made = client.create_playback_stream(params, give.as_playback_source());
            Made::Playback(wait(until, made).ok_or(OpenError::Silent)??)
        }
        false => {
            let take = move |bytes: &[u8]| {
                let _told_at_the_end = &ends;
                bridge.drain(bytes);
            };
            let params = RecordStreamParams {
                sample_spec,
                channel_map,
                source_name: device,
                buffer_attr: attributes,
                props,
                flags,
                ..RecordStreamParams::default()
            };
            Made::Record(wait(until, client.create_record_stream(params, take)).ok_or(OpenError::Silent)??)
        }
    };
    Ok((OwnStream { socket: guard.keep()?, stream, _client: client }, as_wished))
}

/// A connection that is not yet a stream's.
struct Closing(Option<UnixStream>);

impl Closing {
    fn keep(mut self) -> Result<UnixStream, OpenError> {
        self.0.take().ok_or(OpenError::NoDevice)
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        if let Some(socket) = &self.0 {
            let _over = socket.shutdown(std::net::Shutdown::Both);
        }
    }
}

/// The first socket that takes a connection at once; a server whose queue is full does not answer.
fn connect() -> Result<UnixStream, OpenError> {
    let mut last = OpenError::NoDevice;
    for path in presence::pulse_sockets() {
        let tried = || -> Result<UnixStream, Errno> {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
            rustix::net::connect(&socket, &SocketAddrUnix::new(&path)?)?;
            Ok(UnixStream::from(socket))
        };
        match tried() {
            Ok(socket) => {
                socket.set_nonblocking(false).map_err(failed)?;
                socket.set_read_timeout(Some(ANSWERS)).map_err(failed)?;
                socket.set_write_timeout(Some(ANSWERS)).map_err(failed)?;
                return Ok(socket);
            }
            Err(Errno::AGAIN) => last = OpenError::Silent,
            Err(error) => last = OpenError::Server(error.to_string()),
        }
    }
    Err(last)
}

fn failed(error: std::io::Error) -> OpenError {
    OpenError::Server(error.to_string())
}

/// The wished device if it is there; without one the server chooses, and may remember what a person chose in a mixer.
fn place(
    client: &Client,
    wished: Option<&str>,
    work: &Work,
    until: Moment,
) -> Result<Option<CString>, OpenError> {
    let Some(name) = wished.and_then(|wished| CString::new(wished).ok()) else { return Ok(None) };
    let found = match work {
        Work::Give(_) => {
            wait(until, client.sink_info_by_name(name.clone())).ok_or(OpenError::Silent)?.map(drop)
        }
        Work::Take(_) => {
            wait(until, client.source_info_by_name(name.clone())).ok_or(OpenError::Silent)?.map(drop)
        }
    };
    match found {
        Ok(()) => Ok(Some(name)),
        Err(ClientError::ServerError(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Two blocks of playback, one of capture, as near to the device as that is possible.
fn buffer(frames: u32) -> (BufferAttr, StreamFlags) {
    let block = frames * u32::try_from(SAMPLE).unwrap_or(4);
    let attributes = BufferAttr {
        max_length: 2 * block,
        target_length: 2 * block,
        minimum_request_length: block,
        fragment_size: block,
        ..BufferAttr::default()
    };
    (attributes, StreamFlags { start_corked: true, adjust_latency: true, ..StreamFlags::default() })
}

/// How others see the stream: a mixer shows and remembers it by them, and what acts on the role of a call knows it.
fn properties(purpose: Purpose) -> Props {
    let text = |words: &str| CString::new(words).unwrap_or_default();
    let mut all = Props::new();
    all.set(Prop::MediaName, text(purpose.name()));
    all.set(Prop::MediaRole, text(purpose.pulse_role()));
    all.set(Prop::ApplicationName, c"ahoy");
    all.set(Prop::ApplicationId, text(APPLICATION));
    all.set(Prop::ApplicationIconName, text(ICON));
    all
}

impl From<ClientError> for OpenError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::ServerError(PulseError::AccessDenied | PulseError::AuthKey) => Self::Forbidden,
            ClientError::ServerError(PulseError::Busy) => Self::Busy,
            ClientError::ServerError(PulseError::NoEntity) => Self::NoDevice,
            error @ (ClientError::ServerUnavailable
            | ClientError::UnexpectedSequenceNumber
            | ClientError::Protocol(_)
            | ClientError::ServerError(_)
            | ClientError::Io(_)
            | ClientError::Disconnected) => Self::Server(error.to_string()),
        }
    }
}

/// The answer, if it comes in time. What was asked is forgotten else.
fn wait<T>(until: Moment, answer: impl Future<Output = T>) -> Option<T> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let (mut context, mut answer) = (Context::from_waker(&waker), pin!(answer));
    loop {
        if let Poll::Ready(answer) = answer.as_mut().poll(&mut context) {
            return Some(answer);
        }
        let now = clock::now();
        if now >= until {
            return None;
        }
        std::thread::park_timeout(until.since(now));
    }
}
