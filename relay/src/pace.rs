//! How fast one address is read from.
//!
//! Lives here: `Pace`, which lets so many bytes a second through (the generic cell rate algorithm, ITU-T I.371), over all
//! connections of an address and of the network it lies in. Whoever is too fast is read later, and not refused.
//! Must not: read a clock or a socket.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::address::{Address, Near, Wide};
use crate::budgets;
use crate::time::Moment;

const NANOS: u64 = 1_000_000_000;

/// One address' pace. Copies are of the same one.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    near: Arc<Bucket>,
    wide: Arc<Bucket>,
}

/// When the bucket is empty again, in nanoseconds.
#[derive(Debug, Default)]
struct Bucket(AtomicU64);

/// Of all addresses.
#[derive(Debug, Default)]
pub(crate) struct Paces {
    near: BTreeMap<Near, Arc<Bucket>>,
    wide: BTreeMap<Wide, Arc<Bucket>>,
    /// When there are more than that, what is over is forgotten.
    clean_at: usize,
}

impl Paces {
    /// The pace of an address.
    pub(crate) fn of(&mut self, now: Moment, address: Address) -> Pace {
        if self.near.len() >= self.clean_at {
            let used = |bucket: &Arc<Bucket>| Arc::strong_count(bucket) > 1 || bucket.empty_at() > nanos(now);
            self.near.retain(|_, bucket| used(bucket));
            self.wide.retain(|_, bucket| used(bucket));
            self.clean_at = 2 * self.near.len() + 1_024;
        }
        let near = Arc::clone(self.near.entry(address.near).or_default());
        let wide = Arc::clone(self.wide.entry(address.wide).or_default());
        Pace { near, wide }
    }
}

impl Pace {
    /// Until when nothing is read; `None`: now.
    pub(crate) fn wait(&self, now: Moment) -> Option<Moment> {
        let until = self.near.opens_at(1).max(self.wide.opens_at(wide()));
        // Rounded up, so that a wait is never for nothing.
        (until > nanos(now)).then(|| Moment::from_micros(until.div_ceil(1_000)))
    }

    /// So much was read.
    pub(crate) fn took(&self, now: Moment, bytes: u64) {
        self.near.pour(now, bytes, 1);
        self.wide.pour(now, bytes, wide());
    }
}

fn wide() -> u64 {
    u64::try_from(budgets::NETWORKS_OF_CUSTOMER).unwrap_or(1)
}

impl Bucket {
    fn empty_at(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn opens_at(&self, times: u64) -> u64 {
        self.empty_at().saturating_sub(time(budgets::BYTES_AT_ONCE * times, times))
    }

    fn pour(&self, now: Moment, bytes: u64, times: u64) {
        let empty_at = self.empty_at().max(nanos(now)).saturating_add(time(bytes, times));
        // All connections are served by one thread.
        self.0.store(empty_at, Ordering::Relaxed);
    }
}

/// How long so many bytes take at so many times the pace.
const fn time(bytes: u64, times: u64) -> u64 {
    bytes.saturating_mul(NANOS) / (budgets::BYTES_PER_SECOND * times)
}

fn nanos(moment: Moment) -> u64 {
    moment.micros().saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use super::*;

    fn at(text: &str) -> Address {
        Address::from(text.parse::<IpAddr>().unwrap())
    }

    /// How many bytes go through in this time, taken a frame at a time.
    fn through(pace: &Pace, seconds: u64) -> u64 {
        let (mut now, end) = (Moment::default(), Moment::default() + Duration::from_secs(seconds));
        let mut bytes = 0;
        while now < end {
            match pace.wait(now) {
                Some(until) => now = until,
                None => {
                    pace.took(now, 1_024);
                    bytes += 1_024;
                }
            }
        }
        bytes
    }

    #[test]
    fn an_address_may_send_a_burst_and_then_so_much_a_second() {
        let pace = Paces::default().of(Moment::default(), at("192.0.2.1"));
        let (bytes, exact) = (through(&pace, 10), budgets::BYTES_AT_ONCE + 10 * budgets::BYTES_PER_SECOND);
        assert!((exact - 4_096..=exact + 4_096).contains(&bytes), "{bytes}, not {exact}");
    }

    #[test]
    fn connections_of_one_address_share_its_pace_and_others_have_their_own() {
        let mut paces = Paces::default();
        let now = Moment::default();
        paces.of(now, at("192.0.2.1")).took(now, 2 * budgets::BYTES_AT_ONCE);
        assert!(paces.of(now, at("192.0.2.1")).wait(now).is_some());
        assert_eq!(paces.of(now, at("192.0.2.2")).wait(now), None);
        for n in 0..4 {
            paces.of(now, at(&format!("2001:db8:1:{n}::1"))).took(now, 2 * budgets::BYTES_AT_ONCE);
        }
        assert!(paces.of(now, at("2001:db8:1:ffff::1")).wait(now).is_some(), "one customer's many networks");
        assert_eq!(paces.of(now, at("2001:db8:2::1")).wait(now), None);
    }

    #[test]
    fn who_is_gone_and_owes_nothing_is_forgotten() {
        let mut paces = Paces::default();
        let far = Moment::default() + Duration::from_secs(60);
        for n in 0..10_000_u16 {
            let [a, b] = n.to_be_bytes();
            paces.of(far, at(&format!("10.0.{a}.{b}")));
        }
        assert!(paces.near.len() < 3_000 && paces.wide.len() < 3_000, "{}", paces.near.len());
    }
}
