//! Which packets are asked for again (RFC 4585 §6.2.1), and when.
//!
//! Lives here: what is known to be missing or overdue and can still come in time; how often, and how much at most.
//! Must not: know payloads, or how an asking travels.

use super::FRAME_US;
use super::gaps::{Gaps, Sent, State, wrapped};

/// With a longer round trip nothing comes in time, and a queue may be what makes it long.
const FAR_US: i64 = 150_000;
/// Packets that may be asked for in a second, and at once.
const A_SECOND: i64 = 50;
const AT_ONCE: i64 = 10;
/// A packet that nothing newer followed is overdue so long after nearly all others would have come.
pub(super) const OVERDUE_US: i64 = 9_000;
/// Overdue packets may be asked for without an answer, and each so often: a sender that stands still has nothing to answer with.
const OVERDUE_MOST: usize = 2;
const OVERDUE_TRIES: u8 = 2;
/// And answered ones may be ahead of the newest that came by itself.
const AHEAD: i64 = 10;
/// A missing packet is asked for so often, that long after the answer to the time before should have come, but not sooner.
const TRIES: u8 = 12;
const AGAIN_US: i64 = 3_000;
const AGAIN_LEAST_US: i64 = 8_000;
/// An answer must be there so long before its frames play.
const IN_TIME_US: i64 = 3_000;
/// One missing packet in so many, and the first ones of a path, are waited for as long as can be: so it shows whether they come by
/// themselves.
const WAITED_FOR: i64 = 16;
const WAITED_FOR_FIRST: u32 = 4;
const WAIT_MOST_US: i64 = 60_000;
/// Packets back that are looked at: what is older was played.
const BACK: i64 = 64;

/// What plays when, in µs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Where the fastest packets' schedule has frame 0.
    pub(super) base: i64,
    /// How long after its place there a frame plays.
    pub(super) level: i64,
    pub(super) jitter: i64,
    /// No frame below this plays any more.
    pub(super) next: i64,
    /// Frames play; else they wait for more.
    pub(super) playing: bool,
}

impl Plan {
    /// When the last frame of a packet plays.
    fn plays(&self, sent: &Sent) -> i64 {
        self.base + (sent.number + sent.span - 1) * FRAME_US + self.level
    }

    /// When a packet should have come.
    fn overdue(&self, sent: &Sent) -> i64 {
        self.base + (sent.number + sent.span - 1) * FRAME_US + self.jitter + OVERDUE_US
    }
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Asking {
    on: bool,
    /// What may still be asked for, in millionths, and when that was reckoned.
    allowed: i64,
    reckoned: i64,
}

impl Asking {
    pub(super) fn switch(&mut self, on: bool) {
        self.on = on;
    }

    /// What is to be asked for now. `here` says which frames wait to be played or were.
    pub(super) fn due(
        &mut self,
        now: i64,
        round_trip: i64,
        gaps: &mut Gaps,
        plan: Plan,
        here: impl Fn(i64) -> bool,
    ) -> Vec<(u16, u16)> {
        gaps.expect_answers_after(round_trip);
        let round_trip = round_trip.max(gaps.answers_after());
        let passed = (now - self.reckoned).max(0);
        self.allowed = passed.saturating_mul(A_SECOND).saturating_add(self.allowed).min(AT_ONCE * 1_000_000);
        self.reckoned = now;
        let Some(path) = gaps.path().filter(|_| self.on && round_trip <= FAR_US) else { return Vec::new() };
        let mut due = Vec::new();
        let mut ask = |gaps: &mut Gaps, sent: Sent| {
            if self.allowed >= 1_000_000 {
                self.allowed -= 1_000_000;
                gaps.asked(now, sent);
                due.push((path, wrapped(sent.sequence)));
            }
        };
        let useful = |sent: &Sent| {
            let frames = sent.number.max(plan.next)..sent.number + sent.span;
            now + round_trip + IN_TIME_US <= plan.plays(sent)
                && frames.into_iter().any(|number| !here(number))
        };
        let again = (round_trip + AGAIN_US).max(AGAIN_LEAST_US);
        let waits = |sent: &Sent, tries: u8| sent.tries >= tries || now < sent.last_asked + again;
        for sequence in gaps.oldest().max(gaps.newest() - BACK)..gaps.newest() {
            let Some(&sent) = gaps.get(sequence).filter(|sent| sent.state == State::Missing) else {
                continue;
            };
            let first = match sequence % WAITED_FOR == 0 || gaps.found() <= WAITED_FOR_FIRST {
                true => {
                    let late = plan.plays(&sent) - IN_TIME_US - round_trip - again;
                    late.clamp(sent.since, sent.since + WAIT_MOST_US).max(sent.since + gaps.overtaken())
                }
                false => sent.since + gaps.overtaken(),
            };
            let wait = if sent.tries == 0 { now < first } else { waits(&sent, TRIES) };
            if !wait && useful(&sent) {
                ask(gaps, sent);
            }
        }
        if !plan.playing || gaps.doubted() {
            return due;
        }
        let Some(&newest) = gaps.get(gaps.newest()) else { return due };
        let (mut before, mut unanswered) = (newest, 0);
        for sequence in newest.sequence + 1..=newest.sequence + AHEAD {
            let next = Sent { sequence, number: before.number + before.span, ..newest };
            let next = Sent {
                state: State::Missing,
                since: now,
                tries: 0,
                answers: 0,
                first_asked: 0,
                last_asked: 0,
                ..next
            };
            before = *gaps.get(sequence).unwrap_or(&next);
            if before.state != State::Missing {
                continue;
            }
            unanswered += 1;
            if unanswered > OVERDUE_MOST || now < plan.overdue(&before) {
                break;
            }
            let wait = before.tries > 0 && waits(&before, OVERDUE_TRIES);
            if !wait && useful(&before) {
                ask(gaps, before);
            }
        }
        due
    }
}
