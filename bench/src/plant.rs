//! Do the figures see what they are said to see?
//!
//! Lives here: 50 ms planted where each time is made, measured in pairs with and without; a figure that does not show them is wrong.
//! Must not: plant anything in the program that measures.

use std::time::Duration;

use ahoy_tests::lab::binary;
use anyhow::Context as _;
use rustix::process::Signal;

use crate::activation::{self, Activated};
use crate::calls::{Calls, Plain, Plant, Talk};
use crate::figure::{Figure, tell};
use crate::load;
use crate::pair::Pair;

/// What is planted.
const PLANTED: Duration = Duration::from_millis(50);
/// How much of it must show in milliseconds, and how much more may, for the noise of a busy machine.
const SHOWS: std::ops::Range<f64> = 38.0..120.0;
const CALLS: u32 = 6;

/// Ends with an error if a figure does not show what was planted.
pub(crate) async fn check() -> anyhow::Result<()> {
    let mut blind = 0;
    let mut judge = |name: &str, plain: f64, planted: f64| {
        let shown = planted - plain;
        let sees = SHOWS.contains(&shown);
        tell(&format!(
            "{} {name}: {plain:.1} ms, with 50 ms planted {planted:.1} ms: {shown:.1} ms of it",
            if sees { "    ok " } else { "BLIND: " }
        ));
        blind += i32::from(!sees);
    };
    let mut pair = Pair::start().await?;
    pair.set_voice("off").await?;

    let (plain, planted) = calls(&mut pair).await?;
    for (plain, planted) in plain.figures().into_iter().zip(planted.figures()) {
        judge(plain.name(), plain.median(), planted.median());
    }

    let [plain, ..] = load::method_calls(&pair.ana, 1).await?;
    let stopped = Stopped(pair.ana.pid().await?);
    let mut slow = Figure::new("bus_call_us", "", "us");
    for _ in 0..5 {
        stopped.for_a_while()?;
        let from = crate::time::now();
        ahoy_dbus::proxy::ManagerProxy::new(&pair.ana.bus)
            .await?
            .get_settings(&ahoy_dbus::Dict::new())
            .await
            .context("asking a daemon that was stopped")?;
        slow.add(from.elapsed().as_secs_f64() * 1e3);
    }
    judge("bus_call_us", plain.median() / 1e3, slow.median());
    drop(pair);

    let ahoyd = binary("ahoyd").display().to_string();
    let plain = Activated::start(&ahoyd)?.figure(4).await?;
    let planted = Activated::start(&format!("/bin/sh -c \"sleep 0.05; exec {ahoyd}\""))?.figure(4).await?;
    judge("activation_ms", plain.median(), planted.median());
    anyhow::ensure!(blind == 0, "{blind} figures do not see what was planted");
    Ok(())
}

/// Calls with nothing planted, and calls with Ben's daemon stopped at the moments that count and his voice late.
async fn calls(pair: &mut Pair) -> anyhow::Result<(Calls, Calls)> {
    let (mut plain, mut planted) = (Calls::new(), Calls::new());
    let mut talk = Talk::begin(pair)?;
    for n in 0..CALLS / 2 {
        pair.renew().await?;
        let stopped = Stopped(pair.ben.pid().await?);
        talk.call(pair, n, &Plain, &mut Calls::new()).await?;
        for n in [2 * n, 2 * n + 1] {
            talk.call(pair, n, &Plain, &mut plain).await?;
            talk.call(pair, n, &stopped, &mut planted).await?;
        }
    }
    // Mouth to ear: now both microphones hear everything 50 ms later than we record it.
    for side in [&pair.ana, &pair.ben] {
        late_microphone(&side.desk)?;
    }
    let mut late = Calls::new();
    for n in 0..CALLS {
        if n % 5 == 0 {
            pair.renew().await?;
        }
        talk.call(pair, n, &Plain, &mut late).await?;
    }
    planted.mouth_to_ear = late.mouth_to_ear;
    drop(talk);
    Ok((plain, planted))
}

/// A process that is stopped while something is asked of it.
struct Stopped(u32);

impl Stopped {
    fn for_a_while(&self) -> anyhow::Result<()> {
        activation::signal(self.0, Signal::STOP)?;
        let pid = self.0;
        let again = move || {
            #[expect(clippy::disallowed_methods, reason = "the delay itself")]
            std::thread::sleep(PLANTED);
            if let Err(error) = activation::signal(pid, Signal::CONT) {
                tell(&format!("the daemon stays stopped: {error}"));
            }
        };
        std::thread::Builder::new().name("again".to_owned()).spawn(again)?;
        Ok(())
    }
}

impl Plant for Stopped {
    fn before_dial(&self) -> anyhow::Result<()> {
        self.for_a_while()
    }

    fn before_answer(&self) -> anyhow::Result<()> {
        self.for_a_while()
    }
}

/// A microphone that stands 17 m away.
fn late_microphone(desk: &ahoy_tests::lab::Desk) -> anyhow::Result<()> {
    for words in [
        &[
            "load-module",
            "module-null-sink",
            "sink_name=late",
            "rate=48000",
            "channels=1",
            "channel_map=mono",
        ][..],
        &["load-module", "module-loopback", "source=mic_in.monitor", "sink=late", "latency_msec=50"],
        &["set-default-source", "late.monitor"],
    ] {
        desk.sound_control(words)?;
    }
    Ok(())
}
