//! What is done to the voice of the microphone before it is sent: echo cancelled, noise suppressed, loudness evened.
//!
//! Lives here: what a person may decide of it, the trait for a processor, the blocks of 10 ms, and which part works when.
//! Must not: run in a callback of the sound library (it allocates), or know devices and packets.

mod echo;
mod floor;
mod sonora;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::values::media::{Switch, Wishes};

use self::echo::EchoWatch;
use self::floor::NoiseWatch;
use self::sonora::Sonora;

/// Samples that a processor takes at a time: 10 ms. Half a packet, so that cutting into blocks delays nothing.
pub const BLOCK: usize = 480;

/// Samples after which what was said before is out of both processors (each holds at most 589).
const INSIDE: usize = 1_440;

/// Which parts work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// What the speaker plays is taken out of what the microphone hears.
    pub echo: bool,
    /// Steady noise is made quieter.
    pub noise: bool,
    /// A quiet voice is made louder, a loud one is limited.
    pub gain: bool,
}

impl Parts {
    /// Whether anything is to be done at all.
    pub fn any(self) -> bool {
        self.echo || self.noise || self.gain
    }
}

/// Something that cleans a voice. Mono, 48 kHz.
pub trait Processor: Send {
    /// Other parts from now on.
    fn set(&mut self, parts: Parts);

    /// The speaker played this; its echo is in a later block of the microphone.
    fn played(&mut self, block: &[f32; BLOCK]);

    /// The microphone heard this; it is cleaned in place.
    fn clean(&mut self, block: &mut [f32; BLOCK]);

    /// By how much less the echo is sent than was played, dB; none while that is not known.
    fn echo_return_loss(&self) -> Option<f64>;
}

/// Sound of any size in, blocks of 10 ms out, cleaned if anything is to be cleaned: nothing at first.
pub struct Cleaner {
    wishes: Wishes,
    headset: bool,
    echo: Option<Box<dyn Processor>>,
    /// Judges whether that one is needed, where no person decided, and whether it is still on its way.
    echo_watch: Option<Box<EchoWatch>>,
    /// One that is off its way, until the new one has given its first block.
    old_echo: Option<Box<dyn Processor>>,
    /// Samples were lost: the canceller is to be replaced with the next block that is played.
    renew: bool,
    /// The block before came from the canceller.
    cancelled: bool,
    noise_watch: NoiseWatch,
    rest: Option<Box<dyn Processor>>,
    rest_parts: Parts,
    said: Blocks,
    heard: Blocks,
    /// Samples that are still to be silenced: what was said before an unmute is inside the processors.
    hushed: usize,
}

impl Cleaner {
    /// Other wishes, or another kind of output, from the next block on. What stays on keeps what it has learned.
    pub fn set(&mut self, wishes: Wishes, headset: bool) {
        if (wishes, headset) == (self.wishes, self.headset) {
            return;
        }
        (self.wishes, self.headset) = (wishes, headset);
        let on = match wishes.echo {
            Switch::On => true,
            Switch::Off => false,
            Switch::Auto => !headset,
        };
        if on != self.echo.is_some() {
            self.echo = on.then(canceller);
            (self.old_echo, self.renew) = (None, false);
            self.echo_watch = on.then(|| Box::new(EchoWatch::new()));
            self.heard.clear();
        }
    }

    /// What works now.
    pub fn parts(&self) -> Parts {
        let there = || self.echo_watch.as_ref().is_some_and(|watch| watch.there());
        let echo = self.echo.is_some() && (self.wishes.echo == Switch::On || there());
        let noise = match self.wishes.noise {
            Switch::On => true,
            Switch::Off => false,
            Switch::Auto => self.noise_watch.noisy(),
        };
        Parts { echo, noise, gain: self.wishes.gain != Switch::Off }
    }

    /// The speaker played this.
    pub fn played(&mut self, samples: &[f32]) {
        let Self { echo, echo_watch, heard, old_echo, renew, .. } = self;
        let Some(echo) = echo else { return };
        heard.fill(samples, |block| {
            if std::mem::take(renew) {
                *old_echo = Some(std::mem::replace(echo, canceller()));
            }
            echo.played(block);
            if let Some(watch) = echo_watch {
                watch.played(block);
            }
        });
    }

    /// The microphone heard this; `out` is called for each block that is full.
    pub fn said(&mut self, samples: &[f32], mut out: impl FnMut(&[f32; BLOCK])) {
        let mut said = std::mem::take(&mut self.said);
        said.fill(samples, |block| {
            self.clean(block);
            out(block);
        });
        self.said = said;
    }

    fn clean(&mut self, block: &mut [f32; BLOCK]) {
        self.noise_watch.heard(block);
        if let Some(watch) = &mut self.echo_watch {
            watch.heard(block);
            self.renew |= watch.slipped();
        }
        let Parts { echo: cancel, noise, gain } = self.parts();
        if let Some(echo) = &mut self.echo {
            let mut cancelled = *block;
            // It works on while it is not needed, so that it is ready.
            echo.clean(&mut cancelled);
            if let Some(mut old) = self.old_echo.take() {
                let mut before = *block;
                old.clean(&mut before);
                fade(&mut before, &cancelled);
                cancelled = before;
            }
            match (self.cancelled, cancel) {
                (true, true) => *block = cancelled,
                (false, false) => {}
                (false, true) => fade(block, &cancelled),
                (true, false) => {
                    let plain = *block;
                    *block = cancelled;
                    fade(block, &plain);
                }
            }
        }
        self.cancelled = cancel;
        let parts = Parts { echo: false, noise, gain };
        if parts != self.rest_parts {
            self.rest_parts = parts;
            match (&mut self.rest, parts.any()) {
                (Some(rest), true) => rest.set(parts),
                (None, true) => self.rest = Some(Box::new(Sonora::new(parts))),
                (_, false) => self.rest = None,
            }
        }
        if let Some(rest) = &mut self.rest {
            rest.clean(block);
        }
        let quiet = self.hushed.min(BLOCK);
        block[..quiet].fill(0.0);
        self.hushed -= quiet;
    }

    /// Nothing that was said until now may come out any more.
    pub fn forget(&mut self) {
        self.said.silence();
        self.hushed = if self.echo.is_some() || self.rest.is_some() { INSIDE } else { 0 };
    }

    /// The microphone was closed: forget what waits for a whole block.
    pub fn pause(&mut self) {
        self.said.clear();
        self.heard.clear();
        self.forget();
    }

    /// By how much less the echo is sent than was played, dB; none while nothing is cancelled.
    pub fn echo_return_loss(&self) -> Option<f64> {
        self.echo.as_ref().filter(|_| self.cancelled)?.echo_return_loss()
    }
}

impl Default for Cleaner {
    fn default() -> Self {
        Self {
            wishes: Wishes { echo: Switch::Off, noise: Switch::Off, gain: Switch::Off },
            headset: false,
            echo: None,
            echo_watch: None,
            old_echo: None,
            renew: false,
            cancelled: false,
            noise_watch: NoiseWatch::new(),
            rest: None,
            rest_parts: Parts::default(),
            said: Blocks::default(),
            heard: Blocks::default(),
            hushed: 0,
        }
    }
}

impl fmt::Debug for Cleaner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cleaner({:?})", self.parts())
    }
}

/// A new one that has learned nothing: it lets hardly any echo through from the beginning. One that finds the echo at another
/// time than it did takes it for the person's own voice, and lets it through for two seconds.
fn canceller() -> Box<dyn Processor> {
    Box::new(Sonora::new(Parts { echo: true, ..Parts::default() }))
}

/// From one sound to another within a block.
fn fade(from: &mut [f32; BLOCK], to: &[f32; BLOCK]) {
    let mut share = 0.0;
    for (from, to) in from.iter_mut().zip(to) {
        *from += (to - *from) * share;
        share += 1.0 / 480.0;
    }
}

/// Cuts samples into whole blocks; the rest waits.
struct Blocks {
    block: [f32; BLOCK],
    count: usize,
}

impl Default for Blocks {
    fn default() -> Self {
        Self { block: [0.0; BLOCK], count: 0 }
    }
}

impl Blocks {
    fn fill(&mut self, mut samples: &[f32], mut whole: impl FnMut(&mut [f32; BLOCK])) {
        while !samples.is_empty() {
            let (now, later) = samples.split_at(samples.len().min(BLOCK - self.count));
            self.block[self.count..self.count + now.len()].copy_from_slice(now);
            self.count += now.len();
            samples = later;
            if self.count == BLOCK {
                self.count = 0;
                whole(&mut self.block);
            }
        }
    }

    fn silence(&mut self) {
        self.block[..self.count].fill(0.0);
    }

    fn clear(&mut self) {
        self.count = 0;
    }
}
