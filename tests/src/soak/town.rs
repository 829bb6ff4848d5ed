//! Four people with a relay between them, and what is done to their world.
//!
//! Lives here: their desks and records, and each fault as it is done and undone.
//! Must not: know a call's kind, or judge.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use tempfile::TempDir;

use super::weight::Body;
use crate::crash::recorder::Recorder;
use crate::lab::{Desk, Net, Relay, introduce};

/// The name, and the sound server.
const PEOPLE: [(&str, &str); 4] =
    [("Ana", "pipewire"), ("Ben", "pulse"), ("Cleo", "pipewire"), ("Dan", "pulse")];
/// How long a daemon may take to be online again.
const ONLINE: Duration = Duration::from_secs(60);

/// One of them.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) desk: Desk,
    pub(super) record: Recorder,
    calendar: PathBuf,
    /// Captures that the sound server runs for itself, as PulseAudio does for the lab's microphone.
    own_captures: usize,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Town {
    pub(super) people: Vec<Person>,
    relay: Option<Relay>,
    port: u16,
    net: Net,
    logs: TempDir,
    cut: bool,
    /// Whether the calendars of daemons can be changed here.
    pub(super) calendars: bool,
}

impl Town {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let logs = tempfile::tempdir()?;
        let net = Net::new()?;
        let relay = Relay::start_logging(&net, 0, &logs.path().join("relay"))?;
        // Where Debian and what derives from it keep it.
        let faketime = format!("/usr/lib/{}-linux-gnu/faketime/libfaketime.so.1", std::env::consts::ARCH);
        let calendars = Path::new(&faketime).exists();
        let mut people = Vec::new();
        for (name, sound) in PEOPLE {
            let mut desk = Desk::prepare_with(name, &relay.url, sound)?;
            desk.configure_with("")?;
            let calendar = desk.folder().join("calendar");
            fs::write(&calendar, "+0\n")?;
            if calendars {
                desk.daemon_variable("LD_PRELOAD", Some(&faketime));
                desk.daemon_variable("FAKETIME_TIMESTAMP_FILE", Some(&calendar.display().to_string()));
                desk.daemon_variable("FAKETIME_CACHE_DURATION", Some("1"));
                desk.daemon_variable("FAKETIME_DONT_FAKE_MONOTONIC", Some("1"));
            }
            desk.begin("bus")?;
            desk.begin("sound")?;
            let own_captures = desk.running("source-outputs")?;
            let record = Recorder::start(&desk).await?;
            desk.start_daemon(&net)?;
            desk.until_online(ONLINE).await?;
            people.push(Person { desk, record, calendar, own_captures });
        }
        for one in 0..people.len() {
            for other in one + 1..people.len() {
                introduce(&people[one].desk, &people[other].desk)?;
            }
        }
        Ok(Self { port: relay.port(), people, relay: Some(relay), net, logs, cut: false, calendars })
    }

    /// A fifth person, whom nobody knows: online, and no more.
    pub(super) async fn one_more(&self) -> anyhow::Result<Desk> {
        let relay = self.relay.as_ref().context("no relay")?;
        let mut desk = Desk::prepare("Eve", &relay.url)?;
        desk.begin("bus")?;
        desk.start_daemon(&self.net)?;
        desk.until_online(ONLINE).await?;
        Ok(desk)
    }

    pub(super) async fn all_online(&self) -> anyhow::Result<()> {
        for person in &self.people {
            person.desk.until_online(ONLINE).await?;
        }
        Ok(())
    }

    /// Every program that must not grow.
    pub(super) fn bodies(&self) -> Vec<Body> {
        let daemon = |person: &Person| {
            let pid = person.desk.pid()?;
            let log = person.desk.folder().join("log/ahoyd");
            // The engine's and the media thread's.
            Some(Body { name: person.desk.name.clone(), pid, log, runtimes: 2 })
        };
        let mut bodies: Vec<Body> = self.people.iter().filter_map(daemon).collect();
        bodies.extend(self.relay.as_ref().map(|relay| Body {
            name: "the relay".to_owned(),
            pid: relay.pid(),
            log: self.logs.path().join("relay"),
            runtimes: 1,
        }));
        bodies
    }

    /// Whether this person's daemon has loaded that library.
    pub(super) fn has_loaded(&self, who: usize, library: &str) -> anyhow::Result<bool> {
        let pid = self.people[who].desk.pid().context("a daemon")?;
        Ok(fs::read_to_string(format!("/proc/{pid}/maps"))?.contains(library))
    }

    pub(super) fn cut_sound(&mut self) -> anyhow::Result<()> {
        self.cut = true;
        Ok(self.net.cut_udp()?)
    }

    pub(super) fn mend_sound(&mut self) -> anyhow::Result<()> {
        if std::mem::take(&mut self.cut) {
            self.net.mend_udp().context("mending the link")?;
        }
        Ok(())
    }

    pub(super) fn kill_relay(&mut self) {
        drop(self.relay.take());
    }

    /// A new one in the old one's place.
    pub(super) fn start_relay(&mut self) -> anyhow::Result<()> {
        self.relay = Some(Relay::start_logging(&self.net, self.port, &self.logs.path().join("relay"))?);
        Ok(())
    }

    /// That person's daemon stands still, or goes on.
    pub(super) fn let_run(&self, who: usize, run: bool) -> anyhow::Result<()> {
        let pid = self.people[who].desk.pid().context("no daemon")?.to_string();
        let done = Command::new("kill").args([if run { "-CONT" } else { "-STOP" }, &pid]).status()?;
        anyhow::ensure!(done.success(), "kill: {done}");
        Ok(())
    }

    /// That person's calendar is so many days ahead from now on, 0 for right.
    pub(super) fn set_calendar(&self, who: usize, days: u32) -> anyhow::Result<()> {
        Ok(fs::write(&self.people[who].calendar, format!("+{days}d\n"))?)
    }

    /// Captures that a person's sound server runs for the daemon: nobody else has any there.
    pub(super) fn captures(&self, who: usize) -> anyhow::Result<usize> {
        let person = &self.people[who];
        Ok(person.desk.running("source-outputs")?.saturating_sub(person.own_captures))
    }

    /// What all daemons and the relay logged, for whoever looks into a failure.
    pub(super) fn keep_logs(&self, folder: &Path) -> anyhow::Result<()> {
        for person in &self.people {
            fs::write(folder.join(format!("{}.log", person.desk.name.to_lowercase())), person.desk.logged())?;
        }
        fs::copy(self.logs.path().join("relay"), folder.join("relay.log"))?;
        Ok(())
    }
}
