//! What comes out of a path: voice packets and frames.
//!
//! Lives here: the loops that fetch them, and the sizes that are let through.
//! Must not: keep anything, or look inside.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

use super::sending::PayloadTypes;
use crate::media::codec::PACKET_MAX;
use crate::media::dtmf::Event;
use crate::media::flood::Flood;
use crate::media::red;
use crate::media::transport::{Events, Packet, PathEvent, Track};
use crate::media::wanted::Key;
use crate::system::clock;
use crate::values::budget::{self, Budget};

/// The longest frame that is taken: a sealed message has at most 32,768 bytes and its header.
const LONGEST_FRAME: usize = 33 * 1024;

/// Always read: packets that nobody fetches are written to the library's log, voice and all. `came` is told when one came, in µs.
/// What is more than a voice is dropped unread.
pub(super) async fn read_track(
    source: Arc<dyn TrackRemote>,
    of: PayloadTypes,
    key: Key,
    events: Events,
    came: Arc<AtomicU64>,
    flood: Arc<Flood>,
) {
    let (member, track) = (key.0, Track::Voice);
    while let Some(event) = source.poll().await {
        let TrackRemoteEvent::OnRtpPacket(rtp) = event else {
            continue;
        };
        let now = clock::now();
        came.store(now.micros(), Ordering::Relaxed);
        if !flood.takes(now) {
            continue;
        }
        let mut event = None;
        let (copies, payload) = match rtp.header.payload_type {
            plain if plain == of.opus && (1..=PACKET_MAX).contains(&rtp.payload.len()) => {
                (Vec::new(), rtp.payload.to_vec())
            }
            red if Some(red) == of.red => match red::unpack(of.opus, &rtp.payload) {
                Some(unpacked) => unpacked,
                None => continue,
            },
            kind if Some(kind) == of.event => {
                let Some(came) = Event::from_bytes(rtp.header.timestamp, &rtp.payload) else { continue };
                event = Some(came);
                (Vec::new(), rtp.payload.to_vec())
            }
            _ => continue,
        };
        let (sequence, timestamp) = (rtp.header.sequence_number, rtp.header.timestamp);
        let packet = Packet { sequence, timestamp, first: rtp.header.marker, payload, copies, event };
        let told = events.try_send((key, PathEvent::Packet { member, track, packet }));
        if let Err(mpsc::error::TrySendError::Closed(_)) = told {
            return;
        }
    }
}

/// The data channel's events, waiting for the task: the library then stops reading from the network. More frames than signaling
/// takes are dropped here: the queue to the session is that of all paths.
pub(super) async fn read_channel(channel: Arc<dyn DataChannel>, frames: mpsc::Sender<PathEvent>) {
    let mut budget = Budget::new(budget::FRAMES);
    while let Some(event) = channel.poll().await {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the library's enum may grow; the rest is no news"
        )]
        let told = match event {
            DataChannelEvent::OnOpen => PathEvent::Channel(true),
            DataChannelEvent::OnClose => PathEvent::Channel(false),
            DataChannelEvent::OnMessage(message)
                if message.data.len() <= LONGEST_FRAME && budget.take(clock::now(), ()) =>
            {
                PathEvent::Frame(message.data.to_vec())
            }
            _ => continue,
        };
        if frames.send(told).await.is_err() {
            return;
        }
    }
}
