//! One direction of an emulated network path: what becomes of each packet.
//!
//! Lives here: delay, jitter, loss, bursts of loss, rate and queue, outages, and how they are written down.
//! Must not: read a clock, touch a socket, or take chance from anywhere but its seed.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use super::packet::{Flow, Packet};

/// What a link does to packets. `only` UDP suffers jitter and loss, so that signaling does not shift the fates of the sound; delay,
/// rate and queue are for all.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// One way, for every packet.
    pub delay: Duration,
    /// Up to so much more, evenly spread. A late packet holds back those behind it, as a queue does.
    pub jitter: Duration,
    /// The share of packets that is lost, 0 to 1, each by itself.
    pub loss: f64,
    /// Loss in bursts.
    pub burst: Option<Burst>,
    /// Bits a second, counted at IP; none is no limit.
    pub rate: Option<f64>,
    /// What would wait longer for its turn is dropped.
    pub queue: Duration,
    /// Nothing passes, whatever it is.
    pub down: bool,
}

/// Gilbert's model: all packets are lost in the bad state, none in the good one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burst {
    /// The chance that a packet finds the good state turned bad.
    enter: f64,
    /// The chance that a packet finds the bad state turned good.
    leave: f64,
}

impl Default for Condition {
    fn default() -> Self {
        let queue = Duration::from_millis(200);
        Self {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: 0.0,
            burst: None,
            rate: None,
            queue,
            down: false,
        }
    }
}

impl FromStr for Condition {
    type Err = anyhow::Error;

    /// `clean`, `down`, or settings with spaces between: `delay=30ms jitter=40ms loss=10 burst=10:4 rate=48kbit queue=200ms`. Loss is
    /// in per cent, a burst that and its mean length in packets. A network without UDP has `loss=100`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut condition = Self::default();
        for setting in text.split(' ').filter(|setting| !setting.is_empty() && *setting != "clean") {
            if setting == "down" {
                condition.down = true;
                continue;
            }
            let (key, value) =
                setting.split_once('=').with_context(|| format!("{setting} is no KEY=VALUE"))?;
            match key {
                "delay" => condition.delay = milliseconds(value)?,
                "jitter" => condition.jitter = milliseconds(value)?,
                "queue" => condition.queue = milliseconds(value)?,
                "loss" => condition.loss = share(value)?,
                "burst" => condition.burst = Some(Burst::new(value)?),
                "rate" => condition.rate = Some(kilobits(value)?),
                _ => bail!("no setting is called {key}: delay, jitter, loss, burst, rate, queue"),
            }
        }
        Ok(condition)
    }
}

impl Burst {
    fn new(value: &str) -> anyhow::Result<Self> {
        let (lost, length) = value.split_once(':').context("burst=PERCENT:LENGTH")?;
        let (lost, length) = (share(lost)?, length.parse::<f64>()?);
        ensure!(
            lost < 1.0 && length.is_finite() && length >= 1.0,
            "a burst has at least one packet, and ends"
        );
        let leave = 1.0 / length;
        // In balance as often entered as left: (1 - lost) x enter = lost x leave.
        let enter = lost * leave / (1.0 - lost);
        ensure!(enter <= 1.0, "so many packets cannot be lost in bursts that short");
        Ok(Self { enter, leave })
    }
}

fn milliseconds(value: &str) -> anyhow::Result<Duration> {
    let number = value.strip_suffix("ms").with_context(|| format!("{value} is not in ms"))?;
    Ok(Duration::try_from_secs_f64(number.parse::<f64>()? / 1000.0)?)
}

fn share(value: &str) -> anyhow::Result<f64> {
    let percent: f64 = value.parse()?;
    ensure!((0.0..=100.0).contains(&percent), "{value} is no per cent");
    Ok(percent / 100.0)
}

fn kilobits(value: &str) -> anyhow::Result<f64> {
    let number: f64 =
        value.strip_suffix("kbit").with_context(|| format!("{value} is not in kbit"))?.parse()?;
    ensure!(number.is_finite() && number > 0.0, "{value} is no rate");
    Ok(number * 1000.0)
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives.
    Delivered {
        /// When.
        at: Duration,
        /// How long it stood in the queue of the rate's.
        waited: Duration,
    },
    /// The air has it.
    Lost,
    /// The queue was full.
    Dropped,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivered { waited, .. } => write!(f, "delivered {}", waited.as_micros()),
            Self::Lost => write!(f, "lost 0"),
            Self::Dropped => write!(f, "dropped 0"),
        }
    }
}

/// One direction between two hosts. With the same seed, number and condition the n-th packet always meets the same fate, whenever it
/// comes; rate and queue alone depend on when.
#[derive(Clone, Debug)]
pub struct Link {
    /// What it does from the next packet on.
    pub condition: Condition,
    seed: u64,
    id: u64,
    /// Datagrams so far.
    count: u64,
    bad: bool,
    /// Until when the line is busy with what came so far.
    busy: Duration,
    /// When the last datagram, and the last of all else, arrives.
    last: [Duration; 2],
    /// The conversations that passed, and whether they may.
    flows: BTreeMap<Flow, bool>,
}

/// What a number of chance is for.
#[derive(Clone, Copy)]
enum Purpose {
    Loss = 1,
    Burst = 2,
    Jitter = 3,
}

impl Link {
    /// A clean link.
    pub fn new(seed: u64, id: u64) -> Self {
        let (condition, last, flows) = (Condition::default(), [Duration::ZERO; 2], BTreeMap::new());
        Self { condition, seed, id, count: 0, bad: false, busy: Duration::ZERO, last, flows }
    }

    /// The first packet from now on meets the first fate of that seed.
    pub fn begin_anew(&mut self, seed: u64) {
        (self.seed, self.count, self.bad) = (seed, 0, false);
    }

    /// Every conversation that has passed is lost from now on, as where a router has forgotten them; new ones pass.
    pub fn cut(&mut self) {
        self.flows.values_mut().for_each(|passes| *passes = false);
    }

    /// A packet of so many bytes enters at that time; later calls have later times.
    pub(super) fn fate(&mut self, now: Duration, bytes: usize, packet: &Packet) -> Fate {
        let passes = packet.flow.is_none_or(|flow| *self.flows.entry(flow).or_insert(true));
        if self.condition.down || !passes {
            return Fate::Lost;
        }
        let udp = packet.udp.is_some();
        if udp && self.loses() {
            self.count += 1;
            return Fate::Lost;
        }
        let start = self.busy.max(now);
        let mut at = now;
        if let Some(rate) = self.condition.rate {
            if start - now > self.condition.queue {
                self.count += u64::from(udp);
                return Fate::Dropped;
            }
            let bits = f64::from(u32::try_from(8 * bytes).unwrap_or(u32::MAX));
            self.busy = start + Duration::from_secs_f64(bits / rate);
            at = self.busy;
        }
        let waited = at - now;
        at += self.condition.delay;
        if udp {
            at += self.condition.jitter.mul_f64(self.chance(Purpose::Jitter));
            self.count += 1;
        }
        let last = &mut self.last[usize::from(udp)];
        at = at.max(*last);
        *last = at;
        Fate::Delivered { at, waited }
    }

    fn loses(&mut self) -> bool {
        if let Some(burst) = self.condition.burst {
            let chance = self.chance(Purpose::Burst);
            self.bad = if self.bad { chance >= burst.leave } else { chance < burst.enter };
        } else {
            self.bad = false;
        }
        self.bad || self.chance(Purpose::Loss) < self.condition.loss
    }

    /// Evenly spread over 0 to 1, a pure function of seed, link, packet and purpose (splitmix64).
    fn chance(&self, purpose: Purpose) -> f64 {
        let mut z = self.seed;
        for (n, by) in [
            (self.id, 0xA24B_AED4_963E_E407),
            (self.count, 0x9E37_79B9_7F4A_7C15),
            (purpose as u64, 0xD1B5_4A32_D192_ED03),
        ] {
            z = z.wrapping_add(n.wrapping_mul(by));
        }
        for _ in 0..2 {
            z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^= z >> 31;
        }
        f64::from(u32::try_from(z >> 32).unwrap_or_default()) / f64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests;
