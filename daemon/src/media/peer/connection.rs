//! A connection of the WebRTC library, built the way that its measured faults ask for.
//!
//! Lives here: settings, codec, the one voice track and the one data channel.
//! Must not: negotiate, or turn the check of the DTLS fingerprint off.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rtc::ice::mdns::MulticastDnsMode;
use rtc::interceptor::Slot;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::media_engine::{MIME_TYPE_OPUS, MIME_TYPE_TELEPHONE_EVENT};
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RtpCodecKind,
};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use webrtc::data_channel::{DataChannel, RTCDataChannelInit};
use webrtc::error::Result;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, RTCConfigurationBuilder, RTCIceTransportPolicy,
    Registry, SettingEngine, SettingEngineBuilder, configure_rtcp_reports,
};
use webrtc::runtime::TokioRuntime;

use super::Setup;
use super::flights::Flights;
use super::guard::Section;
use super::handler::{Handler, Heard};
use super::reception::{self, Listener};
use super::runtime::{Capped, Naps};
use super::sending;
use super::servers::Servers;
use super::turn::{self, Around, Carrier};
use crate::media::transport::Track;
use crate::system::clock;

/// What [`furnish`] puts into every description, in this order.
pub(super) const SECTIONS: [Section; 2] = [Section::Track(Track::Voice), Section::Frames];
/// RTP payload type of Opus in our offers, that of copies beside it, and that of digits in its place.
pub(super) const PAYLOAD_TYPE: u8 = 111;
const RED: u8 = 63;
const EVENT: u8 = 110;
/// Nothing came for so long: the path is lost. Checks go out every 0.5 s, so two of them are missing.
pub(super) const SILENT_FOR: Duration = Duration::from_millis(1500);
/// From lost to given up; and, together with [`SILENT_FOR`], how long ICE looks for a way at first.
const GIVE_UP_AFTER: Duration = Duration::from_secs(8);
/// The same of a path that is begun while it rings, which takes three minutes at most: the other side is told of it at the end.
const GIVE_UP_EARLY_AFTER: Duration = Duration::from_secs(200);
/// So long names that are being looked up are waited for, all of them together. Our own addresses, which may be all that is
/// needed, are told after that.
const NAMES_WITHIN: Duration = Duration::from_millis(100);
/// The same where our own addresses are told to nobody.
const NAMES_ALONE_WITHIN: Duration = Duration::from_secs(3);
/// So often an allocation is renewed, if its lifetime asks for it no sooner. The library tries a renewal that was refused for a nonce
/// of yesterday no sooner than the next one is due: by itself, after half a lifetime, that is too late. And before the answer nothing
/// else goes there, while some routers forget who is silent for thirty seconds.
const RENEWED_EVERY: Duration = Duration::from_secs(21);
/// The data channel's queue; frames beyond it are dropped and go by the relay.
const UNSENT_FRAMES: usize = 256 * 1024;

/// The parts of a connection that its task works with.
pub(super) struct Connection {
    pub(super) link: Box<dyn PeerConnection>,
    pub(super) track: Arc<TrackLocalStaticRTP>,
    pub(super) channel: Arc<dyn DataChannel>,
}

/// What a connection is built from.
pub(super) struct Parts {
    /// Local ones, the best first, at least one.
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) servers: Servers,
    pub(super) ssrc: u32,
    /// Candidates of the other side come late, but they come.
    pub(super) early: bool,
    /// As in [`Capped`].
    pub(super) naps: Naps,
    /// As in [`Around`].
    pub(super) found: watch::Receiver<Option<Carrier>>,
    pub(super) heard: mpsc::Sender<Heard>,
}

/// Binds the sockets and begins nothing else. The caller must close `link`: dropping it leaks the sockets. What carries its packets
/// to TURN servers by TCP and TLS, and sends some again, runs in `streams`.
pub(super) async fn build(parts: Parts, setup: &Setup, streams: &mut JoinSet<()>) -> Result<Connection> {
    let Parts { addresses, servers, ssrc, early, naps, found, heard } = parts;
    let listener = Listener::new(ssrc, heard.clone());
    let handler = Arc::new(Handler { heard: heard.clone(), relay_only: setup.relay_only });
    let home = addresses.first().copied().unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)));
    let any = setup.interfaces.iter().all(|name| name == "auto");
    let local = addresses.iter().filter(|_| !any).map(SocketAddr::ip).collect();
    let (trust, names) = (setup.trust.clone(), setup.names.clone());
    // Whether the driver lives is told by who holds the other end: the library alone.
    let heard = heard.downgrade();
    let ended = Arc::new(move |number| {
        // A path that is overrun finds out by itself.
        let _unheard = heard.upgrade().map(|heard| heard.try_send(Heard::StreamEnded(number)));
    });
    let ways = turn::begin(&servers.streams, home, &Around { local, trust, names, found, ended }, streams)?;
    let policy = if setup.relay_only { RTCIceTransportPolicy::Relay } else { RTCIceTransportPolicy::All };
    let mut engine = MediaEngine::default();
    for codec in codecs() {
        engine.register_codec(codec, RtpCodecKind::Audio)?;
    }
    let chain = configure_rtcp_reports(Registry::new()).with(Slot::from(reception::SLOT), listener);
    let link = PeerConnectionBuilder::<SocketAddr>::new()
        .with_configuration(
            RTCConfigurationBuilder::new()
                .with_ice_servers(servers.for_library)
                .with_ice_transport_policy(policy)
                .build(),
        )
        .with_media_engine(engine)
        .with_interceptor_registry(chain)
        .with_setting_engine(settings(setup.relay_only, early))
        .with_runtime(Arc::new(Capped {
            inner: TokioRuntime,
            naps,
            names: setup.names.clone(),
            until: clock::now() + if setup.relay_only { NAMES_ALONE_WITHIN } else { NAMES_WITHIN },
            home: home.ip(),
            streams: ways,
            only: setup.relay_only.then(watch::Sender::default),
            servers: setup.ice_servers.clone(),
            flights: Flights::begin(streams),
        }))
        .with_handler(handler)
        .with_udp_addrs(addresses)
        .with_data_channel_send_buffer_limit(UNSENT_FRAMES)
        .build()
        .await?;
    let link: Box<dyn PeerConnection> = Box::new(link);
    match furnish(&*link, ssrc).await {
        Ok((track, channel)) => Ok(Connection { link, track, channel }),
        Err(error) => {
            // What the caller hears is why it could not be built.
            let _closed = link.close().await;
            Err(error)
        }
    }
}

async fn furnish(
    link: &dyn PeerConnection,
    ssrc: u32,
) -> Result<(Arc<TrackLocalStaticRTP>, Arc<dyn DataChannel>)> {
    let coding = RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() };
    let encoding =
        RTCRtpEncodingParameters { rtp_coding_parameters: coding, codec: opus(), ..Default::default() };
    let (stream, label) = ("ahoy".to_owned(), "voice".to_owned());
    let track = MediaStreamTrack::new(stream, label.clone(), label, RtpCodecKind::Audio, vec![encoding]);
    let track = Arc::new(TrackLocalStaticRTP::new(track));
    link.add_track(track.clone()).await?;
    // By itself the library offers of a track its one codec and what repairs that, and no digits.
    for transceiver in link.get_transceivers().await {
        transceiver.set_codec_preferences(codecs()).await?;
    }
    // Frames number and repeat themselves, so the channel neither orders nor repeats. Both sides know it as stream 0.
    let channel = RTCDataChannelInit {
        ordered: false,
        max_retransmits: Some(0),
        negotiated: Some(0),
        ..Default::default()
    };
    let channel = link.create_data_channel("ahoy", Some(channel)).await?;
    Ok((track, channel))
}

/// The library's defaults take 0.2 to 1.2 s on one machine, and never connect a path that opens 1.6 s late.
fn settings(relay_only: bool, early: bool) -> SettingEngine {
    let now = Some(Duration::ZERO);
    let give_up_after = if early { GIVE_UP_EARLY_AFTER } else { GIVE_UP_AFTER };
    // A way without detour is given a moment, where there may be one.
    let detour = if relay_only { Duration::ZERO } else { Duration::from_millis(300) };
    SettingEngineBuilder::new()
        .with_ice_connection_attempts(Some(Duration::from_millis(50)), Some(600))
        .with_host_acceptance_min_wait(now)
        .with_srflx_acceptance_min_wait(now)
        .with_prflx_acceptance_min_wait(now)
        .with_relay_acceptance_min_wait(Some(detour))
        .with_turn_allocation_refresh_interval_cap(RENEWED_EVERY)
        .with_ice_timeouts(Some(SILENT_FOR), Some(give_up_after), Some(Duration::from_millis(500)))
        // Its other modes bind port 5353 for each connection.
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        // The addresses are chosen before: where loopback is among them, it is meant.
        .with_include_loopback_candidate(true)
        .build()
}

/// All that the voice may be, the first what it is.
fn codecs() -> Vec<RTCRtpCodecParameters> {
    let all = [(opus(), PAYLOAD_TYPE), (red(), RED), (events(), EVENT)];
    all.map(|(rtp_codec, payload_type)| RTCRtpCodecParameters { rtp_codec, payload_type }).into()
}

fn opus() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: MIME_TYPE_OPUS.to_owned(),
        clock_rate: 48_000,
        channels: 2,
        sdp_fmtp_line: sending::OPUS_FORMAT.to_owned(),
        rtcp_feedback: vec![RTCPFeedback { typ: sending::NACK.to_owned(), parameter: String::new() }],
    }
}

/// Copies of Opus beside Opus (RFC 2198).
fn red() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: "audio/red".to_owned(),
        clock_rate: 48_000,
        channels: 2,
        sdp_fmtp_line: format!("{PAYLOAD_TYPE}/{PAYLOAD_TYPE}"),
        rtcp_feedback: Vec::new(),
    }
}

/// Digits in place of Opus (RFC 4733 §7.1.1), all that there are.
fn events() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: MIME_TYPE_TELEPHONE_EVENT.to_owned(),
        clock_rate: 48_000,
        channels: 0,
        sdp_fmtp_line: "0-15".to_owned(),
        rtcp_feedback: Vec::new(),
    }
}
