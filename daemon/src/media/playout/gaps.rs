//! Which packets came by themselves, and which did not.
//!
//! Lives here: the packets of the newest path, one by one; whether one that came was an answer to our asking or only late.
//! Must not: know payloads or copies, or ask for anything. What was mended is missing all the same.
//!
//! An answer says nothing about the path: if it counted, jitter would grow by the round trip, and a line that loses would look
//! whole. But whoever asks too soon gets packets that were on their way all along. Those are told by three things: they come
//! sooner than an answer can, or twice, or the next unasked one is as late; and more than four in a row are doubted at once.

use super::order::Numbers;

/// Packets that are remembered: 10 s.
pub(super) const REMEMBERED: i64 = 512;
/// More asked packets than this in a row, and they count as ordinary ones.
const ROW: usize = 4;
/// An answer is told from the packet itself by this share of the round trip, in per cent: the trip may have become shorter.
const ANSWER_AFTER: i64 = 70;
/// And by that much less: what the trip was measured by waited longer on both sides than an answer does.
const MEASURED_US: i64 = 5_000;
/// An answer that takes longer is none that helps; and so slowly answers are believed to be sooner.
const ANSWER_MAX_US: i64 = 150_000;
const SLOWLY: i64 = 16;
/// The longest that a packet is waited for that others overtook.
const OVERTAKEN_MAX_US: i64 = 100_000;
/// And a little more than the last such packet needed.
const OVERTAKEN_MORE_US: i64 = 2_000;
/// It becomes less with so many packets in order.
const IN_ORDER: u32 = 64;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing is known.
    #[default]
    Unknown,
    Missing,
    /// The answer to an asking came.
    Answered,
    /// It came by itself.
    Came,
}

/// One packet. Times are µs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    pub(super) sequence: i64,
    /// Its first frame, and how many it holds (or that it holds, judged by its neighbours).
    pub(super) number: i64,
    pub(super) span: i64,
    pub(super) state: State,
    /// When it came, or was first known to be missing.
    pub(super) since: i64,
    /// How often it was asked for, when first, and when last.
    pub(super) tries: u8,
    /// How often it came since.
    pub(super) answers: u8,
    pub(super) first_asked: i64,
    pub(super) last_asked: i64,
}

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Gaps {
    path: Option<u16>,
    ring: Vec<Sent>,
    /// The oldest packet that is remembered, and the newest that came by itself; they never wrap.
    oldest: i64,
    newest: i64,
    /// Packets that were missing, since this path began.
    found: u32,
    /// The last answers, while nothing else comes.
    row: Vec<i64>,
    /// Too many asked ones came in a row: nothing is asked for before it is known to be missing.
    doubted: bool,
    overtaken: i64,
    in_order: u32,
    round_trip: i64,
    /// What nearly all answers took lately.
    answers: i64,
}

impl Gaps {
    pub(super) fn new() -> Self {
        Self {
            path: None,
            ring: vec![Sent::default(); usize::try_from(REMEMBERED).expect("fits")],
            oldest: 0,
            newest: 0,
            found: 0,
            row: Vec::with_capacity(ROW + 1),
            doubted: false,
            overtaken: 0,
            in_order: 0,
            round_trip: 0,
            answers: 0,
        }
    }

    /// What comes next is the first packet of all.
    pub(super) fn forget(&mut self) {
        self.path = None;
    }

    pub(super) fn path(&self) -> Option<u16> {
        self.path
    }

    pub(super) fn oldest(&self) -> i64 {
        self.oldest
    }

    pub(super) fn newest(&self) -> i64 {
        self.newest
    }

    pub(super) fn found(&self) -> u32 {
        self.found
    }

    pub(super) fn doubted(&self) -> bool {
        self.doubted
    }

    /// So long may a packet be overtaken by others before it is taken for lost.
    pub(super) fn overtaken(&self) -> i64 {
        self.overtaken
    }

    /// How long an answer needs.
    pub(super) fn expect_answers_after(&mut self, round_trip: i64) {
        self.round_trip = round_trip;
    }

    /// What nearly all answers took lately: more than the round trip, where one side is busy.
    pub(super) fn answers_after(&self) -> i64 {
        self.answers
    }

    pub(super) fn get(&self, sequence: i64) -> Option<&Sent> {
        self.ring
            .get(index(sequence))
            .filter(|sent| sent.sequence == sequence && sent.state != State::Unknown)
    }

    /// It was asked for.
    pub(super) fn asked(&mut self, now: i64, of: Sent) {
        let sent = &mut self.ring[index(of.sequence)];
        if sent.sequence != of.sequence || sent.state == State::Unknown {
            *sent = Sent { state: State::Missing, ..of };
        }
        if sent.tries == 0 {
            sent.first_asked = now;
        }
        (sent.tries, sent.last_asked) = (sent.tries.saturating_add(1), now);
    }

    /// A packet came, whose first frame is `number`; `in_time` if it is not later than usual. Returns when it came by itself, if
    /// it did and that was not known.
    pub(super) fn came(&mut self, now: i64, of: Numbers, number: i64, in_time: bool) -> Option<i64> {
        let Some(path) = self.path.filter(|path| *path == of.path) else {
            // What is still under way on an old path is none of ours.
            let newer = self.path.is_none_or(|path| of.path.wrapping_sub(path).cast_signed() > 0);
            if newer {
                self.begin(now, of, number);
            }
            return Some(now);
        };
        debug_assert_eq!(path, of.path);
        let behind = i64::from(wrapped(self.newest).wrapping_sub(of.sequence).cast_signed());
        let sequence = self.newest - behind;
        if sequence < self.oldest || behind >= REMEMBERED {
            return Some(now);
        }
        if -behind >= REMEMBERED {
            self.begin(now, of, number);
            return Some(now);
        }
        let known = self.get(sequence).copied().unwrap_or_default();
        match known.state {
            State::Came => return None,
            State::Answered => {
                let sent = &mut self.ring[index(sequence)];
                sent.answers = sent.answers.saturating_add(1);
                if sent.answers <= known.tries {
                    return None;
                }
                // There are no more answers than askings: what came first was the packet itself.
                sent.state = State::Came;
                return Some(known.since);
            }
            State::Missing if known.tries > 0 && self.is_answer(now, &known) => {
                if known.tries == 1 {
                    let took = (now - known.first_asked).min(ANSWER_MAX_US);
                    self.answers = took.max(self.answers - (self.answers - took) / SLOWLY);
                }
                let (since, span) = (now, of.span());
                let answered = Sent { state: State::Answered, answers: 1, since, number, span, ..known };
                self.ring[index(sequence)] = answered;
                return None;
            }
            State::Missing | State::Unknown => {}
        }
        if known.tries == 0 {
            self.unasked(in_time);
        }
        if behind > 0 {
            let late = now - known.since + OVERTAKEN_MORE_US;
            (self.overtaken, self.in_order) = (self.overtaken.max(late).min(OVERTAKEN_MAX_US), 0);
        } else {
            self.reveal(now, sequence, number);
            self.newest = sequence;
            self.oldest = self.oldest.max(sequence - REMEMBERED + 1);
            self.in_order += 1;
            if self.in_order >= IN_ORDER {
                (self.in_order, self.overtaken) = (0, self.overtaken - self.overtaken / 4);
            }
        }
        let (since, span) = (now, of.span());
        self.ring[index(sequence)] = Sent { sequence, number, span, state: State::Came, since, ..known };
        Some(now)
    }

    /// The first packet of a path.
    fn begin(&mut self, now: i64, of: Numbers, number: i64) {
        let sequence = i64::from(of.sequence) + (1 << 16);
        (self.path, self.oldest, self.newest) = (Some(of.path), sequence, sequence);
        (self.found, self.doubted, self.overtaken, self.in_order) = (0, false, 0, 0);
        self.row.clear();
        self.ring.fill(Sent::default());
        let (since, span) = (now, of.span());
        self.ring[index(sequence)] =
            Sent { sequence, number, span, state: State::Came, since, ..Sent::default() };
    }

    /// Whether this packet came because it was asked for.
    fn is_answer(&mut self, now: i64, asked: &Sent) -> bool {
        if now - asked.first_asked < self.round_trip / 100 * ANSWER_AFTER - MEASURED_US {
            self.row.clear();
            return false;
        }
        if self.row.len() < ROW {
            self.row.push(asked.sequence);
            return true;
        }
        self.doubted = true;
        false
    }

    /// A packet came that nobody asked for: the row has an end.
    fn unasked(&mut self, in_time: bool) {
        if !in_time {
            for sequence in self.row.drain(..) {
                let sent = &mut self.ring[index(sequence)];
                if sent.sequence == sequence && sent.state == State::Answered {
                    sent.state = State::Came;
                }
            }
        }
        self.row.clear();
        self.doubted &= !in_time;
    }

    /// Packets up to this one are missing, if they are not known. They lie evenly between their neighbours.
    fn reveal(&mut self, now: i64, sequence: i64, number: i64) {
        let Some(&before) = self.get(self.newest) else { return };
        let (first, between) = (before.number + before.span, sequence - self.newest - 1);
        let mut frames = number - first;
        if !(between..=between * before.span.max(1) * 6).contains(&frames) {
            // A pause lies between as well.
            frames = between * before.span;
        }
        for nth in 0..between {
            self.found = self.found.saturating_add(1);
            let missing = self.newest + 1 + nth;
            if self.get(missing).is_none() {
                let (number, next) = (first + nth * frames / between, first + (nth + 1) * frames / between);
                let sent = Sent { sequence: missing, number, span: next - number, ..Sent::default() };
                self.ring[index(missing)] = Sent { state: State::Missing, since: now, ..sent };
            }
        }
    }
}

/// The number on the wire.
pub(super) fn wrapped(sequence: i64) -> u16 {
    u16::try_from(sequence.rem_euclid(1 << 16)).expect("a remainder of 2^16")
}

fn index(sequence: i64) -> usize {
    usize::try_from(sequence.rem_euclid(REMEMBERED)).expect("a remainder of 512")
}
