//! What the WebRTC library calls back on its own driver.
//!
//! Lives here: each callback, turned into a value in a bounded queue. None ever waits: whatever is slow there stalls
//! ICE, DTLS and sound.
//! Must not: act on anything.

use std::sync::Arc;

use ahoy_call::Opaque;
use async_trait::async_trait;
use tokio::sync::mpsc;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{
    PeerConnectionEventHandler, RTCIceConnectionState, RTCIceGatheringState, RTCPeerConnectionIceEvent,
    RTCPeerConnectionState,
};

use crate::media::feedback::Feedback;
use crate::media::transport::Reception;

/// Callbacks that wait for the path's task. More in one go means that the library is out of its mind.
pub(super) const QUEUE: usize = 256;

/// What the library said.
pub(super) enum Heard {
    Candidate(Opaque),
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
}

pub(super) struct Handler {
    pub(super) heard: mpsc::Sender<Heard>,
}

impl Handler {
    fn tell(&self, heard: Heard) {
        if self.heard.try_send(heard).is_err() {
            tracing::debug!("a callback of a path that is overrun or closing was dropped");
        }
    }
}

#[async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        if let Ok(json) = event.candidate.to_json()
            && !json.candidate.is_empty()
        {
            self.tell(Heard::Candidate(Opaque(json.candidate.into_bytes())));
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
