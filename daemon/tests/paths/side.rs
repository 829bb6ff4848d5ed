//! One side of a call: a session of media with a microphone that hums and an ear that listens (`sound.rs`).
//!
//! Lives here: the side, its orders and what it reported.
//! Must not: know the other side.

use std::time::Duration;

use ahoy_call::{CallId, Description, Epoch, LegId, MediaOrder, MediaReport, Opaque, Role, SdpKind, Tracks};
use ahoyd::media::peer::{Peer, Setup};
use ahoyd::media::session::{self, Ask};
use ahoyd::media::transport::Plan;
use ahoyd::media::wanted::Wanted;
use ahoyd::media::{CallOrder, Report, Sound};
use ahoyd::system::clock;
use ahoyd::system::trust::Trust;
use ahoyd::values::ice::IceServer;
use ahoyd::values::line::Line;
use ahoyd::values::media::{Switch, Wishes};
use ahoyd::values::rows::Stats;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::sound::{Ear, Hum, Mic, Voice};

/// These people's voices are steady tones, which are noise to a noise suppressor.
const PLAIN: Wishes = Wishes { echo: Switch::Off, noise: Switch::Off, gain: Switch::Off };
const PATIENCE: Duration = Duration::from_secs(15);

/// What a session begins with.
type Waiting = (Box<dyn Sound>, mpsc::Receiver<Ask>, mpsc::Sender<Report>);

pub(crate) struct Side {
    pub(crate) mic: Mic,
    pub(crate) ear: Ear,
    pub(crate) channel: bool,
    pub(crate) frames: Vec<Vec<u8>>,
    /// As it was told last.
    pub(crate) line: Line,
    /// As in the configuration.
    pub(crate) interfaces: Vec<String>,
    /// STUN and TURN servers, and who certifies them.
    pub(crate) ice_servers: Vec<IceServer>,
    pub(crate) trust: Trust,
    /// Its address is shown to TURN servers alone.
    pub(crate) relay_only: bool,
    pub(crate) reports: mpsc::Receiver<Report>,
    heard: Vec<(Epoch, MediaReport)>,
    described: Vec<Epoch>,
    leg: LegId,
    asks: mpsc::Sender<Ask>,
    wanted: watch::Sender<Wanted>,
    waiting: Option<Waiting>,
    task: JoinSet<()>,
}

impl Side {
    pub(crate) fn new(voice: Voice) -> Self {
        let (hum, mic, ear) = Hum::new(voice);
        let (asks, asked) = mpsc::channel(session::QUEUE);
        let (reports_in, reports) = mpsc::channel(256);
        let leg = LegId::from_bytes([9; 16]);
        let waiting = Some((Box::new(hum) as Box<dyn Sound>, asked, reports_in));
        let (frames, heard) = (Vec::new(), Vec::new());
        let interfaces = vec!["lo".to_owned()];
        Self {
            mic,
            ear,
            interfaces,
            ice_servers: Vec::new(),
            trust: Trust::default(),
            relay_only: false,
            channel: false,
            frames,
            line: Line::default(),
            reports,
            heard,
            described: Vec::new(),
            leg,
            asks,
            wanted: watch::channel(Wanted::default()).0,
            waiting,
            task: JoinSet::new(),
        }
    }

    pub(crate) fn order(&mut self, epoch: Epoch, order: MediaOrder) {
        if let MediaOrder::Prepare(role) = order {
            return self.join(epoch, self.peer(role));
        }
        let (leg, mut done) = (self.leg, true);
        self.wanted.send_modify(|wanted| done = wanted.take((leg, epoch), &order));
        if !done {
            self.give(Ask::Order(CallOrder::Path { leg, epoch, order }));
        }
    }

    /// Takes part over this.
    pub(crate) fn join(&mut self, epoch: Epoch, plan: Plan) {
        self.give(self.prepare(epoch, plan));
    }

    fn give(&mut self, ask: Ask) {
        self.asks.try_send(ask).unwrap();
        if let Some((sound, asked, reports)) = self.waiting.take() {
            let (call, wanted) = (CallId::from_bytes([1; 16]), self.wanted.subscribe());
            self.task.spawn(session::run(call, 32_000, PLAIN, sound, wanted, asked, reports));
        }
    }

    /// Whether the session, which has begun, still takes this.
    pub(crate) fn try_order(&mut self, epoch: Epoch, role: Role) -> bool {
        self.asks.try_send(self.prepare(epoch, self.peer(role))).is_ok()
    }

    fn peer(&self, role: Role) -> Plan {
        let setup = Setup {
            interfaces: self.interfaces.clone(),
            ice_servers: self.ice_servers.clone(),
            trust: self.trust.clone(),
            relay_only: self.relay_only,
            ..Setup::default()
        };
        Peer::plan(role, setup)
    }

    fn prepare(&self, epoch: Epoch, plan: Plan) -> Ask {
        let key = (self.leg, epoch);
        self.wanted.send_modify(|wanted| {
            wanted.take(key, &MediaOrder::Prepare(Role::Offerer));
        });
        Ask::Prepare { key, plan, is_room: false, wanted: self.wanted.subscribe() }
    }

    /// A word about this path, whatever it is.
    pub(crate) async fn until_anything(&mut self, epoch: Epoch) {
        loop {
            let one = clock::timeout(PATIENCE, self.reports.recv()).await.expect("a word in time");
            if let Report::Event { epoch: of, .. } = one.expect("the session says it before it ends")
                && of == epoch
            {
                return;
            }
        }
    }

    pub(crate) fn open(&mut self, epoch: Epoch, muted: bool) {
        self.order(epoch, MediaOrder::Open { tracks: Tracks::VOICE, muted, held: false });
    }

    pub(crate) fn turn(&mut self, volume: f32) {
        self.asks.try_send(Ask::Order(CallOrder::Volume { leg: self.leg, volume })).unwrap();
    }

    pub(crate) async fn stats(&mut self) -> Stats {
        self.asks.try_send(Ask::Order(CallOrder::Stats(7))).unwrap();
        loop {
            let one = clock::timeout(PATIENCE, self.reports.recv()).await.expect("numbers in time").unwrap();
            if let Report::Stats { ticket: 7, stats } = one {
                return *stats;
            }
            self.take(one);
        }
    }

    pub(crate) fn frame(&mut self, bytes: &[u8]) {
        self.asks.try_send(Ask::Order(CallOrder::Frame { leg: self.leg, bytes: bytes.to_vec() })).unwrap();
    }

    /// Takes in a report; descriptions and candidates are handed out, for the other side.
    pub(crate) fn take(&mut self, report: Report) -> Option<(Epoch, MediaReport)> {
        match report {
            Report::Event { epoch, report, .. } => match report {
                MediaReport::Described(_) => {
                    self.described.push(epoch);
                    return Some((epoch, report));
                }
                MediaReport::Candidates { .. } => return Some((epoch, report)),
                MediaReport::Up
                | MediaReport::Lost
                | MediaReport::Stuck
                | MediaReport::Failed(_)
                | MediaReport::Voice(_) => {
                    self.heard.push((epoch, report));
                }
            },
            Report::Frame { bytes, .. } => self.frames.push(bytes),
            Report::Channel { open, .. } => self.channel = open,
            Report::Line { line, .. } => self.line = line,
            Report::Gone { .. }
            | Report::Member { .. }
            | Report::ByRoom { .. }
            | Report::Stats { .. }
            | Report::TestCall(_)
            | Report::Problems(_)
            | Report::Notes(_)
            | Report::Devices(_) => {}
        }
        None
    }

    pub(crate) fn has(&self, epoch: Epoch, report: &MediaReport) -> bool {
        self.heard.iter().any(|(of, one)| *of == epoch && one == report)
    }

    /// The session has begun.
    pub(crate) fn is_asked(&self) -> bool {
        self.waiting.is_none()
    }

    pub(crate) fn forget(&mut self) {
        self.heard.clear();
    }

    pub(crate) async fn until_report(&mut self, epoch: Epoch, report: &MediaReport) {
        while !self.has(epoch, report) {
            let one = clock::timeout(PATIENCE, self.reports.recv()).await;
            let one = one.unwrap_or_else(|_| panic!("no {report:?}")).expect("the session lives");
            self.take(one);
        }
    }

    pub(crate) async fn until_described(&mut self, epoch: Epoch) -> Description {
        loop {
            let one = clock::timeout(PATIENCE, self.reports.recv()).await.expect("a description in time");
            if let Some((of, MediaReport::Described(text))) = self.take(one.unwrap())
                && of == epoch
            {
                return text;
            }
        }
    }

    /// Fills the queue of orders to the brim.
    pub(crate) fn choke(&mut self) {
        while self.asks.try_send(Ask::Order(CallOrder::Volume { leg: self.leg, volume: 1.0 })).is_ok() {}
    }

    /// Whether this path ever said what it is.
    pub(crate) fn was_described(&self, epoch: Epoch) -> bool {
        self.described.contains(&epoch)
    }

    /// Nothing of the call may be open any more, whatever was ordered before.
    pub(crate) fn end_call(&mut self) {
        self.wanted.send_replace(Wanted::default());
    }

    /// Whether the session has ended by itself, with everything closed.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.task.try_join_next();
        self.task.is_empty()
    }

    /// Stops the session and waits until it has closed everything.
    pub(crate) async fn end(&mut self) {
        self.reports.close();
        self.asks.try_send(Ask::Stop).ok();
        while let Some(ended) = clock::timeout(PATIENCE, self.task.join_next()).await.expect("an end in time")
        {
            ended.unwrap();
        }
    }
}

pub(crate) fn description(kind: SdpKind, text: &str) -> Description {
    Description { kind, body: Opaque(text.as_bytes().to_vec()) }
}
