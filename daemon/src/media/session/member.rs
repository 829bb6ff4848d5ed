//! One of the others as we hear them.
//!
//! Lives here: their voice from packets to samples, how loud they are played, and whether they speak.
//! Must not: know a path, or what anybody else says.

use std::time::Duration;

use ahoy_call::{LegId, Moment};

use crate::media::codec::{CodecError, RATE};
use crate::media::levels::Power;
use crate::media::pipeline::Playback;
use crate::media::pump::Mix;
use crate::media::speech::Speech;
use crate::values::rows::Stats;

/// Between two readings of how loud they are.
const EVERY: Duration = Duration::from_millis(40);
const READING: usize = RATE as usize / 25;

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) playback: Playback,
    /// The legs that bring it, the first one first.
    pub(super) by: Vec<LegId>,
    /// When a packet came last.
    pub(super) last: Moment,
    /// 0 to 2; 1 is as loud as they come.
    pub(super) volume: f32,
    /// What they said since the last reading, before it was made louder or softer.
    said: Power,
    level: Option<f32>,
    speech: Speech,
}

impl Member {
    /// Nothing heard yet.
    pub(super) fn new(volume: f32) -> Result<Self, CodecError> {
        let (by, last, said, level) = Default::default();
        Ok(Self { playback: Playback::new()?, by, last, volume, said, level, speech: Speech::heard() })
    }

    /// What is next of their voice, beside the others.
    pub(super) fn play(&mut self, now: Moment, mix: &mut Mix<'_>) {
        let Self { playback, said, volume, .. } = self;
        mix.add(*volume, |samples| {
            playback.play(now, samples);
            said.add(samples);
        });
        if self.said.samples() >= READING {
            let level = std::mem::take(&mut self.said).dbfs();
            self.level = Some(level);
            self.speech.reads(level, EVERY);
        }
    }

    /// What waits to be played is nobody's any more, and they do not speak.
    pub(super) fn forget(&mut self) {
        self.playback.forget();
        (self.said, self.level, self.speech) = (Power::default(), None, Speech::heard());
    }

    /// They are heard to speak.
    pub(super) fn speaks(&self) -> bool {
        self.speech.speaks()
    }

    /// How loud they are before they are made louder or softer, dBFS; none before the first reading.
    pub(super) fn level(&self) -> Option<f32> {
        self.level
    }

    /// Adds what is known of their voice.
    pub(super) fn count(&self, stats: &mut Stats) {
        let heard = self.playback.statistics();
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
}
