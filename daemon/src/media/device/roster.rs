//! Which sound devices there are, followed without polling.
//!
//! Lives here: whom to ask (PulseAudio's protocol, which PipeWire speaks too; PipeWire itself; the kernel's cards), and again
//! when that one goes.
//! Must not: open a stream, or choose a device for anything.
//!
//! What it costs while nothing changes: one socket and one watch of the folders where sockets appear. Nothing wakes.

mod arrivals;
mod cards;
mod kinds;
mod pulse;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use self::arrivals::Arrivals;
use super::presence;
use crate::system::{clock, level};
use crate::values::devices::{Adjust, Found, Server};
use crate::values::diagnosis::SoundServer;

/// Changes of devices that wait for the server.
const ADJUSTS: usize = 16;
/// A folder that cannot be watched, a notice that got lost: we look by ourselves after this.
const LOOK: Duration = Duration::from_secs(60);
/// A server that was here a moment ago is looked for this often, for as long as `LOOK`: it usually comes back, and on a busy
/// machine its folder and its socket come far apart.
const MISSED: Duration = Duration::from_secs(1);
/// After a socket appeared its server may need a moment to listen: looks in between, then none.
const SETTLE: [Duration; 7] = [
    Duration::from_millis(5),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_millis(700),
    Duration::from_millis(1500),
];
/// A server that will not talk to us is asked again after this, doubled up to `LOOK`.
const AGAIN: Duration = Duration::from_millis(200);

/// What the roster knows, and the way to change a device.
#[derive(Clone, Debug)]
pub struct Roster {
    /// All devices, now and at each change.
    pub found: watch::Receiver<Arc<Found>>,
    adjusts: mpsc::Sender<Adjust>,
}

impl Roster {
    /// Changes a device in the sound server. False if the server takes nothing.
    pub fn adjust(&self, adjust: Adjust) -> bool {
        self.adjusts.try_send(adjust).is_ok()
    }

    /// A roster that never learns anything, for tests and for a process without a runtime.
    pub fn silent() -> Self {
        Self::fixed(Found::default())
    }

    /// A roster that knows this and nothing more.
    pub fn fixed(found: Found) -> Self {
        let (_ended, found) = watch::channel(Arc::new(found));
        Self { found, adjusts: mpsc::channel(1).0 }
    }
}

/// What there is just now, asked afresh.
pub async fn look() -> SoundServer {
    match pulse::connect().await {
        Some((_socket, stream)) => match pulse::look(stream).await {
            Ok(found) => SoundServer::Found(found),
            Err(ended) => {
                tracing::debug!(?ended, "the sound server was asked in vain");
                SoundServer::Silent
            }
        },
        None => SoundServer::Found(Arc::new(without_pulse())),
    }
}

/// Begins to follow the devices; ends when all that read the roster are gone. Must be called within a runtime.
pub fn follow() -> Roster {
    let (tell, found) = watch::channel(Arc::new(Found::default()));
    let (adjusts, orders) = mpsc::channel(ADJUSTS);
    #[expect(clippy::disallowed_methods, reason = "the roster's own task; it ends with its readers")]
    tokio::spawn(async move {
        let told = tell.clone();
        tokio::select! {
            () = run(tell, orders) => {}
            () = told.closed() => {}
        }
    });
    Roster { found, adjusts }
}

async fn run(tell: watch::Sender<Arc<Found>>, mut orders: mpsc::Receiver<Adjust>) {
    let mut arrivals = Arrivals::new();
    let mut failures = 0_u32;
    let mut lost = None;
    loop {
        // Watched before looked: what comes in between is noticed.
        arrivals.watch(&presence::folders());
        if let Some((socket, stream)) = pulse::connect().await {
            let began = clock::now();
            let ended = pulse::follow(stream, &mut orders, &tell).await;
            tracing::debug!(?socket, ?ended, "the sound server's line ended");
            lost = Some(clock::now());
            failures = if clock::now().since(began) > LOOK { 0 } else { failures + 1 };
            if failures == 1 {
                // A server that was stopped: perhaps its successor is there already.
                continue;
            }
            level::set(&tell, Arc::new(without_pulse()));
            let wait = AGAIN * 2_u32.saturating_pow(failures.min(10));
            arrivals.wait(wait.min(LOOK)).await;
        } else {
            level::set(&tell, Arc::new(without_pulse()));
            let missed = lost.is_some_and(|at| clock::now().since(at) < LOOK);
            arrivals.wait(if missed { MISSED } else { LOOK }).await;
            failures = 0;
        }
        settle(&mut arrivals).await;
    }
}

/// After something appeared: until a server listens, but not for long.
async fn settle(arrivals: &mut Arrivals) {
    for pause in SETTLE {
        arrivals.watch(&presence::folders());
        if presence::pulse_listens() {
            return;
        }
        arrivals.wait(pause).await;
    }
}

/// What there is while nobody speaks PulseAudio's protocol.
fn without_pulse() -> Found {
    if presence::server_listens() {
        Found { server: Server::PipeWire, ..Found::default() }
    } else if presence::card_exists() {
        Found { server: Server::Card, devices: cards::all(), ..Found::default() }
    } else {
        Found { server: Server::None, ..Found::default() }
    }
}
