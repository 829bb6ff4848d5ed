//! The connection to the daemon.
//!
//! Lives here: connecting, the time-out of every call, reading the whole state with or without starting the daemon.
//! Must not: know a command, or print.

use std::future::Future;
use std::time::Duration;

use ahoy_dbus::proxy::{
    AccountProxy, AudioDeviceProxy, CallProxy, ContactsProxy, FocusProxy, HistoryProxy, ManagerProxy,
    PeerProxy,
};
use ahoy_dbus::{BUS_NAME, Dict, ROOT, interface};
use zbus::fdo::DBusProxy;
use zbus::names::{BusName, WellKnownName};
use zbus::proxy::{CacheProperties, Defaults, MethodFlags};
use zbus::{Connection, connection};

use crate::fault::{Exit, Fault};
use crate::world::{Managed, World};

/// No call of a client takes longer: a bus that cannot start the daemon keeps quiet for 25 s.
const PATIENCE: Duration = Duration::from_secs(5);

/// Waits for an answer of the bus, but not longer than five seconds.
pub(crate) async fn ask<T, E: Into<Fault>>(question: impl Future<Output = Result<T, E>>) -> Result<T, Fault> {
    match tokio::time::timeout(PATIENCE, question).await {
        Ok(answer) => answer.map_err(Into::into),
        Err(_) => Err(Fault::timed_out()),
    }
}

/// A connection to the session bus.
#[derive(Clone, Debug)]
pub(crate) struct Bus {
    /// The connection itself.
    pub(crate) connection: Connection,
}

impl Bus {
    /// Connects to the session bus.
    pub(crate) async fn connect() -> Result<Self, Fault> {
        let connection = tokio::time::timeout(PATIENCE, connection::Builder::session().build())
            .await
            .map_err(|_| Fault::new(Exit::NotRunning, "The session bus does not answer."))?
            .map_err(|error| {
                Fault::new(
                    Exit::NotRunning,
                    format!("There is no session bus to find ahoyd on ({error}). From cron, ssh or su, say where the desktop's is: DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/UID/bus, or XDG_RUNTIME_DIR=/run/user/UID."),
                )
            })?;
        Ok(Self { connection })
    }

    /// Everything the bus shows now. Never starts the daemon.
    pub(crate) async fn look(&self) -> Result<World, Fault> {
        let proxy = |interface| zbus::Proxy::new(&self.connection, BUS_NAME, ROOT, interface);
        let objects = ask(proxy("org.freedesktop.DBus.ObjectManager")).await?;
        let properties = ask(proxy("org.freedesktop.DBus.Properties")).await?;
        let quietly = MethodFlags::NO_AUTO_START;
        let managed: Option<Managed> =
            ask(objects.call_with_flags("GetManagedObjects", quietly, &())).await?;
        // An object manager tells of what is below it, not of itself.
        let manager: Option<Dict> =
            ask(properties.call_with_flags("GetAll", quietly, &interface::MANAGER)).await?;
        let (Some(managed), Some(manager)) = (managed, manager) else { return Err(Fault::timed_out()) };
        let mut world = World::new(managed);
        world.set_manager(manager);
        Ok(world)
    }

    /// Starts the daemon, if it is not there and the desktop lets D-Bus do that.
    pub(crate) async fn wake(&self) -> Result<(), Fault> {
        let bus = ask(DBusProxy::new(&self.connection)).await?;
        if ask(bus.name_has_owner(BusName::from_static_str(BUS_NAME)?)).await? {
            return Ok(());
        }
        let name = WellKnownName::from_static_str(BUS_NAME)?;
        match ask(bus.start_service_by_name(name, 0)).await {
            Ok(_) => Ok(()),
            // A unit that fails again and again, or a program that ends at once: the bus says nothing for long.
            Err(fault) if fault.exit == Exit::Timeout => Err(Fault::new(
                Exit::NotRunning,
                "ahoyd does not start. Why: ahoyctl logs, systemctl --user status ahoyd",
            )),
            Err(fault) => Err(fault),
        }
    }

    /// Manager.
    pub(crate) async fn manager(&self) -> Result<ManagerProxy<'static>, Fault> {
        self.proxy(None).await
    }

    /// Focus.
    pub(crate) async fn focus(&self) -> Result<FocusProxy<'static>, Fault> {
        self.proxy(None).await
    }

    /// Contacts.
    pub(crate) async fn contacts(&self) -> Result<ContactsProxy<'static>, Fault> {
        self.proxy(None).await
    }

    /// History.
    pub(crate) async fn history(&self) -> Result<HistoryProxy<'static>, Fault> {
        self.proxy(None).await
    }

    /// The call at a path.
    pub(crate) async fn call(&self, path: &str) -> Result<CallProxy<'static>, Fault> {
        self.proxy(Some(path)).await
    }

    /// One of the others in a call.
    pub(crate) async fn peer(&self, path: &str) -> Result<PeerProxy<'static>, Fault> {
        self.proxy(Some(path)).await
    }

    /// The sound device at a path.
    pub(crate) async fn device(&self, path: &str) -> Result<AudioDeviceProxy<'static>, Fault> {
        self.proxy(Some(path)).await
    }

    /// The account at a path.
    pub(crate) async fn account(&self, path: &str) -> Result<AccountProxy<'static>, Fault> {
        self.proxy(Some(path)).await
    }

    /// An object, at the path that it has by itself if none is given.
    async fn proxy<P>(&self, path: Option<&str>) -> Result<P, Fault>
    where
        P: From<zbus::Proxy<'static>> + Defaults,
    {
        let mut proxy = zbus::proxy::Builder::new(&self.connection).cache_properties(CacheProperties::No);
        if let Some(path) = path {
            proxy = proxy.path(zbus::OwnedObjectPath::try_from(path)?);
        }
        ask(proxy.build()).await
    }
}
