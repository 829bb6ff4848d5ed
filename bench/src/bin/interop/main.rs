//! Calls between our path and other programs that speak WebRTC: two browsers, and Python's aiortc.
//!
//!     interop [PROGRAM...] [--case CASE...]       (AHOY_INTEROP_LOG=debug: with what our path decides)
//!
//! Lives here: who is tried with what, and the line of each case in `target/interop/report.jsonl`.
//! Must not: use a daemon, a relay or a sound device.

mod cases;
mod ours;
mod programs;
mod tone;
mod wire;
mod world;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use ahoyd::system::{clock, log};
use anyhow::Context as _;
use cases::Figures;
use programs::Program;
use serde_json::json;
use wire::Server;
use world::World;

/// So long one case may take.
const CASE_WITHIN: Duration = Duration::from_secs(90);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<ExitCode> {
    if let Some(level) = std::env::var("AHOY_INTEROP_LOG").ok().and_then(|name| log::named(&name)) {
        log::begin(level);
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (programs, only) = match words.iter().position(|word| word == "--case") {
        Some(at) => (&words[..at], &words[at + 1..]),
        None => (&words[..], &[][..]),
    };
    let target = PathBuf::from(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()));
    let folder = target.join("interop");
    fs::create_dir_all(&folder).context("making the report's folder")?;
    let mut report = fs::File::create(folder.join("report.jsonl")).context("making the report")?;
    let mut failed = 0;
    for program in Program::ALL {
        if programs.is_empty() || programs.iter().any(|name| name == program.name()) {
            failed += with(program, only, &target, &mut report).await?;
        }
    }
    tell(&format!("{failed} cases failed"));
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Every case with one program; returns how many failed.
async fn with(
    program: Program,
    only: &[String],
    target: &Path,
    report: &mut fs::File,
) -> anyhow::Result<u32> {
    let mut failed = 0;
    for case in program.cases().iter().filter(|case| only.is_empty() || only.iter().any(|one| one == *case)) {
        // A program of its own for each: what one case breaks is not taken for the fault of the next.
        let done = clock::timeout(CASE_WITHIN, once(program, case, target)).await;
        let done = done.context("it takes too long").and_then(|done| done);
        let figures = done.as_ref().copied().unwrap_or_default();
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let mut line = json!({
            "case": case,
            "peer": program.name(),
            "ok": done.is_ok(),
            "heard_a_ms": figures.heard.map(|(here, _)| ms(here)),
            "heard_b_ms": figures.heard.map(|(_, there)| ms(there)),
            "gap_ms": figures.gap.map(ms),
        });
        if let Err(error) = done {
            failed += 1;
            line["why"] = json!(format!("{error:#}"));
        }
        let text = line.to_string();
        writeln!(report, "{text}").context("writing the report")?;
        tell(&text);
    }
    Ok(failed)
}

async fn once(program: Program, case: &str, target: &Path) -> anyhow::Result<Figures> {
    let home = tempfile::tempdir().context("making a home")?;
    let server = Server::begin().await?;
    let running = program.begin(server.port, home.path(), target).await?;
    let mut world = World::begin(server.wait().await?).await?;
    let figures = cases::run(case, &mut world).await;
    // What failed is told; what ends after it is not.
    let parted = world.part().await;
    running.end().await?;
    let figures = figures?;
    parted.map(|()| figures)
}

#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
fn tell(line: &str) {
    println!("{line}");
}
