//! Do calls sound on the devices that people have, under names that a mixer can keep, and is nothing left behind?
//!
//! Lives here: devices of other rates and channels, what a sound server lists of us, what is left after many looks at a microphone.
//! Must not: judge how well it sounds.

use std::fs;
use std::time::Duration;

use ahoy_tests::lab::{ANA, BEN, Desk, Ears, Net, put_through, two_on};

/// A machine that builds and tests many things at once starves a sound server for seconds.
const SOON: Duration = Duration::from_secs(60);

const TWO: &str = "front-left,front-right";
const SIX: &str = "front-left,front-right,front-center,lfe,rear-left,rear-right";
const EIGHT: &str = "front-left,front-right,front-center,lfe,rear-left,rear-right,side-left,side-right";

type Outcome = anyhow::Result<()>;

async fn devices_of_every_kind_serve(server: &str) -> Outcome {
    let (_place, ana, ben) = two_on(server, |_| Ok(())).await?;
    let _hums = ben.hum(BEN)?;
    let mut ben_hears = ben.listen()?;
    put_through(&ana, &ben).await?;
    let kinds = [
        (8_000, "mono"),
        (16_000, "mono"),
        (44_100, TWO),
        (8_000, TWO),
        (44_100, "mono"),
        (96_000, TWO),
        (192_000, TWO),
        (48_000, SIX),
        (192_000, SIX),
        (96_000, EIGHT),
    ];
    // Each hums another tone than the one before: what was on its way is no proof.
    for ((rate, channels), hums) in kinds.into_iter().zip([ANA, 1_500.0].into_iter().cycle()) {
        let count = channels.split(',').count();
        let (speaker, mic) = (format!("loud.{count}.{rate}"), format!("voice.{count}.{rate}"));
        ana.add_speaker_of(&speaker, rate, channels)?;
        ana.add_microphone_of(&mic, rate, channels)?;
        let mut ears = Ears::open_channels(
            ana.recorder(&format!("{speaker}.monitor"), channels),
            count,
            &[0, count.min(2) - 1],
        )?;
        let _hums = ana.hum_into(&mic, hums)?;
        ana.choose("output", &speaker).await?;
        ana.choose("input", &mic).await?;
        let heard = ears.until_tone(BEN, SOON);
        heard.map_err(|error| anyhow::anyhow!("{speaker}: {error}\n{}", ana.tail()))?;
        let heard = ben_hears.until_tone(hums, SOON);
        heard.map_err(|error| anyhow::anyhow!("{mic}: {error}\n{}", ana.tail()))?;
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
    let (_place, ana, ben) = two_on(server, |ana| Ok(ana.configure_with("[ring]\ntones = false\n")?)).await?;
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
    let (_place, ana, ben) = two_on(server, |_| Ok(())).await?;
    let mut clock = ben.listen()?;
    anyhow::ensure!(is_made_ready(&ana, &ben, &mut clock).await?, "what has a wire is made ready");
    ana.add_microphone_of("bluez_input.00_11", 16_000, "mono")?;
    ana.choose("input", "bluez_input.00_11").await?;
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
