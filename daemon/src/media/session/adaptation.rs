//! The line to one device: how its voice comes here and ours there, and what follows for both.
//!
//! Lives here: what the words of both sides mean for rate, copies and asking; the choices are `rate.rs` and `redundancy/`.
//! Must not: send, decode, or know a path.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use ahoy_call::Moment;

use crate::media::feedback::Feedback;
use crate::media::pipeline::Playback;
use crate::media::rate::{Encoding, Rate};
use crate::media::redundancy::{Choice, Loss, Protection, Redundancy, choose};
use crate::media::transport::{Copy, Packet, Reception, Takes};
use crate::values::rows::Stats;

/// Between two looks at how its voice comes.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Between two words of ours, unless they ask for something else than the last one; and on a line that carries little.
const TELL_EVERY: Duration = Duration::from_millis(200);
const TELL_SELDOM: Duration = Duration::from_millis(500);
/// Assumed until it was measured.
const ROUND_TRIP: Duration = Duration::from_millis(60);
/// A round trip above this is a word that went astray.
const LONGEST_TRIP: Duration = Duration::from_secs(10);
/// Nothing is sent again on a longer way: it would come too late.
const REPEATS_WITHIN: Duration = Duration::from_millis(150);
/// Less protection is believed to do after so long; more at once.
const LESS_AFTER: Duration = Duration::from_secs(3);
/// The first loss of all is taken for so much, until more is known.
const AT_LEAST: f32 = 0.02;
/// Frames that play so much sooner than answers need are not late enough yet.
const NEARLY: Duration = Duration::from_millis(5);
/// A queue so long on the way here: the line is full, and what would be repeated would make it worse.
const FULL: Duration = Duration::from_millis(35);
/// A word about our voice counts for so long.
const WORD_LASTS: Duration = Duration::from_secs(3);
/// Words come some times a second. Without any for so long beside their voice, ours or theirs do not come through.
const UNHEARD: Duration = Duration::from_millis(1_500);
/// What came and went is counted over so long: a line that changes must show it.
const COUNTED_FOR: Duration = Duration::from_millis(600);
const SECOND: Duration = Duration::from_secs(1);
/// Packets of the last second that are counted.
const COUNTED: usize = 200;
/// What an RTP packet has beside its payload, and a copy in it.
const RTP_HEADER: usize = 12;
const COPY_HEADER: usize = 4;

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Adaptation {
    rate: Rate,
    takes: Takes,
    /// For a side that takes no copies.
    redundancy: Redundancy,
    reception: Option<Reception>,
    /// Its last word, and when it came.
    word: Option<(Moment, Feedback)>,
    round_trip: Option<Duration>,
    /// When it was looked last how its voice comes.
    looked: Option<Moment>,
    /// When we told it something last, and what it was asked for.
    told: Option<(Moment, Protection)>,
    /// When packets came and how long they were.
    arrived: VecDeque<(Moment, usize)>,
    /// When they began to come, or came again.
    arrives_since: Moment,
    /// What one packet of theirs lasts.
    packet: Duration,
    last_timestamp: Option<(u16, u32)>,
    choice: Choice,
    less_since: Option<Moment>,
    /// When packets of ours went and how long they were.
    went: VecDeque<(Moment, usize)>,
    copies_out: u64,
    asked_out: u64,
}

impl Default for Adaptation {
    fn default() -> Self {
        Self::new(32_000)
    }
}

impl Adaptation {
    /// Our voice at most at this rate, bit/s.
    pub(super) fn new(bitrate: u32) -> Self {
        Self {
            rate: Rate::new(bitrate, 1),
            takes: Takes::default(),
            redundancy: Redundancy::default(),
            reception: None,
            word: None,
            round_trip: None,
            looked: None,
            told: None,
            arrived: VecDeque::new(),
            arrives_since: Moment::default(),
            packet: Duration::from_millis(20),
            last_timestamp: None,
            choice: Choice::default(),
            less_since: None,
            went: VecDeque::new(),
            copies_out: 0,
            asked_out: 0,
        }
    }

    /// The other side's description is in.
    pub(super) fn takes(&mut self, takes: Takes) {
        self.takes = takes;
        self.rate.takes(takes.frames);
    }

    /// A packet of its voice came.
    pub(super) fn came(&mut self, now: Moment, packet: &Packet) {
        if self.arrived.is_empty() || self.is_silent(now) {
            self.arrives_since = now;
        }
        count(&mut self.arrived, now, packet.payload.len(), &packet.copies);
        if packet.event.is_some() {
            // Its timestamp is that of the beginning.
            return;
        }
        if let Some((sequence, timestamp)) = self.last_timestamp
            && packet.sequence == sequence.wrapping_add(1)
            && let frames @ 1..=6 = packet.timestamp.wrapping_sub(timestamp) / 960
        {
            self.packet = Duration::from_millis(20) * frames;
        }
        self.last_timestamp = Some((packet.sequence, packet.timestamp));
    }

    /// It reported, as every side does.
    pub(super) fn reported(&mut self, now: Moment, reception: Reception) {
        self.redundancy.reported(reception.lost);
        self.reception = Some(reception);
        if !self.takes.feedback
            && let Some(round_trip) = reception.round_trip
        {
            self.round_trip = Some(round_trip);
            self.rate.reported(now, f32::from(reception.lost) / 256.0, round_trip);
        }
    }

    /// It told how our voice comes.
    pub(super) fn heard(&mut self, now: Moment, feedback: &Feedback) {
        if let Some((stamp, held)) = feedback.echo {
            let since = Duration::from_millis(self::stamp(now).wrapping_sub(stamp).into());
            self.round_trip = since.checked_sub(held).filter(|trip| *trip < LONGEST_TRIP).or(self.round_trip);
        }
        let copies = self.copies(now).copies > 0;
        let sent = in_a_second(&self.went, now);
        self.rate.heard(now, feedback, self.round_trip(), sent, copies);
        self.word = Some((now, *feedback));
    }

    /// It asked for so many packets again.
    pub(super) fn asked(&mut self, packets: usize) {
        self.asked_out += u64::try_from(packets).unwrap_or(0);
    }

    /// A packet of so many bytes goes with these copies.
    pub(super) fn said(&mut self, now: Moment, bytes: usize, copies: &[Copy]) {
        count(&mut self.went, now, bytes, copies);
        self.copies_out += u64::try_from(copies.len()).unwrap_or(0);
    }

    /// To the other side and back, as far as it is known.
    pub(super) fn round_trip(&self) -> Duration {
        self.round_trip.unwrap_or(ROUND_TRIP)
    }

    /// What goes with our packets now.
    pub(super) fn copies(&self, now: Moment) -> Protection {
        let word = self.word.filter(|(at, _)| now.since(*at) < WORD_LASTS);
        word.map_or(Protection::default(), |(_, word)| self.rate.room_for(now, word.wanted))
    }

    /// Frames of the longest packet that it takes.
    pub(super) fn longest(&self) -> u8 {
        self.takes.frames
    }

    /// How our voice is coded towards it.
    pub(super) fn encoding(&self, now: Moment) -> Encoding {
        self.rate.encoding().beside(self.copies(now).copies)
    }

    /// Whether what it asks for is sent again.
    pub(super) fn repeats(&self, now: Moment) -> bool {
        self.takes.asks && self.round_trip() <= REPEATS_WITHIN && self.rate.has_room_for_repeats(now)
    }

    /// The share of packets that the codec itself must bear, in per cent.
    pub(super) fn percent(&self) -> u8 {
        if self.takes.copies && self.takes.feedback { 0 } else { self.redundancy.percent() }
    }

    /// Whether it is time to look how its voice comes.
    pub(super) fn is_due(&self, now: Moment) -> bool {
        self.looked.is_none_or(|looked| now.since(looked) >= LOOK_EVERY)
    }

    /// Looks how its voice comes, and protects it. Returns what it is to be told, if it is time for that.
    pub(super) fn look(&mut self, now: Moment, voice: &mut Playback, takes: Takes) -> Option<Feedback> {
        self.looked = Some(now);
        if self.takes.feedback && self.is_unheard(now) {
            self.rate.unheard(now, self.round_trip());
        }
        let (heard, numbers) = (voice.heard(now), voice.statistics());
        let full = heard.queue >= FULL;
        let loss = Loss {
            share: if heard.recent > 0.0 { heard.lost.max(AT_LEAST) } else { heard.lost },
            run: heard.run,
            round_trip: self.round_trip().max(heard.answers),
            jitter: numbers.jitter,
            packet: self.packet,
            copies: takes.copies && takes.feedback && !full,
            asks: takes.asks && !full,
        };
        let mut choice = choose(loss);
        // Until frames play so late that answers come in time, a copy does.
        if loss.copies
            && choice.asks > 0
            && choice.wanted.copies == 0
            && numbers.delay + NEARLY < choice.floor
        {
            choice.wanted = Protection::clamped(1, 1);
        }
        self.protect(now, choice);
        voice.need(self.choice.floor);
        // The first loss of all is asked for, too.
        voice.asking(takes.asks && !full && (self.choice.asks > 0 || heard.recent > 0.0));
        let wanted = if full { Protection::default() } else { self.choice.wanted };
        let every = if self.packet > Duration::from_millis(40) { TELL_SELDOM } else { TELL_EVERY };
        let due = self.told.is_none_or(|(told, asked)| asked != wanted || now.since(told) >= every);
        if !due || !takes.feedback {
            return None;
        }
        self.told = Some((now, wanted));
        let frames = (numbers.played + numbers.concealed).max(1) as f32;
        let (bytes, packets) = in_a_second(&self.arrived, now);
        Some(Feedback {
            wanted,
            lost: heard.lost,
            recent: heard.recent,
            queue: heard.queue,
            sooner: heard.sooner,
            bytes: u16::try_from(bytes).unwrap_or(u16::MAX),
            packets: u16::try_from(packets).unwrap_or(u16::MAX),
            concealed: numbers.concealed as f32 / frames,
            repaired: numbers.repaired as f32 / frames,
            stamp: stamp(now),
            echo: self.word.map(|(at, word)| (word.stamp, now.since(at))),
        })
    }

    /// More protection at once, less when it was enough for a while.
    fn protect(&mut self, now: Moment, choice: Choice) {
        let less = choice.floor < self.choice.floor;
        if !less || now.since(*self.less_since.get_or_insert(now)) >= LESS_AFTER {
            (self.choice, self.less_since) = (choice, None);
        }
    }

    /// What the other side missed of our voice in the last second, by its last word, else by its report: 0 to 1.
    pub(super) fn missed_there(&self) -> f32 {
        let report = self.reception.map(|reception| f32::from(reception.lost) / 256.0);
        self.word.map(|(_, word)| word.recent).or(report).unwrap_or(0.0)
    }

    /// To the other side and back, once it was measured.
    pub(super) fn measured_trip(&self) -> Option<Duration> {
        self.round_trip.or(self.reception.and_then(|reception| reception.round_trip))
    }

    /// Its voice came before, and nothing of it in the last second.
    pub(super) fn is_silent(&self, now: Moment) -> bool {
        self.arrived.back().is_some_and(|(at, _)| now.since(*at) >= SECOND)
    }

    /// Its words do not come any more, though its voice does. Where nothing comes at all the path is lost, and the next one may
    /// carry as much as that did.
    fn is_unheard(&self, now: Moment) -> bool {
        let since = self.word.map(|(at, _)| at.max(self.arrives_since));
        !self.is_silent(now) && since.is_some_and(|since| now.since(since) > UNHEARD)
    }

    /// Adds what is known of the line.
    pub(super) fn count(&self, now: Moment, stats: &mut Stats) {
        let told = self.word.is_some() || self.reception.is_some();
        stats.loss_out = max(stats.loss_out, told.then(|| f64::from(self.missed_there())));
        stats.round_trip = stats.round_trip.max(self.measured_trip());
        stats.bitrate_out = stats.bitrate_out.max(Some(self.encoding(now).bitrate));
        let bytes: usize =
            self.arrived.iter().filter(|(at, _)| now.since(*at) < SECOND).map(|(_, bytes)| bytes).sum();
        stats.bitrate_in = Some(stats.bitrate_in.unwrap_or(0) + u32::try_from(bytes * 8).unwrap_or(0));
        stats.copies_out += self.copies_out;
        stats.asked_out += self.asked_out;
        stats.repaired_out = max(stats.repaired_out, self.word.map(|(_, word)| f64::from(word.repaired)));
        stats.concealed_out = max(stats.concealed_out, self.word.map(|(_, word)| f64::from(word.concealed)));
    }
}

fn count(of: &mut VecDeque<(Moment, usize)>, now: Moment, bytes: usize, copies: &[Copy]) {
    if of.len() == COUNTED {
        of.pop_front();
    }
    let copies: usize = copies.iter().map(|copy| COPY_HEADER + copy.payload.len()).sum();
    of.push_back((now, RTP_HEADER + bytes + copies));
}

/// Bytes and packets of a second, as many as there were lately.
fn in_a_second(of: &VecDeque<(Moment, usize)>, now: Moment) -> (u32, u32) {
    let lately = || of.iter().filter(|(at, _)| now.since(*at) < COUNTED_FOR);
    let to_a_second = |sum: usize| {
        u32::try_from(sum * 1_000).unwrap_or(u32::MAX) / u32::try_from(COUNTED_FOR.as_millis()).unwrap_or(1)
    };
    (to_a_second(lately().map(|(_, bytes)| bytes).sum()), to_a_second(lately().count()))
}

fn max(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    a.into_iter().chain(b).reduce(f64::max)
}

/// Our clock in milliseconds, wrapping every 65 s.
fn stamp(now: Moment) -> u16 {
    #[expect(clippy::cast_possible_truncation, reason = "it wraps")]
    let stamp = (now.micros() / 1_000) as u16;
    stamp
}
