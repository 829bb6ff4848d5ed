//! A microphone's samples to packets, without any device or socket.
//!
//! Lives here: blocks of any size to packets of one or several frames; one `Capture` a call.
//! Must not: do I/O, read a clock, know which path a packet takes, or choose how it is coded.

use ahoy_call::Digits;

use super::codec::{self, CodecError, Encoder, FRAME, PACKET_MAX};
use super::dtmf::Keypad;
use super::rate::Encoding;
use super::transport::Packet;

/// Frames of one packet at most (RFC 6716 §3.4: 120 ms).
pub const MOST_FRAMES: u8 = 6;
/// After so many frames without a sound the codec has said all that it has to say: its next packets would be longer, and cost time.
const SILENT_AFTER: usize = 25;
/// Samples of the longest packet.
const LONGEST: usize = FRAME * MOST_FRAMES as usize;

/// Microphone to packets.
#[derive(Debug)]
pub struct Capture {
    encoder: Encoder,
    /// As the next packet will be coded.
    encoding: Encoding,
    /// Samples of the present packet.
    length: usize,
    samples: Box<[f32; LONGEST]>,
    filled: usize,
    packet: [u8; PACKET_MAX],
    muted: bool,
    /// Frames without a sound until now.
    silent: usize,
    keypad: Keypad,
    first: bool,
    sequence: u16,
    timestamp: u32,
}

impl Capture {
    /// At this bit rate (bit/s), from this timestamp, which should be random (RFC 3550 §5.1).
    pub fn new(bitrate: u32, timestamp: u32) -> Result<Self, CodecError> {
        Ok(Self {
            encoder: Encoder::new(bitrate)?,
            encoding: Encoding { bitrate, frames: 1 },
            length: FRAME,
            samples: Box::new([0.0; LONGEST]),
            filled: 0,
            packet: [0; PACKET_MAX],
            muted: false,
            silent: 0,
            keypad: Keypad::default(),
            first: true,
            sequence: 0,
            timestamp,
        })
    }

    /// Send encoded silence instead of sound, from the very next sample; what waits in the unfinished frame is silenced too.
    pub fn set_muted(&mut self, muted: bool) {
        self.muted = muted;
        if muted {
            self.samples.fill(0.0);
        }
    }

    /// Per cent of our packets that the other side is expected to miss.
    pub fn set_loss(&mut self, percent: u8) {
        // The library takes every value that `Encoder` lets through.
        let _same_as_before = self.encoder.set_loss(percent);
    }

    /// Code it so, from the next packet that begins.
    pub fn set_encoding(&mut self, encoding: Encoding) {
        if self.encoding.bitrate != encoding.bitrate {
            // The library takes every value that `Encoder` lets through.
            let _same_as_before = self.encoder.set_bitrate(encoding.bitrate);
        }
        self.encoding = Encoding { frames: encoding.frames.clamp(1, MOST_FRAMES), ..encoding };
        if self.filled == 0 {
            self.begin();
        }
    }

    /// Send these digits in place of the voice, from the next packet that begins, behind those that wait. Muted or not.
    pub fn press(&mut self, digits: &Digits) {
        self.keypad.press(digits);
        if self.filled == 0 {
            self.begin();
        }
    }

    /// No digit waits any more.
    pub fn release(&mut self) {
        self.keypad.release();
    }

    fn begin(&mut self) {
        self.filled = 0;
        // While digits go, each packet is one frame: theirs are told from each other by their numbers.
        let frames = if self.keypad.is_idle() { self.encoding.frames } else { 1 };
        self.length = FRAME * usize::from(frames);
    }

    /// The microphone was closed: forget the unfinished frame and what waits; the next packet begins a new stretch of sound.
    pub fn pause(&mut self) {
        self.release();
        self.begin();
        self.first = true;
        // Resetting has no way to fail.
        let _reset = self.encoder.reset();
    }

    /// So many frames were never said: the time goes on by them, the packets do not (RFC 3550 §5.1).
    pub fn skip(&mut self, frames: u32) {
        self.timestamp = self.timestamp.wrapping_add(frames.wrapping_mul(960));
    }

    /// Samples until the next packet.
    pub fn missing(&self) -> usize {
        self.length - self.filled
    }

    /// Take in samples (mono, 48 kHz); `send` is called for each frame that is full, at once.
    pub fn feed(&mut self, mut samples: &[f32], mut send: impl FnMut(Packet)) {
        while !samples.is_empty() {
            let (now, later) = samples.split_at(samples.len().min(self.missing()));
            let place = &mut self.samples[self.filled..self.filled + now.len()];
            match self.muted {
                true => place.fill(0.0),
                false => place.copy_from_slice(now),
            }
            self.filled += now.len();
            samples = later;
            if self.filled == self.length {
                self.finish(&mut send);
                self.begin();
            }
        }
    }

    fn finish(&mut self, send: &mut impl FnMut(Packet)) {
        let frames = u32::try_from(self.length / FRAME).unwrap_or(1);
        // A stretch of sound begins with the voice, and a digit where a packet of one frame does.
        let takes_digits = !self.first && frames == 1;
        let pressed =
            takes_digits.then(|| self.keypad.frame(self.timestamp, &mut self.samples[..FRAME])).flatten();
        // A frame that cannot be encoded (samples that are not numbers) is one lost packet.
        if let Ok(payload) = self.encode() {
            let (sequence, timestamp) = (self.sequence, self.timestamp);
            let event = pressed.and_then(|pressed| pressed.event);
            send(Packet { sequence, timestamp, first: self.first, payload, copies: Vec::new(), event });
            self.first = false;
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(960 * frames);
    }

    /// The samples of a packet. Who has not made a sound for a while, muted or without a microphone, says nothing, and that without
    /// the codec; it begins anew afterwards, as the listener's does.
    fn encode(&mut self) -> Result<Vec<u8>, CodecError> {
        let samples = &self.samples[..self.length];
        let rested = self.silent > SILENT_AFTER;
        match samples.iter().all(|sample| *sample == 0.0) {
            true => self.silent = self.silent.saturating_add(self.length / FRAME),
            false => self.silent = 0,
        }
        if self.silent > SILENT_AFTER {
            return Ok(codec::silence(self.length / FRAME));
        }
        if rested {
            self.encoder.reset()?;
        }
        let length = self.encoder.encode(samples, &mut self.packet)?;
        Ok(self.packet[..length].to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::codec::Decoder;
    use crate::media::said::{feed, peak, tone};

    /// Decode packets of one frame, one after the other.
    fn decoded(packets: &[Packet]) -> Vec<f32> {
        let mut decoder = Decoder::new().unwrap();
        let mut frame = [0.0; FRAME];
        let mut all = Vec::new();
        for packet in packets {
            decoder.decode(&packet.payload, &mut frame);
            all.extend(frame);
        }
        all
    }

    #[test]
    fn packets_become_longer_and_shorter_between_two_of_them_and_time_goes_on() {
        let mut capture = Capture::new(32_000, 0).unwrap();
        assert!(feed(&mut capture, &tone(0, 480)).is_empty());
        capture.set_encoding(Encoding { bitrate: 12_000, frames: 3 });
        assert_eq!(feed(&mut capture, &tone(480, 480)).len(), 1, "what began goes as it began");
        assert_eq!(capture.missing(), 3 * FRAME);
        let long = feed(&mut capture, &tone(960, 6 * FRAME));
        capture.set_encoding(Encoding { bitrate: 6_000, frames: 99 });
        let longest = feed(&mut capture, &tone(0, 6 * FRAME));
        capture.set_encoding(Encoding { bitrate: 32_000, frames: 1 });
        let short = feed(&mut capture, &tone(0, FRAME));
        let all: Vec<Packet> = [long, longest, short].concat();
        let numbers: Vec<(u16, u32)> =
            all.iter().map(|packet| (packet.sequence, packet.timestamp / 960)).collect();
        assert_eq!(numbers, [(1, 1), (2, 4), (3, 7), (4, 13)]);
        let samples = |n: usize| opus::packet::get_nb_samples(&all[n].payload, 48_000).unwrap();
        assert_eq!([0, 2, 3].map(samples), [3 * FRAME, 6 * FRAME, FRAME]);
        assert!(all[2].payload.len() < 150, "6 kbit/s of 120 ms: {}", all[2].payload.len());
    }

    #[test]
    fn blocks_of_any_size_become_the_same_numbered_packets() {
        let sound = tone(0, 48_000);
        // Both numbers are about to wrap.
        let fresh = || Capture { sequence: 65_530, ..Capture::new(32_000, u32::MAX - 5_000).unwrap() };
        let whole = feed(&mut fresh(), &sound);
        for size in [1, 24, 441, 512, 960, 1_024, 5_000] {
            let mut capture = fresh();
            let pieces: Vec<Packet> =
                sound.chunks(size).flat_map(|block| feed(&mut capture, block)).collect();
            assert_eq!(pieces, whole, "blocks of {size}");
        }
        assert_eq!(whole.len(), 50);
        for (n, packet) in (0_u16..).zip(&whole) {
            assert_eq!(packet.sequence, 65_530_u16.wrapping_add(n));
            assert_eq!(packet.timestamp, (u32::MAX - 5_000).wrapping_add(960 * u32::from(n)));
            assert_eq!(packet.first, n == 0, "only the first is marked");
        }
    }

    #[test]
    fn muted_packets_go_on_and_hold_nothing_not_even_what_was_said_just_before() {
        let mut capture = Capture::new(32_000, 0).unwrap();
        let loud = feed(&mut capture, &tone(0, 48_000));
        assert!(peak(&decoded(&loud)) > 0.2);
        // 10 ms of the next frame are already in when the switch is pressed.
        assert!(feed(&mut capture, &tone(0, 480)).is_empty());
        capture.set_muted(true);
        let mut packets = feed(&mut capture, &tone(480, 48_000));
        assert_eq!(packets.len(), 50, "the stream flows");
        // Heard from the third frame on; the first two hold the codec's own fading.
        let heard = decoded(&packets);
        assert!(peak(&heard[2 * FRAME..]) < 3e-4, "below -70 dBFS: {}", peak(&heard[2 * FRAME..]));
        capture.set_muted(false);
        packets = feed(&mut capture, &tone(0, 48_000));
        assert!(peak(&decoded(&packets)) > 0.2, "and back");
    }

    #[test]
    fn after_a_pause_nothing_old_is_sent_and_numbers_go_on() {
        let mut capture = Capture::new(32_000, 0).unwrap();
        feed(&mut capture, &tone(0, 960 + 700));
        capture.pause();
        let sent = feed(&mut capture, &[0.0; 960 * 3]);
        assert_eq!(
            sent.iter().map(|p| (p.sequence, p.first)).collect::<Vec<_>>(),
            [(1, true), (2, false), (3, false)]
        );
        assert!(peak(&decoded(&sent)) < 1e-3, "the unfinished frame is forgotten");
    }
}
