//! What a program holds while it rests: descriptors, threads, tasks, memory.
//!
//! Lives here: reading that from outside, and how much it has grown.
//! Must not: believe a program but for its count of tasks, which nobody else can see.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

/// What one process holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Weight {
    pub(super) fds: usize,
    pub(super) threads: usize,
    pub(super) tasks: usize,
    pub(super) pss_mib: f64,
}

/// A process that is weighed.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) name: String,
    pub(super) pid: u32,
    /// Where it answers how many tasks live.
    pub(super) log: PathBuf,
    /// How many runtimes answer.
    pub(super) runtimes: usize,
}

/// How much the worst of all has grown.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Growth {
    pub(super) fds: usize,
    pub(super) threads: usize,
    pub(super) tasks: usize,
    pub(super) pss_mib: f64,
}

impl Weight {
    /// The lightest of several looks: what comes and goes by itself is in none of them all the time.
    pub(super) fn least(self, other: Self) -> Self {
        Self {
            fds: self.fds.min(other.fds),
            threads: self.threads.min(other.threads),
            tasks: self.tasks.min(other.tasks),
            pss_mib: self.pss_mib.min(other.pss_mib),
        }
    }
}

impl Growth {
    /// Takes another process into account.
    pub(super) fn add(&mut self, before: Weight, after: Weight) {
        self.fds = self.fds.max(after.fds.saturating_sub(before.fds));
        self.threads = self.threads.max(after.threads.saturating_sub(before.threads));
        self.tasks = self.tasks.max(after.tasks.saturating_sub(before.tasks));
        self.pss_mib = self.pss_mib.max(after.pss_mib - before.pss_mib);
    }
}

impl Body {
    /// One look. `wait` passes a moment between two looks into the log.
    pub(super) async fn weigh(&self, wait: impl AsyncFn()) -> anyhow::Result<Weight> {
        let count =
            |what: &str| Ok::<_, std::io::Error>(fs::read_dir(format!("/proc/{}/{what}", self.pid))?.count());
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid))?;
        let pss = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss")?;
        let kib: f64 = pss.split_whitespace().next().context("an empty Pss")?.parse()?;
        Ok(Weight {
            fds: count("fd")?,
            threads: count("task")?,
            tasks: self.tasks(wait).await?,
            pss_mib: kib / 1024.0,
        })
    }

    /// What exactly it holds, for whoever looks into growth: each thread, each descriptor, each mapping.
    pub(super) fn inventory(&self) -> anyhow::Result<String> {
        let proc = PathBuf::from(format!("/proc/{}", self.pid));
        let mut lines = Vec::new();
        for entry in fs::read_dir(proc.join("task"))? {
            // What ends meanwhile is not there.
            let name = fs::read_to_string(entry?.path().join("comm")).unwrap_or_default();
            lines.push(format!("thread {}", name.trim()));
        }
        for entry in fs::read_dir(proc.join("fd"))? {
            let target = fs::read_link(entry?.path()).unwrap_or_default();
            lines.push(format!("descriptor {}", target.display()));
        }
        lines.sort();
        Ok(format!("{}\n{}", lines.join("\n"), fs::read_to_string(proc.join("smaps"))?))
    }

    async fn tasks(&self, wait: impl AsyncFn()) -> anyhow::Result<usize> {
        let from = fs::metadata(&self.log)?.len();
        let asked = Command::new("kill").args(["-USR1", &self.pid.to_string()]).status()?;
        anyhow::ensure!(asked.success(), "{} is gone", self.name);
        for _ in 0..100 {
            let told = told_since(&self.log, from)?;
            if told.len() >= self.runtimes {
                return Ok(told.iter().sum());
            }
            wait().await;
        }
        anyhow::bail!("{} does not say how many tasks live", self.name)
    }
}

/// The counts that stand in a log behind that position.
fn told_since(log: &Path, from: u64) -> anyhow::Result<Vec<usize>> {
    let all = fs::read(log)?;
    let new = all.get(usize::try_from(from)?..).unwrap_or_default();
    Ok(counts(&String::from_utf8_lossy(new)))
}

fn counts(log: &str) -> Vec<usize> {
    let lines = log.lines().filter(|line| line.contains("tasks that live"));
    lines.filter_map(|line| line.rsplit_once("tasks=")?.1.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_all_counts_and_what_shrank_does_not_make_up_for_it() {
        let light = Weight { fds: 30, threads: 5, tasks: 20, pss_mib: 9.0 };
        let mut growth = Growth::default();
        growth.add(light, Weight { fds: 20, threads: 5, tasks: 20, pss_mib: 8.0 });
        assert_eq!(growth, Growth::default());
        growth.add(light, Weight { fds: 31, threads: 4, tasks: 22, pss_mib: 10.5 });
        assert_eq!(growth, Growth { fds: 1, threads: 0, tasks: 2, pss_mib: 1.5 });
        assert_eq!(light.least(Weight { fds: 31, threads: 4, tasks: 20, pss_mib: 8.5 }).threads, 4);
    }

    #[test]
    fn the_counts_of_all_runtimes_are_read_out_of_a_log() {
        let log = "INFO ahoyd::system::census: tasks that live of=\"main\" tasks=12\nDEBUG ahoyd: tasks=9\nINFO ahoyd::system::census: tasks that live of=\"media\" tasks=3\n";
        assert_eq!(counts(log), [12, 3]);
    }

    #[tokio::test]
    async fn a_descriptor_that_is_left_open_is_seen() {
        let pid = std::process::id();
        let open = || fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
        let before = open();
        let files: Vec<_> = (0..9).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        assert!(open() >= before + 5, "{} files more", files.len());
    }
}
