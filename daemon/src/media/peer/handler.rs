//! What the WebRTC library calls back on its own driver.
//!
//! Lives here: each callback, turned into a value in a bounded queue. None ever waits: whatever is slow there stalls
//! ICE, DTLS and sound.
//! Must not: act on anything.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;

use ahoy_call::Opaque;
use tokio::sync::mpsc;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{
    PeerConnectionEventHandler, RTCIceConnectionState, RTCIceGatheringState, RTCPeerConnectionIceEvent,
    RTCPeerConnectionState,
};

use crate::media::transport::Reception;

/// Callbacks that wait for the path's task. More in one go means that the library is out of its mind.
pub(super) const QUEUE: usize = 256;

/// What the library said.
pub(super) enum Heard {
    Candidate(Opaque),
    GatheringComplete,
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
}

pub(super) struct Handler {
    pub(super) heard: mpsc::Sender<Heard>,
}

type Done<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

impl Handler {
    fn tell<'a>(&self, heard: Heard) -> Done<'a> {
        if self.heard.try_send(heard).is_err() {
            tracing::debug!("a callback of a path that is overrun or closing was dropped");
        }
        Box::pin(ready(()))
    }
}

impl PeerConnectionEventHandler for Handler {
    fn on_ice_candidate<'s, 'f>(&'s self, event: RTCPeerConnectionIceEvent) -> Done<'f>
    where
        's: 'f,
        Self: 'f,
    {
        match event.candidate.to_json() {
            Ok(json) if !json.candidate.is_empty() => {
                self.tell(Heard::Candidate(Opaque(json.candidate.into_bytes())))
            }
            Ok(_) | Err(_) => Box::pin(ready(())),
        }
    }

    fn on_ice_gathering_state_change<'s, 'f>(&'s self, state: RTCIceGatheringState) -> Done<'f>
    where
        's: 'f,
        Self: 'f,
    {
        match state == RTCIceGatheringState::Complete {
            true => self.tell(Heard::GatheringComplete),
            false => Box::pin(ready(())),
        }
    }

    fn on_ice_connection_state_change<'s, 'f>(&'s self, state: RTCIceConnectionState) -> Done<'f>
    where
        's: 'f,
        Self: 'f,
    {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the library's enum may grow; the rest is no news"
        )]
        match state {
            RTCIceConnectionState::Connected | RTCIceConnectionState::Completed => self.tell(Heard::IceUp),
            RTCIceConnectionState::Disconnected | RTCIceConnectionState::Failed => self.tell(Heard::Down),
            _ => Box::pin(ready(())),
        }
    }

    fn on_connection_state_change<'s, 'f>(&'s self, state: RTCPeerConnectionState) -> Done<'f>
    where
        's: 'f,
        Self: 'f,
    {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the library's enum may grow; the rest is no news"
        )]
        match state {
            RTCPeerConnectionState::Connected => self.tell(Heard::Up),
            RTCPeerConnectionState::Disconnected | RTCPeerConnectionState::Closed => self.tell(Heard::Down),
            RTCPeerConnectionState::Failed => self.tell(Heard::Broken),
            _ => Box::pin(ready(())),
        }
    }

    fn on_track<'s, 'f>(&'s self, track: Arc<dyn TrackRemote>) -> Done<'f>
    where
        's: 'f,
        Self: 'f,
    {
        self.tell(Heard::Track(track))
    }
}
