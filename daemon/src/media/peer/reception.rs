//! How the other side gets our voice, by its own words (RTCP): reports (RFC 3550 §6.4), what it misses (RFC 4585 §6.2.1), ours.
//!
//! Lives here: a listener in the library's chain of packets, for the library keeps these words to itself.
//! Must not: hold a packet back, change one, or believe a word about anybody else's voice.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rtc::interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::raw_packet::RawPacket;
use rtc::rtcp::reception_report::ReceptionReport;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use rtc::rtcp::{receiver_report::ReceiverReport, sender_report::SenderReport};
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use tokio::sync::mpsc;

use super::handler::Heard;
use super::sending;
use crate::media::transport::Reception;

/// Nearest to the wire (the library's own begin at 1000), so that a sender report is seen when it leaves.
pub(super) const SLOT: usize = 500;
/// Sender reports that an answer may still come for: one a second is sent.
const REMEMBERED: usize = 8;
/// Words of all kinds that are heard in one second. An honest side says some at every loss, each packet at most some times.
const WORDS: u32 = 150;
/// Packets of one question: no more are kept.
const ASKED: usize = 50;

/// See the head of this file.
pub(super) struct Listener {
    ssrc: u32,
    heard: mpsc::Sender<Heard>,
    /// The middle 32 bits of the NTP time of our sender reports, and when each left.
    sent: VecDeque<(u32, Instant)>,
    /// The present second, and the words in it.
    words: (Option<Instant>, u32),
    inwards: VecDeque<TaggedPacket>,
    outwards: VecDeque<TaggedPacket>,
}

impl Listener {
    /// Listens for reports about this stream of ours. What is not fetched from `heard` in time is lost.
    pub(super) fn new(ssrc: u32, heard: mpsc::Sender<Heard>) -> Self {
        let (sent, words, inwards, outwards) = Default::default();
        Self { ssrc, heard, sent, words, inwards, outwards }
    }

    /// Passes a word on, unless there are too many of them.
    fn tell(&mut self, now: Instant, heard: Heard) {
        let begun =
            self.words.0.filter(|begun| now.saturating_duration_since(*begun) < Duration::from_secs(1));
        self.words = begun.map_or((Some(now), 1), |begun| (Some(begun), self.words.1.saturating_add(1)));
        if self.words.1 > WORDS || self.heard.try_send(heard).is_err() {
            tracing::debug!("a word about our voice found no room");
        }
    }

    /// One part of what came.
    fn hear(&mut self, now: Instant, part: &dyn rtc::rtcp::Packet) {
        let any = part.as_any();
        if let Some(nack) = any.downcast_ref::<TransportLayerNack>() {
            if nack.media_ssrc == self.ssrc {
                let asked = nack.nacks.iter().flat_map(|pair| pair.packet_list()).take(ASKED).collect();
                self.tell(now, Heard::Asked(asked));
            }
        } else if let Some(feedback) = any.downcast_ref::<RawPacket>().and_then(sending::told) {
            self.tell(now, Heard::Feedback(feedback));
        } else {
            let reports = any
                .downcast_ref::<ReceiverReport>()
                .map(|report| &report.reports)
                .or_else(|| any.downcast_ref::<SenderReport>().map(|report| &report.reports));
            reports.into_iter().flatten().for_each(|report| self.came(now, report));
        }
    }

    fn left(&mut self, now: Instant, report: &SenderReport) {
        if self.sent.len() == REMEMBERED {
            self.sent.pop_front();
        }
        let [_, _, a, b, c, d, _, _] = report.ntp_time.to_be_bytes();
        self.sent.push_back((u32::from_be_bytes([a, b, c, d]), now));
    }

    fn came(&mut self, now: Instant, report: &ReceptionReport) {
        if report.ssrc != self.ssrc {
            return;
        }
        let sent = self.sent.iter().find(|(id, _)| *id == report.last_sender_report);
        let held = Duration::from_micros(u64::from(report.delay) * 1_000_000 / 65_536);
        let round_trip = sent
            .and_then(|(_, left)| now.checked_duration_since(*left))
            .and_then(|all| all.checked_sub(held));
        let reception = Reception { lost: report.fraction_lost, round_trip };
        self.tell(now, Heard::Reception(reception));
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Listener {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(parts) = &packet.message.packet {
            parts.iter().for_each(|part| self.hear(packet.now, &**part));
        }
        self.inwards.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.inwards.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(parts) = &packet.message.packet {
            let ours = |report: &&SenderReport| report.ssrc == self.ssrc;
            let report = parts.iter().find_map(|part| part.as_any().downcast_ref().filter(ours).cloned());
            if let Some(report) = report {
                self.left(packet.now, &report);
            }
        }
        self.outwards.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.outwards.pop_front()
    }
}

impl Interceptor for Listener {
    fn bind_local_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _info: &StreamInfo) {}
}

#[cfg(test)]
mod tests {
    use rtc::interceptor::AttributedPacket;
    use rtc::rtcp;
    use rtc::shared::TransportContext;

    use super::*;
    use crate::system::clock;

    const OURS: u32 = 77;

    fn packet(now: Instant, part: impl rtcp::Packet + 'static) -> TaggedPacket {
        let message = AttributedPacket::new(Packet::Rtcp(vec![Box::new(part)]));
        TaggedPacket { now, transport: TransportContext::default(), message }
    }

    fn about(ssrc: u32, lost: u8, last_sender_report: u32, delay: u32) -> ReceptionReport {
        ReceptionReport { ssrc, fraction_lost: lost, last_sender_report, delay, ..Default::default() }
    }

    fn listener() -> (Listener, mpsc::Receiver<Heard>) {
        let (heard, came) = mpsc::channel(4);
        (Listener::new(OURS, heard), came)
    }

    fn reception(came: &mut mpsc::Receiver<Heard>) -> Option<Reception> {
        match came.try_recv() {
            Ok(Heard::Reception(reception)) => Some(reception),
            Ok(_) | Err(_) => None,
        }
    }

    #[test]
    fn the_round_trip_is_what_the_other_side_did_not_hold() {
        let (mut listener, mut came) = listener();
        let start = clock::instant();
        let ntp_time = 0x1234_5678_9abc_def0;
        listener
            .handle_write(packet(start, SenderReport { ssrc: OURS, ntp_time, ..Default::default() }))
            .unwrap();
        assert!(listener.poll_write().is_some(), "it goes on");
        let report =
            ReceiverReport { reports: vec![about(OURS, 64, 0x5678_9abc, 65_536 / 2)], ..Default::default() };
        listener.handle_read(packet(start + Duration::from_millis(540), report)).unwrap();
        assert!(listener.poll_read().is_some(), "it goes on");
        let round_trip = Some(Duration::from_millis(40));
        assert_eq!(reception(&mut came), Some(Reception { lost: 64, round_trip }));
    }

    #[test]
    fn reports_also_come_inside_the_reports_of_senders() {
        let (mut listener, mut came) = listener();
        let report = SenderReport { ssrc: 5, reports: vec![about(OURS, 3, 0, 0)], ..Default::default() };
        listener.handle_read(packet(clock::instant(), report)).unwrap();
        assert_eq!(reception(&mut came), Some(Reception { lost: 3, round_trip: None }));
    }

    #[test]
    fn what_others_hear_and_what_cannot_be_is_not_believed() {
        let (mut listener, mut came) = listener();
        let start = clock::instant();
        let ntp_time = 7 << 16;
        listener
            .handle_write(packet(start, SenderReport { ssrc: OURS, ntp_time, ..Default::default() }))
            .unwrap();
        let report = ReceiverReport { reports: vec![about(78, 255, 7, 0)], ..Default::default() };
        listener.handle_read(packet(start, report)).unwrap();
        assert_eq!(reception(&mut came), None, "another stream");
        let report = ReceiverReport { reports: vec![about(OURS, 0, 7, u32::MAX)], ..Default::default() };
        listener.handle_read(packet(start, report)).unwrap();
        let none = Some(Reception { lost: 0, round_trip: None });
        assert_eq!(reception(&mut came), none, "it was held for longer than it was away");
        for n in 0..20 {
            let ntp_time = (100 + n) << 16;
            listener
                .handle_write(packet(start, SenderReport { ssrc: OURS, ntp_time, ..Default::default() }))
                .unwrap();
        }
        assert_eq!(listener.sent.len(), REMEMBERED);
    }
}
