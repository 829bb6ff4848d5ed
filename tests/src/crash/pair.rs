//! Two people who call each other while one of their daemons is killed.
//!
//! Lives here: leading a call to a phase, the kill, the restart, and the call after it.
//! Must not: judge what is found.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use ahoy_dbus::{Dict, proxy};
use anyhow::Context as _;

use super::judge::{Found, Left};
use super::plan::{Kill, Phase, Plan, Role};
use super::recorder::{Heard, Recorder};
use crate::lab::{Desk, Net, Place, daemon_with_failpoints, introduce, root};

/// What leading a call to its phase may take; a path that breaks is noticed within it.
const SOON: Duration = Duration::from_secs(30);
/// Within this the other side's call must have ended.
const OTHER_SIDE: Duration = Duration::from_secs(35);
/// What a daemon logs when it shows something whose commit took too long.
const OVERTAKEN: &str = "shown before it was safe";
/// Between a daemon's death and the bus's word of it.
const DYING: Duration = Duration::from_secs(5);
/// The ring lifetime of these people: what nobody tells them ends by itself.
const LIFETIME: u64 = 12;

/// Two people in a network of their own, with a relay.
#[derive(Debug)]
pub(super) struct Pair {
    ana: Person,
    ben: Person,
    place: Place,
}

#[derive(Debug)]
struct Person {
    desk: Desk,
    record: Recorder,
}

impl Pair {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let place = Place::new()?;
        let (ana, ben) = (Person::start("Ana", &place).await?, Person::start("Ben", &place).await?);
        introduce(&ana.desk, &ben.desk)?;
        Ok(Self { ana, ben, place })
    }

    /// One kill: a call up to it, what is left after it, and a call after that.
    pub(super) async fn live_through(&mut self, plan: &Plan) -> anyhow::Result<Found> {
        // Who calls changes from one to the next, so that each is killed in each role.
        if plan.number / 12 % 2 == 1 {
            std::mem::swap(&mut self.ana, &mut self.ben);
        }
        let (caller, callee) = (&mut self.ana, &mut self.ben);
        caller.configure(true)?;
        // Without a path before the ring there is a time between the answer and the sound.
        callee.configure(plan.phase != Phase::Connecting)?;
        for person in [&mut *caller, &mut *callee] {
            person.restart(&self.place).await?;
        }
        let logged = if plan.role == Role::Caller { &caller.desk } else { &callee.desk }.logged().len();
        let began = [caller.record.position(), callee.record.position()];
        let at = |role| if role == Role::Caller { began[0] } else { began[1] };

        let victim = if plan.role == Role::Caller { &*caller } else { &*callee };
        let failpoint = victim.failpoint();
        if let Some(armed) = plan.armed() {
            fs::write(&failpoint, armed)?;
        }
        let (shown, state) = plan.state();
        {
            let watched = if shown == Role::Caller { &caller.record } else { &callee.record };
            let life = async {
                lead(caller, callee, began, plan.phase, &mut self.place.net).await?;
                match plan.kill {
                    Kill::After(delay) => {
                        watched.until_state(at(shown), state).await?;
                        pause(delay).await;
                        victim.kill()
                    }
                    // Its own end is what is waited for.
                    Kill::At(_) => std::future::pending().await,
                }
            };
            let gone = victim.record.until(at(plan.role), |it| *it == Heard::Owner(false));
            tokio::select! {
                led = life => {
                    // A verb whose daemon dies under it is not answered.
                    let dies = victim.record.until(at(plan.role), |it| *it == Heard::Owner(false));
                    if tokio::time::timeout(DYING, dies).await.is_err() {
                        led.context("leading the call to its phase")?;
                        anyhow::bail!("the daemon lives on");
                    }
                }
                gone = gone => { gone?; }
                () = pause(SOON) => anyhow::bail!("the phase was not reached within {SOON:?}"),
            }
        }
        let (victim, other) = if plan.role == Role::Caller {
            (&mut *caller, &mut *callee)
        } else {
            (&mut *callee, &mut *caller)
        };
        victim.is_dead().await?;
        remove(&failpoint)?;
        let died = now();
        if plan.phase == Phase::Reconnecting {
            self.place.net.mend_udp()?;
        }
        // Now and then it is a while before it is started again.
        if plan.number % 5 == 4 {
            pause(Duration::from_secs(2)).await;
        }
        let heard = victim.record.since(at(plan.role));
        let overtaken = victim.desk.logged().get(logged..).is_some_and(|log| log.contains(OVERTAKEN));
        self.place.run(&mut victim.desk, &[]).await?;

        let mut found = Found { overtaken, ..Found::default() };
        let role_of_other = if plan.role == Role::Caller { Role::Callee } else { Role::Caller };
        let of_other = other.record.since(at(role_of_other)).into_iter();
        let theirs = of_other.rev().find_map(|it| match it {
            Heard::State(path, ..) => Some(path),
            Heard::Event(..) | Heard::Row(_) | Heard::Owner(_) => None,
        });
        let ended = match &theirs {
            None => None,
            Some(path) => {
                let end = other.record.until_call(at(role_of_other), path, "disconnected");
                let left = OTHER_SIDE.saturating_sub(died.elapsed());
                tokio::time::timeout(left, end).await.ok().and_then(Result::ok)
            }
        };
        found.killed(&heard, &Left::read(&victim.desk.state_folder())?);
        if let Some(path) = &theirs {
            let left = Left::read(&other.desk.state_folder())?;
            found.other(path, plan.role, &left, ended.as_deref());
        }
        if let Err(error) = self.next_call(plan).await {
            found.next_call_failed += 1;
            found.wrong.push(format!("the next call did not work: {error:#}"));
        }
        Ok(found)
    }

    /// What both daemons logged, in `target/crash/`.
    pub(super) fn keep_logs(&self, plan: &Plan) -> std::io::Result<()> {
        let folder = root().join("target/crash");
        fs::create_dir_all(&folder)?;
        for person in [&self.ana, &self.ben] {
            let name = format!("kill-{}-{}.log", plan.number, person.desk.name);
            fs::write(folder.join(name), person.desk.logged())?;
        }
        Ok(())
    }

    /// Who was called calls back, or who called calls again.
    async fn next_call(&mut self, plan: &Plan) -> anyhow::Result<()> {
        let back = plan.number.is_multiple_of(2);
        let (caller, callee) = if back { (&self.ben, &self.ana) } else { (&self.ana, &self.ben) };
        let began = [caller.record.position(), callee.record.position()];
        let whole = async {
            let call = lead(caller, callee, began, Phase::Ended, &mut self.place.net).await?;
            for (person, began) in [(caller, began[0]), (callee, began[1])] {
                let reason = person.record.until_call(began, &call, "disconnected").await?;
                anyhow::ensure!(reason == "completed", "{}: {reason}", person.desk.name);
            }
            Ok(())
        };
        tokio::time::timeout(SOON, whole).await.context("not within its time")?
    }
}

/// Leads a new call up to that phase, as two people would; its path, which is the same on both sides.
async fn lead(
    caller: &Person,
    callee: &Person,
    began: [usize; 2],
    phase: Phase,
    net: &mut Net,
) -> anyhow::Result<String> {
    let none = Dict::new();
    let manager = proxy::ManagerProxy::new(&caller.desk.bus().await?).await?;
    // A daemon that is killed before it answers is what was wanted.
    let ours = manager.dial(&callee.desk.name, &none).await;
    if phase == Phase::Dialing {
        return Ok(String::new());
    }
    let call = ours?.to_string();
    callee.record.until_call(began[1], &call, "incoming").await?;
    if phase == Phase::Ringing {
        return Ok(call);
    }
    callee.desk.steer(&call).await?.answer(&none).await?;
    if phase == Phase::Connecting {
        return Ok(call);
    }
    caller.record.until_call(began[0], &call, "active").await?;
    callee.record.until_call(began[1], &call, "active").await?;
    match phase {
        Phase::Reconnecting => net.cut_udp()?,
        Phase::Ended => caller.desk.steer(&call).await?.hangup(&none).await?,
        Phase::Dialing | Phase::Ringing | Phase::Connecting | Phase::Active => {}
    }
    Ok(call)
}

impl Person {
    async fn start(name: &str, place: &Place) -> anyhow::Result<Self> {
        let mut desk = place.desk(name)?;
        desk.set_program(daemon_with_failpoints());
        desk.begin("bus")?;
        let record = Recorder::start(&desk).await?;
        place.run(&mut desk, &[]).await?;
        Ok(Self { desk, record })
    }

    fn configure(&self, preconnect: bool) -> std::io::Result<()> {
        let preconnect = if preconnect { "always" } else { "never" };
        self.desk.configure_with(&format!("[call]\nlifetime = {LIFETIME}\npreconnect = \"{preconnect}\"\n"))
    }

    /// A daemon that remembers no call of before.
    async fn restart(&mut self, place: &Place) -> anyhow::Result<()> {
        self.desk.stop_daemon()?;
        place.run(&mut self.desk, &[]).await
    }

    fn failpoint(&self) -> PathBuf {
        self.desk.runtime_folder().join("ahoy-failpoint")
    }

    /// SIGKILL, from outside.
    fn kill(&self) -> anyhow::Result<()> {
        let pid = self.desk.pid().context("no daemon")?;
        let killed = Command::new("kill").args(["-KILL", &pid.to_string()]).status()?;
        anyhow::ensure!(killed.success(), "kill: {killed}");
        Ok(())
    }

    /// It was SIGKILL that ended it, and nothing else.
    async fn is_dead(&mut self) -> anyhow::Result<()> {
        let dying = async {
            loop {
                if let (_, Some(status)) = self.desk.daemon()? {
                    return anyhow::Ok(status);
                }
                pause(Duration::from_millis(5)).await;
            }
        };
        let status = tokio::time::timeout(SOON, dying).await.context("it does not end")??;
        let log = self.desk.logged();
        anyhow::ensure!(status.signal() == Some(9), "the daemon ended by itself: {status}; {log}");
        Ok(())
    }
}

fn remove(file: &PathBuf) -> std::io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[expect(clippy::disallowed_methods, reason = "the moment of a kill is a time, and nothing to wait for")]
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

#[expect(clippy::disallowed_methods, reason = "the other side has a time limit")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}
