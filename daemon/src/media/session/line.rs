//! The line of a call as it is shown: how good it is, which way it goes, how often it was mended.
//!
//! Lives here: one look a second at what is measured anyway, and telling what has changed. The steps are `quality.rs`.
//! Must not: cost anything for a packet, or decide what follows from a bad line.

use std::collections::BTreeMap;
use std::time::Duration;

use ahoy_call::{LegId, Moment};

use super::{Leg, Session};
use crate::media::Report;
use crate::media::emodel::{self, Heard};
use crate::media::pipeline::Playback;
use crate::media::quality::{Look, QualityWatch};
use crate::media::wanted::Key;
use crate::system::clock;
use crate::values::line::{Line, Pair};
use crate::values::rows::Stats;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// How a voice would be judged is judged by so many looks.
const JUDGED: usize = 10;
/// From the microphone to the packet, ms: one frame, and the 6.5 that the encoder looks ahead.
const CODED_MS: f64 = 26.5;

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct LineWatch {
    quality: QualityWatch,
    looked: Option<Moment>,
    /// The path that carries the voice now.
    over: Option<Key>,
    /// One did before.
    carried: bool,
    /// Frames that were played and that were made up, at each of the last looks, the newest first.
    frames: [(u64, u64); JUDGED],
    first_heard: Option<Moment>,
    told: Line,
}

impl LineWatch {
    /// Sound of theirs came that may be played.
    pub(super) fn heard(&mut self, now: Moment) {
        self.first_heard.get_or_insert(now);
    }

    /// Adds what is known of the line.
    pub(super) fn count(&self, legs: &BTreeMap<LegId, Leg>, stats: &mut Stats) {
        (stats.line, stats.first_heard) = (self.told, self.first_heard);
        let Some((leg, path)) = self.over.and_then(|key| {
            let leg = legs.get(&key.0)?;
            Some((leg, leg.paths.get(&key.1)?))
        }) else {
            return;
        };
        (stats.pair, stats.ciphers) = (path.pair, path.ciphers.clone());
        let [(played, made_up), .., (played_before, made_up_before)] = self.frames;
        let (played, made_up) =
            (played.saturating_sub(played_before), made_up.saturating_sub(made_up_before));
        if played + made_up > 0 && self.looked.is_some() {
            let delay = leg.adaptation.measured_trip().unwrap_or_default() / 2 + stats.playout_delay;
            let lost = made_up as f64 / (played + made_up) as f64;
            // They do not tell how theirs is coded: as ours, which goes the same way back.
            let bitrate = stats.bitrate_out.unwrap_or(0);
            stats.mos =
                Some(emodel::mos(Heard { delay_ms: CODED_MS + delay.as_secs_f64() * 1e3, lost, bitrate }));
        }
    }

    /// The voice goes by this path now, or by none.
    fn moved(&mut self, now: Moment, over: Option<Key>) {
        if over == self.over {
            return;
        }
        self.over = over;
        self.looked = over.map(|_| now);
        if over.is_some() && std::mem::replace(&mut self.carried, true) {
            self.told.repairs += 1;
        }
    }
}

impl Session {
    /// Looks at the line once a second, and at once when the voice goes another way. Tells how it is, if that changed.
    pub(super) async fn tell_line(&mut self) {
        let now = clock::now();
        let before = self.line.told;
        let over = self.legs.iter().find_map(|(id, leg)| {
            let newest = leg.paths.iter().rev().find(|(_, path)| path.opened && path.up);
            newest.map(|(epoch, _)| (*id, *epoch))
        });
        self.line.moved(now, over);
        let leg = over.and_then(|key| self.legs.get(&key.0).zip(Some(key.1)));
        if let Some((leg, epoch)) = leg {
            self.line.told.path = leg.paths.get(&epoch).and_then(|path| path.pair).map(Pair::path);
            if self.line.looked.is_some_and(|looked| now.since(looked) >= EVERY) {
                self.line.looked = Some(now);
                let frames = leg.voices.values().map(Playback::statistics);
                let frames = frames.fold((0, 0), |(played, made_up), voice| {
                    (played + voice.played, made_up + voice.concealed)
                });
                self.line.frames.rotate_right(1);
                self.line.frames[0] = frames;
                self.line.quality.look(now, look(now, leg));
            }
        } else if self.line.carried {
            self.line.told.path = None;
            self.line.quality.lost(now);
        }
        self.line.told.quality = self.line.quality.shown();
        self.line.told.speaking_muted = self.pump.levels().speaking_muted();
        if self.line.told != before {
            let (call, line) = (self.call, self.line.told);
            self.send(Report::Line { call, line }).await;
        }
    }
}

/// The worse of both ways counts.
fn look(now: Moment, leg: &Leg) -> Look {
    let missed_here = leg.voices.values().map(|voice| voice.heard(now).second).fold(0.0, f32::max);
    let missed_here = if leg.adaptation.is_silent(now) { 1.0 } else { missed_here };
    let lost = missed_here.max(leg.adaptation.missed_there());
    Look { lost, round_trip: leg.adaptation.measured_trip() }
}

#[cfg(test)]
mod tests {
    use ahoy_call::Epoch;

    use super::*;

    #[test]
    fn what_counts_as_mended_is_another_path_or_one_that_came_back_and_not_the_first() {
        let key = |epoch| Some((LegId::from_bytes([1; 16]), Epoch(epoch)));
        let mut line = LineWatch::default();
        let ways = [(None, 0), (key(1), 0), (key(1), 0), (key(2), 1), (None, 1), (None, 1), (key(2), 2)];
        for (over, repairs) in ways {
            line.moved(Moment::from_micros(1), over);
            assert_eq!(line.told.repairs, repairs, "{over:?}");
        }
    }
}
