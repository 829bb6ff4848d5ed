//! A connection of the WebRTC library to a room's server.
//!
//! Lives here: its settings, our one track, the sections to hear others in, descriptions of it.
//! Must not: send before it is up, or keep anything of the signaling.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rtc::ice::mdns::MulticastDnsMode;
use rtc::interceptor::{NackGeneratorBuilder, Slot};
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::RTCOfferOptions;
use rtc::peer_connection::configuration::media_engine::MIME_TYPE_OPUS;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RtpCodecKind,
};
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use webrtc::error::Result;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, RTCConfigurationBuilder, RTCIceCandidateInit,
    RTCIceServer, RTCIceTransportPolicy, RTCSessionDescription, Registry, SettingEngine,
    SettingEngineBuilder, configure_rtcp_reports,
};
use webrtc::runtime::TokioRuntime;

use crate::media::peer::addresses;
use crate::media::peer::flights::Flights;
use crate::media::peer::handler::{self, Handler, Heard};
use crate::media::peer::reception::{self, Listener};
use crate::media::peer::runtime::{Capped, Naps};
use crate::media::peer::sending;
use crate::system::clock;
use crate::values::ice::IceServer;

/// RTP payload type of Opus, ours and the server's.
pub(super) const PAYLOAD_TYPE: u8 = 111;
/// How the signaling knows our track.
const VOICE: &str = "voice";
/// A server that is busy for a moment is not lost: twice what it is between two devices.
const SILENT_FOR: Duration = Duration::from_secs(3);
const GIVE_UP_AFTER: Duration = Duration::from_secs(8);
/// So often others' packets that are missing are asked for, and each how often: LiveKit's server sends nothing again within twice the
/// round trip, up to 100 ms, which it takes for the way before it knows better, and what it sends again gets lost, too.
const ASKED_EVERY: Duration = Duration::from_millis(25);
const ASKED: u16 = 9;

/// See the head of this file. Must be closed: to drop it leaks its sockets.
pub(super) struct Connection {
    link: Box<dyn PeerConnection>,
    pub(super) track: Arc<TrackLocalStaticRTP>,
    pub(super) heard: mpsc::Receiver<Heard>,
    pub(super) naps: Naps,
    /// Sections so far.
    pub(super) sections: usize,
    /// The first description, which counts from `begin` on.
    first: Option<RTCSessionDescription>,
    /// Whether a description of ours waits for its answer.
    offered: bool,
    relay_only: bool,
    bound: Vec<IpAddr>,
    _streams: JoinSet<()>,
}

impl Connection {
    /// Binds its sockets, with our track and so many sections; none without an address.
    pub(super) async fn build(
        interfaces: &[String],
        relay_only: bool,
        ssrc: u32,
        sections: usize,
    ) -> Result<Option<Self>> {
        // All of them: when one goes, another may carry on.
        let addresses = addresses::local(interfaces, false);
        let Some(home) = addresses.first().map(SocketAddr::ip) else { return Ok(None) };
        let (heard_in, heard) = mpsc::channel(handler::QUEUE);
        let (naps, mut streams) = (Naps::default(), JoinSet::new());
        let mut engine = MediaEngine::default();
        engine.register_codec(
            RTCRtpCodecParameters { rtp_codec: opus(), payload_type: PAYLOAD_TYPE },
            RtpCodecKind::Audio,
        )?;
        // What we sent is sent again by our own memory, as it was; the library's would change it on its way.
        let asks = NackGeneratorBuilder::new().with_interval(ASKED_EVERY).with_max_nacks_per_packet(ASKED);
        let chain = configure_rtcp_reports(Registry::new())
            .with(Slot::NackGenerator, asks.build())
            .with(Slot::from(reception::SLOT), Listener::new(ssrc, heard_in.clone()));
        let bound = addresses.iter().map(SocketAddr::ip).collect();
        let link = PeerConnectionBuilder::<SocketAddr>::new()
            .with_configuration(RTCConfigurationBuilder::new().build())
            .with_media_engine(engine)
            .with_interceptor_registry(chain)
            .with_setting_engine(settings())
            .with_runtime(Arc::new(Capped {
                inner: TokioRuntime,
                naps: naps.clone(),
                names: None,
                until: clock::now(),
                home,
                streams: Vec::new(),
                only: relay_only.then(watch::Sender::default),
                servers: Vec::new(),
                flights: Flights::begin(&mut streams),
            }))
            .with_handler(Arc::new(Handler { heard: heard_in, relay_only }))
            .with_udp_addrs(addresses.clone())
            // Where UDP does not get through.
            .with_tcp_addrs(addresses)
            .build()
            .await?;
        let link: Box<dyn PeerConnection> = Box::new(link);
        let furnished = furnish(&*link, ssrc, sections).await;
        let track = match furnished {
            Ok(track) => track,
            Err(error) => {
                // What the caller hears is why it could not be built.
                let _closed = link.close().await;
                return Err(error);
            }
        };
        let (sections, first) = (sections + 1, None);
        let offered = false;
        Ok(Some(Self {
            link,
            track,
            heard,
            naps,
            sections,
            first,
            offered,
            relay_only,
            bound,
            _streams: streams,
        }))
    }

    /// Its first description, which nothing comes of before `begin`.
    pub(super) async fn first(&mut self) -> Result<String> {
        let offer = self.link.create_offer(None).await?;
        let text = offer.sdp.clone();
        self.first = Some(offer);
        Ok(text)
    }

    /// The first description counts, and candidates are looked for. Of the server's own helpers only TURN is of use: who is behind a
    /// router is seen by the server itself, and any other STUN server would learn our address.
    pub(super) async fn begin(&mut self, servers: Vec<IceServer>) -> Result<()> {
        let Some(offer) = self.first.take() else { return Ok(()) };
        let turn: Vec<RTCIceServer> = servers.into_iter().filter_map(usable).collect();
        let policy = match self.relay_only && !turn.is_empty() {
            true => RTCIceTransportPolicy::Relay,
            false => RTCIceTransportPolicy::All,
        };
        let configuration =
            RTCConfigurationBuilder::new().with_ice_servers(turn).with_ice_transport_policy(policy).build();
        self.link.set_configuration(configuration).await?;
        self.naps.searching();
        self.offered = true;
        self.link.set_local_description(offer).await
    }

    /// A later description of it, with so many sections more.
    pub(super) async fn offer(&mut self, more: usize, ice_restart: bool) -> Result<String> {
        self.withdraw().await?;
        add_sections(&*self.link, more).await?;
        self.sections += more;
        let offer = self.link.create_offer(Some(RTCOfferOptions { ice_restart })).await?;
        let text = offer.sdp.clone();
        if ice_restart {
            self.naps.searching();
        }
        self.offered = true;
        self.link.set_local_description(offer).await?;
        Ok(text)
    }

    /// Nobody answers the description under way.
    pub(super) async fn withdraw(&mut self) -> Result<()> {
        if std::mem::take(&mut self.offered) {
            let rollback = RTCSessionDescription::rollback(None)?;
            self.link.set_local_description(rollback).await?;
        }
        Ok(())
    }

    /// The server's answer, checked.
    pub(super) async fn answered(&mut self, text: String) -> Result<()> {
        if std::mem::take(&mut self.offered) {
            self.link.set_remote_description(RTCSessionDescription::answer(text)?).await?;
        }
        Ok(())
    }

    /// A candidate of the server's, checked.
    pub(super) async fn candidate(&self, candidate: String) {
        let candidate = RTCIceCandidateInit {
            candidate,
            sdp_mid: Some("0".to_owned()),
            sdp_mline_index: Some(0),
            ..Default::default()
        };
        if self.link.add_ice_candidate(candidate).await.is_err() {
            tracing::debug!("a candidate of a room's server was refused");
        }
    }

    /// Whether none of the addresses that it was built with is there any more, and others are.
    pub(super) fn is_stranded(&self, interfaces: &[String]) -> bool {
        let now = addresses::local(interfaces, false);
        !now.is_empty() && !now.iter().any(|address| self.bound.contains(&address.ip()))
    }

    pub(super) async fn close(self) {
        if let Err(error) = self.link.close().await {
            tracing::warn!(%error, "a connection to a room did not close cleanly");
        }
    }
}

async fn furnish(link: &dyn PeerConnection, ssrc: u32, sections: usize) -> Result<Arc<TrackLocalStaticRTP>> {
    let coding = RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() };
    let encoding =
        RTCRtpEncodingParameters { rtp_coding_parameters: coding, codec: opus(), ..Default::default() };
    let (stream, label) = ("ahoy".to_owned(), VOICE.to_owned());
    let track = MediaStreamTrack::new(stream, label.clone(), label, RtpCodecKind::Audio, vec![encoding]);
    let track = Arc::new(TrackLocalStaticRTP::new(track));
    let way = RTCRtpTransceiverInit { direction: RTCRtpTransceiverDirection::Sendonly, ..Default::default() };
    link.add_transceiver_from_track(track.clone(), Some(way)).await?;
    add_sections(link, sections).await?;
    Ok(track)
}

async fn add_sections(link: &dyn PeerConnection, count: usize) -> Result<()> {
    for _ in 0..count {
        let way =
            RTCRtpTransceiverInit { direction: RTCRtpTransceiverDirection::Recvonly, ..Default::default() };
        link.add_transceiver_from_kind(RtpCodecKind::Audio, Some(way)).await?;
    }
    Ok(())
}

/// As the library takes it: TURN by UDP. By TCP the server itself is reached.
fn usable(server: IceServer) -> Option<RTCIceServer> {
    let IceServer { urls, username, credential } = server;
    let by_udp = |url: &String| url.starts_with("turn:") && !url.contains("transport=tcp");
    let urls = urls.into_iter().filter(by_udp).collect();
    let server = RTCIceServer { urls, username, credential };
    (!server.urls.is_empty() && server.urls().is_ok()).then_some(server)
}

fn settings() -> SettingEngine {
    let now = Some(Duration::ZERO);
    SettingEngineBuilder::new()
        .with_ice_connection_attempts(Some(Duration::from_millis(50)), Some(600))
        .with_host_acceptance_min_wait(now)
        .with_srflx_acceptance_min_wait(now)
        .with_prflx_acceptance_min_wait(now)
        .with_relay_acceptance_min_wait(Some(Duration::from_millis(300)))
        .with_ice_timeouts(Some(SILENT_FOR), Some(GIVE_UP_AFTER), Some(Duration::from_millis(500)))
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_include_loopback_candidate(true)
        .build()
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
