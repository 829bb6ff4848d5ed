//! `org.freedesktop.DBus.Properties` of the objects that are always there, in the place of the library's own.
//!
//! Lives here: reading by an empty name too, as the specification lets an interface be left out; setting what can be set.
//! Must not: emit a change: the publication alone does. The library's own emits a second one, and holds a lock on the whole
//! tree while a property is set, so that no call could appear before the setting was answered.

use std::collections::HashMap;

use zbus::message::Header;
use zbus::object_server::{Interface, SignalEmitter};
use zbus::{BoxDBusError, Connection, ObjectServer, OwnedVariant, Variant, fdo, interface};

use super::callers;
use super::fault::Fault;
use super::guarded::{Guarded, read_only, unknown};

/// What of an object can be set.
pub(super) trait Settable {
    /// Sets a property; `None` if it cannot be set.
    fn set_property(
        &self,
        _property: &str,
        _value: &Variant<'_>,
    ) -> impl Future<Output = Option<Result<(), Fault>>> + Send {
        std::future::ready(None)
    }
}

/// The properties of one object.
#[derive(Clone, Debug)]
pub(super) struct OwnProperties<I>(pub(super) Guarded<I>);

#[interface(name = "org.freedesktop.DBus.Properties", spawn = false, introspection_docs = false)]
impl<I> OwnProperties<I>
where
    I: Interface + Clone + Settable,
{
    async fn get(
        &self,
        interface_name: &str,
        property_name: &str,
        #[zbus(object_server)] server: &ObjectServer,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> Result<OwnedVariant, BoxDBusError> {
        ours::<I>(interface_name)?;
        let found = self.0.get(property_name, server, connection, Some(&header), &emitter).await;
        found.unwrap_or_else(|| Err(unknown(property_name)))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what the library hands over beside the three of the method"
    )]
    async fn set(
        &self,
        interface_name: &str,
        property_name: &str,
        value: &Variant<'_>,
        #[zbus(object_server)] server: &ObjectServer,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> Result<(), BoxDBusError> {
        ours::<I>(interface_name)?;
        callers::admit(connection, &header).await?;
        if let Some(outcome) = self.0.0.set_property(property_name, value).await {
            return outcome.map_err(Into::into);
        }
        let known = self.0.get(property_name, server, connection, None, &emitter).await.is_some();
        Err(if known { read_only(property_name) } else { unknown(property_name) })
    }

    async fn get_all(
        &self,
        interface_name: &str,
        #[zbus(object_server)] server: &ObjectServer,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> fdo::Result<HashMap<String, OwnedVariant>> {
        ours::<I>(interface_name)?;
        self.0.get_all(server, connection, Some(&header), &emitter).await
    }

    /// Emitted by the publication alone.
    #[zbus(signal)]
    async fn properties_changed(
        emitter: &SignalEmitter<'_>,
        interface_name: &str,
        changed_properties: HashMap<&str, Variant<'_>>,
        invalidated_properties: &[&str],
    ) -> zbus::Result<()>;
}

/// The one interface with properties of the object, or an empty name, which means all of them.
fn ours<I: Interface>(interface: &str) -> fdo::Result<()> {
    if interface.is_empty() || interface == I::name().as_str() {
        return Ok(());
    }
    Err(fdo::Error::UnknownInterface(format!("Unknown interface '{interface}'")))
}

/// A value of the right type.
pub(super) fn typed<T>(
    property: &str,
    expected: &str,
    value: &Variant<'_>,
    read: Option<T>,
) -> Result<T, Fault> {
    read.ok_or_else(|| {
        Fault::arguments(format!("{property} is {expected}, not {}.", value.value_signature()))
    })
}
