//! One call's sound, frame by frame, without any device or socket.
//!
//! Lives here: blocks of any size to packets (`Capture`, one a call), packets to blocks of any size (`Playback`, one a leg).
//! Must not: do I/O, read a clock, or know which path a packet takes.
//!
//! How the media task uses it. One `Capture` a call: its packets go out over every path that is open, each with the sequence
//! number and timestamp given here *unchanged*, so that the other side's buffer sees one stream across all epochs.
//! One `Playback` a leg, which outlives its paths: packets of every epoch go into the same one.
//!
//! ```text
//! every 5 ms, and after each received packet:
//!     n = handle.read(&mut block);  capture.feed(&block[..n], |packet| send(packet))
//!     while let n @ 1.. = handle.wanted().min(block.len()) { playback.play(now, &mut block[..n]); handle.write(&block[..n]) }
//! on RTP:  playback.receive(now, sequence, timestamp, payload)
//! ```

use ahoy_call::Moment;

use super::codec::{CodecError, Decoder, Encoder, FRAME, PACKET_MAX};
use super::playout::{Frame, Playout, Statistics};
use super::stretch::{LONGEST, Stretch, stretch};

/// While nothing plays, silence is handed out in pieces of 2.5 ms, so that a voice can begin that soon.
const SILENT_PIECE: usize = 120;

/// One packet, ready for RTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// RTP sequence number; one more than the packet before, wrapping.
    pub sequence: u16,
    /// RTP timestamp, in samples; 960 more than the packet before, wrapping.
    pub timestamp: u32,
    /// The first packet after a pause: the RTP marker bit.
    pub first: bool,
    /// Opus.
    pub payload: &'a [u8],
}

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
    /// At this bit rate (bit/s). `sequence` and `timestamp` should be random (RFC 3550 §5.1).
    pub fn new(bitrate: u32, sequence: u16, timestamp: u32) -> Result<Self, CodecError> {
        Ok(Self {
            encoder: Encoder::new(bitrate)?,
            frame: [0.0; FRAME],
            filled: 0,
            packet: [0; PACKET_MAX],
            muted: false,
            first: true,
            sequence,
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

    /// Per cent of our packets that the other side lately missed.
    pub fn set_loss(&mut self, percent: u8) {
        // The library takes every value that `Encoder` lets through.
        let _same_as_before = self.encoder.set_loss(percent);
    }

    /// The microphone was closed: forget the unfinished frame; the next packet begins a new stretch of sound.
    pub fn pause(&mut self) {
        self.filled = 0;
        self.first = true;
    }

    /// Take in samples (mono, 48 kHz); `send` is called for each frame that is full, at once.
    pub fn feed(&mut self, mut samples: &[f32], mut send: impl FnMut(Packet<'_>)) {
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

    fn finish(&mut self, send: &mut impl FnMut(Packet<'_>)) {
        // A frame that cannot be encoded (samples that are not numbers) is one lost packet.
        if let Ok(length) = self.encoder.encode(&self.frame, &mut self.packet) {
            let (sequence, timestamp) = (self.sequence, self.timestamp);
            send(Packet { sequence, timestamp, first: self.first, payload: &self.packet[..length] });
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

    /// A packet came, over whichever path. Doubled, late and hostile ones are counted and do nothing.
    pub fn receive(&mut self, now: Moment, sequence: u16, timestamp: u32, payload: &[u8]) {
        self.playout.push(now, sequence, timestamp, payload);
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
