//! What a daemon costs while it waits, and while it carries a call.
//!
//! Lives here: memory, wake-ups and processor time, idle and in a call; the time of a call of a method.
//! Must not: measure two daemons at once.

use std::time::Duration;

use ahoy_dbus::{BUS_NAME, Dict, ROOT, proxy};
use ahoy_tests::lab::{Net, Place, introduce};

use crate::calls::Talk;
use crate::figure::{Figure, Sheet, percentile};
use crate::pair::{Pair, Side, desk, desk_of_its_own, until_all_is_over};
use crate::process::{pss_mib, watch};
use crate::time::{PATIENCE, ms, now, pause};

/// How long a daemon is watched while it does nothing. Longer than its relay's ping.
const IDLE: Duration = Duration::from_secs(30);
/// How long a call is watched, when it has settled.
const TALK: Duration = Duration::from_secs(20);
const SETTLE: Duration = Duration::from_secs(5);
/// Rounds and calls of a method in each.
const ROUNDS: usize = 10;
const METHOD_CALLS: usize = 1000;

/// One daemon that has just been started and has one contact, alone on the machine.
pub(crate) async fn idle(sheet: &mut Sheet) -> anyhow::Result<()> {
    let place = Place::new()?;
    let ana = desk_of_its_own("Ana", &place).await?;
    {
        let ben = desk("Ben", &place).await?;
        introduce(&ana, &ben)?;
    }
    let ana = Side::of(ana).await?;
    wait_and_watch(&ana, "", sheet).await
}

/// Memory, wake-ups, processor time of a daemon that waits for a call.
async fn wait_and_watch(side: &Side, case: &str, sheet: &mut Sheet) -> anyhow::Result<()> {
    side.desk.until_online(PATIENCE).await?;
    let pid = side.pid().await?;
    pause(SETTLE).await;
    let spent = watch(pid, sheet.either(IDLE, Duration::from_secs(20))).await?;
    anyhow::ensure!(proxy::ManagerProxy::new(&side.bus).await?.online().await?, "the relay link went down");
    sheet.put(&Figure::one("idle_pss_mib", case, "MiB", pss_mib(pid)?))?;
    sheet.put(&Figure::one("idle_switches_per_s", case, "1/s", spent.switches_per_s))?;
    sheet.put(&Figure::one("idle_cpu_s_per_min", case, "s/min", spent.cpu_s_per_min))
}

/// Starts that are timed.
pub(crate) const STARTS: usize = 10;

/// From the start of the process to a daemon that is online.
pub(crate) async fn start(side: &mut Side, net: &Net, case: &str, starts: usize) -> anyhow::Result<Figure> {
    let mut took = Figure::new("start_ms", case, "ms");
    for _ in 0..starts {
        side.desk.kill_daemon();
        let from = now();
        side.desk.start_daemon(net)?;
        side.desk.until_online(PATIENCE).await?;
        took.add(ms(from, now()));
    }
    Ok(took)
}

/// Memory some seconds after the start, when what the start needed is given back.
pub(crate) async fn rested(side: &Side) -> anyhow::Result<f64> {
    pause(Duration::from_secs(6)).await;
    side.desk.until_online(PATIENCE).await?;
    pss_mib(side.pid().await?)
}

/// A verb, there and back, through bus and engine. On one thread, as a small client has it.
pub(crate) async fn bus(mut sheet: Sheet) -> anyhow::Result<()> {
    let one_thread = move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
            let pair = Pair::start().await?;
            let figures = method_calls(&pair.ana, sheet.either(ROUNDS, 4)).await?;
            figures.iter().try_for_each(|figure| sheet.put(figure))
        })
    };
    tokio::task::spawn_blocking(one_thread).await?
}

/// The 50th and the 99th of a hundred, of each round; and the 50th of calls that the daemon's bus library answers by itself,
/// which no verb can undercut.
pub(crate) async fn method_calls(side: &Side, rounds: usize) -> anyhow::Result<[Figure; 3]> {
    let manager = proxy::ManagerProxy::new(&side.bus).await?;
    let options = Dict::new();
    let mut half = Figure::new("bus_call_us", "p50", "us");
    let mut most = Figure::new("bus_call_us", "p99", "us");
    let mut floor = Figure::new("bus_ping_us", "p50", "us");
    for _ in 0..rounds {
        let mut took = Vec::with_capacity(METHOD_CALLS);
        for _ in 0..METHOD_CALLS {
            let from = now();
            manager.set_muted(false, &options).await?;
            took.push(from.elapsed().as_secs_f64() * 1e6);
        }
        half.add(percentile(&took, 50));
        most.add(percentile(&took, 99));
        took.clear();
        for _ in 0..METHOD_CALLS {
            let from = now();
            side.bus
                .call_method(Some(BUS_NAME), ROOT, Some("org.freedesktop.DBus.Peer"), "Ping", &())
                .await?;
            took.push(from.elapsed().as_secs_f64() * 1e6);
        }
        floor.add(percentile(&took, 50));
    }
    Ok([half, most, floor])
}

/// A call of half a minute, both talking, with and without the processing of the voice; and what it leaves behind.
pub(crate) async fn in_a_call(sheet: &mut Sheet) -> anyhow::Result<()> {
    let cases = [("plain", "off"), ("voice-processing", "on")];
    let (settle, lasting) =
        (sheet.either(SETTLE, Duration::from_secs(3)), sheet.either(TALK, Duration::from_secs(10)));
    for (case, switch) in cases.into_iter().take(sheet.either(2, 1)) {
        let mut pair = Pair::start().await?;
        pair.set_voice(switch).await?;
        let mut talk = Talk::begin(&pair)?;
        let (_, _, path) = pair.ring().await?;
        pair.answer(&path).await?;
        pause(settle).await;
        let mut late = Figure::new("mouth_to_ear_ms", format!("late, {case}"), "ms");
        pause(settle).await;
        talk.trips_of_late(settle).into_iter().for_each(|trip| late.add(trip));
        // With all of it on, a chirp may be taken for noise.
        anyhow::ensure!(late.count() > 1 || switch == "on", "they do not hear each other");
        let mouths = talk.talk_on();
        pause(Duration::from_secs(2)).await;
        let pid = pair.ana.pid().await?;
        let spent = watch(pid, lasting).await?;
        sheet.put(&Figure::one("call_pss_mib", case, "MiB", pss_mib(pid)?))?;
        sheet.put(&Figure::one("call_cpu_s_per_min", case, "s/min", spent.cpu_s_per_min))?;
        sheet.put(&Figure::one("call_switches_per_s", case, "1/s", spent.switches_per_s))?;
        sheet.put(&late)?;
        pair.hang_up().await?;
        drop(mouths);
        if case == "plain" && sheet.either(true, false) {
            until_all_is_over().await;
            sheet.put(&Figure::one("idle_pss_mib", "after a call", "MiB", pss_mib(pid)?))?;
            sheet.put(&Figure::one(
                "idle_switches_per_s",
                "after a call",
                "1/s",
                watch(pid, Duration::from_secs(20)).await?.switches_per_s,
            ))?;
        }
    }
    Ok(())
}
