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
/// Arrivals are kept in so many pieces of so long: 30 s.
const PIECES: usize = 120;
const PIECE_US: i64 = 250_000;
/// So many arrivals tell where the least of them lies.
const ENOUGH: u32 = 4;

/// So much of a queue may be missing in the round trip, which is measured seldom.
const UNSHOWN_US: i64 = 10_000;

/// What came by itself lately.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Heard {
    /// Share of packets lost (0 to 1) over 10 s; where loss has just begun, since then, but at least over the last second.
    pub lost: f32,
    /// Mean number of packets lost in a row; 0 while none is.
    pub run: f32,
    /// Share lost in the last second.
    pub recent: f32,
    /// How much later than the fastest of the last 30 s even the fastest of the last quarter to half second came: a queue that
    /// fills, and not jitter. At most 10 ms more than the round trip rose, if that is known.
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
    let run = if runs == 0 { 0.0 } else { all.lost as f32 / runs as f32 };
    let answers = micros(gaps.answers_after());
    Heard { lost: share.share(), run, recent: recent.share(), answers, ..Heard::default() }
}

/// The least of some measure in each quarter of a second of the last 30 s.
#[derive(Debug)]
struct Least {
    pieces: [(i64, i64, u32); PIECES],
}

impl Least {
    fn new() -> Self {
        Self { pieces: [(i64::MIN, 0, 0); PIECES] }
    }

    fn saw(&mut self, now: i64, value: i64) {
        let piece = now.div_euclid(PIECE_US);
        let Ok(place) = usize::try_from(piece.rem_euclid(120)) else { return };
        let (of, least, count) = &mut self.pieces[place];
        if *of != piece {
            (*of, *least, *count) = (piece, value, 0);
        }
        *least = value.min(*least);
        *count += 1;
    }

    /// How far the last quarter to half second lies above all of it; nothing unless so much was seen in it.
    fn risen(&self, now: i64, enough: u32) -> Option<i64> {
        self.least(now, 0, 2, enough)?.checked_sub(self.least(now, 0, 120, enough)?)
    }

    /// The least of the pieces from so many to so many back, the present one being the first.
    fn least(&self, now: i64, from: i64, until: i64, enough: u32) -> Option<i64> {
        let piece = now.div_euclid(PIECE_US);
        let pieces = self.pieces.iter().filter(|(of, ..)| (piece - until + 1..=piece - from).contains(of));
        let (least, count) =
            pieces.fold((i64::MAX, 0), |(least, all), (_, one, count)| (least.min(*one), all + count));
        (count >= enough).then_some(least)
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
        let arrivals = self.arrivals.risen(now, ENOUGH).unwrap_or(0);
        let shown = self.trips.risen(now, 1).map_or(i64::MAX, |risen| risen + UNSHOWN_US);
        micros(arrivals.min(shown))
    }
}
