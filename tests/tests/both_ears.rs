//! Is mono heard in both ears, and a microphone from whichever side a person speaks into it?
//!
//! Lives here: real daemons and sound servers; every channel of a loudspeaker is judged alone, microphones are fed on one side.
//! Must not: measure time, or judge anything but who is heard where.

use std::time::Duration;

use ahoy_tests::lab::{ANA, BEN, Ears, Mouth, two_on};

/// A machine that builds and tests many things at once starves a sound server for seconds.
const SOON: Duration = Duration::from_secs(40);
/// Channels of one device that play the same may differ by so many decibels.
const ALIKE: f64 = 3.0;
const SIX: &str = "front-left,front-right,front-center,lfe,rear-left,rear-right";
const TWO: &str = "front-left,front-right";

type Outcome = anyhow::Result<()>;

async fn everybody_is_heard_everywhere(server: &str) -> Outcome {
    let (_place, ana, ben) = two_on(server, |ana| {
        Ok(ana.configure_with("[voice]\necho = \"off\"\nnoise = \"off\"\ngain = \"off\"\n")?)
    })
    .await?;
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

    ana.add_speaker_of("six", 48_000, SIX)?;
    ana.choose("output", "six").await?;
    let mut front = Ears::open_channels(ana.recorder("six.monitor", SIX), 6, &[0, 1, 2])?;
    front.until_tone(BEN, SOON)?;
    let levels = front.levels(Duration::from_secs(1))?;
    let loudest = levels.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    anyhow::ensure!(levels.iter().all(|level| loudest - level < ALIKE), "six loudspeakers: {levels:?} dBFS");

    for (name, sides) in [("left", [true, false]), ("right", [false, true]), ("stereo", [true, true])] {
        ana.add_microphone_of(name, 48_000, TWO)?;
        let player = ana.tool_with("pacat", &format!("{name}_in"), "40", TWO);
        let _hums = Mouth::hum_on(player, ANA, &sides)?;
        ana.choose("input", name).await?;
        let heard = ben_hears.until_tone(ANA, SOON);
        heard.map_err(|error| anyhow::anyhow!("{name}: {error}\n{}", ana.tail()))?;
        ana.choose("input", "mic").await?;
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
