//! Can a camera read the code of `ahoyctl pair`, and does a link only ask?
//!
//! Lives here: the picture on a dark and on a light terminal, read by a decoder that shares nothing with it; links of all kinds.
//! Must not: need sound or a real desktop.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use ahoy_dbus::{Dict, proxy::ManagerProxy};
use ahoy_tests::lab::{Desk, Place, Relay, Running, binary};
use ahoy_tests::notifications::{Server, Told};
use anyhow::ensure;

/// Long enough for a machine that has much to do.
const SOON: Duration = Duration::from_secs(60);

type Outcome = anyhow::Result<()>;

/// `ahoyctl pair` and what it has shown up to its last line but the end.
fn showing(desk: &Desk, words: &[&str]) -> anyhow::Result<(Running, Vec<String>)> {
    let mut command = ctl(desk);
    command.arg("pair").args(words).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut running = Running::start(&mut command)?;
    let out = running.child().stdout.take().ok_or_else(|| anyhow::anyhow!("no output"))?;
    let mut lines = Vec::new();
    for line in BufReader::new(out).lines() {
        let line = line?;
        let last = line.contains("127.0.0.1");
        lines.push(line);
        if last {
            break;
        }
    }
    Ok((running, lines))
}

fn ctl(desk: &Desk) -> Command {
    desk.local(&binary("ahoyctl").to_string_lossy())
}

/// What a terminal with this background shows, eight points a block and twice as high: true is dark.
struct Shown {
    dark: Vec<Vec<bool>>,
}

impl Shown {
    const SIDE: usize = 8;

    /// Draws lines that hold half blocks and colours, on paper that is dark or not.
    fn of(lines: &[String], night: bool) -> anyhow::Result<Self> {
        let width = 120;
        let mut modules: Vec<Vec<bool>> = Vec::new();
        for line in lines {
            // The terminal's own colours: ink, paper.
            let (mut ink, mut paper) = (!night, night);
            let (mut upper, mut lower) = (Vec::new(), Vec::new());
            let mut letters = line.chars();
            while let Some(letter) = letters.next() {
                if letter == '\u{1b}' {
                    let code: String = letters.by_ref().skip(1).take_while(|c| *c != 'm').collect();
                    (ink, paper) = match code.as_str() {
                        "38;5;16;48;5;231" => (true, false),
                        "0" => (!night, night),
                        other => anyhow::bail!("unknown colours: {other}"),
                    };
                    continue;
                }
                let (above, below) = match letter {
                    '█' => (ink, ink),
                    '▀' => (ink, paper),
                    '▄' => (paper, ink),
                    ' ' => (paper, paper),
                    other => anyhow::bail!("no part of a picture: {other}"),
                };
                upper.push(above);
                lower.push(below);
            }
            ensure!(upper.len() < width, "too wide");
            upper.resize(width, night);
            lower.resize(width, night);
            modules.extend([upper, lower]);
        }
        let around = || vec![night; width];
        modules.splice(0..0, [around(), around()]);
        modules.extend([around(), around()]);
        Ok(Self { dark: modules })
    }

    /// What a decoder reads there.
    fn read(&self) -> anyhow::Result<String> {
        let (width, height) = (self.dark[0].len() * Self::SIDE, self.dark.len() * Self::SIDE);
        let grey = |x: usize, y: usize| if self.dark[y / Self::SIDE][x / Self::SIDE] { 0 } else { 255 };
        let mut picture = rqrr::PreparedImage::prepare_from_greyscale(width, height, grey);
        let grids = picture.detect_grids();
        ensure!(grids.len() == 1, "{} codes are seen", grids.len());
        let (_, text) = grids[0].decode()?;
        Ok(text)
    }
}

/// The lines of a picture.
fn picture(lines: &[String]) -> Vec<String> {
    lines.iter().filter(|line| line.starts_with('\u{1b}')).cloned().collect()
}

#[tokio::test]
async fn the_picture_holds_the_link_on_a_dark_and_on_a_light_terminal_and_the_link_pairs() -> Outcome {
    let place = Place::new()?;
    let (ana, ben) = (place.start_without_sound("Ana").await?, place.start_without_sound("Ben").await?);
    let (plain, lines) = showing(&ana, &[])?;
    ensure!(lines.len() == 1 && picture(&lines).is_empty(), "a pipe gets the code alone: {lines:?}");
    drop(plain);
    let (mut running, lines) = showing(&ana, &["--qr", "yes"])?;
    let code = lines.last().cloned().unwrap_or_default();
    let drawn = picture(&lines);
    let [by_night, by_day] = [true, false].map(|night| Shown::of(&drawn, night).and_then(|it| it.read()));
    let link = by_night?;
    ensure!(link == by_day?, "both see the same");
    let (said, relay) = code.split_once('@').unwrap_or_default();
    ensure!(link == format!("ahoy:pair?code={said}&relay={relay}"), "{link} of {code}");
    // Whoever looks at the link alone can pair.
    let typed = ben.ctl_says(&["pair", &link])?;
    ensure!(typed.contains("contact\tAna"), "{typed}");
    ensure!(running.child().wait()?.success());
    Ok(())
}

#[tokio::test]
async fn a_link_that_is_opened_asks_on_the_screen_and_does_nothing_by_itself() -> Outcome {
    let place = Place::new()?;
    let (ana, ben) = (place.start_without_sound("Ana").await?, place.start_without_sound("Ben").await?);
    let mut screen = Server::on(ben.bus().await?, 0, vec!["body", "actions"]).await?;
    let (mut running, lines) = showing(&ana, &[])?;
    let code = lines.last().cloned().unwrap_or_default();
    let (said, relay) = code.split_once('@').unwrap_or_default();
    let link = format!("ahoy:pair?code={said}&relay={relay}");
    let manager = ManagerProxy::new(&ben.bus().await?).await?;

    let opened = ben.ctl(&["open", &link], "")?;
    ensure!(opened.status.success(), "{opened:?}");
    let Told::Notify { id, summary, body, buttons, .. } = screen.told().await else {
        anyhow::bail!("a notice was taken away")
    };
    ensure!(
        summary.starts_with("Pair with") && body.contains(said) && body.contains(relay),
        "{summary}: {body}"
    );
    ensure!(buttons == ["yes", "Pair", "no", "Not now"], "{buttons:?}");
    ensure!(manager.pairing().await?.is_empty(), "nothing has begun");
    ensure!(ben.ctl_says(&["contact", "list"])?.is_empty());
    let told = ben.ctl_says(&["open", &link, "--json"])?;
    ensure!(told.contains("\"kind\":\"pair\"") && manager.pairing().await?.is_empty(), "{told}");

    screen.press(id, "yes").await;
    ensure!(running.child().wait()?.success(), "and with the button both are contacts");
    let ended = async {
        loop {
            if let Told::Notify { summary, .. } = screen.told().await
                && summary == "Ana is your contact now"
            {
                return;
            }
        }
    };
    tokio::time::timeout(SOON, ended).await?;
    // A card asks, too.
    let card = ana.ctl_says(&["account", "card"])?;
    ben.ctl_says(&["contact", "rm", "Ana"])?;
    ensure!(ben.ctl(&["open", card.trim()], "")?.status.success());
    let asked = async {
        loop {
            if let Told::Notify { summary, .. } = screen.told().await
                && summary == "Add Ana to your contacts?"
            {
                return;
            }
        }
    };
    tokio::time::timeout(SOON, asked).await?;
    ensure!(ben.ctl_says(&["contact", "list"])?.is_empty(), "nobody was added");
    Ok(())
}

#[tokio::test]
async fn a_hostile_link_is_refused_with_a_sentence_and_asks_nobody() -> Outcome {
    let place = Place::new()?;
    let ben = place.start_without_sound("Ben").await?;
    let mut screen = Server::on(ben.bus().await?, 0, vec!["body", "actions"]).await?;
    let link = "ahoy:pair?code=4711-abandon-ability&relay=relay.example";
    for (link, word) in [
        ("https://relay.example/".to_owned(), "no link of ahoy"),
        (format!("{link}&code=4712-abandon-ability"), "two codes"),
        (format!("{link}%0a"), "percent-encoded"),
        (link.replace("&relay", "\n&relay"), "character"),
        (format!("{link}\u{1b}[2J"), "character"),
        (format!("{link}&add=yes"), "does not know"),
        (format!("{link}{}", "x".repeat(4_000)), "longer"),
        (link.replace("4711", "47"), "four or five digits"),
        ("ahoy:1AAAA".to_owned(), "card"),
    ] {
        for verb in ["open", "pair"] {
            let out = ben.ctl(&[verb, &link], "")?;
            let complaint = String::from_utf8_lossy(&out.stderr).into_owned();
            let other_words = verb == "pair" && !link.starts_with("ahoy:");
            ensure!(
                out.status.code() == Some(2) && (other_words || complaint.contains(word)),
                "{link}: {complaint}"
            );
            ensure!(!complaint.contains('\u{1b}'), "{complaint:?}");
        }
    }
    let manager = ManagerProxy::new(&ben.bus().await?).await?;
    ensure!(manager.pairing().await?.is_empty() && screen.told_nothing());
    ensure!(manager.open_link(link, &Dict::new()).await?.contains_key("code"), "and a good one is read");
    Ok(())
}

#[tokio::test]
async fn the_relay_may_be_left_out_where_the_other_knows_it() -> Outcome {
    let place = Place::new()?;
    let second = Relay::start(&place.net, 0)?;
    let ana = place.start_without_sound("Ana").await?;
    let mut ben = place.desk("Ben")?;
    ben.configure(&format!(
        "[account]\nname = \"Ben\"\n[relay]\nurls = [\"{}\", \"{}\"]\n[log]\nlevel = \"debug\"\n",
        second.url, place.relay.url
    ))?;
    place.run(&mut ben, &["bus"]).await?;
    // Both are connected, not the first alone.
    ben.until_so(SOON, async || Ok(ben.logged().matches("a relay link is up").count() >= 2)).await?;
    let (mut running, lines) = showing(&ana, &[])?;
    let code = lines.last().cloned().unwrap_or_default();
    let said = code.split('@').next().unwrap_or_default();
    let typed = ben.ctl_says(&["pair", said])?;
    ensure!(typed.contains("contact\tAna"), "{typed}");
    ensure!(running.child().wait()?.success());
    Ok(())
}
