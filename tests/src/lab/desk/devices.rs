//! The sound of a desk.
//!
//! Lives here: mouths and ears at its devices, and devices that come, go and are chosen.
//! Must not: judge what is heard.

use std::io;
use std::process::Command;
use std::time::Duration;

use ahoy_dbus::{Dict, proxy};

use super::super::{Ears, Mouth, root};
use super::Desk;

/// What a device may take to be seen.
const SEEN: Duration = Duration::from_secs(60);

impl Desk {
    /// Hums into the microphone.
    pub fn hum(&self, frequency: f64) -> io::Result<Mouth> {
        self.hum_into("mic", frequency)
    }

    /// Speaks into the microphone, at this pitch.
    pub fn speak(&self, frequency: f64) -> io::Result<Mouth> {
        Mouth::speak(self.tool("pacat", "mic_in", "40"), frequency)
    }

    /// Hums into this microphone.
    pub fn hum_into(&self, microphone: &str, frequency: f64) -> io::Result<Mouth> {
        Mouth::hum(self.tool("pacat", &format!("{microphone}_in"), "40"), frequency)
    }

    /// Listens to the speaker.
    pub fn listen(&self) -> io::Result<Ears> {
        self.listen_at("speaker")
    }

    /// Listens to this loudspeaker.
    pub fn listen_at(&self, speaker: &str) -> io::Result<Ears> {
        Ears::open(self.recorder(&format!("{speaker}.monitor"), "front-left,front-right"))
    }

    /// A further device comes: `output`, `input`, or `direct`, a microphone as the lab explains it.
    pub fn plug(&self, direction: &str, name: &str) -> io::Result<()> {
        self.lab("plug", &[direction, name])
    }

    /// A device goes.
    pub fn unplug(&self, name: &str) -> io::Result<()> {
        self.lab("unplug", &[name])
    }

    /// The desktop's own choice of a device.
    pub fn set_default(&self, direction: &str, name: &str) -> io::Result<()> {
        self.lab("default", &[direction, name])
    }

    /// Runs `pactl` at this desk's sound server.
    pub fn sound_control(&self, words: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new("pactl");
        self.dress(&mut command);
        let done = command.args(words.iter().filter(|word| !word.is_empty())).output()?;
        anyhow::ensure!(done.status.success(), "pactl {words:?}: {}", String::from_utf8_lossy(&done.stderr));
        Ok(())
    }

    /// One more loudspeaker, of that name.
    pub fn add_speaker(&self, name: &str) -> anyhow::Result<()> {
        let sink = format!("sink_name={name}");
        self.sound_control(&["load-module", "module-null-sink", "rate=48000", "channels=2", &sink])
    }

    /// How many streams of a kind the sound server runs: `source-outputs` are captures, `sink-inputs` playbacks.
    pub fn running(&self, kind: &str) -> io::Result<usize> {
        let mut command = Command::new("pactl");
        self.dress(&mut command);
        let listed = command.args(["list", kind]).output()?;
        Ok(String::from_utf8_lossy(&listed.stdout).matches("Corked: no").count())
    }

    /// One more loudspeaker, of that rate and those channels, as `front-left,front-right`.
    pub fn add_speaker_of(&self, name: &str, rate: u32, channels: &str) -> anyhow::Result<()> {
        let count = channels.split(',').count();
        self.sound_control(&[
            "load-module",
            "module-null-sink",
            // Else an idle sink of PulseAudio works in blocks of 2 s, and a new stream waits for the next one.
            if self.sound == "pulse" { "norewinds=1" } else { "" },
            &format!("sink_name={name}"),
            &format!("rate={rate}"),
            &format!("channels={count}"),
            &format!("channel_map={channels}"),
        ])
    }

    /// One more microphone, which gives what is played into `NAME_in`.
    pub fn add_microphone_of(&self, name: &str, rate: u32, channels: &str) -> anyhow::Result<()> {
        self.add_speaker_of(&format!("{name}_in"), rate, channels)?;
        let count = channels.split(',').count();
        self.sound_control(&[
            "load-module",
            "module-remap-source",
            &format!("source_name={name}"),
            &format!("master={name}_in.monitor"),
            &format!("channels={count}"),
            &format!("channel_map={channels}"),
            &format!("master_channel_map={channels}"),
        ])
    }

    /// A device is chosen for that role, once the daemon sees it.
    pub async fn choose(&self, role: &str, id: &str) -> anyhow::Result<()> {
        self.until_device(id, true, SEEN).await?;
        let manager = proxy::ManagerProxy::new(&self.bus().await?).await?;
        Ok(manager.set_device(role, &[id], &Dict::new()).await?)
    }

    /// A player or recorder of raw samples, 48 kHz, mono, at one of this desk's devices, real-time where that is allowed.
    /// `latency` in milliseconds.
    pub fn tool(&self, program: &str, device: &str, latency: &str) -> Command {
        self.tool_with(program, device, latency, "mono")
    }

    /// A recorder of raw samples, 48 kHz, of those channels of a device, as `front-left,front-right`.
    pub fn recorder(&self, device: &str, channels: &str) -> Command {
        self.tool_with("parec", device, "10", channels)
    }

    /// A player or recorder of those channels.
    pub fn tool_with(&self, program: &str, device: &str, latency: &str, channels: &str) -> Command {
        let mut command = Command::new(root().join("tests/lab/realtime.sh"));
        self.dress(&mut command);
        command
            .args(["9", program, "--raw", "--format=s16le", "--rate=48000"])
            .args([
                format!("--channels={}", channels.split(',').count()),
                format!("--channel-map={channels}"),
            ])
            .args([format!("--latency-msec={latency}"), format!("--device={device}")]);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_in_the_microphone_is_heard_there_and_not_at_the_speaker() {
        let desk = Desk::prepare("Ana", "ws://127.0.0.1:9").unwrap();
        desk.begin("sound").unwrap();
        let _mouth = desk.hum(600.0).unwrap();
        let mut microphone = Ears::open_channels(desk.tool("parec", "mic", "10"), 1, &[0]).unwrap();
        microphone.until_tone(600.0, Duration::from_secs(10)).unwrap();
        assert!(microphone.until_tone(950.0, Duration::from_millis(500)).is_err(), "another tone");
        let speaker = desk.listen().unwrap().loudest(Duration::from_millis(500)).unwrap();
        assert!(speaker < -100.0, "{speaker}");
    }
}
