//! A call between several, who come and go: a mesh of legs around one log.
//!
//! Lives here: what a group has beside a call's members; when it next has something to do.
//! Must not: know how a path is mended, or what statements come to (`crate::group`).
//!
//! Whoever takes part has a session with everybody else who does. A ring brings a target and its caller together; who joined
//! later opens the sessions with the others ([`SignalOrder::Meet`](crate::SignalOrder::Meet)). After each input the group is
//! settled: the log is folded, members follow it, then our own phase, then legs and paths, and last who is told what.

mod enter;
mod gossip;
mod hear;
mod legs;
mod room;
mod settle;
mod stay;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use crate::call::{Call, Phase, Stage};
use crate::group::{Age, Fold, Head, Log, Presence, Standing, Start, Statement};
use crate::id::{CallId, GroupId, LegId, PeerId};
use crate::time::Moment;
use crate::view::{EndReason, EndedBy, Outcome};

pub(crate) use enter::GroupDial;
use room::Room;
pub(crate) use room::{ROOM, Words};

/// Voices that meet without a room at most.
pub(crate) const MESH: usize = 4;
/// Nobody else is in it for so long: a person hears of it.
const ALONE_AFTER: Duration = Duration::from_secs(30);
/// And it ends.
pub(crate) const ALONE_FOR: Duration = Duration::from_secs(300);
/// Who joined before the other waits so long for the other's message 1, then sends its own.
const MEET_AFTER: Duration = Duration::from_secs(2);
/// So long message 1 of a meeting is repeated; then another is made.
const MEET_FOR: Duration = Duration::from_secs(30);
/// So many are made for one device.
const MEETS: u8 = 20;
/// What others said is passed on to one device so often at most.
const GATHERED: Duration = Duration::from_millis(500);
/// Who takes part says so itself to all others who do. That is passed on only so long afterwards, and by one of two after the other:
/// what the first one knows the second one need not tell.
const PASSED_ON: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(3)];
/// What another has said so soon after it was told something may have been said before it heard that.
const UNDER_WAY: Duration = Duration::from_millis(500);
/// What one who is out of the call is told, at most so often.
const OUTSIDE_EVERY: Duration = Duration::from_secs(10);
/// While no sound flows to a member they hear of us so often.
const BEAT: Duration = Duration::from_secs(10);
/// One whom nobody hears is told so often that we are there.
const CALL_FOR_SILENT: Duration = Duration::from_secs(20);
/// One who is out of the call hears so often that it goes on.
const STILL_EVERY: Duration = Duration::from_secs(120);
/// And forgets it when nothing is heard for so long.
const FORGET_AFTER: Duration = Duration::from_secs(300);
/// A session of one who turns out to have no place in the call.
const STRANGER_FOR: Duration = Duration::from_secs(15);
/// Questions for what another knows and we do not, to one device in a minute.
const PULLS: usize = 12;
/// Words to one device in a minute, of ourselves and of others, that go without delay: a member who says much does not make us say
/// it to all others, nor does one who has always forgotten everything.
const OWN_WORDS: usize = 40;
const OTHERS_WORDS: usize = 20;
/// Joins of this person in a minute.
const JOINS: usize = 6;

/// By which a group is known again: its name, or the people that it began with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Named(GroupId),
    People(BTreeSet<PeerId>),
}

/// What a phone knows that each of its groups has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct House {
    /// Whom this person has blocked.
    pub(crate) blocked: BTreeSet<PeerId>,
    /// Our relay has rooms.
    pub(crate) rooms: bool,
}

/// What a group has beside its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    log: Log,
    /// What it came to when it was settled last.
    fold: Fold,
    /// When the call was started, by our reckoning.
    began: Moment,
    /// What is known of the sessions, by the device at the other end.
    ties: BTreeMap<LegId, Tie>,
    /// One we talk to since before it was a group, and who may not know that it is one.
    taken: Option<(LegId, PeerId)>,
    /// Whom we hear nothing of and tell nothing.
    blocked: BTreeSet<PeerId>,
    /// Since when nobody else is in it, while we are.
    alone: Option<Moment>,
    /// A person was told so.
    alone_told: bool,
    /// Conversations that end once their people are here.
    pub(crate) merging: Vec<CallId>,
    /// It is answered as soon as it would ring: the people talk already.
    pub(crate) answers: bool,
    /// When this person entered, lately.
    joins: Vec<Moment>,
    /// How often our flags were sent.
    said: u32,
    room: Room,
}

/// What is known of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Tie {
    /// What the other end has, as far as is known.
    heads: BTreeMap<LegId, Head>,
    /// When anything was heard of it last; while sound can flow, always.
    heard: Moment,
    /// It has told that it no longer knows the call: what it had said until then, by the number, counts no more.
    bye: Option<u32>,
    /// When it was told anything last.
    told: Option<Moment>,
    /// Since when it lacks something.
    lacks: Option<Moment>,
    /// Until when it rings there for us, and in whose place.
    ring: Option<(Moment, Option<CallId>)>,
    /// Since when we wait for its message 1.
    awaited: Option<Moment>,
    /// When we sent ours last, and how often.
    meets: Option<(Moment, u8)>,
    /// When we asked it for what we lack, lately.
    pulls: Vec<Moment>,
    /// When it was told something, lately.
    words: Vec<Moment>,
}

/// A group call that runs without us, or may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outside {
    pub(super) reason: EndReason,
    pub(super) by: EndedBy,
    pub(super) outcome: Outcome,
    pub(super) ended: Moment,
    /// When it is forgotten unless something is heard.
    until: Moment,
}

impl Tie {
    fn new(now: Moment) -> Self {
        Self {
            heads: BTreeMap::new(),
            heard: now,
            bye: None,
            told: None,
            lacks: None,
            ring: None,
            awaited: None,
            meets: None,
            pulls: Vec::new(),
            words: Vec::new(),
        }
    }
}

impl Group {
    fn new(start: Start, (own, me): (LegId, PeerId), began: Moment, house: House) -> Self {
        let House { blocked, rooms } = house;
        Self {
            log: Log::new(start, own, me),
            fold: Fold::default(),
            began,
            ties: BTreeMap::new(),
            taken: None,
            blocked,
            alone: None,
            alone_told: false,
            merging: Vec::new(),
            answers: false,
            joins: Vec::new(),
            said: 0,
            room: Room::new(rooms),
        }
    }

    /// How old the call is.
    fn age(&self, now: Moment) -> Age {
        Age::of(now.since(self.began))
    }

    /// How old it is for what we do as its host: not before those who came before us had left, whose clocks may be ahead of ours.
    fn acts_at(&self, now: Moment) -> Age {
        self.age(now).max(self.fold.may_act_from(self.log.me(), self.log.start().peer))
    }

    /// When the call was that old. What others' clocks say of the future is now.
    fn moment(&self, age: Age, now: Moment) -> Moment {
        (self.began + age.passed()).min(now)
    }

    pub(crate) fn key(&self) -> Key {
        match self.log.start().group {
            Some(group) => Key::Named(group),
            None => Key::People(self.fold.original.clone()),
        }
    }

    /// Whether this person had a place in it when it began, and was not put out of it.
    pub(crate) fn is_of(&self, peer: PeerId) -> bool {
        self.fold.original.contains(&peer) && self.fold.standing(peer) != Some(Standing::Removed)
    }

    pub(crate) fn those_of_it(&self) -> BTreeSet<PeerId> {
        self.fold.original.iter().copied().filter(|peer| self.is_of(*peer)).collect()
    }

    pub(crate) fn start(&self) -> Start {
        self.log.start()
    }

    /// Whether we may put others out and end it for all.
    pub(crate) fn is_host(&self) -> bool {
        self.fold.host == Some(self.log.me())
    }

    /// Whether the call goes on, with us or without.
    pub(crate) fn runs(&self) -> bool {
        self.fold.runs()
    }

    /// Who ended it for all.
    pub(crate) fn ended_by(&self) -> Option<PeerId> {
        self.fold.ended.map(|(_, by)| by)
    }

    /// Who put us out.
    pub(crate) fn put_out_by(&self) -> Option<PeerId> {
        self.fold.people.get(&self.log.me()).and_then(|person| person.put_out_by)
    }

    /// Whether nobody has been in it but us for long enough to be told.
    pub(crate) fn is_alone(&self) -> bool {
        self.alone_told
    }

    /// When it ends because nobody else is in it, once that is told.
    pub(crate) fn ends_alone(&self) -> Option<Moment> {
        self.alone.filter(|_| self.alone_told).map(|since| since + ALONE_FOR)
    }

    pub(crate) fn named(&self) -> Option<GroupId> {
        self.log.start().group
    }

    pub(crate) fn hosts(&self, peer: PeerId) -> bool {
        self.fold.host == Some(peer)
    }

    pub(crate) fn began_by(&self, peer: PeerId) -> bool {
        self.log.start().peer == peer
    }

    pub(crate) fn has_blocked(&self, peer: PeerId) -> bool {
        self.blocked.contains(&peer)
    }

    /// Others who take part.
    fn others(&self) -> impl Iterator<Item = (PeerId, LegId)> {
        let me = self.log.me();
        let joined = self
            .fold
            .people
            .iter()
            .filter(move |(peer, person)| **peer != me && person.standing == Standing::Joined);
        joined.filter_map(|(peer, person)| Some((*peer, person.device?)))
    }

    /// Whether there is no place for our own voice. Who can open a room brings its places along.
    pub(crate) fn is_full(&self) -> bool {
        let places = if self.room.says() { ROOM } else { self.capacity() };
        self.others().count() >= places
    }

    /// Whether so many more would find a place.
    pub(crate) fn has_places_for(&self, more: usize) -> bool {
        self.fold.joined().len() + more <= self.capacity()
    }

    /// Whether our own person takes part by another device than this one.
    pub(crate) fn is_elsewhere(&self) -> bool {
        let mine = self.fold.people.get(&self.log.me());
        mine.and_then(|person| person.device).is_some_and(|device| device != self.log.own())
    }

    /// Whether this person takes part.
    pub(crate) fn has_joined(&self, peer: PeerId) -> bool {
        self.fold.standing(peer) == Some(Standing::Joined)
    }

    /// Whether this person can be expected: they take part, or were called and have not said no.
    pub(crate) fn expects(&self, peer: PeerId) -> bool {
        matches!(self.fold.standing(peer), Some(Standing::Joined | Standing::Invited))
    }

    /// Whether this person was called, and nothing has been heard of them since.
    pub(crate) fn waits_for(&self, peer: PeerId) -> bool {
        self.fold.standing(peer) == Some(Standing::Invited)
    }

    /// When the group itself next has something to do. `window`: how long nothing may be heard of a member.
    fn deadline(&self, call: &Call) -> Option<Moment> {
        let live = matches!(call.phase, Phase::Live(_));
        let alone = self
            .alone
            .filter(|_| live)
            .map(|since| since + if self.alone_told { ALONE_FOR } else { ALONE_AFTER });
        let outside = match &call.phase {
            Phase::Outside(it) => Some(it.until),
            Phase::Outgoing(_) | Phase::Incoming(_) | Phase::Live(_) => None,
        };
        let ties = self.ties.iter().filter_map(|(leg, tie)| self.tie_due(call, *leg, tie));
        ties.chain(alone).chain(outside).chain(self.room.due).min()
    }

    fn tie_due(&self, call: &Call, leg: LegId, tie: &Tie) -> Option<Moment> {
        let live = matches!(call.phase, Phase::Live(_));
        let carries = self.carries(leg) || call.legs().any(|it| it.id == leg && it.carries());
        let in_call = self.others().any(|(_, device)| device == leg);
        let ring = tie.ring.map(|(until, _)| until);
        let stranger = self.is_stranger(call, leg).then_some(tie.heard + STRANGER_FOR);
        let silent = (live && in_call && !carries).then_some(tie.heard + call.reconnect_window);
        let meet = tie.awaited.filter(|_| live && in_call).map(|since| since + MEET_AFTER);
        let waits = call.legs().any(|it| it.id == leg && it.stage == Stage::Invited);
        let again = tie.meets.filter(|_| live && waits).map(|(at, _)| at + MEET_FOR);
        let words = self.words_due(call, leg, tie);
        [ring, stranger, silent, meet, again, words].into_iter().flatten().min()
    }

    /// Whether the device belongs to nobody who has a place in the call.
    fn is_stranger(&self, call: &Call, leg: LegId) -> bool {
        call.whose(leg).is_some_and(|peer| !self.fold.people.contains_key(&peer))
    }

    /// Whether nothing is heard of this device any more, or it has forgotten what it said.
    fn is_silent(&self, leg: LegId, now: Moment, window: Duration) -> bool {
        let number = self.log.entry(leg).map_or(0, |entry| entry.statement.number);
        self.ties
            .get(&leg)
            .is_some_and(|tie| tie.heard + window <= now || tie.bye.is_some_and(|said| number <= said))
    }

    /// What we say of ourselves, with all that we had said before.
    fn say(&mut self, presence: Presence) {
        let statement = match self.log.said() {
            Some(said) => Statement { presence, ..said.clone() },
            None => {
                let (invited, removed, gone) = (Vec::new(), Vec::new(), Vec::new());
                Statement {
                    number: 0,
                    presence,
                    invited,
                    removed,
                    gone,
                    ended: None,
                    rooms: self.room.says(),
                }
            }
        };
        self.log.say(statement);
    }

    fn presence(&self) -> Option<Presence> {
        self.log.said().map(|said| said.presence)
    }
}
