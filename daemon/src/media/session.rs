//! The sound and the paths of one call.
//!
//! Lives here: its legs, their epochs side by side, which of them is sent on and which are played; following what is wanted.
//! Must not: know what a call is for, how a path is built, or how a frame of sound is made.

mod adaptation;
mod asks;
mod numbers;
mod silence;
mod voice;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use ahoy_call::{CallId, Epoch, LegId, MediaFault, MediaOrder, MediaReport, Moment};
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};

use self::adaptation::Adaptation;
pub use self::asks::{Ask, QUEUE};
use self::silence::Heard;
use super::capture::Capture;
use super::pipeline::Playback;
use super::pump::Pump;
use super::redundancy::History;
use super::transport::{Events, PathEvent, PathOrder, Plan, QueueFull, Takes, Track, Transport};
use super::wanted::{Key, Wanted};
use super::{CallOrder, Report, Sound};
use crate::system::clock;
use crate::values::media::Wishes;

/// What paths tell and is not yet read: two seconds of voice on two paths, and some.
const TOLD: usize = 256;
/// Generations of one leg side by side: repair needs two.
const MOST_PATHS: usize = 8;
/// How long a closed path still carries frames: the word that ends a call is sealed while its path is being closed.
const LAST_WORDS: Duration = Duration::from_millis(300);
/// How long closing paths are waited for.
const FAREWELL: Duration = Duration::from_secs(1);

/// Runs the media of one call: from its first order, which must wait in `asks` already, until its last path is closed
/// and no order waits. What is open is what is `wanted`, and nothing when nobody wants any more.
pub async fn run(
    call: CallId,
    bitrate: u32,
    wishes: Wishes,
    sound: Box<dyn Sound>,
    wanted: watch::Receiver<Wanted>,
    mut asks: mpsc::Receiver<Ask>,
    reports: mpsc::Sender<Report>,
) {
    let capture = match Capture::new(bitrate, first_timestamp()) {
        Ok(capture) => capture,
        Err(error) => {
            tracing::error!(%error, "the voice encoder does not begin");
            refuse(call, &mut asks, &reports).await;
            return;
        }
    };
    let (told_in, told) = mpsc::channel(TOLD);
    let (legs, tasks, keys) = (BTreeMap::new(), JoinSet::new(), HashMap::new());
    let pump = Pump::new(sound, wishes, capture);
    let mut session = Session {
        call,
        bitrate,
        legs,
        leaving: Vec::new(),
        pump,
        history: History::default(),
        wanted,
        given_up: false,
        held: false,
        heard: true,
        sent: 0,
        tasks,
        keys,
        told_in,
        reports,
    };
    session.work(&mut asks, told).await;
    // From here on nobody reads: who asks for more begins another session.
    asks.close();
    refuse(call, &mut asks, &session.reports).await;
    let Session { mut tasks, pump, legs, leaving, .. } = session;
    // The devices close first, then every path, whose handles lie in the legs.
    drop((pump, legs, leaving));
    let all = async { while tasks.join_next().await.is_some() {} };
    if clock::timeout(FAREWELL, all).await.is_err() {
        tracing::warn!("paths took too long to close");
    }
}

/// A path that nobody will build has failed, and a question has its answer.
async fn refuse(call: CallId, asks: &mut mpsc::Receiver<Ask>, reports: &mpsc::Sender<Report>) {
    while let Ok(ask) = asks.try_recv() {
        let report = match ask {
            Ask::Prepare { key: (leg, epoch), .. } => {
                Report::Event { call, leg, epoch, report: MediaReport::Failed(MediaFault::Media) }
            }
            Ask::Order(CallOrder::Stats(ticket)) => Report::Stats { ticket, stats: Box::default() },
            Ask::Order(_) | Ask::Tone(_) | Ask::Voice(_) | Ask::Stop => continue,
        };
        // An engine that is gone needs no word.
        let _unheard = reports.send(report).await;
    }
}

/// Random (RFC 3550 §5.1). Sequence numbers are the matter of each path.
fn first_timestamp() -> u32 {
    let mut bytes = [0; 4];
    if getrandom::fill(&mut bytes).is_err() {
        tracing::warn!("no randomness for the first packet's timestamp");
    }
    u32::from_ne_bytes(bytes)
}

/// One generation of a leg's path.
struct SessionPath {
    /// As [`Wanted::which`] says.
    which: u64,
    transport: Box<dyn Transport>,
    up: bool,
    opened: bool,
    channel: bool,
    heard: Heard,
    takes: Takes,
    /// Whether it was told to send again what is asked for.
    repeats: bool,
}

/// One device of the other side.
#[derive(Default)]
struct Leg {
    paths: BTreeMap<Epoch, SessionPath>,
    /// Whom we hear over its paths: the device itself, or all who are behind it.
    voices: BTreeMap<LegId, Playback>,
    /// What was last reported of its data channel.
    channel: bool,
    adaptation: Adaptation,
    /// Its voice came at least once, by whichever path.
    heard: bool,
}

struct Session {
    call: CallId,
    /// The most that the codec is given, bit/s.
    bitrate: u32,
    legs: BTreeMap<LegId, Leg>,
    /// Closed paths, oldest first: without sound, open for frames until then.
    leaving: Vec<(Moment, LegId, Box<dyn Transport>)>,
    pump: Pump,
    history: History,
    wanted: watch::Receiver<Wanted>,
    /// Who wanted something is gone: nothing is wanted for good.
    given_up: bool,
    held: bool,
    /// A microphone gives sound, by our last word.
    heard: bool,
    /// Packets of voice so far.
    sent: u64,
    tasks: JoinSet<()>,
    keys: HashMap<Id, Key>,
    told_in: Events,
    reports: mpsc::Sender<Report>,
}

impl Session {
    async fn work(&mut self, asks: &mut mpsc::Receiver<Ask>, mut told: mpsc::Receiver<(Key, PathEvent)>) {
        let mut turn = clock::now();
        // Nothing waits between this look into the queue and the end: no order can slip in between.
        while !(self.legs.is_empty() && self.leaving.is_empty() && asks.is_empty()) {
            let gone = self.leaving.first().map_or(turn, |(gone, ..)| *gone);
            tokio::select! {
                biased;
                changed = self.wanted.changed(), if !self.given_up => {
                    self.given_up = changed.is_err();
                    self.follow().await;
                }
                ask = asks.recv() => match ask {
                    Some(Ask::Prepare { key, plan, wanted }) => {
                        (self.wanted, self.given_up) = (wanted, false);
                        self.prepare(key, plan).await;
                        self.follow().await;
                    }
                    Some(Ask::Order(order)) => self.on_order(order).await,
                    Some(Ask::Tone(clip)) => self.pump.sound(clip),
                    Some(Ask::Voice(wishes)) => self.pump.clean(wishes),
                    Some(Ask::Stop) | None => return,
                },
                Some((key, one)) = told.recv() => self.hear(key, one).await,
                Some(ended) = self.tasks.join_next_with_id() => self.ended(ended).await,
                () = clock::pace(turn.since(clock::now())), if self.sounding() => {}
                () = clock::sleep_until(gone), if !self.leaving.is_empty() => {}
            }
            self.leaving.retain(|(gone, ..)| *gone > clock::now());
            if self.sounding() && clock::now() >= turn {
                self.serve();
                self.mend();
                self.watch_for_silence().await;
                self.tell_voice().await;
                let now = clock::now();
                turn = now + self.pump.due(now);
            }
        }
    }

    async fn on_order(&mut self, order: CallOrder) {
        match order {
            CallOrder::Path { leg, epoch, order } => self.on_path_order((leg, epoch), order).await,
            CallOrder::Frame { leg, bytes } => self.frame(leg, bytes),
            CallOrder::Volume(volume) => self.pump.turn(volume),
            CallOrder::Levels(into) => self.pump.levels().add(into),
            CallOrder::Stats(ticket) => self.stats(ticket).await,
            // A state, which goes past this queue.
            CallOrder::End => {}
        }
    }

    async fn on_path_order(&mut self, key: Key, order: MediaOrder) {
        match order {
            MediaOrder::Remote(answer) => self.ask(key, PathOrder::Remote(answer)).await,
            MediaOrder::Candidates { list, complete: _ } => {
                self.ask(key, PathOrder::Candidates(list)).await;
            }
            MediaOrder::Probe => self.probe(key).await,
            // One is an order of its own here, the others are states.
            MediaOrder::Prepare(_)
            | MediaOrder::Open { .. }
            | MediaOrder::Pause
            | MediaOrder::SetMuted(_)
            | MediaOrder::SetHeld(_)
            | MediaOrder::Close => {}
        }
    }

    async fn ask(&mut self, key: Key, order: PathOrder) {
        let path = self.legs.get(&key.0).and_then(|leg| leg.paths.get(&key.1));
        match path.map(|path| path.transport.order(order)) {
            Some(Ok(())) => {}
            Some(Err(QueueFull)) => self.report(key, MediaReport::Failed(MediaFault::Media)).await,
            None => tracing::debug!(leg = ?key.0, epoch = key.1.0, "an order for a path that is gone"),
        }
    }

    /// Makes of paths and sound what is wanted now.
    async fn follow(&mut self) {
        let wanted = match self.given_up {
            true => Wanted::default(),
            false => self.wanted.borrow_and_update().clone(),
        };
        let mut over = Vec::new();
        for (leg, of) in &mut self.legs {
            for (epoch, path) in &mut of.paths {
                let is_wanted = wanted.which((*leg, *epoch)) == Some(path.which);
                path.opened |= is_wanted && wanted.is_opened((*leg, *epoch));
                over.extend((!is_wanted).then_some((*leg, *epoch)));
            }
        }
        // The microphone first: it is what must not stay open a moment longer.
        if !wanted.reads() {
            self.pump.pause(clock::now());
            self.forget_said();
        }
        self.hold(wanted.is_held(), wanted.is_muted());
        if wanted.reads() && self.sounding() {
            self.pump.open(clock::now());
        }
        for key in over {
            self.close(key).await;
        }
    }

    /// Leaves the devices to other calls, or takes them up again. What was heard and not played yet is nobody's any more.
    fn hold(&mut self, held: bool, muted: bool) {
        if held && !self.held {
            self.legs.values_mut().flat_map(|leg| leg.voices.values_mut()).for_each(Playback::forget);
        }
        self.held = held;
        if self.pump.mute(muted || held) {
            self.forget_said();
        }
        self.pump.hold(clock::now(), held);
    }

    async fn prepare(&mut self, key: Key, plan: Plan) {
        // One of the same name may have been closed meanwhile.
        self.follow().await;
        let Some(which) = self.wanted.borrow().which(key) else {
            return tracing::debug!(leg = ?key.0, epoch = key.1.0, "this path was closed before it was built");
        };
        let bitrate = self.bitrate;
        let leg = || Leg { adaptation: Adaptation::new(bitrate), ..Leg::default() };
        let paths = &mut self.legs.entry(key.0).or_insert_with(leg).paths;
        if paths.contains_key(&key.1) {
            return tracing::debug!(leg = ?key.0, epoch = key.1.0, "this path exists already");
        }
        if paths.len() >= MOST_PATHS {
            return self.report(key, MediaReport::Failed(MediaFault::Media)).await;
        }
        let (transport, task) = plan(key, self.told_in.clone());
        let (up, opened, channel, heard, takes, repeats) = Default::default();
        paths.insert(key.1, SessionPath { which, transport, up, opened, channel, heard, takes, repeats });
        self.keys.insert(self.tasks.spawn(task).id(), key);
    }

    async fn close(&mut self, key: Key) {
        let Some(leg) = self.legs.get_mut(&key.0) else {
            return;
        };
        if let Some(path) = leg.paths.remove(&key.1).filter(|path| path.up && path.channel) {
            self.leaving.push((clock::now() + LAST_WORDS, key.0, path.transport));
        }
        self.channel(key.0).await;
        if self.legs.get(&key.0).is_some_and(|leg| leg.paths.is_empty()) {
            self.legs.remove(&key.0);
        }
        if !self.sounding() {
            self.pump.pause(clock::now());
        }
    }

    fn frame(&mut self, of: LegId, bytes: Vec<u8>) {
        let open = |path: &&SessionPath| path.up && path.channel;
        let newest = self
            .legs
            .get(&of)
            .and_then(|leg| leg.paths.values().rev().find(open))
            .map(|path| &path.transport);
        let left = || self.leaving.iter().rev().find(|(_, leg, _)| *leg == of).map(|(.., path)| path);
        if newest.or_else(left).is_none_or(|path| path.order(PathOrder::Frame(bytes)).is_err()) {
            tracing::debug!("a frame found no open data channel");
        }
    }

    async fn hear(&mut self, key: Key, told: PathEvent) {
        let Some(leg) = self.legs.get_mut(&key.0) else {
            return;
        };
        let Some(path) = leg.paths.get_mut(&key.1) else {
            return;
        };
        let (call, of) = (self.call, key.0);
        match told {
            PathEvent::Described(description) => self.report(key, MediaReport::Described(description)).await,
            PathEvent::Candidates { list, complete } => {
                self.report(key, MediaReport::Candidates { list, complete }).await;
            }
            PathEvent::Up => {
                path.up = true;
                self.report(key, MediaReport::Up).await;
                self.channel(of).await;
            }
            PathEvent::Lost => self.down(key, MediaReport::Lost).await,
            PathEvent::Stuck => self.down(key, MediaReport::Stuck).await,
            PathEvent::Failed(fault) => self.down(key, MediaReport::Failed(fault)).await,
            PathEvent::Packet { member, track: Track::Voice, packet } => {
                let now = clock::now();
                let again = path.heard.came(now);
                path.up |= again;
                leg.heard = true;
                leg.adaptation.came(now, &packet);
                // Before the answer nobody is heard; a sender that cannot wait is not kept for later either.
                if path.opened && !self.held {
                    leg.receive(now, key.1, member, &packet);
                    self.play(now);
                }
                if again {
                    self.report(key, MediaReport::Up).await;
                    self.channel(of).await;
                }
            }
            PathEvent::Takes(takes) => {
                path.takes = takes;
                leg.adaptation.takes(takes);
                self.code_as_needed();
            }
            PathEvent::Reception(reception) => {
                leg.adaptation.reported(clock::now(), reception);
                self.code_as_needed();
            }
            PathEvent::Feedback(feedback) => {
                leg.adaptation.heard(clock::now(), &feedback);
                self.code_as_needed();
            }
            PathEvent::Asked(packets) => leg.adaptation.asked(packets),
            PathEvent::Frame(bytes) => self.send(Report::Frame { call, leg: of, bytes }).await,
            PathEvent::Channel(open) => {
                path.channel = open;
                self.channel(of).await;
            }
        }
    }

    async fn down(&mut self, key: Key, report: MediaReport) {
        if let Some(path) = self.legs.get_mut(&key.0).and_then(|leg| leg.paths.get_mut(&key.1)) {
            path.up = false;
        }
        self.report(key, report).await;
        self.channel(key.0).await;
    }

    /// A path's task ended. Unless it was closed, it panicked.
    async fn ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        let (id, broken) = match ended {
            Ok((id, ())) => (id, false),
            Err(error) => (error.id(), true),
        };
        if let Some(key) = self.keys.remove(&id).filter(|_| broken) {
            tracing::error!(leg = ?key.0, epoch = key.1.0, "the task of a path broke");
            self.down(key, MediaReport::Failed(MediaFault::Media)).await;
        }
    }

    /// Tells whether frames can go to a leg, when that changed.
    async fn channel(&mut self, of: LegId) {
        let Some(leg) = self.legs.get_mut(&of) else {
            return;
        };
        let open = leg.paths.values().any(|path| path.up && path.channel);
        if leg.channel != open {
            leg.channel = open;
            self.send(Report::Channel { call: self.call, leg: of, open }).await;
        }
    }

    async fn report(&mut self, (leg, epoch): Key, report: MediaReport) {
        self.send(Report::Event { call: self.call, leg, epoch, report }).await;
    }

    async fn send(&mut self, report: Report) {
        // An engine that is gone needs no word: its orders end too.
        let _unheard = self.reports.send(report).await;
    }
}
