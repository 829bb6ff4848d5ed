//! A hook as a unit of its own in the person's service manager.
//!
//! Lives here: beginning it, waiting for its end, killing it with all that it started when its time is over.
//! Must not: run where there is no service manager: then `hooks.rs` runs it as a child of ours.
//!
//! A child of the service would inherit its sandbox: no memory that is written and executed, no namespaces, few families of
//! addresses. Browsers, everything with a compiler inside, `sudo` and `ping` end there. And what a hook leaves running would
//! be killed with our next restart.

use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::net::unix::pipe;
use zbus::conn::Builder;
use zbus::{Connection, MessageStream, OwnedObjectPath, Variant};

use super::{LAST_WORDS, Scribe, environment, json, read};
use crate::system::clock;
use crate::values::happening::Happening;

const SYSTEMD: &str = "org.freedesktop.systemd1";
const PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
/// How long the service manager may take for one answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// A hook whose daemon is gone is ended by the service manager, so much later than we would have.
const GRACE: Duration = Duration::from_secs(5);

/// A property of a unit.
type Property = (&'static str, Variant<'static>);

/// How a hook ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Well.
    Well,
    /// The service manager's word for what went wrong.
    Badly(String),
    /// Its time was over.
    TooLate(Duration),
}

impl Ended {
    /// As for a child.
    pub(super) fn log(self, hook: &str, event: &str) {
        match self {
            Self::Well => tracing::debug!(hook, event, "a hook has run"),
            Self::Badly(result) => tracing::warn!(hook, event, result, "a hook failed"),
            Self::TooLate(limit) => tracing::warn!(hook, event, ?limit, "a hook took too long and is killed"),
        }
    }
}

/// Runs a program as a unit. An error means that it was not begun.
pub(super) async fn run(program: &Path, happening: &Happening, limit: Duration) -> zbus::Result<Ended> {
    let begun = clock::timeout(PATIENCE, begin(program, happening, limit)).await;
    let mut begun = begun.unwrap_or_else(|_over| Err(io::Error::from(io::ErrorKind::TimedOut).into()))?;
    let (hook, event) = (program.display().to_string(), happening.kind);
    let mut scribe = Scribe::default();
    let mut reading =
        std::pin::pin!(read(&mut begun.output, &mut scribe, |line| tracing::info!(hook, event, line)));
    let mut all_read = false;
    let result = clock::timeout(limit, async {
        loop {
            tokio::select! {
                () = &mut reading, if !all_read => all_read = true,
                said = begun.jobs.next() => match said {
                    Some(Ok(message)) => if let Some(result) = result(&message, &begun.job) { return Some(result) },
                    Some(Err(_)) | None => return None,
                },
            }
        }
    })
    .await;
    let ended = match result {
        Ok(Some(result)) if result == "done" => Ended::Well,
        Ok(Some(result)) => Ended::Badly(result),
        Ok(None) => Ended::Badly("the service manager went".to_owned()),
        Err(_over) => {
            kill(&begun.bus, &begun.name).await;
            Ended::TooLate(limit)
        }
    };
    if !all_read && clock::timeout(LAST_WORDS, reading).await.is_err() {
        tracing::debug!(hook, event, "a hook left something running");
    }
    Ok(ended)
}

/// A unit that was begun.
struct Begun {
    bus: Connection,
    name: String,
    job: OwnedObjectPath,
    jobs: MessageStream,
    output: pipe::Receiver,
}

async fn begin(program: &Path, happening: &Happening, limit: Duration) -> zbus::Result<Begun> {
    let bus = Builder::session().build().await?;
    let (output, into) = io::pipe()?;
    let name = unit_name(happening.serial)?;
    let properties = properties(program, happening, limit, into)?;
    let rule = format!("type='signal',sender='{SYSTEMD}',interface='{MANAGER}',member='JobRemoved'");
    let jobs = MessageStream::for_match_rule(rule.as_str(), &bus, std::num::NonZero::new(64)).await?;
    bus.call_method(Some(SYSTEMD), PATH, Some(MANAGER), "Subscribe", &()).await?;
    let nothing: [(&str, Vec<Property>); 0] = [];
    let body = (name.as_str(), "fail", properties, nothing.as_slice());
    let reply = bus.call_method(Some(SYSTEMD), PATH, Some(MANAGER), "StartTransientUnit", &body).await?;
    let job = reply.body().deserialize()?;
    Ok(Begun { bus, name, job, jobs, output: pipe::Receiver::from_owned_fd(output.into())? })
}

/// One start counts as done when the program has ended, so that the job's result is the hook's.
fn properties(
    program: &Path,
    happening: &Happening,
    limit: Duration,
    into: io::PipeWriter,
) -> zbus::Result<Vec<Property>> {
    let (told, mut tell) = io::pipe()?;
    // It fits into the pipe, so that nobody is waited for.
    tell.write_all(json(happening).as_bytes())?;
    drop(tell);
    let program = program.to_str().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidFilename))?.to_owned();
    let run = vec![(program.clone(), vec![program], false)];
    let environment: Vec<String> =
        environment(happening).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let most = u64::try_from((limit + GRACE).as_micros()).unwrap_or(u64::MAX);
    let fd = |of: std::os::fd::OwnedFd| Variant::from(zbus::Fd::from(of));
    let again = into.try_clone()?;
    Ok(vec![
        ("Description", format!("Hook of {}", happening.kind).into()),
        ("Type", "oneshot".into()),
        ("ExecStart", run.into()),
        ("Environment", environment.into()),
        ("StandardInputFileDescriptor", fd(told.into())),
        ("StandardOutputFileDescriptor", fd(into.into())),
        ("StandardErrorFileDescriptor", fd(again.into())),
        ("TimeoutStartUSec", most.into()),
        // What it left running in the background is meant to run.
        ("KillMode", "process".into()),
        ("CollectMode", "inactive-or-failed".into()),
    ])
}

/// Another name for each, also of two daemons one after the other.
fn unit_name(serial: u64) -> zbus::Result<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(format!("ahoy-hook-{serial}-{}.service", data_encoding::HEXLOWER.encode(&bytes)))
}

/// The result of this job, if the message tells it.
fn result(message: &zbus::Message, job: &OwnedObjectPath) -> Option<String> {
    let (_, of, _, result): (u32, OwnedObjectPath, String, String) = message.body().deserialize().ok()?;
    (of == *job).then_some(result)
}

async fn kill(bus: &Connection, name: &str) {
    let whom = (name, "all", 9_i32);
    let killed = bus.call_method(Some(SYSTEMD), PATH, Some(MANAGER), "KillUnit", &whom);
    match clock::timeout(PATIENCE, killed).await {
        Ok(Ok(_done)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "a hook that takes too long was not killed"),
        Err(_over) => tracing::warn!("the service manager does not kill a hook"),
    }
}
