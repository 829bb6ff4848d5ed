//! What runs inside the sound library's callbacks.
//!
//! Lives here: the near ends of the rings and the meters. Only copies, and atomics.
//! Must not: allocate, lock, log, or call the kernel after the first block (reading the clock does not); tests check the first in tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use ahoy_call::Moment;
use rtrb::{Consumer, Producer};

use super::DeviceCounts;
use super::rhythm::Rhythm;
use crate::system::clock;
use crate::system::priority::{self, Enlisted};
use crate::values::devices::Flow;

/// A sample counts as heard from here on, −34 dBFS.
const AUDIBLE: f32 = 0.02;
/// Who speaks is silent for so long between two sentences.
const PAUSE: Duration = Duration::from_millis(500);

/// Counters that callbacks write and others read.
#[derive(Debug)]
pub(super) struct Meters {
    pub(super) captured: AtomicU64,
    pub(super) played: AtomicU64,
    pub(super) overruns: AtomicU64,
    pub(super) underruns: AtomicU64,
    pub(super) errors: AtomicU64,
    /// Samples that the speaker takes at a time, and when it did last (microseconds since boot; 0: never).
    pub(super) block: AtomicUsize,
    pub(super) played_at: AtomicU64,
    /// The same of the microphone.
    pub(super) given: AtomicUsize,
    pub(super) captured_at: AtomicU64,
    /// Sound was written since the last underrun: the next one counts.
    pub(super) primed: AtomicBool,
    /// When each direction last had something to hear (microseconds since boot; 0: never).
    pub(super) loud: [AtomicU64; 2],
}

impl Default for Meters {
    fn default() -> Self {
        Self {
            captured: AtomicU64::new(0),
            played: AtomicU64::new(0),
            overruns: AtomicU64::new(0),
            underruns: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            block: AtomicUsize::new(512),
            played_at: AtomicU64::new(0),
            given: AtomicUsize::new(512),
            captured_at: AtomicU64::new(0),
            primed: AtomicBool::new(false),
            loud: [AtomicU64::new(0), AtomicU64::new(0)],
        }
    }
}

impl Meters {
    /// The speaker's callbacks, if there were any.
    pub(super) fn playback(&self) -> Option<Rhythm> {
        rhythm(&self.played_at, &self.block)
    }

    /// The microphone's.
    pub(super) fn capture(&self) -> Option<Rhythm> {
        rhythm(&self.captured_at, &self.given)
    }

    /// When the microphone gave its last block, and all samples so far. None while that changes.
    pub(super) fn captured(&self) -> Option<(Moment, u64)> {
        let at = self.captured_at.load(Ordering::Acquire);
        let samples = self.captured.load(Ordering::Acquire);
        let same = at == self.captured_at.load(Ordering::Acquire) && at > 0;
        same.then(|| (Moment::from_micros(at), samples))
    }

    /// Nothing was to be heard in this direction for a moment: what is changed now disturbs nobody.
    pub(super) fn quiet(&self, flow: Flow, now: Moment) -> bool {
        let last = Moment::from_micros(self.loud[flow as usize].load(Ordering::Relaxed));
        now.since(last) > PAUSE
    }

    fn note(&self, flow: Flow, block: &[f32]) {
        if block.iter().any(|sample| sample.abs() > AUDIBLE) {
            self.loud[flow as usize].store(clock::now().micros(), Ordering::Relaxed);
        }
    }

    pub(super) fn counts(&self) -> DeviceCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        DeviceCounts {
            captured: read(&self.captured),
            played: read(&self.played),
            overruns: read(&self.overruns),
            underruns: read(&self.underruns),
            errors: read(&self.errors),
        }
    }
}

fn rhythm(at: &AtomicU64, block: &AtomicUsize) -> Option<Rhythm> {
    let (at, block) = (at.load(Ordering::Acquire), block.load(Ordering::Relaxed));
    (at > 0 && block > 0).then(|| Rhythm { last: Moment::from_micros(at), block })
}

/// The thread of a stream's callbacks, on the list of those that serve sound from the first callback to the end of the stream.
#[derive(Default)]
pub(super) struct Seat {
    taken: bool,
    _enlisted: Option<Enlisted>,
}

impl Seat {
    /// A library's thread has no beginning of ours: the first callback asks the kernel once who it is.
    fn take(&mut self) {
        if !self.taken {
            *self = Self { taken: true, _enlisted: priority::enlist() };
        }
    }
}

/// Inside the capture callback.
pub(super) struct Tap {
    pub(super) ring: Producer<f32>,
    pub(super) meters: Arc<Meters>,
    pub(super) channels: usize,
    pub(super) seat: Seat,
}

impl Tap {
    /// The device gave these samples, interleaved. A voice may be on any channel: all are mixed.
    pub(super) fn captured(&mut self, block: &[f32]) {
        self.seat.take();
        let frames = block.len() / self.channels;
        let kept = match self.channels {
            1 => self.ring.push_partial_slice(block).0.len(),
            channels => {
                let room = frames.min(self.ring.slots());
                let share = 1.0 / f32::from(u16::try_from(channels).unwrap_or(u16::MAX));
                self.ring.write_chunk_uninit(room).map_or(0, |chunk| {
                    let mixed = block.chunks_exact(channels).map(|frame| frame.iter().sum::<f32>() * share);
                    chunk.fill_from_iter(mixed)
                })
            }
        };
        self.meters.note(Flow::Input, block);
        self.meters.captured.fetch_add(frames as u64, Ordering::Relaxed);
        self.meters.given.store(frames, Ordering::Relaxed);
        self.meters.captured_at.store(clock::now().micros(), Ordering::Release);
        if kept < frames {
            self.meters.overruns.fetch_add((frames - kept) as u64, Ordering::Relaxed);
        }
    }
}

/// Inside the playback callback.
pub(super) struct Feed {
    pub(super) ring: Consumer<f32>,
    /// What was really played goes back here, silence of underruns too. A full one loses what comes.
    pub(super) played: Producer<f32>,
    pub(super) meters: Arc<Meters>,
    pub(super) channels: usize,
    pub(super) seat: Seat,
}

impl Feed {
    /// The device wants this many samples, interleaved; what is not there is silence.
    pub(super) fn play(&mut self, block: &mut [f32]) {
        self.seat.take();
        let frames = block.len() / self.channels;
        let there = match self.channels {
            1 => self.ring.pop_partial_slice(block).0.len(),
            channels => {
                let there = frames.min(self.ring.slots());
                if let Ok(chunk) = self.ring.read_chunk(there) {
                    for (frame, sample) in block.chunks_exact_mut(channels).zip(chunk) {
                        frame.fill(sample);
                    }
                }
                there
            }
        };
        block[there * self.channels..].fill(0.0);
        self.tell_played(block);
        self.meters.note(Flow::Output, block);
        self.meters.played.fetch_add(frames as u64, Ordering::Relaxed);
        self.meters.block.store(frames, Ordering::Relaxed);
        self.meters.played_at.store(clock::now().micros(), Ordering::Release);
        if there < frames && self.meters.primed.swap(false, Ordering::Acquire) {
            self.meters.underruns.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// All channels hold the same.
    fn tell_played(&mut self, block: &[f32]) {
        if self.channels == 1 {
            let (_kept, _lost) = self.played.push_partial_slice(block);
        } else {
            let room = (block.len() / self.channels).min(self.played.slots());
            if let Ok(chunk) = self.played.write_chunk_uninit(room) {
                let _kept = chunk.fill_from_iter(block.chunks_exact(self.channels).map(|frame| frame[0]));
            }
        }
    }
}
