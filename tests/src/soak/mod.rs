//! Four people call each other for half an hour while their world breaks and is mended, and nothing may be left of it.
//!
//! Lives here: which call and which fault come when, the two times of rest, and the report.
//! Must not: believe a daemon: ends are read off its bus by an outsider, captures off the sound server, weight off the kernel.

mod calls;
mod ledger;
mod report;
mod town;
mod weight;

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use calls::Kind;
use calls::{Begun, Cast};
pub use ledger::Fault;
use ledger::{End, Ledger};
pub use report::Report;
use town::Town;
use weight::Weight;

use crate::lab::{Desk, Running};

/// Calls linger for ten seconds, what they needed is given back after three more; a notice that nobody could show is tried for a
/// minute, and then memory is given back once more.
const REST: Duration = Duration::from_secs(80);
/// Looks at a resting program, and the time between two of them.
const LOOKS: usize = 5;
const BETWEEN: Duration = Duration::from_secs(2);
/// A capture is closed so soon after the end of a call.
const CLOSES: Duration = Duration::from_secs(5);
/// Calls in a round: some with a fault each, then those without.
const ROUND: usize = 24;
/// A relay that has carried no call yet has read little of its own program: what it reads later is no growth.
const RELAY_WARM_MINUTES: f64 = 3.0;
/// What a daemon whose sound server is gone loads at last (ALSA's way to a server), and how long that is waited for.
const LAST_WAY: &str = "libpulse.so";
const LOADS: Duration = Duration::from_secs(20);
/// When nothing has grown yet.
const WARM_MINUTES: f64 = 5.0;

/// A mistake that is made on purpose, so that the report must show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// None.
    Nothing,
    /// The link is cut for good in one call, and it stands in no book.
    End,
    /// A microphone stays open, and a connection at the relay.
    Leak,
}

/// The soak under way.
struct Soak {
    town: Town,
    ledger: Ledger,
    report: Report,
    began: Instant,
    before: BTreeMap<u32, Weight>,
    plant: Plant,
    /// Where reports and logs go.
    folder: PathBuf,
    /// Held open by a planted leak.
    leaked: Option<(Running, Desk)>,
}

/// Lets them call each other for so many minutes. `told` hears of each call; logs are kept in that folder.
pub async fn run(minutes: f64, plant: Plant, folder: &Path, told: impl Fn(&str)) -> anyhow::Result<Report> {
    let town = Town::start().await?;
    if !town.calendars {
        told("libfaketime is not installed: no calendar is changed");
    }
    let mut soak = Soak {
        town,
        ledger: Ledger::default(),
        report: Report::default(),
        began: now(),
        before: BTreeMap::new(),
        plant,
        folder: folder.to_owned(),
        leaked: None,
    };
    let outcome = soak.live(minutes, told).await;
    soak.town.keep_logs(folder)?;
    outcome?;
    soak.report.minutes = soak.minutes();
    soak.report.unexplained_ends = soak.ledger.unexplained;
    soak.report.by_fault = soak.ledger.counts();
    soak.report.wrong.append(&mut soak.ledger.wrong);
    Ok(soak.report)
}

impl Soak {
    async fn live(&mut self, minutes: f64, told: impl Fn(&str)) -> anyhow::Result<()> {
        let (warm, half) = (WARM_MINUTES.min(minutes / 3.0), minutes / 2.0);
        let end = minutes - (REST + BETWEEN * 5).as_secs_f64() / 60.0;
        let mut n = 0;
        while self.minutes() < end {
            let first = self.before.is_empty() && self.minutes() >= warm;
            // The relay that the last fault of that kind has brought is weighed, too.
            let again = self.minutes() >= half + RELAY_WARM_MINUTES.min(minutes / 10.0)
                && self.town.bodies().iter().any(|body| !self.before.contains_key(&body.pid));
            if first {
                self.rehearse().await?;
            }
            if first || again {
                told(&format!("{:5.1} min: at rest, to be weighed", self.minutes()));
                for (pid, (_, weight)) in self.weigh().await? {
                    self.before.entry(pid).or_insert(weight);
                }
                self.plant_leak(first).await?;
            }
            let line = self.call(n, self.minutes() < half).await;
            told(&format!("{:5.1} min: {line}", self.minutes()));
            n += 1;
        }
        told(&format!("{:5.1} min: at rest, to be weighed", self.minutes()));
        for (pid, (name, after)) in self.weigh().await? {
            let Some(before) = self.before.get(&pid) else { continue };
            self.report.growth.add(*before, after);
            self.report.heaviest.push(format!("{name}: {before:?} then {after:?}"));
        }
        Ok(())
    }

    /// The nth story, in one line of words.
    async fn call(&mut self, n: usize, relay_too: bool) -> String {
        let people = self.town.people.len();
        // Everyone calls everyone in turn, and nobody is called by one person more than five times in a minute.
        let (ana, step) = ((n + n / people) % people, 1 + n / (2 * people) % (people - 1));
        let ben = (ana + step) % people;
        let third = (0..people).rev().find(|who| *who != ana && *who != ben).unwrap_or(ana);
        let cast = Cast { ana, ben, third };
        // Of each round the second, fourth … call is a plain one in which something breaks while they talk. Then nothing does for
        // more than a minute, so that no end has an excuse.
        let fault = (n % 2 == 1)
            .then(|| Fault::ALL.get(n % ROUND / 2).copied())
            .flatten()
            .filter(|fault| *fault != Fault::Relay || relay_too)
            .filter(|fault| *fault != Fault::Clock || self.town.calendars);
        let kinds = Kind::ALL.len();
        let kind =
            if fault.is_some() { Kind::Answered } else { Kind::ALL[(n / 2 + n % 2 * (kinds / 2)) % kinds] };
        let names = [ana, ben].map(|who| self.town.people[who].desk.name.clone());
        let with = fault.map_or(String::new(), |fault| format!(" with {fault:?}"));
        let call = format!("call {n} {kind:?} {} to {}{with}", names[0], names[1]);
        *self.report.by_kind.entry(format!("{kind:?}").to_lowercase()).or_default() += 1;

        let mut begun = Begun::default();
        let wrong_before = self.ledger.wrong.len();
        if kind == Kind::Repair {
            self.ledger.begin(Fault::Link, self.seconds());
        }
        let led = match fault {
            Some(fault) => self.with_fault(fault, n, cast, &mut begun).await,
            None => match calls::lead(&mut self.town, kind, cast, &mut begun).await {
                Ok(()) => self.planted_end(&cast, &mut begun).await,
                Err(error) => Err(error),
            },
        };
        self.ledger.end(Fault::Link, self.seconds());
        if let Err(error) = led {
            // Only the first line: the rest is the daemon's log.
            let why = format!("{error:#}").lines().next().unwrap_or_default().to_owned();
            self.ledger.failed(&call, &why, self.seconds());
            if let Err(error) = calls::end_all(&self.town).await {
                self.ledger.failed(&call, &format!("hanging up: {error:#}"), self.seconds());
            }
            begun.sides.iter_mut().for_each(|side| side.expected = ANY);
        }
        self.report.calls += begun.calls;
        for side in &begun.sides {
            let reason = calls::end_of(&self.town, side).await;
            let who = self.town.people[side.who].desk.name.clone();
            self.ledger.judge(&call, &End { who, expected: side.expected, reason }, self.seconds());
        }
        self.captures(&call).await;
        if self.town.all_online().await.is_err() {
            self.ledger.failed(&call, "not everybody is online again", self.seconds());
        }
        let wrong = self.ledger.wrong[wrong_before..].join("; ");
        if wrong.is_empty() { call } else { wrong }
    }

    /// A call in which something breaks while they talk, and is mended.
    async fn with_fault(
        &mut self,
        fault: Fault,
        n: usize,
        cast: Cast,
        begun: &mut Begun,
    ) -> anyhow::Result<()> {
        let Cast { ana, ben, .. } = cast;
        let path = calls::talk(&self.town, ana, ben, begun).await?;
        self.ledger.begin(fault, self.seconds());
        let broken = self.break_and_mend(fault, n, cast, &path).await;
        self.undo(fault, ben).await?;
        self.ledger.end(fault, self.seconds());
        broken?;
        self.town.all_online().await?;
        // A call that has outlived it is hung up by one of them.
        calls::end_all(&self.town).await
    }

    async fn break_and_mend(&mut self, fault: Fault, n: usize, cast: Cast, path: &str) -> anyhow::Result<()> {
        let Cast { ana, ben, .. } = cast;
        match fault {
            Fault::Link => {
                self.town.cut_sound()?;
                calls::until_now(&self.town, ana, path, &["reconnecting"]).await?;
                // Now and then it does not come back within the window.
                let long = n / ROUND % 3 == 1;
                pause(Duration::from_secs(if long { 34 } else { 3 })).await;
                self.town.mend_sound()?;
                calls::until_now(&self.town, ana, path, &["active", "disconnected"]).await
            }
            Fault::Relay => {
                self.town.kill_relay();
                pause(Duration::from_secs(3)).await;
                calls::until_now(&self.town, ben, path, &["active"]).await
            }
            Fault::Sound => {
                for who in [ana, ben] {
                    self.town.people[who].desk.end("sound")?;
                }
                // Long enough for every way to be tried.
                pause(Duration::from_secs(4)).await;
                for who in [ana, ben] {
                    self.town.people[who].desk.begin("sound")?;
                }
                pause(Duration::from_secs(3)).await;
                calls::until_now(&self.town, ana, path, &["active"]).await
            }
            Fault::Suspend => {
                self.town.let_run(ben, false)?;
                pause(Duration::from_secs(6)).await;
                self.town.let_run(ben, true)?;
                calls::until_now(&self.town, ana, path, &["active", "disconnected"]).await
            }
            Fault::Clock => {
                self.town.set_calendar(ben, 5 * 365)?;
                pause(Duration::from_secs(4)).await;
                // With the wrong calendar nobody may be let in; whatever becomes of it, it ends.
                calls::until_now(&self.town, ana, path, &["active"]).await
            }
        }
    }

    /// Whatever a daemon loads once when its sound is away is loaded by all of them before they are weighed first: each is called
    /// while its sound server is gone.
    async fn rehearse(&mut self) -> anyhow::Result<()> {
        let people = self.town.people.len();
        for who in 0..people {
            let mut begun = Begun::default();
            self.town.people[who].desk.end("sound")?;
            calls::talk(&self.town, (who + 1) % people, who, &mut begun).await?;
            for _ in 0..LOADS.as_millis() / 250 {
                if self.town.has_loaded(who, LAST_WAY)? {
                    break;
                }
                pause(Duration::from_millis(250)).await;
            }
            self.town.people[who].desk.begin("sound")?;
            self.report.calls += begun.calls;
            calls::end_all(&self.town).await?;
        }
        Ok(())
    }

    /// Whatever the fault has left undone.
    async fn undo(&mut self, fault: Fault, ben: usize) -> anyhow::Result<()> {
        match fault {
            Fault::Link => self.town.mend_sound(),
            Fault::Relay => self.town.start_relay(),
            Fault::Sound => Ok(()),
            Fault::Suspend => self.town.let_run(ben, true),
            Fault::Clock => {
                self.town.set_calendar(ben, 0)?;
                // It is read again after a second.
                pause(Duration::from_secs(2)).await;
                Ok(())
            }
        }
    }

    /// No microphone is listened to after a call.
    async fn captures(&mut self, call: &str) {
        for who in 0..self.town.people.len() {
            let mut open = 1;
            for _ in 0..CLOSES.as_millis() / 250 {
                open = self.town.captures(who).unwrap_or(1);
                if open == 0 {
                    break;
                }
                pause(Duration::from_millis(250)).await;
            }
            if open > 0 {
                self.report.open_captures += open;
                let name = &self.town.people[who].desk.name;
                self.report.wrong.push(format!("{call}: {name}'s microphone is open after it"));
            }
        }
    }

    /// What every program holds at rest, by its process.
    async fn weigh(&self) -> anyhow::Result<BTreeMap<u32, (String, Weight)>> {
        // A missed call that nobody has seen keeps its note, and the note a connection to the bus.
        for person in &self.town.people {
            person.desk.ctl_says(&["history", "seen"])?;
        }
        pause(REST).await;
        let mut all: BTreeMap<u32, (String, Weight)> = BTreeMap::new();
        for _ in 0..LOOKS {
            for body in self.town.bodies() {
                let weight = body.weigh(async || pause(Duration::from_millis(20)).await).await?;
                let least = all.get(&body.pid).map_or(weight, |(_, before)| before.least(weight));
                all.insert(body.pid, (body.name, least));
            }
            pause(BETWEEN).await;
        }
        for body in self.town.bodies() {
            let name =
                format!("{}-{:.0}-min.txt", body.name.replace(' ', "-").to_lowercase(), self.minutes());
            fs::write(self.folder.join(name), body.inventory()?)?;
        }
        Ok(all)
    }

    /// Somebody listens to Ana's microphone from now on, and a fifth person's link stays open at the relay.
    async fn plant_leak(&mut self, first: bool) -> anyhow::Result<()> {
        if first && self.plant == Plant::Leak {
            let mut listening = self.town.people[0].desk.tool("parec", "mic", "10");
            let listening = Running::start(listening.stdout(std::process::Stdio::null()))?;
            self.leaked = Some((listening, self.town.one_more().await?));
        }
        Ok(())
    }

    /// One call that breaks for no reason that stands in the book.
    async fn planted_end(&mut self, cast: &Cast, begun: &mut Begun) -> anyhow::Result<()> {
        if self.plant != Plant::End || self.before.is_empty() || self.seconds() < 65.0 {
            return Ok(());
        }
        self.plant = Plant::Nothing;
        let path = calls::talk(&self.town, cast.ana, cast.ben, begun).await?;
        self.town.cut_sound()?;
        calls::until_now(&self.town, cast.ana, &path, &["reconnecting"]).await?;
        pause(Duration::from_secs(34)).await;
        self.town.mend_sound()
    }

    fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    fn minutes(&self) -> f64 {
        self.seconds() / 60.0
    }
}

/// Every reason that there is: for calls that were ended because their story broke off, which is counted by itself.
const ANY: &[&str] = &[
    "completed",
    "canceled",
    "declined",
    "busy",
    "no-answer",
    "missed",
    "unreachable",
    "unavailable",
    "ice-failed",
    "negotiation-failed",
    "media-failed",
    "connection-lost",
    "signaling-failed",
    "security-failed",
];

/// No longer than that.
async fn within<T>(time: Duration, what: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::time::timeout(time, what).await.map_err(|_| anyhow::anyhow!("not within {time:?}"))?
}

#[expect(clippy::disallowed_methods, reason = "people talk, wait and rest for a time")]
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

#[expect(clippy::disallowed_methods, reason = "the report counts minutes")]
fn now() -> Instant {
    Instant::now()
}
