//! The sound and the paths of one call.
//!
//! Lives here: its state, its turns, and following what is wanted. What all the others share is here and in the pump: devices, one
//! encoder, what is muted; what is of one of them alone in `session/leg.rs` and `session/voices.rs`. What paths do is `session/paths.rs`, what is said over
//! them `session/voice.rs`.
//! Must not: know what a call is for, how a path is built, or how a frame of sound is made.

mod adaptation;
mod asks;
mod by_room;
mod leg;
mod line;
mod lines;
mod member;
mod numbers;
mod path;
mod paths;
mod silence;
#[cfg(test)]
mod tests;
mod voice;
mod voices;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use ahoy_call::{CallId, LegId, MediaFault, MediaOrder, MediaReport, Moment};
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinSet};

pub use self::asks::{Ask, QUEUE};
use self::by_room::ByRoom;
use self::leg::Leg;
use self::lines::Lines;
use self::voices::Voices;
use super::capture::Capture;
use super::flood;
use super::pump::Pump;
use super::redundancy::History;
use super::transport::{Events, Packet, PathEvent, PathOrder, Transport};
use super::wanted::{Key, Wanted};
use super::{CallOrder, Report, Sound};
use crate::system::clock;
use crate::values::budget;
use crate::values::media::Wishes;

/// What paths tell and is not yet read. Takes memory only as it fills.
const TOLD: usize = 2_048;
const _: () = assert!(
    TOLD >= 3 * (flood::AT_ONCE + budget::FRAMES.burst) as usize,
    "what three others may tell at once takes no room from each other"
);
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
    let pump = Pump::new(sound, wishes, capture);
    let mut session = Session::new(call, bitrate, pump, wanted, told_in, reports);
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

struct Session {
    call: CallId,
    /// The most that the codec is given, bit/s.
    bitrate: u32,
    legs: BTreeMap<LegId, Leg>,
    /// All whom we hear.
    voices: Voices,
    by_room: ByRoom,
    /// How loud each of the others is played, whether heard yet or not.
    volumes: BTreeMap<LegId, f32>,
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
    lines: Lines,
    tasks: JoinSet<()>,
    keys: HashMap<Id, Key>,
    told_in: Events,
    reports: mpsc::Sender<Report>,
}

impl Session {
    fn new(
        call: CallId,
        bitrate: u32,
        pump: Pump,
        wanted: watch::Receiver<Wanted>,
        told_in: Events,
        reports: mpsc::Sender<Report>,
    ) -> Self {
        let (legs, voices, volumes, leaving, tasks, keys) = Default::default();
        let (history, said, lines, by_room) = Default::default();
        let (given_up, held, heard, sent) = (false, false, true, 0);
        Self {
            call,
            bitrate,
            legs,
            voices,
            by_room,
            volumes,
            leaving,
            pump,
            history,
            said,
            wanted,
            given_up,
            held,
            heard,
            sent,
            lines,
            tasks,
            keys,
            told_in,
            reports,
        }
    }

    async fn work(&mut self, asks: &mut mpsc::Receiver<Ask>, mut told: mpsc::Receiver<(Key, PathEvent)>) {
        let mut turn = clock::now();
        // Nothing waits between this look into the queue and the end: no order can slip in between.
        while !(self.legs.is_empty() && self.leaving.is_empty() && asks.is_empty()) {
            let gone = self.leaving.first().map_or(turn, |(gone, ..)| *gone);
            tokio::select! {
                biased;
                changed = self.wanted.changed(), if !self.given_up => {
                    self.given_up = changed.is_err();
                    self.follow(clock::now()).await;
                }
                ask = asks.recv() => match ask {
                    Some(Ask::Prepare { key, plan, is_room, wanted }) => {
                        (self.wanted, self.given_up) = (wanted, false);
                        self.prepare(clock::now(), key, plan, is_room).await;
                        self.follow(clock::now()).await;
                    }
                    Some(Ask::Order(order)) => self.on_order(clock::now(), order).await,
                    Some(Ask::Tone(clip)) => self.pump.sound(clip),
                    Some(Ask::Voice(wishes)) => self.pump.clean(wishes),
                    Some(Ask::Stop) | None => return,
                },
                Some((key, one)) = told.recv() => self.hear(clock::now(), key, one).await,
                Some(ended) = self.tasks.join_next_with_id() => self.ended(ended).await,
                () = clock::pace(turn.since(clock::now())), if self.sounding() => {}
                () = clock::sleep_until(gone), if !self.leaving.is_empty() => {}
            }
            let now = clock::now();
            self.leaving.retain(|(gone, ..)| *gone > now);
            let sounding = self.sounding();
            // Packets come more often than news of them can be of use.
            if !sounding || now >= turn {
                self.tell_line(now).await;
                self.tell_by_room(now).await;
            }
            if sounding && now >= turn {
                self.turn_comes(now).await;
                let now = clock::now();
                turn = now + self.pump.due(now);
            }
        }
    }

    /// Serves the devices, and looks after the paths.
    async fn turn_comes(&mut self, now: Moment) {
        self.serve(now);
        self.mend(now);
        self.watch_for_silence(now).await;
        self.voices.forget_gone(now, &self.legs);
        self.tell_voice(now).await;
    }

    async fn on_order(&mut self, now: Moment, order: CallOrder) {
        match order {
            CallOrder::Path { leg, epoch, order } => self.on_path_order(now, (leg, epoch), order).await,
            CallOrder::Frame { leg, bytes } => self.frame(leg, bytes),
            CallOrder::Volume { leg, volume } => self.set_volume(leg, volume),
            CallOrder::Levels(into) => self.pump.levels().add(into),
            CallOrder::Stats(ticket) => self.stats(now, ticket).await,
            // States, which go past this queue.
            CallOrder::End | CallOrder::RelayOnly(_) | CallOrder::Deafen(_) => {}
        }
    }

    async fn on_path_order(&mut self, now: Moment, key: Key, order: MediaOrder) {
        match order {
            MediaOrder::Remote(answer) => self.ask(key, PathOrder::Remote(answer)).await,
            MediaOrder::Candidates { list, complete: _ } => {
                self.ask(key, PathOrder::Candidates(list)).await;
            }
            MediaOrder::Probe => self.probe(now, key).await,
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
    async fn follow(&mut self, now: Moment) {
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
            self.pump.pause(now);
            self.forget_said();
        }
        self.let_in(&wanted);
        self.hold(now, wanted.is_held(), wanted.is_muted());
        self.pump.deafen(wanted.deafened);
        if wanted.reads() && self.sounding() {
            self.pump.open(now);
        }
        for key in over {
            self.close(now, key).await;
        }
    }

    /// Lets each of the others have what they may of our voice, and plays whom we may hear.
    fn let_in(&mut self, wanted: &Wanted) {
        let begins = !self.pump.is_reading();
        for (id, leg) in &mut self.legs {
            let (talks, held) = (wanted.talks_to(*id), wanted.holds(*id));
            // Who hears us by a room already misses nothing by another way.
            let hears = self.voices.get(*id).is_some_and(|voice| voice.by.iter().any(|by| by != id));
            let left_out = leg.talk(talks, begins || hears) && wanted.reads();
            let begins_held = leg.hold(held);
            if begins_held {
                self.voices.put_aside(*id);
            }
            let put_aside = begins_held && !wanted.is_held();
            // What concerns all is forgotten for all.
            if left_out || put_aside {
                leg.forget_said();
            }
        }
    }

    /// Leaves the devices to other calls, or takes them up again.
    fn hold(&mut self, now: Moment, held: bool, muted: bool) {
        self.held = held;
        if self.pump.mute(muted || held) {
            self.forget_said();
        }
        self.pump.hold(now, held);
    }

    async fn report(&mut self, (leg, epoch): Key, report: MediaReport) {
        self.send(Report::Event { call: self.call, leg, epoch, report }).await;
    }

    async fn send(&mut self, report: Report) {
        // An engine that is gone needs no word: its orders end too.
        let _unheard = self.reports.send(report).await;
    }
}
