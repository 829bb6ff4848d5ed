//! How packets come by themselves: the share that is missing, how long it is missing at a stretch, and whether a queue fills.
//!
//! Lives here: what a policy is told that chooses how the other side should send.
//! Must not: know payloads, or choose anything.

use std::time::Duration;

use super::gaps::{Gaps, State};
use super::micros;

/// How far back is looked, and at least.
const LONG_US: i64 = 10_000_000;
const SHORT_US: i64 = 1_000_000;
/// So many losses tell that loss has begun; from then on it is the share since the first of them.
const BEGUN: u32 = 3;
/// At the beginning of a voice as if at least so many packets had come.
const LEAST: u32 = 25;
/// Few rows say little of their length: as if so many more had been of one packet, one less for each so many rows.
const DOUBT: u32 = 2;
const CERTAIN: u32 = 3;
/// Arrivals are kept in so many pieces of so long: 30 s.
const PIECES: usize = 120;
const PIECE_US: i64 = 250_000;
/// So many arrivals tell where the least of them lies, and so many where packets come late by turns: few of them are on time.
const ENOUGH: u32 = 4;
const ENOUGH_JITTER: u32 = 25;
/// How far back those are looked for, in pieces; and where it is looked for jitter.
const LONGEST: i64 = 8;
const JITTER_IN: i64 = 4;
/// A packet that comes sooner than one before it by so much shows jitter: in a queue that fills each comes later.
const JITTER_US: i64 = 20_000;

/// So much of a queue may be missing in the round trip, which is measured seldom.
const UNSHOWN_US: i64 = 10_000;

/// What came by itself lately.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Heard {
    /// Share of packets lost (0 to 1) over 10 s; where loss has just begun, since then, but at least over the last second.
    pub lost: f32,
    /// Mean number of packets lost in a row, nearer to 1 while few rows are known; 0 while nothing is lost.
    pub run: f32,
    /// Share lost in the last second.
    pub recent: f32,
    /// The same, of however few packets those were.
    pub second: f32,
    /// How much later than the fastest of the last 30 s even the fastest of the last quarter to half second came (of 25 packets where
    /// they jitter): a queue that fills, and not jitter. At most 10 ms more than the round trip rose, if that is known.
    pub queue: Duration,
    /// How much sooner even the fastest of the last quarter to half second came than those of nine seconds before: a way that
    /// has become shorter, or wider.
    pub sooner: Duration,
    /// What an answer to our asking takes; zero before one came.
    pub answers: Duration,
    /// Frames that came so far.
    pub frames: u32,
}

/// Counts over one stretch of time.
#[derive(Default)]
struct Share {
    sent: u32,
    lost: u32,
}

impl Share {
    fn count(&mut self, lost: bool) {
        self.sent += 1;
        self.lost += u32::from(lost);
    }

    fn share(&self) -> f32 {
        self.lost as f32 / self.sent.max(LEAST) as f32
    }
}

/// What is in `gaps` now; `queue` and `frames` are told apart.
pub(super) fn heard(gaps: &Gaps, now: i64) -> Heard {
    let (mut all, mut recent, mut runs) = (Share::default(), Share::default(), 0_u32);
    let (mut since_first, mut first, mut before) = (0_u32, now, false);
    for sequence in (gaps.oldest()..=gaps.newest()).rev() {
        let Some(sent) = gaps.get(sequence) else { break };
        let age = now - sent.since;
        if age > LONG_US {
            break;
        }
        let lost = match sent.state {
            State::Answered => true,
            State::Missing => age >= gaps.overtaken(),
            State::Came | State::Unknown => false,
        };
        all.count(lost);
        if age <= SHORT_US {
            recent.count(lost);
        }
        if lost || age <= SHORT_US {
            since_first = all.sent;
        }
        if lost {
            first = sent.since;
            runs += u32::from(!before);
        }
        before = lost;
    }
    let begun = all.lost >= BEGUN && now - first < LONG_US;
    let share = Share { sent: if begun { since_first } else { all.sent }, lost: all.lost };
    let doubt = DOUBT.saturating_sub(runs / CERTAIN);
    let run = if runs == 0 { 0.0 } else { (all.lost + doubt) as f32 / (runs + doubt) as f32 };
    let answers = micros(gaps.answers_after());
    let second = recent.lost as f32 / recent.sent.max(1) as f32;
    Heard { lost: share.share(), run, recent: recent.share(), second, answers, ..Heard::default() }
}

/// The least of some measure in each quarter of a second of the last 30 s.
#[derive(Debug)]
struct Least {
    pieces: [Piece; PIECES],
}

/// A quarter of a second.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// Its number since the clock began.
    of: i64,
    least: i64,
    most: i64,
    count: u32,
    /// How far a value lay below one before it.
    fell: i64,
}

impl Least {
    fn new() -> Self {
        Self { pieces: [Piece { of: i64::MIN, least: 0, most: 0, count: 0, fell: 0 }; PIECES] }
    }

    fn saw(&mut self, now: i64, value: i64) {
        let of = now.div_euclid(PIECE_US);
        let Ok(place) = usize::try_from(of.rem_euclid(120)) else { return };
        let piece = &mut self.pieces[place];
        if piece.of != of {
            *piece = Piece { of, least: value, most: value, count: 0, fell: 0 };
        }
        piece.least = value.min(piece.least);
        piece.most = value.max(piece.most);
        piece.fell = piece.fell.max(piece.most - value);
        piece.count += 1;
    }

    /// How far the last pieces lie above all of it; nothing unless so much was seen in them.
    fn risen(&self, now: i64, pieces: i64, enough: u32) -> Option<i64> {
        self.least(now, 0, pieces, enough)?.checked_sub(self.least(now, 0, 120, enough)?)
    }

    /// The least of the pieces from so many to so many back, the present one being the first.
    fn least(&self, now: i64, from: i64, until: i64, enough: u32) -> Option<i64> {
        let of = self.between(now, from, until);
        let (least, count) =
            of.fold((i64::MAX, 0), |(least, all), piece| (least.min(piece.least), all + piece.count));
        (count >= enough).then_some(least)
    }

    /// The last pieces that tell where the least lies: two, or more of them where values come out of turn.
    fn telling(&self, now: i64) -> i64 {
        if self.between(now, 0, JITTER_IN).all(|piece| piece.fell < JITTER_US) {
            return 2;
        }
        let seen = |pieces: &i64| self.between(now, 0, *pieces).map(|piece| piece.count).sum::<u32>();
        (2..LONGEST).find(|pieces| seen(pieces) >= ENOUGH_JITTER).unwrap_or(LONGEST)
    }

    fn between(&self, now: i64, from: i64, until: i64) -> impl Iterator<Item = &Piece> {
        let piece = now.div_euclid(PIECE_US);
        self.pieces.iter().filter(move |one| (piece - until + 1..=piece - from).contains(&one.of))
    }
}

/// A queue on the way here: packets come later and later, all alike. So they do if their sender falls behind, which no round trip
/// shows.
#[derive(Debug)]
pub(super) struct Queue {
    arrivals: Least,
    trips: Least,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self { arrivals: Least::new(), trips: Least::new() }
    }

    /// When packets came before says nothing any more.
    pub(super) fn clear(&mut self) {
        self.arrivals = Least::new();
    }

    /// A packet came now, by itself, so long after its place in the schedule.
    pub(super) fn came(&mut self, now: i64, arrival: i64) {
        self.arrivals.saw(now, arrival);
    }

    /// So long is the round trip now.
    pub(super) fn trip(&mut self, now: i64, us: i64) {
        self.trips.saw(now, us);
    }

    /// How much sooner packets come than before.
    pub(super) fn sooner(&self, now: i64) -> Duration {
        let least = |from, until| self.arrivals.least(now, from, until, ENOUGH);
        least(0, 2).zip(least(2, 40)).map_or(Duration::ZERO, |(now, before)| micros((before - now).max(0)))
    }

    /// How much later they come than ever.
    pub(super) fn filled(&self, now: i64) -> Duration {
        let pieces = self.arrivals.telling(now);
        let arrivals = self.arrivals.risen(now, pieces, ENOUGH).unwrap_or(0);
        let shown = self.trips.risen(now, 2, 1).map_or(i64::MAX, |risen| risen + UNSHOWN_US);
        micros(arrivals.min(shown))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets of so long for a minute, the last of it over a line that fills; told is the longest queue before, and after so many ms
    /// how much is seen of what fills.
    fn carried(packet: i64, jitter: i64, fills_by: f64) -> (Duration, Duration) {
        let (mut queue, mut chance, mut last) = (Queue::new(), 7_u64, 0);
        let mut before = Duration::ZERO;
        let mut random = |below: i64| {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            i64::try_from(chance >> 33).unwrap() % below.max(1)
        };
        let full_at = 58_000;
        for sent in (0..60_000).step_by(usize::try_from(packet).unwrap()) {
            #[expect(clippy::cast_possible_truncation, reason = "milliseconds")]
            let filled = (fills_by * (sent - full_at).max(0) as f64) as i64;
            // One does not overtake another.
            last = last.max(sent + random(jitter) + filled);
            if random(10) == 0 {
                continue;
            }
            queue.came(last * 1_000, (last - sent) * 1_000);
            if sent < full_at {
                before = before.max(queue.filled(last * 1_000));
            }
        }
        (before, queue.filled(last * 1_000))
    }

    #[test]
    fn packets_that_jitter_are_no_queue_and_a_line_that_fills_is_one() {
        for packet in [20, 40, 60] {
            for jitter in [0, 40, 80] {
                let (none, some) = carried(packet, jitter, 0.25);
                assert!(none < Duration::from_millis(35), "{packet} {jitter}: {none:?} where nothing fills");
                assert!(some > Duration::from_millis(100), "{packet} {jitter}: {some:?} of 500 ms");
            }
        }
    }
}
