//! Following the daemon: the state first, then each change in order.
//!
//! Lives here: subscribing, dropping what is older than the state, noticing that the daemon went.
//! Must not: print, or decide what a change means to a command.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use ahoy_dbus::types::State;
use ahoy_dbus::{BUS_NAME, ROOT, interface};
use futures_util::StreamExt;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use zbus::fdo::DBusProxy;
use zbus::message::{Flags, Type};
use zbus::{Message, MessageStream};

use crate::bus::{Bus, ask};
use crate::fault::{Exit, Fault};
use crate::print;
use crate::world::{Call, Change, Managed, World};

/// The daemon, followed.
#[derive(Debug)]
pub(crate) struct Follower {
    bus: Bus,
    messages: MessageStream,
    owner: Option<String>,
    /// Told when whoever reads the output has gone, with which it ends.
    reader: Option<Arc<Notify>>,
    /// The state after the last change.
    pub(crate) world: World,
}

/// What comes next.
#[derive(Debug)]
pub(crate) enum Next {
    /// Something changed; `world` already shows it.
    Change(Change),
    /// The daemon left the bus.
    Gone,
    /// The daemon is there (again): `world` is its whole state.
    Here,
}

impl Follower {
    /// Subscribes. Ask `refresh` for the state, or begin with `next`.
    pub(crate) async fn subscribe(bus: &Bus) -> Result<Self, Fault> {
        let daemon = ask(DBusProxy::new(&bus.connection)).await?;
        let signals = format!("type='signal',sender='{BUS_NAME}',path_namespace='{ROOT}'");
        let of_the_bus = "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged'";
        let owner = format!("{of_the_bus},arg0='{BUS_NAME}'");
        // One stream for everything, so that signals and the reply with the state keep their order.
        let messages = MessageStream::from(&bus.connection);
        ask(daemon.add_match_rule(signals.as_str().try_into()?)).await?;
        ask(daemon.add_match_rule(owner.as_str().try_into()?)).await?;
        Ok(Self { bus: bus.clone(), messages, owner: None, reader: None, world: World::default() })
    }

    /// It follows for whoever reads standard output: when they go, it ends, quietly and well.
    pub(crate) fn for_a_reader(self) -> Self {
        Self { reader: Some(print::reader_leaves()), ..self }
    }

    /// Reads the whole state, without starting the daemon. Signals that came before it are dropped: it holds them already.
    pub(crate) async fn refresh(&mut self) -> Result<(), Fault> {
        let objects = question("org.freedesktop.DBus.ObjectManager", "GetManagedObjects", &())?;
        let manager = question("org.freedesktop.DBus.Properties", "GetAll", &interface::MANAGER)?;
        ask(self.bus.connection.send_all(&[objects.clone(), manager.clone()])).await?;
        ask(self.read_state(objects.primary_header().serial_num(), manager.primary_header().serial_num()))
            .await
    }

    /// Takes in the two answers, and what is signaled between them.
    async fn read_state(&mut self, objects: NonZeroU32, manager: NonZeroU32) -> Result<(), Fault> {
        let mut begun = false;
        while let Some(message) = self.messages.next().await {
            let message = message?;
            let answers = message.header().reply_serial();
            if answers != Some(objects) && answers != Some(manager) {
                if begun && self.is_from_daemon(&message) {
                    self.world.apply(&message);
                }
                continue;
            }
            if message.message_type() == Type::Error {
                return Err(zbus::Error::from(message).into());
            }
            if answers == Some(manager) {
                self.world.set_manager(message.body().deserialize()?);
                return Ok(());
            }
            self.owner = message.header().sender().map(ToString::to_string);
            self.world = World::new(message.body().deserialize::<Managed>()?);
            begun = true;
        }
        Err(Fault::not_running())
    }

    /// The next change.
    pub(crate) async fn next(&mut self) -> Result<Next, Fault> {
        loop {
            if let Some(next) = self.next_within(None).await? {
                return Ok(next);
            }
        }
    }

    /// The next change, or `None` when it has not come within the limit.
    pub(crate) async fn next_within(&mut self, limit: Option<Duration>) -> Result<Option<Next>, Fault> {
        let until = limit.map(|limit| Instant::now() + limit);
        loop {
            // Only the wait for a message ends early: what a message begins is finished.
            let message = tokio::select! {
                message = self.messages.next() => message,
                () = elapsed(until) => return Ok(None),
                () = gone(self.reader.as_ref()) => return Err(Fault::new(Exit::Ok, "")),
            };
            let Some(message) = message.transpose()? else {
                return Err(Fault::new(Exit::NotRunning, "The session bus went away."));
            };
            if self.is_from_daemon(&message) {
                if let Some(change) = self.world.apply(&message) {
                    return Ok(Some(Next::Change(change)));
                }
            } else if let Some(next) = self.owner_changed(&message).await? {
                return Ok(Some(next));
            }
        }
    }

    /// A signal of the daemon itself: nobody else may tell of its calls.
    fn is_from_daemon(&self, message: &Message) -> bool {
        let header = message.header();
        let sender = header.sender().map(|sender| sender.as_str());
        message.message_type() == Type::Signal && sender.is_some() && sender == self.owner.as_deref()
    }

    async fn owner_changed(&mut self, message: &Message) -> Result<Option<Next>, Fault> {
        let header = message.header();
        let from = header.sender().map(|sender| sender.as_str());
        let member = header.member().map(|member| member.as_str());
        if from != Some("org.freedesktop.DBus") || member != Some("NameOwnerChanged") {
            return Ok(None);
        }
        let (name, _, new): (String, String, String) = message.body().deserialize()?;
        if name != BUS_NAME || self.owner.as_deref().unwrap_or_default() == new {
            return Ok(None);
        }
        if new.is_empty() {
            self.owner = None;
            self.world = World::default();
            return Ok(Some(Next::Gone));
        }
        match self.refresh().await {
            Ok(()) => Ok(Some(Next::Here)),
            // It went again at once: that is the next message.
            Err(fault) if fault.exit == Exit::NotRunning => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Follows one call until `done` says so or it is over; `seen` is called for the state at the beginning and for each change.
    ///
    /// A call that leaves the bus is over, with its last known properties.
    pub(crate) async fn call_until(
        &mut self,
        path: &str,
        done: impl Fn(&State) -> bool,
        mut seen: impl FnMut(&Call) -> Result<(), Fault>,
    ) -> Result<Call, Fault> {
        let mut call =
            self.world.call(path).ok_or_else(|| Fault::new(Exit::NoSuch, "The call is gone already."))?;
        loop {
            seen(&call)?;
            if done(&call.state()) || call.is_over() {
                return Ok(call);
            }
            call = loop {
                match self.next().await? {
                    Next::Change(Change::Changed { path: changed, .. }) if changed == path => {
                        break self.world.call(path).unwrap_or(call);
                    }
                    Next::Change(Change::Removed(gone)) if gone.path == path => return Ok(gone),
                    Next::Change(_) => {}
                    Next::Gone | Next::Here => return Err(Fault::not_running()),
                }
            };
        }
    }
}

/// Never without a limit.
async fn elapsed(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

/// Never without a reader that is followed.
async fn gone(reader: Option<&Arc<Notify>>) {
    match reader {
        Some(reader) => reader.notified().await,
        None => std::future::pending().await,
    }
}

/// A question to the daemon that does not start it.
fn question<B: serde::Serialize + zbus::DynamicType>(
    interface: &str,
    member: &str,
    body: &B,
) -> Result<Message, Fault> {
    Ok(Message::method_call(ROOT, member)
        .destination(BUS_NAME)
        .interface(interface)
        .with_flags(Flags::NO_AUTO_START)
        .build(body)?)
}
