//! What waits to be written to a TURN server.
//!
//! Lives here: the bounds of that, and what is dropped first, pure.
//! Must not: write, or read a clock.

use std::collections::VecDeque;
use std::time::Duration;

use ahoy_call::Moment;

use super::framing::STUN_HEADER;

/// What a person says this long before it is heard is of no use: a stream that stalls loses it, as a datagram would be lost.
const STALE: Duration = Duration::from_millis(200);
/// Data that waits at once: more than [`STALE`] of a voice with its copies and checks.
const MOST_DATA: usize = 32;
/// Requests that wait at once: a client has few under way.
const MOST_REQUESTS: usize = 32;
/// Requests that went lately, so that a repetition is known as one.
const REMEMBERED: usize = 32;

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    requests: VecDeque<Vec<u8>>,
    data: VecDeque<(Moment, Vec<u8>)>,
    lately: VecDeque<Vec<u8>>,
}

/// Not so data: ChannelData and indications, which nobody answers (RFC 8489 §5: the class bits).
fn is_request(message: &[u8]) -> bool {
    let [high, low, ..] = *message else { return false };
    high >> 6 == 0 && high & 1 == 0 && low & 0x10 == 0 && message.len() >= STUN_HEADER
}

impl Backlog {
    /// One more, as it goes on the stream. A request that went or waits already does not go again: a stream repeats by itself. Under
    /// another nonce it is another one, in the same transaction.
    pub(super) fn put(&mut self, now: Moment, message: Vec<u8>) {
        match is_request(&message) {
            true => {
                if self.lately.contains(&message) || self.requests.len() == MOST_REQUESTS {
                    return;
                }
                if self.lately.len() == REMEMBERED {
                    self.lately.pop_front();
                }
                self.lately.push_back(message.clone());
                self.requests.push_back(message);
            }
            false => {
                if self.data.len() == MOST_DATA {
                    self.data.pop_front();
                }
                self.data.push_back((now, message));
            }
        }
    }

    /// What goes next: requests first, data only while it is fresh.
    pub(super) fn next(&mut self, now: Moment) -> Option<Vec<u8>> {
        self.data.retain(|(at, _)| now.since(*at) < STALE);
        self.requests.pop_front().or_else(|| self.data.pop_front().map(|(_, message)| message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_micros(1_000_000 + ms * 1_000)
    }

    fn stun(kind: u16, transaction: u8) -> Vec<u8> {
        let mut message = kind.to_be_bytes().to_vec();
        message.extend([0, 0, 0x21, 0x12, 0xa4, 0x42]);
        message.extend([transaction; 12]);
        message
    }

    fn voice(n: u8) -> Vec<u8> {
        vec![0x40, 1, 0, 4, n, n, n, n]
    }

    #[test]
    fn a_stream_that_stalls_for_five_seconds_brings_no_old_voice_afterwards() {
        let mut backlog = Backlog::default();
        for n in 0..250_u8 {
            backlog.put(at(u64::from(n) * 20), voice(n));
        }
        let now = at(5_000);
        let all: Vec<Vec<u8>> = std::iter::from_fn(|| backlog.next(now)).collect();
        assert_eq!(all.first(), Some(&voice(241)), "nothing older than 200 ms");
        assert_eq!(all.last(), Some(&voice(249)));
    }

    #[test]
    fn a_burst_keeps_its_newest_and_requests_go_first() {
        let mut backlog = Backlog::default();
        (0..=u8::MAX).for_each(|n| backlog.put(at(0), voice(n)));
        backlog.put(at(0), stun(0x0004, 1));
        let all: Vec<Vec<u8>> = std::iter::from_fn(|| backlog.next(at(0))).collect();
        assert_eq!(all.len(), MOST_DATA + 1);
        assert_eq!((&all[0], all.last()), (&stun(0x0004, 1), Some(&voice(255))));
    }

    #[test]
    fn a_request_goes_once_however_often_it_is_repeated_and_however_long_it_waits() {
        let mut backlog = Backlog::default();
        for second in 0..5 {
            backlog.put(at(second * 1_000), stun(0x0003, 1));
        }
        assert_eq!(backlog.next(at(9_000)), Some(stun(0x0003, 1)));
        backlog.put(at(9_000), stun(0x0003, 1));
        assert_eq!(backlog.next(at(9_000)), None, "it went");
        let signed_anew = [stun(0x0003, 1), vec![0, 0x15, 0, 0]].concat();
        backlog.put(at(9_000), signed_anew.clone());
        assert_eq!(backlog.next(at(9_000)), Some(signed_anew), "under another nonce it did not");
        // An indication is data, whatever its transaction.
        for _ in 0..2 {
            backlog.put(at(9_000), stun(0x0016, 1));
        }
        assert_eq!(
            [backlog.next(at(9_000)), backlog.next(at(9_000))],
            [Some(stun(0x0016, 1)), Some(stun(0x0016, 1))]
        );
    }

    #[test]
    fn a_flood_of_requests_is_bounded_and_one_that_found_no_room_may_come_again() {
        let mut backlog = Backlog::default();
        (0..100).for_each(|n| backlog.put(at(0), stun(0x0008, n)));
        assert_eq!(backlog.requests.len(), MOST_REQUESTS);
        assert_eq!(backlog.next(at(0)), Some(stun(0x0008, 0)));
        backlog.put(at(0), stun(0x0008, 99));
        assert_eq!(backlog.requests.back(), Some(&stun(0x0008, 99)));
    }

    #[test]
    fn bytes_that_are_no_message_are_data_like_any_other() {
        let mut backlog = Backlog::default();
        for nonsense in [vec![], vec![0], vec![0, 1, 2], vec![0; 19]] {
            backlog.put(at(0), nonsense.clone());
            assert_eq!(backlog.next(at(0)), Some(nonsense));
        }
    }
}
