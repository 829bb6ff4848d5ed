//! Does a call have its sound again when a sound server or one of its devices does not do what it should?
//!
//! Lives here: real daemons; at Ana's the server is starved, stopped, or not the one that has the devices, and a microphone never gives.
//! Must not: judge how long anything takes: other programs run beside it.

use std::time::Duration;

use ahoy_tests::lab::{ANA, Desk, Running, Talkers, two_on};
use rustix::process::{Pid, Signal, kill_process};

/// A machine that builds and tests many things at once starves a sound server for seconds.
const SOON: Duration = Duration::from_secs(60);

type Outcome = anyhow::Result<()>;

/// Ana, on whose desk things go wrong, and Ben; both hum. The steps of Ben's ears are 20 ms of sound each: they tell the time.
async fn begin(server: &str) -> anyhow::Result<Talkers> {
    Talkers::of(two_on(server, |_| Ok(())).await?)
}

/// How often Ana's daemon has opened a stream of a call.
fn opened(desk: &Desk) -> usize {
    desk.logged().lines().filter(|line| line.contains("runs") && line.contains("way=")).count()
}

/// The server runs for two fifths of the time, in turns of half a second; then it stands still for two seconds, as on a machine
/// that swaps.
async fn a_starved_server_is_borne(server: &str, name: &str) -> Outcome {
    let mut pair = begin(server).await?;
    pair.call().await?;
    pair.both_hear("at first")?;
    let (before, server) = (opened(&pair.ana), pair.ana.part(name)?);
    for _ in 0..14 {
        stand_still(&mut pair, server, Duration::from_millis(300))?;
        pair.pass(Duration::from_millis(200))?;
    }
    pair.both_hear("after it")?;
    anyhow::ensure!(opened(&pair.ana) == before, "a stream that works was opened again\n{}", pair.ana.tail());
    stand_still(&mut pair, server, Duration::from_secs(2))?;
    pair.both_hear("after two seconds")
}

fn stand_still(pair: &mut Talkers, server: Pid, time: Duration) -> Outcome {
    kill_process(server, Signal::STOP)?;
    let stopped = pair.pass(time);
    kill_process(server, Signal::CONT)?;
    stopped
}

#[tokio::test]
async fn a_pulseaudio_that_is_starved_or_stands_still_keeps_its_streams() -> Outcome {
    a_starved_server_is_borne("pulse", "pulseaudio").await
}

#[tokio::test]
async fn a_pipewire_that_is_starved_or_stands_still_keeps_its_streams() -> Outcome {
    a_starved_server_is_borne("pipewire", "pipewire").await
}

/// As a Bluetooth headset whose profile does not change: the microphone is there, and gives nothing.
#[tokio::test]
async fn a_microphone_that_never_gives_holds_up_neither_this_call_nor_the_next() -> Outcome {
    let mut pair = begin("pulse").await?;
    let fifo = format!("file={}", pair.ana.folder().join("fifo").display());
    let dead = ["load-module", "module-pipe-source", "source_name=dead", "rate=48000", "channels=1", &fifo];
    pair.ana.sound_control(&dead)?;
    pair.ana.set_default("input", "dead")?;
    pair.ana.until_device("dead", true, SOON).await?;
    // The lab's own streams are among them.
    let others = pair.ana.running("source-outputs")?;
    pair.call().await?;
    pair.ana_hears("with a dead microphone")?;
    pair.ana.until_problem(Some("No microphone works"), SOON).await?;
    pair.ana.set_default("input", "mic")?;
    pair.ben_hears("another microphone", ANA)?;
    pair.ana.ctl_says(&["hangup"])?;
    pair.ana.until_problem(None, SOON).await?;
    for _ in 0..SOON.as_secs() {
        if pair.ana.running("source-outputs")? == others {
            break;
        }
        pair.pass(Duration::from_secs(1))?;
    }
    anyhow::ensure!(pair.ana.running("source-outputs")? == others, "a microphone stays open after the call");
    pair.call().await?;
    pair.both_hear("the next call")
}

/// It takes connections, and answers nothing.
async fn a_server_that_does_not_answer_is_told_of_and_taken_up_again(server: &str, name: &str) -> Outcome {
    let mut pair = begin(server).await?;
    let server = pair.ana.part(name)?;
    kill_process(server, Signal::STOP)?;
    let met = pair.call().await;
    let told = pair.ana.until_problem(Some("does not answer"), SOON).await;
    kill_process(server, Signal::CONT)?;
    met?;
    told?;
    pair.both_hear("it answers again")?;
    pair.ana.until_problem(None, SOON).await
}

#[tokio::test]
async fn a_pulseaudio_that_does_not_answer_is_told_of_and_taken_up_again() -> Outcome {
    a_server_that_does_not_answer_is_told_of_and_taken_up_again("pulse", "pulseaudio").await
}

#[tokio::test]
async fn a_pipewire_that_does_not_answer_is_told_of_and_taken_up_again() -> Outcome {
    a_server_that_does_not_answer_is_told_of_and_taken_up_again("pipewire", "pipewire").await
}

/// PulseAudio has the devices; a PipeWire runs for other things and has a node that leads nowhere.
#[tokio::test]
async fn an_idle_pipewire_beside_pulseaudio_is_not_played_into() -> Outcome {
    let settings = Desk::prepare("Nobody", "ws://127.0.0.1:9")?;
    let mut idle = Vec::new();
    let two = two_on("pulse", |ana| {
        let run = |program: &str| {
            let mut command = ana.local(program);
            command.env("XDG_CONFIG_HOME", settings.folder().join("config"));
            command.env_remove("PULSE_SERVER");
            command
        };
        idle.push(Running::start(&mut run("pipewire"))?);
        until(&mut || run("pw-cli").args(["info", "0"]).output())?;
        idle.push(Running::start(&mut run("wireplumber"))?);
        let node = "{ factory.name=support.null-audio-sink node.name=nowhere media.class=Audio/Sink object.linger=true audio.position=[FL FR] }";
        until(&mut || run("pw-cli").args(["create-node", "adapter", node]).output())?;
        Ok(())
    });
    let mut pair = Talkers::of(two.await?)?;
    pair.call().await?;
    pair.ana_hears("PulseAudio has the loudspeaker")?;
    pair.ben_hears("and the microphone", ANA)?;
    let log = pair.ana.logged();
    anyhow::ensure!(!log.contains("runs way=PipeWire"), "{}", pair.ana.tail());
    Ok(())
}

/// Until a program ends well; it waits for a server by itself, or fails at once while there is none.
fn until(run: &mut dyn FnMut() -> std::io::Result<std::process::Output>) -> Outcome {
    for _ in 0..2_000 {
        if run()?.status.success() {
            return Ok(());
        }
    }
    anyhow::bail!("the idle server does not begin")
}
