//! Whose voice comes by a room: its server may say that somebody is there and pass nothing on.
//!
//! Lives here: since when nothing has come of each of them, and whether that is news.
//! Must not: play anything, or know who is in the call.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ahoy_call::{Epoch, LegId, Moment};

use super::Session;
use crate::media::Report;

/// A voice comes 50 times a second, and who says nothing is heard of twice a second.
const SILENT: Duration = Duration::from_secs(3);
/// Voices by one room.
const MOST: usize = 16;

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct ByRoom {
    epoch: Epoch,
    last: BTreeMap<LegId, Moment>,
    told: BTreeSet<LegId>,
}

impl ByRoom {
    /// A frame of theirs was opened, by our stay of that epoch.
    pub(super) fn came(&mut self, now: Moment, epoch: Epoch, member: LegId) {
        if epoch > self.epoch {
            *self = Self { epoch, ..Self::default() };
        }
        if epoch == self.epoch && (self.last.len() < MOST || self.last.contains_key(&member)) {
            self.last.insert(member, now);
        }
    }

    /// Somebody who is to be told of, and whether their voice comes.
    fn news(&mut self, now: Moment) -> Option<(LegId, bool)> {
        self.last.retain(|_, at| now.since(*at) < SILENT);
        let comes = self.last.keys().find(|member| !self.told.contains(member)).copied();
        if let Some(member) = comes {
            self.told.insert(member);
            return Some((member, true));
        }
        let gone = self.told.iter().find(|member| !self.last.contains_key(member)).copied()?;
        self.told.remove(&gone);
        Some((gone, false))
    }
}

impl Session {
    /// Tells whose voice has begun to come by a room, and whose comes no more.
    pub(super) async fn tell_by_room(&mut self, now: Moment) {
        while let Some((member, comes)) = self.by_room.news(now) {
            let epoch = self.by_room.epoch;
            self.send(Report::ByRoom { call: self.call, epoch, member, comes }).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_micros(1_000_000 + ms * 1_000)
    }

    fn leg(n: u8) -> LegId {
        LegId::from_bytes([n; 16])
    }

    #[test]
    fn a_voice_is_told_of_when_it_begins_when_three_seconds_passed_without_it_and_when_it_is_back() {
        let mut by_room = ByRoom::default();
        let mut told = Vec::new();
        for ms in (0..20_000).step_by(20) {
            if !(2_000..9_000).contains(&ms) {
                by_room.came(at(ms), Epoch(1), leg(1));
            }
            told.extend(by_room.news(at(ms)).map(|news| (ms, news)));
        }
        assert_eq!(told, [(0, (leg(1), true)), (4_980, (leg(1), false)), (9_000, (leg(1), true))]);
    }

    #[test]
    fn each_stay_is_told_of_anew_and_what_comes_late_of_the_last_is_nobody_s() {
        let mut by_room = ByRoom::default();
        by_room.came(at(0), Epoch(1), leg(1));
        assert_eq!(by_room.news(at(0)), Some((leg(1), true)));
        by_room.came(at(20), Epoch(2), leg(2));
        by_room.came(at(20), Epoch(1), leg(1));
        assert_eq!((by_room.news(at(20)), by_room.news(at(20))), (Some((leg(2), true)), None));
        by_room.came(at(40), Epoch(2), leg(1));
        assert_eq!(by_room.news(at(40)), Some((leg(1), true)));
    }

    #[test]
    fn more_voices_than_a_room_has_are_not_counted() {
        let mut by_room = ByRoom::default();
        (0..=u8::MAX).for_each(|n| by_room.came(at(0), Epoch(1), leg(n)));
        assert_eq!(std::iter::from_fn(|| by_room.news(at(0))).count(), MOST);
    }
}
