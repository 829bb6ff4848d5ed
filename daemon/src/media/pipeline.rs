//! One call's sound, frame by frame, without any device or socket.
//!
//! Lives here: packets to blocks of any size (`Playback`, one a leg); the other way is in `capture.rs`.
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

#[cfg(test)]
mod tests;

use std::time::Duration;

use ahoy_call::Moment;

use super::codec::{self, CodecError, Decoder, FRAME};
use super::dtmf::{Event, Hearing, SILENCE};
use super::hush::Hush;
use super::playout::{Frame, Heard, Numbers, Playout, Statistics};
use super::stretch::{Kind, LONGEST, Stretch, stretch};
use super::transport::Packet;
use super::unpack::Unpack;

/// While nothing plays, silence is handed out in pieces of 2.5 ms, so that a voice can begin that soon.
const SILENT_PIECE: usize = 120;
/// After so many frames in which nothing was said the codec's sound has died away.
const DIED_AWAY: u32 = 3;
/// A packet with more copies than this is made by nobody of ours.
const COPIES_MAX: usize = 8;

/// Packets of one leg to samples.
#[derive(Debug)]
pub struct Playback {
    playout: Playout,
    decoder: Decoder,
    unpack: Unpack,
    hush: Hush,
    hearing: Hearing,
    /// Frames until now in which nothing was said.
    silent: u32,
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
            unpack: Unpack::default(),
            hush: Hush::new(),
            hearing: Hearing::default(),
            silent: 0,
            frame: [0.0; FRAME],
            ready: [0.0; LONGEST],
            from: 0,
            until: 0,
        })
    }

    /// A packet came, over the path of that number. Doubled, late and hostile ones are counted and do nothing.
    pub fn receive(&mut self, now: Moment, path: u16, packet: &Packet) {
        let Packet { sequence, timestamp, first, ref payload, ref copies, event } = *packet;
        if let Some(event) = event {
            return self.event(now, path, sequence, event);
        }
        let frames = |payload: &[u8]| codec::frames(payload).unwrap_or(0);
        let numbers = Numbers { path, sequence, timestamp, first, frames: frames(payload) };
        let Some(number) = self.playout.push(now, numbers, payload) else { return };
        self.hearing.passed(path, sequence, timestamp, numbers.frames);
        // What was said before a pause is not said again after it.
        for copy in copies.iter().take(COPIES_MAX).filter(|_| !first) {
            self.playout.copy(number, copy.distance, frames(&copy.payload), &copy.payload);
        }
    }

    /// A packet of a digit came: a frame of silence, and a tone beside it.
    fn event(&mut self, now: Moment, path: u16, sequence: u16, event: Event) {
        let Some(timestamp) = self.hearing.place(path, sequence, event) else { return };
        let numbers = Numbers { path, sequence, timestamp, first: false, frames: 1 };
        let Some(number) = self.playout.push(now, numbers, &SILENCE) else { return };
        self.hearing.passed(path, sequence, timestamp, 1);
        for distance in 1..=self.hearing.came(number, timestamp, event) {
            self.playout.copy(number, distance, 1, &SILENCE);
        }
    }

    /// What waits to be played is nobody's any more. What comes later begins anew; the statistics go on.
    pub fn forget(&mut self) {
        self.playout.forget();
        self.unpack.forget();
        self.hearing.forget();
        (self.from, self.until, self.silent) = (0, 0, 0);
        match Decoder::new() {
            Ok(fresh) => self.decoder = fresh,
            Err(error) => tracing::debug!(%error, "a decoder is used on"),
        }
    }

    /// Fill `out` (mono, 48 kHz), which will be heard right after what the last call filled.
    /// `now` is when `out` was asked for.
    pub fn play(&mut self, now: Moment, mut out: &mut [f32]) {
        self.playout.asked(out.len());
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
    pub fn asking(&mut self, on: bool) {
        self.playout.asking(on);
    }

    /// What is to be asked for again now: paths, and sequence numbers on them (RFC 4585 §6.2.1).
    /// To be called after packets came, and every 5 to 10 ms.
    pub fn ask(&mut self, now: Moment, round_trip: Duration) -> Vec<(u16, u16)> {
        self.playout.ask(now, round_trip)
    }

    /// Mending needs so long: play so long after the fastest packets' schedule, and as much later as the jitter is. What was
    /// asked for at most in the last 5 s counts; nothing from the beginning.
    pub fn need(&mut self, floor: Duration) {
        self.playout.need(floor);
    }

    /// How packets came by themselves lately; repeats and copies hide no gap.
    pub fn heard(&self, now: Moment) -> Heard {
        self.playout.heard(now)
    }

    /// What the buffer went through so far.
    pub fn statistics(&self) -> Statistics {
        self.playout.statistics()
    }

    fn next(&mut self, now: Moment) {
        let (mut way, mut pause, mut soft, mut rests) = (Stretch::Keep, false, false, false);
        match self.playout.pull(now) {
            Frame::Silence => {
                self.ready[..SILENT_PIECE].fill(0.0);
                (self.from, self.until) = (0, SILENT_PIECE);
                return;
            }
            Frame::Decode { payload, head, part, frames, stretch } => {
                self.silent = if codec::is_silence(payload) { self.silent.saturating_add(1) } else { 0 };
                rests = self.silent > DIED_AWAY;
                match rests {
                    // As the decoder would say, which has nothing to remember of it.
                    true => self.frame.fill(0.0),
                    false => {
                        self.unpack.frame(&mut self.decoder, payload, (head, part, frames), &mut self.frame);
                    }
                }
                // A tone is played as long as it is.
                if frames > 1 || !self.hearing.plays(head, &mut self.frame) {
                    way = stretch;
                    (pause, soft) = self.hush.hears(&self.frame);
                } else {
                    rests = false;
                }
            }
            Frame::Fec { following, head, missing } => {
                let of = (head, missing);
                if !self.unpack.before(&mut self.decoder, following, of, &mut self.frame) {
                    self.playout.guessed();
                }
                self.hearing.misses(&mut self.frame);
            }
            Frame::Conceal => {
                self.decoder.conceal(&mut self.frame);
                self.hearing.misses(&mut self.frame);
            }
        }
        let kind = Kind { pause, soft, force: self.playout.urgent() };
        (self.from, self.until) = (0, stretch(&self.frame, way, kind, &mut self.ready));
        if pause {
            self.playout.paused();
        }
        if rests {
            self.playout.rests();
        }
        self.playout.changed(self.until.cast_signed() - FRAME.cast_signed());
    }
}
