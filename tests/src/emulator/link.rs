//! One direction of an emulated network path: what becomes of each packet.
//!
//! Lives here: delay, jitter, loss, bursts of loss, rate and queue, and how they are written down.
//! Must not: read a clock, touch a socket, or take chance from anywhere but its seed.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

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
        Self { delay: Duration::ZERO, jitter: Duration::ZERO, loss: 0.0, burst: None, rate: None, queue }
    }
}

impl FromStr for Condition {
    type Err = anyhow::Error;

    /// `clean`, or settings with spaces between: `delay=30ms jitter=40ms loss=10 burst=10:4 rate=48kbit queue=200ms`. Loss is in per
    /// cent, a burst that and its mean length in packets.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut condition = Self::default();
        for setting in text.split(' ').filter(|setting| !setting.is_empty() && *setting != "clean") {
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
        let (condition, last) = (Condition::default(), [Duration::ZERO; 2]);
        Self { condition, seed, id, count: 0, bad: false, busy: Duration::ZERO, last }
    }

    /// The first packet from now on meets the first fate of that seed.
    pub fn begin_anew(&mut self, seed: u64) {
        (self.seed, self.count, self.bad) = (seed, 0, false);
    }

    /// A packet of so many bytes enters at that time; later calls have later times.
    pub fn fate(&mut self, now: Duration, bytes: usize, udp: bool) -> Fate {
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
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// The fates of datagrams of that size, one each so many milliseconds.
    fn fates(condition: &str, seed: u64, count: u32, gap: u32, bytes: usize) -> Vec<(Duration, Fate)> {
        let mut link = Link::new(seed, 0);
        link.condition = condition.parse().unwrap();
        (0..count).map(|n| (gap * n * MS, link.fate(gap * n * MS, bytes, true))).collect()
    }

    fn lost(fates: &[(Duration, Fate)]) -> Vec<bool> {
        fates.iter().map(|(_, fate)| *fate == Fate::Lost).collect()
    }

    /// How long each delivered one was under way, in milliseconds.
    fn delays(fates: &[(Duration, Fate)]) -> Vec<f64> {
        let each = fates.iter().filter_map(|(sent, fate)| match fate {
            Fate::Delivered { at, .. } => Some((*at - *sent).as_secs_f64() * 1000.0),
            Fate::Lost | Fate::Dropped => None,
        });
        each.collect()
    }

    fn share_of(flags: &[bool]) -> f64 {
        f64::from(u32::try_from(flags.iter().filter(|flag| **flag).count()).unwrap())
            / f64::from(u32::try_from(flags.len()).unwrap())
    }

    #[test]
    fn as_many_are_lost_as_asked_for_each_by_itself() {
        for percent in [1.0, 2.0, 5.0, 10.0, 20.0] {
            let lost = lost(&fates(&format!("loss={percent}"), 7, 100_000, 20, 100));
            let share = 100.0 * share_of(&lost);
            assert!((share - percent).abs() < 0.4, "asked for {percent} %, got {share} %");
            let after: Vec<bool> = lost.windows(2).filter(|pair| pair[0]).map(|pair| pair[1]).collect();
            assert!((100.0 * share_of(&after) - percent).abs() < 1.5, "after a loss as likely as else");
        }
    }

    #[test]
    fn bursts_lose_as_many_and_are_as_long_as_asked_for() {
        for (percent, length) in [(5.0, 3.0), (10.0, 4.0), (20.0, 2.0)] {
            let lost = lost(&fates(&format!("burst={percent}:{length}"), 3, 200_000, 20, 100));
            let begun: Vec<bool> = lost.windows(2).map(|pair| !pair[0] && pair[1]).collect();
            let (share, mean) = (100.0 * share_of(&lost), share_of(&lost) / share_of(&begun));
            assert!((share - percent).abs() < 0.6, "asked for {percent} %, got {share} %");
            assert!((mean - length).abs() < 0.1 * length, "asked for bursts of {length}, got {mean}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_fates_and_another_gives_others() {
        let all = "delay=25ms jitter=40ms loss=5 burst=5:3";
        let [one, same, other] = [42, 42, 43].map(|seed| fates(all, seed, 5000, 20, 100));
        assert_eq!(one, same);
        assert_ne!(one, other);
        let mut link = Link::new(43, 0);
        link.condition = all.parse().unwrap();
        let _: Vec<Fate> = (0..100).map(|n| link.fate(n * MS, 100, true)).collect();
        link.begin_anew(42);
        let again: Vec<bool> = (200..700).map(|n| link.fate(20 * n * MS, 100, true) == Fate::Lost).collect();
        assert_eq!(again, lost(&one)[..500], "begun anew, whenever that is");
    }

    #[test]
    fn what_is_no_datagram_is_not_lost_and_shifts_no_fate() {
        let plain = lost(&fates("loss=20", 9, 2000, 20, 100));
        let mut link = Link::new(9, 0);
        link.condition = "loss=20".parse().unwrap();
        let mixed: Vec<bool> = (0..2000)
            .map(|n| {
                assert!(matches!(link.fate(20 * n * MS, 60, false), Fate::Delivered { .. }));
                link.fate(20 * n * MS, 100, true) == Fate::Lost
            })
            .collect();
        assert_eq!(mixed, plain);
    }

    #[test]
    fn jitter_comes_on_top_of_the_delay_and_keeps_the_order() {
        // So far apart that none holds back the next.
        let spread = delays(&fates("delay=25ms jitter=40ms", 1, 50_000, 100, 100));
        let mean = spread.iter().sum::<f64>() / 50_000.0;
        let (least, most) = spread.iter().fold((f64::MAX, 0.0_f64), |(a, b), x| (a.min(*x), b.max(*x)));
        assert!(least >= 25.0 && most <= 65.0 && (mean - 45.0).abs() < 0.3, "{least} to {most}, mean {mean}");
        let close = fates("delay=25ms jitter=80ms", 1, 5000, 20, 100);
        let arrived: Vec<f64> =
            close.iter().zip(delays(&close)).map(|((sent, _), d)| sent.as_secs_f64() * 1000.0 + d).collect();
        assert!(arrived.windows(2).all(|pair| pair[1] >= pair[0] - 1e-6));
    }

    #[test]
    fn a_rate_lets_so_much_through_and_no_more_waits_than_the_queue_holds() {
        let fates = fates("rate=64kbit queue=300ms", 1, 1000, 10, 160);
        let through = delays(&fates);
        let bits = f64::from(u32::try_from(through.len()).unwrap()) * 160.0 * 8.0 / 10.0;
        assert!((bits - 64_000.0).abs() < 3000.0, "{bits} bit/s");
        // 20 ms a packet: the last one that is let in waits 300 ms for its turn.
        let most = through.iter().fold(0.0_f64, |a, b| a.max(*b));
        assert!((300.0..=320.1).contains(&most), "{most} ms");
        assert!(fates.iter().any(|(_, fate)| *fate == Fate::Dropped));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let bad = [
            "loss=101",
            "loss=-1",
            "loss=NaN",
            "delay=5",
            "delay=-5ms",
            "delay=xms",
            "foo=1",
            "burst=5",
            "burst=5:0.5",
            "burst=90:1",
            "rate=NaNkbit",
            "rate=0kbit",
            "rate=64",
            "loss",
        ];
        for text in bad {
            assert!(text.parse::<Condition>().is_err(), "{text}");
        }
        assert_eq!("clean".parse::<Condition>().unwrap(), Condition::default());
    }
}
