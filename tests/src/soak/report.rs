//! What a soak has found, and the limits that it must keep.
//!
//! Lives here: the figures of `target/soak/report.json`, and the words for those that are too high.
//! Must not: measure anything.

use std::collections::BTreeMap;

use serde_json::json;

use super::weight::Growth;

/// Memory may grow by this: the allocator's own noise.
const PSS_MIB: f64 = 1.0;
/// Calls in half an hour.
const CALLS: f64 = 100.0;

/// What is left of it all.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub(super) minutes: f64,
    pub(super) calls: usize,
    pub(super) unexplained_ends: usize,
    pub(super) open_captures: usize,
    pub(super) growth: Growth,
    pub(super) by_kind: BTreeMap<String, usize>,
    pub(super) by_fault: BTreeMap<String, usize>,
    pub(super) heaviest: Vec<String>,
    /// What was wrong, in sentences.
    pub wrong: Vec<String>,
}

impl Report {
    /// One object of JSON.
    pub fn json(&self) -> String {
        let round = |it: f64| (it * 100.0).round() / 100.0;
        json!({
            "minutes": round(self.minutes),
            "calls": self.calls,
            "unexplained_ends": self.unexplained_ends,
            "open_captures": self.open_captures,
            "fds_grown": self.growth.fds,
            "threads_grown": self.growth.threads,
            "tasks_grown": self.growth.tasks,
            "pss_grown_mib": round(self.growth.pss_mib),
            "by_kind": self.by_kind,
            "by_fault": self.by_fault,
            "weights": self.heaviest,
            "wrong": self.wrong,
        })
        .to_string()
    }

    /// The limits that are passed, in words; none if all is well.
    pub fn passed(&self) -> Vec<String> {
        let mut passed = Vec::new();
        let mut limit = |holds: bool, what: String| {
            if !holds {
                passed.push(what);
            }
        };
        let wanted = CALLS * (self.minutes / 30.0).min(1.0);
        let calls = f64::from(u32::try_from(self.calls).unwrap_or(u32::MAX));
        limit(calls >= wanted.floor(), format!("only {} calls", self.calls));
        limit(self.unexplained_ends == 0, format!("{} ends that nothing explains", self.unexplained_ends));
        limit(self.open_captures == 0, format!("{} captures left open", self.open_captures));
        limit(self.growth.fds == 0, format!("{} file descriptors more", self.growth.fds));
        limit(self.growth.threads == 0, format!("{} threads more", self.growth.threads));
        limit(self.growth.tasks == 0, format!("{} tasks more", self.growth.tasks));
        limit(self.growth.pss_mib <= PSS_MIB, format!("{:.2} MiB more", self.growth.pss_mib));
        passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_that_is_passed_is_named() {
        let good = Report { minutes: 30.0, calls: 100, ..Report::default() };
        assert_eq!(good.passed(), Vec::<String>::new());
        let heavy = Growth { fds: 1, threads: 2, tasks: 3, pss_mib: 1.01 };
        let bad = Report { calls: 99, unexplained_ends: 1, open_captures: 1, growth: heavy, ..good };
        assert_eq!(bad.passed().len(), 7, "{:?}", bad.passed());
    }
}
