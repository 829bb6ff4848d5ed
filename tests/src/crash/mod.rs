//! Daemons are killed in the middle of calls, and what an outside recorder heard is compared with what is left.
//!
//! Lives here: the moments, spread over pairs of people that call each other side by side, and the sum of what was found.
//! Must not: ask a daemon what it has lost: its bus was recorded, and another program reads its database.

mod judge;
mod pair;
mod plan;
pub(crate) mod recorder;

use std::collections::BTreeMap;
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
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Moments at which a daemon was killed.
    pub killed: usize,
    /// Of these nothing was wrong.
    pub ok: usize,
    /// Kills that say nothing and were done again: the machine was so slow that something was shown before its commit, as
    /// the rules allow after 50 ms, and the daemon logged that.
    pub too_slow: usize,
    /// Kills by phase and role.
    pub by_phase: BTreeMap<String, usize>,
    /// What was wrong, in sentences.
    pub wrong: Vec<String>,
    /// And in numbers.
    found: judge::Found,
}

impl Report {
    /// One line of JSON.
    pub fn line(&self) -> String {
        json!({
            "killed": self.killed,
            "ok": self.ok,
            "lost_events": self.found.lost_events,
            "left_open": self.found.left_open,
            "corrupt": self.found.corrupt,
            "other_side": self.found.other_side,
            "next_call_failed": self.found.next_call_failed,
            "too_slow": self.too_slow,
            "by_phase": self.by_phase,
        })
        .to_string()
    }

    fn add(&mut self, plan: &Plan, found: anyhow::Result<judge::Found>) {
        let mut found = found.unwrap_or_else(|error| {
            let sentence = format!("the next call did not work: {error:#}");
            judge::Found { next_call_failed: 1, wrong: vec![sentence], ..judge::Found::default() }
        });
        let wrong: Vec<String> = found.wrong.drain(..).map(|what| format!("{plan}: {what}")).collect();
        let (ok, by_phase) = (usize::from(wrong.is_empty()), BTreeMap::from([(plan.cell(), 1)]));
        self.sum(Self { killed: 1, ok, too_slow: 0, by_phase, wrong, found });
    }

    fn sum(&mut self, other: Self) {
        self.killed += other.killed;
        self.ok += other.ok;
        self.too_slow += other.too_slow;
        self.wrong.extend(other.wrong);
        self.found.sum(&other.found);
        for (name, count) in other.by_phase {
            *self.by_phase.entry(name).or_default() += count;
        }
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
        sum.sum(report??);
    }
    Ok(sum)
}
