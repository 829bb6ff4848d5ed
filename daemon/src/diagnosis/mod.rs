//! A look around: whether all that calls need is there.
//!
//! Lives here: a thread for each look, on which the checks run beside each other; each has an end of its own.
//! Must not: mend anything; hold up whoever asked; name an address.

mod desk;
mod machine;
mod relays;
mod servers;
mod sound;

use std::io;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use tokio::sync::mpsc;

use crate::system::clock;
use crate::system::trust::Trust;
use crate::values::diagnosis::{Check, Finding, LinkNews, SoundServer, Surroundings, Useless, Wire};
use crate::values::ice::IceServer;

/// How long one check may take; with the thread's beginning and end a look takes no more than ten seconds.
const EACH: Duration = Duration::from_secs(8);

/// What other parts of the daemon know how to ask.
#[derive(Clone, Copy, Debug)]
pub struct Probes {
    /// The sound server, for its devices.
    pub sound: fn() -> BoxFuture<'static, SoundServer>,
    /// A STUN or TURN server with one URL, for how long it took until it was of use.
    pub server: fn(IceServer, Wire, Trust) -> BoxFuture<'static, Result<Duration, Useless>>,
}

/// Whoever looks.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    probes: Probes,
    reports: mpsc::Sender<Vec<Finding>>,
}

impl Diagnosis {
    /// Reports what each look found, once.
    pub fn new(probes: Probes, reports: mpsc::Sender<Vec<Finding>>) -> Self {
        Self { probes, reports }
    }

    /// Begins a look. `links`: what the relay links say of themselves, until all have.
    pub fn begin(&self, around: Surroundings, links: mpsc::Receiver<LinkNews>) -> io::Result<()> {
        let Self { probes, reports } = self.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let look = move || {
            let findings = runtime.block_on(look(probes, around, links));
            // A resolver that hangs must not hold the thread.
            runtime.shutdown_background();
            // The daemon may be stopping.
            let _gone = reports.blocking_send(findings);
        };
        std::thread::Builder::new().name("diagnosis".to_owned()).spawn(look).map(drop)
    }
}

/// All checks, in the order in which they are told.
async fn look(probes: Probes, around: Surroundings, links: mpsc::Receiver<LinkNews>) -> Vec<Finding> {
    let around = &around;
    let checks: Vec<(Check, BoxFuture<'_, Vec<Finding>>)> = vec![
        (Check::Bus, Box::pin(desk::bus())),
        (Check::Relay, Box::pin(relays::look(around, links))),
        (Check::TurnUdp, Box::pin(servers::look(around, probes.server))),
        (Check::SoundServer, Box::pin(sound::look(around, probes.sound))),
        (Check::Notifications, Box::pin(desk::notifications())),
        (Check::RealTime, Box::pin(machine::real_time())),
    ];
    let bounded = checks.into_iter().map(|(check, look)| async move {
        match clock::timeout(EACH, look).await {
            Ok(found) => found,
            Err(_over) => vec![Finding::fail(check, "This could not be found out in time: try again.")],
        }
    });
    let found = join_all(bounded).await.into_iter().flatten();
    let mut found: Vec<Finding> = machine::daemon(around).into_iter().chain(found).collect();
    found.sort_by_key(|finding| finding.check);
    found
}
