//! The machine below: the daemon's own files, priority for sound, the clocks.
//!
//! Lives here: what is known of them, in sentences.
//! Must not: set a clock or a priority.

use crate::system::{clock, priority};
use crate::values::diagnosis::{Check, Datum, Finding, Surroundings};

/// By how many seconds a calendar may be wrong before its person should know: times in the history are.
const WRONG: u64 = 120;
/// And before what we say is believed by nobody any more: certificates begin and end, what was kept is too old.
const BEYOND: u64 = 86_400;

/// What the daemon misses that no other check looks at.
pub(super) fn daemon(around: &Surroundings) -> Vec<Finding> {
    if around.problems.is_empty() {
        let sentence = format!("ahoyd {} runs, and its files are in order.", env!("CARGO_PKG_VERSION"));
        return vec![Finding::ok(Check::Daemon, sentence)];
    }
    around.problems.iter().map(|problem| Finding::warn(Check::Daemon, problem.clone())).collect()
}

/// Whether the threads of sound would get priority in a call.
pub(super) async fn real_time() -> Vec<Finding> {
    let found = match priority::is_given().await {
        Ok(()) => Finding::ok(Check::RealTime, "Sound gets real-time priority in a call."),
        Err(priority::Why::Absent) => Finding::warn(
            Check::RealTime,
            "Nobody gives sound real-time priority, so speech may stutter on a busy machine: install rtkit.",
        ),
        Err(priority::Why::Refused) => Finding::warn(
            Check::RealTime,
            "RealtimeKit refuses sound its real-time priority, so speech may stutter on a busy machine: systemctl status rtkit-daemon",
        ),
    };
    vec![found]
}

/// Whether time goes on as it should, and how far our calendar is from a relay's.
pub(super) fn clock(ahead_s: Option<i64>) -> Finding {
    judge(clock::boot_time_is_sane(), ahead_s)
}

fn judge(sane: bool, ahead_s: Option<i64>) -> Finding {
    if !sane {
        let sentence = "The kernel's time since boot does not go on as it should, and calls are timed by it: restart the machine.";
        return Finding::fail(Check::Clock, sentence);
    }
    let Some(ahead_s) = ahead_s else {
        return Finding::ok(Check::Clock, "Time goes on; no relay has told its own to compare with.");
    };
    let (off, way) = (ahead_s.unsigned_abs(), if ahead_s < 0 { "behind" } else { "ahead of" });
    #[expect(clippy::cast_precision_loss, reason = "seconds of a calendar that is wrong")]
    let found = |found: fn(Check, String) -> Finding, sentence| {
        found(Check::Clock, sentence).with("ahead-s", Datum::Real(ahead_s as f64))
    };
    if off > BEYOND {
        let days = off / BEYOND;
        return found(
            Finding::fail,
            format!(
                "Your clock is {days} days {way} the relay's, and others do not believe you: set it, `timedatectl`."
            ),
        );
    }
    if off > WRONG {
        let minutes = off / 60;
        return found(
            Finding::warn,
            format!(
                "Your clock is {minutes} min {way} the relay's, so times in the history are wrong: set it, `timedatectl`."
            ),
        );
    }
    found(Finding::ok, "Your clock agrees with the relay's.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::diagnosis::Verdict;

    #[test]
    fn a_clock_is_judged_by_how_far_it_is_from_the_relays() {
        let verdict = |ahead_s| judge(true, ahead_s).verdict;
        assert_eq!([None, Some(0), Some(-120), Some(120)].map(verdict), [Verdict::Ok; 4]);
        assert_eq!([Some(121), Some(-86_400)].map(verdict), [Verdict::Warn; 2]);
        assert_eq!([Some(86_401), Some(i64::MIN)].map(verdict), [Verdict::Fail; 2]);
        assert_eq!(judge(false, Some(0)).verdict, Verdict::Fail);
        assert!(judge(true, Some(-600)).sentence.contains("10 min behind"));
    }
}
