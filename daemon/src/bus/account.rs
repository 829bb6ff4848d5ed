//! `org.ahoyd.Calls1.Account`: who this user is.
//!
//! Lives here: its members, one line each; the setting of what is writable of it.
//! Must not: hold a key.

use std::collections::BTreeMap;
use std::time::Duration;

use zbus::{OwnedFd, Variant, fdo, interface};

use super::engine_handle::{EngineHandle, surprised};
use super::fault::Fault;
use super::object::{self, Object, Properties};
use super::options::{Dictionary, Options};
use super::{settings, shown};
use crate::values::account::AccountRequest;
use crate::values::request::{Answer, ContactRequest, DaemonRequest, Lease};
use crate::values::setting::Setting;

/// How long a file may take: a second for the passphrase, and a slow disk.
const SEALING: Duration = Duration::from_secs(60);

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
        self.0.text(ContactRequest::ExportCard(name)).await
    }

    #[zbus(out_args("cards"))]
    async fn cards(&self, options: Dictionary) -> Result<Vec<Row>, Fault> {
        Options::none(options)?;
        let Answer::Cards(cards) = self.0.ask(ContactRequest::ListCards).await? else {
            return Err(surprised());
        };
        let row = |(id, name, given_at): (String, String, i64)| {
            Row::from([("id", id.into()), ("name", name.into()), ("given-at", given_at.into())])
        };
        Ok(cards.into_iter().map(row).collect())
    }

    async fn export(&self, into: OwnedFd, options: Dictionary) -> Result<(), Fault> {
        let mut options = Options::from(options);
        let secret = options.descriptor("secret")?;
        let history = options.flag("history")?.unwrap_or(false);
        options.finish()?;
        let (into, secret) = (Lease(into.into()), needed(secret)?);
        self.0.ask_within(SEALING, AccountRequest::Export { into, secret, history }).await.map(|_done| ())
    }

    #[zbus(out_args("address"))]
    async fn import(&self, from: OwnedFd, options: Dictionary) -> Result<String, Fault> {
        let mut options = Options::from(options);
        let secret = options.descriptor("secret")?;
        let replace = options.flag("replace")?.unwrap_or(false);
        options.finish()?;
        let (from, secret) = (Lease(from.into()), needed(secret)?);
        let answer = self.0.ask_within(SEALING, AccountRequest::Import { from, secret, replace }).await?;
        let Answer::Text(address) = answer else { return Err(surprised()) };
        Ok(address)
    }

    #[zbus(out_args("told", "contacts"))]
    async fn remove(&self, options: Dictionary) -> Result<(u32, u32), Fault> {
        let mut options = Options::from(options);
        let history = options.flag("history")?.unwrap_or(false);
        let moved = options.flag("moved")?.unwrap_or(false);
        options.finish()?;
        let Answer::Told(told, of) = self.0.ask(AccountRequest::Remove { history, moved }).await? else {
            return Err(surprised());
        };
        Ok((told, of))
    }

    async fn revoke_card(&self, id: String, options: Dictionary) -> Result<(), Fault> {
        self.0.plain(options, ContactRequest::RevokeCard(id)).await
    }
}

/// Where a passphrase is read from.
fn needed(secret: Option<std::os::fd::OwnedFd>) -> Result<Lease, Fault> {
    let none = || Fault::option("Option 'secret' is needed: a descriptor to read the passphrase from.");
    secret.map(Lease).ok_or_else(none)
}

impl Object for AccountObject {
    const SETTABLE: &'static [&'static str] = &["DisplayName", "Enabled", "Relays"];

    fn constant(&self) -> Properties {
        let account = &self.0.board().account;
        Properties::from([("Id", account.id.clone().into()), ("Address", account.address.clone().into())])
    }

    fn changing(&self) -> fdo::Result<Properties> {
        Ok(shown::account(&self.0.board()))
    }

    async fn set_property(&self, property: &str, value: &Variant<'_>) -> Result<(), Fault> {
        let setting = settings::parsed(value).ok();
        let (key, value) = match (property, setting) {
            ("DisplayName", Some(Setting::Text(name))) => {
                return self.0.done(DaemonRequest::SetDisplayName(name)).await;
            }
            ("Enabled", Some(flag @ Setting::Flag(_))) => ("account.enabled", flag),
            ("Relays", Some(urls @ Setting::Texts(_))) => ("relay.urls", urls),
            _ => {
                let expected = match property {
                    "DisplayName" => "a string",
                    "Enabled" => "a boolean",
                    _ => "a list of strings",
                };
                return Err(object::mistyped(property, expected, value));
            }
        };
        self.0.done(DaemonRequest::SetSetting(key.to_owned(), Some(value))).await
    }
}
