//! Between the sound devices and the packets of a call.
//!
//! Lives here: the pace. A microphone's samples set it; without a microphone the clock does, so that encoded silence
//! flows all the same.
//! Must not: know a path, wait, or open a device.

#[cfg(test)]
mod tests;

use std::time::Duration;

use ahoy_call::{Digits, Moment};

use super::Sound;
use super::capture::Capture;
use super::codec::FRAME;
use super::device::Clip;
use super::levels::Levels;
use super::limiter::Limiter;
use super::rate::Encoding;
use super::transport::Packet;
use super::voice::Cleaner;
use crate::system::failpoint;
use crate::values::media::Wishes;

/// How long one packet lasts.
const PACKET: Duration = Duration::from_millis(20);
/// A microphone that gave nothing for so long is taken for missing.
const PATIENCE: Duration = Duration::from_millis(100);
/// One that gave nothing for so long is told to the other side: longer than devices take to change.
const GONE: Duration = Duration::from_millis(1_500);
/// More than this at once is not caught up with: after a suspend the past is over.
const CATCH_UP: u64 = 50;

/// The sound of one call.
pub(super) struct Pump {
    sound: Box<dyn Sound>,
    wishes: Wishes,
    cleaner: Cleaner,
    capture: Capture,
    reading: bool,
    /// The devices are left to other calls; encoded silence flows by the clock.
    held: bool,
    /// Until when sound was given to the encoder; from `missing` on by the clock.
    given_until: Moment,
    missing: bool,
    /// Since when it is not read, if it was before.
    paused_at: Option<Moment>,
    /// When the microphone gave something last, or was opened.
    came_at: Moment,
    /// Samples that were replaced by silence while the microphone stalled, and must not be sent twice.
    replaced: usize,
    muted: bool,
    /// Nothing of the others is played.
    deafened: bool,
    limiter: Limiter,
    /// A tone beside the voices, and how much of it was played.
    tone: Option<(Clip, usize)>,
    levels: Levels,
    block: [f32; FRAME],
    mixed: [f32; FRAME],
}

impl Pump {
    /// The microphone is not read yet.
    pub(super) fn new(sound: Box<dyn Sound>, wishes: Wishes, capture: Capture) -> Self {
        Self {
            sound,
            wishes,
            cleaner: Cleaner::default(),
            capture,
            reading: false,
            held: false,
            given_until: Moment::default(),
            missing: false,
            paused_at: None,
            came_at: Moment::default(),
            replaced: 0,
            muted: false,
            deafened: false,
            limiter: Limiter::default(),
            tone: None,
            levels: Levels::default(),
            block: [0.0; FRAME],
            mixed: [0.0; FRAME],
        }
    }

    /// Read the microphone, if it is not being read.
    pub(super) fn open(&mut self, now: Moment) {
        if !self.reading {
            self.reading = true;
            (self.given_until, self.missing, self.replaced) = (now, false, 0);
            self.came_at = now;
            if let Some(at) = self.paused_at.take() {
                // The other side's buffer must not take the pause for a way that has become longer.
                let frames = now.since(at).as_micros() / PACKET.as_micros();
                self.capture.skip(u32::try_from(frames).unwrap_or(0));
            }
            // What was played before the microphone heard anything has no echo in it.
            while self.sound.played(&mut self.mixed) > 0 {}
            self.sound.capture(!self.held);
        }
    }

    /// Read the microphone no more.
    pub(super) fn pause(&mut self, now: Moment) {
        if self.reading {
            self.reading = false;
            self.paused_at = Some(now);
            self.sound.capture(false);
            // What it gave before is nobody's any more.
            while self.sound.read(now, &mut self.block) > 0 {}
            self.cleaner.pause();
            self.capture.pause();
        }
    }

    /// Leave the devices to other calls: nothing is read, nothing is played, encoded silence flows. Or take them up again.
    pub(super) fn hold(&mut self, now: Moment, held: bool) {
        if self.held == held {
            return;
        }
        self.held = held;
        if held {
            self.capture.release();
            self.sound.capture(false);
            while self.sound.read(now, &mut self.block) > 0 {}
            self.cleaner.pause();
            self.sound.rest(true);
        } else {
            self.sound.rest(false);
            while self.sound.played(&mut self.mixed) > 0 {}
            self.sound.capture(self.reading);
        }
        // Silence takes over without a gap, and the microphone takes over from it whenever it comes.
        (self.given_until, self.missing, self.replaced) = (now, true, 0);
        self.came_at = now;
    }

    /// No microphone gives anything, and has not for a while. Known while it is read.
    pub(super) fn voiceless(&self, now: Moment) -> Option<bool> {
        (self.reading && !self.held).then(|| now.since(self.came_at) > GONE)
    }

    /// Send encoded silence, from the very next sample. Tells whether that is another state than before.
    pub(super) fn mute(&mut self, muted: bool) -> bool {
        let changes = muted != self.muted;
        if changes {
            self.muted = muted;
            // While muted the echo's way is followed on; what was said then must not come out of the processor afterwards.
            self.cleaner.forget();
            self.capture.set_muted(muted);
            self.levels.mute(muted);
        }
        changes
    }

    /// Send digits in place of the voice; nothing while the microphone is not read, or the call is held.
    pub(super) fn press(&mut self, digits: &Digits) {
        if self.reading && !self.held {
            self.capture.press(digits);
        }
    }

    /// Make our packets bear that much loss by themselves, in per cent.
    pub(super) fn expect_loss(&mut self, percent: u8) {
        self.capture.set_loss(percent);
    }

    /// How the voice is coded from the next packet on.
    pub(super) fn code(&mut self, encoding: Encoding) {
        self.capture.set_encoding(encoding);
    }

    /// A tone beside the voices, from its beginning; none: the present one stops.
    pub(super) fn sound(&mut self, clip: Option<Clip>) {
        self.tone = clip.map(|clip| (clip, 0));
    }

    /// The meter.
    pub(super) fn levels(&mut self) -> &mut Levels {
        &mut self.levels
    }

    /// By how much less the echo is sent than was played, dB, if that is known.
    pub(super) fn echo_return_loss(&self) -> Option<f64> {
        self.cleaner.echo_return_loss()
    }

    /// What is done to the voice from now on.
    pub(super) fn clean(&mut self, wishes: Wishes) {
        self.wishes = wishes;
    }

    /// Whether the microphone is read.
    pub(super) fn is_reading(&self) -> bool {
        self.reading
    }

    /// Play nothing of the others, from the next sample on, or play them again.
    pub(super) fn deafen(&mut self, deafened: bool) {
        self.deafened = deafened;
    }

    /// How long after now the devices are to be served again.
    pub(super) fn due(&mut self, now: Moment) -> Duration {
        let missing = (self.reading && !self.held).then(|| self.capture.missing());
        self.sound.due(now, missing).min(PACKET)
    }

    /// Microphone to packets. Call it when it is [`Self::due`].
    pub(super) fn capture(&mut self, now: Moment, mut send: impl FnMut(Packet)) {
        failpoint::run_away();
        if !self.reading {
            return;
        }
        self.cleaner.set(self.wishes, self.sound.headset());
        // An echo comes after its sound.
        while let count @ 1.. = self.sound.played(&mut self.mixed).min(FRAME) {
            self.cleaner.played(&self.mixed[..count]);
        }
        let mut came = false;
        while !self.held {
            let count = self.sound.read(now, &mut self.block).min(FRAME);
            if count == 0 {
                break;
            }
            came = true;
            let Self { cleaner, capture, levels, replaced, .. } = self;
            // What is not sent goes through the cleaner all the same: it follows an echo by counting samples.
            cleaner.said(&self.block[..count], |block| {
                let old = (*replaced).min(block.len());
                *replaced -= old;
                levels.input(&block[old..]);
                capture.feed(&block[old..], &mut send);
            });
        }
        if came {
            self.came_at = now;
            (self.given_until, self.missing, self.replaced) = (now, false, 0);
        } else {
            self.stand_in(now, send);
        }
    }

    /// The clock takes the microphone's place. The time in which it was still waited for counts as lost packets, so
    /// that the other side's buffer does not grow by it.
    fn stand_in(&mut self, now: Moment, mut send: impl FnMut(Packet)) {
        let silent = now.since(self.given_until);
        if !self.missing && silent < PATIENCE {
            return;
        }
        let frames = u64::try_from(silent.as_micros() / PACKET.as_micros()).unwrap_or(u64::MAX);
        let mut newest = None;
        for _ in 0..frames.min(CATCH_UP) {
            self.capture.feed(&[0.0; FRAME], |packet| newest = Some(packet));
            if !self.missing {
                self.replaced += FRAME;
            }
        }
        newest.into_iter().for_each(&mut send);
        if frames > 0 {
            self.missing = true;
            self.given_until = match frames > CATCH_UP {
                true => now,
                false => self.given_until + PACKET * u32::try_from(frames).unwrap_or(0),
            };
        }
    }

    /// Voices to the speaker, added up, and no louder than it takes. `voices` adds each of them to what it is given.
    pub(super) fn play(&mut self, now: Moment, mut voices: impl FnMut(&mut Mix<'_>)) {
        if self.held {
            return;
        }
        // A speaker that wants more than this at once would never be satisfied.
        for _ in 0..CATCH_UP {
            let count = self.sound.wanted(now).min(FRAME);
            if count == 0 {
                return;
            }
            self.mixed[..count].fill(0.0);
            voices(&mut Mix { one: &mut self.block[..count], sum: &mut self.mixed[..count] });
            if self.deafened {
                self.mixed[..count].fill(0.0);
            }
            self.add_tone(count);
            self.limiter.limit(&mut self.mixed[..count]);
            self.levels.output(&self.mixed[..count]);
            self.sound.write(&self.mixed[..count]);
        }
    }

    fn add_tone(&mut self, count: usize) {
        let Some((clip, at)) = &mut self.tone else { return };
        for sum in &mut self.mixed[..count] {
            if *at >= clip.samples.len() && clip.repeat {
                *at = 0;
            }
            let Some(sample) = clip.samples.get(*at) else { break };
            *sum += sample;
            *at += 1;
        }
    }
}

/// What is played next, of so many samples.
pub(super) struct Mix<'a> {
    one: &'a mut [f32],
    sum: &'a mut [f32],
}

impl Mix<'_> {
    /// One voice more, as loud as that; `fill` gives its samples.
    pub(super) fn add(&mut self, volume: f32, fill: impl FnOnce(&mut [f32])) {
        fill(self.one);
        for (sum, one) in self.sum.iter_mut().zip(&*self.one) {
            *sum += one * volume;
        }
    }
}
