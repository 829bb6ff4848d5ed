//! Does a person see how a call between two real daemons is: its line, its numbers, who speaks, and that nobody hears who is muted?
//!
//! Lives here: Quality and Path on every object that shows them, `ahoyctl stats`, what history keeps, `Speaking`, `SpeakingMuted`.
//! Must not: judge how a line is measured, or let an address be shown.

use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::process::Stdio;
use std::time::Duration;

use ahoy_dbus::{Dict, proxy};
use ahoy_tests::lab::{ANA, BEN, Desk, Running, binary, dial, flag, number, text, two};

const SOON: Duration = Duration::from_secs(20);

type Outcome = anyhow::Result<()>;

/// Nothing in this text can be read as a network address, with or without a port.
fn no_address(said: &str) -> Outcome {
    let words = said.split(|letter: char| !(letter.is_ascii_hexdigit() || letter == '.' || letter == ':'));
    let is_one = |word: &&str| word.parse::<IpAddr>().is_ok() || word.parse::<SocketAddr>().is_ok();
    let found: Vec<&str> = words.filter(is_one).collect();
    anyhow::ensure!(found.is_empty(), "{found:?} in {said}");
    Ok(())
}

/// The quality that Call, Peer and Focus show, once it is that of this call.
async fn shown_alike(desk: &Desk, call: &str) -> Outcome {
    let bus = desk.bus().await?;
    let peer = proxy::PeerProxy::builder(&bus).path(format!("{call}/peer_1")).build().await?;
    let focus = proxy::FocusProxy::new(&bus).await?;
    let steered = desk.steer(call).await?;
    desk.until_so(SOON, async || {
        let all = [steered.quality().await?, peer.quality().await?, focus.quality().await?];
        Ok(all.iter().all(|quality| quality == "excellent"))
    })
    .await
}

#[tokio::test]
async fn how_a_call_is_stands_on_the_bus_in_ahoyctl_and_in_history_without_an_address() -> Outcome {
    let (_place, ana, ben) = two().await?;
    let hum = ben.hum(BEN)?;
    dial(&ana, "Ben").await?;
    ben.until_state("incoming", SOON).await?;
    ben.ctl_says(&["answer"])?;
    let call = ana.until_state("active", SOON).await?;
    let row = ana.until_call(&call, SOON, |row| !text(row, "Quality").is_empty()).await?;
    anyhow::ensure!(text(&row, "Path") == "direct", "{row:?}");
    shown_alike(&ana, &call).await?;

    let listed = ana.ctl_says(&["list"])?;
    anyhow::ensure!(listed.trim_end().ends_with("\tdirect"), "{listed}");
    let shown = ana.ctl_says(&["show"])?;
    anyhow::ensure!(shown.contains("\nquality\t") && shown.contains("\nnetwork_path\tdirect\n"), "{shown}");

    // A line a second, until the call ends.
    let mut watch = Running::start(
        ana.local(&binary("ahoyctl").display().to_string())
            .args(["stats", "--watch", "--jsonl"])
            .stdout(Stdio::piped()),
    )?;
    let lines = watch.child().stdout.take().map(BufReader::new).ok_or(anyhow::anyhow!("no pipe"))?;
    let mut lines = lines.lines();
    let (mut complete, mut seen) = (false, 0);
    while !complete && seen < 20 {
        let line = lines.next().ok_or(anyhow::anyhow!("it ended"))??;
        no_address(&line)?;
        let told: serde_json::Value = serde_json::from_str(&line)?;
        let numbers =
            ["rtt_ms", "jitter_ms", "loss_in", "loss_out", "bitrate_in", "bitrate_out", "setup_ms", "mos"];
        complete = numbers.iter().all(|key| told[key].is_number());
        seen += 1;
    }
    anyhow::ensure!(complete, "not all numbers are known after {seen} seconds");
    let told: serde_json::Value = serde_json::from_str(&ana.ctl_says(&["stats", "--json"])?)?;
    for (key, value) in [("path", "direct"), ("srtp_profile", "SRTP_AEAD_AES_128_GCM"), ("state", "active")] {
        anyhow::ensure!(told[key] == value, "{key}: {told}");
    }
    let [local, remote] = ["candidate_local", "candidate_remote"].map(|key| told[key].as_str().unwrap_or(""));
    anyhow::ensure!(local.ends_with(" udp") && remote.ends_with(" udp"), "{told}");
    let plain = ana.ctl_says(&["stats"])?;
    anyhow::ensure!(plain.contains("packets_in\t") && plain.contains("\nquality\t"), "{plain}");
    no_address(&plain)?;

    ben.ctl_says(&["hangup"])?;
    for line in lines {
        no_address(&line?)?;
    }
    anyhow::ensure!(watch.child().wait()?.success(), "it ends with the call, and well");
    let over = ana.until_call(&call, SOON, |row| text(row, "State") == "disconnected").await?;
    anyhow::ensure!(text(&over, "Quality").is_empty() && text(&over, "Path").is_empty(), "{over:?}");
    for desk in [&ana, &ben] {
        let row = desk.until_row(SOON, |row| text(row, "reason") == "completed").await?;
        let (quality, line) = (text(&row, "quality"), (text(&row, "path"), number(&row, "repairs")));
        anyhow::ensure!(!quality.is_empty() && line == ("direct", 0), "{}: {row:?}", desk.name);
        let story = desk.ctl_says(&["history", "show", &number(&row, "id").to_string()])?;
        anyhow::ensure!(story.contains(&format!("The line: directly, mostly {quality}.")), "{story}");
    }
    drop(hum);
    Ok(())
}

#[tokio::test]
async fn who_speaks_while_muted_is_told_and_nobody_else_is() -> Outcome {
    let (_place, ana, ben) = two().await?;
    dial(&ana, "Ben").await?;
    let theirs = ben.until_state("incoming", SOON).await?;
    ben.ctl_says(&["answer"])?;
    let call = ana.until_state("active", SOON).await?;
    ana.steer(&call).await?.set_muted(true, &Dict::new()).await?;
    ana.until_flag(&call, "Muted", true, SOON).await?;
    let voice = ana.speak(ANA)?;
    ana.until_flag(&call, "SpeakingMuted", true, SOON).await?;
    let focus = proxy::FocusProxy::new(&ana.bus().await?).await?;
    anyhow::ensure!(focus.speaking_muted().await?);
    let bar = ana.ctl_says(&["list"])?;
    anyhow::ensure!(bar.contains("you speak, and are muted"), "{bar}");
    anyhow::ensure!(!flag(&ben.call(&theirs).await?, "SpeakingMuted"), "nothing of it leaves the machine");
    ana.ctl_says(&["mute", "off"])?;
    let row = ana.call(&call).await?;
    anyhow::ensure!(!flag(&row, "Muted") && !flag(&row, "SpeakingMuted"), "at once: {row:?}");
    drop(voice);
    ben.ctl_says(&["hangup"])?;
    Ok(())
}

#[tokio::test]
async fn who_speaks_is_shown_and_who_only_listens_is_not() -> Outcome {
    let (_place, ana, ben) = two().await?;
    dial(&ana, "Ben").await?;
    let theirs = ben.until_state("incoming", SOON).await?;
    ben.ctl_says(&["answer"])?;
    let call = ana.until_state("active", SOON).await?;
    let peer = async |desk: &Desk, call: &str| {
        let bus = desk.bus().await?;
        anyhow::Ok(proxy::PeerProxy::builder(&bus).path(format!("{call}/peer_1")).build().await?)
    };
    let (ben_there, ana_there) = (peer(&ana, &call).await?, peer(&ben, &theirs).await?);
    anyhow::ensure!(!ben_there.speaking().await?, "nothing was said yet");
    let voice = ben.speak(BEN)?;
    ana.until_so(SOON, async || Ok(ben_there.speaking().await?)).await?;
    anyhow::ensure!(!ana_there.speaking().await?, "she listens");
    drop(voice);
    ana.until_so(SOON, async || Ok(!ben_there.speaking().await?)).await?;
    ben.ctl_says(&["hangup"])?;
    Ok(())
}
