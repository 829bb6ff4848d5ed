//! From one board to the next: what must be said on the bus.
//!
//! Lives here: the comparison of two boards, as values; its emission, one `PropertiesChanged` for each object.
//! Must not: decide what a board holds, or how often boards come.

use std::sync::Arc;

use ahoy_call::CallId;
use tokio::sync::watch;
use zbus::object_server::SignalEmitter;
use zbus::wire::OwnedObjectPath;
use zbus::{Connection, ObjectServer};

use super::call::CallObject;
use super::desk::Desk;
use super::shown::{Account, Call, Contacts, Focus, History, Manager, Properties};
use super::spell;
use crate::board::{Board, CallRow};

/// All that differs between two boards.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Difference {
    /// Calls whose objects go.
    pub(super) gone: Vec<CallId>,
    /// Calls whose objects come.
    pub(super) come: Vec<Arc<CallRow>>,
    /// Objects whose properties changed; each object at most once, none of those that go or come.
    pub(super) changed: Vec<Changed>,
}

/// What changed on one object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Changed {
    /// The object.
    pub(super) path: OwnedObjectPath,
    /// Its interface, without the prefix.
    pub(super) interface: &'static str,
    /// The new values.
    pub(super) properties: Properties,
}

/// Compares two boards.
pub(super) fn difference(before: &Board, after: &Board) -> Difference {
    let mut difference = Difference::default();
    for row in &before.calls {
        if find(after, row.view.id).is_none() {
            difference.gone.push(row.view.id);
        }
    }
    for row in &after.calls {
        match find(before, row.view.id) {
            None => difference.come.push(Arc::clone(row)),
            Some(old) if Arc::ptr_eq(old, row) => {}
            Some(old) => difference.note(
                spell::call_path(row.view.id),
                "Call",
                Call::of(row).changed_since(&Call::of(old)),
            ),
        }
    }
    let fixed = |text| OwnedObjectPath::try_from(text).unwrap_or_default();
    let manager = Manager::of(after).changed_since(&Manager::of(before));
    difference.note(fixed(spell::ROOT), "Manager", manager);
    difference.note(fixed(spell::FOCUS), "Focus", Focus::of(after).changed_since(&Focus::of(before)));
    let account = Account::of(after).changed_since(&Account::of(before));
    difference.note(spell::account_path(&after.account.id), "Account", account);
    let contacts = Contacts::of(after).changed_since(&Contacts::of(before));
    difference.note(fixed(spell::CONTACTS), "Contacts", contacts);
    difference.note(fixed(spell::HISTORY), "History", History::of(after).changed_since(&History::of(before)));
    difference
}

/// Shows a new board: objects that are over go, the snapshot is swapped, new objects come, and then each changed
/// object says so once. So whoever hears a signal reads at least as new a value.
pub(super) async fn show(
    connection: &Connection,
    desk: &Desk,
    shown: &watch::Sender<Arc<Board>>,
    board: Arc<Board>,
) -> zbus::Result<()> {
    let difference = difference(&desk.board(), &board);
    let server = connection.object_server();
    for id in difference.gone {
        server.remove::<CallObject, _>(spell::call_path(id)).await?;
    }
    shown.send_replace(board);
    for row in difference.come {
        add_call(server, desk, row).await?;
    }
    for changed in difference.changed {
        emit(connection, changed).await?;
    }
    Ok(())
}

/// Exports the object of a call that is on the board.
pub(super) async fn add_call(server: &ObjectServer, desk: &Desk, row: Arc<CallRow>) -> zbus::Result<()> {
    let path = spell::call_path(row.view.id);
    server.at(path, CallObject::new(desk.clone(), row)).await.map(|_added| ())
}

async fn emit(connection: &Connection, changed: Changed) -> zbus::Result<()> {
    let interface = format!("{}.{}", spell::NAME, changed.interface);
    let invalidated: [&str; 0] = [];
    SignalEmitter::new(connection, changed.path)?
        .emit(
            "org.freedesktop.DBus.Properties",
            "PropertiesChanged",
            &(interface, changed.properties, invalidated.as_slice()),
        )
        .await
}

impl Difference {
    fn note(&mut self, path: OwnedObjectPath, interface: &'static str, properties: Properties) {
        if !properties.is_empty() {
            self.changed.push(Changed { path, interface, properties });
        }
    }
}

fn find(board: &Board, id: CallId) -> Option<&Arc<CallRow>> {
    board.calls.iter().find(|row| row.view.id == id)
}
