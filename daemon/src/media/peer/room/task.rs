//! The task of one connection to a room.
//!
//! Lives here: what the signaling asks, what comes and goes, who is heard.
//! Must not: wait for the signaling or the session; touch what is inside a frame.

use std::collections::BTreeMap;
use std::sync::Arc;

use ahoy_call::MediaFault;
use rtc::rtp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use webrtc::media_stream::track_local::TrackLocal as _;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

use super::RoomSetup;
use super::answer;
use super::connection::{Connection, PAYLOAD_TYPE};
use crate::media::codec::PACKET_MAX;
use crate::media::peer::handler::Heard;
use crate::media::peer::sending::{PayloadTypes, Sending};
use crate::media::rests::Rests;
use crate::media::transport::{Events, Packet, PathEvent, PathOrder, Takes, Track};
use crate::media::wanted::Key;
use crate::system::clock;
use crate::values::room::{Identity, RoomAsk, RoomCandidate, RoomSaid, Sdp, TrackSid};

/// Packets of all others that wait for the task: a fifth of a second of ten who speak. More are dropped.
const PACKETS: usize = 128;
/// Tracks that are read at a time.
const TRACKS: usize = 64;

/// Runs a connection until its handle is dropped, the signaling closes it, or both are gone.
pub(super) async fn run(key: Key, setup: RoomSetup, mut orders: mpsc::Receiver<PathOrder>, events: Events) {
    let (came_in, mut came) = mpsc::channel(PACKETS);
    let RoomSetup { interfaces, relay_only, mut asks, says, cipher, legs } = setup;
    let mut path = RoomTask {
        key,
        events,
        interfaces,
        relay_only,
        says,
        cipher,
        legs,
        connection: None,
        sending: Sending::new(0, TYPES),
        rests: Rests::default(),
        ssrc: 0,
        up: false,
        tracks: BTreeMap::new(),
        readers: JoinSet::new(),
        came: came_in,
        tried: 0,
    };
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(order) => path.on_order(order).await,
                None => break,
            },
            ask = asks.recv() => match ask {
                Some(RoomAsk::Close) | None => {
                    path.tell(PathEvent::Failed(MediaFault::Media)).await;
                    path.close().await;
                    // As with every path: its owner lets it go.
                    while orders.recv().await.is_some() {}
                    break;
                }
                Some(ask) => path.asked(ask).await,
            },
            count = heard(path.connection.as_mut(), &mut batch) => {
                if count == 0 {
                    path.failed().await;
                }
                for heard in batch.drain(..) {
                    path.hear(heard).await;
                }
            },
            Some((sid, packet)) = came.recv() => path.packet_came(&sid, packet),
        }
    }
    path.close().await;
}

/// Opus under the number that is offered, and nothing beside it.
const TYPES: PayloadTypes = PayloadTypes { opus: PAYLOAD_TYPE, red: None, event: None };

async fn heard(connection: Option<&mut Connection>, batch: &mut Vec<Heard>) -> usize {
    match connection {
        Some(connection) => connection.heard.recv_many(batch, 64).await,
        None => std::future::pending().await,
    }
}

struct RoomTask {
    key: Key,
    events: Events,
    interfaces: Vec<String>,
    relay_only: bool,
    says: mpsc::Sender<RoomSaid>,
    cipher: Box<dyn crate::values::room::FrameCipher>,
    legs: tokio::sync::watch::Receiver<BTreeMap<Identity, ahoy_call::LegId>>,
    connection: Option<Connection>,
    sending: Sending,
    rests: Rests,
    ssrc: u32,
    up: bool,
    tracks: BTreeMap<TrackSid, Identity>,
    readers: JoinSet<()>,
    came: mpsc::Sender<(Arc<str>, rtp::Packet)>,
    /// Candidates of the server's since the last description.
    tried: usize,
}

impl RoomTask {
    async fn asked(&mut self, ask: RoomAsk) {
        let done = match ask {
            RoomAsk::Build { number, sections } => self.build(number, sections).await,
            RoomAsk::Begin(servers) => match &mut self.connection {
                Some(connection) => connection.begin(servers).await.is_ok(),
                None => true,
            },
            RoomAsk::Offer { number, more, restart } => {
                self.tried = 0;
                match &mut self.connection {
                    // Another one finds a way, this one never.
                    Some(connection) if restart && connection.is_stranded(&self.interfaces) => false,
                    Some(connection) => {
                        let offer = connection.offer(more, restart).await;
                        offer.is_ok_and(|text| self.say(RoomSaid::Offered(number, Sdp(text))))
                    }
                    None => true,
                }
            }
            RoomAsk::Withdraw => match &mut self.connection {
                Some(connection) => connection.withdraw().await.is_ok(),
                None => true,
            },
            RoomAsk::Answer(Sdp(text)) => self.answered(&text).await,
            RoomAsk::Candidate(RoomCandidate(json)) => {
                self.candidates(answer::candidate(&json)).await;
                true
            }
            RoomAsk::Tracks(tracks) => {
                self.tracks = tracks;
                true
            }
            RoomAsk::Close => true,
        };
        if !done {
            self.failed().await;
        }
    }

    async fn build(&mut self, number: u32, sections: usize) -> bool {
        self.close().await;
        self.ssrc = ssrc();
        self.sending = Sending::new(self.ssrc, TYPES);
        self.sending.repeats = true;
        self.rests = Rests::default();
        self.tracks.clear();
        self.tried = 0;
        let built = Connection::build(&self.interfaces, self.relay_only, self.ssrc, sections).await;
        let mut connection = match built {
            Ok(Some(connection)) => connection,
            Ok(None) => {
                tracing::warn!("none of the network interfaces of the configuration has an address");
                return false;
            }
            Err(error) => {
                tracing::warn!(%error, "cannot build a connection to a room");
                return false;
            }
        };
        let first = connection.first().await;
        self.connection = Some(connection);
        first.is_ok_and(|text| self.say(RoomSaid::Offered(number, Sdp(text))))
    }

    async fn answered(&mut self, text: &str) -> bool {
        let Some(connection) = &mut self.connection else { return true };
        let (text, candidates) = match answer::answer(text, connection.sections) {
            Ok(checked) => checked,
            Err(error) => {
                tracing::debug!(%error, "an answer of a room's server is refused");
                return false;
            }
        };
        if let Err(error) = connection.answered(text).await {
            tracing::debug!(%error, "an answer of a room's server could not be used");
            return false;
        }
        self.tell(PathEvent::Takes(Takes::default())).await;
        self.candidates(candidates).await;
        true
    }

    async fn candidates(&mut self, list: impl IntoIterator<Item = String>) {
        let Some(connection) = &self.connection else { return };
        for one in list {
            if self.tried == answer::CANDIDATES {
                return tracing::debug!("a room's server tells too many candidates");
            }
            self.tried += 1;
            connection.candidate(one).await;
        }
    }

    async fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Candidate(candidate) | Heard::Relayed(candidate, _) => {
                if let Some(json) = answer::written(&candidate) {
                    self.say(RoomSaid::Candidate(RoomCandidate(json)));
                }
            }
            Heard::GatheringComplete => {
                self.say(RoomSaid::Gathered);
            }
            Heard::Up => {
                if let Some(connection) = &self.connection {
                    connection.naps.carrying(false);
                }
                self.up = true;
                self.say(RoomSaid::Up);
                self.tell(PathEvent::Up).await;
            }
            Heard::Down => self.down(RoomSaid::Down).await,
            Heard::Broken => self.failed().await,
            Heard::Track(track) => {
                while self.readers.try_join_next().is_some() {}
                if self.readers.len() < TRACKS {
                    self.readers.spawn(read(track, self.came.clone()));
                }
            }
            Heard::Reception(reception) => self.tell(PathEvent::Reception(reception)).await,
            Heard::Asked(missing) => {
                self.tell(PathEvent::Asked(missing.len())).await;
                for packet in self.sending.again(clock::now(), &missing) {
                    self.send(packet).await;
                }
            }
            Heard::Searching | Heard::IceUp | Heard::Feedback(_) | Heard::StreamEnded(_) => {}
        }
    }

    async fn on_order(&mut self, order: PathOrder) {
        match order {
            PathOrder::Packet(Track::Voice, packet) if self.up => {
                let Some(packet) = self.rests.next(packet) else { return };
                // Without a key nothing leaves.
                let sealed = self.cipher.seal(self.ssrc, packet.timestamp, &packet.payload);
                let Some(payload) = sealed else { return };
                let packet = Packet { payload, copies: Vec::new(), event: None, ..packet };
                let packet = self.sending.packet(clock::now(), packet);
                self.send(packet).await;
            }
            PathOrder::Repeat(on) => self.sending.repeats = on,
            PathOrder::Forget => self.sending.forget(),
            PathOrder::Look => {
                if self.connection.as_ref().is_some_and(|it| it.is_stranded(&self.interfaces)) {
                    self.failed().await;
                }
            }
            // What is about one other side, or not for a room: missing packets are asked for by themselves, and what is negotiated
            // is the signaling's.
            PathOrder::Packet(..)
            | PathOrder::Remote(_)
            | PathOrder::Candidates(_)
            | PathOrder::Renew(_)
            | PathOrder::Flow(_)
            | PathOrder::Ask(_)
            | PathOrder::Feedback(_)
            | PathOrder::Frame(_) => {}
        }
    }

    async fn send(&mut self, packet: rtp::Packet) {
        let Some(connection) = self.connection.as_ref().filter(|_| self.up) else { return };
        if connection.track.write_rtp(packet).await.is_err() {
            self.failed().await;
        }
    }

    /// A packet of this track: whose it is says the signaling, that it is theirs says its seal.
    fn packet_came(&mut self, sid: &str, packet: rtp::Packet) {
        let Some(from) = self.tracks.get(&TrackSid(sid.to_owned())) else { return };
        let Some(member) = self.legs.borrow().get(from).copied() else { return };
        if packet.header.payload_type != PAYLOAD_TYPE {
            return;
        }
        let Some((timestamp, payload)) = self.cipher.open(from, &packet.payload) else { return };
        if !(1..=PACKET_MAX).contains(&payload.len()) {
            return;
        }
        let (sequence, first) = (packet.header.sequence_number, packet.header.marker);
        let (copies, event) = (Vec::new(), None);
        let packet = Packet { sequence, timestamp, first, payload, copies, event };
        let told =
            self.events.try_send((self.key, PathEvent::Packet { member, track: Track::Voice, packet }));
        if told.is_err() {
            tracing::trace!("a packet of a room found no place");
        }
    }

    async fn down(&mut self, said: RoomSaid) {
        self.say(said);
        if std::mem::take(&mut self.up) {
            self.tell(PathEvent::Lost).await;
        }
    }

    async fn failed(&mut self) {
        self.close().await;
        self.down(RoomSaid::Failed).await;
    }

    /// Of the connection, not of the room: another one may be asked for.
    async fn close(&mut self) {
        self.readers.shutdown().await;
        if let Some(connection) = self.connection.take() {
            connection.close().await;
        }
        if std::mem::take(&mut self.up) {
            self.tell(PathEvent::Lost).await;
        }
    }

    /// Whether the signaling listens.
    fn say(&self, said: RoomSaid) -> bool {
        let heard = self.says.try_send(said).is_ok();
        if !heard {
            tracing::debug!("the signaling of a room is overrun or gone");
        }
        heard
    }

    async fn tell(&self, event: PathEvent) {
        // A session that is gone needs no word: its handle is dropped too, and the path ends.
        let _unheard = self.events.send((self.key, event)).await;
    }
}

/// Always read: packets that nobody fetches are written to the library's log.
async fn read(track: Arc<dyn TrackRemote>, came: mpsc::Sender<(Arc<str>, rtp::Packet)>) {
    let sid: Arc<str> = track.track_id().await.as_str().into();
    while let Some(event) = track.poll().await {
        let TrackRemoteEvent::OnRtpPacket(packet) = event else { continue };
        if let Err(mpsc::error::TrySendError::Closed(_)) = came.try_send((sid.clone(), packet)) {
            return;
        }
    }
}

/// An SSRC: random, so that two streams do not meet (RFC 3550 §8), and no nonce comes again with it.
fn ssrc() -> u32 {
    let mut bytes = [0; 4];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u32::from_ne_bytes(bytes),
        Err(_) => 1,
    }
}
