//! What the WebRTC library calls back on its own driver.
//!
//! Lives here: each callback, turned into a value in a bounded queue. None ever waits: whatever is slow there stalls
//! ICE, DTLS and sound.
//! Must not: act on anything.

use std::sync::Arc;

use ahoy_call::Opaque;
use async_trait::async_trait;
use rtc::peer_connection::transport::RTCIceCandidateType;
use tokio::sync::mpsc;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{
    PeerConnectionEventHandler, RTCIceCandidate, RTCIceConnectionState, RTCIceGatheringState,
    RTCPeerConnectionIceEvent, RTCPeerConnectionState,
};

use super::turn::{Carrier, server_of};
use crate::media::feedback::Feedback;
use crate::media::transport::Reception;

/// Callbacks that wait for the path's task. More in one go means that the library is out of its mind.
pub(super) const QUEUE: usize = 256;

/// What the library said.
pub(super) enum Heard {
    Candidate(Opaque),
    /// The same, of a TURN server that we reach so.
    Relayed(Opaque, Carrier),
    GatheringComplete,
    /// ICE looks for a way, at first or anew.
    Searching,
    /// ICE found a way; DTLS follows.
    IceUp,
    /// ICE and DTLS are up.
    Up,
    /// Nothing came for too long, or ICE found no way.
    Down,
    /// DTLS or the whole connection failed.
    Broken,
    Track(Arc<dyn TrackRemote>),
    /// The other side reported how it gets our voice.
    Reception(Reception),
    /// It asks for these packets of our voice again.
    Asked(Vec<u16>),
    /// It tells how our voice comes.
    Feedback(Feedback),
    /// The TURN server with this number, by TCP or TLS, was used and is gone.
    StreamEnded(usize),
}

pub(super) struct Handler {
    pub(super) heard: mpsc::Sender<Heard>,
    /// No candidate but those of TURN servers.
    pub(super) relay_only: bool,
}

impl Handler {
    fn tell(&self, heard: Heard) {
        if self.heard.try_send(heard).is_err() {
            tracing::debug!("a callback of a path that is overrun or closing was dropped");
        }
    }
}

/// How we reach the TURN server of this URL, as the library knows it.
fn carrier_of(url: &str) -> Carrier {
    server_of(url).map_or(Carrier::Udp, |(_, carrier)| carrier)
}

/// From where we reach a TURN server is nobody's business (RFC 8839 §5.1: how that is written).
fn without_base(mut candidate: RTCIceCandidate) -> RTCIceCandidate {
    if candidate.typ == RTCIceCandidateType::Relay {
        let nobody = if candidate.address.contains(':') { "::" } else { "0.0.0.0" };
        (candidate.related_address, candidate.related_port) = (nobody.to_owned(), 9);
    }
    candidate
}

#[async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        let candidate = without_base(event.candidate);
        if self.relay_only && candidate.typ != RTCIceCandidateType::Relay {
            return;
        }
        if let Ok(json) = candidate.to_json()
            && !json.candidate.is_empty()
        {
            let text = Opaque(json.candidate.into_bytes());
            let relayed = candidate.typ == RTCIceCandidateType::Relay;
            self.tell(match relayed {
                true => Heard::Relayed(text, carrier_of(&event.url)),
                false => Heard::Candidate(text),
            });
        }
    }

    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.tell(Heard::GatheringComplete);
        }
    }

    async fn on_ice_connection_state_change(&self, state: RTCIceConnectionState) {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the library's enum may grow; the rest is no news"
        )]
        match state {
            RTCIceConnectionState::Checking => self.tell(Heard::Searching),
            RTCIceConnectionState::Connected | RTCIceConnectionState::Completed => self.tell(Heard::IceUp),
            RTCIceConnectionState::Disconnected | RTCIceConnectionState::Failed => self.tell(Heard::Down),
            _ => {}
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the library's enum may grow; the rest is no news"
        )]
        match state {
            RTCPeerConnectionState::Connected => self.tell(Heard::Up),
            RTCPeerConnectionState::Disconnected | RTCPeerConnectionState::Closed => self.tell(Heard::Down),
            RTCPeerConnectionState::Failed => self.tell(Heard::Broken),
            _ => {}
        }
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        self.tell(Heard::Track(track));
    }
}
