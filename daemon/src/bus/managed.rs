//! The object manager.
//!
//! Lives here: what it shows: a sandboxed caller less than others.
//! Must not: know what a method does.

use std::collections::HashMap;
use std::fmt;

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
use super::peer::PeerObject;

/// The object manager. A sandboxed caller is shown what it may read.
pub(super) struct Managed(pub(super) EngineHandle);

impl Managed {
    /// What a sandboxed caller may read.
    async fn readable(&self, server: &ObjectServer, connection: &Connection) -> zbus::Result<ManagedObjects> {
        let mut objects = ManagedObjects::new();
        let focus = FocusObject(self.0.clone());
        let emitter = SignalEmitter::new(connection, names::FOCUS)?;
        let properties = focus.get_all(server, connection, None, &emitter).await?;
        objects.insert(
            emitter.path().to_owned().into(),
            HashMap::from([(FocusObject::name().into(), properties)]),
        );
        for row in &self.0.board().calls {
            let path = names::call_path(row.view.id);
            let emitter = SignalEmitter::new(connection, path.clone())?;
            let call = CallObject::new(self.0.clone(), std::sync::Arc::clone(row));
            let properties = call.get_all(server, connection, None, &emitter).await?;
            objects.insert(path, HashMap::from([(CallObject::name().into(), properties)]));
            for (member, _) in row.members() {
                let path = names::peer_path(row.view.id, member.id);
                let emitter = SignalEmitter::new(connection, path.clone())?;
                let peer = PeerObject { engine: self.0.clone(), call: row.view.id, member: member.id };
                let properties = peer.get_all(server, connection, None, &emitter).await?;
                objects.insert(path, HashMap::from([(PeerObject::name().into(), properties)]));
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
            let objects = self.readable(server, connection).await?;
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
        introspect(&fdo::ObjectManager, writer, level);
    }
}
