//! What is told of the lines of a call: that of each of the others, and all of them as one.
//!
//! Lives here: which of it is news. How one line is judged: `line.rs`.
//! Must not: cost anything for a packet, or judge a line.

use std::collections::BTreeMap;

use ahoy_call::{LegId, Moment};

use super::Session;
use super::leg::Leg;
use super::line::LineWatch;
use super::voices::Voices;
use crate::media::Report;
use crate::values::line::{Line, MemberLine, Quality};
use crate::values::rows::{MemberStats, Stats};

/// Lines that are remembered of devices that have gone: one that comes back was mended.
const REMEMBERED: usize = 32;

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Lines {
    of: BTreeMap<LegId, LineWatch>,
    first_heard: Option<Moment>,
    told: Line,
    /// What was told of each of the others; what is not here was never told, or is as if it were not.
    members: BTreeMap<LegId, MemberLine>,
}

impl Lines {
    /// Sound of theirs came that may be played.
    pub(super) fn heard(&mut self, now: Moment) {
        self.first_heard.get_or_insert(now);
    }

    /// Looks at all of them.
    fn look(&mut self, now: Moment, legs: &BTreeMap<LegId, Leg>, voices: &Voices) {
        for id in legs.keys() {
            if !self.of.contains_key(id) {
                self.of.insert(*id, LineWatch::default());
            }
        }
        if self.of.len() > REMEMBERED {
            self.of.retain(|id, _| legs.contains_key(id));
        }
        for (id, line) in &mut self.of {
            line.look(now, *id, legs.get(id), voices);
        }
    }

    /// As one: the way of the first that carries; as good as the worst of those that carry, and lost where none does that did.
    fn as_one(&self, legs: &BTreeMap<LegId, Leg>) -> Line {
        let there = || self.of.iter().filter(|(id, _)| legs.contains_key(id)).map(|(_, line)| line);
        let carrying = || there().filter(|line| line.carries());
        let first = carrying().next();
        // One that has just come back is no measure for the others.
        let worst =
            || carrying().filter_map(LineWatch::quality).filter(|one| *one != Quality::Lost).max_by_key(rank);
        let quality = match first {
            Some(_) => worst().or_else(|| carrying().find_map(LineWatch::quality)),
            None => {
                self.of.values().filter(|line| line.carried()).filter_map(LineWatch::quality).max_by_key(rank)
            }
        };
        Line {
            quality,
            path: first.and_then(LineWatch::way),
            repairs: self.of.values().map(LineWatch::repairs).sum(),
            ..Line::default()
        }
    }

    /// Adds what is known of one line to what is known of its leg.
    pub(super) fn count(&self, id: LegId, leg: &Leg, stats: &mut Stats) {
        if let Some(line) = self.of.get(&id) {
            line.count(leg, stats);
        }
    }

    /// Adds what is known of all of them; `each` as far as that is counted already.
    pub(super) fn count_all(&self, each: &[MemberStats], stats: &mut Stats) {
        (stats.line, stats.first_heard) = (self.told, self.first_heard);
        let carrying = each
            .iter()
            .map(|one| &one.numbers)
            .find(|numbers| numbers.pair.is_some() || numbers.ciphers.is_some());
        if let Some(carrying) = carrying {
            (stats.pair, stats.ciphers) = (carrying.pair, carrying.ciphers.clone());
        }
        stats.mos = each.iter().filter_map(|one| one.numbers.mos).reduce(f64::min);
    }

    /// How one of the others is to be shown; of a device that was not heard yet, as far as its line is known.
    fn member(&self, legs: &BTreeMap<LegId, Leg>, voices: &Voices, id: LegId) -> Option<MemberLine> {
        let of = |leg: LegId| self.of.get(&leg).and_then(LineWatch::quality);
        let by = voices.carrier(id, legs);
        match voices.get(id).zip(by) {
            Some((voice, by)) => {
                let plays = legs.get(&by).is_some_and(Leg::plays);
                Some(MemberLine { quality: of(by), speaking: plays && voice.speaks() })
            }
            None => legs.get(&id).map(|_| MemberLine { quality: of(id), speaking: false }),
        }
    }

    /// One of the others of whom something else was told last. Whoever has gone is as if nothing had been told.
    fn news(&self, legs: &BTreeMap<LegId, Leg>, voices: &Voices) -> Option<(LegId, MemberLine)> {
        // A room is nobody.
        let devices = legs.iter().filter(|(_, leg)| !leg.is_room).map(|(id, _)| id);
        let all = devices.chain(voices.ids()).chain(self.members.keys());
        all.map(|id| (*id, self.member(legs, voices, *id).unwrap_or_default()))
            .find(|(id, now)| self.members.get(id).copied().unwrap_or_default() != *now)
    }
}

impl Session {
    /// Looks at the lines. Tells how they are, as far as that changed.
    pub(super) async fn tell_line(&mut self, now: Moment) {
        self.lines.look(now, &self.legs, &self.voices);
        while let Some((leg, line)) = self.lines.news(&self.legs, &self.voices) {
            match line == MemberLine::default() {
                true => self.lines.members.remove(&leg),
                false => self.lines.members.insert(leg, line),
            };
            self.send(Report::Member { call: self.call, leg, line }).await;
        }
        let as_one = self.lines.as_one(&self.legs);
        let line = Line { speaking_muted: self.pump.levels().speaking_muted(), ..as_one };
        if line != std::mem::replace(&mut self.lines.told, line) {
            self.send(Report::Line { call: self.call, line }).await;
        }
    }
}

/// The better, the lower.
fn rank(quality: &Quality) -> usize {
    Quality::ALL.iter().position(|one| one == quality).unwrap_or(0)
}
