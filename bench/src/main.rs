//! Figures of real daemons on a bus and a sound server of their own, with the relay link up.
//!
//! Lives here: what is measured, and the lines that are printed: one JSON object a figure, also in `target/bench/calls.jsonl`.
//! Must not: judge a figure. Machines are noisy: medians are to be quoted, and compared within one run.

mod figure;

use std::fs;
use std::time::{Duration, Instant};

use ahoy_dbus::{Dict, proxy};
use ahoy_tests::lab::{Desk, Net, Relay};
use anyhow::Context as _;
use figure::Figure;

const PATIENCE: Duration = Duration::from_secs(10);
/// Calls, starts.
const ROUNDS: usize = 10;
/// Calls of a method.
const METHOD_CALLS: usize = 2_000;
/// How long an idle daemon is watched.
const IDLE: Duration = Duration::from_secs(20);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let net = Net::new()?;
    let relay = Relay::start(&net, 0)?;
    let mut ana = Desk::start("Ana", &relay.url, &net).await?;
    let ben = Desk::start("Ben", &relay.url, &net).await?;
    for (from, to) in [(&ana, &ben), (&ben, &ana)] {
        let card = from.ctl_says(&["account", "card", "--for", &to.name])?;
        to.ctl_reads(&["contact", "add", "-"], &card)?;
    }
    let mut figures = vec![bus_call(&ana).await?];
    figures.extend(calls(&ana, &ben).await?);
    figures.extend(idle(&mut ana).await?);
    figures.push(start(&mut ana, &net).await?);

    let lines: Vec<String> = figures.iter().map(Figure::line).collect();
    let folder = ahoy_tests::lab::root().join("target/bench");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("calls.jsonl"), lines.join("\n") + "\n").context("writing the figures")?;
    for line in lines {
        figure::print(&line);
    }
    Ok(())
}

/// One method call over the session bus, there and back: `Contacts.List` with no rows to send would be a wrapper's
/// time, so the two sides' real rows are asked for.
async fn bus_call(desk: &Desk) -> anyhow::Result<Figure> {
    let contacts = proxy::ContactsProxy::new(&desk.bus().await?).await?;
    let mut took = Figure::new("bus_call_us", "us");
    for _ in 0..METHOD_CALLS {
        let from = now();
        contacts.list(&Dict::new(), &Dict::new()).await?;
        took.add(from.elapsed().as_secs_f64() * 1e6);
    }
    Ok(took)
}

/// From the dial's method call to the state that the other side's bus shows.
async fn calls(ana: &Desk, ben: &Desk) -> anyhow::Result<[Figure; 2]> {
    let manager = proxy::ManagerProxy::new(&ana.bus().await?).await?;
    let mut rings = Figure::new("dial_to_ring_ms", "ms");
    let mut answers = Figure::new("answer_to_active_ms", "ms");
    for _ in 0..ROUNDS {
        let from = now();
        manager.dial("Ben", &Dict::new()).await?;
        let theirs = ben.until_state("incoming", PATIENCE).await?;
        rings.add(from.elapsed().as_secs_f64() * 1e3);
        let there = ben.steer(&theirs).await?;
        let from = now();
        there.answer(&Dict::new()).await?;
        ana.until_state("active", PATIENCE).await?;
        answers.add(from.elapsed().as_secs_f64() * 1e3);
        manager.hangup_all(&Dict::new()).await?;
        ben.until_state("disconnected", PATIENCE).await?;
    }
    Ok([rings, answers])
}

/// Memory and wake-ups of a daemon that waits for a call.
async fn idle(desk: &mut Desk) -> anyhow::Result<[Figure; 2]> {
    desk.until_online(PATIENCE).await?;
    let (pid, _) = desk.daemon()?;
    let mut memory = Figure::new("idle_pss_mib", "MiB");
    let mut wakes = Figure::new("idle_switches_per_s", "1/s");
    // What a call leaves behind ends within its linger.
    pause(Duration::from_secs(12)).await;
    let before = switches(pid)?;
    let from = now();
    pause(IDLE).await;
    wakes.add((switches(pid)? - before) / from.elapsed().as_secs_f64());
    memory.add(field(&format!("/proc/{pid}/smaps_rollup"), "Pss:")? / 1024.0);
    Ok([memory, wakes])
}

/// From the start of the process to a daemon that is online.
async fn start(desk: &mut Desk, net: &Net) -> anyhow::Result<Figure> {
    let mut took = Figure::new("start_ms", "ms");
    for _ in 0..ROUNDS {
        desk.kill_daemon();
        let from = now();
        desk.start_daemon(net)?;
        desk.until_online(PATIENCE).await?;
        took.add(from.elapsed().as_secs_f64() * 1e3);
    }
    Ok(took)
}

/// Voluntary context switches of all threads so far.
fn switches(pid: u32) -> anyhow::Result<f64> {
    let mut sum = 0.0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        sum += field(&thread?.path().join("status").to_string_lossy(), "voluntary_ctxt_switches:")?;
    }
    Ok(sum)
}

/// The number behind a name in a file of `/proc`.
fn field(path: &str, name: &str) -> anyhow::Result<f64> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next()).context("no such field")?;
    Ok(number.parse()?)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark is measured with the clock")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "an idle daemon is watched for a time, not for an event")]
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}
