//! How many messages a minute each sender may send.
//!
//! Lives here: the counters. Who is counted is named by address or claimed inbox, and by the target's inbox as it was
//! written, existing or not, so that a refusal says nothing about the target.
//! Must not: know what the messages are.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ahoy_proto::envelope::Inbox;
use ahoy_proto::limits;

use crate::time::Moment;

const WINDOW: Duration = Duration::from_secs(60);

/// Counters kept at once. When they are all in use, unknown senders have to wait for the next minute.
const MOST: usize = 200_000;

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sender {
    /// The owner of an inbox.
    Claimed(Inbox),
    /// Anybody else, by network address.
    Unclaimed(IpAddr),
}

impl Sender {
    /// One IPv6 customer has a whole /64.
    pub(crate) fn unclaimed(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::Unclaimed(v4.into()),
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                Some(v4) => Self::Unclaimed(v4.into()),
                None => Self::Unclaimed(IpAddr::V6((u128::from(v6) >> 64 << 64).into())),
            },
        }
    }

    pub(crate) const fn per_minute(self) -> u32 {
        match self {
            Self::Claimed(_) => limits::CLAIMED_PER_MINUTE,
            Self::Unclaimed(_) => limits::UNCLAIMED_PER_MINUTE,
        }
    }
}

/// The counters of all senders.
#[derive(Debug, Default)]
pub(crate) struct Quota {
    windows: BTreeMap<(Sender, Option<Inbox>), Window>,
}

/// Messages since the first in this minute.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    since: Moment,
    count: u32,
}

impl Window {
    pub(crate) const fn new(now: Moment) -> Self {
        Self { since: now, count: 0 }
    }

    /// Counts one more; false past `most`.
    pub(crate) fn count(&mut self, now: Moment, most: u32) -> bool {
        if now.since(self.since) >= WINDOW {
            *self = Self::new(now);
        }
        self.count = self.count.saturating_add(1);
        self.count <= most
    }
}

impl Quota {
    /// Counts one message; false if it is one too many.
    pub(crate) fn allows(&mut self, now: Moment, sender: Sender, to: Inbox) -> bool {
        self.count(now, (sender, None), sender.per_minute())
            && self.count(now, (sender, Some(to)), limits::TO_ONE_INBOX_PER_MINUTE)
    }

    fn count(&mut self, now: Moment, key: (Sender, Option<Inbox>), most: u32) -> bool {
        if self.windows.len() >= MOST && !self.windows.contains_key(&key) {
            self.windows.retain(|_, w| now.since(w.since) < WINDOW);
            if self.windows.len() >= MOST {
                return false;
            }
        }
        self.windows.entry(key).or_insert(Window::new(now)).count(now, most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Sender = Sender::Unclaimed(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    #[test]
    fn a_window_resets_after_its_minute() {
        let mut q = Quota::default();
        let to = Inbox::from_bytes([1; 16]);
        let start = Moment::from_micros(5);
        let granted = (0..150).filter(|_| q.allows(start, HERE, to)).count();
        assert_eq!(granted, 100);
        assert!(!q.allows(start + Duration::from_millis(59_999), HERE, to));
        assert!(q.allows(start + WINDOW, HERE, to));
    }

    #[test]
    fn a_claimed_sender_may_send_more_but_not_all_to_one() {
        let mut q = Quota::default();
        let me = Sender::Claimed(Inbox::from_bytes([9; 16]));
        let to = |n| Inbox::from_bytes([n; 16]);
        let one = (0..400).filter(|_| q.allows(Moment::default(), me, to(1))).count();
        assert_eq!(one, 300);
        let rest = (0..250_u8)
            .cycle()
            .take(1_000)
            .filter(|n| q.allows(Moment::default(), me, to(n % 8 + 2)))
            .count();
        assert_eq!(rest, 600, "a thousand in all, refused ones counted");
    }

    #[test]
    fn neighbours_in_one_ipv6_network_share_a_quota() {
        let address = |text: &str| Sender::unclaimed(text.parse().unwrap());
        assert_eq!(address("2001:db8::1"), address("2001:db8::ffff:1"));
        assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
        assert_eq!(address("::ffff:10.0.0.1"), address("10.0.0.1"));
    }
}
