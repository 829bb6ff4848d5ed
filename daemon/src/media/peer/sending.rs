//! Our voice on one path: which RTP packet a packet of the voice becomes, and which of them go again.
//!
//! Lives here: payload types, the path's numbers, RED where the other side takes it, the memory of what went.
//! Must not: send, or choose what is protected.

use ahoy_call::Moment;
use rtc::rtcp;
use rtc::rtcp::raw_packet::RawPacket;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::{
    TransportLayerNack, nack_pairs_from_sequence_numbers,
};
use rtc::rtp;

use super::memory::Memory;
use super::numbering::Numbering;

use crate::media::feedback::Feedback;
use crate::media::red;
use crate::media::transport::Packet;

/// RTP payload types, as the other side's description numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PayloadTypes {
    /// Opus.
    pub(super) opus: u8,
    /// Copies beside it; none to who does not take them.
    pub(super) red: Option<u8>,
    /// Digits in its place (RFC 4733); none to who does not take them.
    pub(super) event: Option<u8>,
}

/// What we ask of the other side's Opus (RFC 7587 §6.1).
pub(super) const OPUS_FORMAT: &str = "minptime=10;useinbandfec=1";

/// How a description says that packets can be asked for again (RFC 4585 §6.2.1), and that [`Feedback`] is taken (§4.2: feedback of
/// the application; ours travels as an APP packet).
pub(super) const NACK: &str = "nack";
pub(super) const APP_FEEDBACK: &str = "ack app ahoy";

/// An RTCP packet of the application (RFC 3550 §6.7): the version, its type, the name that says what it holds.
const APP: [u8; 2] = [0x80, 204];
const NAME: &[u8; 4] = b"ahoy";
/// What stands before the data.
const APP_HEADER: usize = 12;

/// See the head of this file.
pub(super) struct Sending {
    ssrc: u32,
    pub(super) payload_types: PayloadTypes,
    numbering: Numbering,
    memory: Memory,
    /// Whether what is asked for goes again.
    pub(super) repeats: bool,
}

impl Sending {
    pub(super) fn new(ssrc: u32, payload_types: PayloadTypes) -> Self {
        Self { ssrc, payload_types, numbering: Numbering::fresh(), memory: Memory::default(), repeats: false }
    }

    /// What goes.
    pub(super) fn packet(&mut self, now: Moment, packet: Packet) -> rtp::Packet {
        let PayloadTypes { opus, red, event } = self.payload_types;
        let (payload_type, payload, timestamp, marker) = match event.zip(packet.event) {
            Some((kind, event)) => (kind, event.bytes().to_vec(), event.begin, event.is_first()),
            None => {
                let packed =
                    red.and_then(|red| Some((red, red::pack(opus, &packet.copies, &packet.payload)?)));
                let (kind, payload) = packed.unwrap_or((opus, packet.payload));
                (kind, payload, packet.timestamp, packet.first)
            }
        };
        let header = rtp::Header {
            version: 2,
            marker,
            payload_type,
            sequence_number: self.numbering.of(packet.sequence),
            timestamp,
            ssrc: self.ssrc,
            ..Default::default()
        };
        let packet = rtp::Packet { header, payload: payload.into() };
        self.memory.keep(now, packet.clone());
        packet
    }

    /// Nothing that went before goes again.
    pub(super) fn forget(&mut self) {
        self.memory.forget();
    }

    /// What goes again of what is asked for.
    pub(super) fn again(&mut self, now: Moment, asked: &[u16]) -> Vec<rtp::Packet> {
        if self.repeats { self.memory.again(now, asked) } else { Vec::new() }
    }

    /// Asks the other side for these packets of its voice again.
    pub(super) fn ask(&self, theirs: u32, missing: &[u16]) -> Box<dyn rtcp::Packet> {
        Box::new(TransportLayerNack {
            sender_ssrc: self.ssrc,
            media_ssrc: theirs,
            nacks: nack_pairs_from_sequence_numbers(missing),
        })
    }

    /// Tells the other side how its voice comes.
    pub(super) fn tell(&self, feedback: &Feedback) -> Box<dyn rtcp::Packet> {
        let data = feedback.bytes();
        let words = u16::try_from((APP_HEADER + data.len()) / 4 - 1).unwrap_or_default();
        let header = [&APP[..], &words.to_be_bytes(), &self.ssrc.to_be_bytes(), NAME];
        Box::new(RawPacket([&header.concat()[..], &data].concat().into()))
    }
}

/// What the other side tells about our voice, if this is such a packet.
pub(super) fn told(packet: &RawPacket) -> Option<Feedback> {
    let (header, data) = packet.0.split_at_checked(APP_HEADER)?;
    (header[..2] == APP && header[8..] == NAME[..]).then(|| Feedback::from_bytes(data))?
}

#[cfg(test)]
mod tests {
    use allocation_counter::measure;

    use super::*;
    use crate::media::dtmf::Event;
    use crate::media::transport::Copy;

    const TYPES: PayloadTypes = PayloadTypes { opus: 96, red: Some(97), event: Some(98) };

    fn packet(copies: Vec<Copy>) -> Packet {
        Packet { sequence: 9, timestamp: 5, first: false, payload: vec![1, 2, 3], copies, event: None }
    }

    #[test]
    fn copies_go_to_who_takes_them_and_a_packet_without_them_goes_as_it_always_did() {
        let copies = vec![Copy { distance: 1, payload: vec![4] }];
        for (types, copies, payload_type) in [
            (TYPES, copies.clone(), 97),
            (TYPES, Vec::new(), 96),
            (PayloadTypes { red: None, ..TYPES }, copies, 96),
        ] {
            let sent = Sending::new(7, types).packet(Moment::default(), packet(copies));
            assert_eq!(sent.header.payload_type, payload_type);
            assert_eq!(sent.payload == [1, 2, 3][..], payload_type == 96);
        }
    }

    #[test]
    fn a_digit_goes_as_an_event_under_the_number_of_its_frame_to_who_takes_it_and_else_as_the_voice() {
        let event = |duration, end| Event { code: 4, end, duration, begin: 2 };
        let mut sending = Sending::new(7, TYPES);
        let mut numbers = Vec::new();
        for (n, event) in [(9, event(960, false)), (10, event(1_920, false)), (11, event(1_920, true))] {
            let copies = vec![Copy { distance: 1, payload: vec![4] }];
            let sent = sending
                .packet(Moment::default(), Packet { sequence: n, event: Some(event), ..packet(copies) });
            let header = &sent.header;
            assert_eq!((header.payload_type, header.timestamp, header.ssrc), (98, 2, 7));
            assert_eq!(header.marker, n == 9, "on the first");
            assert_eq!(sent.payload, event.bytes()[..]);
            numbers.push(header.sequence_number);
            sending.repeats = true;
        }
        assert!(numbers.is_sorted_by(|a, b| a + 1 == *b), "one space of numbers: {numbers:?}");
        let mut none = Sending::new(7, PayloadTypes { event: None, ..TYPES });
        let voice = Packet { event: Some(event(960, false)), ..packet(Vec::new()) };
        let sent = none.packet(Moment::default(), voice);
        assert_eq!((sent.header.payload_type, &sent.payload[..]), (96, &[1, 2, 3][..]));
    }

    #[test]
    fn an_event_that_is_asked_for_goes_again_to_the_last_bit() {
        let mut sending = Sending::new(7, TYPES);
        sending.repeats = true;
        let event = |n: u16| Event { code: 4, end: false, duration: 960 * (n + 1), begin: 2 };
        let digit = |n| Packet { sequence: n, event: Some(event(n)), ..packet(Vec::new()) };
        let sent: Vec<_> = (0..5).map(|n| sending.packet(Moment::default(), digit(n))).collect();
        let asked = sent[1].header.sequence_number;
        assert_eq!(sending.again(Moment::default(), &[asked]), [sent[1].clone()]);
    }

    #[test]
    fn what_is_told_is_heard_and_other_packets_of_applications_are_not() {
        let said = Feedback { bytes: 99, ..Feedback::default() };
        let sending = Sending::new(7, TYPES);
        let told_packet = sending.tell(&said);
        let raw = told_packet.as_any().downcast_ref::<RawPacket>().unwrap();
        assert_eq!(raw.0.len() % 4, 0);
        assert_eq!(told(raw), Some(said));
        for place in [0, 1, 8, 11] {
            let mut other = raw.0.to_vec();
            other[place] ^= 0x20;
            assert_eq!(told(&RawPacket(other.into())), None);
        }
        assert_eq!(told(&RawPacket(raw.0.slice(..20))), None);
    }

    #[test]
    fn nothing_goes_again_before_it_may() {
        let mut sending = Sending::new(7, TYPES);
        let number = (0..50).map(|_| sending.packet(Moment::default(), packet(Vec::new()))).last().unwrap();
        let asked = [number.header.sequence_number];
        assert!(sending.again(Moment::default(), &asked).is_empty());
        sending.repeats = true;
        assert_eq!(sending.again(Moment::default(), &asked).len(), 1);
    }

    #[test]
    fn a_packet_that_goes_takes_memory_once_to_be_kept_and_once_more_with_copies() {
        let mut sending = Sending::new(7, TYPES);
        for (copies, each) in [(0, 1), (2, 2)] {
            let copies = vec![Copy { distance: 1, payload: vec![4; 70] }; copies];
            let mut send = |count: usize| {
                let packets = vec![packet(copies.clone()); count];
                measure(|| {
                    packets.into_iter().for_each(|packet| drop(sending.packet(Moment::default(), packet)))
                })
            };
            send(60);
            assert_eq!(send(100).count_total, 100 * each, "{each}");
        }
    }
}
