//! `make crash`: kills daemons in the middle of calls, many times.
//!
//! Lives here: the count, the line at the end, and the report in `target/crash/report.json`.
//! Must not: know how a daemon is killed or judged.

use std::fs;
use std::process::ExitCode;

use ahoy_tests::crash::{self, Plan};
use anyhow::Context as _;

/// Pairs of people side by side.
const PAIRS: usize = 6;

#[tokio::main(flavor = "multi_thread", worker_threads = 4)]
async fn main() -> anyhow::Result<ExitCode> {
    let mut words = std::env::args().skip(1);
    let mut number = |usual: usize| words.next().map_or(Ok(usual), |word| word.parse());
    let count = number(200).context("the count of kills")?;
    let pairs = number(PAIRS).context("the count of pairs")?;
    let report = crash::run(Plan::spread(count), pairs, |line| eprintln!("{line}")).await?;
    for what in &report.wrong {
        say(what);
    }
    let folder = ahoy_tests::lab::root().join("target/crash");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("report.json"), report.line() + "\n").context("writing the report")?;
    say(&report.line());
    say(&format!("{} killed, {} ok", report.killed, report.ok));
    Ok(if report.ok == report.killed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[expect(clippy::print_stdout, reason = "the report is what the program is for")]
fn say(line: &str) {
    println!("{line}");
}
