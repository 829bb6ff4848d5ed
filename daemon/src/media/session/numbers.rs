//! The numbers of a running call.
//!
//! Lives here: what is added up, over what and for whom, when somebody asks.
//! Must not: count anything by itself.

use std::collections::BTreeSet;

use ahoy_call::{LegId, Moment};

use super::Session;
use super::member::Member;
use crate::media::Report;
use crate::values::rows::{MemberStats, Stats};

impl Session {
    pub(super) async fn stats(&mut self, now: Moment, ticket: u64) {
        let mut stats = Stats { packets_out: self.sent, ..Stats::default() };
        if let Some((input, output)) = self.pump.levels().ask(now) {
            (stats.level_in, stats.level_out) = (Some(input.into()), Some(output.into()));
        }
        stats.echo_return_loss = self.pump.echo_return_loss();
        self.legs.values().for_each(|leg| leg.adaptation.count(now, &mut stats));
        self.voices.ids().filter_map(|id| self.voices.get(*id)).for_each(|voice| voice.count(&mut stats));
        let devices = self.legs.iter().filter(|(_, leg)| !leg.is_room).map(|(id, _)| *id);
        let all: BTreeSet<LegId> = devices.chain(self.voices.ids().copied()).collect();
        let members: Vec<_> = all.into_iter().map(|id| self.of_one(now, id)).collect();
        self.lines.count_all(&members, &mut stats);
        stats.members = members;
        self.send(Report::Stats { ticket, stats: Box::new(stats) }).await;
    }

    /// The numbers of one of the others.
    fn of_one(&self, now: Moment, id: LegId) -> MemberStats {
        let (mut numbers, voice) = (Stats::default(), self.voices.get(id));
        if let Some(voice) = voice {
            voice.count(&mut numbers);
        }
        let by = self.voices.carrier(id, &self.legs).unwrap_or(id);
        if let Some(leg) = self.legs.get(&by) {
            leg.adaptation.count(now, &mut numbers);
            self.lines.count(by, leg, &mut numbers);
        }
        let level = voice.and_then(Member::level);
        MemberStats { leg: id, level: level.map(f64::from), numbers }
    }
}
