//! Which way to a sound server and which buffer to try next, and whether a stream gives anything at all. Pure.
//!
//! Lives here: the order of ways, and the watchdog of streams.
//! Must not: open anything, or read a clock.

use std::time::Duration;

use ahoy_call::Moment;

use crate::values::devices::Found;

/// How we reach the sound server. PipeWire has the lowest and steadiest latency; the last also works without a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    PipeWire,
    PulseAudio,
    AlsaPulse,
    AlsaDefault,
}

/// Which ways there are, best first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum WayOrder {
    /// Where PipeWire has the devices, or nobody knows who has.
    #[default]
    PipeWireFirst,
    /// Where PulseAudio has them: a PipeWire beside it plays into nothing.
    PulseAudioFirst,
}

impl WayOrder {
    /// What the roster says of the server.
    pub(super) fn of(found: &Found) -> Self {
        if found.genuine { Self::PulseAudioFirst } else { Self::PipeWireFirst }
    }

    pub(super) fn ways(self) -> [Way; 4] {
        use Way::{AlsaDefault, AlsaPulse, PipeWire, PulseAudio};
        match self {
            Self::PipeWireFirst => [PipeWire, PulseAudio, AlsaPulse, AlsaDefault],
            Self::PulseAudioFirst => [PulseAudio, PipeWire, AlsaPulse, AlsaDefault],
        }
    }
}

/// Frames of a block, the least that is asked for; how often it is doubled is learned (`block.rs`). 5.3 ms on PipeWire; PulseAudio
/// pays for smaller ones than 10 ms with wake-ups. ALSA, of which little is known, gets more.
const PIPEWIRE: u32 = 256;
const PULSE: u32 = 480;
const ALSA: u32 = 960;
/// A stream that gives nothing is given up after this.
const SILENCE: Duration = Duration::from_secs(3);
/// One that never began: streams begin late.
const BEGINS: Duration = Duration::from_secs(2);
/// A Bluetooth headset changes its profile first.
const BLUETOOTH_BEGINS: Duration = Duration::from_secs(6);
/// Between two looks at most so much counts: what is longer is our own machine's delay, not the device's.
const ON_TIME: Duration = Duration::from_millis(250);

/// One direction's place in the order of ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    order: WayOrder,
    way: usize,
    /// How often the least block is doubled.
    step: u8,
}

impl Choice {
    /// The best way.
    pub(super) fn best(order: WayOrder) -> Self {
        Self { order, way: 0, step: 0 }
    }

    /// The same with another order, from its beginning if it is another.
    pub(super) fn in_order(self, order: WayOrder) -> Self {
        if self.order == order { self } else { Self::best(order).with_step(self.step) }
    }

    pub(super) fn way(self) -> Way {
        self.order.ways()[self.way]
    }

    pub(super) fn is_best(self) -> bool {
        self.way == 0
    }

    /// With that block.
    pub(super) fn with_step(self, step: u8) -> Self {
        Self { step, ..self }
    }

    pub(super) fn frames(self) -> u32 {
        match self.way() {
            Way::PipeWire => PIPEWIRE << self.step,
            Way::PulseAudio => PULSE << self.step,
            Way::AlsaPulse | Way::AlsaDefault => ALSA,
        }
    }

    /// This way does not open: the next one. False when all were tried; then it begins at the first again.
    pub(super) fn next_way(&mut self) -> bool {
        self.way = (self.way + 1) % self.order.ways().len();
        self.way != 0
    }
}

/// A buffer size that the device takes.
pub(super) fn clamp(frames: u32, range: Option<(u32, u32)>) -> u32 {
    match range {
        Some((least, most)) if least <= most && most > 0 => frames.clamp(least, most),
        Some(_) | None => frames,
    }
}

/// Tells a stream that gives nothing from one on a machine that is starved: there callbacks come late and few, but they come, and
/// our own looks are late as well. Only the first is worth opening again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watchdog {
    looked: Moment,
    frames: u64,
    began: bool,
    /// Time without a frame, as far as we were awake to see it.
    silent: Duration,
    patience: Duration,
}

impl Watchdog {
    /// The stream was opened now; `frames` is the counter's present value.
    pub(super) fn new(now: Moment, frames: u64, bluetooth: bool) -> Self {
        let patience = if bluetooth { BLUETOOTH_BEGINS } else { BEGINS };
        Self { looked: now, frames, began: false, silent: Duration::ZERO, patience }
    }

    /// False once it gives nothing; from then on again after as long.
    pub(super) fn content(&mut self, now: Moment, frames: u64) -> bool {
        let passed = now.since(self.looked).min(ON_TIME);
        self.looked = now;
        if frames != self.frames {
            (self.frames, self.began, self.silent) = (frames, true, Duration::ZERO);
            return true;
        }
        self.silent += passed;
        let content = self.silent < if self.began { SILENCE } else { self.patience };
        if !content {
            self.silent = Duration::ZERO;
        }
        content
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_micros(ms * 1_000)
    }

    #[test]
    fn the_order_begins_with_the_server_that_has_the_devices_and_begins_again() {
        for (order, first) in
            [(WayOrder::PipeWireFirst, Way::PipeWire), (WayOrder::PulseAudioFirst, Way::PulseAudio)]
        {
            let mut choice = Choice::best(order);
            let mut ways = vec![choice.way()];
            while choice.next_way() {
                ways.push(choice.way());
            }
            assert_eq!(ways, order.ways());
            assert_eq!((choice.way(), choice.is_best()), (first, true));
        }
        let mut choice = Choice::default();
        choice.next_way();
        assert_eq!(choice.in_order(WayOrder::PipeWireFirst), choice, "nothing new");
        assert_eq!(choice.in_order(WayOrder::PulseAudioFirst).way(), Way::PulseAudio);
    }

    #[test]
    fn a_buffer_is_clamped_to_what_the_device_takes() {
        assert_eq!(clamp(960, Some((1024, 8192))), 1024);
        assert_eq!(clamp(960, Some((32, 512))), 512);
        assert_eq!(clamp(960, Some((0, 0))), 960, "the server has not said");
        assert_eq!(clamp(960, None), 960);
    }

    /// When the watchdog barks first, looking every so often while the counter is what is given.
    fn barks(dog: &mut Watchdog, from: u64, every: u64, frames: impl Fn(u64) -> u64) -> Option<u64> {
        (1..=600).map(|n| from + n * every).find(|ms| !dog.content(at(*ms), frames(*ms)))
    }

    #[test]
    fn a_stream_that_gives_nothing_is_told_from_a_starved_machine() {
        let mut dog = Watchdog::new(at(0), 7, false);
        assert_eq!(barks(&mut dog, 0, 100, |_| 7), Some(2_000), "it never began");
        let mut dog = Watchdog::new(at(0), 7, true);
        assert_eq!(barks(&mut dog, 0, 100, |_| 7), Some(6_000), "a headset changes its profile first");
        let mut dog = Watchdog::new(at(0), 0, false);
        let ends = |ms: u64| ms.min(5_000) * 48;
        assert_eq!(barks(&mut dog, 0, 100, ends), Some(8_000), "it ended");
        let mut dog = Watchdog::new(at(0), 0, false);
        let stops_and_goes = |ms: u64| ms / 500 * 9_600;
        assert_eq!(barks(&mut dog, 0, 100, stops_and_goes), None, "two fifths of the frames come");
        let mut dog = Watchdog::new(at(0), 7, false);
        assert_eq!(barks(&mut dog, 0, 4_000, |_| 7), Some(32_000), "we ourselves are late: eight looks");
    }
}
