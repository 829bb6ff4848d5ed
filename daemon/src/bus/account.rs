//! `org.ahoyd.Calls1.Account`: who this user is.
//!
//! Lives here: its members, one line each; the setting of its one writable property.
//! Must not: hold a key.

use std::collections::{BTreeMap, HashMap};

use zbus::message::Header;
use zbus::names::InterfaceName;
use zbus::object_server::{Interface, SignalEmitter};
use zbus::{Connection, ObjectServer, OwnedVariant, Variant, fdo, interface};

use super::desk::Desk;
use super::fault::Fault;
use super::options::{Dictionary, Options};
use super::shown::Account;
use crate::request::Request;

/// The object of the account.
#[derive(Clone, Debug)]
pub(super) struct AccountObject(pub(super) Desk);

#[interface(name = "org.ahoyd.Calls1.Account", spawn = false, introspection_docs = false)]
impl AccountObject {
    #[zbus(out_args("card"))]
    async fn export_card(&self, options: Dictionary) -> Result<String, Fault> {
        let mut options = Options::from(options);
        let name = options.string("name")?.unwrap_or_default();
        options.finish()?;
        self.0.text(Request::ExportCard { name }).await
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn id(&self) -> String {
        self.0.board().account.id.clone()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn address(&self) -> String {
        self.0.board().account.address.clone()
    }

    #[zbus(property)]
    fn display_name(&self) -> String {
        self.now().display_name
    }

    /// Declares the property writable. `Set` itself comes by `AccountProperties`.
    #[zbus(property)]
    async fn set_display_name(&self, name: String) -> Result<(), Fault> {
        self.0.done(Request::SetDisplayName(name)).await
    }

    #[zbus(property)]
    fn connection_state(&self) -> String {
        self.now().connection_state
    }

    #[zbus(property)]
    fn connection_error(&self) -> String {
        self.now().connection_error
    }

    #[zbus(property)]
    fn relays(&self) -> Vec<String> {
        self.now().relays
    }

    #[zbus(property)]
    fn devices(&self) -> Vec<BTreeMap<String, Variant<'static>>> {
        self.now().devices
    }
}

impl AccountObject {
    fn now(&self) -> Account {
        Account::of(&self.0.board())
    }
}

/// `org.freedesktop.DBus.Properties` of the account, in the place of the library's own. That one holds a lock on
/// the whole tree while a property is set, so that no call could appear before the setting was answered; and it
/// emits a second `PropertiesChanged` after the one of the publication.
#[derive(Debug)]
pub(super) struct AccountProperties(pub(super) AccountObject);

#[interface(name = "org.freedesktop.DBus.Properties", spawn = false, introspection_docs = false)]
impl AccountProperties {
    async fn get(
        &self,
        interface_name: InterfaceName<'_>,
        property_name: &str,
        #[zbus(object_server)] server: &ObjectServer,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> Result<OwnedVariant, zbus::BoxDBusError> {
        ours(&interface_name)?;
        let found = self.0.get(property_name, server, connection, Some(&header), &emitter).await;
        found.unwrap_or_else(|| Err(unknown(property_name).into()))
    }

    async fn set(
        &self,
        interface_name: InterfaceName<'_>,
        property_name: &str,
        value: &Variant<'_>,
    ) -> Result<(), zbus::BoxDBusError> {
        ours(&interface_name)?;
        match property_name {
            "DisplayName" => {
                let name = value.downcast_ref::<String>().map_err(|_other| {
                    Fault::arguments(format!("DisplayName is a string, not {}.", value.value_signature()))
                });
                let named = match name {
                    Ok(name) => self.0.set_display_name(name).await,
                    Err(fault) => Err(fault),
                };
                named.map_err(|fault| -> zbus::BoxDBusError { Box::new(fault) })
            }
            "Id" | "Address" | "ConnectionState" | "ConnectionError" | "Relays" | "Devices" => {
                Err(fdo::Error::PropertyReadOnly(format!("{property_name} cannot be set.")).into())
            }
            _ => Err(unknown(property_name).into()),
        }
    }

    async fn get_all(
        &self,
        interface_name: InterfaceName<'_>,
        #[zbus(object_server)] server: &ObjectServer,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> fdo::Result<HashMap<String, OwnedVariant>> {
        ours(&interface_name)?;
        Interface::get_all(&self.0, server, connection, Some(&header), &emitter).await
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

fn ours(interface: &InterfaceName<'_>) -> fdo::Result<()> {
    if *interface == AccountObject::name() {
        return Ok(());
    }
    Err(fdo::Error::UnknownInterface(format!("Unknown interface '{interface}'")))
}

fn unknown(property: &str) -> fdo::Error {
    fdo::Error::UnknownProperty(format!("Unknown property '{property}'"))
}
