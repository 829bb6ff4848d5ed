//! Figures of real daemons on a bus and a sound server of their own, with the relay link up.
//!
//! Lives here: which figures there are, in which order, and the check that a planted delay shows in them.
//! Must not: judge a figure. Machines are noisy: medians are to be quoted, and compared within one run, as `against` does.

mod activation;
mod against;
mod baresip;
mod calls;
mod devices;
mod figure;
mod history;
mod large;
mod load;
mod meeting;
mod mesh;
mod pair;
mod plant;
mod popup;
mod process;
mod sound;
mod time;

use std::time::Duration;

use anyhow::Context as _;
use calls::{Calls, Plain, Talk};
use figure::{Sheet, tell};
use pair::Pair;

/// Calls that are timed.
const CALLS: u32 = 20;
/// So many between two same daemons.
const BATCH: u32 = 4;
/// A call in which a sound server lost more than this is timed again, so often at most: a block of 256 frames is 5.3 ms.
const LOST: Duration = Duration::from_millis(2);
const TRIES: u32 = 3;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => run_all(&PARTS).await,
        ["--plant"] => plant::check().await,
        ["--against", old, pairs, parts @ ..] => against::compare(old.as_ref(), pairs.parse()?, parts).await,
        ["--short", part] => run(part, Sheet::Short).await,
        parts => run_all(parts).await,
    }
}

/// A part that fails costs the others nothing.
async fn run_all(parts: &[&str]) -> anyhow::Result<()> {
    let mut failed = Vec::new();
    for part in parts {
        tell(&format!("{part}:"));
        if let Err(error) = run(part, Sheet::new(part)?).await {
            tell(&format!("FAILED: {error:#}"));
            failed.push(*part);
        }
    }
    anyhow::ensure!(failed.is_empty(), "not measured: {}", failed.join(", "));
    Ok(())
}

/// In this order: what an undisturbed machine needs comes first.
const PARTS: [&str; 12] = [
    "idle",
    "bus",
    "calls",
    "load",
    "activation",
    "popup",
    "devices",
    "large",
    "history",
    "meeting",
    "mesh",
    "baresip",
];

async fn run(part: &str, mut sheet: Sheet) -> anyhow::Result<()> {
    match part {
        "idle" => load::idle(&mut sheet).await,
        "bus" => load::bus(sheet).await,
        "calls" => calls(&mut sheet).await,
        "load" => load::in_a_call(&mut sheet).await,
        "activation" => activation::measure(&mut sheet).await,
        "popup" => popup::measure(&mut sheet).await,
        "devices" => devices::measure(&mut sheet).await,
        "large" => large::measure(&mut sheet).await,
        "history" => history::measure(&mut sheet).await,
        "meeting" => meeting::measure(&mut sheet).await,
        "mesh" => mesh::measure(&mut sheet).await,
        "baresip" => baresip::measure(&mut sheet).await,
        other => anyhow::bail!("no part is called {other}: {}", PARTS.join(", ")),
    }
    .with_context(|| format!("measuring {part}"))
}

async fn calls(sheet: &mut Sheet) -> anyhow::Result<()> {
    let mut pair = Pair::start().await?;
    pair.set_voice("off").await?;
    let mut talk = Talk::begin(&pair)?;
    let mut calls = Calls::new();
    let mut made = 0;
    for n in 0..sheet.either(CALLS, BATCH - 1) {
        for again in 1..=TRIES {
            if made % BATCH == 0 {
                pair.renew().await?;
                // The first call of a daemon warms what is loaded once; it is not counted.
                talk.call(&mut pair, n, &Plain, &mut Calls::new()).await.context("the first call")?;
            }
            made += 1;
            let mut one = Calls::new();
            let lost =
                talk.call(&mut pair, n, &Plain, &mut one).await.with_context(|| format!("call {n}"))?;
            if lost <= LOST || again == TRIES {
                calls.take(one);
                break;
            }
            tell(&format!("call {n}: a sound server lost {} ms, timed again", lost.as_millis()));
        }
    }
    drop(talk);
    calls.figures().into_iter().try_for_each(|figure| sheet.put(figure))
}
