//! Asking the system for priority: RealtimeKit on the system bus, as desktops have it.
//!
//! Lives here: its two methods, and what a refusal was.
//! Must not: decide who is asked for; hold a connection longer than a batch of questions.

use std::time::Duration;

use zbus::Connection;
use zbus::conn::Builder;

use super::Why;
use super::roll::PRIORITY;
use crate::system::clock;

const NAME: &str = "org.freedesktop.RealtimeKit1";
const PATH: &str = "/org/freedesktop/RealtimeKit1";
/// The nice level of a high priority: what sound servers have where they may not be real-time.
const HIGH: i32 = -11;
/// How long it may take to connect, and each answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// A connection to it. It is started by the bus where it is installed.
pub(super) struct RealtimeKit(Connection);

impl RealtimeKit {
    pub(super) async fn connect() -> Result<Self, Why> {
        match clock::timeout(PATIENCE, async { Builder::system().build().await }).await {
            Ok(Ok(bus)) => Ok(Self(bus)),
            Ok(Err(error)) => {
                tracing::debug!(%error, "no system bus, so no real-time priority");
                Err(Why::Absent)
            }
            Err(_over) => Err(Why::Refused),
        }
    }

    pub(super) async fn make_real_time(&self, thread: u64) -> Result<(), Why> {
        self.ask("MakeThreadRealtime", &(thread, PRIORITY)).await
    }

    pub(super) async fn make_high(&self, thread: u64) -> Result<(), Why> {
        self.ask("MakeThreadHighPriority", &(thread, HIGH)).await
    }

    async fn ask<B>(&self, method: &str, body: &B) -> Result<(), Why>
    where
        B: serde::Serialize + zbus::wire::DynamicType,
    {
        let asked = self.0.call_method(Some(NAME), PATH, Some(NAME), method, body);
        match clock::timeout(PATIENCE, asked).await {
            Ok(Ok(_given)) => Ok(()),
            Ok(Err(error)) => {
                tracing::debug!(%error, method, "no priority");
                Err(if is_absent(&error) { Why::Absent } else { Why::Refused })
            }
            Err(_over) => Err(Why::Refused),
        }
    }
}

/// Nobody has the name, and nothing could be started that would.
fn is_absent(error: &zbus::Error) -> bool {
    const ABSENT: [&str; 3] = [
        "org.freedesktop.DBus.Error.ServiceUnknown",
        "org.freedesktop.DBus.Error.NameHasNoOwner",
        "org.freedesktop.DBus.Error.Spawn.ServiceNotFound",
    ];
    use zbus::fdo::Error::{NameHasNoOwner, ServiceUnknown, SpawnServiceNotFound};
    if let zbus::Error::FDO(error) = error {
        return matches!(**error, ServiceUnknown(_) | NameHasNoOwner(_) | SpawnServiceNotFound(_));
    }
    matches!(error, zbus::Error::MethodError(name, ..) if ABSENT.contains(&name.as_str()))
}
