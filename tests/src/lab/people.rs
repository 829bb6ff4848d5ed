//! What people do with each other before they can talk, and how they dial.
//!
//! Lives here: two of them at their desks, exchanging cards, dialing over the bus, the one row that is meant.
//! Must not: judge what comes of it.

use std::time::Duration;

use ahoy_dbus::{Dict, proxy};
use zbus::Variant;

use super::{Desk, Ears, Mouth, Net, Relay};

/// What Ana hums, and Ben, in hertz.
pub const ANA: f64 = 600.0;
/// What Ben hums.
pub const BEN: f64 = 950.0;
/// A machine that builds and tests many things at once starves a sound server for seconds.
const SOON: Duration = Duration::from_secs(60);

/// Where desks stand: a network of their own, and a relay in it.
#[derive(Debug)]
pub struct Place {
    /// The relay.
    pub relay: Relay,
    /// The network.
    pub net: Net,
}

impl Place {
    /// One that nobody lives in yet.
    pub fn new() -> anyhow::Result<Self> {
        let net = Net::new()?;
        Ok(Self { relay: Relay::start(&net, 0)?, net })
    }

    /// A desk here, on which nothing runs yet.
    pub fn desk(&self, name: &str) -> anyhow::Result<Desk> {
        Ok(Desk::prepare(name, &self.relay.url)?)
    }

    /// A desk with a bus, a sound server and a daemon that is online.
    pub async fn start(&self, name: &str) -> anyhow::Result<Desk> {
        let mut desk = self.desk(name)?;
        self.run(&mut desk, &["bus", "sound"]).await?;
        Ok(desk)
    }

    /// The same without a sound server.
    pub async fn start_without_sound(&self, name: &str) -> anyhow::Result<Desk> {
        let mut desk = self.desk(name)?;
        self.run(&mut desk, &["bus"]).await?;
        Ok(desk)
    }

    /// Ana and Ben, without sound, each with the other's card.
    pub async fn two_without_sound(&self) -> anyhow::Result<(Desk, Desk)> {
        let (ana, ben) = (self.start_without_sound("Ana").await?, self.start_without_sound("Ben").await?);
        introduce(&ana, &ben)?;
        Ok((ana, ben))
    }

    /// Begins these parts of a desk, and its daemon; returns when that is online.
    pub async fn run(&self, desk: &mut Desk, parts: &[&str]) -> anyhow::Result<()> {
        parts.iter().try_for_each(|part| desk.begin(part))?;
        desk.start_daemon(&self.net)?;
        desk.until_online(SOON).await
    }
}

/// Ana and Ben, each with sound and the other's card.
pub async fn two() -> anyhow::Result<(Place, Desk, Desk)> {
    let place = Place::new()?;
    let (ana, ben) = (place.start("Ana").await?, place.start("Ben").await?);
    introduce(&ana, &ben)?;
    Ok((place, ana, ben))
}

/// The same without sound.
pub async fn two_without_sound() -> anyhow::Result<(Place, Desk, Desk)> {
    let place = Place::new()?;
    let (ana, ben) = place.two_without_sound().await?;
    Ok((place, ana, ben))
}

/// The same; Ana has that sound server, and her desk is made ready by that before her daemon begins.
pub async fn two_on(
    server: &str,
    ready: impl FnOnce(&mut Desk) -> anyhow::Result<()>,
) -> anyhow::Result<(Place, Desk, Desk)> {
    let place = Place::new()?;
    let mut ana = Desk::prepare_with("Ana", &place.relay.url, server)?;
    ana.begin("bus")?;
    ana.begin("sound")?;
    ready(&mut ana)?;
    place.run(&mut ana, &[]).await?;
    let ben = place.start("Ben").await?;
    introduce(&ana, &ben)?;
    Ok((place, ana, ben))
}

/// Ana and Ben, who hum and listen.
#[derive(Debug)]
pub struct Talkers {
    /// Ana.
    pub ana: Desk,
    /// Ben.
    pub ben: Desk,
    /// At Ana's loudspeaker.
    pub ana_hears: Ears,
    /// At Ben's.
    pub ben_hears: Ears,
    /// Hers may fall silent.
    pub mouths: (Option<Mouth>, Mouth),
    /// Where they live.
    pub place: Place,
}

impl Talkers {
    /// They know each other, and nobody has called yet.
    pub fn of((place, ana, ben): (Place, Desk, Desk)) -> anyhow::Result<Self> {
        let mouths = (Some(ana.hum(ANA)?), ben.hum(BEN)?);
        let (ana_hears, ben_hears) = (ana.listen()?, ben.listen()?);
        Ok(Self { ana, ben, ana_hears, ben_hears, mouths, place })
    }

    /// Ana calls and Ben answers; the paths of the call at hers and at his.
    pub async fn call(&self) -> anyhow::Result<(String, String)> {
        put_through(&self.ana, &self.ben).await
    }

    /// Ana hears Ben; else an error that says when, and what her daemon logged.
    pub fn ana_hears(&mut self, when: &str) -> anyhow::Result<Duration> {
        let heard = self.ana_hears.until_tone(BEN, SOON);
        heard.map_err(|error| anyhow::anyhow!("{when}: Ana: {error}\n{}", self.ana.tail_of_sound()))
    }

    /// Ben hears what Ana hums, likewise.
    pub fn ben_hears(&mut self, when: &str, hums: f64) -> anyhow::Result<Duration> {
        let heard = self.ben_hears.until_tone(hums, SOON);
        heard.map_err(|error| anyhow::anyhow!("{when}: Ben: {error}\n{}", self.ana.tail_of_sound()))
    }

    /// So much time passes, by Ben's loudspeaker.
    pub fn pass(&mut self, time: Duration) -> anyhow::Result<()> {
        Ok(self.ben_hears.levels(time).map(drop)?)
    }

    /// Each hears the other.
    pub fn both_hear(&mut self, when: &str) -> anyhow::Result<()> {
        self.ana_hears(when)?;
        self.ben_hears(when, ANA).map(drop)
    }
}

/// Each gets the other's card, as people do.
pub fn introduce(one: &Desk, other: &Desk) -> anyhow::Result<()> {
    for (from, to) in [(one, other), (other, one)] {
        let card = from.ctl_says(&["account", "card", "--for", &to.name])?;
        to.ctl_reads(&["contact", "add", "-"], &card)?;
    }
    Ok(())
}

/// One calls and the other answers; the paths of the call on both sides.
pub async fn put_through(from: &Desk, to: &Desk) -> anyhow::Result<(String, String)> {
    dial(from, &to.name).await?;
    let theirs = to.until_state("incoming", SOON).await?;
    to.ctl_says(&["answer"])?;
    Ok((from.until_state("active", SOON).await?, theirs))
}

/// Dials; the path of the call. It rings for longer than a busy machine needs to answer.
pub async fn dial(from: &Desk, whom: &str) -> anyhow::Result<String> {
    dial_for(from, whom, 120).await
}

/// The same with the shortest lifetime, for a call that nobody will answer.
pub async fn dial_in_vain(from: &Desk, whom: &str) -> anyhow::Result<String> {
    dial_for(from, whom, 10).await
}

async fn dial_for(from: &Desk, whom: &str, seconds: u32) -> anyhow::Result<String> {
    let manager = proxy::ManagerProxy::new(&from.bus().await?).await?;
    let lifetime = Variant::from(seconds).try_into()?;
    let options = Dict::from([("lifetime".to_owned(), lifetime)]);
    Ok(manager.dial(whom, &options).await?.to_string())
}
