//! Does a meter show what is said, and does what a person decides about their voice reach a running call?
//!
//! Lives here: levels read from the pipes of calls and devices, `ahoyctl device meter`, `[voice]` changed in a call.
//! Must not: look into a daemon, or measure time.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::time::Duration;

use ahoy_dbus::Dict;
use ahoy_tests::lab::{ANA, BEN, Desk, Running, binary, dial, two};

const SOON: Duration = Duration::from_secs(30);
/// What a hum reads at least, and what silence reads at most, dBFS.
const LOUD: f32 = -30.0;
const QUIET: f32 = -70.0;
/// As many readings as come in 20 s.
const MOST: usize = 500;

type Outcome = anyhow::Result<()>;

/// Microphone and loudspeaker; none when the pipe has ended.
fn reading(pipe: &mut File) -> Option<(f32, f32)> {
    let mut bytes = [0; 8];
    pipe.read_exact(&mut bytes).ok()?;
    let [input, output] = [0, 4].map(|at| {
        let mut number = [0; 4];
        number.copy_from_slice(&bytes[at..at + 4]);
        f32::from_ne_bytes(number)
    });
    Some((input, output))
}

fn until(pipe: &mut File, fits: impl Fn(f32, f32) -> bool) -> Outcome {
    let mut last = None;
    for _ in 0..MOST {
        last = reading(pipe);
        match last {
            Some((input, output)) if fits(input, output) => return Ok(()),
            Some(_) => {}
            None => break,
        }
    }
    anyhow::bail!("no such reading; the last was {last:?}")
}

fn ends(pipe: &mut File) -> Outcome {
    anyhow::ensure!((0..MOST).any(|_| reading(pipe).is_none()), "the pipe does not end");
    Ok(())
}

#[tokio::test]
async fn meters_move_with_the_sound_and_end_with_the_call_and_the_voice_is_treated_as_one_decides() -> Outcome
{
    let (_place, ana, ben) = two().await?;
    // A hum never changes: noise suppression takes it for noise.
    for desk in [&ana, &ben] {
        desk.ctl_says(&["config", "set", "voice.noise", "off"])?;
    }
    ana.until_device("mic", true, SOON).await?;
    let hum = ana.hum(ANA)?;

    // Without a call: the microphone that calls use, by a program and in a pipe that outlives the program's start.
    let once = ana.ctl_says(&["device", "meter", "mic", "--once"])?;
    let heard: Vec<f32> = once.trim().split('\t').map(str::parse).collect::<Result<_, _>>()?;
    anyhow::ensure!(heard.len() == 2 && heard[0] > LOUD && heard[1] <= QUIET, "{once}");
    let refused = ana.ctl(&["device", "meter", "speaker"], "")?;
    anyhow::ensure!(refused.status.code() == Some(10), "a loudspeaker is no microphone: {refused:?}");
    let mut meter = Running::start(
        ana.local(&binary("ahoyctl").display().to_string()).args(["device", "meter"]).stdout(Stdio::piped()),
    )?;
    let mut lines =
        meter.child().stdout.take().map(std::io::BufReader::new).ok_or(anyhow::anyhow!("no pipe"))?;
    let mut first = String::new();
    std::io::BufRead::read_line(&mut lines, &mut first)?;
    anyhow::ensure!(first.contains('\t'), "{first}");

    dial(&ana, "Ben").await?;
    let theirs = ben.until_state("incoming", SOON).await?;
    // The call needs the microphone: the daemon closes the pipe.
    std::io::copy(&mut lines, &mut std::io::sink())?;
    anyhow::ensure!(meter.child().wait()?.success());
    ben.ctl_says(&["answer"])?;
    let ours = ana.until_state("active", SOON).await?;
    let busy = ana.ctl(&["device", "meter", "mic", "--once"], "")?;
    anyhow::ensure!(busy.status.code() == Some(5), "the call has the microphone: {busy:?}");

    let none = Dict::new();
    let open = async |desk: &Desk, call: &str| -> anyhow::Result<File> {
        Ok(File::from(OwnedFd::from(desk.steer(call).await?.open_levels(&none).await?)))
    };
    let (mut at_anas, mut at_bens) = (open(&ana, &ours).await?, open(&ben, &theirs).await?);
    until(&mut at_anas, |input, output| input > LOUD && output < QUIET)?;
    until(&mut at_bens, |input, output| input < QUIET && output > LOUD)?;
    drop(hum);
    until(&mut at_anas, |input, _| input < QUIET)?;
    until(&mut at_bens, |_, output| output < QUIET)?;
    let _hum = ben.hum(BEN)?;
    until(&mut at_anas, |input, output| input < QUIET && output > LOUD)?;
    let shown = ana.ctl_says(&["device", "meter", "--once", "--json"])?;
    let shown: serde_json::Value = serde_json::from_str(&shown)?;
    anyhow::ensure!(shown["output_dbfs"].as_f64() > Some(LOUD.into()), "{shown}");

    // In the running call, and back.
    for (decided, loud) in [("on", false), ("off", true)] {
        ben.ctl_says(&["config", "set", "voice.noise", decided])?;
        until(&mut at_anas, |_, output| (output > LOUD + 8.0) == loud)?;
    }

    // The other is silenced for all calls, and heard again; the own voice goes on.
    let manager = ahoy_dbus::proxy::ManagerProxy::new(&ana.bus().await?).await?;
    let _own = ana.hum(ANA)?;
    for (deafened, loud) in [(true, false), (false, true)] {
        manager.set_deafened(deafened, &none).await?;
        anyhow::ensure!(manager.deafened().await? == deafened);
        until(&mut at_anas, |input, output| {
            input > LOUD && (output > LOUD) == loud && (output < QUIET) != loud
        })?;
        until(&mut at_bens, |_, output| output > LOUD)?;
    }

    ben.ctl_says(&["hangup"])?;
    ana.until_state("disconnected", SOON).await?;
    ends(&mut at_anas)?;
    ends(&mut at_bens)?;
    Ok(())
}
