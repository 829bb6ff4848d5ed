//! What the statements come to: who has a place in the call, who takes part, who may end it.
//!
//! Lives here: the fold. The same statements give the same, in whatever order they came.
//! Must not: keep anything.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::log::Book;
use super::{Age, Ending, Entry, Invited, Log, PEOPLE, Presence};
use crate::id::{LegId, PeerId};
use crate::parts::{DeclineReason, Scope};
use crate::view::EndReason;

/// Devices of one person that join within this time, in ms, answered the same ring: the first counts.
const AT_ONCE: u64 = 10_000;

/// How far a person has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Called, and nothing has been heard of them.
    Invited,
    /// They said no: one device for all, or each of them.
    Declined,
    /// They take part.
    Joined,
    /// They take part no more.
    Left,
    /// They were put out.
    Removed,
}

/// One who has a place in the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Who brought them; themselves for its starter.
    pub by: PeerId,
    /// When they were called last.
    pub invited: Age,
    /// How far they have come.
    pub standing: Standing,
    /// The device by which they take part. Of several that answered at once the first, and one that joined long after that: it takes
    /// the call over. The others are out.
    pub device: Option<LegId>,
    /// Since when they take part, or did last.
    pub joined: Option<Age>,
    /// When they left.
    pub left: Option<Age>,
    /// Who put them out.
    pub put_out_by: Option<PeerId>,
    /// Every device of theirs that takes part.
    pub devices: Vec<LegId>,
    /// Devices of theirs that say so, and of which nobody hears anything.
    pub silent: Vec<LegId>,
}

/// What a log comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fold {
    /// Everybody who has a place in the call.
    pub people: BTreeMap<PeerId, Person>,
    /// Who may put others out and end it for all: the starter, or of those who take part the one who joined first.
    pub host: Option<PeerId>,
    /// Somebody who might has ended it, and why.
    pub ended: Option<(EndReason, PeerId)>,
    /// The people whom it began with, in the order of their ids, its starter among them.
    pub original: BTreeSet<PeerId>,
}

impl Fold {
    /// Those who take part, the one who joined first at the head.
    pub fn joined(&self) -> Vec<PeerId> {
        let rank = |(peer, person): (&PeerId, &Person)| Some((person.joined?, *peer));
        let joined = self.people.iter().filter(|(_, person)| person.standing == Standing::Joined);
        let mut all: Vec<(Age, PeerId)> = joined.filter_map(rank).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, peer)| peer).collect()
    }

    /// When the last of those who come before this person left, by their own clocks: from then on this one may act for all.
    pub fn may_act_from(&self, peer: PeerId, starter: PeerId) -> Age {
        let joined = |peer: PeerId| self.people.get(&peer).and_then(|person| person.joined);
        let Some(own) = joined(peer) else { return Age(0) };
        let first =
            |other: PeerId| joined(other).is_some_and(|at| other == starter || (at, other) < (own, peer));
        let before = self.people.iter().filter(|(other, _)| **other != peer && first(**other));
        before.filter_map(|(_, person)| person.left).max().unwrap_or_default()
    }

    /// How far this person has come; none if they have no place.
    pub fn standing(&self, peer: PeerId) -> Option<Standing> {
        self.people.get(&peer).map(|person| person.standing)
    }

    /// Whether the call goes on: nobody has ended it, and somebody takes part.
    pub fn runs(&self) -> bool {
        self.ended.is_none() && self.people.values().any(|person| person.standing == Standing::Joined)
    }
}

/// What was said of being called, of all who called.
#[derive(Clone, Copy)]
struct Called {
    first: Age,
    last: Age,
    devices: u8,
    by: PeerId,
}

impl Log {
    /// What it comes to for who hears these devices. `taken`: a device that is taken for one that takes part although it has said
    /// nothing, because we talk to it.
    pub fn fold(&self, hears: impl Fn(LegId) -> bool, taken: Option<(LegId, PeerId)>) -> Fold {
        let called = self.seats();
        let seated = |book: &&Book| called.contains_key(&book.entry.peer);
        let gone = self.gone(seated, hears);
        let mut people = BTreeMap::new();
        for (peer, called) in &called {
            let mut person = self.person(*peer, called, &gone);
            if let Some((leg, _)) = taken.filter(|(leg, of)| of == peer && !self.books.contains_key(leg)) {
                let joined = Some(person.invited);
                person = Person { standing: Standing::Joined, device: Some(leg), joined, ..person };
            }
            people.insert(*peer, person);
        }
        let mut fold = Fold { people, ..Fold::default() };
        self.put_out(&mut fold);
        self.end(&mut fold);
        let starter = self.start().peer;
        let joined = fold.joined();
        fold.host = if joined.contains(&starter) { Some(starter) } else { joined.first().copied() };
        fold.original = self.original();
        fold
    }

    /// Who has a place: the starter, whom they called, whom those called. Beyond the bound those who were called last have none.
    fn seats(&self) -> BTreeMap<PeerId, Called> {
        let starter = |by| Called { first: Age(0), last: Age(0), devices: 1, by };
        let mut seats: BTreeMap<PeerId, Called> =
            self.seeds.iter().take(PEOPLE).map(|peer| (*peer, starter(*peer))).collect();
        while seats.len() < PEOPLE {
            let all = self
                .invitations()
                .filter(|(by, one)| seats.contains_key(by) && !seats.contains_key(&one.peer));
            let Some((first, peer, by)) = all.map(|(by, one)| (one.at, one.peer, by)).min() else { break };
            seats.insert(peer, Called { first, last: first, devices: 1, by });
        }
        let seated: BTreeSet<PeerId> = seats.keys().copied().collect();
        for (_, one) in self.invitations().filter(|(by, _)| seated.contains(by)) {
            if let Some(seat) = seats.get_mut(&one.peer).filter(|seat| one.at >= seat.last) {
                seat.devices = if one.at > seat.last { one.devices } else { seat.devices.max(one.devices) };
                seat.last = one.at;
            }
        }
        seats
    }

    fn halves(&self) -> impl Iterator<Item = &Entry> {
        self.books.values().flat_map(|book| [Some(&book.entry), book.proof.as_ref()].into_iter().flatten())
    }

    fn invitations(&self) -> impl Iterator<Item = (PeerId, &Invited)> {
        self.halves().flat_map(|entry| entry.statement.invited.iter().map(|one| (entry.peer, one)))
    }

    /// Whom its starter called when it began.
    fn original(&self) -> BTreeSet<PeerId> {
        let starter = self.start().peer;
        let first = self.invitations().filter(|(by, one)| *by == starter && one.at == Age(0));
        first.map(|(_, one)| one.peer).chain([starter]).collect()
    }

    /// Devices that nobody hears: who takes part, or did, has given them up, and we do not hear them. With the time of the first word.
    fn gone<'a>(
        &'a self,
        seated: impl Fn(&&'a Book) -> bool,
        hears: impl Fn(LegId) -> bool,
    ) -> BTreeMap<LegId, Age> {
        let mut gone: BTreeMap<LegId, Age> = BTreeMap::new();
        let was_in = |book: &&Book| book.proof.is_none() && book.entry.statement.presence.joined().is_some();
        for book in self.books.values().filter(seated).filter(was_in) {
            for one in &book.entry.statement.gone {
                let newer = self.books.get(&one.leg).is_some_and(|it| it.entry.statement.number > one.number);
                let itself = one.leg == book.entry.author || one.leg == self.own();
                if !newer && !itself && !hears(one.leg) {
                    let at = gone.entry(one.leg).or_insert(one.at);
                    *at = one.at.min(*at);
                }
            }
        }
        gone
    }

    fn person(&self, peer: PeerId, called: &Called, gone: &BTreeMap<LegId, Age>) -> Person {
        let mut person = Person {
            by: called.by,
            invited: called.last,
            standing: Standing::Invited,
            device: None,
            joined: None,
            left: None,
            put_out_by: None,
            devices: Vec::new(),
            silent: Vec::new(),
        };
        let (mut stays, mut past, mut noes) = (Vec::new(), Vec::new(), 0_usize);
        let mut no_for_all = false;
        for (leg, book) in self.books.iter().filter(|(_, book)| book.entry.peer == peer) {
            let presence = book.entry.statement.presence;
            if book.proof.is_some() {
                let at = presence.at().max(called.last);
                past.push((Some(at), at));
                continue;
            }
            match presence {
                // Whose clock says that they came before they were called comes no earlier for it.
                Presence::Joined { at } => match (at.max(called.first), gone.get(leg)) {
                    (at, Some(given_up)) => {
                        person.silent.push(*leg);
                        past.push((Some(at), (*given_up).max(at)));
                    }
                    (at, None) => stays.push((at, *leg)),
                },
                Presence::Left { joined, at } => past.push((joined, at)),
                Presence::Declined { reason, scope, at } if at >= called.last => {
                    noes += 1;
                    no_for_all |= scope == Scope::Everywhere && reason == DeclineReason::Declined;
                }
                Presence::Declined { .. } => {}
            }
        }
        person.devices = stays.iter().map(|(_, leg)| *leg).collect();
        let stayed = past.iter().filter(|(joined, at)| joined.is_some() && *at >= called.last);
        stays.sort_unstable();
        let later =
            |one: (Age, LegId), next: (Age, LegId)| if next.0.0 > one.0.0 + AT_ONCE { next } else { one };
        if let Some((at, leg)) = stays.into_iter().reduce(later) {
            (person.standing, person.device, person.joined) = (Standing::Joined, Some(leg), Some(at));
        } else if let Some((joined, left)) = stayed.max_by_key(|(_, at)| *at) {
            (person.standing, person.joined, person.left) = (Standing::Left, *joined, Some(*left));
        } else if no_for_all || (noes > 0 && noes >= usize::from(called.devices)) {
            person.standing = Standing::Declined;
        }
        person
    }

    /// Takes out whom somebody who might has put out after they were called last.
    fn put_out(&self, fold: &mut Fold) {
        let halves =
            self.halves().flat_map(|entry| entry.statement.removed.iter().map(|one| (entry.peer, *one)));
        let mut out: Vec<_> = halves.filter(|(by, one)| self.might(fold, *by, one.at)).collect();
        out.sort_by_key(|(_, one)| (one.at, one.peer));
        let put_out: Vec<_> = out.iter().map(|(_, one)| *one).collect();
        // Called again since, by somebody who was not put out before.
        let again = |one: &super::Removed| {
            self.invitations().any(|(by, called)| {
                let may = by != one.peer && !put_out.iter().any(|it| it.peer == by && it.at <= called.at);
                called.peer == one.peer && called.at > one.at && may
            })
        };
        for (by, one) in out {
            if let Some(person) = fold.people.get_mut(&one.peer)
                && !again(&one)
                && one.peer != self.start().peer
            {
                let left = person.joined.map(|_| one.at);
                (person.standing, person.device, person.left) = (Standing::Removed, None, left);
                person.put_out_by = Some(by);
            }
        }
    }

    fn end(&self, fold: &mut Fold) {
        let endings = self.halves().filter_map(|entry| Some((entry.statement.ended?, entry.peer)));
        let valid = endings.filter(|(ending, by)| self.might(fold, *by, ending.at));
        let first = valid.min_by_key(|(Ending { at, .. }, by)| (*at, *by));
        fold.ended = first.map(|(ending, by)| (ending.reason, by));
    }

    /// Whether this person might act for all at that time: its starter always, another once everybody who comes before them had
    /// left, and they take part themselves.
    fn might(&self, fold: &Fold, peer: PeerId, at: Age) -> bool {
        let starter = self.start().peer;
        if peer == starter {
            return true;
        }
        let stay =
            |peer: PeerId| fold.people.get(&peer).and_then(|person| Some((person.joined?, person.left)));
        let Some((joined, _)) = stay(peer).filter(|(joined, _)| *joined <= at) else { return false };
        fold.people.keys().filter(|other| **other != peer).all(|other| {
            let Some((theirs, left)) = stay(*other) else { return true };
            let comes_first = *other == starter || (theirs, *other) < (joined, peer);
            let was_in = theirs <= at && left.is_none_or(|left| left > at);
            !(comes_first && was_in)
        })
    }
}

impl Presence {
    /// When it became so.
    pub const fn at(self) -> Age {
        match self {
            Self::Joined { at } | Self::Declined { at, .. } | Self::Left { at, .. } => at,
        }
    }

    /// Since when it takes part, or did.
    pub const fn joined(self) -> Option<Age> {
        match self {
            Self::Joined { at } => Some(at),
            Self::Left { joined, .. } => joined,
            Self::Declined { .. } => None,
        }
    }
}
