//! Two trees side by side: has any figure become worse?
//!
//! Lives here: short runs of each part with the programs of the old tree, the new one, and the old one once more as a control, in
//! turn; the ratios of each round, and the verdict.
//! Must not: measure: each run is this program once more, which is told whose programs to take.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context as _;
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::figure::{folder, percentile, tell};

/// What is measured unless parts are named: some four minutes a round.
const PARTS: [&str; 6] = ["idle", "bus", "calls", "load", "activation", "history"];
/// A figure may be worse by so much, and by the control's spread.
const MAY_BE_WORSE: f64 = 0.05;
/// This one may be worse by the control's spread alone.
const IDLE: &str = "idle_pss_mib";
/// Differences so small are chance, whatever their ratio: a wake-up or two in all the time of watching.
const GRAINS: [(&str, f64); 2] = [("idle_cpu_s_per_min", 0.005), ("idle_switches_per_s", 0.3)];
/// What must be found worse when a debug build that begins 50 ms late takes the new daemon's place.
const PLANTED: [&str; 3] = [IDLE, "call_cpu_s_per_min", "activation_ms"];
/// Whose programs a run takes: a place in each round.
const OLD: usize = 0;
const NEW: usize = 1;
const CONTROL: usize = 2;

/// The median of each figure of one run, by its name and its case.
type Figures = BTreeMap<(String, String), f64>;

/// Rounds with the programs in `old` and those beside this one; an error if a figure has become worse. Among the words may be
/// parts, and `--plant`.
pub(crate) async fn compare(old: &Path, pairs: usize, words: &[&str]) -> anyhow::Result<()> {
    anyhow::ensure!(pairs > 1, "one pair tells nothing");
    anyhow::ensure!(old.join("ahoyd").exists(), "no programs in {}", old.display());
    let planted = words.contains(&"--plant");
    let named: Vec<&str> = words.iter().copied().filter(|word| *word != "--plant").collect();
    let parts = if named.is_empty() { &PARTS[..] } else { &named[..] };
    let own = std::env::current_exe()?;
    let beside = own.parent().context("a program lies in a folder")?;
    let new = if planted { plant(beside)? } else { beside.to_owned() };

    let mut rounds: BTreeMap<(String, String), Vec<[f64; 3]>> = BTreeMap::new();
    let mut raw = fs::File::create(folder()?.join("against.jsonl"))?;
    for part in parts {
        let mut failed = 0;
        for round in 0..pairs {
            tell(&format!("{part}, round {} of {pairs}", round + 1));
            let sides = match measure(part, [old, &new, old], round).await {
                Ok(sides) => sides,
                Err(error) => {
                    tell(&format!("FAILED: {error:#}"));
                    failed += 1;
                    anyhow::ensure!(failed * 2 <= pairs, "{part} fails too often to be compared");
                    continue;
                }
            };
            for (key, before) in &sides[OLD] {
                // A figure that only one of the trees has is compared with nothing.
                let [Some(now), Some(again)] = [NEW, CONTROL].map(|side| sides[side].get(key)) else {
                    continue;
                };
                let line =
                    json!({"figure": key.0, "case": key.1, "old": before, "new": now, "control": again});
                writeln!(raw, "{line}")?;
                rounds.entry(key.clone()).or_default().push([*before, *now, *again]);
            }
        }
    }
    let verdicts: Vec<(&str, Verdict)> = rounds
        .iter()
        .map(|((figure, case), rounds)| (figure.as_str(), Verdict::of(figure, case, rounds)))
        .collect();
    verdicts.iter().for_each(|(_, verdict)| say(&verdict.line));
    let worse: Vec<&str> = verdicts.iter().filter(|(_, it)| it.worse).map(|(figure, _)| *figure).collect();
    if planted {
        let measured = |figure: &&&str| verdicts.iter().any(|(of, _)| *of == **figure);
        let blind: Vec<&&str> = PLANTED.iter().filter(measured).filter(|it| !worse.contains(*it)).collect();
        anyhow::ensure!(blind.is_empty() && !worse.is_empty(), "{blind:?} do not see it");
        say("What was planted is seen.");
        return Ok(());
    }
    anyhow::ensure!(worse.is_empty(), "worse than before: {}", worse.join(", "));
    say("Nothing is worse.");
    Ok(())
}

/// One round of a part. Who comes first changes from round to round; daemons that wait are watched side by side, each a copy.
async fn measure(part: &str, programs: [&Path; 3], round: usize) -> anyhow::Result<[Figures; 3]> {
    let turns = [0, 1, 2].map(|turn| (turn + round) % 3);
    let mut found = [const { Figures::new() }; 3];
    if part == "idle" {
        let runs = try_join_all(turns.map(|side| run(part, programs[side]))).await?;
        turns.into_iter().zip(runs).for_each(|(side, run)| found[side] = run);
    } else {
        for side in turns {
            found[side] = match run(part, programs[side]).await {
                Ok(figures) => figures,
                // A machine may have been too busy once.
                Err(_) => run(part, programs[side]).await?,
            };
        }
    }
    Ok(found)
}

async fn run(part: &str, programs: &Path) -> anyhow::Result<Figures> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["--short", part])
        .env("AHOY_LAB_PROGRAMS", programs)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let done = command.output().await?;
    anyhow::ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let mut figures = Figures::new();
    for line in String::from_utf8(done.stdout)?.lines() {
        let line: Value = serde_json::from_str(line).context("a line of figures")?;
        let word = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        figures.extend(line["median"].as_f64().map(|median| ((word("figure"), word("case")), median)));
    }
    Ok(figures)
}

/// What all rounds say of one figure.
struct Verdict {
    worse: bool,
    line: String,
}

impl Verdict {
    fn of(figure: &str, case: &str, rounds: &[[f64; 3]]) -> Self {
        let [old, new] = [OLD, NEW].map(|side| median(rounds.iter().map(|round| round[side])));
        let more = median(rounds.iter().map(|round| ratio(round[NEW], round[OLD])));
        let control: Vec<f64> = rounds.iter().map(|round| ratio(round[CONTROL], round[OLD])).collect();
        // How far from 1 the middle half of them reaches: there is no difference that they could show.
        let spread = (percentile(&control, 75) - 1.0).max(1.0 - percentile(&control, 25)).max(0.0);
        let grain = GRAINS.iter().find(|(name, _)| *name == figure).map_or(0.0, |(_, grain)| *grain);
        let limit = 1.0 + spread + if figure == IDLE { 0.0 } else { MAY_BE_WORSE };
        let worse = more > limit && new - old > grain;
        let name = [figure, case].join(" ");
        let mark = if worse { "WORSE" } else { "" };
        let (percent, around, n) = ((more - 1.0) * 100.0, spread * 100.0, rounds.len());
        let line = format!(
            "{name:36} old {old:9.3}  new {new:9.3}  {percent:+6.1} %  control ±{around:.1} %  n {n}  {mark}"
        );
        Self { worse, line: line.trim_end().to_owned() }
    }
}

fn median(samples: impl Iterator<Item = f64>) -> f64 {
    percentile(&samples.collect::<Vec<_>>(), 50)
}

/// How many times as much; nothing is as much as nothing.
fn ratio(one: f64, other: f64) -> f64 {
    match (one > 0.0, other > 0.0) {
        (_, true) => one / other,
        (true, false) => f64::INFINITY,
        (false, false) => 1.0,
    }
}

/// Programs as those in that folder, but the daemon is a debug build, which begins 50 ms late.
fn plant(programs: &Path) -> anyhow::Result<PathBuf> {
    let (late, debug) = (folder()?.join("late"), programs.with_file_name("debug").join("ahoyd"));
    fs::create_dir_all(&late)?;
    for name in ["ahoyctl", "ahoy-relay"] {
        fs::copy(programs.join(name), late.join(name)).with_context(|| format!("copying {name}"))?;
    }
    let daemon = late.join("ahoyd");
    fs::write(&daemon, format!("#!/bin/sh\nsleep 0.05\nexec {} \"$@\"\n", debug.display()))?;
    fs::set_permissions(&daemon, fs::Permissions::from_mode(0o755))?;
    Ok(late)
}

#[expect(clippy::print_stdout, reason = "the verdict is what was asked for")]
fn say(line: &str) {
    println!("{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worse_is_more_than_a_twentieth_and_the_controls_spread() {
        // A quiet control, and one that reaches 10 % to both sides.
        let quiet = [1.0, 1.0, 1.0, 1.0];
        let noisy = [0.9, 1.1, 0.9, 1.1];
        let cases = [
            ("call_cpu_s_per_min", quiet, 1.04, false),
            ("call_cpu_s_per_min", quiet, 1.06, true),
            ("call_cpu_s_per_min", noisy, 1.14, false),
            ("call_cpu_s_per_min", noisy, 1.16, true),
            ("call_cpu_s_per_min", quiet, 0.5, false),
            // Memory at rest may not grow at all.
            (IDLE, quiet, 1.01, true),
            (IDLE, quiet, 1.0, false),
            (IDLE, noisy, 1.09, false),
        ];
        for (figure, control, new, worse) in cases {
            let rounds = control.map(|control| [10.0, 10.0 * new, 10.0 * control]);
            let verdict = Verdict::of(figure, "", &rounds);
            assert_eq!(verdict.worse, worse, "{control:?}: {}", verdict.line);
        }
    }

    #[test]
    fn a_wake_up_more_is_no_heavier_program() {
        let worse = |new: f64| Verdict::of("idle_switches_per_s", "", &[[0.1, new, 0.1]; 3]).worse;
        assert!(!worse(0.3) && worse(1.0));
    }

    #[test]
    fn nothing_is_as_much_as_nothing_and_less_than_anything() {
        assert!(
            (ratio(0.0, 0.0) - 1.0).abs() < 1e-9 && ratio(0.1, 0.0).is_infinite() && ratio(0.0, 0.1) < 1e-9
        );
    }
}
