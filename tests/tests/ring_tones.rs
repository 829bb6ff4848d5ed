//! Is a person told at once that a ring tone cannot be played, and not by silence when somebody calls?
//!
//! Lives here: a daemon without sound, tones that are set and tones that stand in its configuration already.
//! Must not: listen to anything.

use std::fs;
use std::time::Duration;

use ahoy_tests::lab::{Desk, Net};

const SOON: Duration = Duration::from_secs(30);

type Outcome = anyhow::Result<()>;

/// A tone of half a second whose sizes are those of a program that wrote into a pipe.
fn wave() -> Vec<u8> {
    let mut wave = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    wave.extend([8_000_u32, 16_000].into_iter().flat_map(u32::to_le_bytes));
    wave.extend(b"\x02\0\x10\0data\0\0\0\0");
    wave.extend((0..4_000_i16).flat_map(|n| (n % 18 * 900 - 8_100).to_le_bytes()));
    wave
}

#[tokio::test]
async fn a_tone_that_cannot_be_played_is_refused_when_it_is_set_and_listed_when_it_stands_there() -> Outcome {
    let net = Net::new()?;
    let mut ana = Desk::prepare("Ana", "ws://127.0.0.1:9")?;
    let (good, page) = (ana.folder().join("good.wav"), ana.folder().join("page.ogg"));
    fs::write(&good, wave())?;
    fs::write(&page, "<html>not found</html>")?;
    let (good, page) = (good.display().to_string(), page.display().to_string());
    let configured = |tone: &str| {
        format!(
            "[account]\nname = \"Ana\"\n[relay]\nurls = [\"ws://127.0.0.1:9\"]\n[ring]\ntone = \"{tone}\"\n"
        )
    };
    ana.configure(&configured(&page))?;
    ana.begin("bus")?;
    ana.start_daemon(&net)?;
    ana.until_problem(Some("cannot be played"), SOON).await?;
    ana.ctl_says(&["config", "set", "ring.tone", &good])?;
    // The tone is tried once more, beside the daemon's work: a problem goes a moment later.
    let gone =
        (0..200).any(|_| ana.ctl_says(&["status"]).is_ok_and(|told| !told.contains("cannot be played")));
    anyhow::ensure!(gone, "a good one is no problem");
    for wrong in [page.as_str(), "/nowhere/ring.wav", "no-such-sound"] {
        let refused = ana.ctl(&["config", "set", "ring.tone", wrong], "")?;
        let sentence = String::from_utf8_lossy(&refused.stderr).into_owned();
        anyhow::ensure!(
            !refused.status.success()
                && ["played", "used"].iter().any(|it| sentence.contains(&format!("cannot be {it}"))),
            "{wrong}: {sentence}"
        );
        anyhow::ensure!(ana.ctl_says(&["config", "get", "ring.tone"])?.trim() == good, "nothing was changed");
    }
    Ok(())
}
