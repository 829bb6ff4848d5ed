//! The object manager.
//!
//! Lives here: what it shows: a sandboxed caller less than others.
//! Must not: know what a method does.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use zbus::export::async_trait::async_trait;
use zbus::fdo::{self, ManagedObjects};
use zbus::message::{Header, Message};
use zbus::names::{InterfaceName, MemberName};
use zbus::object_server::{DispatchResult, Interface, SignalEmitter};
use zbus::{BoxDBusError, Connection, ObjectServer, OwnedVariant, Variant};

use super::call::CallObject;
use super::callers::{self, Caller};
use super::engine_handle::EngineHandle;
use super::focus::FocusObject;
use super::guarded::{finish, introspect};
use super::names;
use super::object::{self, Object as _};
use super::peer::PeerObject;

/// The object manager. A sandboxed caller is shown what it may read.
pub(super) struct Managed(pub(super) EngineHandle);

impl Managed {
    /// What a sandboxed caller may read.
    fn readable(&self) -> fdo::Result<ManagedObjects> {
        let board = self.0.board();
        let focus = object::owned(FocusObject(self.0.clone()).all())?;
        let focus = (names::fixed(names::FOCUS), HashMap::from([(FocusObject::name().into(), focus)]));
        let mut objects = ManagedObjects::from([focus]);
        for row in &board.calls {
            let call = object::owned(CallObject::new(self.0.clone(), Arc::clone(row)).all())?;
            objects.insert(names::call_path(row.view.id), HashMap::from([(CallObject::name().into(), call)]));
            for (member, _) in row.members() {
                let peer = PeerObject { engine: self.0.clone(), call: row.view.id, member: member.id };
                objects.insert(
                    names::peer_path(row.view.id, member.id),
                    HashMap::from([(PeerObject::name().into(), object::owned(peer.all())?)]),
                );
            }
        }
        Ok(objects)
    }
}

#[async_trait]
impl Interface for Managed {
    fn name() -> InterfaceName<'static> {
        fdo::ObjectManager::name()
    }

    /// In the order of their coming: clients ask for the objects and for Manager in one breath, and take what is signaled
    /// between the two answers.
    fn spawn_tasks_for_methods(&self) -> bool {
        false
    }

    async fn get(
        &self,
        _property: &str,
        _server: &ObjectServer,
        _connection: &Connection,
        _header: Option<&Header<'_>>,
        _emitter: &SignalEmitter<'_>,
    ) -> Option<Result<OwnedVariant, BoxDBusError>> {
        None
    }

    async fn get_all(
        &self,
        _server: &ObjectServer,
        _connection: &Connection,
        _header: Option<&Header<'_>>,
        _emitter: &SignalEmitter<'_>,
    ) -> fdo::Result<HashMap<String, OwnedVariant>> {
        Ok(HashMap::new())
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
        DispatchResult::Async(Box::pin(async move {
            let header = message.header();
            if callers::who(connection, &header).await == Some(Caller::Free) || name != "GetManagedObjects" {
                return finish(fdo::ObjectManager.call(server, connection, message, name.clone()), &name)
                    .await;
            }
            let objects = self.readable()?;
            connection.reply(&header, &objects).await?;
            Ok(())
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
        introspect(&fdo::ObjectManager, "", writer, level);
    }
}
