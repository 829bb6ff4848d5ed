//! What a process costs, from `/proc`.
//!
//! Lives here: memory, wake-ups and processor time of one process or of several threads over a time.
//! Must not: know which process that is.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::Context as _;

use crate::time::{now, pause};

/// What a process did over a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    /// Voluntary context switches: each is a time that a thread woke up and went to sleep again.
    pub(crate) switches_per_s: f64,
    pub(crate) cpu_s_per_min: f64,
}

/// Proportional share of its memory, MiB. Pages that several processes map count in parts.
pub(crate) fn pss_mib(pid: u32) -> anyhow::Result<f64> {
    Ok(field(&format!("/proc/{pid}/smaps_rollup"), "Pss:")? / 1024.0)
}

/// Watches a process for that long. Threads that end meanwhile take their share with them: those of a daemon do not.
pub(crate) async fn watch(pid: u32, lasting: Duration) -> anyhow::Result<Spent> {
    let (from, before) = (now(), threads(pid)?);
    pause(lasting).await;
    let (after, took) = (threads(pid)?, from.elapsed().as_secs_f64());
    let (mut switches, mut cpu_ns) = (0.0, 0.0);
    for (thread, (switches_now, cpu_now)) in &after {
        let (switches_then, cpu_then) = before.get(thread).copied().unwrap_or_default();
        switches += switches_now - switches_then;
        cpu_ns += cpu_now - cpu_then;
    }
    Ok(Spent { switches_per_s: switches / took, cpu_s_per_min: cpu_ns / 1e9 * 60.0 / took })
}

/// Voluntary switches and nanoseconds on a processor so far, of each thread.
fn threads(pid: u32) -> anyhow::Result<BTreeMap<String, (f64, f64)>> {
    let mut threads = BTreeMap::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task")).context("no such process")? {
        let thread = thread?.path();
        let name = thread.display().to_string();
        let switches = field(&format!("{name}/status"), "voluntary_ctxt_switches:")?;
        let cpu = fs::read_to_string(format!("{name}/schedstat"))?;
        let cpu = cpu.split_whitespace().next().context("an empty schedstat")?.parse()?;
        threads.insert(name, (switches, cpu));
    }
    Ok(threads)
}

/// The number behind a name in a file of `/proc`.
fn field(path: &str, name: &str) -> anyhow::Result<f64> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next()).context("no such field")?;
    Ok(number.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_seen_as_processor_time() {
        let pid = std::process::id();
        assert!(pss_mib(pid).unwrap() > 0.5);
        let work = std::thread::Builder::new().name("work".into()).spawn(|| {
            let from = now();
            while from.elapsed() < Duration::from_millis(400) {
                std::hint::black_box(0);
            }
        });
        let spent = watch(pid, Duration::from_millis(300)).await.unwrap();
        assert!(spent.cpu_s_per_min > 6.0, "{spent:?}");
        work.unwrap().join().unwrap();
    }
}
