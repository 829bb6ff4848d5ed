//! Daemons are killed in the middle of calls, and what an outside recorder heard is compared with what is left.
//!
//! Lives here: the moments, spread over pairs of people that call each other side by side, and the sum of what was found.
//! Must not: ask a daemon what it has lost: its bus was recorded, and another program reads its database.

mod judge;
mod pair;
mod plan;
pub(crate) mod recorder;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

pub use plan::{Kill, Phase, Plan, Role};

/// Kills that a pair lives through before a new one takes its place: a relay takes a hundred messages a minute from one
/// sender to another, and they call faster than people do.
const LIVES: usize = 3;
/// How often a kill is done again that the machine was too slow for.
const TRIES: usize = 3;

/// The sum of many kills.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Moments at which a daemon was killed.
    pub killed: usize,
    /// Of these nothing was wrong.
    pub ok: usize,
    /// Events that the bus had told and the database has not.
    pub lost_events: usize,
    /// Rows that were still open after the restart, or closed otherwise than they should be.
    pub left_open: usize,
    /// Databases that another program finds broken.
    pub corrupt: usize,
    /// Calls of the other side that did not end in time or with the right reason.
    pub other_side: usize,
    /// Calls after the restart that did not work.
    pub next_call_failed: usize,
    /// Kills that say nothing and were done again: the machine was so slow that something was shown before its commit, as
    /// the rules allow after 50 ms, and the daemon logged that.
    pub too_slow: usize,
    /// Kills by phase and role.
    pub by_phase: Vec<(String, usize)>,
    /// What was wrong, in sentences.
    pub wrong: Vec<String>,
}

impl Report {
    /// One line of JSON.
    pub fn line(&self) -> String {
        json!({
            "killed": self.killed,
            "ok": self.ok,
            "lost_events": self.lost_events,
            "left_open": self.left_open,
            "corrupt": self.corrupt,
            "other_side": self.other_side,
            "next_call_failed": self.next_call_failed,
            "too_slow": self.too_slow,
            "by_phase": self.by_phase.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        })
        .to_string()
    }

    fn add(&mut self, plan: &Plan, found: anyhow::Result<judge::Found>) {
        self.killed += 1;
        let name = plan.cell();
        match self.by_phase.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => self.by_phase.push((name, 1)),
        }
        let found = found.unwrap_or_else(|error| {
            let sentence = format!("the next call did not work: {error:#}");
            judge::Found { next_call_failed: 1, wrong: vec![sentence], ..judge::Found::default() }
        });
        self.ok += usize::from(found.wrong.is_empty());
        self.lost_events += found.lost_events;
        self.left_open += found.left_open;
        self.corrupt += found.corrupt;
        self.other_side += found.other_side;
        self.next_call_failed += found.next_call_failed;
        self.wrong.extend(found.wrong.into_iter().map(|what| format!("{plan}: {what}")));
    }
}

/// Kills a daemon at every moment of the plans, with so many pairs of people side by side. `told` hears of each.
pub async fn run(
    plans: Vec<Plan>,
    pairs: usize,
    told: impl Fn(&str) + Send + Sync + 'static,
) -> anyhow::Result<Report> {
    let plans = Arc::new(plans);
    let next = Arc::new(AtomicUsize::new(0));
    let told = Arc::new(told);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..pairs.clamp(1, plans.len()) {
        let (plans, next, told) = (Arc::clone(&plans), Arc::clone(&next), Arc::clone(&told));
        tasks.spawn(async move {
            let mut report = Report::default();
            let (mut people, mut lived) = (None, 0);
            while let Some(plan) = plans.get(next.fetch_add(1, Ordering::Relaxed)) {
                let mut two = match people.take() {
                    Some(two) => two,
                    None => {
                        lived = 0;
                        pair::Pair::start().await?
                    }
                };
                lived += 1;
                let mut found = two.live_through(plan).await;
                for _ in 0..TRIES {
                    if !found.as_ref().is_ok_and(|found| found.overtaken && found.lost_events > 0) {
                        break;
                    }
                    report.too_slow += 1;
                    found = two.live_through(plan).await;
                }
                match &found {
                    Ok(found) if found.wrong.is_empty() => told(&format!("pair {number}: {plan}: ok")),
                    Ok(found) => told(&format!("pair {number}: {plan}: {}", found.wrong.join("; "))),
                    Err(error) => told(&format!("pair {number}: {plan}: {error:#}")),
                }
                if !found.as_ref().is_ok_and(|found| found.wrong.is_empty()) {
                    two.keep_logs(plan)?;
                }
                // After a failure nothing of this pair is believed any more.
                people = (found.is_ok() && lived < LIVES).then_some(two);
                report.add(plan, found);
            }
            anyhow::Ok(report)
        });
    }
    let mut sum = Report::default();
    while let Some(report) = tasks.join_next().await {
        let report = report??;
        sum.killed += report.killed;
        sum.ok += report.ok;
        sum.lost_events += report.lost_events;
        sum.left_open += report.left_open;
        sum.corrupt += report.corrupt;
        sum.other_side += report.other_side;
        sum.next_call_failed += report.next_call_failed;
        sum.too_slow += report.too_slow;
        sum.wrong.extend(report.wrong);
        for (name, count) in report.by_phase {
            match sum.by_phase.iter_mut().find(|(known, _)| *known == name) {
                Some((_, all)) => *all += count,
                None => sum.by_phase.push((name, count)),
            }
        }
    }
    sum.by_phase.sort();
    Ok(sum)
}
