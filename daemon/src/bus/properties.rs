//! `org.freedesktop.DBus.Properties` of the objects that are always there, in the place of the library's own.
//!
//! Lives here: reading by an empty name too, as the specification lets an interface be left out; setting what can be set.
//! Must not: emit a change: the publication alone does. The library's own holds a lock on the whole tree while a property is
//! set, so that no call could appear before the setting was answered.

use std::collections::HashMap;

use zbus::message::Header;
use zbus::object_server::{Interface, SignalEmitter};
use zbus::{BoxDBusError, Connection, ObjectServer, OwnedVariant, Variant, fdo, interface};

use super::guarded::{Guarded, unknown};
use super::object::{Object, Properties};

/// The properties of one object.
#[derive(Clone, Debug)]
pub(super) struct OwnProperties<I>(pub(super) Guarded<I>);

/// It has a door like any other, and no properties of its own.
impl<I: Object> Object for OwnProperties<I> {
    fn changing(&self) -> fdo::Result<Properties> {
        Ok(Properties::new())
    }
}

#[interface(name = "org.freedesktop.DBus.Properties", spawn = false, introspection_docs = false)]
impl<I: Object> OwnProperties<I> {
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

    async fn set(
        &self,
        interface_name: &str,
        property_name: &str,
        value: &Variant<'_>,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(), BoxDBusError> {
        ours::<I>(interface_name)?;
        self.0.change(property_name, value, connection, Some(&header)).await
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
