//! One connection to a bus, with the tree that is served on it.
//!
//! Lives here: joining the bus, exporting the objects, owning the name, performing orders.
//! Must not: judge an order, or outlive its connection.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use zbus::conn::Builder;
use zbus::fdo::{self, RequestNameFlags};
use zbus::object_server::SignalEmitter;
use zbus::{Connection, ObjectServer, Variant};

use super::account::AccountObject;
use super::engine_handle::EngineHandle;
use super::focus::FocusObject;
use super::guarded::Guarded;
use super::managed::Managed;
use super::manager::ManagerObject;
use super::object::Object;
use super::properties::OwnProperties;
use super::publish::{add_call, add_device, show, tell_all};
use super::{Happening, Publication, border, names, release};
use crate::bus::contacts::ContactsObject;
use crate::bus::history::HistoryObject;
use crate::system::clock;
use crate::values::board::{Board, Newest};
use crate::values::request::Asked;

/// Why there is no tree on the bus.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    /// Another daemon owns the name.
    #[error("another daemon owns the name")]
    NameTaken,
    /// A connection of ours that the bus has not yet closed owns the name.
    #[error("the bus still holds an older connection of this daemon")]
    Ghost,
    /// The bus is not there, or refused us.
    #[error("the session bus cannot be joined ({0})")]
    Refused(#[source] zbus::Error),
    /// The bus went.
    #[error("the session bus has gone")]
    Gone,
    /// The bus does not take what we say.
    #[error("the session bus does not take messages ({0})")]
    Stuck(#[source] zbus::Error),
    /// The bus is there and does not move.
    #[error("the session bus does not move")]
    Slow,
}

/// A served tree.
#[derive(Debug)]
pub(super) struct Tree {
    connection: Connection,
    engine: EngineHandle,
    shown: watch::Sender<Arc<Board>>,
}

impl Tree {
    /// Joins the bus: objects first, then the name. After a bus that was stuck (`again`) the name may still belong
    /// to our own last connection: that is no other daemon.
    pub(super) async fn plant(
        again: bool,
        address: Option<&str>,
        asked: &mpsc::Sender<Asked>,
        board: Arc<Board>,
    ) -> Result<Self, Lost> {
        let joined = async {
            let builder = address.map_or_else(Builder::session, Builder::address);
            let connection = builder.build().await.map_err(Lost::Refused)?;
            let (shown, seen) = watch::channel(border::board(board));
            let tree = Self { connection, engine: EngineHandle::new(asked.clone(), seen), shown };
            tree.export().await.map_err(Lost::Refused)?;
            let named =
                tree.connection.request_name_with_flags(names::NAME, RequestNameFlags::DO_NOT_QUEUE).await;
            match named {
                Ok(_owner) => Ok(tree),
                Err(zbus::Error::NameTaken) if again && tree.name_is_ours().await => Err(Lost::Ghost),
                Err(zbus::Error::NameTaken) => Err(Lost::NameTaken),
                Err(error) => Err(Lost::Refused(error)),
            }
        };
        clock::timeout(JOIN, joined).await.unwrap_or(Err(Lost::Slow))
    }

    /// Whether this very process owns the name.
    async fn name_is_ours(&self) -> bool {
        let owner = async {
            let name = zbus::names::BusName::try_from(names::NAME)?;
            fdo::DBusProxy::new(&self.connection).await?.get_connection_unix_process_id(name).await
        };
        owner.await.is_ok_and(|process| process == std::process::id())
    }

    async fn export(&self) -> zbus::Result<()> {
        let (server, engine) = (self.connection.object_server(), || self.engine.clone());
        let board = engine().board();
        place(server, names::ROOT, ManagerObject::new(engine())).await?;
        place(server, names::FOCUS, FocusObject(engine())).await?;
        place(server, names::HISTORY, HistoryObject(engine())).await?;
        place(server, names::CONTACTS, ContactsObject(engine())).await?;
        // Who has no account yet shows none.
        if !board.account.id.is_empty() {
            let account = names::account_path(&board.account.id);
            place(server, account.as_str(), AccountObject(engine())).await?;
        }
        for row in &board.calls {
            add_call(server, &self.engine, Arc::clone(row)).await?;
        }
        for row in &board.devices {
            add_device(server, &self.engine, row).await?;
        }
        server.at(names::ROOT, Managed(engine())).await?;
        Ok(())
    }

    /// Shows boards and performs orders until the bus is lost, or, with `None`, until the port must end. Before an order
    /// the newest board is shown: it holds what was shown when the order was given, or something newer.
    pub(super) async fn follow(
        self,
        orders: &mut mpsc::Receiver<Publication>,
        boards: &mut watch::Receiver<Option<Newest>>,
    ) -> Result<(), Lost> {
        let mut lost = boards.borrow().as_ref().map_or(0, |newest| newest.lost);
        loop {
            let order = tokio::select! {
                order = orders.recv() => Some(order.unwrap_or(Publication::Stop)),
                Ok(()) = boards.changed() => None,
                () = self.connection.closed() => return Err(Lost::Gone),
            };
            told(self.catch_up(boards, &mut lost)).await?;
            match order {
                None => {}
                Some(Publication::Reply(reply, answer)) => release(reply, answer),
                Some(Publication::Event(happening)) => told(self.event(happening)).await?,
                Some(Publication::ContactChanged(id)) => told(self.contact_changed(&id)).await?,
                Some(Publication::HistoryChanged(id)) => told(self.history_changed(id)).await?,
                Some(Publication::Stop) => {
                    self.leave().await;
                    return Ok(());
                }
            }
        }
    }

    /// Shows the newest board; and all of it, if something was lost since the last time.
    async fn catch_up(
        &self,
        boards: &mut watch::Receiver<Option<Newest>>,
        lost: &mut u64,
    ) -> zbus::Result<()> {
        let Some(newest) = boards.borrow_and_update().clone() else { return Ok(()) };
        let board = border::board(newest.board);
        if !Arc::ptr_eq(&board, &self.engine.board()) {
            show(&self.connection, &self.engine, &self.shown, Arc::clone(&board)).await?;
        }
        if newest.lost != *lost {
            *lost = newest.lost;
            tell_all(&self.connection, &board).await?;
        }
        Ok(())
    }

    async fn event(&self, Happening { kind, serial, data }: Happening) -> zbus::Result<()> {
        let data = border::event(data);
        let mut spelled = BTreeMap::new();
        let mut put = |key, value: Option<Variant<'static>>| {
            if let Some(value) = value {
                spelled.insert(key, value);
            }
        };
        put("call", data.call.map(|id| Variant::from(names::call_path(id))));
        put("contact", data.contact.map(|id| names::contact(id).into()));
        put("name", data.name.map(Variant::from));
        put("direction", data.direction.map(|direction| direction.word().into()));
        put("outcome", data.outcome.map(|outcome| outcome.word().into()));
        put("duration-ms", data.duration_ms.map(Variant::from));
        put("reason", data.reason.map(|reason| reason.word().into()));
        put("history", data.history.map(Variant::from));
        ManagerObject::event(&self.emitter(names::ROOT)?, kind, serial, spelled).await
    }

    async fn contact_changed(&self, id: &str) -> zbus::Result<()> {
        ContactsObject::changed(&self.emitter(names::CONTACTS)?, id).await
    }

    async fn history_changed(&self, id: u64) -> zbus::Result<()> {
        HistoryObject::changed(&self.emitter(names::HISTORY)?, id).await
    }

    fn emitter(&self, path: &'static str) -> zbus::Result<SignalEmitter<'static>> {
        SignalEmitter::new(&self.connection, path)
    }

    /// Gives the name back and closes. The round trip lets the replies that were released before go out.
    async fn leave(self) {
        let left = clock::timeout(LEAVE, async {
            self.connection.release_name(names::NAME).await?;
            self.connection.close().await
        });
        if !matches!(left.await, Ok(Ok(()))) {
            tracing::debug!("the bus was left without a word");
        }
    }
}

/// Exports an object that is always there, with properties of its own making.
async fn place(server: &ObjectServer, path: &str, object: impl Object) -> zbus::Result<()> {
    let guarded = Guarded(object);
    server.at(path, guarded.clone()).await?;
    server.remove::<fdo::Properties, _>(path).await?;
    server.at(path, Guarded(OwnProperties(guarded))).await.map(|_added| ())
}

/// Tells clients something: an error if the connection is at its end. All else is about one message, and the next may be right.
async fn told(telling: impl Future<Output = zbus::Result<()>>) -> Result<(), Lost> {
    use zbus::Error::{Address, Handshake, InputOutput};
    match clock::timeout(STALL, telling).await {
        Ok(Ok(())) => {}
        Ok(Err(error @ (InputOutput(_) | Handshake(_) | Address(_)))) => return Err(Lost::Stuck(error)),
        Ok(Err(error)) => tracing::error!(%error, "something could not be shown on the bus"),
        Err(_over) => return Err(Lost::Slow),
    }
    Ok(())
}

/// How long joining may take: with the time between two tries less than five seconds.
const JOIN: Duration = Duration::from_millis(2500);
/// How long one order may take before the connection counts as dead.
const STALL: Duration = Duration::from_secs(5);
/// How long leaving may take.
const LEAVE: Duration = Duration::from_secs(1);
