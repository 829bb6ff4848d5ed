//! Our side, by the verbs of a manager of peer connections.
//!
//! Lives here: each verb, as an order to one path of the daemon's media (`media/peer`), with a tone instead of a microphone.
//! Must not: know the other side, or what carries descriptions to it.

use std::time::Duration;

use ahoy_call::{Description, Epoch, LegId, MediaFault, Opaque, Role};
use ahoyd::media::peer::{Manners, Peer, Setup};
use ahoyd::media::transport::{Events, Flow, PathEvent, PathOrder, Renewal, Track, Transport};
use ahoyd::media::wanted::Key;
use ahoyd::system::clock;
use ahoyd::values::ice::IceServer;
use anyhow::{Context as _, ensure};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::tone::{Ear, Mouth, Pitch};

/// What is said of a connection that stands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stats {
    pub(crate) sent: u32,
    pub(crate) received: u32,
    pub(crate) round_trip: Option<Duration>,
}

/// What is to be passed on to the other side.
pub(crate) enum Out {
    Description(Description),
    Candidates(Vec<Opaque>),
}

/// One connection to a side that is no ahoy.
pub(crate) struct Manager {
    ice_servers: Vec<IceServer>,
    whole: bool,
    transport: Option<Box<dyn Transport>>,
    events_in: Events,
    events: mpsc::Receiver<(Key, PathEvent)>,
    tasks: JoinSet<()>,
    mouth: Mouth,
    track: Option<Pitch>,
    enabled: bool,
    pub(crate) ear: Ear,
    up: bool,
    failed: Option<MediaFault>,
    pub(crate) channel: bool,
    pub(crate) frames: Vec<Vec<u8>>,
    stats: Stats,
}

impl Manager {
    /// `whole`: the other side takes no candidates after a description.
    pub(crate) fn initialize(
        ice_servers: Vec<IceServer>,
        whole: bool,
        listens_for: Pitch,
    ) -> anyhow::Result<Self> {
        let (events_in, events) = mpsc::channel(256);
        Ok(Self {
            ice_servers,
            whole,
            transport: None,
            events_in,
            events,
            tasks: JoinSet::new(),
            mouth: Mouth::new()?,
            track: None,
            enabled: true,
            ear: Ear::new(listens_for)?,
            up: false,
            failed: None,
            channel: false,
            frames: Vec::new(),
            stats: Stats::default(),
        })
    }

    pub(crate) fn add_local_stream(&mut self, pitch: Pitch) {
        self.track = Some(pitch);
    }

    pub(crate) fn replace_track(&mut self, old: Pitch, new: Pitch) -> anyhow::Result<()> {
        ensure!(self.track == Some(old), "this track is not sent");
        self.track = Some(new);
        Ok(())
    }

    /// The first offer.
    pub(crate) fn offer(&mut self) {
        self.begin(Role::Offerer);
    }

    fn begin(&mut self, role: Role) {
        // Towards browsers we are polite: they fail at taking back an offer over ours.
        let setup = Setup {
            ice_servers: self.ice_servers.clone(),
            foreign: Some(Manners::Polite),
            whole: self.whole,
            ..Setup::default()
        };
        let key = (LegId::from_bytes([7; 16]), Epoch(1));
        let (transport, task) = Peer::plan(role, setup)(key, self.events_in.clone());
        self.tasks.spawn(task);
        self.transport = Some(transport);
    }

    pub(crate) fn handle_remote_description(&mut self, description: Description) -> anyhow::Result<()> {
        match self.transport {
            Some(_) => self.order(PathOrder::Remote(description)),
            None => {
                self.begin(Role::Answerer(description));
                Ok(())
            }
        }
    }

    /// `json` as `RTCIceCandidateInit`.
    pub(crate) fn handle_ice_candidate(&mut self, json: &[u8]) -> anyhow::Result<()> {
        self.order(PathOrder::Candidates(vec![Opaque(json.to_vec())]))
    }

    pub(crate) fn restart_ice(&mut self) -> anyhow::Result<()> {
        self.order(PathOrder::Renew(Renewal::Restart))
    }

    pub(crate) fn renegotiate(&mut self) -> anyhow::Result<()> {
        self.order(PathOrder::Renew(Renewal::Describe))
    }

    pub(crate) fn flow(&mut self, flow: Flow) -> anyhow::Result<()> {
        self.order(PathOrder::Flow(flow))
    }

    pub(crate) fn frame(&mut self, bytes: Vec<u8>) -> anyhow::Result<()> {
        self.order(PathOrder::Frame(bytes))
    }

    /// Whether the voice is sent now; without it silence flows.
    pub(crate) fn set_audio_enabled(&mut self, on: bool) -> bool {
        self.enabled = on;
        self.enabled
    }

    /// None while nothing stands.
    pub(crate) fn get_stats(&self) -> Option<Stats> {
        self.up.then_some(self.stats)
    }

    pub(crate) async fn close(&mut self) -> anyhow::Result<()> {
        self.transport = None;
        (self.up, self.channel) = (false, false);
        while let Some(ended) = clock::timeout(Duration::from_secs(5), self.tasks.join_next())
            .await
            .context("it does not close")?
        {
            ended?;
        }
        Ok(())
    }

    fn order(&self, order: PathOrder) -> anyhow::Result<()> {
        self.transport.as_ref().context("nothing stands")?.order(order).context("ordering")
    }

    /// The next 20 ms of our voice.
    pub(crate) fn speak(&mut self) -> anyhow::Result<()> {
        if self.up && self.track.is_some() {
            let packet = self.mouth.frame(self.track.filter(|_| self.enabled))?;
            self.stats.sent += 1;
            self.order(PathOrder::Packet(Track::Voice, packet))?;
        }
        Ok(())
    }

    /// What comes next. May be given up at any time.
    pub(crate) async fn next(&mut self) -> PathEvent {
        match self.events.recv().await {
            Some((_, event)) => event,
            // We hold the other end ourselves.
            None => std::future::pending().await,
        }
    }

    /// Takes in what came; what is for the other side is handed out.
    pub(crate) fn take(&mut self, event: PathEvent) -> anyhow::Result<Option<Out>> {
        match event {
            PathEvent::Described(description) => return Ok(Some(Out::Description(description))),
            PathEvent::Candidates { list, .. } => return Ok(Some(Out::Candidates(list))),
            PathEvent::Up => self.up = true,
            PathEvent::Lost | PathEvent::Stuck => self.up = false,
            PathEvent::Failed(fault) => self.failed = Some(fault),
            PathEvent::Packet { packet, .. } => {
                self.stats.received += 1;
                self.ear.hear(clock::now(), &packet.payload);
            }
            PathEvent::Reception(reception) => self.stats.round_trip = reception.round_trip,
            PathEvent::Frame(bytes) => self.frames.push(bytes),
            PathEvent::Channel(open) => self.channel = open,
            PathEvent::Gone
            | PathEvent::Pair(_)
            | PathEvent::Ciphers(_)
            | PathEvent::Takes(_)
            | PathEvent::Feedback(_)
            | PathEvent::Asked(_) => {}
        }
        ensure!(self.failed.is_none(), "the path failed: {:?}", self.failed);
        Ok(None)
    }
}
