//! What is under way: parcels, reports, and the order in which they happen.
//!
//! Lives here: the queue of the world; repeats and their ends; sleep; cuts.
//! Must not: judge what arrives.

use std::time::Duration;

use ahoy_call::{CallId, Epoch, Event, LegId, MediaReport, Message, Moment};

use super::room_news::RoomNews;
use super::{World, device, peer};

/// Waits between repeats of what was not acknowledged; the last one goes on.
const REPEATS: [u64; 4] = [500, 1_000, 2_000, 4_000];
/// A message is repeated for so long.
pub(super) const REPEAT_FOR: Duration = Duration::from_secs(30);
/// A note waits for so long (seven days in the real mailbox).
pub(super) const NOTE_FOR: Duration = Duration::from_secs(3_600);
/// How often a note is tried.
const NOTE_EVERY: Duration = Duration::from_secs(60);
/// How long a cut path takes to be noticed.
pub(super) const NOTICE: Duration = Duration::from_millis(1_800);
/// How often checks are tried on a path that does not open.
const CHECK_EVERY: Duration = Duration::from_millis(100);

/// Something that will happen.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    /// Try to carry this; again later if it did not arrive.
    Attempt { from: usize, to: usize, parcel: Parcel, tries: usize, until: Moment },
    /// A copy arrives.
    Arrive { from: usize, to: usize, parcel: Parcel },
    /// The media port reports.
    Report { to: usize, key: (CallId, LegId, Epoch), report: MediaReport },
    /// Something happens at the port of rooms.
    Room { to: usize, call: CallId, news: RoomNews },
    /// Who can hear whom in the room of a call has changed.
    Look { call: CallId },
    /// A cut is noticed, if it still is one.
    Notice { to: usize, key: (CallId, LegId, Epoch) },
}

#[derive(Clone, Debug)]
pub(super) struct Parcel {
    number: u64,
    call: CallId,
    what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Ring {
        lifetime: Duration,
    },
    /// A member of a group opens a session.
    Meet,
    Say(Message),
    Bye,
    Note {
        sent: Moment,
    },
}

impl Happening {
    /// Whose device it needs.
    fn whose(&self) -> Option<usize> {
        match self {
            Self::Attempt { from, .. } => Some(*from),
            Self::Look { .. } => None,
            Self::Arrive { to, .. }
            | Self::Report { to, .. }
            | Self::Notice { to, .. }
            | Self::Room { to, .. } => Some(*to),
        }
    }
}

impl World {
    pub(super) fn post(&mut self, from: usize, to: usize, call: CallId, what: What, keep: Duration) {
        self.counter += 1;
        let parcel = Parcel { number: self.counter, call, what };
        let until = self.now + keep;
        self.later(Duration::ZERO, Happening::Attempt { from, to, parcel, tries: 0, until });
    }

    pub(super) fn later(&mut self, after: Duration, happening: Happening) {
        self.counter += 1;
        self.queue.insert((self.now + after, self.counter), happening);
    }

    pub(super) fn run_until(&mut self, until: Moment) {
        loop {
            let awake = (0..self.people.len()).filter(|who| !self.people[*who].asleep);
            let tick =
                awake.filter_map(|who| self.people[who].phone.deadline().map(|due| (due.at, who))).min();
            let next = self.queue.keys().next().map(|(at, _)| *at);
            let at = [tick.map(|(at, _)| at), next].into_iter().flatten().min();
            let Some(at) = at.filter(|at| *at <= until) else { break };
            self.now = self.now.max(at);
            if let Some((due, who)) = tick
                && due <= at
            {
                self.tick_if_due(who);
            } else if let Some((_, happening)) = self.queue.pop_first() {
                match happening.whose().filter(|whose| self.people[*whose].asleep) {
                    Some(whose) => self.kept.push((whose, happening)),
                    None => self.happen(happening),
                }
            }
        }
        self.now = until;
    }

    /// A device falls asleep, or wakes up and finds what came meanwhile.
    pub fn sleep(&mut self, who: usize, asleep: bool) {
        if self.people[who].asleep == asleep {
            return;
        }
        self.people[who].asleep = asleep;
        self.look_at_stays(who);
        if asleep {
            for other in 0..self.people.len() {
                self.look_at_paths(other, who);
            }
            return;
        }
        self.tick_if_due(who);
        let kept = std::mem::take(&mut self.kept);
        let (mine, rest) = kept.into_iter().partition(|(of, _)| *of == who);
        self.kept = rest;
        for (_, happening) in mine {
            self.later(Duration::ZERO, happening);
        }
        for other in 0..self.people.len() {
            self.look_at_paths(who, other);
        }
    }

    /// Cuts or mends the path of sound between two devices.
    pub fn cut(&mut self, a: usize, b: usize, cut: bool) {
        let pair = (a.min(b), a.max(b));
        if cut {
            self.network.cut.insert(pair);
            self.look_at_paths(a, b);
            self.look_at_paths(b, a);
        } else {
            self.network.cut.remove(&pair);
        }
    }

    /// No word travels between two devices any more, or it does again.
    pub fn separate(&mut self, a: usize, b: usize, apart: bool) {
        let pair = (a.min(b), a.max(b));
        if apart {
            self.network.apart.insert(pair);
        } else {
            self.network.apart.remove(&pair);
        }
    }

    /// Whether sound of that device is played on this one.
    pub fn hears(&self, who: usize, whom: usize) -> bool {
        let person = &self.people[who];
        let mut paths = person.media.paths.iter();
        paths.any(|(key, path)| {
            let held = person.media.held.contains(&(key.0, key.1));
            key.1 == device(whom) && path.open && path.up && !held
        }) || self.hears_by_room(who, whom)
    }

    fn look_at_paths(&mut self, to: usize, from: usize) {
        let keys = self.people[to].media.paths.keys().filter(|key| key.1 == device(from));
        for key in keys.copied().collect::<Vec<_>>() {
            self.later(NOTICE, Happening::Notice { to, key });
        }
    }

    fn sound_travels(&self, a: usize, b: usize) -> bool {
        self.network.sound_travels(a, b) && !self.people[a].asleep && !self.people[b].asleep
    }

    /// A path that one side takes down is noticed by the other as silence.
    pub(super) fn far_end_goes(&mut self, who: usize, (call, leg, epoch): (CallId, LegId, Epoch)) {
        if let Some(to) = self.number(leg) {
            self.later(NOTICE, Happening::Notice { to, key: (call, device(who), epoch) });
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Attempt { from, to, parcel, tries, until } => {
                self.attempt(from, to, parcel, tries, until);
            }
            Happening::Arrive { from, to, parcel } => self.arrive(from, to, parcel),
            Happening::Report { to, key, report } => self.report(to, key, report),
            Happening::Notice { to, key } => self.notice(to, key),
            Happening::Room { to, call, news } => self.room_happens(to, call, news),
            Happening::Look { call } => self.look_at_room(call),
        }
    }

    fn notice(&mut self, to: usize, key: (CallId, LegId, Epoch)) {
        let Some(from) = self.number(key.1) else { return };
        let theirs = (key.0, device(to), key.2);
        let alive = self.people[from].media.paths.get(&theirs).is_some_and(|path| path.up);
        let travels = alive && self.sound_travels(to, from);
        let up = self.people[to].media.paths.get_mut(&key).filter(|path| path.up);
        if let Some(path) = up
            && !travels
        {
            path.up = false;
            self.media_event(to, key, MediaReport::Lost);
        }
    }

    fn report(&mut self, to: usize, key: (CallId, LegId, Epoch), report: MediaReport) {
        if !self.people[to].media.paths.contains_key(&key) {
            return;
        }
        if report != MediaReport::Up {
            return self.media_event(to, key, report);
        }
        let Some(from) = self.number(key.1) else { return };
        let theirs = (key.0, device(to), key.2);
        let Some(met) = self.people[from].media.paths.get(&theirs).map(|path| path.met) else { return };
        if !met || !self.sound_travels(to, from) {
            // Checks go on until the path opens or is taken down.
            return self.later(CHECK_EVERY, Happening::Report { to, key, report });
        }
        for (who, key) in [(to, key), (from, theirs)] {
            let path = self.people[who].media.paths.get_mut(&key).filter(|path| !path.up);
            if let Some(path) = path {
                path.up = true;
                self.media_event(who, key, MediaReport::Up);
            }
        }
    }

    pub(super) fn media_event(&mut self, to: usize, key: (CallId, LegId, Epoch), report: MediaReport) {
        let (call, leg, epoch) = key;
        self.event(to, Event::Media { call, leg, epoch, report });
    }

    fn attempt(&mut self, from: usize, to: usize, parcel: Parcel, tries: usize, until: Moment) {
        if self.people[to].taken.contains(&parcel.number) || self.now > until {
            return;
        }
        let of_session = matches!(parcel.what, What::Ring { .. } | What::Meet | What::Say(_));
        if of_session && !self.people[from].sessions.contains_key(&(parcel.call, device(to))) {
            return;
        }
        let session = (parcel.call, device(to));
        if matches!(parcel.what, What::Ring { .. }) && self.people[from].taken_back.contains(&session) {
            return;
        }
        if matches!(parcel.what, What::Ring { .. }) && !self.network.offline.contains(&from) {
            self.event(from, Event::Carried { call: parcel.call, leg: device(to) });
        }
        let lost = matches!(parcel.what, What::Ring { .. }) && self.network.lost_rings.contains(&(from, to));
        if lost {
            return;
        }
        // What is said in a call goes by its data channel, too.
        let mut paths = self.people[from].media.paths.iter();
        let channel = matches!(parcel.what, What::Say(_))
            && paths.any(|(key, path)| key.0 == parcel.call && key.1 == device(to) && path.up)
            && self.sound_travels(from, to);
        for after in self.network.carry(&mut self.chance, from, to, channel) {
            self.later(after, Happening::Arrive { from, to, parcel: parcel.clone() });
        }
        let wait = match parcel.what {
            What::Note { .. } => NOTE_EVERY,
            What::Ring { .. } | What::Meet | What::Say(_) | What::Bye => {
                Duration::from_millis(REPEATS[tries.min(REPEATS.len() - 1)])
            }
        };
        self.later(wait, Happening::Attempt { from, to, parcel, tries: tries + 1, until });
    }

    fn arrive(&mut self, from: usize, to: usize, parcel: Parcel) {
        let (call, leg) = (parcel.call, device(from));
        let peer = peer(self.people[from].owner);
        let person = &mut self.people[to];
        let first = person.taken.insert(parcel.number);
        match parcel.what {
            // Its note has told of it: signaling knows the call.
            What::Ring { .. } if person.noted.contains(&call) => {}
            What::Ring { lifetime } => {
                // A ring is given twice when it comes twice: the rules must not mind.
                person.sessions.insert((call, leg), from);
                if person.calling.get(&(call, leg)) == Some(&false) {
                    person.calling.remove(&(call, leg));
                }
                let (preconnect, policy) = (self.preconnect, person.policy);
                if preconnect {
                    self.rooms.early.insert((call, to));
                }
                // Every other caller is an older program.
                let callee_offers = call.bytes().iter().fold(0, |all, byte| all ^ byte) & 1 == 0;
                self.event(to, Event::Rung { call, leg, peer, lifetime, preconnect, callee_offers, policy });
            }
            // Of two that cross a ring stands, else the one of the higher device.
            What::Meet
                if person.calling.get(&(call, leg)).is_some_and(|rings| *rings || device(to) > leg) => {}
            What::Meet => {
                if first {
                    person.sessions.insert((call, leg), from);
                    person.calling.remove(&(call, leg));
                    self.event(to, Event::Met { call, leg, peer });
                }
            }
            What::Say(message) => {
                person.calling.remove(&(call, leg));
                if first && person.sessions.contains_key(&(call, leg)) {
                    person.proved.insert(call);
                    self.event(to, Event::Received { call, leg, message });
                }
            }
            What::Bye => {
                if first {
                    self.event(to, Event::Bye { call, leg });
                }
            }
            What::Note { sent } => {
                // Whose session has carried something has a row here; a ring that nobody has proved has none.
                let let_in = person.proved.contains(&call);
                if first && !let_in && person.noted.insert(call) {
                    let at_unix_us = i64::try_from(sent.micros()).unwrap_or(0);
                    self.event(to, Event::MissedNote { call, peer, at_unix_us, why: None });
                }
            }
        }
    }

    /// A message 1 is repeated no more.
    pub(super) fn stop_calling(&mut self, who: usize, whom: usize, call: CallId) {
        self.queue.retain(|_, happening| match happening {
            Happening::Attempt { from, to, parcel, .. } => {
                let of_it = *from == who && *to == whom && parcel.call == call;
                !(of_it && matches!(parcel.what, What::Ring { .. } | What::Meet))
            }
            Happening::Arrive { .. }
            | Happening::Report { .. }
            | Happening::Notice { .. }
            | Happening::Room { .. }
            | Happening::Look { .. } => true,
        });
    }

    /// What is under way of a device that was killed is gone, but what others have under way to it.
    pub(super) fn forget_happenings(&mut self, who: usize) {
        self.queue.retain(|_, happening| match happening {
            Happening::Report { to, .. } | Happening::Notice { to, .. } | Happening::Room { to, .. } => {
                *to != who
            }
            Happening::Attempt { from, .. } => *from != who,
            Happening::Arrive { .. } | Happening::Look { .. } => true,
        });
    }
}
