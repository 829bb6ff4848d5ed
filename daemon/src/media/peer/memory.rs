//! What was sent by one path lately, for who missed it (RFC 4585 §6.2.1).
//!
//! Lives here: the packets as they went, and how often one of them goes again.
//! Must not: make a packet. What goes again is the same to the last bit: another one under the same number would be encrypted with
//! the same nonce (RFC 7714 §8.2).

use std::collections::VecDeque;
use std::time::Duration;

use ahoy_call::Moment;
use rtc::rtp;

/// Packets that are kept: a second of them.
const KEPT: usize = 50;
/// In a second at most half as many go again as went.
const SHARE: usize = 2;
const SECOND: Duration = Duration::from_secs(1);
/// The same packet goes again at most so often, and not sooner than that: two questions for it may cross its answer.
const TIMES: u8 = 4;
const SOONEST: Duration = Duration::from_millis(5);

#[derive(Debug)]
struct Sent {
    packet: rtp::Packet,
    at: Moment,
    times: u8,
    again: Moment,
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Memory {
    sent: VecDeque<Sent>,
    repeated: VecDeque<Moment>,
}

impl Memory {
    /// This went.
    pub(super) fn keep(&mut self, now: Moment, packet: rtp::Packet) {
        if self.sent.len() == KEPT {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent { packet, at: now, times: 0, again: now });
    }

    /// Nothing of this goes again: the voice stopped, or its keys are others.
    pub(super) fn forget(&mut self) {
        self.sent.clear();
    }

    /// What goes again of what is asked for. A second that brought half as many repeats as packets brings no more.
    pub(super) fn again(&mut self, now: Moment, asked: &[u16]) -> Vec<rtp::Packet> {
        self.repeated.retain(|at| now.since(*at) < SECOND);
        let lately = self.sent.iter().filter(|sent| now.since(sent.at) < SECOND).count();
        let mut packets = Vec::new();
        for number in asked.iter().take(KEPT) {
            if (self.repeated.len() + 1) * SHARE > lately {
                break;
            }
            let Some(sent) = self.sent.iter_mut().find(|sent| sent.packet.header.sequence_number == *number)
            else {
                continue;
            };
            if sent.times == TIMES || sent.times > 0 && now.since(sent.again) < SOONEST {
                continue;
            }
            (sent.times, sent.again) = (sent.times + 1, now);
            self.repeated.push_back(now);
            packets.push(sent.packet.clone());
        }
        packets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_micros(1_000_000 + ms * 1_000)
    }

    fn packet(number: u16) -> rtp::Packet {
        let header =
            rtp::Header { sequence_number: number, timestamp: 7 * u32::from(number), ..Default::default() };
        rtp::Packet { header, payload: vec![number.to_be_bytes()[1]; 40].into() }
    }

    /// A second of packets, 20 ms apart, the last at 980 ms.
    fn second() -> Memory {
        let mut memory = Memory::default();
        for n in 0..50_u16 {
            memory.keep(at(u64::from(n) * 20), packet(1_000 + n));
        }
        memory
    }

    #[test]
    fn what_is_asked_for_goes_again_as_it_went() {
        let mut memory = second();
        assert_eq!(memory.again(at(985), &[1_040, 1_048]), [packet(1_040), packet(1_048)]);
        assert_eq!(memory.again(at(985), &[999, 1_050, 0, 65_535]), [], "what was never sent");
        memory.forget();
        assert_eq!(memory.again(at(985), &[1_041]), [], "what came before a pause");
    }

    #[test]
    fn who_asks_for_everything_a_thousand_times_a_second_gets_half_the_rate_again_and_no_more() {
        let mut memory = second();
        let everything: Vec<u16> = (0..=u16::MAX).collect();
        let mut all = 0;
        for ms in 1_000..4_000_u64 {
            if ms % 20 == 0 {
                memory.keep(at(ms), packet(u16::try_from(1_000 + ms / 20).unwrap()));
            }
            let lately = usize::try_from(1_000 + ms / 20).unwrap() - 40;
            all +=
                memory.again(at(ms), &everything[lately..]).len() + memory.again(at(ms), &[1_200; 100]).len();
        }
        assert!((60..=25 * 3 + 25).contains(&all), "{all} in 3 s, of 150 packets");
    }

    #[test]
    fn one_packet_goes_again_a_few_times_and_not_twice_at_once() {
        let mut memory = second();
        let times: Vec<usize> =
            (0..100).map(|ms| memory.again(at(985 + ms), &[1_045, 1_045]).len()).collect();
        assert_eq!(times.iter().sum::<usize>(), usize::from(TIMES));
        assert!(times.iter().all(|n| *n <= 1), "two questions cross one answer");
    }
}
