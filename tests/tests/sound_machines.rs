//! Do calls sound on the devices that people have, under names that a mixer can keep, and is nothing left behind?
//!
//! Lives here: devices of other rates and channels, what a sound server lists of us, what is left after many looks at a microphone.
//! Must not: judge how well it sounds.

use std::fs;
use std::time::Duration;

use ahoy_dbus::{Dict, proxy};
use ahoy_tests::lab::{Desk, Ears, Net, Relay, introduce};

const ANA: f64 = 600.0;
const BEN: f64 = 950.0;
/// A machine that builds and tests many things at once starves a sound server for seconds.
const SOON: Duration = Duration::from_secs(60);

type Outcome = anyhow::Result<()>;

/// Ana with that server, and Ben, in each other's list; the rest lives as long as they do.
async fn two(server: &str, ring: &str) -> anyhow::Result<(Desk, Desk, (Relay, Net))> {
    let net = Net::new()?;
    let relay = Relay::start(&net, 0)?;
    let mut ana = Desk::prepare_with("Ana", &relay.url, server)?;
    ana.configure(&format!(
        "[account]\nname = \"Ana\"\n[relay]\nurls = [\"{}\"]\n[log]\nlevel = \"debug\"\n[ring]\n{ring}\n",
        relay.url
    ))?;
    ana.begin("bus")?;
    ana.begin("sound")?;
    ana.start_daemon(&net)?;
    let ben = Desk::start("Ben", &relay.url, &net).await?;
    ana.until_online(SOON).await?;
    introduce(&ana, &ben)?;
    Ok((ana, ben, (relay, net)))
}

async fn choose(desk: &Desk, role: &str, id: &str) -> Outcome {
    desk.until_device(id, true, SOON).await?;
    let manager = proxy::ManagerProxy::new(&desk.bus().await?).await?;
    Ok(manager.set_device(role, &[id], &Dict::new()).await?)
}

fn plug_speaker(desk: &Desk, server: &str, name: &str, rate: u32, channels: &str) -> Outcome {
    let words = [
        format!("sink_name={name}"),
        format!("rate={rate}"),
        format!("channels={}", channels.split(',').count()),
        format!("channel_map={channels}"),
    ];
    let mut all = vec!["load-module", "module-null-sink"];
    all.extend(words.iter().map(String::as_str));
    // Else an idle sink of PulseAudio works in blocks of 2 s, and a new stream waits for the next one.
    all.extend((server == "pulse").then_some("norewinds=1"));
    desk.sound_control(&all)
}

fn plug_microphone(desk: &Desk, server: &str, name: &str, rate: u32, channels: &str) -> Outcome {
    plug_speaker(desk, server, &format!("{name}_in"), rate, channels)?;
    let words = [
        format!("source_name={name}"),
        format!("master={name}_in.monitor"),
        format!("channels={}", channels.split(',').count()),
        format!("channel_map={channels}"),
        format!("master_channel_map={channels}"),
    ];
    let mut all = vec!["load-module", "module-remap-source"];
    all.extend(words.iter().map(String::as_str));
    desk.sound_control(&all)
}

async fn devices_of_every_kind_serve(server: &str) -> Outcome {
    let (ana, ben, _rest) = two(server, "muted = true\ntones = false").await?;
    let _hums = ben.hum(BEN)?;
    let mut ben_hears = ben.listen()?;
    ana.ctl_says(&["call", "Ben"])?;
    ben.until_state("incoming", SOON).await?;
    ben.ctl_says(&["answer"])?;
    ana.until_state("active", SOON).await?;
    let stereo = "front-left,front-right";
    let kinds = [(8_000, "mono"), (16_000, "mono"), (44_100, stereo), (8_000, stereo), (44_100, "mono")];
    for (rate, channels) in kinds {
        let kind = format!("{}.{rate}", channels.split(',').count());
        let (speaker, mic) = (format!("loud.{kind}"), format!("voice.{kind}"));
        plug_speaker(&ana, server, &speaker, rate, channels)?;
        choose(&ana, "output", &speaker).await?;
        let mut ears = Ears::open(ana.recorder(&format!("{speaker}.monitor"), stereo))?;
        let heard = ears.until_tone(BEN, SOON);
        heard.map_err(|error| anyhow::anyhow!("{speaker}: {error}\n{}", ana.tail()))?;
        plug_microphone(&ana, server, &mic, rate, channels)?;
        let _hums = ana.hum_into(&mic, ANA)?;
        choose(&ana, "input", &mic).await?;
        let heard = ben_hears.until_tone(ANA, SOON);
        heard.map_err(|error| anyhow::anyhow!("{mic}: {error}\n{}", ana.tail()))?;
        choose(&ana, "input", "mic").await?;
        ben_hears.until_silence(SOON)?;
    }
    Ok(())
}

#[tokio::test]
async fn on_pipewire_devices_of_every_rate_and_number_of_channels_serve() -> Outcome {
    devices_of_every_kind_serve("pipewire").await
}

#[tokio::test]
async fn on_pulseaudio_devices_of_every_rate_and_number_of_channels_serve() -> Outcome {
    devices_of_every_kind_serve("pulse").await
}

/// What the server lists of streams of that kind, once it lists that word.
fn listed(desk: &Desk, kind: &str, word: &str, clock: &mut Ears) -> anyhow::Result<String> {
    let mut last = String::new();
    for _ in 0..SOON.as_secs() * 2 {
        let output = desk.local("pactl").args(["list", kind]).output()?;
        last = String::from_utf8_lossy(&output.stdout).into_owned();
        if last.contains(word) {
            return Ok(last);
        }
        clock.levels(Duration::from_millis(500))?;
    }
    anyhow::bail!("no {kind} with {word}: {last}")
}

async fn streams_have_names(server: &str, (call, ring): (&str, &str)) -> Outcome {
    let (ana, ben, _rest) = two(server, "tones = false").await?;
    let mut clock = ben.listen()?;
    ben.ctl_says(&["call", "Ana"])?;
    ana.until_state("incoming", SOON).await?;
    let rings = listed(&ana, "sink-inputs", "media.name = \"Ring\"", &mut clock)?;
    anyhow::ensure!(rings.contains(&format!("media.role = \"{ring}\"")), "{rings}");
    ana.ctl_says(&["answer"])?;
    ana.until_state("active", SOON).await?;
    for kind in ["sink-inputs", "source-outputs"] {
        let all = listed(&ana, kind, "media.name = \"Voice\"", &mut clock)?;
        // What the recorders and players of the lab say of themselves stands in other blocks.
        let voice =
            all.split("\n\n").find(|block| block.contains("media.name = \"Voice\"")).unwrap_or_default();
        for line in [
            "application.name = \"ahoy\"".to_owned(),
            "application.id = \"org.ahoyd.Ahoy\"".to_owned(),
            "application.icon_name = \"org.ahoyd.Ahoy\"".to_owned(),
            format!("media.role = \"{call}\""),
        ] {
            anyhow::ensure!(voice.contains(&line), "{kind}: no {line} in {voice}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn on_pipewire_a_mixer_knows_our_streams_and_their_roles() -> Outcome {
    // As PipeWire's own PulseAudio server calls "Communication" and "Notification".
    streams_have_names("pipewire", ("phone", "event")).await
}

#[tokio::test]
async fn on_pulseaudio_a_mixer_knows_our_streams_and_their_roles() -> Outcome {
    streams_have_names("pulse", ("phone", "event")).await
}

/// Whether Ana's microphone is made ready while Ben's call rings, once her loudspeaker runs; then she answers, and it is open.
async fn is_made_ready(ana: &Desk, ben: &Desk, clock: &mut Ears) -> anyhow::Result<bool> {
    let voice = "media.name = \"Voice\"";
    ben.ctl_says(&["call", "Ana"])?;
    ana.until_state("incoming", SOON).await?;
    listed(ana, "sink-inputs", voice, clock)?;
    let mut ready = false;
    // It would be made within a tenth of a second.
    for _ in 0..6 {
        clock.levels(Duration::from_millis(500))?;
        let output = ana.local("pactl").args(["list", "source-outputs"]).output()?;
        ready |= String::from_utf8_lossy(&output.stdout).contains(voice);
    }
    ana.ctl_says(&["answer"])?;
    ana.until_state("active", SOON).await?;
    listed(ana, "source-outputs", voice, clock)?;
    ben.ctl_says(&["hangup"])?;
    ana.until_state("disconnected", SOON).await?;
    Ok(ready)
}

async fn a_headset_is_left_alone(server: &str) -> Outcome {
    let (ana, ben, _rest) = two(server, "muted = true\ntones = false").await?;
    let mut clock = ben.listen()?;
    anyhow::ensure!(is_made_ready(&ana, &ben, &mut clock).await?, "what has a wire is made ready");
    plug_microphone(&ana, server, "bluez_input.00_11", 16_000, "mono")?;
    choose(&ana, "input", "bluez_input.00_11").await?;
    anyhow::ensure!(!is_made_ready(&ana, &ben, &mut clock).await?, "a ring made a headset turn to listening");
    Ok(())
}

#[tokio::test]
async fn on_pipewire_a_ring_makes_no_headset_without_a_wire_ready_to_listen() -> Outcome {
    a_headset_is_left_alone("pipewire").await
}

#[tokio::test]
async fn on_pulseaudio_a_ring_makes_no_headset_without_a_wire_ready_to_listen() -> Outcome {
    a_headset_is_left_alone("pulse").await
}

/// Threads of the daemon, and connections to the sound server.
fn open(desk: &Desk) -> anyhow::Result<(usize, usize)> {
    let number = desk.pid().ok_or_else(|| anyhow::anyhow!("no daemon"))?;
    let threads = fs::read_dir(format!("/proc/{number}/task"))?.count();
    let listed = desk.local("pactl").args(["list", "short", "clients"]).output()?;
    Ok((threads, String::from_utf8_lossy(&listed.stdout).lines().count()))
}

#[tokio::test]
async fn many_looks_at_a_microphone_leave_no_thread_and_no_connection_behind() -> Outcome {
    const LOOKS: usize = 24;
    let net = Net::new()?;
    let mut ana = Desk::prepare_with("Ana", "ws://127.0.0.1:9", "pulse")?;
    ana.begin("bus")?;
    ana.begin("sound")?;
    ana.start_daemon(&net)?;
    ana.until_device("mic", true, SOON).await?;
    let _hums = ana.hum(ANA)?;
    let mut clock = ana.listen()?;
    let look = || ana.ctl_says(&["device", "meter", "mic", "--once"]);
    look()?;
    let before = open(&ana)?;
    for _ in 0..LOOKS {
        look()?;
    }
    // The last one may still be closing.
    for _ in 0..60 {
        let now = open(&ana)?;
        if now.0 <= before.0 + 2 && now.1 <= before.1 + 1 {
            return Ok(());
        }
        clock.levels(Duration::from_millis(500))?;
    }
    anyhow::bail!("threads and connections: {before:?} at first, {:?} after {LOOKS} looks", open(&ana)?)
}
