//! `make soak`: four people call each other for half an hour while their world breaks and is mended.
//!
//! Lives here: the minutes, the line at the end, and the report in `target/soak/report.json`.
//! Must not: know how a call is led or judged.

use std::fs;
use std::process::ExitCode;

use ahoy_tests::soak::{self, Plant};
use anyhow::Context as _;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<ExitCode> {
    let mut words = std::env::args().skip(1);
    let minutes: f64 = words.next().map_or(Ok(30.0), |word| word.parse()).context("the minutes")?;
    let plant = match words.next().as_deref() {
        None => Plant::Nothing,
        Some("--plant-end") => Plant::End,
        Some("--plant-leak") => Plant::Leak,
        Some(other) => anyhow::bail!("soak [MINUTES] [--plant-end|--plant-leak], not {other}"),
    };
    let folder = ahoy_tests::lab::root().join("target/soak");
    fs::create_dir_all(&folder)?;
    let report = soak::run(minutes, plant, &folder, say).await?;
    fs::write(folder.join("report.json"), report.json() + "\n").context("writing the report")?;
    report.wrong.iter().for_each(|what| say(what));
    say(&report.json());
    let passed = report.passed();
    passed.iter().for_each(|what| say(&format!("Not so: {what}")));
    if passed.is_empty() {
        say("Nothing was lost, and nothing is left open.");
    }
    Ok(if passed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[expect(clippy::print_stdout, reason = "the report is what the program is for")]
fn say(line: &str) {
    println!("{line}");
}
