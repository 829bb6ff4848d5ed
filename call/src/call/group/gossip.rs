//! Who is told what of the log, and when.
//!
//! Lives here: what each session is told, and how often; what another knows after that.
//! Must not: take anything in (`hear.rs`).

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::{
    BEAT, CALL_FOR_SILENT, GATHERED, Group, OTHERS_WORDS, OUTSIDE_EVERY, OWN_WORDS, PASSED_ON, STILL_EVERY,
    Tie, UNDER_WAY,
};
use crate::call::leg::within_a_minute;
use crate::call::{Call, Out, Phase, Stage};
use crate::group::{AUTHORS, ENTRIES, Entry, Head, News, Standing};
use crate::id::LegId;
use crate::message::Message;
use crate::time::Moment;

/// Bytes of seals in one message at most: with its heads it stays inside one sealed message.
const SEALS: usize = 14_000;
/// What our own entry is counted for, before our port has sealed it.
const OWN_SEAL: usize = 6_000;

impl Group {
    /// Whether the device is that of one who takes part, or is being called: they hear everything at once.
    fn is_close(&self, call: &Call, leg: LegId) -> bool {
        let rings = self.ties.get(&leg).is_some_and(|tie| tie.ring.is_some());
        let own = matches!(call.phase, Phase::Outside(_) | Phase::Incoming(_));
        let person = call.whose(leg).and_then(|peer| self.fold.people.get(&peer));
        let in_call = person.is_some_and(|person| person.devices.contains(&leg));
        // What we have to say from outside, those inside wait for.
        rings
            || (in_call && !matches!(call.phase, Phase::Outside(_)))
            || (in_call && own && self.owes_own(leg))
    }

    /// Whether this device has not heard what we said last of ourselves.
    fn owes_own(&self, leg: LegId) -> bool {
        let Some(said) = self.log.said() else { return false };
        let tie = self.ties.get(&leg);
        tie.is_some_and(|tie| tie.heads.get(&self.log.own()).is_none_or(|head| head.number < said.number))
    }

    /// Who ended it for all says whom they told. One of the others hears it from us all the same, so that around the circle all hear it
    /// if anybody did.
    fn doubt_who_ended_it(&mut self) {
        let Some(by) = self.ended_by().filter(|by| *by != self.log.me()) else { return };
        let own = self.log.own();
        let others: BTreeSet<LegId> = self.others().map(|(_, leg)| leg).collect();
        let next = others.range(own..).next().or_else(|| others.first());
        if let Some(tie) = next.and_then(|leg| self.ties.get_mut(leg)) {
            let of_theirs = |author: LegId| self.log.entry(author).is_some_and(|entry| entry.peer == by);
            tie.heads.retain(|author, _| !of_theirs(*author));
        }
    }

    /// Whether all that this device lacks was said by devices that take part, as it does itself: they have a session with it, unless
    /// they are of the same person.
    fn hears_it_anyway(&self, leg: LegId, tie: &Tie) -> bool {
        let takes_part = |leg| {
            self.fold.people.iter().find(|(_, person)| person.devices.contains(&leg)).map(|(peer, _)| *peer)
        };
        let Some(peer) = takes_part(leg) else { return false };
        let mut lacking = self.log.lacking(&tie.heads).into_iter();
        lacking.all(|entry| entry.peer != peer && takes_part(entry.author).is_some())
    }

    /// When this session is next told something.
    pub(super) fn words_due(&self, call: &Call, leg: LegId, tie: &Tie) -> Option<Moment> {
        let stage =
            call.legs().find(|it| it.id == leg).map(|it| (it.stage, it.carries() || self.carries(leg)));
        let (_, carries) = stage.filter(|(stage, _)| *stage != Stage::Invited)?;
        let peer = call.whose(leg)?;
        if self.blocked.contains(&peer) || !self.fold.people.contains_key(&peer) {
            return None;
        }
        let told = tie.told.unwrap_or_default();
        if self.log.is_ahead_of(&tie.heads) {
            let over = !self.fold.runs();
            let now = Moment::default();
            return Some(if over || tie.told.is_none() {
                now
            } else if !self.is_close(call, leg) || tie.words.len() >= OWN_WORDS {
                told + OUTSIDE_EVERY
            } else if self.owes_own(leg) {
                now
            } else if tie.words.len() >= OTHERS_WORDS {
                told + OUTSIDE_EVERY
            } else if self.hears_it_anyway(leg, tie) {
                tie.lacks.unwrap_or_default() + PASSED_ON[usize::from(self.log.own() > leg)]
            } else {
                told + GATHERED
            });
        }
        let in_call = self.fold.people.get(&peer).is_some_and(|person| person.device == Some(leg));
        let silent = self.fold.people.get(&peer).is_some_and(|person| person.silent.contains(&leg));
        let out = matches!(self.fold.standing(peer), Some(Standing::Removed));
        match &call.phase {
            Phase::Live(_) if in_call && carries => None,
            Phase::Live(_) if in_call => Some(told + BEAT),
            Phase::Live(_) if silent => Some(told + CALL_FOR_SILENT),
            Phase::Live(_) if !out && tie.ring.is_none() => Some(told + STILL_EVERY),
            Phase::Live(_) | Phase::Outgoing(_) | Phase::Incoming(_) | Phase::Outside(_) => None,
        }
    }
}

impl Call {
    /// Tells everybody what is due.
    pub(super) fn tell(&mut self, out: &mut Out) {
        let Some(group) = &mut self.group else { return };
        for tie in group.ties.values_mut() {
            tie.lacks = group.log.is_ahead_of(&tie.heads).then_some(tie.lacks.unwrap_or(out.now));
        }
        let Some(group) = &self.group else { return };
        let due = |(leg, tie): (&LegId, &Tie)| {
            group.words_due(self, *leg, tie).filter(|at| *at <= out.now).map(|_| *leg)
        };
        let to: Vec<LegId> = group.ties.iter().filter_map(due).collect();
        self.say_to(out, &to);
    }

    /// Tells everybody everything that they lack, at once.
    pub(super) fn tell_all(&mut self, out: &mut Out) {
        if let Some(group) = &mut self.group {
            group.doubt_who_ended_it();
        }
        let Some(group) = &self.group else { return };
        let lacks = |(leg, tie): (&LegId, &Tie)| {
            let seated = self
                .whose(*leg)
                .is_some_and(|peer| group.fold.people.contains_key(&peer) && !group.blocked.contains(&peer));
            let stands = self.legs().any(|it| it.id == *leg && it.stage != Stage::Invited);
            (seated && stands && group.log.is_ahead_of(&tie.heads)).then_some(*leg)
        };
        let to: Vec<LegId> = group.ties.iter().filter_map(lacks).collect();
        self.say_to(out, &to);
    }

    /// The path has come up: what may have been lost meanwhile is compared.
    pub(super) fn greet(&mut self, out: &mut Out, leg: LegId) {
        let told = self.group.as_ref().and_then(|group| group.ties.get(&leg)).and_then(|tie| tie.told);
        if told.is_some_and(|at| at + BEAT <= out.now) {
            self.say_to(out, &[leg]);
        }
    }

    /// Tells these devices what each of them lacks; all of them that the others hear the same.
    pub(super) fn say_to(&mut self, out: &mut Out, to: &[LegId]) {
        for leg in to {
            let Some(group) = &self.group else { return };
            let Some(tie) = group.ties.get(leg) else { continue };
            let lacking = group.log.lacking(&tie.heads);
            for entries in portions(lacking) {
                let news = self.news(out.now, entries, to, *leg);
                self.send_log(out, *leg, news);
            }
        }
    }

    /// Message 3 of a group, on the session that stands with a device that is called.
    pub(super) fn send_invite(&mut self, out: &mut Out, to: LegId) {
        let text = self.note.clone();
        let Some(group) = &self.group else { return };
        let Some(tie) = group.ties.get(&to) else { return };
        let Some((until, instead_of)) = tie.ring else { return };
        let mut portions = portions(self.entries_for(to)).into_iter();
        let news = self.news(out.now, portions.next().unwrap_or_default(), &[], to);
        self.known_to(out.now, to, &news);
        let remaining = until.since(out.now);
        if let Some(leg) = self.leg_mut(to) {
            let news = Box::new(news);
            leg.send(out, Message::Invite { remaining, text, instead_of, news });
        }
        for entries in portions {
            let news = self.news(out.now, entries, &[], to);
            self.send_log(out, to, news);
        }
    }

    /// All entries, those that say that `to` was called before the others: message 3 must say so.
    fn entries_for(&self, to: LegId) -> Vec<Entry> {
        let (Some(group), peer) = (&self.group, self.whose(to)) else { return Vec::new() };
        let mut all = group.log.lacking(&alloc::collections::BTreeMap::new());
        all.sort_by_key(|entry| {
            let calls = entry.statement.invited.iter().any(|one| Some(one.peer) == peer);
            let starts = entry.author == group.log.start().leg;
            (!calls, entry.author != group.log.own(), !starts)
        });
        all
    }

    fn news(&self, now: Moment, entries: Vec<Entry>, told: &[LegId], but: LegId) -> News {
        let group = self.group.as_ref().expect("only a group has news");
        let told = told.iter().filter(|leg| **leg != but).take(AUTHORS).copied().collect();
        News { start: group.log.start(), age: group.age(now), heads: group.log.heads(), entries, told }
    }

    fn send_log(&mut self, out: &mut Out, to: LegId, news: News) {
        self.known_to(out.now, to, &news);
        if let Some(leg) = self.leg_mut(to) {
            leg.send(out, Message::Log(Box::new(news)));
        }
    }

    /// From now on the device has these entries.
    fn known_to(&mut self, now: Moment, to: LegId, news: &News) {
        let Some(tie) = self.group.as_mut().and_then(|group| group.ties.get_mut(&to)) else { return };
        tie.told = Some(now);
        within_a_minute(&mut tie.words, now);
        tie.words.push(now);
        tie.learn(&news.entries);
    }
}

impl Tie {
    /// The other end says what it has. What it was told a moment ago it has, too, or will have.
    pub(super) fn has(&mut self, now: Moment, heads: &[Head]) {
        let before = core::mem::take(&mut self.heads);
        self.heads = heads.iter().map(|head| (head.author, *head)).collect();
        if self.told.is_some_and(|at| at + UNDER_WAY > now) {
            for (author, head) in before {
                let known = self.heads.entry(author).or_insert(head);
                if known.number < head.number {
                    *known = head;
                }
            }
        }
    }

    /// The other end has these.
    pub(super) fn learn(&mut self, entries: &[Entry]) {
        for entry in entries {
            let (author, number, print) = (entry.author, entry.statement.number, entry.print);
            let twice =
                entries.iter().filter(|it| it.author == author && it.statement.number == number).count();
            let head = Head { author, number, print, contradicted: twice > 1 };
            let known = self.heads.entry(author).or_insert(head);
            if known.number < number || head.contradicted {
                *known = head;
            }
        }
    }
}

/// So that each fits one message. One, empty, if there is nothing: the heads are told all the same. Two halves of a proof go
/// together.
fn portions(entries: Vec<Entry>) -> Vec<Vec<Entry>> {
    let mut all: Vec<Vec<Entry>> = Vec::from([Vec::new()]);
    let mut weight = 0;
    for of_one in entries.chunk_by(|one, other| one.author == other.author) {
        let seal = |entry: &Entry| if entry.seal.0.is_empty() { OWN_SEAL } else { entry.seal.0.len() };
        let more: usize = of_one.iter().map(seal).sum();
        let full = all.last().is_some_and(|last| {
            !last.is_empty() && (weight + more > SEALS || last.len() + of_one.len() > ENTRIES)
        });
        if full {
            weight = 0;
            all.push(Vec::new());
        }
        weight += more;
        if let Some(last) = all.last_mut() {
            last.extend_from_slice(of_one);
        }
    }
    all
}
