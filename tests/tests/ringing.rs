//! Does a person hear the telephone ring, and the caller how it goes?
//!
//! Lives here: rings and tones between two real daemons, judged at the monitors of real loudspeakers.
//! Must not: look into a daemon, or trust what it says of itself where sound can be asked instead.

use std::fs;
use std::path::Path;
use std::time::Duration;

use ahoy_dbus::{Dict, proxy};
use ahoy_tests::lab::{Desk, Ears, Place, dial, introduce, text};
use zbus::Variant;

const SOON: Duration = Duration::from_secs(60);
/// The theme's ring and Ana's own, as the test writes them.
const THEME: u32 = 700;
const OWN: u32 = 1300;
/// What callers hear.
const PROGRESS: f64 = 425.0;
/// From its end on a ring is heard no longer than 200 ms; here the server's buffers and a busy machine come on top.
const STOPS: Duration = Duration::from_millis(1_000);

type Outcome = anyhow::Result<()>;

/// Ana calls Ben, whose telephone rings on two bells of its own.
struct Room {
    ana: Desk,
    ben: Desk,
    ana_hears: Ears,
    ben_hears: Ears,
    bells: [Ears; 2],
    place: Place,
}

impl Room {
    async fn furnish() -> anyhow::Result<Self> {
        let place = Place::new()?;
        let mut desks = Vec::new();
        for name in ["Ana", "Ben"] {
            let mut desk = place.desk(name)?;
            let theme = desk.folder().join("data/sounds/lab/stereo");
            desk.configure_with("[media]\nring = [\"bell1\", \"bell2\"]\n[ring]\ntheme = \"lab\"\n")?;
            fs::create_dir_all(&theme)?;
            write_tone(&theme.join("phone-incoming-call.wav"), THEME)?;
            write_tone(&desk.folder().join("own.wav"), OWN)?;
            desk.begin("bus")?;
            desk.begin("sound")?;
            desk.add_speaker("bell1")?;
            desk.add_speaker("bell2")?;
            place.run(&mut desk, &[]).await?;
            desks.push(desk);
        }
        let [ana, ben] = <[Desk; 2]>::try_from(desks).map_err(|_| anyhow::anyhow!("two desks"))?;
        introduce(&ana, &ben)?;
        let (ana_hears, ben_hears) = (ana.listen()?, ben.listen()?);
        let bells = [ben.listen_at("bell1")?, ben.listen_at("bell2")?];
        Ok(Self { ana, ben, ana_hears, ben_hears, bells, place })
    }

    /// Ana dials; Ben's bells sound at that pitch.
    async fn ring(&mut self, pitch: u32) -> anyhow::Result<proxy::CallProxy<'static>> {
        let manager = proxy::ManagerProxy::new(&self.ana.bus().await?).await?;
        let lifetime = Variant::from(60_u32).try_into()?;
        manager.dial("Ben", &Dict::from([("lifetime".to_owned(), lifetime)])).await?;
        let call = self.ben.until_state("incoming", SOON).await?;
        for bell in &mut self.bells {
            bell.until_tone(f64::from(pitch), SOON)?;
        }
        self.ben.steer(&call).await
    }

    fn bells_stop(&mut self, after: &str) -> Outcome {
        for bell in &mut self.bells {
            let took = bell.until_silence(SOON)?;
            eprintln!("{after}: a bell is silent after {took:?}");
            anyhow::ensure!(took < STOPS, "{after}: the bell stops after {took:?}");
        }
        // A ring of three seconds would have come again.
        let loudest = self.bells[0].loudest(Duration::from_millis(3_300))?;
        anyhow::ensure!(loudest < -70.0, "{after}: it rings on with {loudest} dBFS");
        Ok(())
    }
}

#[tokio::test]
async fn it_rings_on_all_bells_until_it_is_answered_declined_silenced_or_muted_and_the_caller_hears_how_it_goes()
-> Outcome {
    let mut room = Room::furnish().await?;
    let none = Dict::new();

    let call = room.ring(THEME).await?;
    anyhow::ensure!(room.ben.running("source-outputs")? == 3, "the ears listen, and no microphone is open");
    room.ana_hears.until_tone(PROGRESS, SOON)?;
    let speaker = room.ben_hears.loudest(Duration::from_secs(1))?;
    anyhow::ensure!(speaker < -70.0, "the ring is on the bells alone, not on the speaker: {speaker} dBFS");
    call.silence(&none).await?;
    room.bells_stop("silenced")?;
    anyhow::ensure!(text(&room.ben.call(call.inner().path()).await?, "State") == "incoming");
    room.ana_hears.until_tone(PROGRESS, SOON)?;
    call.decline("busy", &none).await?;
    // Ringing has 4 s between its tones, busy half a second.
    for _ in 0..2 {
        room.ana_hears.until_tone(PROGRESS, Duration::from_millis(2_500))?;
        room.ana_hears.until_silence(Duration::from_millis(2_500))?;
    }

    room.ben.ctl_says(&["contact", "set", "Ana", "--ring-tone", &own(&room.ben)])?;
    let call = room.ring(OWN).await?;
    let manager = proxy::ManagerProxy::new(&room.ben.bus().await?).await?;
    let muted = |muted: bool| -> anyhow::Result<Dict> {
        Ok(Dict::from([("muted".to_owned(), Variant::from(muted).try_into()?)]))
    };
    manager.set_ringer(&muted(true)?).await?;
    room.bells_stop("muted")?;
    manager.set_ringer(&muted(false)?).await?;
    room.bells[1].until_tone(f64::from(OWN), SOON)?;
    call.answer(&none).await?;
    room.bells_stop("answered")?;
    room.ana.until_state("active", SOON).await?;
    room.ana_hears.until_silence(SOON)?;
    room.ana_hears.attend();
    call.hangup(&none).await?;
    // Who was hung up on hears two short falling tones.
    room.ana_hears.until_beep(400.0, SOON)?;
    Ok(())
}

#[tokio::test]
async fn a_silent_contact_rings_no_bell_and_an_automatic_answer_and_a_second_call_are_heard_at_the_speaker()
-> Outcome {
    let mut room = Room::furnish().await?;
    let none = Dict::new();

    let call = room.ring(THEME).await?;
    call.decline("declined", &none).await?;
    room.bells_stop("declined")?;

    room.ben.ctl_says(&["contact", "set", "Ana", "--ring", "silent"])?;
    dial(&room.ana, "Ben").await?;
    let call = room.ben.until_state("incoming", SOON).await?;
    room.ana_hears.until_tone(PROGRESS, SOON)?;
    let bell = room.bells[0].loudest(Duration::from_secs(1))?;
    anyhow::ensure!(bell < -70.0, "a silent contact rings with {bell} dBFS");
    room.ben.steer(&call).await?.decline("declined", &none).await?;
    room.ben.until_state("disconnected", SOON).await?;

    room.ben.ctl_says(&["contact", "verify", "Ana"])?;
    room.ben.ctl_says(&["contact", "set", "Ana", "--ring", "auto-answer"])?;
    dial(&room.ana, "Ben").await?;
    // Nobody speaks: what is heard is the tone.
    let tone = room.ben_hears.loudest(Duration::from_secs(4))?;
    anyhow::ensure!(tone > -40.0, "the microphone opens with {tone} dBFS");
    room.ben.until_state("active", SOON).await?;
    let after = room.ben_hears.loudest(Duration::from_secs(1))?;
    anyhow::ensure!(after < -70.0, "the tone ends: {after} dBFS");

    let cleo = room.place.start("Cleo").await?;
    introduce(&cleo, &room.ben)?;
    dial(&cleo, "Ben").await?;
    room.ben.until_state("waiting", SOON).await?;
    // Two beeps, then four seconds of pause.
    let tone = room.ben_hears.loudest(Duration::from_secs(5))?;
    anyhow::ensure!((-50.0..-20.0).contains(&tone), "a second call is told softly: {tone} dBFS");
    let bell = room.bells[0].loudest(Duration::from_secs(1))?;
    anyhow::ensure!(bell < -70.0, "and by no bell: {bell} dBFS");
    Ok(())
}

fn own(desk: &Desk) -> String {
    desk.folder().join("own.wav").display().to_string()
}

/// One second of a tone, of 22.05 kHz and two channels, as WAV.
fn write_tone(path: &Path, hertz: u32) -> Outcome {
    const RATE: u32 = 22_050;
    let mut wave = Vec::new();
    wave.extend(b"RIFF");
    wave.extend((36 + 4 * RATE).to_le_bytes());
    wave.extend(b"WAVEfmt ");
    wave.extend(16_u32.to_le_bytes());
    wave.extend([1_u16, 2].into_iter().flat_map(u16::to_le_bytes));
    wave.extend([RATE, 4 * RATE].into_iter().flat_map(u32::to_le_bytes));
    wave.extend([4_u16, 16].into_iter().flat_map(u16::to_le_bytes));
    wave.extend(b"data");
    wave.extend((4 * RATE).to_le_bytes());
    for n in 0..RATE {
        let angle = std::f64::consts::TAU * f64::from(hertz * n % RATE) / f64::from(RATE);
        #[expect(clippy::cast_possible_truncation, reason = "a third of the range")]
        let sample = (11_000.0 * angle.sin()) as i16;
        wave.extend([sample; 2].into_iter().flat_map(i16::to_le_bytes));
    }
    Ok(fs::write(path, wave)?)
}
