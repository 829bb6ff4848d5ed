//! A server of rooms, and the port of rooms of each device, as models.
//!
//! Lives here: passes that are good once, stays, keys, who can be heard by a room; a server that refuses, is silent or dies.
//! Must not: know how the rules use it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ahoy_call::{CallId, Epoch, Event, LegId, MediaReport, Moment, Opaque, RoomOrder, RoomReport};

use super::carry::{Happening, NOTICE};
use super::room_news::RoomNews;
use super::{World, device};
use crate::media::PathModel;

/// How long our relay takes.
const ASKED: Duration = Duration::from_millis(120);
/// How long it takes to come in.
const ENTERS: Duration = Duration::from_millis(350);
/// What was sealed is under a new key so long after it was told.
const SEALED: Duration = Duration::from_millis(500);
/// A pass lives as long as a ring.
const PASS_LIVES: Duration = Duration::from_secs(90);
/// Whom nobody knows is put out after this.
const UNKNOWN: Duration = Duration::from_secs(10);
/// A stay that cannot be reached is over after this.
const GONE: Duration = Duration::from_secs(20);

/// The server and all ports.
#[derive(Clone, Debug, Default)]
pub struct Rooms {
    /// It gives neither rooms nor passes.
    pub refuses: bool,
    /// Nobody gets in: it takes the pass and then says nothing.
    pub silent: bool,
    /// It is dead.
    pub dead: bool,
    /// Devices that cannot reach it.
    pub cut: BTreeSet<usize>,
    /// Devices whose relay has rooms.
    pub able: BTreeSet<usize>,
    /// Calls and devices that may set up a path before they answer.
    pub early: BTreeSet<(CallId, usize)>,
    /// How many were opened.
    pub opened: u64,
    counter: u64,
    alive: BTreeSet<u64>,
    passes: BTreeMap<u64, (u64, Moment)>,
    own: BTreeMap<(CallId, usize), u64>,
    pub(super) seats: BTreeMap<(CallId, usize), Seat>,
    pub(super) members: BTreeMap<(CallId, usize), BTreeSet<LegId>>,
    guests: BTreeMap<(CallId, usize), BTreeSet<LegId>>,
    /// Every key that a port ever got, and whose it is.
    pub(super) keys: BTreeMap<(CallId, usize), Keys>,
}

/// Each with the device that it is of.
pub(super) type Keys = BTreeSet<(LegId, Vec<u8>)>;

#[derive(Clone, Debug)]
pub(super) struct Seat {
    pub(super) room: u64,
    epoch: Epoch,
    pub(super) name: u64,
    pub(super) up: bool,
    /// The number of the key that it tells, and of the one that it seals with.
    pub(super) told: u64,
    pub(super) seals: u64,
    /// Those that are a step from the one before.
    pub(super) steps: BTreeSet<u64>,
    heard: BTreeSet<usize>,
}

impl Rooms {
    fn knows(&self, at: (CallId, usize), leg: LegId) -> bool {
        [&self.members, &self.guests]
            .into_iter()
            .any(|all| all.get(&at).is_some_and(|set| set.contains(&leg)))
    }
}

impl World {
    /// From now on the relays of these devices have rooms.
    pub fn give_rooms(&mut self, to: &[&str]) {
        for name in to {
            let who = self.who(name);
            self.rooms.able.insert(who);
            self.event(who, Event::Rooms(true));
        }
    }

    /// The server of rooms dies: all stays are lost, and over soon.
    pub fn kill_rooms(&mut self) {
        self.rooms.dead = true;
        self.rooms.alive.clear();
        let all: Vec<_> = self.rooms.seats.iter().map(|(key, seat)| (*key, seat.name)).collect();
        for ((call, to), name) in all {
            self.room_later(Duration::from_millis(300), to, call, RoomNews::Lost { name });
            self.room_later(NOTICE, to, call, RoomNews::Gone { name });
        }
    }

    /// As it should be, refusing, silent, or dying.
    pub fn set_server(&mut self, state: u64) {
        let rooms = &mut self.rooms;
        (rooms.refuses, rooms.silent, rooms.dead) = (state == 1, state == 2, false);
        if state == 3 {
            self.kill_rooms();
        }
    }

    /// A device reaches the server of rooms no more, or does again.
    pub fn cut_from_rooms(&mut self, who: usize, cut: bool) {
        let changed = if cut { self.rooms.cut.insert(who) } else { self.rooms.cut.remove(&who) };
        if changed {
            self.look_at_stays(who);
        }
    }

    /// How many are in one room of this call, and how many rooms of it somebody is in.
    pub fn in_rooms(&self, call: CallId) -> (usize, usize) {
        let seats: Vec<u64> =
            self.rooms.seats.iter().filter(|((of, _), _)| *of == call).map(|(_, seat)| seat.room).collect();
        (seats.len(), seats.into_iter().collect::<BTreeSet<_>>().len())
    }

    pub(super) fn look_at_stays(&mut self, who: usize) {
        let mine: Vec<_> = self.rooms.seats.iter().filter(|((_, of), _)| *of == who).collect();
        let mine: Vec<_> = mine.into_iter().map(|((call, _), seat)| (*call, seat.name)).collect();
        for (call, name) in mine {
            self.room_later(NOTICE, who, call, RoomNews::Lost { name });
            self.room_later(GONE, who, call, RoomNews::Gone { name });
            self.later(NOTICE, Happening::Look { call });
        }
    }

    fn reaches(&self, who: usize) -> bool {
        !self.rooms.dead && !self.rooms.cut.contains(&who) && !self.people[who].asleep
    }

    fn room_later(&mut self, after: Duration, to: usize, call: CallId, news: RoomNews) {
        self.later(after, Happening::Room { to, call, news });
    }

    fn room_event(&mut self, to: usize, call: CallId, report: RoomReport) {
        self.event(to, Event::Room { call, report });
    }

    pub(super) fn room_order(&mut self, who: usize, call: CallId, order: RoomOrder) {
        let at = (call, who);
        match order {
            RoomOrder::Open { passes } => {
                self.room_later(ASKED, who, call, RoomNews::Asked { opens: true, passes });
            }
            RoomOrder::Draw { passes } => {
                self.room_later(ASKED, who, call, RoomNews::Asked { opens: false, passes });
            }
            RoomOrder::Enter { epoch, pass } => {
                self.leaves(at);
                let path = PathModel { met: true, ..PathModel::default() };
                self.people[who].media.paths.insert((call, device(who), epoch), path);
                self.rooms.members.remove(&at);
                self.rooms.guests.remove(&at);
                self.room_later(ENTERS, who, call, RoomNews::Enters { epoch, pass });
            }
            RoomOrder::Members(set) => {
                let before = self.rooms.members.insert(at, set).unwrap_or_default();
                self.puts_out(at, &before);
            }
            RoomOrder::Guests(set) => {
                let before = self.rooms.guests.insert(at, set).unwrap_or_default();
                self.puts_out(at, &before);
            }
            RoomOrder::Key { leg, key } => {
                self.rooms.keys.entry(at).or_default().insert((leg, key.0));
                self.later(Duration::ZERO, Happening::Look { call });
            }
            RoomOrder::Renew | RoomOrder::Step => {
                let Some(seat) = self.rooms.seats.get_mut(&at) else { return };
                let step = order == RoomOrder::Step;
                // One that has sealed nothing yet needs no step.
                let waits = seat.seals != seat.told;
                if !(step && waits) {
                    seat.told += 1;
                }
                let (name, number) = (seat.name, seat.told);
                if step && !waits {
                    seat.steps.insert(number);
                    seat.seals = number;
                }
                let report = RoomReport::Key { key: Opaque(seat.key(number)), step };
                let report = RoomNews::Report { name: Some(name), report };
                self.room_later(Duration::from_millis(1), who, call, report);
                if !step {
                    self.room_later(SEALED, who, call, RoomNews::Seals { name, number });
                }
                self.later(Duration::ZERO, Happening::Look { call });
            }
            RoomOrder::Leave { ends } => {
                self.leaves(at);
                let own = self.rooms.own.remove(&at).filter(|_| ends);
                if let Some(room) = own {
                    self.rooms.alive.remove(&room);
                    let left: Vec<_> =
                        self.rooms.seats.iter().filter(|(_, seat)| seat.room == room).collect();
                    let left: Vec<_> = left.into_iter().map(|(key, seat)| (*key, seat.name)).collect();
                    for ((call, to), name) in left {
                        self.room_later(NOTICE, to, call, RoomNews::Gone { name });
                    }
                }
            }
        }
    }

    /// Whom it does not know any more of these is put out by who opened the room.
    fn puts_out(&mut self, at: (CallId, usize), before: &BTreeSet<LegId>) {
        let (call, room) = (at.0, self.rooms.own.get(&at).copied());
        for leg in before {
            if self.rooms.knows(at, *leg) {
                continue;
            }
            let out = self.number(*leg).map(|number| (call, number));
            let seat = out.and_then(|out| self.rooms.seats.get(&out)).filter(|seat| Some(seat.room) == room);
            if let Some(((call, to), name)) = out.zip(seat.map(|seat| seat.name)) {
                self.room_later(Duration::from_millis(50), to, call, RoomNews::Gone { name });
            }
        }
        self.later(Duration::ZERO, Happening::Look { call });
    }

    /// It is not inside any more; the others notice.
    pub(super) fn leaves(&mut self, at: (CallId, usize)) {
        if self.rooms.seats.remove(&at).is_some() {
            self.later(NOTICE, Happening::Look { call: at.0 });
        }
    }

    /// A device is killed.
    pub(super) fn leaves_all_rooms(&mut self, who: usize) {
        let all: Vec<_> = self.rooms.seats.keys().filter(|(_, of)| *of == who).copied().collect();
        for at in all {
            self.leaves(at);
        }
        self.rooms.own.retain(|(_, of), _| *of != who);
        self.rooms.members.retain(|(_, of), _| *of != who);
        self.rooms.guests.retain(|(_, of), _| *of != who);
        if self.rooms.able.contains(&who) {
            self.event(who, Event::Rooms(true));
        }
    }

    pub(super) fn room_happens(&mut self, to: usize, call: CallId, news: RoomNews) {
        let at = (call, to);
        let here = |world: &Self, name: u64| world.rooms.seats.get(&at).is_some_and(|seat| seat.name == name);
        match news {
            RoomNews::Asked { opens, passes } => self.asked(at, opens, passes),
            RoomNews::Enters { epoch, pass } => self.enters(at, epoch, &pass),
            RoomNews::Seals { name, number } => {
                if here(self, name)
                    && let Some(seat) = self.rooms.seats.get_mut(&at)
                {
                    seat.seals = seat.seals.max(number);
                }
                self.later(Duration::ZERO, Happening::Look { call });
            }
            RoomNews::Report { name, report } => {
                if name.is_none_or(|name| here(self, name)) {
                    self.room_event(to, call, report);
                }
            }
            RoomNews::Lost { name } => {
                let reaches = self.reaches(to);
                let seat = self.rooms.seats.get_mut(&at).filter(|seat| seat.name == name);
                let Some(seat) = seat.filter(|seat| seat.up != reaches) else { return };
                seat.up = reaches;
                let key = (call, device(to), seat.epoch);
                if let Some(path) = self.people[to].media.paths.get_mut(&key) {
                    path.up = reaches;
                    let report = if reaches { MediaReport::Up } else { MediaReport::Lost };
                    self.media_event(to, key, report);
                }
                self.later(Duration::ZERO, Happening::Look { call });
            }
            RoomNews::Gone { name } => {
                let Some(seat) = self.rooms.seats.get(&at).filter(|seat| seat.name == name) else { return };
                let out = self.rooms.members.keys().any(|(of, who)| {
                    let owns = self.rooms.own.get(&(*of, *who)) == Some(&seat.room);
                    *of == call && *who != to && owns && !self.rooms.knows((call, *who), device(to))
                });
                if !out && self.reaches(to) && self.rooms.alive.contains(&seat.room) {
                    return;
                }
                let key = (call, device(to), seat.epoch);
                if let Some(path) = self.people[to].media.paths.get_mut(&key) {
                    path.up = false;
                }
                self.leaves(at);
                self.room_event(to, call, RoomReport::Over);
            }
        }
    }

    fn asked(&mut self, at: (CallId, usize), opens: bool, passes: u8) {
        let (call, who) = at;
        let none = self.rooms.refuses || !self.rooms.able.contains(&who) || !self.reaches(who);
        let inside = self.rooms.seats.get(&at).map(|seat| seat.room);
        let of = inside.or(self.rooms.own.get(&at).copied());
        let room = if opens {
            self.rooms.counter += 1;
            Some(self.rooms.counter)
        } else {
            of.filter(|room| self.rooms.alive.contains(room))
        };
        let Some(room) = room.filter(|_| !none) else {
            return self.room_event(who, call, RoomReport::NoRoom);
        };
        if opens {
            self.rooms.opened += 1;
            self.rooms.alive.insert(room);
            self.rooms.own.insert(at, room);
        }
        let mut all = Vec::new();
        for _ in 0..passes {
            self.rooms.counter += 1;
            self.rooms.passes.insert(self.rooms.counter, (room, self.now + PASS_LIVES));
            all.push(Opaque(self.rooms.counter.to_be_bytes().to_vec()));
        }
        self.room_event(who, call, RoomReport::Passes(all));
    }

    fn enters(&mut self, at: (CallId, usize), epoch: Epoch, pass: &Opaque) {
        let (call, who) = at;
        let key = (call, device(who), epoch);
        if !self.people[who].media.paths.contains_key(&key) {
            return;
        }
        let number = pass.0.as_slice().try_into().map(u64::from_be_bytes).unwrap_or(0);
        let room = self.rooms.passes.remove(&number).filter(|(_, until)| *until > self.now);
        let room = room.map(|(room, _)| room).filter(|room| self.rooms.alive.contains(room));
        if self.rooms.silent {
            return;
        }
        let Some(room) = room.filter(|_| self.reaches(who)) else {
            return self.room_event(who, call, RoomReport::NoRoom);
        };
        self.rooms.counter += 1;
        let (name, heard) = (self.rooms.counter, BTreeSet::new());
        let seat = Seat { room, epoch, name, up: true, told: 1, seals: 1, steps: BTreeSet::new(), heard };
        let first = Opaque(seat.key(1));
        self.rooms.seats.insert(at, seat);
        self.room_later(UNKNOWN, who, call, RoomNews::Gone { name });
        if let Some(path) = self.people[who].media.paths.get_mut(&key) {
            path.up = true;
        }
        self.media_event(who, key, MediaReport::Up);
        self.room_event(who, call, RoomReport::Key { key: first, step: false });
        self.later(Duration::ZERO, Happening::Look { call });
    }

    /// Tells each port whom it can hear now, where that has changed.
    pub(super) fn look_at_room(&mut self, call: CallId) {
        let all: Vec<usize> =
            self.rooms.seats.keys().filter(|(of, _)| *of == call).map(|(_, who)| *who).collect();
        for one in &all {
            for other in 0..self.people.len() {
                let can = self.can_hear((call, *one), other);
                let Some(seat) = self.rooms.seats.get_mut(&(call, *one)) else { continue };
                let changed = if can { seat.heard.insert(other) } else { seat.heard.remove(&other) };
                if changed {
                    let report = RoomReport::Heard { leg: device(other), heard: can };
                    let news = RoomNews::Report { name: Some(seat.name), report };
                    self.room_later(Duration::ZERO, *one, call, news);
                }
            }
        }
    }
}
