//! The sound and the paths of one call.
//!
//! Lives here: its state, its turns, and following what is wanted. What paths do is `session/paths.rs`, what is said over them
//! `session/voice.rs`.
//! Must not: know what a call is for, how a path is built, or how a frame of sound is made.

mod adaptation;
mod asks;
mod line;
mod numbers;
mod paths;
mod silence;
#[cfg(test)]
mod tests;
mod voice;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use ahoy_call::{CallId, Epoch, LegId, MediaFault, MediaOrder, MediaReport, Moment};
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinSet};

use self::adaptation::Adaptation;
pub use self::asks::{Ask, QUEUE};
use self::line::LineWatch;
use self::paths::SessionPath;
use super::capture::Capture;
use super::pipeline::Playback;
use super::pump::Pump;
use super::redundancy::History;
use super::transport::{Events, Packet, PathEvent, PathOrder, Transport};
use super::wanted::{Key, Wanted};
use super::{CallOrder, Report, Sound};
use crate::system::clock;
use crate::values::media::Wishes;

/// What paths tell and is not yet read: two seconds of voice on two paths, and some.
const TOLD: usize = 256;
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
        said: Vec::new(),
        wanted,
        given_up: false,
        held: false,
        heard: true,
        sent: 0,
        line: LineWatch::default(),
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
    /// Room for the packets of one turn.
    said: Vec<Packet>,
    wanted: watch::Receiver<Wanted>,
    /// Who wanted something is gone: nothing is wanted for good.
    given_up: bool,
    held: bool,
    /// A microphone gives sound, by our last word.
    heard: bool,
    /// Packets of voice so far.
    sent: u64,
    line: LineWatch,
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
            self.tell_line().await;
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
            // States, which go past this queue.
            CallOrder::End | CallOrder::RelayOnly(_) => {}
        }
    }

    async fn on_path_order(&mut self, key: Key, order: MediaOrder) {
        match order {
            MediaOrder::Remote(answer) => self.ask(key, PathOrder::Remote(answer)).await,
            MediaOrder::Candidates { list, complete: _ } => {
                self.ask(key, PathOrder::Candidates(list)).await;
            }
            MediaOrder::Probe => self.probe(key).await,
            MediaOrder::SendDigits(digits) => self.pump.press(&digits),
            // One is an order of its own here, the others are states.
            MediaOrder::Prepare(_)
            | MediaOrder::Open { .. }
            | MediaOrder::Pause
            | MediaOrder::SetMuted(_)
            | MediaOrder::SetHeld(_)
            | MediaOrder::Close => {}
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

    async fn report(&mut self, (leg, epoch): Key, report: MediaReport) {
        self.send(Report::Event { call: self.call, leg, epoch, report }).await;
    }

    async fn send(&mut self, report: Report) {
        // An engine that is gone needs no word: its orders end too.
        let _unheard = self.reports.send(report).await;
    }
}
