//! Cores that do not sleep while sound is measured, and how much of their time was left over.
//!
//! Lives here: the loops of `tests/lab/awake.sh`, one for each core, and what they tell of the machine.
//! Must not: judge a call, or take time from anybody: the loops run when nobody else wants to.

use std::fs;
use std::process::Command;
use std::sync::OnceLock;
use std::thread::available_parallelism;

use super::{Running, root};

/// So much of all cores' time must be left over that a machine counts as quiet.
const QUIET: f64 = 0.5;
/// What `/proc` counts processor time in; the same on every Linux for programs.
const TICKS: f64 = 100.0;

/// The loops. They end with this, at the latest with the process.
#[derive(Debug)]
pub struct Awake(Vec<Running>);

/// A moment that `left` counts from.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    spent: f64,
    at: f64,
}

impl Awake {
    /// Starts a loop for each core. A machine that cannot is measured as it is.
    fn start() -> Self {
        let cores = available_parallelism().map_or(1, std::num::NonZero::get);
        let script = root().join("tests/lab/awake.sh");
        let one = |_| Running::start(Command::new(&script).arg(std::process::id().to_string())).ok();
        Self((0..cores).filter_map(one).collect())
    }

    /// Those of this process, started by the first who asks: tests that run side by side share them.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Awake> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Now.
    pub fn mark(&self) -> Mark {
        Mark { spent: self.0.iter().map(|running| spent(running.id())).sum(), at: uptime() }
    }

    /// The share of all cores' time that nobody wanted since then, 0 to 1.
    pub fn left(&self, since: Mark) -> f64 {
        let now = self.mark();
        let cores = u32::try_from(self.0.len()).unwrap_or(1).max(1);
        (now.spent - since.spent) / (now.at - since.at).max(0.01) / f64::from(cores)
    }

    /// Whether the machine has had little else to do since then.
    pub fn quiet(&self, since: Mark) -> bool {
        self.left(since) >= QUIET
    }
}

/// Seconds on a processor so far; 0 of a process that is gone.
fn spent(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name, in brackets, may hold anything.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS
}

/// Seconds since the machine was started.
fn uptime() -> f64 {
    let text = fs::read_to_string("/proc/uptime").unwrap_or_default();
    text.split(' ').next().and_then(|seconds| seconds.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_is_kept_awake_by_a_loop_that_takes_only_what_nobody_wants() {
        let awake = Awake::start();
        let mark = awake.mark();
        // A loop needs some time to begin; on a machine that is busy with other things it gets next to none, but some.
        let begun = (0..600).any(|_| {
            let waited = Command::new("sleep").arg("0.05").status();
            waited.is_ok() && awake.left(mark) > 0.0
        });
        assert!(begun, "the loops run");
        for running in &awake.0 {
            let of = Command::new("chrt").args(["-p", &running.id().to_string()]).output().unwrap();
            let said = String::from_utf8_lossy(&of.stdout).into_owned();
            assert!(said.contains("SCHED_IDLE"), "{said}");
        }
    }
}
