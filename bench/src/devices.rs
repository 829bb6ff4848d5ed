//! A loudspeaker that comes and goes in a call: how long nothing is heard.
//!
//! Lives here: a chosen one is unplugged and plugged in again, and the other is listened for where he must be heard then.
//! Must not: ask the daemon whether there is sound.

use std::time::{Duration, Instant};

use ahoy_dbus::{Dict, proxy};
use anyhow::Context as _;

use crate::calls::TONES;
use crate::figure::{Figure, Sheet};
use crate::pair::Pair;
use crate::sound::{Ears, Mouth};
use crate::time::{PATIENCE, ms, now, pause};

const ROUNDS: usize = 5;
const HEADSET: &str = "headset";

pub(crate) async fn measure(sheet: &mut Sheet) -> anyhow::Result<()> {
    let mut pair = Pair::start().await?;
    pair.set_voice("off").await?;
    let _mouth = Mouth::open(&pair.ben.desk, TONES[1])?;
    let (_, _, path) = pair.ring().await?;
    pair.answer(&path).await?;
    let ana = &pair.ana.desk;
    ana.plug("output", HEADSET)?;
    ana.until_device(HEADSET, true, PATIENCE).await?;
    proxy::ManagerProxy::new(&pair.ana.bus).await?.set_device("output", &[HEADSET], &Dict::new()).await?;
    heard(&mut Ears::open(ana, "headset.monitor")?, now()).await.context("the chosen one plays nothing")?;

    let mut unplugged = Figure::new("device_back_ms", "unplugged", "ms");
    let mut plugged = Figure::new("device_back_ms", "plugged", "ms");
    for n in 0..sheet.either(ROUNDS, 2) {
        // The other one is silent before, so what is heard there comes of the change.
        let mut speaker = Ears::open(ana, "speaker.monitor")?;
        let before = now();
        pause(Duration::from_millis(300)).await;
        let from = now();
        let (early, _) = speaker.recording().loudest(TONES[1], before, from);
        anyhow::ensure!(early < -60.0, "both loudspeakers play at once ({early:.0} dBFS)");
        ana.unplug(HEADSET)?;
        let at = heard(&mut speaker, from).await.with_context(|| format!("unplugged, round {n}"))?;
        unplugged.add(ms(from, at));
        drop(speaker);
        ana.until_device(HEADSET, false, PATIENCE).await?;
        let from = now();
        ana.plug("output", HEADSET)?;
        let mut headset = Ears::open(ana, "headset.monitor")?;
        let at = heard(&mut headset, from).await.with_context(|| format!("plugged, round {n}"))?;
        plugged.add(ms(from, at));
        ana.until_device(HEADSET, true, PATIENCE).await?;
        // The loudspeaker of before plays what it still has.
        pause(Duration::from_secs(1)).await;
    }
    sheet.put(&unplugged)?;
    sheet.put(&plugged)
}

/// When the other is heard there: a recorder that has just begun knows no earlier time of its samples than their coming.
async fn heard(ears: &mut Ears, from: Instant) -> anyhow::Result<Instant> {
    let end = from + PATIENCE;
    while now() < end {
        pause(Duration::from_millis(5)).await;
        if ears.recording().onset(TONES[1], from, end).is_some() {
            return Ok(now());
        }
    }
    anyhow::bail!("nothing was heard within {PATIENCE:?}")
}
