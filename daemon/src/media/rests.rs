//! What is left out of our voice in a room while nothing is said.
//!
//! Lives here: which packets go, and how the listeners see that none got lost (RFC 3550 §5.1).
//! Must not: judge what is said: who says nothing has said so already.
//!
//! In a room of ten most listen only. Fifty packets a second from each of them to each of the others would be most of what the
//! server carries, and of what every daemon does.

use super::codec;
use super::transport::Packet;

/// So many packets in a row that say nothing go: one of them may get lost.
const SAID: u32 = 5;
/// And after them one for so many frames (0.4 s): nobody takes us for gone.
const EVERY: usize = 20;
/// So many packets say that something was left out before them: the first one may get lost, and time that has gone on without numbers is
/// a riddle to who listens.
pub(super) const SAYS_SO: u32 = 5;

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Rests {
    /// Packets in a row that said nothing.
    silent: u32,
    /// Frames that were left out since the last that went.
    rested: usize,
    /// Packets that still say so.
    says_so: u32,
    /// Packets that were left out so far.
    left_out: u16,
}

impl Rests {
    /// What goes instead of this packet, if anything does.
    pub(super) fn next(&mut self, packet: Packet) -> Option<Packet> {
        self.silent = if codec::is_silence(&packet.payload) { self.silent.saturating_add(1) } else { 0 };
        let frames = codec::frames(&packet.payload).unwrap_or(1);
        if self.silent > SAID && self.rested + frames < EVERY {
            self.rested += frames;
            self.left_out = self.left_out.wrapping_add(1);
            return None;
        }
        if std::mem::take(&mut self.rested) > 0 {
            self.says_so = SAYS_SO;
        }
        let first = self.says_so > 0 || packet.first;
        self.says_so = self.says_so.saturating_sub(1);
        Some(Packet { sequence: packet.sequence.wrapping_sub(self.left_out), first, ..packet })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(n: u16, payload: Vec<u8>) -> Packet {
        let (timestamp, copies, event) = (u32::from(n) * 960, Vec::new(), None);
        Packet { sequence: n, timestamp, first: n == 0, payload, copies, event }
    }

    #[test]
    fn of_silence_a_packet_goes_every_two_fifths_of_a_second_and_numbers_have_no_gap() {
        let voice = |n: u16| !(3..1_003).contains(&n);
        for (frames, beats) in [(1_u16, 49), (6, 248)] {
            let mut rests = Rests::default();
            let says = |n| if voice(n) { vec![1, 2] } else { codec::silence(frames.into()) };
            let packets = (0..1_010).map(|n| packet(n, says(n)));
            let sent: Vec<Packet> = packets.filter_map(|packet| rests.next(packet)).collect();
            assert_eq!(sent.len(), 3 + 5 + beats + 7, "{frames} frames a packet");
            let mut since = 5;
            for (n, packet) in (0..).zip(&sent) {
                assert_eq!(packet.sequence, n);
                let before = n.checked_sub(1).map(|before| sent[usize::from(before)].timestamp);
                let goes_on = before.is_none_or(|before| packet.timestamp - before == 960);
                since = if goes_on { since + 1 } else { 0 };
                assert_eq!(packet.first, n == 0 || since < 5, "who left something out says so: {n}");
            }
            assert_eq!(sent[sent.len() - 7].timestamp, 1_003 * 960, "the first word goes at once");
        }
    }
}
