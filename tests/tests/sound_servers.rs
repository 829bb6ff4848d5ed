//! Does a call go on when blocks and rates of sound change under it, and where blocks are as small or as large as a server has them?
//!
//! Lives here: real daemons; at Ana's the server's or a device's rate and block change in a call, or are extreme.
//! Must not: judge how long anything takes: other programs run beside it.

use std::time::Duration;

use ahoy_tests::lab::{ANA, Desk, Ears, Mouth, Talkers, two_on};

const TWO: &str = "front-left,front-right";

type Outcome = anyhow::Result<()>;

/// Ana, at whose desk things change, and Ben, in a call.
async fn begin(server: &str) -> anyhow::Result<Talkers> {
    let mut pair = Talkers::of(two_on(server, |_| Ok(())).await?)?;
    pair.call().await?;
    pair.both_hear("at first")?;
    Ok(pair)
}

/// A person, or another program, sets rate and block of the whole graph while a call runs.
#[tokio::test]
async fn a_pipewire_that_changes_its_rate_and_its_block_in_a_call_is_followed() -> Outcome {
    let mut pair = begin("pipewire").await?;
    for (setting, value) in [
        ("clock.force-rate", "44100"),
        ("clock.force-rate", "96000"),
        ("clock.force-rate", "0"),
        ("clock.force-quantum", "8192"),
        ("clock.force-quantum", "128"),
        ("clock.force-quantum", "4096"),
        ("clock.force-quantum", "0"),
    ] {
        let set = pair.ana.local("pw-metadata").args(["-n", "settings", "0", setting, value]).output()?;
        anyhow::ensure!(set.status.success(), "{setting}: {}", String::from_utf8_lossy(&set.stderr));
        // What was on its way is over.
        pair.pass(Duration::from_millis(500))?;
        pair.both_hear(&format!("{setting} {value}"))?;
    }
    Ok(())
}

/// A device of PulseAudio's goes, and comes again under the same name and with another rate, as after its card was set anew.
#[tokio::test]
async fn a_device_of_pulseaudio_that_comes_again_with_another_rate_is_taken_up() -> Outcome {
    let mut pair = begin("pulse").await?;
    for rate in [96_000, 8_000, 44_100] {
        pair.mouths.0 = None;
        // All of them; the way that nobody hears, which the server makes of its own then, is of the same module.
        for module in ["module-remap-source", "module-null-sink"] {
            pair.ana.sound_control(&["unload-module", module])?;
        }
        pair.ana.add_speaker_of("speaker", rate, TWO)?;
        pair.ana.set_default("output", "speaker")?;
        pair.ana.add_microphone_of("mic", rate, "mono")?;
        pair.ana.set_default("input", "mic")?;
        pair.ana_hears = pair.ana.listen()?;
        pair.ana_hears(&format!("at {rate} Hz"))?;
        pair.mouths.0 = Some(pair.ana.hum(ANA)?);
        pair.ben_hears(&format!("at {rate} Hz"), ANA)?;
    }
    Ok(())
}

/// In which blocks PulseAudio lets a loudspeaker work, in microseconds.
fn block_of(desk: &Desk, sink: &str) -> anyhow::Result<u64> {
    let listed = desk.local("pactl").args(["list", "sinks"]).output()?.stdout;
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let block = listed
        .split_once(&format!("Name: {sink}\n"))
        .and_then(|(_, rest)| rest.split_once("configured ")?.1.split_once(" usec"))
        .and_then(|(micros, _)| micros.parse().ok());
    block.ok_or_else(|| anyhow::anyhow!("no block of {sink}: {listed}"))
}

/// PulseAudio's devices of no hardware work in blocks of two seconds where nobody asks for less: a call does. Another program may ask
/// for a millisecond.
#[tokio::test]
async fn a_device_of_pulseaudio_is_brought_down_from_the_largest_blocks_and_serves_in_the_smallest() -> Outcome
{
    let mut pair = begin("pulse").await?;
    // Without its `norewinds` it has the largest.
    for sink in ["vast", "deep_in"] {
        pair.ana.add_speaker(sink)?;
    }
    let source = ["load-module", "module-remap-source", "source_name=deep", "master=deep_in.monitor"];
    pair.ana.sound_control(&source)?;
    pair.mouths.0 = Some(Mouth::hum(pair.ana.tool("pacat", "deep_in", "2000"), ANA)?);
    pair.ana_hears = Ears::open(pair.ana.tool_with("parec", "vast.monitor", "2000", TWO))?;
    pair.ana.choose("output", "vast").await?;
    pair.ana.choose("input", "deep").await?;
    pair.both_hear("in the largest blocks")?;
    let ours = block_of(&pair.ana, "vast")?;
    anyhow::ensure!(ours <= 40_000, "in blocks of {ours} us the call lags behind");
    let _hears = Ears::open(pair.ana.tool_with("parec", "vast.monitor", "1", TWO))?;
    let _hears_too = Ears::open(pair.ana.tool_with("parec", "deep", "1", TWO))?;
    pair.pass(Duration::from_millis(500))?;
    pair.both_hear("in the smallest blocks")?;
    let least = [block_of(&pair.ana, "vast")?, block_of(&pair.ana, "deep_in")?];
    anyhow::ensure!(least.iter().all(|block| *block <= 2_000), "not the smallest blocks: {least:?}");
    Ok(())
}
