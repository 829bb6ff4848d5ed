//! Neighbours on a network of their own, with no relay: how soon they see each other, how soon it rings, what it costs to be there.
//!
//! Lives here: two machines behind one router, and the figures of them.
//! Must not: judge a figure.

use std::time::Duration;

use ahoy_dbus::{Dict, proxy::ManagerProxy};
use ahoy_tests::lab::{Desk, Family, Floor, House, Net, dial, introduce};
use zbus::proxy::CacheProperties;

use crate::figure::{Figure, Sheet, tell};
use crate::process::{pss_mib, watch};
use crate::time::{now, pause};

/// Long enough for a machine that has much to do.
const SOON: Duration = Duration::from_secs(30);
/// New daemons so often, and calls of each: who calls more than five times a minute does not ring.
const ROUNDS: usize = 4;
const CALLS: usize = 5;
/// How long an idle daemon is watched, and how long it may come to rest before.
const WATCHED: Duration = Duration::from_secs(60);
const RESTS: Duration = Duration::from_secs(8);

/// The figures.
pub(crate) async fn measure(sheet: &mut Sheet) -> anyhow::Result<()> {
    if !House::can_be() {
        tell("a house of several networks needs root: not measured");
        return Ok(());
    }
    let mut house = House::new()?;
    let mut machine = || house.machine(Floor::Ground, Family::Four);
    let (at_ana, at_ben) = (machine()?, machine()?);
    let (mut ana, mut ben) = (desk("Ana")?, desk("Ben")?);
    start(&mut ana, &at_ana).await?;
    start(&mut ben, &at_ben).await?;
    introduce(&ana, &ben)?;
    for desk in [&ana, &ben] {
        desk.ctl_says(&["config", "network", "--trust"])?;
    }
    let mut seen = Figure::new("neighbours_seen_ms", "both up, no relay", "ms");
    let mut rings = Figure::new("dial_to_ring_ms", "neighbours, no relay", "ms");
    for _ in 0..sheet.either(ROUNDS, 1) {
        for (desk, net) in [(&mut ana, &at_ana), (&mut ben, &at_ben)] {
            desk.stop_daemon()?;
            start(desk, net).await?;
        }
        let up = now();
        for desk in [&ana, &ben] {
            desk.until_so(SOON, async || Ok(manager(desk).await?.neighbours().await? == 1)).await?;
        }
        seen.add(up.elapsed().as_secs_f64() * 1e3);
        for _ in 0..CALLS {
            let dialed = now();
            dial(&ana, "Ben").await?;
            ben.until_state("incoming", SOON).await?;
            rings.add(dialed.elapsed().as_secs_f64() * 1e3);
            ana.ctl_says(&["hangup"])?;
            for desk in [&ana, &ben] {
                desk.until_so(SOON, async || Ok(desk.ctl_says(&["status"])?.contains("call\tidle"))).await?;
            }
        }
    }
    sheet.put(&seen)?;
    sheet.put(&rings)?;
    let watched = sheet.either(WATCHED, WATCHED / 6);
    for (case, enabled) in [("lan on, one neighbour", true), ("lan off", false)] {
        let lan = &enabled.into();
        manager(&ana).await?.set_setting("lan.enabled", lan, &Dict::new()).await?;
        // A daemon that had no call yet, either way.
        ana.stop_daemon()?;
        start(&mut ana, &at_ana).await?;
        pause(RESTS).await;
        let pid = ana.pid().ok_or_else(|| anyhow::anyhow!("no daemon"))?;
        let spent = watch(pid, watched).await?;
        sheet.put(&Figure::one("idle_switches_per_s", case, "1/s", spent.switches_per_s))?;
        sheet.put(&Figure::one("idle_pss_mib", case, "MiB", pss_mib(pid)?))?;
    }
    Ok(())
}

fn desk(name: &str) -> anyhow::Result<Desk> {
    let desk = Desk::prepare(name, "")?;
    desk.configure(&format!("[account]\nname = \"{name}\"\n[ring]\nmuted = true\ntones = false\n"))?;
    desk.begin("bus")?;
    Ok(desk)
}

async fn start(desk: &mut Desk, net: &Net) -> anyhow::Result<()> {
    desk.start_daemon(net)?;
    desk.until_so(SOON, async || Ok(manager(desk).await?.ready().await.unwrap_or(false))).await
}

async fn manager(desk: &Desk) -> anyhow::Result<ManagerProxy<'static>> {
    let bus = desk.bus().await?;
    Ok(ManagerProxy::builder(&bus).cache_properties(CacheProperties::No).build().await?)
}
