//! The numbers of a running call.
//!
//! Lives here: what is added up, and over what, when somebody asks.
//! Must not: count anything by itself.

use super::Session;
use crate::media::Report;
use crate::media::pipeline::Playback;
use crate::system::clock;
use crate::values::rows::Stats;

impl Session {
    pub(super) async fn stats(&mut self, ticket: u64) {
        let mut stats = Stats { packets_out: self.sent, ..Stats::default() };
        if let Some((input, output)) = self.pump.levels().ask(clock::now()) {
            (stats.level_in, stats.level_out) = (Some(input.into()), Some(output.into()));
        }
        stats.echo_return_loss = self.pump.echo_return_loss();
        for leg in self.legs.values() {
            for heard in leg.voices.values().map(Playback::statistics) {
                stats.packets_in += heard.received;
                stats.packets_lost += heard.lost;
                stats.packets_played += heard.played;
                stats.packets_concealed += heard.concealed;
                stats.copies_in += heard.copied;
                stats.asked_in += heard.asked;
                stats.packets_repaired += heard.repaired;
                stats.playout_delay = stats.playout_delay.max(heard.delay);
                stats.jitter = stats.jitter.max(heard.jitter);
            }
            leg.adaptation.count(clock::now(), &mut stats);
        }
        self.line.count(&self.legs, &mut stats);
        self.send(Report::Stats { ticket, stats: Box::new(stats) }).await;
    }
}
