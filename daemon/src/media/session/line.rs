//! The line to one device: how good it is, which way it goes, how often it was mended.
//!
//! Lives here: one look a second at what is measured anyway. The steps are `quality.rs`; what is told of all lines: `lines.rs`.
//! Must not: cost anything for a packet, or decide what follows from a bad line.

use std::time::Duration;

use ahoy_call::{Epoch, LegId, Moment};

use super::leg::Leg;
use super::member::Member;
use super::voices::Voices;
use crate::media::emodel::{self, Heard};
use crate::media::quality::{Look, QualityWatch};
use crate::values::line::{Pair, PathKind, Quality};
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
    over: Option<Epoch>,
    /// One did before.
    carried: bool,
    repairs: u32,
    way: Option<PathKind>,
    /// Frames that were played and that were made up, at each of the last looks, the newest first.
    frames: [(u64, u64); JUDGED],
}

impl LineWatch {
    /// Looks at it once a second, and at once when the voice goes another way. None: its device has gone.
    pub(super) fn look(&mut self, now: Moment, id: LegId, leg: Option<&Leg>, voices: &Voices) {
        let over = leg.and_then(|leg| leg.over().map(|(epoch, path)| (leg, epoch, path)));
        self.moved(now, over.map(|(_, epoch, _)| epoch));
        if let Some((leg, _, path)) = over {
            self.way = path.pair.map(Pair::path);
            if self.looked.is_some_and(|looked| now.since(looked) >= EVERY) {
                self.looked = Some(now);
                self.frames.rotate_right(1);
                self.frames[0] = voices.frames(id);
                self.quality.look(now, look(now, leg, voices.by(id)));
            }
        } else if self.carried {
            self.way = None;
            self.quality.lost(now);
        }
    }

    /// How well it carries, as it is shown.
    pub(super) fn quality(&self) -> Option<Quality> {
        self.quality.shown()
    }

    /// Which way it goes now.
    pub(super) fn way(&self) -> Option<PathKind> {
        self.way
    }

    /// How often the voice moved to another path, or came back by one that was lost.
    pub(super) fn repairs(&self) -> u32 {
        self.repairs
    }

    /// A path carries the voice now.
    pub(super) fn carries(&self) -> bool {
        self.over.is_some()
    }

    /// One did.
    pub(super) fn carried(&self) -> bool {
        self.carried
    }

    /// Adds what is known of it to what is known of its leg.
    pub(super) fn count(&self, leg: &Leg, stats: &mut Stats) {
        let Some(path) = self.over.and_then(|epoch| leg.paths.get(&epoch)) else { return };
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
    fn moved(&mut self, now: Moment, over: Option<Epoch>) {
        if over == self.over {
            return;
        }
        self.over = over;
        self.looked = over.map(|_| now);
        if over.is_some() && std::mem::replace(&mut self.carried, true) {
            self.repairs += 1;
        }
    }
}

/// The worse of both ways counts.
fn look<'a>(now: Moment, leg: &Leg, voices: impl Iterator<Item = &'a Member>) -> Look {
    let missed_here = voices.map(|voice| voice.playback.heard(now).second).fold(0.0, f32::max);
    // In a room nobody else may be.
    let silent = leg.adaptation.is_silent(now) && !leg.is_room;
    let missed_here = if silent { 1.0 } else { missed_here };
    let lost = missed_here.max(leg.adaptation.missed_there());
    Look { lost, round_trip: leg.adaptation.measured_trip() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_as_mended_is_another_path_or_one_that_came_back_and_not_the_first() {
        let key = |epoch| Some(Epoch(epoch));
        let mut line = LineWatch::default();
        let ways = [(None, 0), (key(1), 0), (key(1), 0), (key(2), 1), (None, 1), (None, 1), (key(2), 2)];
        for (over, repairs) in ways {
            line.moved(Moment::from_micros(1), over);
            assert_eq!(line.repairs, repairs, "{over:?}");
        }
    }
}
