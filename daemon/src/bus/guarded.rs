//! Every interface of ours, with its door: who may call what, and what must not hold up the others.
//!
//! Lives here: the wrapper in which each object is exported. The object manager: `managed.rs`.
//! Must not: know what a method does.

use std::collections::HashMap;
use std::fmt;

use zbus::export::async_trait::async_trait;
use zbus::fdo;
use zbus::message::{Header, Message};
use zbus::names::{InterfaceName, MemberName};
use zbus::object_server::{DispatchResult, Interface, SignalEmitter};
use zbus::{BoxDBusError, Connection, ObjectServer, OwnedVariant, Variant};

use super::callers;
use super::names;
use super::object::{self, Object};

/// An interface of ours as it is exported.
#[derive(Clone, Debug)]
pub(super) struct Guarded<I>(pub(super) I);

#[async_trait]
impl<I: Object> Interface for Guarded<I> {
    fn name() -> InterfaceName<'static> {
        I::name()
    }

    fn spawn_tasks_for_methods(&self) -> bool {
        self.0.spawn_tasks_for_methods()
    }

    async fn get(
        &self,
        property: &str,
        _server: &ObjectServer,
        connection: &Connection,
        header: Option<&Header<'_>>,
        _emitter: &SignalEmitter<'_>,
    ) -> Option<Result<OwnedVariant, BoxDBusError>> {
        if let Err(error) = may_read::<I>(connection, header).await {
            return Some(Err(error));
        }
        if let Some(value) = self.0.constant().remove(property) {
            return Some(value.try_into_owned().map_err(Into::into));
        }
        match self.0.changing() {
            Ok(mut all) => all.remove(property).map(|value| value.try_into_owned().map_err(Into::into)),
            Err(gone) => Some(Err(gone.into())),
        }
    }

    async fn get_all(
        &self,
        _server: &ObjectServer,
        connection: &Connection,
        header: Option<&Header<'_>>,
        _emitter: &SignalEmitter<'_>,
    ) -> fdo::Result<HashMap<String, OwnedVariant>> {
        if let Err(error) = may_read::<I>(connection, header).await {
            let sentence = error.description().unwrap_or_default().to_owned();
            return Err(fdo::Error::AccessDenied(sentence));
        }
        object::owned(self.0.all())
    }

    fn set<'call>(
        &'call self,
        property: &'call str,
        value: &'call Variant<'_>,
        _server: &'call ObjectServer,
        connection: &'call Connection,
        header: Option<&'call Header<'_>>,
        _emitter: &'call SignalEmitter<'_>,
    ) -> DispatchResult<'call> {
        DispatchResult::Async(Box::pin(self.change(property, value, connection, header)))
    }

    async fn set_mut(
        &mut self,
        _property: &str,
        _value: &Variant<'_>,
        _server: &ObjectServer,
        _connection: &Connection,
        _header: Option<&Header<'_>>,
        _emitter: &SignalEmitter<'_>,
    ) -> Option<Result<(), BoxDBusError>> {
        None
    }

    fn call<'call>(
        &'call self,
        server: &'call ObjectServer,
        connection: &'call Connection,
        message: &'call Message,
        name: MemberName<'call>,
    ) -> DispatchResult<'call> {
        let interface = I::name();
        let interface = callers::short(interface.as_str());
        let free = callers::may_call(interface, &name, message);
        if leaves_the_engine(interface, &name, message) {
            apart(self.0.clone(), connection.clone(), message.clone(), name.to_owned(), free);
            return DispatchResult::Async(Box::pin(async { Ok(()) }));
        }
        if free {
            return self.0.call(server, connection, message, name);
        }
        DispatchResult::Async(Box::pin(async move {
            callers::admit(connection, &message.header()).await?;
            finish(self.0.call(server, connection, message, name.clone()), &name).await
        }))
    }

    fn call_mut<'call>(
        &'call mut self,
        _server: &'call ObjectServer,
        _connection: &'call Connection,
        _message: &'call Message,
        _name: MemberName<'call>,
    ) -> DispatchResult<'call> {
        DispatchResult::NotFound
    }

    fn introspect_to_writer(&self, writer: &mut dyn fmt::Write, level: usize) {
        introspect(&self.0, &object::described(&self.0, level), writer, level);
    }
}

impl<I: Object> Guarded<I> {
    /// Sets a property, if this caller may.
    pub(super) async fn change(
        &self,
        property: &str,
        value: &Variant<'_>,
        connection: &Connection,
        header: Option<&Header<'_>>,
    ) -> Result<(), BoxDBusError> {
        if let Some(header) = header {
            callers::admit(connection, header).await?;
        }
        if I::SETTABLE.contains(&property) {
            return self.0.set_property(property, value).await.map_err(Into::into);
        }
        let known = self.0.all().contains_key(property);
        Err(if known {
            fdo::Error::PropertyReadOnly(format!("{property} cannot be set.")).into()
        } else {
            unknown(property)
        })
    }
}

/// Methods that wait for another part of the daemon than the engine, sound, history or disk: `Answer` and `Hangup` must not wait
/// behind them. They reach the engine in the order of their coming all the same. (Those of History are spawned all.)
fn leaves_the_engine(interface: &str, member: &str, message: &Message) -> bool {
    match (interface, member) {
        ("Call", "GetStats" | "ConfirmSafetyNumber")
        | (
            "Manager",
            "SetDnd" | "SetRinger" | "SetDevice" | "SetSetting" | "ResetSetting" | "Reload" | "Diagnose",
        )
        | ("Contacts", "Add" | "Set" | "Verify" | "Block" | "Unblock" | "Remove")
        | ("Account", "ExportCard" | "Cards" | "RevokeCard" | "Export" | "Import" | "Remove")
        | ("AudioDevice", "Use")
        | (callers::PROPERTIES, "Set") => true,
        ("Manager", "Dial") => {
            callers::target(message).is_some_and(|target| target.starts_with(names::BY_HISTORY))
        }
        _ => false,
    }
}

/// Runs a method in a task of its own.
fn apart<I: Interface>(
    of: I,
    connection: Connection,
    message: Message,
    name: MemberName<'static>,
    free: bool,
) {
    let work = async move {
        let header = message.header();
        let outcome = async {
            if !free {
                callers::admit(&connection, &header).await?;
            }
            finish(of.call(connection.object_server(), &connection, &message, name.clone()), &name).await
        };
        if let Err(error) = outcome.await
            && let Err(error) = connection.reply_dbus_error(&header, error).await
        {
            tracing::debug!(%error, "a refusal was not heard");
        }
    };
    #[expect(clippy::disallowed_methods, reason = "one method, ended by its deadline or with the bus")]
    tokio::spawn(work);
}

pub(super) async fn finish(result: DispatchResult<'_>, name: &MemberName<'_>) -> Result<(), BoxDBusError> {
    match result {
        DispatchResult::Async(done) => done.await,
        DispatchResult::NotFound | DispatchResult::RequiresMut => {
            Err(fdo::Error::UnknownMethod(format!("Unknown method '{name}'")).into())
        }
    }
}

async fn may_read<I: Interface>(
    connection: &Connection,
    header: Option<&Header<'_>>,
) -> Result<(), BoxDBusError> {
    match header {
        Some(header) if !callers::may_read(callers::short(I::name().as_str())) => {
            callers::admit(connection, header).await.map_err(Into::into)
        }
        Some(_) | None => Ok(()),
    }
}

/// What the library says of an interface, with its properties, and with the direction of what a signal carries: where it is left
/// out, `busctl` takes that of the argument before, and complains.
pub(super) fn introspect(of: &dyn Interface, properties: &str, writer: &mut dyn fmt::Write, level: usize) {
    let mut text = String::new();
    of.introspect_to_writer(&mut text, level);
    let mut in_signal = false;
    for line in text.split_inclusive('\n') {
        in_signal = (in_signal || line.contains("<signal ")) && !line.contains("</signal>");
        let before = if line.contains("</interface>") { properties } else { "" };
        let line = if in_signal && !line.contains("direction=") {
            line.replacen("<arg ", "<arg direction=\"out\" ", 1)
        } else {
            line.to_owned()
        };
        if writer.write_str(before).and_then(|()| writer.write_str(&line)).is_err() {
            return;
        }
    }
}

/// A property that does not exist.
pub(super) fn unknown(property: &str) -> BoxDBusError {
    fdo::Error::UnknownProperty(format!("Unknown property '{property}'")).into()
}
