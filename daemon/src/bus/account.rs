//! `org.ahoyd.Calls1.Account`: who this user is.
//!
//! Lives here: its members, one line each; the setting of what is writable of it.
//! Must not: hold a key.

use std::collections::BTreeMap;

use zbus::{Variant, interface};

use super::engine_handle::{EngineHandle, surprised};
use super::fault::Fault;
use super::options::{Dictionary, Options};
use super::properties::{Settable, typed};
use super::settings;
use super::shown::Account;
use crate::values::request::{Answer, Request};
use crate::values::setting::Setting;

/// A row as it is sent, `a{sv}`.
type Row = BTreeMap<&'static str, Variant<'static>>;

/// The object of the account.
#[derive(Clone, Debug)]
pub(super) struct AccountObject(pub(super) EngineHandle);

#[interface(name = "org.ahoyd.Calls1.Account", spawn = false, introspection_docs = false)]
impl AccountObject {
    #[zbus(out_args("card"))]
    async fn export_card(&self, options: Dictionary) -> Result<String, Fault> {
        let mut options = Options::from(options);
        let name = options.string("name")?.unwrap_or_default();
        options.finish()?;
        self.0.text(Request::ExportCard { name }).await
    }

    #[zbus(out_args("cards"))]
    async fn cards(&self, options: Dictionary) -> Result<Vec<Row>, Fault> {
        Options::none(options)?;
        let Answer::Cards(cards) = self.0.ask(Request::ListCards).await? else { return Err(surprised()) };
        let row = |(id, name, given_at): (String, String, i64)| {
            Row::from([("id", id.into()), ("name", name.into()), ("given-at", given_at.into())])
        };
        Ok(cards.into_iter().map(row).collect())
    }

    async fn revoke_card(&self, id: String, options: Dictionary) -> Result<(), Fault> {
        Options::none(options)?;
        self.0.done(Request::RevokeCard(id)).await
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

    /// Declares the property writable. `Set` itself comes by [`Settable`].
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
    fn enabled(&self) -> bool {
        self.now().enabled
    }

    /// As with [`Self::set_display_name`].
    #[zbus(property)]
    async fn set_enabled(&self, enabled: bool) -> Result<(), Fault> {
        let (key, value) = ("account.enabled".to_owned(), Some(Setting::Flag(enabled)));
        self.0.done(Request::SetSetting { key, value }).await
    }

    #[zbus(property)]
    fn relays(&self) -> Vec<String> {
        self.now().relays
    }

    /// As with [`Self::set_display_name`].
    #[zbus(property)]
    async fn set_relays(&self, relays: Vec<String>) -> Result<(), Fault> {
        let (key, value) = ("relay.urls".to_owned(), Some(Setting::Texts(relays)));
        self.0.done(Request::SetSetting { key, value }).await
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

impl Settable for AccountObject {
    async fn set_property(&self, property: &str, value: &Variant<'_>) -> Option<Result<(), Fault>> {
        match property {
            "DisplayName" => Some(match typed(property, "a string", value, value.downcast_ref().ok()) {
                Ok(name) => self.set_display_name(name).await,
                Err(fault) => Err(fault),
            }),
            "Enabled" => Some(match typed(property, "a boolean", value, value.downcast_ref().ok()) {
                Ok(enabled) => self.set_enabled(enabled).await,
                Err(fault) => Err(fault),
            }),
            "Relays" => {
                let urls = match settings::parsed(value) {
                    Ok(Setting::Texts(urls)) => Some(urls),
                    Ok(_) | Err(_) => None,
                };
                Some(match typed(property, "a list of strings", value, urls) {
                    Ok(urls) => self.set_relays(urls).await,
                    Err(fault) => Err(fault),
                })
            }
            _ => None,
        }
    }
}
