//! What is tried with each program.
//!
//! Lives here: every case, and what must be true at its end.
//! Must not: know which program it is tried with.

use std::time::Duration;

use ahoy_call::SdpKind;
use ahoyd::media::transport::Flow;
use ahoyd::system::clock;
use anyhow::{Context as _, ensure};
use serde_json::json;

use crate::world::{OTHER, OURS, World};

/// Both offer at once so many times.
const COLLISIONS: usize = 20;
/// What must go on without a word more goes on for so long.
const SETTLES: Duration = Duration::from_millis(700);
/// A tone that is away for longer is silence: what a browser's buffer still plays is over.
const AWAY: Duration = Duration::from_millis(400);
const PATIENCE: Duration = Duration::from_secs(10);

/// What was measured, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    /// From the start until the other's tone was heard, here and there.
    pub(crate) heard: Option<(Duration, Duration)>,
    /// The longest silence at either side, afterwards.
    pub(crate) gap: Option<Duration>,
}

/// With who can do it all.
pub(crate) const ALL: [&str; 11] = [
    "offer-ours",
    "offer-theirs",
    "data-channel",
    "verbs",
    "restart-ours",
    "restart-theirs",
    "hold-theirs",
    "hold-ours",
    "video-theirs",
    "glare",
    "glare-restart",
];
/// With who cannot restart ICE.
pub(crate) const PLAIN: [&str; 3] = ["offer-ours", "offer-theirs", "data-channel"];

pub(crate) async fn run(case: &str, world: &mut World) -> anyhow::Result<Figures> {
    let we_offer = case != "offer-theirs";
    let began = world.connect(we_offer).await?;
    ensure!(world.ours.get_stats().is_none(), "statistics of nothing");
    world
        .until("both tones", |world| world.ours.ear.first().is_some() && world.there.heard.is_some())
        .await?;
    let here = world.ours.ear.first().map(|at| at.since(began)).context("it was heard")?;
    let there = world.there.heard.map(|at| at.since(began)).context("it was heard")?;
    let mut figures = Figures { heard: Some((here, there)), gap: None };
    match case {
        "offer-ours" | "offer-theirs" => {}
        "data-channel" => data_channel(world).await?,
        "verbs" => verbs(world).await?,
        "restart-ours" | "restart-theirs" => {
            figures.gap = Some(restart(world, case == "restart-ours").await?)
        }
        "hold-theirs" => hold_theirs(world).await?,
        "hold-ours" => hold_ours(world).await?,
        "video-theirs" => figures.gap = Some(video(world).await?),
        "glare" => figures.gap = Some(glare(world, false).await?),
        "glare-restart" => figures.gap = Some(glare(world, true).await?),
        other => anyhow::bail!("no case is called {other}"),
    }
    if figures.gap.is_none() && case.starts_with("offer") {
        forget(world).await?;
        world.pass(SETTLES).await?;
        figures.gap = Some(gap(world).await?);
    }
    Ok(figures)
}

async fn forget(world: &mut World) -> anyhow::Result<()> {
    world.ask(json!({ "do": "forget" })).await?;
    world.ours.ear.forget();
    Ok(())
}

/// The longest silence at either side. Fails if it is silent yet.
async fn gap(world: &mut World) -> anyhow::Result<Duration> {
    let theirs = world.their_ear().await?;
    let now = clock::now();
    ensure!(theirs.run > Duration::ZERO, "they hear us no more");
    ensure!(world.ours.ear.silence(now) < AWAY, "we hear them no more");
    Ok(theirs.gap.max(world.ours.ear.gap(now)))
}

/// Waits until the other side hears, or not, what it listens for.
async fn until_they(world: &mut World, hear: bool) -> anyhow::Result<()> {
    let give_up = clock::now() + PATIENCE;
    loop {
        let ear = world.their_ear().await?;
        if if hear { ear.run > AWAY } else { ear.silence > AWAY } {
            return Ok(());
        }
        ensure!(clock::now() < give_up, "they should {}hear us", if hear { "" } else { "not " });
        world.pass(Duration::from_millis(50)).await?;
    }
}

async fn until_we(world: &mut World, hear: bool) -> anyhow::Result<()> {
    let what = if hear { "their tone" } else { "silence of theirs" };
    world
        .until(what, |world| {
            let silence = world.ours.ear.silence(clock::now());
            if hear { silence < Duration::from_millis(60) } else { silence > AWAY }
        })
        .await
}

async fn data_channel(world: &mut World) -> anyhow::Result<()> {
    world.until("the channel", |world| world.ours.channel && world.there.channel).await?;
    for (bytes, first) in [(1, 5), (1200, 6), (32_900, 7)] {
        world.ask(json!({ "do": "frame", "bytes": bytes, "first": first })).await?;
        world.until("their frame", |world| !world.ours.frames.is_empty()).await?;
        let frame = world.ours.frames.remove(0);
        ensure!((frame.len(), frame.first()) == (bytes, Some(&first)), "another frame than was sent");
        let mut frame = vec![0; bytes];
        frame[0] = first;
        world.ours.frame(frame)?;
        world.until("our frame", |world| !world.there.frames.is_empty()).await?;
        let (got, begins) = world.there.frames.remove(0);
        ensure!((usize::try_from(got)?, begins) == (bytes, u64::from(first)), "another frame than was sent");
    }
    Ok(())
}

/// Those that no other case needs.
async fn verbs(world: &mut World) -> anyhow::Result<()> {
    let counts = |world: &World| world.ours.get_stats().map(|stats| (stats.sent, stats.received));
    world
        .until("statistics", |world| counts(world).is_some_and(|(sent, came)| sent > 50 && came > 50))
        .await?;
    world
        .until("a round trip", |world| world.ours.get_stats().is_some_and(|stats| stats.round_trip.is_some()))
        .await?;
    ensure!(!world.ours.set_audio_enabled(false), "it is off");
    until_they(world, false).await?;
    ensure!(world.ours.set_audio_enabled(true), "it is on");
    until_they(world, true).await?;
    ensure!(world.ours.replace_track(OTHER, OURS).is_err(), "that track is not sent");
    world.ours.replace_track(OURS, OTHER)?;
    until_they(world, false).await?;
    world.ask(json!({ "do": "listen", "tone": OTHER })).await?;
    until_they(world, true).await?;
    world.ours.close().await?;
    ensure!(world.ours.get_stats().is_none(), "statistics of what is closed");
    world.until("their word of the end", |world| world.there.state != "connected").await
}

/// The one that names a side's ICE credentials.
fn ufrag(text: Option<&str>) -> Option<String> {
    text?.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:")).map(str::to_owned)
}

async fn restart(world: &mut World, ours: bool) -> anyhow::Result<Duration> {
    let first = ufrag(world.passed.iter().find(|one| one.ours).map(|one| one.text.as_str()));
    forget(world).await?;
    let before = world.count(!ours, SdpKind::Answer);
    match ours {
        true => world.ours.restart_ice()?,
        false => world.tell(json!({ "do": "restart" })).await?,
    }
    world.until("an answer", |world| world.count(!ours, SdpKind::Answer) > before).await?;
    world.pass(SETTLES).await?;
    until_we(world, true).await?;
    until_they(world, true).await?;
    let kind = if ours { SdpKind::Offer } else { SdpKind::Answer };
    ensure!(ufrag(world.newest(true, kind)) != first, "our credentials are the same");
    let gap = gap(world).await?;
    world.pass(Duration::from_secs(4)).await?;
    ensure!(world.ours.get_stats().is_some() && world.there.state == "connected", "it does not last");
    Ok(gap)
}

async fn direction(world: &mut World, expected: &str) -> anyhow::Result<()> {
    let state = world.ask(json!({ "do": "state" })).await?;
    ensure!(state["direction"] == expected, "{} where {expected} was to be agreed on", state["direction"]);
    Ok(())
}

async fn hold_theirs(world: &mut World) -> anyhow::Result<()> {
    for (said, we_hear, they_hear) in [
        ("sendonly", true, false),
        ("sendrecv", true, true),
        ("inactive", false, false),
        ("recvonly", false, true),
        ("inactive", false, false),
        ("sendrecv", true, true),
    ] {
        let before = world.count(true, SdpKind::Answer);
        world.ask(json!({ "do": "direction", "direction": said })).await?;
        world.until("our answer", |world| world.count(true, SdpKind::Answer) > before).await?;
        until_we(world, we_hear).await.with_context(|| format!("they said {said}"))?;
        until_they(world, they_hear).await.with_context(|| format!("they said {said}"))?;
        direction(world, said).await?;
    }
    Ok(())
}

async fn hold_ours(world: &mut World) -> anyhow::Result<()> {
    for (send, receive, agreed) in [
        (true, false, "recvonly"),
        (true, true, "sendrecv"),
        (false, false, "inactive"),
        (false, true, "sendonly"),
        (true, true, "sendrecv"),
    ] {
        let before = world.count(false, SdpKind::Answer);
        world.ours.flow(Flow { send, receive })?;
        world.until("their answer", |world| world.count(false, SdpKind::Answer) > before).await?;
        until_we(world, receive).await.with_context(|| format!("we asked for {agreed}"))?;
        until_they(world, send).await.with_context(|| format!("we asked for {agreed}"))?;
        direction(world, agreed).await?;
    }
    Ok(())
}

async fn video(world: &mut World) -> anyhow::Result<Duration> {
    forget(world).await?;
    let before = world.count(true, SdpKind::Answer);
    world.ask(json!({ "do": "video" })).await?;
    world.until("our answer", |world| world.count(true, SdpKind::Answer) > before).await?;
    let answer = world.newest(true, SdpKind::Answer).unwrap_or_default();
    ensure!(answer.contains("\nm=video 0 "), "their pictures are not refused");
    world.pass(SETTLES).await?;
    // The refused section keeps its place in what we describe later.
    let before = world.count(false, SdpKind::Answer);
    world.ours.renegotiate()?;
    world.until("their answer", |world| world.count(false, SdpKind::Answer) > before).await?;
    ensure!(
        world.newest(true, SdpKind::Offer).is_some_and(|offer| offer.contains("\nm=video 0 ")),
        "our next offer has lost a section"
    );
    world.pass(SETTLES).await?;
    gap(world).await
}

/// Both offer at once, again and again; after each time both hold to the same offer.
async fn glare(world: &mut World, restarts: bool) -> anyhow::Result<Duration> {
    forget(world).await?;
    let (mut collisions, mut tries) = (0, 0);
    while collisions < COLLISIONS {
        tries += 1;
        ensure!(tries <= 3 * COLLISIONS, "{collisions} collisions in {tries} tries");
        let offers = (world.count(true, SdpKind::Offer), world.count(false, SdpKind::Offer));
        let answers = world.count(false, SdpKind::Answer);
        world.tell(json!({ "do": if restarts { "restart" } else { "renew" } })).await?;
        match restarts {
            true => world.ours.restart_ice()?,
            false => world.ours.renegotiate()?,
        }
        // One whose restart came about with ours has nothing to offer any more: then there was no collision.
        let offered = |world: &mut World| {
            let theirs = world.count(false, SdpKind::Offer) > offers.1;
            let answered = world.count(false, SdpKind::Answer) > answers;
            world.count(true, SdpKind::Offer) > offers.0 && (theirs || answered)
        };
        world.until("both wishes", offered).await?;
        let answered =
            |world: &mut World| world.passed.last().is_some_and(|last| last.kind == SdpKind::Answer);
        world.until("an answer at the end", answered).await?;
        world.pass(Duration::from_millis(if restarts { 400 } else { 60 })).await?;
        let state = world.ask(json!({ "do": "state" })).await?;
        ensure!(state["signaling"] == "stable", "try {tries}: they are in {}", state["signaling"]);
        let offer = world.passed.iter().rev().find(|one| one.kind == SdpKind::Offer);
        let theirs = state["offer"].as_str().and_then(origin);
        ensure!(
            offer.and_then(|offer| origin(&offer.text)) == theirs,
            "try {tries}: they hold to another offer"
        );
        collisions =
            state["collisions"].as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or_default();
    }
    world.pass(SETTLES).await?;
    until_we(world, true).await?;
    until_they(world, true).await?;
    gap(world).await
}

/// What tells two descriptions apart, its writer and its number: browsers change the rest when it is read back.
fn origin(text: &str) -> Option<Vec<&str>> {
    text.lines().find_map(|line| line.strip_prefix("o=")).map(|origin| origin.split(' ').take(3).collect())
}
