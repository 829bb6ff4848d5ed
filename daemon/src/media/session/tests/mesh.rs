//! Several people in one call, each with a session and a path to each of the others, in one process and in virtual time.
//!
//! Lives here: the table that they sit at: microphones and loudspeakers that follow its clock, paths that take some time. What they
//! then hear is in the files below.
//! Must not: open a device or a socket, or take real time.

mod coming_and_going;
mod hostile;
mod line;
mod mix;
mod room;

use std::sync::mpsc::Receiver;

use super::*;
use crate::media::said::loudness;
use crate::media::transport::PathEvent;
use crate::values::line::{Line, MemberLine};
use crate::values::rows::Stats;

/// Between two turns of everybody.
const TICK: u64 = 5;
/// A packet is under way for so long, ms.
const AWAY: u64 = 10;
const EPOCH: Epoch = Epoch(1);

/// What somebody says, by the sample's number.
type Says = Box<dyn Fn(usize) -> f32 + Send>;

/// A tone that goes through the codec as it is.
fn tone(pitch: u32) -> Says {
    Box::new(move |n| {
        let turns = (n as u64 * u64::from(pitch)) % 48_000;
        0.2 * (turns as f32 / 48_000.0 * std::f32::consts::TAU).sin()
    })
}

fn silence() -> Says {
    Box::new(|_| 0.0)
}

/// A microphone and a loudspeaker.
struct Desk {
    says: Says,
    /// Parts in a million by which its clock is fast.
    fast: i64,
    began: Option<Moment>,
    given: usize,
    played: usize,
    heard: SyncSender<Vec<f32>>,
    /// The microphone hears the loudspeaker: all that was played, and how much of it the session was told.
    echo: Option<(Vec<f32>, usize)>,
}

impl Desk {
    /// Samples until now, as its own clock counts.
    fn samples(&mut self, now: Moment) -> usize {
        let began = *self.began.get_or_insert(now);
        let micros = i64::try_from(now.since(began).as_micros()).unwrap();
        usize::try_from(micros * (1_000_000 + self.fast) * 48 / 1_000_000_000).unwrap()
    }
}

impl Sound for Desk {
    fn read(&mut self, now: Moment, block: &mut [f32]) -> usize {
        let count = self.samples(now).saturating_sub(self.given).min(block.len());
        for (place, n) in block[..count].iter_mut().zip(self.given..) {
            *place = (self.says)(n);
            if let Some((played, _)) = &self.echo {
                // By the shortest way, and by a wall.
                let came =
                    |after: usize| n.checked_sub(after).and_then(|n| played.get(n)).copied().unwrap_or(0.0);
                *place += 0.2 * came(1_920) + 0.1 * came(2_417);
            }
        }
        self.given += count;
        count
    }

    fn wanted(&mut self, now: Moment) -> usize {
        self.samples(now).saturating_sub(self.played)
    }

    fn write(&mut self, samples: &[f32]) {
        self.played += samples.len();
        self.heard.send(samples.to_vec()).unwrap();
        if let Some((played, _)) = &mut self.echo {
            played.extend(samples);
        }
    }

    fn played(&mut self, block: &mut [f32]) -> usize {
        let Some((played, told)) = &mut self.echo else { return 0 };
        let count = block.len().min(played.len() - *told);
        block[..count].copy_from_slice(&played[*told..*told + count]);
        *told += count;
        count
    }
}

/// A path: everything that it is told.
struct Way(SyncSender<PathOrder>);

impl Transport for Way {
    fn order(&self, order: PathOrder) -> Result<(), QueueFull> {
        self.0.try_send(order).map_err(|_| QueueFull)
    }
}

struct Person {
    session: Session,
    wanted: watch::Sender<Wanted>,
    told: mpsc::Receiver<Report>,
    heard: Receiver<Vec<f32>>,
    /// By whom it leads to.
    ways: BTreeMap<usize, Receiver<PathOrder>>,
    /// All that was played.
    sound: Vec<f32>,
    /// All that was reported but the lines.
    reports: Vec<Report>,
}

/// Who sits where is the number of each.
struct Table {
    people: Vec<Person>,
    /// Since the beginning, ms.
    ms: u64,
    /// When it comes, by which path, to whom, what.
    under_way: Vec<(u64, Key, usize, PathEvent)>,
    /// By the room it is under way for so long, ms.
    room_away: u64,
    /// What goes from one to another in place of a packet.
    instead: Box<dyn FnMut(usize, usize, Packet) -> Vec<Packet>>,
}

fn leg(of: usize) -> LegId {
    LegId::from_bytes([u8::try_from(of).unwrap() + 1; 16])
}

fn key(of: usize) -> Key {
    (leg(of), EPOCH)
}

/// What honest people of today take.
const TAKES: Takes = Takes { copies: true, asks: true, feedback: true, events: true, frames: 6 };

const OPEN: MediaOrder = MediaOrder::Open { tracks: ahoy_call::Tracks::VOICE, muted: false, held: false };

/// `echoes`: their microphone hears their loudspeaker.
fn person(says: Says, fast: i64, wishes: Wishes, echoes: bool) -> Person {
    let (heard_in, heard) = sync_channel(1 << 16);
    let (told_in, _) = mpsc::channel(1);
    let (reports, told) = mpsc::channel(256);
    let echo = echoes.then(Default::default);
    let desk = Desk { says, fast, began: None, given: 0, played: 0, heard: heard_in, echo };
    let (wanted, follows) = watch::channel(Wanted::default());
    let pump = Pump::new(Box::new(desk), wishes, Capture::new(32_000, 7_000).unwrap());
    let session = Session::new(CallId::from_bytes([1; 16]), 32_000, pump, follows, told_in, reports);
    let (ways, sound, reports) = Default::default();
    Person { session, wanted, told, heard, ways, sound, reports }
}

impl Table {
    /// Nobody is connected yet.
    fn new(people: impl IntoIterator<Item = Says>) -> Self {
        Self::with_clocks(people.into_iter().map(|says| (says, 0)))
    }

    fn with_clocks(people: impl IntoIterator<Item = (Says, i64)>) -> Self {
        let people = people.into_iter().map(|(says, fast)| person(says, fast, PLAIN, false)).collect();
        Self {
            people,
            ms: 0,
            under_way: Vec::new(),
            room_away: AWAY,
            instead: Box::new(|_, _, packet| vec![packet]),
        }
    }

    /// Everybody talks to everybody.
    fn all(people: impl IntoIterator<Item = Says>) -> Self {
        let mut table = Self::new(people);
        for one in 0..table.people.len() {
            for other in 0..one {
                table.connect(one, other);
            }
        }
        table
    }

    fn now(&self) -> Moment {
        Moment::from_micros(1_000_000_000 + self.ms * 1_000)
    }

    /// A path between two, open on both sides.
    fn connect(&mut self, one: usize, other: usize) {
        self.prepare(one, other, TAKES);
        self.prepare(other, one, TAKES);
        self.order(one, other, &OPEN);
        self.order(other, one, &OPEN);
    }

    /// One's path to another is up.
    fn prepare(&mut self, one: usize, other: usize, takes: Takes) {
        self.begin(one, other, takes, false);
    }

    /// One goes to the room: a path of its own leg, by which it hears all others who have one.
    fn enter(&mut self, one: usize) {
        self.begin(one, one, Takes::default(), true);
        self.order(one, one, &OPEN);
    }

    fn begin(&mut self, one: usize, other: usize, takes: Takes, is_room: bool) {
        self.order(one, other, &MediaOrder::Prepare(Role::Offerer));
        let now = self.now();
        let person = &mut self.people[one];
        let (way, ordered) = sync_channel(4_096);
        person.ways.insert(other, ordered);
        let which = person.wanted.borrow().which(key(other)).unwrap();
        let path = SessionPath { up: true, takes, ..SessionPath::new(which, Box::new(Way(way))) };
        person
            .session
            .legs
            .entry(leg(other))
            .or_insert_with(|| Leg::new(32_000, is_room))
            .paths
            .insert(EPOCH, path);
        person.session.adapt(now, leg(other), |line| line.takes(takes));
    }

    /// An order of one's rules about another.
    fn order(&mut self, one: usize, other: usize, order: &MediaOrder) {
        let now = self.now();
        let person = &mut self.people[one];
        person.wanted.send_modify(|wanted| {
            wanted.take(key(other), order);
        });
        person.session.follow(now).now_or_never().unwrap();
    }

    /// One has no path to another any more; to itself: is not in the room.
    fn close(&mut self, one: usize, other: usize) {
        self.order(one, other, &MediaOrder::Close);
        self.people[one].ways.remove(&other);
    }

    /// Neither has the other in the call any more.
    fn part(&mut self, one: usize, other: usize) {
        self.order(one, other, &MediaOrder::Close);
        self.order(other, one, &MediaOrder::Close);
        self.people[one].ways.remove(&other);
        self.people[other].ways.remove(&one);
    }

    /// Everybody's next so many ms.
    fn run(&mut self, ms: u64) {
        for _ in 0..ms / TICK {
            self.ms += TICK;
            self.deliver();
            let now = self.now();
            let room: Vec<usize> =
                (0..self.people.len()).filter(|one| self.people[*one].ways.contains_key(one)).collect();
            for (one, person) in self.people.iter_mut().enumerate() {
                person.session.turn_comes(now).now_or_never().unwrap();
                person.session.tell_line(now).now_or_never().unwrap();
                person.session.tell_by_room(now).now_or_never().unwrap();
                person.sound.extend(person.heard.try_iter().flatten());
                while let Ok(report) = person.told.try_recv() {
                    person.reports.push(report);
                }
                for (other, orders) in &person.ways {
                    for order in orders.try_iter() {
                        let at = self.ms + AWAY;
                        if let (PathOrder::Packet(Track::Voice, packet), true) = (&order, *other == one) {
                            let packet =
                                Packet { sequence: packet.sequence.wrapping_add(7_777), ..packet.clone() };
                            let event = PathEvent::Packet { member: leg(one), track: Track::Voice, packet };
                            let others = room.iter().filter(|other| **other != one);
                            let at = self.ms + self.room_away;
                            self.under_way
                                .extend(others.map(|other| (at, key(*other), *other, event.clone())));
                        } else if let PathOrder::Packet(Track::Voice, packet) = order {
                            let packets = (self.instead)(one, *other, packet).into_iter();
                            let member = leg(one);
                            let event = |packet| PathEvent::Packet { member, track: Track::Voice, packet };
                            self.under_way
                                .extend(packets.map(|packet| (at, key(one), *other, event(packet))));
                        } else if let PathOrder::Feedback(word) = order {
                            self.under_way.push((at, key(one), *other, PathEvent::Feedback(word)));
                        }
                    }
                }
            }
        }
    }

    fn deliver(&mut self) {
        let now = self.now();
        let (come, rest) =
            std::mem::take(&mut self.under_way).into_iter().partition(|(at, ..)| *at <= self.ms);
        self.under_way = rest;
        for (_, by, to, event) in come {
            self.people[to].session.hear(now, by, event).now_or_never().unwrap();
        }
    }

    /// What somebody heard since so many ms after the beginning. They all began at once.
    fn since(&self, one: usize, ms: u64) -> &[f32] {
        &self.people[one].sound[usize::try_from(ms).unwrap() * 48..]
    }

    /// How loud a pitch was in each 20 ms of it, one every 10 ms.
    fn course(&self, one: usize, from: u64, pitch: u32) -> Vec<f32> {
        let sound = self.since(one, from);
        let starts = (0..sound.len().saturating_sub(960)).step_by(480);
        starts.map(|at| loudness(&sound[at..at + 960], pitch)).collect()
    }

    /// The softest of them.
    fn softest(&self, one: usize, from: u64, pitch: u32) -> f32 {
        self.course(one, from, pitch).into_iter().fold(f32::MAX, f32::min)
    }

    /// The loudest.
    fn loudest(&self, one: usize, from: u64, pitch: u32) -> f32 {
        self.course(one, from, pitch).into_iter().fold(0.0, f32::max)
    }

    /// What one was told of another's voice by the room.
    fn by_room(&self, one: usize, of: usize) -> Vec<bool> {
        let mut all = Vec::new();
        for report in &self.people[one].reports {
            if let Report::ByRoom { member, comes, .. } = report
                && *member == leg(of)
            {
                all.push(*comes);
            }
        }
        all
    }

    /// What was told of another, in its order.
    fn told(&self, one: usize, of: usize) -> Vec<MemberLine> {
        let mut all = Vec::new();
        for report in &self.people[one].reports {
            if let Report::Member { leg, line, .. } = report
                && *leg == self::leg(of)
            {
                all.push(*line);
            }
        }
        all
    }

    /// What was reported of the path to another.
    fn events(&self, one: usize, of: usize) -> Vec<MediaReport> {
        let mut all = Vec::new();
        for report in &self.people[one].reports {
            if let Report::Event { leg, report, .. } = report
                && *leg == self::leg(of)
            {
                all.push(report.clone());
            }
        }
        all
    }

    /// How the lines as one were told last.
    fn line(&self, one: usize) -> Line {
        let line = |report: &Report| if let Report::Line { line, .. } = report { Some(*line) } else { None };
        self.people[one].reports.iter().rev().find_map(line).unwrap_or_default()
    }

    /// The numbers of somebody's call.
    fn stats(&mut self, one: usize) -> Stats {
        let now = self.now();
        let person = &mut self.people[one];
        person.session.stats(now, 7).now_or_never().unwrap();
        while let Ok(report) = person.told.try_recv() {
            if let Report::Stats { ticket: 7, stats } = report {
                return *stats;
            }
        }
        panic!("a question is answered")
    }
}
