//! How good a line is: four steps and none, from what it loses and how long it takes.
//!
//! Lives here: the steps, and how long a step must hold before it is shown, pure.
//! Must not: measure, or tell anybody.

use std::time::Duration;

use ahoy_call::Moment;

use crate::values::line::Quality;

/// A line that loses more than this share, or answers later than this, is no better than the step beside it.
const STEPS: [(f32, Duration, Quality); 3] = [
    (0.10, Duration::from_millis(500), Quality::Poor),
    (0.05, Duration::from_millis(300), Quality::Fair),
    (0.02, Duration::from_millis(150), Quality::Good),
];
/// Looks at the line, one a second: a step better is shown when all of so many were better, and loss is counted over them.
const LOOKS: usize = 5;
/// A step worse is shown when so many in a row were worse.
const WORSE: usize = 2;
/// At most one change in this time.
const STEADY: Duration = Duration::from_secs(1);

/// What one look at a line found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Look {
    /// The share of packets that got lost in the last second, the worse of both ways: 0 to 1.
    pub(super) lost: f32,
    /// To the other side and back; none while that is not known.
    pub(super) round_trip: Option<Duration>,
}

/// The step of a line that loses this share and takes so long.
pub(super) fn step(lost: f32, round_trip: Option<Duration>) -> Quality {
    let late = |most| round_trip.is_some_and(|trip| trip > most);
    let worse = STEPS.into_iter().find(|(most, longest, _)| lost > *most || late(*longest));
    worse.map_or(Quality::Excellent, |(.., step)| step)
}

/// Follows one line.
#[derive(Debug, Default)]
pub(super) struct QualityWatch {
    /// What the last looks found, the newest first.
    lost: [f32; LOOKS],
    steps: [Option<Quality>; LOOKS],
    shown: Option<Quality>,
    changed: Option<Moment>,
}

impl QualityWatch {
    /// A look at a line that is up. To be called once a second.
    pub(super) fn look(&mut self, now: Moment, look: Look) {
        self.lost.rotate_right(1);
        self.steps.rotate_right(1);
        self.lost[0] = look.lost;
        let known = 1 + self.steps[1..].iter().flatten().count();
        let lost = self.lost[..known].iter().sum::<f32>() / known as f32;
        self.steps[0] = Some(step(lost, look.round_trip));
        let shown = match self.shown {
            None | Some(Quality::Lost) => self.steps[0],
            Some(shown) => Some(self.next(shown)),
        };
        self.show(now, shown);
    }

    /// There is no path now. What comes after it is judged anew.
    pub(super) fn lost(&mut self, now: Moment) {
        (self.lost, self.steps) = Default::default();
        self.show(now, Some(Quality::Lost));
    }

    /// What is shown; none before the first look.
    pub(super) fn shown(&self) -> Option<Quality> {
        self.shown
    }

    fn next(&self, shown: Quality) -> Quality {
        let all = |looks: usize| self.steps.get(..looks).unwrap_or_default().iter();
        let best = all(WORSE).map(|step| step.map_or(0, rank)).min().unwrap_or(0);
        let worst = all(LOOKS).map(|step| step.map_or(usize::MAX, rank)).max().unwrap_or(usize::MAX);
        let rank = match rank(shown) {
            now if best > now => best,
            now if worst < now => worst,
            now => now,
        };
        Quality::ALL.get(rank).copied().unwrap_or(shown)
    }

    fn show(&mut self, now: Moment, quality: Option<Quality>) {
        let settled = self.changed.is_none_or(|changed| now.since(changed) >= STEADY);
        if quality != self.shown && settled {
            (self.shown, self.changed) = (quality, Some(now));
        }
    }
}

/// The better, the lower.
fn rank(quality: Quality) -> usize {
    match quality {
        Quality::Excellent => 0,
        Quality::Good => 1,
        Quality::Fair => 2,
        Quality::Poor => 3,
        Quality::Lost => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::Quality::{Excellent, Fair, Good, Lost, Poor};
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_micros(1_000_000 + ms * 1_000)
    }

    fn ms(ms: u64) -> Option<Duration> {
        Some(Duration::from_millis(ms))
    }

    /// What is shown after each look of such a round trip, a second apart, from this second on.
    fn shown(watch: &mut QualityWatch, from: u64, trips: &[u64]) -> Vec<Quality> {
        let look = |(second, trip): (u64, &u64)| {
            watch.look(at(second * 1_000), Look { lost: 0.0, round_trip: ms(*trip) });
            watch.shown().unwrap()
        };
        (from..).zip(trips).map(look).collect()
    }

    #[test]
    fn the_steps_lie_where_loss_or_delay_pass_their_bounds() {
        let table = [
            (0.0, None, Excellent),
            (0.02, ms(150), Excellent),
            (0.021, ms(0), Good),
            (0.0, ms(151), Good),
            (0.05, ms(300), Good),
            (0.051, ms(0), Fair),
            (0.0, ms(301), Fair),
            (0.10, ms(500), Fair),
            (0.101, ms(0), Poor),
            (0.0, ms(501), Poor),
            (1.0, None, Poor),
        ];
        for (lost, round_trip, quality) in table {
            assert_eq!(step(lost, round_trip), quality, "{lost} {round_trip:?}");
        }
    }

    #[test]
    fn nothing_is_shown_before_the_first_look_which_counts_at_once() {
        let mut watch = QualityWatch::default();
        assert_eq!(watch.shown(), None);
        assert_eq!(shown(&mut watch, 0, &[400]), [Fair]);
    }

    #[test]
    fn one_odd_look_is_no_change_and_two_in_a_row_are() {
        let mut watch = QualityWatch::default();
        assert_eq!(shown(&mut watch, 0, &[20, 900, 20, 20]), [Excellent; 4]);
        let seen = shown(&mut watch, 4, &[900, 400, 400]);
        assert_eq!(seen, [Excellent, Fair, Fair], "as bad as both of them were");
    }

    #[test]
    fn a_line_that_swings_around_a_bound_is_shown_at_its_worse() {
        let mut watch = QualityWatch::default();
        let swing: Vec<u64> = [160, 160].into_iter().chain([140, 160].into_iter().cycle().take(40)).collect();
        let seen = shown(&mut watch, 0, &swing);
        assert!(seen.iter().all(|quality| *quality == Good), "{seen:?}");
        let seen = shown(&mut watch, 42, &[140; 6]);
        assert_eq!(seen, [Good, Good, Good, Good, Excellent, Excellent], "five seconds better");
    }

    #[test]
    fn loss_counts_as_the_mean_of_five_seconds() {
        let mut watch = QualityWatch::default();
        let lost = [0.0, 0.0, 0.0, 0.0, 0.12, 0.12, 0.12, 0.12, 0.12, 0.12];
        let seen: Vec<Quality> = (0..)
            .zip(lost)
            .map(|(second, lost)| {
                watch.look(at(second * 1_000), Look { lost, round_trip: None });
                watch.shown().unwrap()
            })
            .collect();
        let mut expected = vec![Excellent; 5];
        expected.extend([Good, Good, Fair, Fair, Poor]);
        assert_eq!(seen, expected, "means of 2.4, 4.8, 7.2, 9.6 and 12 %, each when the second look says so");
    }

    #[test]
    fn without_a_path_it_is_lost_at_once_and_what_comes_after_is_judged_anew() {
        let mut watch = QualityWatch::default();
        shown(&mut watch, 0, &[900; 8]);
        watch.lost(at(8_500));
        assert_eq!(watch.shown(), Some(Lost));
        assert_eq!(shown(&mut watch, 10, &[20]), [Excellent]);
    }

    #[test]
    fn there_is_at_most_one_change_a_second_whatever_happens() {
        let mut watch = QualityWatch::default();
        let (mut before, mut changed) = (None, None);
        for n in 0..4_000_u64 {
            let now = at(n * 50);
            // A path that comes and goes more often than anybody can read.
            match n % 7 < 3 {
                true => watch.lost(now),
                false => watch.look(now, Look { lost: 0.0, round_trip: ms(n % 5 * 150) }),
            }
            if watch.shown() != before {
                let since = changed.replace(now).map_or(STEADY, |changed| now.since(changed));
                assert!(since >= STEADY, "{since:?} after {before:?}");
                before = watch.shown();
            }
        }
        assert!(changed.is_some_and(|at| at > self::at(150_000)), "it changed on");
    }
}
