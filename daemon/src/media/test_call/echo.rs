//! What the far end of a test call says: what it heard, some seconds later.
//!
//! Lives here: the packets that wait.
//! Must not: decode one: a loss on the way there is to be heard on the way back.

use std::collections::VecDeque;
use std::time::Duration;

use ahoy_call::Moment;

use crate::media::transport::Packet;

/// How much later.
pub(super) const AFTER: Duration = Duration::from_secs(3);
/// Packets that wait at most: four seconds of packets of one frame.
const MOST: usize = 200;

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Echo {
    waiting: VecDeque<(Moment, Packet)>,
}

impl Echo {
    /// A packet came. It goes back as it is, under its own numbers.
    pub(super) fn came(&mut self, now: Moment, packet: Packet) {
        if self.waiting.len() < MOST {
            self.waiting.push_back((now + AFTER, packet));
        }
    }

    /// When the next one goes.
    pub(super) fn due(&self) -> Option<Moment> {
        self.waiting.front().map(|(at, _)| *at)
    }

    /// Those that go now.
    pub(super) fn take(&mut self, now: Moment) -> Vec<Packet> {
        let due = self.waiting.partition_point(|(at, _)| *at <= now);
        self.waiting.drain(..due).map(|(_, packet)| packet).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence: u16) -> Packet {
        let (timestamp, payload) = (u32::from(sequence) * 960, vec![1]);
        Packet { sequence, timestamp, first: false, payload, copies: Vec::new(), event: None }
    }

    #[test]
    fn what_comes_goes_back_three_seconds_later_in_its_order_and_no_more_than_has_room() {
        let at = |ms: u64| Moment::from_micros(1_000_000 + ms * 1_000);
        let mut echo = Echo::default();
        assert_eq!(echo.due(), None);
        (0..3).for_each(|n| echo.came(at(u64::from(n) * 20), packet(n)));
        assert_eq!(echo.due(), Some(at(3_000)));
        assert!(echo.take(at(2_999)).is_empty());
        assert_eq!(echo.take(at(3_020)), [packet(0), packet(1)]);
        (0..1_000).for_each(|n| echo.came(at(4_000), packet(n)));
        assert_eq!(echo.take(at(9_000)).len(), MOST);
    }
}
