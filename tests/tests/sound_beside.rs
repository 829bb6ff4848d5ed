//! Does a player that shares the loudspeaker with a call play on without a crackle?
//!
//! Lives here: a real player of each kind of server; its tone is recorded where it is heard, and breaks in it are counted: no more
//! beside a call than beside any other program that plays and listens at once.
//! Must not: judge one break alone: a machine that builds and tests many things at once starves players, calls or no calls.

use std::f64::consts::TAU;
use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Duration;

use ahoy_tests::lab::{Desk, Ears, Running, put_through, root, two_on};

/// A machine that builds and tests many things at once starves a sound server for seconds.
const SOON: Duration = Duration::from_secs(60);
const RATE: u32 = 48_000;
/// No block of a server is a whole number of its periods: one that is left out or comes twice breaks the tone.
const TONE: f64 = 853.0;
const LOUD: f64 = 11_600.0;
/// Rounding of the tone, and what a call plays while nobody speaks, stay below.
const BREAK: f64 = 60.0;
/// Breaks that follow each other sooner are one: 5 ms.
const ONE: usize = 240;
/// What calls do to a player they do in each of these.
const ROUNDS: usize = 5;

type Outcome = anyhow::Result<()>;

/// A player at Ana's loudspeaker, and what is heard there.
struct Player {
    _plays: Running,
    _records: Running,
    heard: PathBuf,
    /// So many bytes of it were judged.
    judged: usize,
}

impl Player {
    fn begin(desk: &Desk, words: &[&str]) -> anyhow::Result<Self> {
        let (tone, heard) = (desk.folder().join("tone.wav"), desk.folder().join("heard.raw"));
        fs::write(&tone, wave())?;
        let mut plays = desk.local(&root().join("tests/lab/realtime.sh").display().to_string());
        let plays = Running::start(plays.arg("9").args(words).arg(&tone))?;
        let mut records = desk.recorder("speaker.monitor", "mono");
        let records = Running::start(records.stdout(File::create(&heard)?))?;
        Ok(Self { _plays: plays, _records: records, heard, judged: 0 })
    }

    /// Breaks in what was heard since the last look.
    fn breaks(&mut self) -> anyhow::Result<usize> {
        let all = fs::read(&self.heard)?;
        let (pairs, _half) = all[self.judged..].as_chunks::<2>();
        self.judged += pairs.len() * 2;
        let samples: Vec<f64> = pairs.iter().map(|pair| f64::from(i16::from_le_bytes(*pair))).collect();
        let loud = samples.iter().filter(|sample| sample.abs() > LOUD / 2.0).count();
        anyhow::ensure!(loud * 2 > samples.len(), "the player is not heard: {loud} of {}", samples.len());
        // Of a tone each sample follows from the two before it.
        let turn = 2.0 * (TAU * TONE / f64::from(RATE)).cos();
        let breaks = samples.windows(3).enumerate();
        let breaks = breaks.filter(|(_, of)| (of[2] - turn * of[1] + of[0]).abs() > BREAK);
        let mut last = None;
        Ok(breaks.filter(|(at, _)| last.replace(*at).is_none_or(|last| at - last > ONE)).count())
    }
}

/// Two minutes of the tone.
fn wave() -> Vec<u8> {
    let length = RATE * 2 * 120;
    let mut file = Vec::new();
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(length + 36).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    for word in [16_u32, 1 | 1 << 16, RATE, RATE * 2, 2 | 16 << 16] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    file.extend_from_slice(b"data");
    file.extend_from_slice(&length.to_le_bytes());
    for at in 0..length / 2 {
        #[expect(clippy::cast_possible_truncation, reason = "the value is within the range")]
        let sample = (LOUD * (TAU * TONE * f64::from(at % RATE) / f64::from(RATE)).sin()) as i16;
        file.extend_from_slice(&sample.to_le_bytes());
    }
    file
}

fn pass(clock: &mut Ears, time: Duration) -> Outcome {
    Ok(clock.levels(time).map(drop)?)
}

/// What any program does that plays and listens at once, in small blocks: where microphone and loudspeaker have a clock each, PipeWire
/// joins them for it, and parts them again.
fn others(desk: &Desk, server: &str) -> anyhow::Result<[Running; 2]> {
    let (tone, kept) = (desk.folder().join("tone.wav"), desk.folder().join("kept.wav"));
    let begin =
        |words: &[&str], file: &PathBuf| Running::start(desk.local(words[0]).args(&words[1..]).arg(file));
    let small = if server == "pulse" { "--latency-msec=10" } else { "--latency=256" };
    let together = if server == "pulse" { "--property=a=b" } else { "--properties={ node.group=others }" };
    let (plays, records) = if server == "pulse" { ("paplay", "parecord") } else { ("pw-play", "pw-record") };
    Ok([begin(&[plays, "--volume=0", small, together], &tone)?, begin(&[records, small, together], &kept)?])
}

async fn a_call_makes_no_player_crackle(server: &str, words: &[&str]) -> Outcome {
    let (_place, ana, ben) = two_on(server, |_| Ok(())).await?;
    let mut clock = ben.listen()?;
    let mut player = Player::begin(&ana, words)?;
    pass(&mut clock, Duration::from_secs(1))?;
    player.judged = usize::try_from(fs::metadata(&player.heard)?.len())? / 2 * 2;
    // A join of the two clocks and a parting break the tone twice each, and either may fall out: the call that breaks it least is
    // compared with what another program does at most.
    let (mut found, mut most, mut least) = (Vec::new(), 0, usize::MAX);
    for _ in 0..ROUNDS {
        let others = others(&ana, server)?;
        pass(&mut clock, Duration::from_secs(2))?;
        drop(others);
        pass(&mut clock, Duration::from_millis(500))?;
        let without = player.breaks()?;
        put_through(&ana, &ben).await?;
        pass(&mut clock, Duration::from_secs(2))?;
        ana.ctl_says(&["hangup"])?;
        ana.until_state("disconnected", SOON).await?;
        pass(&mut clock, Duration::from_millis(500))?;
        let with = player.breaks()?;
        found.push((without, with));
        (most, least) = (most.max(without), least.min(with));
        if least <= most {
            return Ok(());
        }
    }
    anyhow::bail!(
        "breaks of the tone beside another program and beside a call: {found:?}\n{}",
        ana.tail_of_sound()
    )
}

#[tokio::test]
async fn on_pipewire_a_call_makes_no_player_at_the_same_loudspeaker_crackle() -> Outcome {
    a_call_makes_no_player_crackle("pipewire", &["pw-play", "--target=speaker"]).await
}

#[tokio::test]
async fn on_pulseaudio_a_call_makes_no_player_at_the_same_loudspeaker_crackle() -> Outcome {
    a_call_makes_no_player_crackle("pulse", &["paplay", "--device=speaker"]).await
}
