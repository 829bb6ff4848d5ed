//! Which block a sound server is asked for: the least that holds on this machine. Pure.
//!
//! Lives here: what shows that a block is too small, when a larger one is asked for, and when a smaller one is tried again.
//! Must not: know a server, a stream or a clock.
//!
//! A block that is too small shows in two ways: the loudspeaker runs dry, or the server loses cycles, and with each its time: the
//! microphone's samples fall behind the clock. The whole desktop pays for it, for its graph runs at the least block that is asked.

use std::time::Duration;

use ahoy_call::Moment;

use crate::media::codec::RATE;

/// How often the block may be doubled.
pub(super) const MOST: u8 = 2;
/// What is judged together.
const WINDOW: usize = 5;
const SECOND: Duration = Duration::from_secs(1);
/// So much lost within a window is not a clock that runs a little slow.
const LOST: i64 = 10_000;
/// So much is no lost cycle: the device stood still, or the machine slept.
const STOOD_STILL: i64 = 400_000;
const UNDERRUNS: u64 = 2;
/// Streams begin unsteadily, and after a change too.
const SETTLES: Duration = Duration::from_secs(2);
/// A smaller block is tried after so long in calm; after as much again each time that it did not hold.
const CALM: Duration = Duration::from_secs(30);
const CALM_MOST: Duration = Duration::from_secs(960);

/// What is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// Another number for another stream.
    pub(super) stream: u64,
    /// When the microphone gave its last block, and all that it gave so far; none without one.
    pub(super) captured: Option<(Moment, u64)>,
    /// All underruns so far.
    pub(super) underruns: u64,
}

/// One second of it.
#[derive(Clone, Copy, Debug)]
struct Second {
    /// How far the samples were behind the clock at the best moment of it, in microseconds. A late callback is no lost sample.
    behind: Option<i64>,
    underruns: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Block {
    step: u8,
    /// Since when nothing was wrong and nothing was changed.
    calm_since: Moment,
    patience: Duration,
    /// The last change was to a smaller one.
    tried: bool,
    stream: u64,
    underruns: u64,
    began: Moment,
    seconds: Vec<Second>,
    present: (Moment, Second),
}

const NOTHING: Second = Second { behind: None, underruns: 0 };

impl Default for Block {
    fn default() -> Self {
        let zero = Moment::default();
        let (seconds, present) = (Vec::with_capacity(WINDOW + 1), (zero, NOTHING));
        Self {
            step: 0,
            calm_since: zero,
            patience: CALM,
            tried: false,
            stream: 0,
            underruns: 0,
            began: zero,
            seconds,
            present,
        }
    }
}

impl Block {
    /// How often the least block is doubled now.
    pub(super) fn step(&self) -> u8 {
        self.step
    }

    /// To be called every so often while sound runs. The new step, if it is another.
    pub(super) fn look(&mut self, now: Moment, look: Look) -> Option<u8> {
        if look.stream != self.stream || self.began == Moment::default() {
            self.stream = look.stream;
            self.begin(now, look.underruns);
            self.calm_since = now;
        }
        let (since, second) = &mut self.present;
        second.underruns += look.underruns - self.underruns.min(look.underruns);
        self.underruns = look.underruns;
        if let Some((at, samples)) = look.captured {
            let clock = i64::try_from(at.micros()).unwrap_or(i64::MAX);
            let given =
                i64::try_from(samples.saturating_mul(1_000_000) / u64::from(RATE)).unwrap_or(i64::MAX);
            let behind = clock - given;
            second.behind = Some(second.behind.map_or(behind, |least| least.min(behind)));
        }
        if now.since(*since) < SECOND {
            return None;
        }
        let done = *second;
        self.present = (now, NOTHING);
        if now.since(self.began) < SETTLES {
            return None;
        }
        if self.seconds.len() == WINDOW {
            self.seconds.remove(0);
        }
        self.seconds.push(done);
        self.judge(now)
    }

    fn judge(&mut self, now: Moment) -> Option<u8> {
        let behind = || self.seconds.iter().filter_map(|second| second.behind);
        let lost = behind().next_back().zip(behind().min()).map_or(0, |(last, least)| last - least);
        let underruns: u64 = self.seconds.iter().map(|second| second.underruns).sum();
        if lost > STOOD_STILL {
            self.begin(now, self.underruns);
            return None;
        }
        if lost > LOST || underruns >= UNDERRUNS {
            if self.tried {
                self.patience = (self.patience * 2).min(CALM_MOST);
            }
            return self.change(now, self.step.saturating_add(1).min(MOST), false);
        }
        if self.step > 0 && now.since(self.calm_since) >= self.patience {
            return self.change(now, self.step - 1, true);
        }
        None
    }

    fn change(&mut self, now: Moment, step: u8, tried: bool) -> Option<u8> {
        let changed = step != self.step;
        (self.step, self.calm_since, self.tried) = (step, now, tried);
        self.begin(now, self.underruns);
        changed.then_some(step)
    }

    fn begin(&mut self, now: Moment, underruns: u64) {
        (self.began, self.present, self.underruns) = (now, (now, NOTHING), underruns);
        self.seconds.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine: how much of each second of the microphone is lost with each step, in milliseconds, and how often the
    /// loudspeaker runs dry.
    struct Machine {
        block: Block,
        now: u64,
        samples: u64,
        underruns: u64,
        microphone: bool,
    }

    impl Machine {
        fn new() -> Self {
            Self { block: Block::default(), now: 1_000_000, samples: 0, underruns: 0, microphone: true }
        }

        /// The changes within so many seconds, with the second in which each came.
        fn run(
            &mut self,
            seconds: u64,
            lost: impl Fn(u8) -> u64,
            underruns: impl Fn(u8) -> u64,
        ) -> Vec<(u64, u8)> {
            let mut changes = Vec::new();
            for second in 0..seconds {
                let step = self.block.step();
                for look in 0..10 {
                    self.now += 100_000;
                    self.samples += (100 - lost(step) / 10) * 48;
                    self.underruns += u64::from(look == 0) * underruns(step);
                    // A callback is up to 3 ms late.
                    let at = Moment::from_micros(self.now + (self.now / 100_000 * 7 % 4) * 1_000);
                    let captured = self.microphone.then_some((at, self.samples));
                    let look = Look { stream: 7, captured, underruns: self.underruns };
                    changes.extend(
                        self.block.look(Moment::from_micros(self.now), look).map(|step| (second, step)),
                    );
                }
            }
            changes
        }
    }

    #[test]
    fn a_block_that_holds_stays() {
        let mut machine = Machine::new();
        assert_eq!(machine.run(600, |_| 0, |_| 0), []);
        // One underrun now and then is the margin's business.
        assert_eq!(Machine::new().run(600, |_| 0, |_| 0), []);
    }

    #[test]
    fn time_that_is_lost_asks_for_a_larger_block_until_one_holds() {
        let lost = |step| [20, 10, 0][usize::from(step)];
        assert_eq!(Machine::new().run(30, lost, |_| 0), [(3, 1), (6, 2)]);
        assert_eq!(Machine::new().run(30, |_| 10, |_| 0).last(), Some(&(8, 2)), "there is a most");
    }

    #[test]
    fn underruns_ask_for_a_larger_block_without_a_microphone_too() {
        let mut machine = Machine { microphone: false, ..Machine::new() };
        assert_eq!(machine.run(20, |_| 0, |step| u64::from(step == 0)), [(3, 1)]);
    }

    #[test]
    fn a_smaller_block_is_tried_again_later_and_later_where_it_does_not_hold() {
        let changes = Machine::new().run(300, |step| if step == 0 { 20 } else { 0 }, |_| 0);
        let tried: Vec<u64> =
            changes.iter().filter(|(_, step)| *step == 0).map(|(second, _)| *second).collect();
        assert_eq!(tried, [33, 96, 219], "30 s, 60 s, 120 s after it failed");
        assert!(changes.iter().all(|(_, step)| *step < 2), "the larger one held");
    }

    #[test]
    fn where_it_holds_again_it_is_kept() {
        let mut machine = Machine::new();
        machine.run(10, |_| 20, |_| 0);
        assert_eq!(machine.block.step(), 2);
        let changes = machine.run(300, |_| 0, |_| 0);
        assert_eq!(changes.iter().map(|(_, step)| *step).collect::<Vec<_>>(), [1, 0]);
    }

    #[test]
    fn a_clock_that_runs_slow_and_a_device_that_stood_still_are_no_lost_cycles() {
        let mut machine = Machine::new();
        for _ in 0..60 {
            assert_eq!(machine.run(1, |_| 0, |_| 0), []);
            // 500 ppm.
            machine.samples -= 24;
        }
        machine.now += 2_000_000;
        assert_eq!(machine.run(60, |_| 0, |_| 0), []);
    }
}
