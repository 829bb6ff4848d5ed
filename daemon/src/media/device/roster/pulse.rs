//! The devices of a PulseAudio server, or of PipeWire in its place, by its own protocol.
//!
//! Lives here: one connection, its subscription, and the lists that are asked for when something has changed.
//! Must not: poll, or trust what the server says to be short.
//!
//! Ours, because the client of the protocol's crate has no subscription: only its messages are used.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pulseaudio::protocol::{
    ChannelVolume, Command, CommandTag, DESCRIPTOR_SIZE, Prop, Props, ProtocolError, ServerInfo,
    SetDeviceMuteParams, SetDeviceVolumeParams, SinkFlags, SinkInfo, SourceFlags, SourceInfo,
    SubscriptionMask, TagStructRead, TagStructReader, Volume, encode_command_message,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};

use super::kinds::{self, Signs};
use crate::media::device::{presence, pulse, streams};
use crate::system::{clock, level};
use crate::values::devices::{Adjust, Device, Flow, Found, Server};

/// The longest message that is read; a long list of devices has some hundred thousand bytes.
const LONGEST: usize = 4 << 20;
/// An answer that takes longer will not come.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two questions for all devices, however much the server reports.
const BREATH: Duration = Duration::from_millis(50);
/// Full volume on the wire.
const FULL: u32 = 0x1_0000;

/// Why the line ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    /// The server went, or the socket broke.
    #[error("the connection is over")]
    Line(#[from] io::Error),
    /// The server says what we do not understand.
    #[error("not understood")]
    Protocol(#[from] ProtocolError),
    /// The server does not answer.
    #[error("no answer")]
    Silent,
    /// Nobody listens to us any more.
    #[error("nobody asks")]
    Unheard,
}

/// The first socket that takes a connection.
pub(super) async fn connect() -> Option<(PathBuf, UnixStream)> {
    for path in presence::pulse_sockets() {
        if let Ok(Ok(stream)) = clock::timeout(PATIENCE, UnixStream::connect(&path)).await {
            return Some((path, stream));
        }
    }
    None
}

/// Tells of the devices until the line ends.
pub(super) async fn follow(
    stream: UnixStream,
    orders: &mut mpsc::Receiver<Adjust>,
    tell: &watch::Sender<Arc<Found>>,
) -> Ended {
    let mut line = ServerLink::new(stream);
    match clock::timeout(PATIENCE, line.greet()).await {
        Ok(Ok(())) => {}
        Ok(Err(ended)) => return ended,
        Err(_over) => return Ended::Silent,
    }
    match line.serve(orders, tell).await {
        Ok(never) => match never {},
        Err(ended) => ended,
    }
}

/// The devices once, on a connection of their own.
pub(super) async fn look(stream: UnixStream) -> Result<Arc<Found>, Ended> {
    let (tell, mut found) = watch::channel(Arc::new(Found::default()));
    let (_none, mut orders) = mpsc::channel(1);
    tokio::select! {
        ended = follow(stream, &mut orders, &tell) => Err(ended),
        Ok(()) = found.changed() => Ok(Arc::clone(&found.borrow())),
    }
}

enum Never {}

/// What a reply is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Server,
    Sinks,
    Sources,
    Other,
}

/// A list as it comes in.
#[derive(Default)]
struct Listing {
    server: Option<ServerInfo>,
    sinks: Option<Vec<SinkInfo>>,
    sources: Option<Vec<SourceInfo>>,
}

struct ServerLink {
    stream: UnixStream,
    version: u16,
    sequence: u32,
    asked: BTreeMap<u32, Question>,
    listing: Listing,
    /// Something has changed since the last question.
    stale: bool,
    received: Vec<u8>,
    /// Channels of each device, by direction and name: a volume is set for all of them.
    channels: BTreeMap<(Flow, String), usize>,
}

impl ServerLink {
    fn new(stream: UnixStream) -> Self {
        let (asked, listing, channels) = (BTreeMap::new(), Listing::default(), BTreeMap::new());
        let version = pulse::VERSION;
        Self { stream, version, sequence: 0, asked, listing, stale: true, received: Vec::new(), channels }
    }

    /// Who we are, and what we want to hear of.
    async fn greet(&mut self) -> Result<(), Ended> {
        let sequence = self.send(&pulse::authenticate(), Question::Other).await?;
        let (_, payload) = self.reply(sequence).await?;
        self.version = pulse::agreed(&payload)?;
        self.send(&pulse::introduce(), Question::Other).await?;
        let events = SubscriptionMask::SINK | SubscriptionMask::SOURCE | SubscriptionMask::SERVER;
        let sequence = self.send(&Command::Subscribe(events), Question::Other).await?;
        self.reply(sequence).await.map(|_acknowledged| ())
    }

    async fn serve(
        &mut self,
        orders: &mut mpsc::Receiver<Adjust>,
        tell: &watch::Sender<Arc<Found>>,
    ) -> Result<Never, Ended> {
        let mut not_before = clock::now();
        loop {
            if self.stale && self.asked.is_empty() && clock::now() >= not_before {
                self.stale = false;
                self.listing = Listing::default();
                self.send(&Command::GetServerInfo, Question::Server).await?;
                self.send(&Command::GetSinkInfoList, Question::Sinks).await?;
                self.send(&Command::GetSourceInfoList, Question::Sources).await?;
                not_before = clock::now() + BREATH;
            }
            let waiting = !self.asked.is_empty();
            tokio::select! {
                order = orders.recv() => match order {
                    Some(adjust) => self.adjust(adjust).await?,
                    None => return Err(Ended::Unheard),
                },
                read = self.stream.read_buf(&mut self.received) => {
                    if read? == 0 {
                        return Err(Ended::Line(io::ErrorKind::UnexpectedEof.into()));
                    }
                    while let Some((tag, sequence, payload)) = self.message()? {
                        self.take(tag, sequence, &payload)?;
                    }
                    if let Some(found) = self.found() {
                        level::set(tell, Arc::new(found));
                    }
                }
                () = clock::sleep(PATIENCE), if waiting => return Err(Ended::Silent),
                () = clock::sleep_until(not_before), if self.stale && !waiting => {}
            }
        }
    }

    async fn adjust(&mut self, Adjust { id, flow, volume, muted }: Adjust) -> Result<(), Ended> {
        let Ok(name) = CString::new(id.clone()) else { return Ok(()) };
        let name = Some(name);
        if let (Some(volume), Some(channels)) = (volume, self.channels.get(&(flow, id))) {
            let mut all = ChannelVolume::empty();
            for _ in 0..*channels {
                all.push(to_wire(volume));
            }
            let volume = SetDeviceVolumeParams { device_index: None, device_name: name.clone(), volume: all };
            let command = match flow {
                Flow::Output => Command::SetSinkVolume(volume),
                Flow::Input => Command::SetSourceVolume(volume),
            };
            self.send(&command, Question::Other).await?;
        }
        if let Some(mute) = muted {
            let mute = SetDeviceMuteParams { device_index: None, device_name: name, mute };
            let command = match flow {
                Flow::Output => Command::SetSinkMute(mute),
                Flow::Input => Command::SetSourceMute(mute),
            };
            self.send(&command, Question::Other).await?;
        }
        Ok(())
    }

    async fn send(&mut self, command: &Command, asked: Question) -> Result<u32, Ended> {
        let sequence = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        let mut bytes = Vec::new();
        encode_command_message(&mut bytes, sequence, command, self.version)?;
        clock::timeout(PATIENCE, self.stream.write_all(&bytes)).await.map_err(|_over| Ended::Silent)??;
        self.asked.insert(sequence, asked);
        Ok(sequence)
    }

    /// While greeting: until that one is answered.
    async fn reply(&mut self, wanted: u32) -> Result<(u32, Vec<u8>), Ended> {
        loop {
            while let Some((tag, sequence, payload)) = self.message()? {
                self.asked.remove(&sequence);
                if tag == CommandTag::Error {
                    let error = TagStructReader::new(&mut payload.as_slice(), self.version).read_enum()?;
                    return Err(Ended::Protocol(ProtocolError::ServerError(error)));
                }
                if tag == CommandTag::Reply && sequence == wanted {
                    return Ok((sequence, payload));
                }
            }
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(Ended::Line(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// The next whole message: its tag, its number, the rest.
    fn message(&mut self) -> Result<Option<(CommandTag, u32, Vec<u8>)>, Ended> {
        if self.received.len() < DESCRIPTOR_SIZE {
            return Ok(None);
        }
        let end = DESCRIPTOR_SIZE + pulse::length(&self.received, LONGEST)?;
        if self.received.len() < end {
            return Ok(None);
        }
        let mut rest = self.received.split_off(end);
        std::mem::swap(&mut rest, &mut self.received);
        let (tag, sequence, body) =
            pulse::open(rest.get(DESCRIPTOR_SIZE..).unwrap_or_default(), self.version)?;
        Ok(Some((tag, sequence, body.to_vec())))
    }

    fn take(&mut self, tag: CommandTag, sequence: u32, mut payload: &[u8]) -> Result<(), Ended> {
        if tag == CommandTag::SubscribeEvent {
            self.stale = true;
        }
        // An error is to a device that went while we asked for it; its event comes too.
        let Some(asked) = self.asked.remove(&sequence).filter(|_| tag == CommandTag::Reply) else {
            return Ok(());
        };
        let version = self.version;
        let mut reader = TagStructReader::new(&mut payload, version);
        match asked {
            Question::Server => self.listing.server = Some(ServerInfo::read(&mut reader, version)?),
            Question::Sinks => self.listing.sinks = Some(Vec::<SinkInfo>::read(&mut reader, version)?),
            Question::Sources => self.listing.sources = Some(Vec::<SourceInfo>::read(&mut reader, version)?),
            Question::Other => {}
        }
        Ok(())
    }

    /// The devices, once all three lists are there.
    fn found(&mut self) -> Option<Found> {
        let listing = &self.listing;
        let (Some(server), Some(sinks), Some(sources)) = (&listing.server, &listing.sinks, &listing.sources)
        else {
            return None;
        };
        let sink = |info: &SinkInfo| {
            let hardware = info.flags.contains(SinkFlags::HARDWARE);
            let default = server.default_sink_name.as_ref() == Some(&info.name);
            let port = info.ports.get(info.active_port).and_then(|port| port.name.to_str().ok());
            let names = (&info.name, &info.description);
            let kind = kinds::kind(Flow::Output, signs(port, &info.props, hardware));
            device(Flow::Output, names, kind, default, (&info.cvolume, info.muted))
        };
        let source = |info: &SourceInfo| {
            let hardware = info.flags.contains(SourceFlags::HARDWARE);
            let default = server.default_source_name.as_ref() == Some(&info.name);
            let port = info.ports.get(info.active_port).and_then(|port| port.name.to_str().ok());
            let names = (&info.name, &info.description);
            let kind = kinds::kind(Flow::Input, signs(port, &info.props, hardware));
            device(Flow::Input, names, kind, default, (&info.cvolume, info.muted))
        };
        // What a loudspeaker plays is no microphone, and what stands in for a missing device is none.
        let real = |name: &CStr| !streams::is_dummy(&name.to_string_lossy());
        let speakers = sinks.iter().filter(|info| real(&info.name));
        let microphones =
            sources.iter().filter(|info| info.monitor_of_sink_index.is_none() && real(&info.name));
        let devices = speakers.clone().map(sink).chain(microphones.clone().map(source)).collect();
        let outputs = speakers.map(|info| (Flow::Output, &info.name, &info.cvolume));
        let inputs = microphones.map(|info| (Flow::Input, &info.name, &info.cvolume));
        self.channels = outputs
            .chain(inputs)
            .map(|(flow, name, volume)| ((flow, text(name)), volume.channels().len()))
            .collect();
        // "PulseAudio (on PipeWire 1.4.2)" is what the stand-in calls itself.
        let named = server.server_name.as_deref().map(text).unwrap_or_default();
        let genuine = !named.contains("PipeWire");
        self.listing = Listing::default();
        Some(Found { server: Server::PulseAudio, genuine, devices })
    }
}

fn signs<'a>(port: Option<&'a str>, props: &'a Props, hardware: bool) -> Signs<'a> {
    let form = props.get(Prop::DeviceFormFactor).unwrap_or_default();
    let form = form.strip_suffix(&[0]).unwrap_or(form);
    Signs { port: port.unwrap_or_default(), form: std::str::from_utf8(form).unwrap_or_default(), hardware }
}

fn device(
    flow: Flow,
    (id, name): (&CString, &Option<CString>),
    kind: crate::values::devices::Kind,
    default: bool,
    (volume, muted): (&ChannelVolume, bool),
) -> Device {
    let loudest = volume.channels().iter().map(Volume::as_u32).max().unwrap_or(FULL);
    let id = text(id);
    let name = name.as_deref().map(text).filter(|name| !name.is_empty()).unwrap_or_else(|| id.clone());
    Device { id, name, flow, kind, default, volume: f64::from(loudest) / f64::from(FULL), muted }
}

fn text(raw: &CStr) -> String {
    raw.to_string_lossy().into_owned()
}

/// Hundredths are as fine as a mixer goes.
fn to_wire(volume: f64) -> Volume {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 150 fits")]
    let hundredths = (volume.clamp(0.0, 1.5) * 100.0).round() as u32;
    Volume::from_u32_clamped((hundredths * FULL + 50) / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_the_same_after_the_way_there_and_back() {
        for hundredths in 0..=150_u32 {
            let volume = f64::from(hundredths) / 100.0;
            let back = f64::from(to_wire(volume).as_u32()) / f64::from(FULL);
            assert!((volume - back).abs() < 1e-4, "{volume} {back}");
        }
        assert_eq!(to_wire(f64::NAN).as_u32(), 0);
        assert_eq!(to_wire(9.0).as_u32(), FULL + FULL / 2);
    }

    #[tokio::test]
    async fn a_server_that_talks_nonsense_or_without_end_is_left() {
        for nonsense in [vec![0xff_u8; 4096], vec![0; 40]] {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            theirs.write_all(&nonsense).await.unwrap();
            let (tell, _found) = watch::channel(Arc::new(Found::default()));
            let (_adjust, mut orders) = mpsc::channel(1);
            let ended = clock::timeout(Duration::from_secs(2), follow(ours, &mut orders, &tell)).await;
            assert!(matches!(ended, Ok(Ended::Protocol(_))), "{ended:?}");
        }
    }
}
