//! Which host and which buffer to try next, and whether a stream gives what it should. Pure.
//!
//! Lives here: the order of hosts and sizes, and the frames-a-second watchdog.
//! Must not: open anything, or read a clock.

use std::time::Duration;

use ahoy_call::Moment;

/// How we reach the sound server. The first has the lowest and steadiest latency; the last also works without a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    PipeWire,
    PulseAudio,
    AlsaPulse,
    AlsaDefault,
}

impl Way {
    pub(super) const ALL: [Self; 4] = [Self::PipeWire, Self::PulseAudio, Self::AlsaPulse, Self::AlsaDefault];

    /// Where in [`SIZES`] it begins: PulseAudio pays for small blocks with a tenth of a core.
    fn smallest(self) -> usize {
        usize::from(self != Self::PipeWire)
    }
}

/// Frames of a buffer, smallest first. 480 becomes 256 on PipeWire, 5.3 ms: a voice comes 35 ms sooner than with 960, at no
/// measurable cost.
const SIZES: [u32; 4] = [480, 960, 1920, 3840];
/// Streams begin late: the watchdog looks after this.
const GRACE: Duration = Duration::from_millis(1_000);
/// And then at windows of this length.
const WINDOW: Duration = Duration::from_millis(1_000);
/// Of the frames that a window should hold, at least so many in a hundred must have come.
const ENOUGH: u64 = 80;

/// One direction's place in the order of ways and sizes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    way: usize,
    size: usize,
}

impl Choice {
    /// The smallest buffer of one way.
    pub(super) fn of(way: Way) -> Self {
        let place = Way::ALL.iter().position(|one| *one == way).unwrap_or(0);
        Self { way: place, size: Way::ALL[place].smallest() }
    }

    pub(super) fn way(self) -> Way {
        Way::ALL[self.way]
    }

    pub(super) fn frames(self) -> u32 {
        SIZES[self.size]
    }

    /// This way does not open: the next one. False when all were tried; then it begins at the first again.
    pub(super) fn next_way(&mut self) -> bool {
        *self = Self::of(Way::ALL[(self.way + 1) % Way::ALL.len()]);
        self.way != 0
    }

    /// This stream runs badly: a larger buffer, after the largest the next way.
    pub(super) fn next_size(&mut self) {
        match self.size + 1 < SIZES.len() {
            true => self.size += 1,
            false => {
                let _wrapped = self.next_way();
            }
        }
    }
}

/// A buffer size that the device takes.
pub(super) fn clamp(frames: u32, range: Option<(u32, u32)>) -> u32 {
    match range {
        Some((least, most)) if least <= most && most > 0 => frames.clamp(least, most),
        Some(_) | None => frames,
    }
}

/// Looks whether enough frames pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watchdog {
    since: Moment,
    frames: u64,
    length: Duration,
}

impl Watchdog {
    /// The stream was opened now; `frames` is the counter's present value.
    pub(super) fn new(now: Moment, frames: u64) -> Self {
        Self { since: now, frames, length: GRACE + WINDOW }
    }

    /// False if too few passed in the window that ends now; true while none ends. In the first window any frame is enough.
    pub(super) fn content(&mut self, now: Moment, frames: u64) -> bool {
        let passed = now.since(self.since);
        if passed < self.length {
            return true;
        }
        let got = frames.saturating_sub(self.frames);
        let should = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX).saturating_mul(48);
        let first = self.length > WINDOW;
        // A window that was looked at far too late (the machine slept) says nothing.
        let slept = passed > self.length + 2 * WINDOW;
        *self = Self { since: now, frames, length: WINDOW };
        slept || if first { got > 0 } else { got.saturating_mul(100) >= should.saturating_mul(ENOUGH) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_micros(ms * 1_000)
    }

    #[test]
    fn the_order_is_pipewire_then_pulseaudio_then_alsa_and_begins_again() {
        let mut choice = Choice::default();
        let mut ways = vec![choice.way()];
        while choice.next_way() {
            ways.push(choice.way());
        }
        assert_eq!(ways, Way::ALL);
        assert_eq!(choice.way(), Way::PipeWire);
    }

    #[test]
    fn a_starved_stream_gets_larger_buffers_then_another_way() {
        let mut choice = Choice::default();
        let mut tried = Vec::new();
        for _ in 0..5 {
            tried.push((choice.way(), choice.frames()));
            choice.next_size();
        }
        use Way::{PipeWire, PulseAudio};
        let larger = [960, 1920, 3840].map(|size| (PipeWire, size));
        assert_eq!(tried[0], (PipeWire, 480));
        assert_eq!(tried[1..4], larger);
        assert_eq!(tried[4], (PulseAudio, 960));
    }

    #[test]
    fn a_buffer_is_clamped_to_what_the_device_takes() {
        assert_eq!(clamp(960, Some((1024, 8192))), 1024);
        assert_eq!(clamp(960, Some((32, 512))), 512);
        assert_eq!(clamp(960, Some((0, 0))), 960, "the server has not said");
        assert_eq!(clamp(960, None), 960);
    }

    #[test]
    fn the_watchdog_barks_below_eighty_per_cent_and_not_above() {
        let mut dog = Watchdog::new(at(0), 0);
        assert!(dog.content(at(1_900), 0), "streams begin late");
        assert!(dog.content(at(2_000), 500), "it began");
        assert!(dog.content(at(3_000), 500 + 39_000), "81 %");
        assert!(!dog.content(at(4_000), 39_500 + 37_900), "79 %");
        assert!(!Watchdog::new(at(0), 7).content(at(2_000), 7), "it never began");
        let mut dog = Watchdog::new(at(0), 0);
        assert!(dog.content(at(60_000), 0), "the machine slept");
    }
}
