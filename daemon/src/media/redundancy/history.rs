//! Our last packets, for the copies that later ones carry.
//!
//! Lives here: what was sent, and which of it goes beside a packet.
//! Must not: choose how many copies there are.

use std::collections::VecDeque;

use super::{COPIES, Protection, SPACING};
use crate::media::transport::{Copy, Packet};

/// Packets that a copy can be made of.
const KEPT: usize = (COPIES * SPACING) as usize;
const FRAME_SAMPLES: u32 = 960;

/// See the head of this file.
#[derive(Debug, Default)]
pub(in crate::media) struct History {
    /// The newest last: its timestamp, and what it says.
    kept: VecDeque<(u32, Vec<u8>)>,
}

impl History {
    /// This is being sent.
    pub(in crate::media) fn keep(&mut self, packet: &Packet) {
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back((packet.timestamp, packet.payload.clone()));
    }

    /// Nothing of this is said again.
    pub(in crate::media) fn forget(&mut self) {
        self.kept.clear();
    }

    /// What goes with a packet that is not kept yet, the oldest first; nothing that was said before this time, if one is given.
    pub(in crate::media) fn copies(
        &self,
        packet: &Packet,
        protection: Protection,
        since: Option<u32>,
    ) -> Vec<Copy> {
        let Protection { copies, spacing } = protection;
        let of = |n: u8| {
            let back = usize::from(n * spacing);
            let (timestamp, payload) = self.kept.get(self.kept.len().checked_sub(back)?)?;
            if since.is_some_and(|since| timestamp.wrapping_sub(since).cast_signed() < 0) {
                return None;
            }
            let samples = packet.timestamp.wrapping_sub(*timestamp);
            let distance = u8::try_from(samples / FRAME_SAMPLES).ok()?;
            Some(Copy { distance, payload: payload.clone() })
        };
        (1..=copies).rev().filter_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(frame: u32) -> Packet {
        let timestamp = (u32::MAX - 3_000).wrapping_add(frame * 960);
        Packet {
            sequence: 0,
            timestamp,
            first: false,
            payload: vec![frame.to_be_bytes()[3]],
            copies: Vec::new(),
            event: None,
        }
    }

    fn said(history: &History, at: u32, copies: u8, spacing: u8) -> Vec<(u8, u8)> {
        let copies = history.copies(&packet(at), Protection::clamped(copies, spacing), None);
        copies.iter().map(|copy| (copy.distance, copy.payload[0])).collect()
    }

    #[test]
    fn copies_are_of_the_packets_before_as_far_apart_as_is_asked() {
        let mut history = History::default();
        assert!(said(&history, 0, 3, 3).is_empty(), "there is nothing yet");
        (1..=12).for_each(|n| history.keep(&packet(n)));
        assert_eq!(said(&history, 13, 0, 0), []);
        assert_eq!(said(&history, 13, 2, 1), [(2, 11), (1, 12)]);
        assert_eq!(said(&history, 13, 3, 3), [(9, 4), (6, 7), (3, 10)]);
        history.forget();
        assert_eq!(said(&history, 13, 3, 1), [], "not over a pause");
        for long in [20, 23, 26] {
            history.keep(&packet(long));
        }
        assert_eq!(said(&history, 29, 2, 1), [(6, 23), (3, 26)], "packets of three frames");
    }

    #[test]
    fn who_came_later_gets_no_copy_of_what_was_said_before() {
        let mut history = History::default();
        (1..=12).for_each(|n| history.keep(&packet(n)));
        let said = |since: u32| {
            let since = Some(packet(since).timestamp);
            let copies = history.copies(&packet(13), Protection::clamped(3, 1), since);
            copies.iter().map(|copy| copy.payload[0]).collect::<Vec<_>>()
        };
        assert_eq!(said(1), [10, 11, 12]);
        assert_eq!(said(11), [11, 12]);
        assert!(said(13).is_empty());
    }
}
