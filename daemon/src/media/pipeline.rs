//! One call's sound, frame by frame, without any device or socket.
//!
//! Lives here: blocks of any size to packets (`Capture`, one a call), packets to blocks of any size (`Playback`, one a leg).
//! Must not: do I/O, read a clock, or know which path a packet takes.
//!
//! How the media task uses it. One `Capture` a call: its packets go out over every path that is open, each with the timestamp
//! given here *unchanged*, so that the other side's buffer sees one stream across all epochs; sequence numbers are counted
//! by each path for itself, as far apart as here. One `Playback` a leg, which outlives its paths: packets of every epoch go
//! into the same one.
//!
//! ```text
//! every few milliseconds, and after each received packet:
//!     n = handle.read(&mut block);  capture.feed(&block[..n], |packet| send(packet))
//!     while let n @ 1.. = handle.wanted().min(block.len()) { playback.play(now, &mut block[..n]); handle.write(&block[..n]) }
//! on RTP:  playback.receive(now, path, &packet)
//! ```

use std::time::Duration;

use ahoy_call::Moment;

use super::codec::{CodecError, Decoder, Encoder, FRAME, PACKET_MAX};
use super::playout::{Frame, Heard, Numbers, Playout, Statistics};
use super::stretch::{LONGEST, Stretch, stretch};
use super::transport::Packet;

/// While nothing plays, silence is handed out in pieces of 2.5 ms, so that a voice can begin that soon.
const SILENT_PIECE: usize = 120;

/// Microphone to packets.
#[derive(Debug)]
pub struct Capture {
    encoder: Encoder,
    frame: [f32; FRAME],
    filled: usize,
    packet: [u8; PACKET_MAX],
    muted: bool,
    first: bool,
    sequence: u16,
    timestamp: u32,
}

impl Capture {
    /// At this bit rate (bit/s), from this timestamp, which should be random (RFC 3550 §5.1).
    pub fn new(bitrate: u32, timestamp: u32) -> Result<Self, CodecError> {
        Ok(Self {
            encoder: Encoder::new(bitrate)?,
            frame: [0.0; FRAME],
            filled: 0,
            packet: [0; PACKET_MAX],
            muted: false,
            first: true,
            sequence: 0,
            timestamp,
        })
    }

    /// Send encoded silence instead of sound, from the very next sample; what waits in the unfinished frame is silenced too.
    pub fn set_muted(&mut self, muted: bool) {
        self.muted = muted;
        if muted {
            self.frame.fill(0.0);
        }
    }

    /// Per cent of our packets that the other side is expected to miss.
    pub fn set_loss(&mut self, percent: u8) {
        // The library takes every value that `Encoder` lets through.
        let _same_as_before = self.encoder.set_loss(percent);
    }

    /// The microphone was closed: forget the unfinished frame; the next packet begins a new stretch of sound.
    pub fn pause(&mut self) {
        self.filled = 0;
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
        FRAME - self.filled
    }

    /// Take in samples (mono, 48 kHz); `send` is called for each frame that is full, at once.
    pub fn feed(&mut self, mut samples: &[f32], mut send: impl FnMut(Packet)) {
        while !samples.is_empty() {
            let (now, later) = samples.split_at(samples.len().min(FRAME - self.filled));
            let place = &mut self.frame[self.filled..self.filled + now.len()];
            match self.muted {
                true => place.fill(0.0),
                false => place.copy_from_slice(now),
            }
            self.filled += now.len();
            samples = later;
            if self.filled == FRAME {
                self.filled = 0;
                self.finish(&mut send);
            }
        }
    }

    fn finish(&mut self, send: &mut impl FnMut(Packet)) {
        // A frame that cannot be encoded (samples that are not numbers) is one lost packet.
        if let Ok(length) = self.encoder.encode(&self.frame, &mut self.packet) {
            let (sequence, timestamp) = (self.sequence, self.timestamp);
            let payload = self.packet[..length].to_vec();
            send(Packet { sequence, timestamp, first: self.first, payload, copies: Vec::new() });
            self.first = false;
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(960);
    }
}

/// Packets of one leg to samples.
#[derive(Debug)]
pub struct Playback {
    playout: Playout,
    decoder: Decoder,
    frame: [f32; FRAME],
    ready: [f32; LONGEST],
    from: usize,
    until: usize,
}

impl Playback {
    /// Nothing heard yet.
    pub fn new() -> Result<Self, CodecError> {
        Ok(Self {
            playout: Playout::new(),
            decoder: Decoder::new()?,
            frame: [0.0; FRAME],
            ready: [0.0; LONGEST],
            from: 0,
            until: 0,
        })
    }

    /// A packet came, over the path of that number. Doubled, late and hostile ones are counted and do nothing.
    pub fn receive(&mut self, now: Moment, path: u16, packet: &Packet) {
        let Packet { sequence, timestamp, first, ref payload, copies: _ } = *packet;
        self.playout.push(now, Numbers { path, sequence, timestamp, first }, payload);
    }

    /// What waits to be played is nobody's any more. What comes later begins anew; the statistics go on.
    pub fn forget(&mut self) {
        self.playout.forget();
        (self.from, self.until) = (0, 0);
        match Decoder::new() {
            Ok(fresh) => self.decoder = fresh,
            Err(error) => tracing::debug!(%error, "a decoder is used on"),
        }
    }

    /// Fill `out` (mono, 48 kHz), which will be heard right after what the last call filled.
    /// `now` is when `out` was asked for.
    pub fn play(&mut self, now: Moment, mut out: &mut [f32]) {
        while !out.is_empty() {
            if self.from == self.until {
                self.next(now);
            }
            let count = out.len().min(self.until - self.from);
            let (place, rest) = out.split_at_mut(count);
            place.copy_from_slice(&self.ready[self.from..self.from + count]);
            self.from += count;
            out = rest;
        }
    }

    /// Ask for packets again that are missing and can still come in time, or stop it. Off at first.
    pub fn asking(&mut self, _on: bool) {}

    /// What is to be asked for again now: paths, and sequence numbers on them (RFC 4585 §6.2.1).
    /// To be called after packets came, and every 5 to 20 ms.
    pub fn ask(&mut self, _now: Moment, _round_trip: Duration) -> Vec<(u16, u16)> {
        Vec::new()
    }

    /// Packets may need so long to be mended: play so long after the fastest ones' schedule, or as long as jitter asks for.
    pub fn need(&mut self, _floor: Duration) {}

    /// How packets came by themselves lately; repeats and copies hide no gap.
    pub fn heard(&self, _now: Moment) -> Heard {
        Heard::default()
    }

    /// What the buffer went through so far.
    pub fn statistics(&self) -> Statistics {
        self.playout.statistics()
    }

    fn next(&mut self, now: Moment) {
        let mut way = Stretch::Keep;
        match self.playout.pull(now) {
            Frame::Silence => {
                self.ready[..SILENT_PIECE].fill(0.0);
                (self.from, self.until) = (0, SILENT_PIECE);
                return;
            }
            Frame::Decode { payload, stretch } => {
                self.decoder.decode(payload, &mut self.frame);
                way = stretch;
            }
            Frame::Fec { following } => self.decoder.decode_fec(following, &mut self.frame),
            Frame::Conceal => self.decoder.conceal(&mut self.frame),
        }
        (self.from, self.until) = (0, stretch(&self.frame, way, self.playout.urgent(), &mut self.ready));
        self.playout.changed(self.until.cast_signed() - FRAME.cast_signed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_micros(1_000_000 + ms * 1_000)
    }

    fn tone(from: usize, samples: usize) -> Vec<f32> {
        (from..from + samples)
            .map(|i| 0.3 * (i as f32 / 48_000.0 * 300.0 * std::f32::consts::TAU).sin())
            .collect()
    }

    /// Harmonics of 140 Hz with moving loudness: the codec mends a steady tone badly, it takes it for noise.
    fn voice(from: usize, samples: usize) -> Vec<f32> {
        let loudness = |t: f32| 0.6 + 0.4 * (t * 19.0).sin();
        let sound = |t: f32| (1..9_u8).map(|h| (t * 880.0 * f32::from(h)).sin() / f32::from(h)).sum::<f32>();
        (from..from + samples).map(|i| i as f32 / 48_000.0).map(|t| 0.2 * loudness(t) * sound(t)).collect()
    }

    fn peak(sound: &[f32]) -> f32 {
        sound.iter().fold(0.0, |most, s| s.abs().max(most))
    }

    fn feed(capture: &mut Capture, samples: &[f32]) -> Vec<Packet> {
        let mut sent = Vec::new();
        capture.feed(samples, |packet| sent.push(packet));
        sent
    }

    /// Decode packets one after the other.
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

    #[test]
    fn what_one_side_says_the_other_plays_in_blocks_of_any_size() {
        let mut capture = Capture::new(32_000, 9).unwrap();
        let mut playback = Playback::new().unwrap();
        let (mut heard, mut block) = (Vec::new(), [0.0; 512]);
        let mut played = 0;
        for ms in (0..3_000_u64).step_by(10) {
            let n = usize::try_from(ms).unwrap() * 48;
            for packet in feed(&mut capture, &tone(n, 480)) {
                playback.receive(at(ms), 0, &packet);
            }
            while played + block.len() <= n {
                playback.play(at(ms), &mut block);
                heard.extend(block);
                played += block.len();
            }
        }
        let first = heard.iter().position(|s| s.abs() > 0.05).unwrap();
        assert!(first < 48 * 75, "heard after {} ms", first / 48);
        let rest = &heard[first + 4_800..];
        let loudness = (rest.iter().map(|s| s * s).sum::<f32>() / rest.len() as f32).sqrt();
        assert!((0.17..0.26).contains(&loudness), "a tone of 0.212: {loudness}");
        let rough = rest.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
        assert!(rough < 0.03, "no click: {rough}");
        let told = playback.statistics();
        assert_eq!((told.lost, told.concealed, told.late, told.skipped), (0, 0, 0, 0), "{told:?}");
    }

    #[test]
    fn lost_packets_are_concealed_and_a_stream_that_ends_becomes_silent() {
        let mut capture = Capture::new(32_000, 0).unwrap();
        let mut playback = Playback::new().unwrap();
        let mut block = [0.0; FRAME];
        let mut quietest = f32::MAX;
        for n in 0..100_u64 {
            let from = usize::try_from(n).unwrap() * FRAME;
            for packet in feed(&mut capture, &voice(from, FRAME)) {
                if n % 9 != 8 {
                    playback.receive(at(n * 20), 0, &packet);
                }
            }
            playback.play(at(n * 20 + 1), &mut block);
            if n > 10 {
                quietest = quietest.min(peak(&block));
            }
        }
        assert!(quietest > 0.04, "no hole is heard: {quietest}");
        for n in 100..140_u64 {
            playback.play(at(n * 20 + 1), &mut block);
        }
        assert_eq!(peak(&block), 0.0);
        assert!(playback.statistics().lost >= 10);
    }
}
