//! Does a call go on when its sound devices come, go and change, on each kind of sound server?
//!
//! Lives here: two real daemons in a call; at Ana's devices are plugged, unplugged and chosen, the sound server stops and starts.
//! Must not: believe a daemon: sound is back when the tone is heard at the right monitor.
#![expect(clippy::print_stdout, reason = "the times are for who reads the output of the test")]

use std::fs;
use std::time::Duration;

use ahoy_dbus::{Dict, proxy};
use ahoy_tests::lab::{ANA, Desk, Net, Talkers, two_on};

/// What Ana hums into a second microphone.
const OTHER: f64 = 1_500.0;
/// A machine that builds and tests many things at once starves a sound server for seconds.
const SOON: Duration = Duration::from_secs(40);

type Outcome = anyhow::Result<()>;

/// How Ana's daemon reaches her sound server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// PipeWire, and its stand-in for PulseAudio beside it: as most desktops are.
    PipeWire,
    /// PipeWire without that stand-in.
    PipeWireAlone,
    /// The stand-in alone: PipeWire's own socket is hidden.
    StandIn,
    /// PulseAudio itself.
    PulseAudio,
    /// ALSA's plug-in for PulseAudio, of which only its own library knows.
    AlsaPulse,
    /// Nothing but ALSA's default, whatever stands behind it.
    Alsa,
}

/// Ana and Ben in a call; both hum, both hear.
struct Talk {
    of: Talkers,
    /// Ana's path of the call, and Ben's.
    calls: (String, String),
}

impl Talk {
    async fn begin(way: Way) -> anyhow::Result<Self> {
        let sound = match way {
            Way::PipeWire | Way::PipeWireAlone | Way::StandIn => "pipewire",
            Way::PulseAudio | Way::AlsaPulse | Way::Alsa => "pulse",
        };
        let of = Talkers::of(two_on(sound, |ana| restrict(ana, way)).await?)?;
        let calls = of.call().await?;
        let mut talk = Self { of, calls };
        talk.of.both_hear("at first")?;
        Ok(talk)
    }

    fn ana_hears(&mut self, when: &str) -> Outcome {
        let took = self.of.ana_hears(when)?;
        println!("{when}: heard at Ana's after {} ms", took.as_millis());
        Ok(())
    }

    fn ben_hears(&mut self, when: &str, hums: f64) -> Outcome {
        let took = self.of.ben_hears(when, hums)?;
        println!("{when}: heard at Ben's after {} ms", took.as_millis());
        Ok(())
    }

    /// It is still the call that was begun.
    async fn stands(&self) -> Outcome {
        anyhow::ensure!(self.of.ana.until_state("active", SOON).await? == self.calls.0, "another call");
        anyhow::ensure!(self.of.ana.history().await?.len() == 1, "one call, one row");
        Ok(())
    }

    async fn choose(&self, role: &str, ids: &[&str]) -> Outcome {
        let manager = proxy::ManagerProxy::new(&self.of.ana.bus().await?).await?;
        Ok(manager.set_device(role, ids, &Dict::new()).await?)
    }

    /// A loudspeaker is chosen in the call, goes, and comes again.
    async fn a_chosen_loudspeaker_comes_and_goes(&mut self) -> Outcome {
        self.of.ana.plug("output", "headset")?;
        self.of.ana.until_device("headset", true, SOON).await?;
        let headset = self.of.ana.listen_at("headset")?;
        let at_the_speaker = std::mem::replace(&mut self.of.ana_hears, headset);
        self.choose("output", &["headset"]).await?;
        self.ana_hears("headset chosen")?;
        self.of.ana_hears = at_the_speaker;
        self.of.ana_hears.until_silence(SOON)?;
        self.of.ana.unplug("headset")?;
        self.ana_hears("headset unplugged")?;
        self.of.ana.until_device("headset", false, SOON).await?;
        self.of.ana.plug("output", "headset")?;
        let headset = self.of.ana.listen_at("headset")?;
        let at_the_speaker = std::mem::replace(&mut self.of.ana_hears, headset);
        self.ana_hears("headset plugged back")?;
        self.of.ana_hears = at_the_speaker;
        self.choose("output", &[]).await?;
        self.ana_hears("left to the desktop")
    }

    /// The same with a microphone.
    async fn a_chosen_microphone_comes_and_goes(&mut self) -> Outcome {
        self.of.ana.plug("input", "lapel")?;
        self.of.ana.until_device("lapel", true, SOON).await?;
        let mouth = self.of.ana.hum_into("lapel", OTHER)?;
        self.choose("input", &["lapel"]).await?;
        self.ben_hears("lapel chosen", OTHER)?;
        drop(mouth);
        self.of.ana.unplug("lapel")?;
        self.ben_hears("lapel unplugged", ANA)?;
        self.of.ana.plug("input", "lapel")?;
        let _mouth = self.of.ana.hum_into("lapel", OTHER)?;
        self.ben_hears("lapel plugged back", OTHER)?;
        self.choose("input", &[]).await?;
        self.ben_hears("left to the desktop", ANA)
    }

    /// The desktop's default is another one.
    fn a_changed_default_is_followed(&mut self) -> Outcome {
        self.of.ana.set_default("output", "headset")?;
        self.of.ana_hears = self.of.ana.listen_at("headset")?;
        self.ana_hears("another default")?;
        self.of.ana.set_default("output", "speaker")?;
        self.of.ana_hears = self.of.ana.listen()?;
        self.ana_hears("the first default")
    }

    /// The server is stopped and started. Its devices are there when `begin` returns.
    fn a_server_that_starts_again_is_taken_up(&mut self) -> Outcome {
        self.of.mouths.0 = None;
        self.of.ana.end("sound")?;
        self.of.ben_hears.until_silence(SOON)?;
        self.of.ana.begin("sound")?;
        self.of.mouths.0 = Some(self.of.ana.hum(ANA)?);
        self.of.ana_hears = self.of.ana.listen()?;
        self.of.both_hear("server started again")
    }

    /// No microphone is left: Ben is told that Ana only hears, and the call stands.
    async fn without_a_microphone_one_hears_only(&mut self) -> Outcome {
        self.of.mouths.0 = None;
        self.of.ana.unplug("lapel")?;
        self.of.ana.unplug("mic")?;
        self.of.ben.until_flag(&self.calls.1, "RemoteHearsOnly", true, SOON).await?;
        anyhow::ensure!(
            self.of.ben.ctl_says(&["show"])?.contains("hears_only\ttrue") || shows_it(&self.of.ben)?
        );
        self.of.ana.until_problem(Some("No microphone"), SOON).await?;
        self.ana_hears("without a microphone")?;
        self.of.ana.plug("input", "mic")?;
        self.of.mouths.0 = Some(self.of.ana.hum(ANA)?);
        self.ben_hears("a microphone came", ANA)?;
        self.of.ben.until_flag(&self.calls.1, "RemoteHearsOnly", false, SOON).await
    }
}

fn shows_it(desk: &Desk) -> anyhow::Result<bool> {
    Ok(desk.ctl_says(&["list"])?.contains("hears only"))
}

/// Everything that a desktop can do to a call's devices.
async fn everything(way: Way) -> Outcome {
    let mut talk = Talk::begin(way).await?;
    talk.a_chosen_loudspeaker_comes_and_goes().await?;
    talk.a_chosen_microphone_comes_and_goes().await?;
    talk.a_changed_default_is_followed()?;
    talk.without_a_microphone_one_hears_only().await?;
    talk.a_server_that_starts_again_is_taken_up()?;
    talk.stands().await
}

#[tokio::test]
async fn on_pipewire_a_call_outlives_every_change_of_its_devices() -> Outcome {
    everything(Way::PipeWire).await
}

#[tokio::test]
async fn on_the_stand_in_for_pulseaudio_a_call_outlives_changes_of_its_devices() -> Outcome {
    let mut talk = Talk::begin(Way::StandIn).await?;
    talk.a_chosen_loudspeaker_comes_and_goes().await?;
    talk.a_changed_default_is_followed()?;
    talk.a_server_that_starts_again_is_taken_up()?;
    talk.stands().await
}

#[tokio::test]
async fn on_pulseaudio_a_call_outlives_every_change_of_its_devices() -> Outcome {
    everything(Way::PulseAudio).await
}

#[tokio::test]
async fn on_pipewire_without_its_stand_in_a_default_is_followed_and_a_new_server_taken_up() -> Outcome {
    let mut talk = Talk::begin(Way::PipeWireAlone).await?;
    talk.of.ana.plug("output", "headset")?;
    talk.a_changed_default_is_followed()?;
    talk.a_server_that_starts_again_is_taken_up()?;
    talk.stands().await
}

#[tokio::test]
async fn by_the_plug_in_of_alsa_a_call_goes_on_with_another_device_and_a_new_server() -> Outcome {
    let mut talk = Talk::begin(Way::AlsaPulse).await?;
    talk.of.ana.plug("output", "headset")?;
    talk.a_changed_default_is_followed()?;
    talk.a_server_that_starts_again_is_taken_up()?;
    talk.stands().await
}

#[tokio::test]
async fn with_nothing_but_alsa_a_call_has_sound_and_finds_it_again() -> Outcome {
    let mut talk = Talk::begin(Way::Alsa).await?;
    talk.a_server_that_starts_again_is_taken_up()?;
    talk.stands().await
}

#[tokio::test]
async fn a_choice_outlives_the_daemon_and_devices_are_found_by_the_beginning_of_their_names() -> Outcome {
    let net = Net::new()?;
    let mut ana = Desk::prepare("Ana", "ws://127.0.0.1:9")?;
    ana.begin("bus")?;
    ana.begin("sound")?;
    ana.plug("output", "headset")?;
    ana.start_daemon(&net)?;
    ana.until_device("headset", true, SOON).await?;
    let listed = ana.ctl_says(&["device"])?;
    let expected = "output\tSpeaker\tspeaker\tvirtual\tserves output, serves ring";
    anyhow::ensure!(listed.contains(expected), "{listed}");
    anyhow::ensure!(!listed.contains("monitor"), "what a loudspeaker plays is no microphone: {listed}");
    let used = ana.ctl_says(&["device", "use", "output", "heads"])?;
    anyhow::ensure!(used.contains("Headset") && !used.contains("Speaker"), "{used}");
    ana.ctl_says(&["device", "use", "ring", "headset", "speaker"])?;
    let wrong = ana.ctl(&["device", "use", "input", "headset"], "")?;
    anyhow::ensure!(wrong.status.code() == Some(10), "a loudspeaker is no microphone: {wrong:?}");
    ana.kill_daemon();
    ana.unplug("headset")?;
    ana.start_daemon(&net)?;
    ana.until_device("speaker", true, SOON).await?;
    let manager = proxy::ManagerProxy::new(&ana.bus().await?).await?;
    anyhow::ensure!(manager.output_device().await? == "headset");
    anyhow::ensure!(manager.ring_devices().await? == ["headset", "speaker"]);
    let listed = ana.ctl_says(&["device"])?;
    anyhow::ensure!(listed.contains("headset\theadset\tother\tunplugged"), "{listed}");
    ana.plug("output", "headset")?;
    ana.until_device("headset", true, SOON).await?;
    let mut ears = ana.listen_at("headset")?;
    // Who is there to hear it: the notes are short, and the recorder and ahoyctl take their time.
    ears.until_silence(SOON)?;
    let (tried, heard) = std::thread::scope(|scope| {
        let tried = scope.spawn(|| ana.ctl_says(&["device", "test", "headset"]));
        let heard = ears.until_tone(523.25, SOON);
        (tried.join(), heard)
    });
    heard?;
    tried.map_err(|_| anyhow::anyhow!("ahoyctl was not run"))??;
    Ok(())
}

/// Takes from Ana's daemon what it must not see.
fn restrict(ana: &mut Desk, way: Way) -> Outcome {
    let folder = ana.folder().to_owned();
    let server = format!("unix:{}", folder.join("run/pulse/native").display());
    let hidden = folder.join("hidden");
    fs::create_dir_all(&hidden)?;
    let hidden = hidden.display().to_string();
    match way {
        Way::PipeWire | Way::PulseAudio => {}
        Way::PipeWireAlone => {
            ana.daemon_variable("PULSE_SERVER", Some(&format!("unix:{hidden}/native")));
        }
        Way::StandIn => ana.daemon_variable("PIPEWIRE_REMOTE", Some("nobody")),
        Way::AlsaPulse | Way::Alsa => {
            ana.daemon_variable("XDG_RUNTIME_DIR", Some(&hidden));
            for name in ["PULSE_SERVER", "PULSE_RUNTIME_PATH"] {
                ana.daemon_variable(name, None);
            }
        }
    }
    if way == Way::AlsaPulse {
        let settings = folder.join("home/.config/pulse");
        fs::create_dir_all(&settings)?;
        fs::write(settings.join("client.conf"), format!("default-server = {server}\nautospawn = no\n"))?;
    }
    if way == Way::Alsa {
        let text = format!("pcm.!default {{ type pulse; server \"{server}\" }}\n");
        fs::write(folder.join("home/.asoundrc"), text)?;
    }
    Ok(())
}
