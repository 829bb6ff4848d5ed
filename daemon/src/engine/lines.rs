//! The lines of the calls: how they are, and what history keeps of them.
//!
//! Lives here: the last word of media on each call, and for how long which quality was shown.
//! Must not: measure, judge, or hold an address.

use std::collections::BTreeMap;
use std::time::Duration;

use ahoy_call::{CallId, Moment};

use crate::values::line::{Line, LineSummary, PathKind, Quality};

/// The lines of calls that are not over yet.
#[derive(Debug, Default)]
pub(super) struct Lines {
    of: BTreeMap<CallId, LineOf>,
}

#[derive(Debug, Default)]
struct LineOf {
    line: Line,
    since: Moment,
    /// How long each quality was shown, in the order of `Quality::ALL`.
    lasted: [Duration; Quality::ALL.len()],
    path: Option<PathKind>,
}

impl LineOf {
    fn lasts_until(&mut self, now: Moment) {
        if let Some(quality) = self.line.quality
            && let Some(lasted) = self.lasted.get_mut(rank(quality))
        {
            *lasted += now.since(self.since);
        }
        self.since = now;
    }
}

impl Lines {
    /// Media tell how the line of a call is now.
    pub(super) fn is(&mut self, now: Moment, call: CallId, line: Line) {
        let of = self.of.entry(call).or_default();
        of.lasts_until(now);
        (of.line, of.path) = (line, line.path.or(of.path));
    }

    /// How the line of a call was until now; none where none was up.
    pub(super) fn summary(&self, now: Moment, call: CallId) -> Option<LineSummary> {
        let of = self.of.get(&call)?;
        let mut lasted = of.lasted;
        if let Some(quality) = of.line.quality {
            lasted[rank(quality)] += now.since(of.since);
        }
        Some(LineSummary { quality: median(lasted), path: of.path, repairs: of.line.repairs })
    }

    /// Only these calls are there still.
    pub(super) fn keep(&mut self, is_there: impl Fn(CallId) -> bool) {
        self.of.retain(|call, _| is_there(*call));
    }
}

/// The quality that was or was surpassed in half of the time; none if none was shown.
fn median(lasted: [Duration; Quality::ALL.len()]) -> Option<Quality> {
    let all: Duration = lasted.iter().sum();
    let mut until = Duration::ZERO;
    let found = Quality::ALL.into_iter().zip(lasted).find(|(_, lasted)| {
        until += *lasted;
        until * 2 >= all
    });
    found.filter(|_| all > Duration::ZERO).map(|(quality, _)| quality)
}

fn rank(quality: Quality) -> usize {
    Quality::ALL.iter().position(|one| *one == quality).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: CallId = CallId::from_bytes([1; 16]);

    fn at(second: u64) -> Moment {
        Moment::from_micros(second * 1_000_000)
    }

    #[test]
    fn history_gets_the_median_over_time_and_the_last_way_there_was() {
        let mut lines = Lines::default();
        assert_eq!(lines.summary(at(9), CALL), None, "no line was up");
        let is = |quality, path, repairs| Line { quality, path, repairs, speaking_muted: false };
        let direct = Some(PathKind::Direct);
        lines.is(at(10), CALL, is(None, direct, 0));
        let summary = |quality, path, repairs| Some(LineSummary { quality, path, repairs });
        assert_eq!(lines.summary(at(11), CALL), summary(None, direct, 0), "not judged yet");
        lines.is(at(12), CALL, is(Some(Quality::Excellent), direct, 0));
        lines.is(at(20), CALL, is(Some(Quality::Lost), None, 0));
        lines.is(at(22), CALL, is(Some(Quality::Fair), Some(PathKind::RelayUdp), 1));
        // Excellent for 8 s, lost for 2, fair since.
        assert_eq!(
            lines.summary(at(24), CALL),
            summary(Some(Quality::Excellent), Some(PathKind::RelayUdp), 1),
            "8 of 12 s"
        );
        assert_eq!(lines.summary(at(32), CALL).unwrap().quality, Some(Quality::Fair), "10 of 20 s");
        lines.is(at(32), CALL, is(Some(Quality::Lost), None, 1));
        assert_eq!(lines.summary(at(33), CALL).unwrap().path, Some(PathKind::RelayUdp));
        lines.keep(|_| false);
        assert_eq!(lines.summary(at(34), CALL), None);
    }
}
