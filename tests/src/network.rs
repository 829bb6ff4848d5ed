//! The simulated network between phones.
//!
//! Lives here: seeded chance; delay, loss, doubling, reordering and partition of what travels.
//! Must not: know what a message says.

use std::collections::BTreeSet;
use std::time::Duration;

/// A small seeded generator (xorshift64*): the same seed, the same run.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// From a seed; zero is taken as one.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).max(1))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `n`, which is not zero.
    pub fn below(&mut self, n: u64) -> u64 {
        self.bits() % n
    }

    /// True once in `1 / share`.
    pub fn happens(&mut self, share: f64) -> bool {
        let most = 1u64 << 32;
        #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 32 bits")]
        let drawn = self.below(most) as f64 / most as f64;
        drawn < share
    }
}

/// What the network does to what is sent.
#[derive(Clone, Debug)]
pub struct Network {
    /// The least delay one way.
    pub delay: Duration,
    /// Up to so much more, drawn anew each time: things overtake each other.
    pub jitter: Duration,
    /// The share that is lost.
    pub loss: f64,
    /// The share that arrives twice.
    pub doubling: f64,
    /// People whose relay link is down.
    pub offline: BTreeSet<usize>,
    /// Rings from the first device never reach the second one; everything else does.
    pub lost_rings: BTreeSet<(usize, usize)>,
    /// Pairs between which no sound travels.
    pub cut: BTreeSet<(usize, usize)>,
    /// Pairs between which no word travels, by a relay or otherwise.
    pub apart: BTreeSet<(usize, usize)>,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(20),
            jitter: Duration::from_millis(5),
            loss: 0.0,
            doubling: 0.0,
            offline: BTreeSet::new(),
            lost_rings: BTreeSet::new(),
            cut: BTreeSet::new(),
            apart: BTreeSet::new(),
        }
    }
}

impl Network {
    /// When each copy of something sent now arrives, counted from now. Empty: lost. `channel`: it does not need a relay.
    pub fn carry(&self, chance: &mut Chance, from: usize, to: usize, channel: bool) -> Vec<Duration> {
        if self.apart.contains(&(from.min(to), from.max(to))) {
            return Vec::new();
        }
        let relayed = !self.offline.contains(&from) && !self.offline.contains(&to);
        if !(relayed || channel) || chance.happens(self.loss) {
            return Vec::new();
        }
        let copies = if chance.happens(self.doubling) { 2 } else { 1 };
        (0..copies).map(|_| self.one_way(chance)).collect()
    }

    fn one_way(&self, chance: &mut Chance) -> Duration {
        let most = u64::try_from(self.jitter.as_micros()).unwrap_or(0).max(1);
        self.delay + Duration::from_micros(chance.below(most))
    }

    /// Whether sound can travel between two people.
    pub fn sound_travels(&self, a: usize, b: usize) -> bool {
        !self.cut.contains(&(a.min(b), a.max(b)))
    }
}
