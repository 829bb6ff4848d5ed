//! How much of a voice a line carries: the codec's rate and how much time one packet holds.
//!
//! Lives here: the choice, pure, made by who sends from what who listens says.
//! Must not: encode, send, or choose what is protected (`redundancy/` does; here is decided whether there is room for it).

#[cfg(test)]
mod tests;

use std::time::Duration;

use ahoy_call::Moment;

use super::feedback::Feedback;
use super::redundancy::Protection;

/// What every packet costs beside its payload, in bytes: IPv4, UDP, RTP and the tag of SRTP (AES-GCM).
const RTP_HEADER: u32 = 12;
const OVERHEAD: u32 = 20 + 8 + RTP_HEADER + 16;
/// The codec's frames in a second.
const FRAMES: u32 = 50;
/// All that there is, best first. What is worse than another that takes less of the line is never chosen.
const RUNGS: [Encoding; 18] = [
    Encoding::new(64_000, 1),
    Encoding::new(48_000, 1),
    Encoding::new(32_000, 1),
    Encoding::new(24_000, 1),
    Encoding::new(32_000, 2),
    Encoding::new(20_000, 1),
    Encoding::new(28_000, 2),
    Encoding::new(16_000, 1),
    Encoding::new(24_000, 2),
    Encoding::new(12_000, 1),
    Encoding::new(20_000, 2),
    Encoding::new(6_000, 1),
    Encoding::new(16_000, 2),
    Encoding::new(16_000, 3),
    Encoding::new(12_000, 3),
    Encoding::new(9_000, 3),
    Encoding::new(6_000, 3),
    Encoding::new(6_000, 6),
];
/// From two copies on the codec needs no more: what it would say above 8 kHz is worth less than the copies.
const COPIED: u32 = 24_000;

/// A queue on the way that is so long is a line that is full. A shorter one is, if it grows, or costs packets, or came of trying.
const FULL: Duration = Duration::from_millis(60);
const FILLING: Duration = Duration::from_millis(35);
const LOSES: f32 = 0.05;
/// A queue that short is none.
const EMPTY: Duration = Duration::from_millis(25);
/// Packets that come sooner by that much came over a line that has become wider.
const WIDER: Duration = Duration::from_millis(7);
/// Unless it is because of a step of ours: the seconds that are compared lie before and after it.
const SOONER_AFTER: Duration = Duration::from_millis(1_500);
/// Of what came through a full line so much is sent: its queue must empty.
const OF_WHAT_CAME: f64 = 0.85;
/// A queue that changes less than this in that time, while hardly anything is lost, is none: a full line's grows, or empties.
const STEADY: Duration = Duration::from_millis(8);
const STEADY_FOR: Duration = Duration::from_millis(1_500);
const STEADY_LOSES: f32 = 0.02;
/// So long a step must show what it does, beside the round trip.
const SETTLE: Duration = Duration::from_millis(600);
/// A line is calm for so long before more is tried: at first, and at most, when trying failed: each try makes a queue, and a line
/// that becomes wider shows it.
const CALM: Duration = Duration::from_secs(2);
const CALM_AT_MOST: Duration = Duration::from_secs(20);
/// A line that is full so soon after more was tried is full because of it.
const TRIED: Duration = Duration::from_secs(8);
/// At most so much more is tried at once, in per cent.
const TRY: u32 = 132;
/// So long there are no copies after they filled a line: at first, and at most.
const NO_COPIES: Duration = Duration::from_secs(10);
const NO_COPIES_AT_MOST: Duration = Duration::from_secs(60);
/// The least round trip is that of so long.
const LEAST_OF: Duration = Duration::from_secs(30);

/// How a voice is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// Of the codec, bit/s.
    pub bitrate: u32,
    /// Frames of 20 ms in one packet, 1 to 6.
    pub frames: u8,
}

impl Encoding {
    const fn new(bitrate: u32, frames: u8) -> Self {
        Self { bitrate, frames }
    }

    /// What is left for the codec beside these copies.
    pub(super) fn beside(self, copies: u8) -> Self {
        match copies {
            0 | 1 => self,
            _ => Self { bitrate: self.bitrate.min(COPIED), ..self },
        }
    }

    /// The same for who takes packets of so many frames at most: the best that takes no more of a line, else what takes least.
    pub(super) fn within(self, longest: u8) -> Self {
        if self.frames <= longest {
            return self;
        }
        let rungs =
            || RUNGS.iter().filter(|rung| rung.frames <= longest.max(1) && rung.bitrate <= self.bitrate);
        let best = rungs().filter(|rung| rung.on_line() <= self.on_line()).max_by_key(|rung| rung.bitrate);
        best.or_else(|| rungs().min_by_key(|rung| rung.on_line())).copied().unwrap_or(self)
    }

    /// What it takes of a line, bit/s at IP.
    pub(super) fn on_line(self) -> u32 {
        self.bitrate + OVERHEAD * 8 * FRAMES / u32::from(self.frames)
    }
}

/// The rate towards one device.
#[derive(Clone, Debug)]
pub(super) struct Rate {
    /// What may be chosen, best first.
    rungs: Vec<Encoding>,
    at: usize,
    changed: Moment,
    /// Since when the line is calm.
    calm: Option<Moment>,
    /// When more was tried last.
    tried: Option<Moment>,
    wait: Duration,
    /// When it was last seen to be full.
    full: Option<Moment>,
    copies_from: Moment,
    no_copies: Duration,
    /// The least round trip of late, and when it was seen.
    least: Option<(Duration, Moment)>,
    /// Whether the last report's round trip was long.
    slow: bool,
    /// The queue as it was told last.
    queue: Duration,
    /// What of a queue is none: it stays as it is, whatever is sent, and nothing is lost. What it was, and since when.
    offset: Duration,
    steady: (Duration, Moment),
}

impl Rate {
    /// At most `bitrate` (bit/s) in packets of at most `longest` frames.
    pub(super) fn new(bitrate: u32, longest: u8) -> Self {
        Self {
            rungs: rungs(bitrate, longest),
            at: 0,
            changed: Moment::default(),
            calm: None,
            tried: None,
            wait: CALM,
            full: None,
            copies_from: Moment::default(),
            no_copies: NO_COPIES,
            least: None,
            slow: false,
            queue: Duration::ZERO,
            offset: Duration::ZERO,
            steady: (Duration::ZERO, Moment::default()),
        }
    }

    /// The other side takes packets of so many frames.
    pub(super) fn takes(&mut self, longest: u8) {
        let (now, best) = (self.encoding(), self.rungs[0].bitrate);
        self.rungs = rungs(best, longest);
        self.at = self
            .rungs
            .iter()
            .position(|rung| rung.on_line() <= now.on_line())
            .unwrap_or(self.rungs.len() - 1);
    }

    /// How the voice is coded towards this device.
    pub(super) fn encoding(&self) -> Encoding {
        self.rungs[self.at]
    }

    /// What of this protection there is room for.
    pub(super) fn room_for(&self, now: Moment, wanted: Protection) -> Protection {
        match self.at > 0 || now < self.copies_from {
            true => Protection::default(),
            false => wanted,
        }
    }

    /// Whether a packet may be sent again.
    pub(super) fn has_room_for_repeats(&self, now: Moment) -> bool {
        self.full.is_none_or(|full| now.since(full) > Duration::from_secs(1))
    }

    /// The other side says how our voice comes. `sent`: bytes and packets of the last second, as it counts them. `copies`: whether any
    /// went with them.
    pub(super) fn heard(
        &mut self,
        now: Moment,
        feedback: &Feedback,
        round_trip: Duration,
        sent: (u32, u32),
        copies: bool,
    ) {
        let on_line = |(bytes, packets): (u32, u32)| bytes + packets * (OVERHEAD - RTP_HEADER);
        let came = on_line((feedback.bytes.into(), feedback.packets.into()));
        // A silent voice takes less than its rate: what counts is the share that comes through.
        let through = f64::from(came) / f64::from(on_line(sent).max(1));
        // Packets of another length come sooner, too.
        if feedback.sooner >= WIDER && now.since(self.changed) >= SOONER_AFTER && self.at > 0 {
            (self.wait, self.tried) = (Duration::ZERO, None);
        }
        self.look(now, feedback.queue, feedback.recent, round_trip, through, copies);
    }

    /// The other side says nothing any more: its words, or ours, do not come through.
    pub(super) fn unheard(&mut self, now: Moment, round_trip: Duration) {
        self.look(now, Duration::MAX, 1.0, round_trip, 0.0, false);
    }

    /// A side that speaks RTCP alone reports: the round trip that grows is all that tells of a queue.
    pub(super) fn reported(&mut self, now: Moment, lost: f32, round_trip: Duration) {
        let (least, seen) = *self.least.get_or_insert((round_trip, now));
        if round_trip <= least || now.since(seen) > LEAST_OF {
            self.least = Some((round_trip, now));
        }
        let queue = round_trip.saturating_sub(least);
        // One report may be late by chance, or the other side busy.
        let again = std::mem::replace(&mut self.slow, queue >= FULL);
        let queue = if self.slow && !again { EMPTY } else { queue };
        self.look(now, queue, lost, round_trip, 1.0 - f64::from(lost), false);
    }

    fn look(
        &mut self,
        now: Moment,
        queue: Duration,
        lost: f32,
        round_trip: Duration,
        through: f64,
        copies: bool,
    ) {
        let settled = now.since(self.changed) >= SETTLE + round_trip.min(Duration::from_secs(1));
        // What was tried in vain is taken back at once.
        let in_vain = self.tried == Some(self.changed);
        // Once is by chance, on a way that is slow now and then.
        let queue = queue.saturating_sub(self.offset(now, queue, lost));
        let grows = self.queue >= FILLING && queue >= self.queue;
        self.queue = queue;
        if queue >= FULL || queue >= FILLING && (grows || lost >= LOSES || in_vain) {
            self.calm = None;
            self.full = Some(now);
            if copies && now >= self.copies_from {
                self.copies_from = now + self.no_copies;
                self.no_copies = (self.no_copies * 2).min(NO_COPIES_AT_MOST);
                // They go first; what remains must show itself.
                self.changed = now;
            } else if settled || in_vain {
                self.down(now, through);
            }
        } else if queue < EMPTY {
            let calm = now.since(*self.calm.get_or_insert(now));
            if calm >= self.wait && settled && self.at > 0 {
                self.up(now);
            } else if calm >= TRIED && self.at == 0 {
                (self.wait, self.tried) = (CALM, None);
                if copies {
                    self.no_copies = NO_COPIES;
                }
            }
        } else {
            // Neither full nor empty: it is waited.
            self.calm = None;
        }
    }

    /// What of this queue is none: a busy machine, or a sender whose clock stands still now and then.
    fn offset(&mut self, now: Moment, queue: Duration, lost: f32) -> Duration {
        let (of, since) = self.steady;
        if lost >= STEADY_LOSES || queue.abs_diff(of) > STEADY {
            self.steady = (queue, now);
        } else if now.since(since) >= STEADY_FOR {
            self.offset = self.offset.max(queue.min(of));
        }
        self.offset = self.offset.min(queue);
        self.offset
    }

    fn down(&mut self, now: Moment, through: f64) {
        if self.tried.take().is_some_and(|tried| now.since(tried) < TRIED) {
            self.wait = (self.wait * 4).clamp(CALM, CALM_AT_MOST);
        }
        let goal = f64::from(self.encoding().on_line()) * through.clamp(0.0, 1.0) * OF_WHAT_CAME;
        let fits = self.rungs.iter().position(|rung| f64::from(rung.on_line()) <= goal);
        let last = self.rungs.len() - 1;
        // What came says little at first: not more than half the way at once.
        let most =
            (0..=last).find(|n| self.rungs[*n].on_line() <= self.encoding().on_line() / 2).unwrap_or(last);
        self.at = fits.unwrap_or(last).min(most).max(self.at + 1).min(last);
        self.changed = now;
    }

    fn up(&mut self, now: Moment) {
        let most = self.encoding().on_line() / 100 * TRY;
        let fits = self.rungs.iter().position(|rung| rung.on_line() <= most).unwrap_or(self.at);
        self.at = fits.min(self.at - 1);
        (self.changed, self.tried) = (now, Some(now));
    }
}

/// What may be chosen below this rate, best first: no rung that another one beats which takes less of the line.
fn rungs(bitrate: u32, longest: u8) -> Vec<Encoding> {
    let best = Encoding::new(bitrate, 1);
    let allowed = |rung: &&Encoding| rung.bitrate <= bitrate && rung.frames <= longest.max(1);
    let all: Vec<Encoding> = std::iter::once(&best).chain(RUNGS.iter().filter(allowed)).copied().collect();
    let beaten = |rung: &Encoding| {
        all.iter()
            .any(|other| other.on_line() < rung.on_line() && other.bitrate >= rung.bitrate && *rung != best)
    };
    let mut kept: Vec<Encoding> = all.iter().filter(|rung| !beaten(rung)).copied().collect();
    kept.sort_by_key(|rung| std::cmp::Reverse(rung.on_line()));
    kept.dedup();
    kept
}
