//! One stream of PulseAudio, on a connection of its own.
//!
//! Lives here: how the stream is asked for, and its end. The connection is `pulse/connection.rs`, its thread `pulse/service.rs`.
//! A connection of its own ends with its stream: nothing is left behind in the server or here, and a server that does not answer
//! holds up nobody.
//! Must not: decide when or what to try.
//!
//! Ours, because the client of the protocol's crate clears a megabyte for each packet and wakes twice for each: only its messages
//! are used.

mod connection;
mod service;

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use pulseaudio::protocol::stream::{BufferAttr, StreamFlags};
use pulseaudio::protocol::{
    ChannelMap, Command, CorkStreamParams, CreatePlaybackStreamReply, CreateRecordStreamReply, GetSinkInfo,
    GetSourceInfo, PlaybackStreamParams, Prop, Props, RecordStreamParams, SampleFormat, SampleSpec,
    SetPlaybackStreamBufferAttrParams, SetRecordStreamBufferAttrParams, encode_command_message,
};
use rustix::event::{EventfdFlags, eventfd};

use self::connection::Connection;
use self::service::Service;
use super::bridge::{Bridge, SAMPLE, Work};
use super::{APPLICATION, ICON, OpenError, Opening, Purpose};
use crate::media::codec::RATE;
use crate::system::clock;

/// How long the server may take for all its answers.
const ANSWERS: Duration = Duration::from_secs(2);

/// A stream that was made and does not run yet. Dropping it ends it, without waiting.
pub(super) struct OwnStream {
    socket: UnixStream,
    orders: SyncSender<Vec<u8>>,
    /// Wakes the thread for an order.
    wake: Arc<OwnedFd>,
    uncork: Vec<u8>,
    /// For orders that come later.
    version: u16,
    channel: u32,
    gives: bool,
}

/// The part of a block that lies ready at the server, twice.
const READY: u32 = 8;
/// Orders that wait for the thread: it takes them at once.
const ORDERS: usize = 8;
/// The number of an order whose answer nobody reads.
const UNANSWERED: u32 = 0xfff0_0000;

impl OwnStream {
    /// Lets it run. The order is given; its answer is not waited for: a device that never begins is found by its silence.
    pub(super) fn run(&self) -> bool {
        self.order(self.uncork.clone())
    }

    /// Of so many frames.
    pub(super) fn ask_for_block(&self, frames: u32) {
        let (buffer_attr, flags) = buffer(frames);
        let (index, adjust_latency, early_requests) = (self.channel, flags.adjust_latency, false);
        let command = if self.gives {
            let params =
                SetPlaybackStreamBufferAttrParams { index, buffer_attr, adjust_latency, early_requests };
            Command::SetPlaybackStreamBufferAttr(params)
        } else {
            let params =
                SetRecordStreamBufferAttrParams { index, buffer_attr, adjust_latency, early_requests };
            Command::SetRecordStreamBufferAttr(params)
        };
        let mut bytes = Vec::new();
        if encode_command_message(&mut bytes, UNANSWERED, &command, self.version).is_ok() {
            // A thread that is over has no block.
            let _over = self.order(bytes);
        }
    }

    fn order(&self, bytes: Vec<u8>) -> bool {
        self.orders.try_send(bytes).is_ok() && rustix::io::write(&*self.wake, &1_u64.to_ne_bytes()).is_ok()
    }
}

impl Drop for OwnStream {
    fn drop(&mut self) {
        // The thread of the connection ends with its socket, and the server drops what was on it.
        let _over = self.socket.shutdown(std::net::Shutdown::Both);
    }
}

/// Told when the thread lets go of the stream, whatever the reason.
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
    let mut connection = Connection::begin(clock::now() + ANSWERS)?;
    let device = place(&mut connection, opening.wished, &work)?;
    let as_wished = opening.wished.is_none() || device.is_some();
    let bridge = Bridge::new(work);
    let gives = bridge.gives();
    let (channel, requested) = make(&mut connection, opening, device, gives)?;
    let cork = CorkStreamParams { channel, cork: false };
    let uncork = connection.encode(&if gives {
        Command::CorkPlaybackStream(cork)
    } else {
        Command::CorkRecordStream(cork)
    })?;
    let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
    let wake = Arc::new(wake.map_err(|error| OpenError::Server(error.to_string()))?);
    let (orders, taken) = sync_channel(ORDERS);
    let (socket, version) = connection.end();
    let closing = socket.try_clone().map_err(connection::failed)?;
    let (ours, theirs) = (Arc::clone(&wake), wake);
    let line = OwnStream { socket: closing, orders, wake: ours, uncork, version, channel, gives };
    let ends = Ends(Arc::clone(broken));
    let mut service = Service::new(socket, (taken, theirs), bridge, (channel, version), requested);
    let run = move || {
        let _told_at_the_end = ends;
        service.run();
    };
    std::thread::Builder::new().name("pulse".into()).spawn(run).map_err(|_| OpenError::Silent)?;
    Ok((line, as_wished))
}

/// The wished device if it is there; without one the server chooses, and may remember what a person chose in a mixer.
fn place(
    connection: &mut Connection,
    wished: Option<&str>,
    work: &Work,
) -> Result<Option<CString>, OpenError> {
    let Some(name) = wished.and_then(|wished| CString::new(wished).ok()) else { return Ok(None) };
    let (index, named) = (None, Some(name.clone()));
    let there = connection.agrees(&match work {
        Work::Give(_) => Command::GetSinkInfo(GetSinkInfo { index, name: named }),
        Work::Take(_) => Command::GetSourceInfo(GetSourceInfo { index, name: named }),
    })?;
    Ok(there.then_some(name))
}

/// The stream's number, and how many bytes it wants at once.
fn make(
    connection: &mut Connection,
    opening: &Opening<'_>,
    device: Option<CString>,
    gives: bool,
) -> Result<(u32, usize), OpenError> {
    let (buffer_attr, flags) = buffer(opening.frames);
    let sample_spec = SampleSpec { format: SampleFormat::Float32Le, channels: 1, sample_rate: RATE };
    let (channel_map, props) = (ChannelMap::mono(), properties(opening.purpose));
    if gives {
        let params = PlaybackStreamParams {
            sample_spec,
            channel_map,
            sink_name: device,
            buffer_attr,
            props,
            flags,
            ..PlaybackStreamParams::default()
        };
        let made: CreatePlaybackStreamReply = connection.ask(&Command::CreatePlaybackStream(params))?;
        Ok((made.channel, usize::try_from(made.requested_bytes).unwrap_or(0)))
    } else {
        let params = RecordStreamParams {
            sample_spec,
            channel_map,
            source_name: device,
            buffer_attr,
            props,
            flags,
            ..RecordStreamParams::default()
        };
        let made: CreateRecordStreamReply = connection.ask(&Command::CreateRecordStream(params))?;
        Ok((made.channel, 0))
    }
}

/// What the server is asked for, with a device that works in blocks of so many frames: with each of them it wants as many of ours,
/// and a little more lies ready there, or each late one would be heard. A server gives the device half of the length that is left
/// beside two requests (`fix_playback_buffer_attr` in PulseAudio's protocol-native.c): asked for two blocks and no more, it would
/// work in pieces of half a millisecond. A microphone's fragment is what its device works in.
fn buffer(frames: u32) -> (BufferAttr, StreamFlags) {
    let block = frames * u32::try_from(SAMPLE).unwrap_or(4);
    let request = block / READY;
    let length = 2 * block + 2 * request;
    let attributes = BufferAttr {
        max_length: 4 * length,
        target_length: length,
        minimum_request_length: request,
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
