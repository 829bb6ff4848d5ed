//! The machine stays awake while the person is in a call.
//!
//! Lives here: logind's lock against sleep and idleness, which lasts as long as its file descriptor is open.
//! Must not: keep a connection to the system bus, or mind that there is no logind.

use std::time::Duration;

use tokio::sync::watch;
use zbus::conn::Builder;
use zbus::wire::OwnedFd;

use crate::clock;

const LOGIND: &str = "org.freedesktop.login1";
const PATH: &str = "/org/freedesktop/login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";
/// How long logind may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Holds the lock while `awake` says so, until nobody can say it any more.
pub(super) async fn follow(bus: Option<String>, mut awake: watch::Receiver<bool>) {
    while awake.wait_for(|awake| *awake).await.is_ok() {
        let lock = match clock::timeout(PATIENCE, lock(bus.as_deref())).await {
            Ok(Ok(lock)) => Some(lock),
            Ok(Err(error)) => {
                tracing::debug!(%error, "the machine may fall asleep in the call");
                None
            }
            Err(_over) => {
                tracing::debug!("logind does not answer: the machine may fall asleep in the call");
                None
            }
        };
        let over = awake.wait_for(|awake| !*awake).await.is_err();
        drop(lock);
        if over {
            return;
        }
    }
}

async fn lock(bus: Option<&str>) -> zbus::Result<OwnedFd> {
    let bus = bus.map_or_else(Builder::system, Builder::address).build().await?;
    let what = ("sleep:idle", "ahoy", "A call is going on", "block");
    let reply = bus.call_method(Some(LOGIND), PATH, Some(MANAGER), "Inhibit", &what).await?;
    reply.body().deserialize()
}
