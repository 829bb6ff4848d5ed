//! Which datagram of a DTLS handshake goes again, and when.
//!
//! Lives here: that, pure, with its bounds in number, bytes and time.
//! Must not: know what a datagram says or where it goes, or read a clock.

use std::collections::VecDeque;
use std::time::Duration;

use ahoy_call::Moment;

/// A datagram goes again so long after it went. The first one is behind an answer over fifty milliseconds, so where nothing is lost
/// on such a line or a better one nothing goes twice; the last one is behind most bursts of loss, and before the library's own second.
const AGAIN_AFTER: [Duration; 3] =
    [Duration::from_millis(60), Duration::from_millis(180), Duration::from_millis(420)];
/// From the first flight on: what takes longer is given up by who watches the set-up.
const WITHIN: Duration = Duration::from_secs(3);
/// Datagrams that are kept: the longest flight has two or three.
const MOST: usize = 8;
/// Bytes of them, together.
const MOST_BYTES: usize = MOST * 1_500;

/// See the head of this file. `W`: where one goes.
#[derive(Debug)]
pub(super) struct Repeats<W> {
    /// When the first flight went.
    begun: Option<Moment>,
    /// The other side sent a flight since: the next one of ours is another.
    answered: bool,
    kept: VecDeque<Kept<W>>,
}

#[derive(Debug)]
struct Kept<W> {
    to: W,
    bytes: Vec<u8>,
    went: Moment,
    /// Of [`AGAIN_AFTER`], so many are over.
    over: usize,
}

impl<W> Kept<W> {
    /// When it goes again; none if it does not any more.
    fn due(&self) -> Option<Moment> {
        AGAIN_AFTER.get(self.over).map(|after| self.went + *after)
    }
}

impl<W> Default for Repeats<W> {
    fn default() -> Self {
        Self { begun: None, answered: false, kept: VecDeque::new() }
    }
}

impl<W> Repeats<W> {
    /// A part of a flight went. If it answers one, ours before it has arrived.
    pub(super) fn went(&mut self, now: Moment, to: W, bytes: Vec<u8>) {
        self.begun.get_or_insert(now);
        if std::mem::take(&mut self.answered) {
            self.kept.clear();
        }
        let held: usize = self.kept.iter().map(|kept| kept.bytes.len()).sum();
        if self.kept.len() < MOST && held + bytes.len() <= MOST_BYTES {
            self.kept.push_back(Kept { to, bytes, went: now, over: 0 });
        }
    }

    /// A part of a flight came. Whether it answers ours is not known before the next one of ours: it may be the flight before, again.
    pub(super) fn answered(&mut self) {
        self.answered = true;
    }

    /// When there is something to do; never if nothing has begun.
    pub(super) fn due(&self) -> Option<Moment> {
        let end = self.begun.map(|begun| begun + WITHIN);
        self.kept.iter().filter_map(Kept::due).chain(end).min()
    }

    /// Nothing goes again any more.
    pub(super) fn is_over(&self, now: Moment) -> bool {
        self.begun.is_some_and(|begun| now >= begun + WITHIN)
    }

    /// One that goes again now. Of the times that were missed, one counts.
    pub(super) fn next(&mut self, now: Moment) -> Option<(&W, &[u8])> {
        self.kept.retain(|kept| kept.over < AGAIN_AFTER.len());
        let kept = self.kept.iter_mut().find(|kept| kept.due().is_some_and(|due| due <= now))?;
        kept.over = AGAIN_AFTER.iter().filter(|after| kept.went + **after <= now).count();
        Some((&kept.to, &kept.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_micros(1_000_000 + ms * 1_000)
    }

    /// What happens, after so many milliseconds.
    enum Then {
        Went(u64, u8),
        Answered(u64),
    }

    use Then::{Answered, Went};

    /// Its name, what happens, and what goes again.
    type Case = (&'static str, &'static [Then], &'static [(u64, u8)]);

    /// What goes again, by when it does, of datagrams of one byte; and when it is over.
    fn again(story: &[Then]) -> Vec<(u64, u8)> {
        let (mut repeats, mut all, mut story) = (Repeats::default(), Vec::new(), story.iter().peekable());
        for ms in 0..4_000 {
            while let Some(then) =
                story.next_if(|then| matches!(then, Went(at, _) | Answered(at) if *at == ms))
            {
                match *then {
                    Went(_, byte) => repeats.went(at(ms), (), vec![byte]),
                    Answered(_) => repeats.answered(),
                }
            }
            if repeats.is_over(at(ms)) {
                break;
            }
            if repeats.due().is_some_and(|due| due <= at(ms)) {
                while let Some((&(), bytes)) = repeats.next(at(ms)) {
                    all.push((ms, bytes[0]));
                }
            }
        }
        all
    }

    #[test]
    fn what_goes_again_and_when() {
        let cases: [Case; 6] = [
            ("nothing is answered", &[Went(0, 1)], &[(60, 1), (180, 1), (420, 1)]),
            (
                "a line of fifty milliseconds without loss, to the flight that nothing answers but keys",
                &[Went(0, 1), Answered(50), Went(50, 2), Answered(100), Went(101, 3)],
                &[(161, 3), (281, 3), (521, 3)],
            ),
            (
                "both datagrams of a flight, and then of the next one",
                &[Went(0, 1), Went(0, 2), Answered(70), Went(71, 3), Went(71, 4)],
                &[(60, 1), (60, 2), (131, 3), (131, 4), (251, 3), (251, 4), (491, 3), (491, 4)],
            ),
            (
                "the other side says the same again, because it misses our answer",
                &[Answered(0), Went(1, 1), Answered(51), Answered(171)],
                &[(61, 1), (181, 1), (421, 1)],
            ),
            (
                "the library's own repetition after a second",
                &[Went(0, 1), Went(1_000, 2)],
                &[(60, 1), (180, 1), (420, 1), (1_060, 2), (1_180, 2), (1_420, 2)],
            ),
            (
                "nothing but the first seconds",
                &[Went(0, 1), Went(2_900, 2)],
                &[(60, 1), (180, 1), (420, 1), (2_960, 2)],
            ),
        ];
        for (case, story, expected) in cases {
            assert_eq!(again(story), expected, "{case}");
        }
    }

    #[test]
    fn times_that_were_missed_count_as_one() {
        let mut repeats = Repeats::default();
        repeats.went(at(0), (), vec![1]);
        assert!(repeats.next(at(59)).is_none());
        assert!(repeats.next(at(300)).is_some(), "a machine that stood still");
        assert!(repeats.next(at(300)).is_none());
        assert_eq!(repeats.due(), Some(at(420)));
        assert!(repeats.next(at(420)).is_some());
        assert!(repeats.next(at(500)).is_none() && repeats.kept.is_empty(), "nothing is kept for longer");
    }

    #[test]
    fn a_flood_is_bounded_in_number_and_bytes() {
        let mut repeats = Repeats::default();
        assert_eq!((repeats.due(), repeats.is_over(at(9_000))), (None, false), "before the first flight");
        (0..100).for_each(|n| repeats.went(at(0), n, vec![0; 100]));
        assert_eq!(repeats.kept.len(), MOST);
        let mut repeats = Repeats::default();
        (0..100).for_each(|n| repeats.went(at(0), n, vec![0; 1_990]));
        assert!(repeats.kept.iter().map(|kept| kept.bytes.len()).sum::<usize>() <= MOST_BYTES);
        assert_eq!(repeats.kept.len(), MOST_BYTES / 1_990);
    }
}
