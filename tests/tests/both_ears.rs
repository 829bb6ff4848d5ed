//! Is mono heard in both ears, and a microphone from whichever side a person speaks into it?
//!
//! Lives here: real daemons and sound servers; every channel of a loudspeaker is judged alone, microphones are fed on one side.
//! Must not: measure time, or judge anything but who is heard where.

use std::time::Duration;

use ahoy_dbus::{Dict, proxy};
use ahoy_tests::lab::{Desk, Ears, Mouth, Net, Relay, introduce};

const ANA: f64 = 600.0;
const BEN: f64 = 950.0;
/// A machine that builds and tests many things at once starves a sound server for seconds.
const SOON: Duration = Duration::from_secs(40);
/// Channels of one device that play the same may differ by so many decibels.
const ALIKE: f64 = 3.0;
const SIX: &str = "front-left,front-right,front-center,lfe,rear-left,rear-right";
const TWO: &str = "front-left,front-right";

type Outcome = anyhow::Result<()>;

/// A loudspeaker of those channels.
fn plug_speaker(desk: &Desk, server: &str, name: &str, channels: &str) -> Outcome {
    let words = [
        format!("sink_name={name}"),
        format!("channels={}", channels.split(',').count()),
        format!("channel_map={channels}"),
    ];
    let mut all = vec!["load-module", "module-null-sink", "rate=48000"];
    all.extend(words.iter().map(String::as_str));
    // Else an idle sink of PulseAudio works in blocks of 2 s, and a new stream waits for the next one.
    all.extend((server == "pulse").then_some("norewinds=1"));
    desk.sound_control(&all)
}

/// A microphone with two channels, which gives what is played into `NAME_in`.
fn plug_microphone(desk: &Desk, server: &str, name: &str) -> Outcome {
    plug_speaker(desk, server, &format!("{name}_in"), TWO)?;
    let words = [
        format!("source_name={name}"),
        format!("master={name}_in.monitor"),
        format!("channel_map={TWO}"),
        format!("master_channel_map={TWO}"),
    ];
    let mut all = vec!["load-module", "module-remap-source", "channels=2"];
    all.extend(words.iter().map(String::as_str));
    desk.sound_control(&all)
}

async fn choose(desk: &Desk, role: &str, id: &str) -> Outcome {
    desk.until_device(id, true, SOON).await?;
    let manager = proxy::ManagerProxy::new(&desk.bus().await?).await?;
    Ok(manager.set_device(role, &[id], &Dict::new()).await?)
}

async fn everybody_is_heard_everywhere(server: &str) -> Outcome {
    let net = Net::new()?;
    let relay = Relay::start(&net, 0)?;
    let mut ana = Desk::prepare_with("Ana", &relay.url, server)?;
    ana.configure(&format!(
        "[account]\nname = \"Ana\"\n[relay]\nurls = [\"{}\"]\n[log]\nlevel = \"debug\"\n[voice]\necho = \"off\"\nnoise = \"off\"\ngain = \"off\"\n",
        relay.url
    ))?;
    ana.begin("bus")?;
    ana.begin("sound")?;
    ana.start_daemon(&net)?;
    let ben = Desk::start("Ben", &relay.url, &net).await?;
    ana.until_online(SOON).await?;
    introduce(&ana, &ben)?;
    let _ben_hums = ben.hum(BEN)?;
    let (mut ana_hears, mut ben_hears) = (ana.listen()?, ben.listen()?);

    ben.ctl_says(&["call", "Ana"])?;
    ana.until_state("incoming", SOON).await?;
    let ring = until_some_sound(&mut ana_hears)?;
    anyhow::ensure!((ring[0] - ring[1]).abs() < ALIKE, "the ring: {ring:?} dBFS");
    ana.ctl_says(&["answer"])?;
    ana.until_state("active", SOON).await?;
    // Each channel alone has to hold the tone.
    ana_hears.until_tone(BEN, SOON)?;

    plug_speaker(&ana, server, "six", SIX)?;
    choose(&ana, "output", "six").await?;
    let mut front = Ears::open_channels(ana.recorder("six.monitor", SIX), 6, &[0, 1, 2])?;
    front.until_tone(BEN, SOON)?;
    let levels = front.levels(Duration::from_secs(1))?;
    let loudest = levels.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    anyhow::ensure!(levels.iter().all(|level| loudest - level < ALIKE), "six loudspeakers: {levels:?} dBFS");

    for (name, sides) in [("left", [true, false]), ("right", [false, true]), ("stereo", [true, true])] {
        plug_microphone(&ana, server, name)?;
        let player = ana.tool_with("pacat", &format!("{name}_in"), "40", TWO);
        let _hums = Mouth::hum_on(player, ANA, &sides)?;
        choose(&ana, "input", name).await?;
        let heard = ben_hears.until_tone(ANA, SOON);
        heard.map_err(|error| anyhow::anyhow!("{name}: {error}\n{}", ana.tail()))?;
        choose(&ana, "input", "mic").await?;
        ben_hears.until_silence(SOON)?;
    }
    Ok(())
}

/// A ring has pauses: until something is heard at all. What each channel gave.
fn until_some_sound(ears: &mut Ears) -> anyhow::Result<Vec<f64>> {
    for _ in 0..SOON.as_secs() {
        let levels = ears.levels(Duration::from_secs(1))?;
        if levels.iter().any(|level| *level > -40.0) {
            return Ok(levels);
        }
    }
    anyhow::bail!("it does not ring")
}

#[tokio::test]
async fn on_pipewire_mono_is_heard_in_every_ear_and_a_microphone_from_every_side() -> Outcome {
    everybody_is_heard_everywhere("pipewire").await
}

#[tokio::test]
async fn on_pulseaudio_mono_is_heard_in_every_ear_and_a_microphone_from_every_side() -> Outcome {
    everybody_is_heard_everywhere("pulse").await
}
