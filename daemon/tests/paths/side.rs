//! One side of a call: a session of media with a microphone that hums and an ear that listens.
//!
//! Lives here: the side, its orders and what it reported.
//! Must not: know the other side.

use std::f32::consts::TAU;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use ahoy_call::{
    CallId, Description, Epoch, LegId, MediaOrder, MediaReport, Moment, Opaque, Role, SdpKind, Tracks,
};
use ahoyd::media::peer::{Peer, Setup};
use ahoyd::media::session::{self, Ask};
use ahoyd::media::transport::Plan;
use ahoyd::media::wanted::Wanted;
use ahoyd::media::{CallOrder, Report, Sound};
use ahoyd::system::clock;
use ahoyd::values::media::{Switch, Wishes};
use ahoyd::values::rows::Stats;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// A person, known by the pitch of their voice in Hz.
pub(crate) type Voice = u32;
pub(crate) const ANA: Voice = 300;
pub(crate) const BEN: Voice = 700;
pub(crate) const CID: Voice = 1_100;

/// These people's voices are steady tones, which are noise to a noise suppressor.
const PLAIN: Wishes = Wishes { echo: Switch::Off, noise: Switch::Off, gain: Switch::Off };
const PATIENCE: Duration = Duration::from_secs(15);
/// A quarter of a second: what an ear judges.
const WINDOW: usize = 12_000;

/// What a session begins with.
type Waiting = (Box<dyn Sound>, mpsc::Receiver<Ask>, mpsc::Sender<Report>);

pub(crate) struct Side {
    pub(crate) mic: Mic,
    pub(crate) ear: Ear,
    pub(crate) channel: bool,
    pub(crate) frames: Vec<Vec<u8>>,
    /// As in the configuration.
    pub(crate) interfaces: Vec<String>,
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
        let mic = Mic::default();
        let (played, played_out) = sync_channel(100_000);
        let hum = Hum { voice, mic: mic.clone(), since: None, given: 0, played, asked: None, wrote: 0 };
        let (asks, asked) = mpsc::channel(session::QUEUE);
        let (reports_in, reports) = mpsc::channel(256);
        let ear = Ear { played: played_out, all: Vec::new() };
        let leg = LegId::from_bytes([9; 16]);
        let waiting = Some((Box::new(hum) as Box<dyn Sound>, asked, reports_in));
        let (frames, heard) = (Vec::new(), Vec::new());
        let interfaces = vec!["lo".to_owned()];
        Self {
            mic,
            ear,
            interfaces,
            channel: false,
            frames,
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
        Peer::plan(role, Setup { interfaces: self.interfaces.clone(), ..Setup::default() })
    }

    fn prepare(&self, epoch: Epoch, plan: Plan) -> Ask {
        let key = (self.leg, epoch);
        self.wanted.send_modify(|wanted| {
            wanted.take(key, &MediaOrder::Prepare(Role::Offerer));
        });
        Ask::Prepare { key, plan, wanted: self.wanted.subscribe() }
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
        self.asks.try_send(Ask::Order(CallOrder::Volume(volume))).unwrap();
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
            Report::Gone { .. }
            | Report::Stats { .. }
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
        while self.asks.try_send(Ask::Order(CallOrder::Volume(1.0))).is_ok() {}
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

/// The switch of a microphone, and what was done with it.
#[derive(Clone, Default)]
pub(crate) struct Mic {
    on: Arc<AtomicBool>,
    ever: Arc<AtomicBool>,
    unplugged: Arc<AtomicBool>,
    resting: Arc<AtomicBool>,
}

impl Mic {
    pub(crate) fn is_read(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }
    pub(crate) fn was_read(&self) -> bool {
        self.ever.load(Ordering::Relaxed)
    }
    pub(crate) fn is_left_to_others(&self) -> bool {
        self.resting.load(Ordering::Relaxed) && !self.is_read()
    }
    pub(crate) fn unplug(&self) {
        self.unplugged.store(true, Ordering::Relaxed);
    }
    pub(crate) fn plug(&self) {
        self.unplugged.store(false, Ordering::Relaxed);
    }
}

/// What was played, judged by the end of it.
pub(crate) struct Ear {
    played: Receiver<Vec<f32>>,
    all: Vec<f32>,
}

impl Ear {
    fn window(&mut self) -> Option<&[f32]> {
        self.all.extend(self.played.try_iter().flatten());
        self.all.last_chunk::<WINDOW>().map(|chunk| &chunk[..])
    }

    /// This voice, loud and without a break in the last quarter of a second.
    pub(crate) fn hears(&mut self, voice: Voice) -> bool {
        self.window().is_some_and(|window| window.chunks(2400).all(|part| loudness(part, voice) > 0.05))
    }

    /// At most -70 dBFS in the last quarter of a second.
    pub(crate) fn is_silent(&mut self) -> bool {
        let threshold = 10f32.powf(-70.0 / 20.0);
        self.window().is_some_and(|window| rms(window) <= threshold)
    }

    pub(crate) fn is_untouched(&mut self) -> bool {
        self.all.extend(self.played.try_iter().flatten());
        self.all.iter().all(|&sample| sample == 0.0)
    }

    pub(crate) fn start_over(&mut self) {
        self.window();
        self.all.clear();
    }

    /// The longest stretch, in steps of 10 ms, in which next to nothing was played.
    pub(crate) fn longest_gap(&mut self) -> Duration {
        self.window();
        let quiet: Vec<bool> = self.all.chunks(480).map(|part| rms(part) < 0.02).collect();
        let longest = quiet.split(|quiet| !quiet).map(<[bool]>::len).max().unwrap_or(0);
        Duration::from_millis(10) * u32::try_from(longest).unwrap()
    }
}

fn rms(samples: &[f32]) -> f32 {
    (samples.iter().map(|s| s * s).sum::<f32>() / count(samples)).sqrt()
}

/// How loud this pitch is in it.
fn loudness(samples: &[f32], voice: Voice) -> f32 {
    let part = |phase: fn(f32) -> f32| {
        samples.iter().enumerate().map(|(n, s)| s * phase(angle(n, voice))).sum::<f32>() / count(samples)
    };
    part(f32::sin).hypot(part(f32::cos)) * 2.0
}

fn count(samples: &[f32]) -> f32 {
    f32::from(u16::try_from(samples.len()).unwrap())
}

fn angle(sample: usize, voice: Voice) -> f32 {
    // Whole periods are left out, so that the number stays small and exact.
    let step = u32::try_from(sample % 48_000).unwrap() * voice % 48_000;
    TAU * f32::from(u16::try_from(step).unwrap()) / 48_000.0
}

/// A microphone and a speaker that keep time by the clock.
struct Hum {
    voice: Voice,
    mic: Mic,
    since: Option<Moment>,
    given: usize,
    played: SyncSender<Vec<f32>>,
    asked: Option<Moment>,
    wrote: usize,
}

impl Sound for Hum {
    fn capture(&mut self, on: bool) {
        self.mic.on.store(on, Ordering::Relaxed);
        self.mic.ever.fetch_or(on, Ordering::Relaxed);
        (self.since, self.given) = (None, 0);
    }

    fn rest(&mut self, resting: bool) {
        self.mic.resting.store(resting, Ordering::Relaxed);
        (self.asked, self.wrote) = (None, 0);
    }

    fn read(&mut self, now: Moment, block: &mut [f32]) -> usize {
        if !self.mic.is_read() || self.mic.unplugged.load(Ordering::Relaxed) {
            self.since = None;
            return 0;
        }
        if self.since.is_none() {
            (self.since, self.given) = (Some(now), 0);
        }
        let due = samples(now - self.since.unwrap()).saturating_sub(self.given).min(block.len());
        for (n, place) in block.iter_mut().take(due).enumerate() {
            *place = 0.3 * angle(self.given + n, self.voice).sin();
        }
        self.given += due;
        due
    }

    fn wanted(&mut self, now: Moment) -> usize {
        let asked = *self.asked.get_or_insert(now);
        (samples(now - asked) + 480).saturating_sub(self.wrote)
    }

    fn due(&mut self, _now: Moment, _missing: Option<usize>) -> Duration {
        Duration::from_millis(8)
    }

    fn write(&mut self, samples: &[f32]) {
        assert!(!self.mic.resting.load(Ordering::Relaxed), "a held call plays nothing");
        self.wrote += samples.len();
        self.played.try_send(samples.to_vec()).unwrap();
    }
}

fn samples(duration: Duration) -> usize {
    usize::try_from(duration.as_micros() * 48 / 1000).unwrap()
}
