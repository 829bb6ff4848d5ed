//! How many messages a minute a sender may send.
//!
//! Lives here: the counters of one sender. Targets are counted as they were written, existing or not, so that a refusal
//! says nothing about the target.
//! Must not: know what the messages are, or grow with the targets that a sender names.

use std::time::Duration;

use ahoy_proto::envelope::Inbox;
use ahoy_proto::limits;

use crate::budgets;
use crate::time::Moment;

const WINDOW: Duration = Duration::from_secs(60);

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
        if self.is_over(now) {
            *self = Self::new(now);
        }
        self.count = self.count.saturating_add(1);
        self.count <= most
    }

    pub(crate) const fn is_over(self, now: Moment) -> bool {
        now.since(self.since).as_micros() >= WINDOW.as_micros()
    }
}

/// The counters of one sender.
#[derive(Debug)]
pub(crate) struct Quota {
    all: Window,
    targets: Vec<(Inbox, u32)>,
}

impl Quota {
    pub(crate) const fn new(now: Moment) -> Self {
        Self { all: Window::new(now), targets: Vec::new() }
    }

    /// Counts one message, of at most `most` a minute; false if it is one too many. What is refused is not counted: who
    /// writes too much to one inbox may still write to others.
    pub(crate) fn allows(&mut self, now: Moment, most: u32, to: Inbox) -> bool {
        if self.all.is_over(now) {
            *self = Self::new(now);
        }
        let target = self.target(to);
        let Some((_, count)) = self.targets.get_mut(target) else { return false };
        if *count >= limits::TO_ONE_INBOX_PER_MINUTE || self.all.count >= most {
            return false;
        }
        *count += 1;
        self.all.count(now, most)
    }

    /// Where a target is counted. With a full table it takes over the place, and the count, of the one with fewest: it
    /// may be refused a little early, and nobody a little late.
    fn target(&mut self, to: Inbox) -> usize {
        if let Some(at) = self.targets.iter().position(|(inbox, _)| *inbox == to) {
            return at;
        }
        if self.targets.len() < budgets::TARGETS {
            self.targets.push((to, 0));
            return self.targets.len() - 1;
        }
        let fewest = self.targets.iter().enumerate().min_by_key(|(_, (_, count))| *count);
        let at = fewest.map_or(0, |(at, _)| at);
        if let Some((inbox, _)) = self.targets.get_mut(at) {
            *inbox = to;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(n: u32) -> Inbox {
        Inbox::from_bytes(std::array::from_fn(|i| n.to_le_bytes()[i % 4]))
    }

    #[test]
    fn a_window_resets_after_its_minute() {
        let start = Moment::from_micros(5);
        let mut q = Quota::new(start);
        let granted = (0..150).filter(|_| q.allows(start, 100, to(1))).count();
        assert_eq!(granted, 100);
        assert!(!q.allows(start + Duration::from_millis(59_999), 100, to(1)));
        assert!(q.allows(start + WINDOW, 100, to(1)));
    }

    #[test]
    fn a_claimed_sender_may_send_more_but_not_all_to_one() {
        let mut q = Quota::new(Moment::default());
        let one = (0..400).filter(|_| q.allows(Moment::default(), 1_000, to(1))).count();
        assert_eq!(one, 300);
        let rest = (0..1_000).filter(|n| q.allows(Moment::default(), 1_000, to(n % 8 + 2))).count();
        assert_eq!(rest, 700, "a thousand in all, the hundred that were refused not among them");
    }

    #[test]
    fn a_sender_to_many_targets_takes_no_more_room_and_its_busiest_target_stays_counted() {
        let mut q = Quota::new(Moment::default());
        let busy = (0..400).filter(|_| q.allows(Moment::default(), 10_000, to(0))).count();
        let others = (1..600).filter(|n| q.allows(Moment::default(), 10_000, to(*n))).count();
        assert_eq!((busy, others), (300, 599), "new targets are not refused");
        assert_eq!(q.targets.len(), budgets::TARGETS);
        assert!(!q.allows(Moment::default(), 10_000, to(0)), "nor is the count of the busy one forgotten");
    }
}
