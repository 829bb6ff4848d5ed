//! The task of one path, from its first description to its closed sockets.
//!
//! Lives here: the one exchange with another ahoy, and what is told when; with others: `task/exchanges.rs`; candidates:
//! `task/candidates.rs`. What the library's states mean is `state.rs`.
//! Must not: decide what to do about a path that is lost or stuck.

mod candidates;
mod exchanges;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ahoy_call::{Description, MediaFault, Moment, Opaque, Role, SdpKind};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::peer_connection::RTCSessionDescription;

use self::candidates::Candidates;
use super::connection::{self, Connection, Parts};
use super::foreign::{Foreign, Unusable};
use super::handler::{self, Heard};
use super::readers::{read_channel, read_track};
use super::runtime::Naps;
use super::sending::{PayloadTypes, Sending};
use super::servers::Servers;
use super::state::State;
use super::turn::Carrier;
use super::{Setup, addresses, guard, pair, way};
use crate::media::flood::Flood;
use crate::media::transport::{Events, PathEvent, PathOrder, Renewal, Track};
use crate::media::wanted::Key;
use crate::system::clock;
use crate::values::line::{CandidateKind, Pair};

/// Runs a path until `orders` ends, then closes it. Nothing but `Failed` is told after a failure.
pub(super) async fn run(
    key: Key,
    role: Role,
    setup: Setup,
    orders: mpsc::Receiver<PathOrder>,
    events: Events,
) {
    let (heard_in, heard) = mpsc::channel(handler::QUEUE);
    let early = matches!(role, Role::Early(_));
    let naps = Naps::default();
    if !early {
        naps.searching();
    }
    let addresses = addresses::local(&setup.interfaces, setup.relay_only);
    let Some(home) = addresses.first() else {
        tracing::warn!("none of the network interfaces of the configuration has an address");
        fail(key, MediaFault::Media, orders, &events).await;
        return;
    };
    let servers = Servers::choose(&setup.ice_servers, home.ip(), setup.relay_only);
    let by_turn = servers.relay();
    if setup.relay_only && !by_turn {
        tracing::warn!("a path by TURN alone was asked for, and no TURN server is known");
        fail(key, MediaFault::NoTurn, orders, &events).await;
        return;
    }
    let ((found, found_out), mut streams) = (watch::channel(None), JoinSet::new());
    let (ssrc, naps_out) = (number(), naps.clone());
    let parts = Parts { addresses, servers, ssrc, early, naps: naps_out, found: found_out, heard: heard_in };
    let connection = match connection::build(parts, &setup, &mut streams).await {
        Ok(connection) => connection,
        Err(error) => {
            tracing::warn!(%error, "cannot build a path");
            fail(key, MediaFault::Media, orders, &events).await;
            return;
        }
    };
    let mut path = PeerPath {
        key,
        events,
        connection,
        sending: Sending::new(ssrc, PayloadTypes { opus: connection::PAYLOAD_TYPE, red: None, event: None }),
        theirs: None,
        came: Arc::default(),
        flood: Arc::default(),
        described: false,
        foreign: setup.foreign.map(|manners| Foreign::new(manners, setup.whole)),
        interfaces: setup.interfaces,
        candidates: Candidates::new(clock::now(), setup.relay_only),
        state: State::Building { dtls_until: None },
        pair: None,
        channel: false,
        readers: JoinSet::new(),
        naps,
        by_turn,
        found,
    };
    path.work(role, orders, heard).await;
    path.readers.abort_all();
    if let Err(error) = path.connection.link.close().await {
        tracing::warn!(%error, "a path did not close cleanly");
    }
}

async fn fail(key: Key, fault: MediaFault, mut orders: mpsc::Receiver<PathOrder>, events: &Events) {
    // A session that is gone needs no word.
    let _unheard = events.send((key, PathEvent::Failed(fault))).await;
    while orders.recv().await.is_some() {}
}

/// An SSRC: random, so that two streams do not meet (RFC 3550 §8).
fn number() -> u32 {
    let mut bytes = [0; 4];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u32::from_ne_bytes(bytes),
        Err(_) => 1,
    }
}

struct PeerPath {
    key: Key,
    events: Events,
    connection: Connection,
    sending: Sending,
    /// The SSRC of the other side's voice, once it came.
    theirs: Option<u32>,
    /// When it came last, in µs.
    came: Arc<AtomicU64>,
    flood: Arc<Flood>,
    /// The other side's description is in.
    described: bool,
    foreign: Option<Foreign>,
    /// Those that the person allows.
    interfaces: Vec<String>,
    candidates: Candidates,
    state: State,
    /// The ends that were told last.
    pair: Option<Pair>,
    channel: bool,
    readers: JoinSet<()>,
    naps: Naps,
    by_turn: bool,
    /// The cheapest way that was found.
    found: watch::Sender<Option<Carrier>>,
}

impl PeerPath {
    async fn work(
        &mut self,
        role: Role,
        mut orders: mpsc::Receiver<PathOrder>,
        mut heard: mpsc::Receiver<Heard>,
    ) {
        if let Err(error) = self.begin(role).await {
            tracing::debug!(%error, "a path could not be described");
            self.fail(MediaFault::Negotiation).await;
        }
        let (frames_in, mut frames) = mpsc::channel(16);
        self.readers.spawn(read_channel(self.connection.channel.clone(), frames_in));
        let (mut batch, mut deaf) = (Vec::new(), false);
        loop {
            tokio::select! {
                asked = orders.recv() => match asked {
                    Some(asked) => self.on_order(asked).await,
                    None => return,
                },
                count = heard.recv_many(&mut batch, handler::QUEUE), if !deaf => {
                    if count == 0 {
                        // Only the library held the other end: its driver is gone.
                        deaf = true;
                        self.fail(MediaFault::Media).await;
                    }
                    self.hear(batch.drain(..)).await;
                }
                Some(frame) = frames.recv() => self.frame(frame).await,
                () = clock::at(self.waits_until()) => self.waited().await,
                () = clock::at(self.candidates.due()) => self.no_turn().await,
                () = clock::at(self.state.due()) => match self.state.is_stuck() {
                    true => self.stuck().await,
                    false => self.down().await,
                },
            }
        }
    }

    async fn describe(&mut self, role: Role) -> Result<(), Unusable> {
        let (link, mut takes) = (&self.connection.link, None);
        let early = matches!(role, Role::Early(_));
        let (kind, ours) = match role {
            Role::Offerer => (SdpKind::Offer, link.create_offer(None).await?),
            Role::Answerer(offer) | Role::Early(offer) => {
                let checked = guard::description(SdpKind::Offer, &connection::SECTIONS, &offer)?;
                self.sending.payload_types = checked.payload_types;
                takes = Some(checked.takes);
                link.set_remote_description(RTCSessionDescription::offer(checked.text)?).await?;
                let answer = link.create_answer(None).await?;
                self.described = true;
                if !early {
                    // To try one now would show our address before anybody answers.
                    self.candidates.put(checked.candidates);
                }
                (SdpKind::Answer, answer)
            }
        };
        let body = Opaque(guard::with_what_we_take(&ours.sdp).into_bytes());
        self.connection.link.set_local_description(ours).await?;
        if let Some(takes) = takes {
            self.tell(PathEvent::Takes(takes)).await;
        }
        self.tell(PathEvent::Described(Description { kind, body })).await;
        self.add_candidates(Vec::new()).await;
        Ok(())
    }

    async fn on_order(&mut self, asked: PathOrder) {
        if self.state == State::Dead {
            return;
        }
        match asked {
            PathOrder::Remote(description) => self.description_came(description).await,
            PathOrder::Candidates(list) => self.candidates_came(list).await,
            PathOrder::Renew(renewal) => self.renew(None, renewal).await,
            PathOrder::Flow(flow) => self.renew(Some(flow), Renewal::Describe).await,
            PathOrder::Packet(Track::Voice, packet) if self.sends() => {
                let packet = self.sending.packet(clock::now(), packet);
                self.send(packet).await;
            }
            PathOrder::Packet(..) => {}
            PathOrder::Ask(missing) => {
                if let Some(theirs) = self.theirs.filter(|_| !missing.is_empty()) {
                    self.say(self.sending.ask(theirs, &missing)).await;
                }
            }
            PathOrder::Feedback(feedback) => self.say(self.sending.tell(&feedback)).await,
            PathOrder::Repeat(on) => self.sending.repeats = on,
            PathOrder::Forget => self.sending.forget(),
            PathOrder::Look => {
                if self.state.is_up() && way::is_gone(&*self.connection.link, &self.interfaces).await {
                    self.tell(PathEvent::Gone).await;
                }
            }
            PathOrder::Frame(bytes) => {
                // A frame that finds no room goes by the relay, or is repeated.
                if self.channel && self.connection.channel.try_send(bytes.as_slice().into()).await.is_err() {
                    tracing::debug!("a frame was dropped before the data channel");
                }
            }
        }
    }

    async fn answered(&mut self, answer: &Description) -> Result<(), Unusable> {
        if self.described {
            return Ok(());
        }
        let checked = guard::description(SdpKind::Answer, &connection::SECTIONS, answer)?;
        self.sending.payload_types = checked.payload_types;
        self.tell(PathEvent::Takes(checked.takes)).await;
        self.connection.link.set_remote_description(RTCSessionDescription::answer(checked.text)?).await?;
        self.described = true;
        self.add_candidates(checked.candidates).await;
        Ok(())
    }

    async fn send(&mut self, packet: rtc::rtp::Packet) {
        if self.connection.track.write_rtp(packet).await.is_err() {
            self.fail(MediaFault::Media).await;
        }
    }

    /// A word about the other side's voice. One that gets lost is said anew.
    async fn say(&self, word: Box<dyn rtc::rtcp::Packet>) {
        if self.state.is_up() && self.connection.track.write_rtcp(vec![word]).await.is_err() {
            tracing::debug!("a word about the other side's voice was not sent");
        }
    }

    async fn hear(&mut self, batch: impl Iterator<Item = Heard> + Send) {
        for heard in self.candidates_found(batch).await {
            match heard {
                Heard::Searching => self.naps.searching(),
                Heard::IceUp => {
                    self.state.found_way(clock::now());
                    self.calm();
                }
                Heard::Up => self.up().await,
                Heard::Down => self.down().await,
                Heard::Broken if self.state.is_stuck() => self.stuck().await,
                Heard::Broken if self.state.lost() => self.lost().await,
                Heard::Broken => {}
                Heard::Track(track) => {
                    self.theirs = track.ssrcs().await.first().copied();
                    let (types, events) = (self.sending.payload_types, self.events.clone());
                    let (came, flood) = (self.came.clone(), self.flood.clone());
                    self.readers.spawn(read_track(track, types, self.key, events, came, flood));
                }
                Heard::Reception(reception) => {
                    self.tell(PathEvent::Reception(reception)).await;
                    // About once a second.
                    self.look_at_pair().await;
                }
                Heard::Asked(missing) => {
                    self.tell(PathEvent::Asked(missing.len())).await;
                    for packet in self.sending.again(clock::now(), &missing) {
                        self.send(packet).await;
                    }
                }
                Heard::Feedback(feedback) => self.tell(PathEvent::Feedback(feedback)).await,
                Heard::StreamEnded(number) => {
                    // Nothing comes that way any more, and nobody need wait to notice.
                    let by = pair::stream(&*self.connection.link).await;
                    if by == Some(number) && self.state.lost() {
                        self.lost().await;
                    }
                }
                Heard::Candidate(_) | Heard::Relayed(..) | Heard::GatheringComplete => {}
            }
        }
    }

    async fn down(&mut self) {
        let last = Moment::from_micros(self.came.load(Ordering::Relaxed));
        if self.state.down(clock::now(), last + connection::SILENT_FOR) {
            self.lost().await;
        }
    }

    async fn up(&mut self) {
        let news = self.state.up();
        self.calm();
        if news {
            self.found.send_replace(Some(Carrier::Udp));
            self.tell(PathEvent::Up).await;
            if let Some(ciphers) = pair::ciphers(&*self.connection.link).await {
                self.tell(PathEvent::Ciphers(ciphers)).await;
            }
            self.look_at_pair().await;
            self.calm();
        }
    }

    fn calm(&self) {
        if self.state.is_up() {
            // By TURN each packet would wait for the driver's next turn.
            let direct = self.pair.is_some_and(|pair| pair.local.kind != CandidateKind::Relay);
            self.naps.carrying(self.by_turn && !direct);
        }
    }

    async fn look_at_pair(&mut self) {
        let pair = pair::selected(&*self.connection.link).await;
        if let Some(pair) = pair.filter(|pair| self.pair != Some(*pair)) {
            self.pair = Some(pair);
            self.tell(PathEvent::Pair(pair)).await;
        }
    }

    async fn lost(&mut self) {
        self.naps.searching();
        self.tell(PathEvent::Lost).await;
    }

    async fn stuck(&mut self) {
        self.state = State::Dead;
        self.tell(PathEvent::Stuck).await;
    }

    async fn fail(&mut self, fault: MediaFault) {
        if self.state != State::Dead {
            self.state = State::Dead;
            self.tell(PathEvent::Failed(fault)).await;
        }
    }

    async fn frame(&mut self, told: PathEvent) {
        if let PathEvent::Channel(open) = told {
            self.channel = open;
        }
        self.tell(told).await;
    }

    async fn tell(&self, event: PathEvent) {
        // A session that is gone needs no word: its handle is dropped too, and the path ends.
        let _unheard = self.events.send((self.key, event)).await;
    }
}
