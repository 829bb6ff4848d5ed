//! `org.ahoyd.Calls1.Contacts`: rows of people.
//!
//! Lives here: its members, one line each, and how a row is spelled.
//! Must not: keep a contact.

use std::collections::BTreeMap;

use ahoy_call::CallId;
use zbus::object_server::SignalEmitter;
use zbus::{Variant, fdo, interface};

use super::engine_handle::{EngineHandle, surprised};
use super::fault::Fault;
use super::object::{Object, Properties};
use super::options::{Dictionary, Options};
use super::{names, shown};
use crate::values::contact_rules::{MannerChange, Preconnect, RingPolicy};
use crate::values::request::{Answer, ContactRequest};
use crate::values::rows::{ContactChange, ContactFilter, ContactRow, GroupRow, RequestRow};

/// A row as it is sent, `a{sv}`.
type Row = BTreeMap<&'static str, Variant<'static>>;

/// The object of all contacts.
#[derive(Clone, Debug)]
pub(super) struct ContactsObject(pub(super) EngineHandle);

#[interface(name = "org.ahoyd.Calls1.Contacts", spawn = false, introspection_docs = false)]
impl ContactsObject {
    #[zbus(out_args("id"))]
    async fn add(&self, card: String, options: Dictionary) -> Result<String, Fault> {
        Options::none(options)?;
        self.0.text(ContactRequest::Add(card)).await
    }

    #[zbus(out_args("rows", "next"))]
    async fn list(&self, filter: Dictionary, options: Dictionary) -> Result<(Vec<Row>, String), Fault> {
        Options::none(options)?;
        self.rows(ContactRequest::List(read_filter(filter)?)).await
    }

    #[zbus(out_args("row"))]
    async fn get(&self, id: String, options: Dictionary) -> Result<Row, Fault> {
        Options::none(options)?;
        let answer = self.0.ask(ContactRequest::Get(id)).await?;
        let Answer::Contact(contact) = answer else { return Err(surprised()) };
        Ok(row(*contact))
    }

    #[zbus(out_args("rows"))]
    async fn find(&self, text: String, options: Dictionary) -> Result<Vec<Row>, Fault> {
        Options::none(options)?;
        self.rows(ContactRequest::Find(text)).await.map(|(rows, _next)| rows)
    }

    async fn set(&self, id: String, changes: Dictionary, options: Dictionary) -> Result<(), Fault> {
        Options::none(options)?;
        let mut changes = Options::from(changes);
        let name = changes.string("name")?;
        let manner = MannerChange {
            favorite: changes.flag("favorite")?,
            ring_policy: changes.word("ring-policy", &RingPolicy::WORDS, RingPolicy::named)?,
            preconnect: changes.word("preconnect", &Preconnect::WORDS, Preconnect::named)?,
            relay_only: changes.flag("relay-only")?,
            ring_tone: changes.string("ring-tone")?,
            icon: changes.string("icon")?,
            volume: changes.f64("volume")?,
            ping: changes.flag("ping")?,
            verified: None,
        };
        changes.finish()?;
        self.change(id, ContactChange { name, blocked: None, manner }).await
    }

    async fn verify(&self, id: String, verified: bool, options: Dictionary) -> Result<(), Fault> {
        Options::none(options)?;
        let manner = MannerChange { verified: Some(verified), ..MannerChange::default() };
        self.change(id, ContactChange { manner, ..ContactChange::default() }).await
    }

    async fn block(&self, id: String, options: Dictionary) -> Result<(), Fault> {
        Options::none(options)?;
        self.change(id, ContactChange { blocked: Some(true), ..ContactChange::default() }).await
    }

    async fn unblock(&self, id: String, options: Dictionary) -> Result<(), Fault> {
        Options::none(options)?;
        self.change(id, ContactChange { blocked: Some(false), ..ContactChange::default() }).await
    }

    #[zbus(out_args("job"))]
    async fn ping(&self, id: String, options: Dictionary) -> Result<String, Fault> {
        Options::none(options)?;
        let Answer::Call(job) = self.0.ask(ContactRequest::Ping(id)).await? else { return Err(surprised()) };
        Ok(names::uuid(job))
    }

    async fn remove(&self, id: String, options: Dictionary) -> Result<(), Fault> {
        self.0.plain(options, ContactRequest::Remove(id)).await
    }

    #[zbus(out_args("rows"))]
    async fn requests(&self, options: Dictionary) -> Result<Vec<Row>, Fault> {
        Options::none(options)?;
        let Answer::Requests(asking) = self.0.ask(ContactRequest::Requests).await? else {
            return Err(surprised());
        };
        Ok(asking.into_iter().map(request).collect())
    }

    #[zbus(out_args("id"))]
    async fn accept(&self, request: String, options: Dictionary) -> Result<String, Fault> {
        Options::none(options)?;
        self.0.text(ContactRequest::Accept(request)).await
    }

    async fn dismiss(&self, request: String, options: Dictionary) -> Result<(), Fault> {
        self.0.plain(options, ContactRequest::Dismiss(request)).await
    }

    #[zbus(out_args("rows"))]
    async fn groups(&self, options: Dictionary) -> Result<Vec<Row>, Fault> {
        Options::none(options)?;
        let Answer::Groups(groups) = self.0.ask(ContactRequest::Groups).await? else {
            return Err(surprised());
        };
        Ok(groups.into_iter().map(group).collect())
    }

    #[zbus(out_args("id"))]
    async fn make_group(
        &self,
        name: String,
        members: Vec<String>,
        options: Dictionary,
    ) -> Result<String, Fault> {
        Options::none(options)?;
        self.0.text(ContactRequest::MakeGroup { name, members }).await
    }

    async fn change_group(
        &self,
        group: String,
        changes: Dictionary,
        options: Dictionary,
    ) -> Result<(), Fault> {
        Options::none(options)?;
        let mut changes = Options::from(changes);
        let name = changes.string("name")?;
        let add = changes.strings("add")?.unwrap_or_default();
        let drop = changes.strings("drop")?.unwrap_or_default();
        changes.finish()?;
        self.0.done(ContactRequest::ChangeGroup { group, name, add, drop }).await
    }

    async fn forget_group(&self, group: String, options: Dictionary) -> Result<(), Fault> {
        self.0.plain(options, ContactRequest::ForgetGroup(group)).await
    }

    /// A contact came, went or changed, or somebody asks to be one.
    #[zbus(signal)]
    pub(super) async fn changed(emitter: &SignalEmitter<'_>, id: &str) -> zbus::Result<()>;
}

impl Object for ContactsObject {
    fn changing(&self) -> fdo::Result<Properties> {
        Ok(shown::contacts(&self.0.board()))
    }
}

impl ContactsObject {
    async fn change(&self, id: String, change: ContactChange) -> Result<(), Fault> {
        self.0.done(ContactRequest::Change(id, Box::new(change))).await
    }

    async fn rows(&self, what: ContactRequest) -> Result<(Vec<Row>, String), Fault> {
        let answer = self.0.ask(what).await?;
        let Answer::Contacts(contacts, next) = answer else { return Err(surprised()) };
        Ok((contacts.into_iter().map(row).collect(), next))
    }
}

fn read_filter(filter: Dictionary) -> Result<ContactFilter, Fault> {
    let mut filter = Options::from(filter);
    let read = ContactFilter {
        text: filter.string("text")?,
        blocked: filter.flag("blocked")?,
        favorite: filter.flag("favorite")?,
        limit: filter.limit()?,
        after: filter.string("after")?,
    };
    filter.finish()?;
    Ok(read)
}

fn request(asking: RequestRow) -> Row {
    BTreeMap::from([
        ("id", asking.id.into()),
        ("address", asking.address.into()),
        ("name", asking.name.into()),
        ("looks-like", asking.twins.into()),
        ("safety-number", asking.safety_number.into()),
        ("given-to", asking.given_to.into()),
        ("asked-at", asking.asked_at.into()),
    ])
}

fn group(group: GroupRow) -> Row {
    BTreeMap::from([
        ("id", group.id.into()),
        ("name", group.name.into()),
        ("members", group.members.into()),
        ("names", group.names.into()),
        ("told-by", group.by.into()),
    ])
}

fn row(contact: ContactRow) -> Row {
    let manner = contact.manner;
    let mut row: Row = BTreeMap::from([
        ("id", contact.id.into()),
        ("address", contact.address.into()),
        ("name", contact.name.into()),
        ("looks-like", contact.twins.into()),
        ("blocked", contact.blocked.into()),
        ("mutual", contact.mutual.into()),
        ("favorite", manner.favorite.into()),
        ("verified", manner.verified.into()),
        ("ring-policy", manner.ring_policy.word().into()),
        ("preconnect", manner.preconnect.word().into()),
        ("relay-only", manner.relay_only.into()),
        ("ring-tone", manner.ring_tone.into()),
        ("icon", manner.icon.into()),
        ("volume", manner.volume.into()),
        ("ping", manner.ping.into()),
        ("ping-there", contact.ping_there.into()),
        ("ended", contact.ended.into()),
        ("safety-number", contact.safety_number.into()),
        ("added-at", contact.added_at.into()),
        ("last-call-at", contact.last_call_at.into()),
    ]);
    if let Some(ping) = contact.ping {
        row.insert("ping-job", names::uuid(CallId::from_bytes(ping.job)).into());
        row.insert("ping-state", ping.state.word().into());
        row.insert("ping-at", ping.at.into());
        if let Some(took) = ping.took {
            row.insert("ping-rtt-ms", (took.as_secs_f64() * 1_000.0).into());
            // Until a ping takes the path of a call.
            row.insert("ping-path", "relay".into());
        }
    }
    row
}
