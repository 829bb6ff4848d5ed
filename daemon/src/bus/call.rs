//! `org.ahoyd.Calls1.Call`, one object for each call.
//!
//! Lives here: its members, one line each.
//! Must not: decide anything, or keep what changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use ahoy_call::{CallId, Direction};
use zbus::wire::OwnedObjectPath;
use zbus::{OwnedFd, Variant, fdo, interface};

use super::engine_handle::{AT_ONCE, EngineHandle, surprised};
use super::fault::Fault;
use super::options::{Dictionary, Options};
use super::shown::Call;
use super::{names, verbs};
use crate::values::board::CallRow;
use crate::values::contact_rules::MannerChange;
use crate::values::request::{Answer, Denied, DeniedKind, Lease, Request, Verb, Which};
use crate::values::rows::ContactChange;

/// The object of a call. What changes is read from the board, what does not from the row it was made of.
#[derive(Clone, Debug)]
pub(super) struct CallObject {
    engine: EngineHandle,
    made_of: Arc<CallRow>,
}

#[interface(name = "org.ahoyd.Calls1.Call", spawn = false, introspection_docs = false)]
impl CallObject {
    async fn answer(&self, options: Dictionary) -> Result<(), Fault> {
        let (others, guard) = Options::answer(options)?;
        self.engine.verb(self.which(), Verb::Answer(others), guard).await
    }

    async fn decline(&self, reason: String, options: Dictionary) -> Result<(), Fault> {
        let (verb, guard) = verbs::decline(&reason, options)?;
        self.engine.verb(self.which(), verb, guard).await
    }

    async fn silence(&self, options: Dictionary) -> Result<(), Fault> {
        self.engine.verb(self.which(), Verb::Silence, Options::guard_only(options)?).await
    }

    async fn hold(&self, options: Dictionary) -> Result<(), Fault> {
        self.engine.verb(self.which(), Verb::Hold, Options::guard_only(options)?).await
    }

    async fn resume(&self, options: Dictionary) -> Result<(), Fault> {
        self.engine.verb(self.which(), Verb::Resume, Options::guard_only(options)?).await
    }

    async fn hangup(&self, options: Dictionary) -> Result<(), Fault> {
        self.engine.verb(self.which(), Verb::HangUp, Options::guard_only(options)?).await
    }

    async fn set_muted(&self, muted: bool, options: Dictionary) -> Result<(), Fault> {
        self.engine.verb(self.which(), Verb::SetMuted(muted), Options::guard_only(options)?).await
    }

    #[zbus(out_args("levels"))]
    async fn open_levels(&self, options: Dictionary) -> Result<OwnedFd, Fault> {
        Options::none(options)?;
        let (reader, into) = levels_pipe()?;
        self.engine.done(Request::OpenLevels { call: self.call(), into }).await?;
        Ok(reader)
    }

    #[zbus(out_args("stats"))]
    async fn get_stats(
        &self,
        options: Dictionary,
    ) -> Result<BTreeMap<&'static str, Variant<'static>>, Fault> {
        Options::none(options)?;
        let Answer::Stats(stats) = self.engine.ask_within(AT_ONCE, Request::GetStats(self.call())).await?
        else {
            return Err(surprised());
        };
        Ok(names::stats(&stats))
    }

    #[zbus(out_args("number", "groups"))]
    async fn get_safety_number(&self, options: Dictionary) -> Result<(String, Vec<String>), Fault> {
        Options::none(options)?;
        let Answer::Contact(row) = self.engine.ask(Request::GetContact(self.peer())).await? else {
            return Err(surprised());
        };
        let groups = row.safety_number.split_whitespace().map(str::to_owned).collect();
        Ok((row.safety_number, groups))
    }

    async fn confirm_safety_number(&self, same: bool, options: Dictionary) -> Result<(), Fault> {
        Options::none(options)?;
        let manner = MannerChange { verified: Some(same), ..MannerChange::default() };
        let change = ContactChange { manner, ..ContactChange::default() };
        self.engine.done(Request::SetContact { id: self.peer(), change }).await
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn id(&self) -> String {
        names::uuid(self.call())
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn direction(&self) -> &'static str {
        names::direction(self.made_of.view.direction)
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn kind(&self) -> &'static str {
        names::kind(self.made_of.view.kind)
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn account(&self) -> OwnedObjectPath {
        names::account_path(&self.engine.board().account.id)
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn contact(&self) -> String {
        names::contact(self.made_of.view.peer)
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn remote_name(&self) -> String {
        self.made_of.name.clone()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn remote_address(&self) -> String {
        self.made_of.address.clone()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn started_by(&self) -> String {
        match self.made_of.view.direction {
            Direction::Incoming => self.made_of.address.clone(),
            Direction::Outgoing => self.engine.board().account.address.clone(),
        }
    }

    #[zbus(property)]
    fn state(&self) -> fdo::Result<&'static str> {
        Ok(self.now()?.state)
    }

    #[zbus(property)]
    fn state_reason(&self) -> fdo::Result<&'static str> {
        Ok(self.now()?.state_reason)
    }

    #[zbus(property)]
    fn ended_by(&self) -> fdo::Result<&'static str> {
        Ok(self.now()?.ended_by)
    }

    #[zbus(property)]
    fn serial(&self) -> fdo::Result<u64> {
        Ok(self.now()?.serial)
    }

    #[zbus(property)]
    fn deadline_monotonic(&self) -> fdo::Result<u64> {
        Ok(self.now()?.deadline_monotonic)
    }

    #[zbus(property)]
    fn history_id(&self) -> fdo::Result<u64> {
        Ok(self.now()?.history_id)
    }

    #[zbus(property)]
    fn note(&self) -> fdo::Result<String> {
        Ok(self.now()?.note)
    }

    #[zbus(property)]
    fn message(&self) -> fdo::Result<String> {
        Ok(self.now()?.message)
    }

    #[zbus(property)]
    fn muted(&self) -> fdo::Result<bool> {
        Ok(self.now()?.muted)
    }

    #[zbus(property)]
    fn remote_muted(&self) -> fdo::Result<bool> {
        Ok(self.now()?.remote_muted)
    }

    #[zbus(property)]
    fn local_hold(&self) -> fdo::Result<bool> {
        Ok(self.now()?.local_hold)
    }

    #[zbus(property)]
    fn remote_hold(&self) -> fdo::Result<bool> {
        Ok(self.now()?.remote_hold)
    }

    #[zbus(property)]
    fn silenced(&self) -> fdo::Result<bool> {
        Ok(self.now()?.silenced)
    }

    #[zbus(property)]
    fn auto_answered(&self) -> fdo::Result<bool> {
        Ok(self.now()?.auto_answered)
    }

    #[zbus(property)]
    fn codec(&self) -> fdo::Result<&'static str> {
        Ok(self.now()?.codec)
    }

    #[zbus(property)]
    fn encrypted(&self) -> fdo::Result<bool> {
        Ok(self.now()?.encrypted)
    }

    #[zbus(property)]
    fn verified(&self) -> fdo::Result<bool> {
        Ok(self.now()?.verified)
    }

    #[zbus(property)]
    fn hears_only(&self) -> fdo::Result<bool> {
        Ok(self.now()?.hears_only)
    }

    #[zbus(property)]
    fn remote_hears_only(&self) -> fdo::Result<bool> {
        Ok(self.now()?.remote_hears_only)
    }

    #[zbus(property)]
    fn can_answer(&self) -> fdo::Result<bool> {
        Ok(self.now()?.can_answer)
    }

    #[zbus(property)]
    fn can_decline(&self) -> fdo::Result<bool> {
        Ok(self.now()?.can_decline)
    }

    #[zbus(property)]
    fn can_hangup(&self) -> fdo::Result<bool> {
        Ok(self.now()?.can_hangup)
    }

    #[zbus(property)]
    fn can_hold(&self) -> fdo::Result<bool> {
        Ok(self.now()?.can_hold)
    }

    #[zbus(property)]
    fn can_mute(&self) -> fdo::Result<bool> {
        Ok(self.now()?.can_mute)
    }

    #[zbus(property)]
    fn created_at(&self) -> fdo::Result<i64> {
        Ok(self.now()?.created_at)
    }

    #[zbus(property)]
    fn ringing_at(&self) -> fdo::Result<i64> {
        Ok(self.now()?.ringing_at)
    }

    #[zbus(property)]
    fn answered_at(&self) -> fdo::Result<i64> {
        Ok(self.now()?.answered_at)
    }

    #[zbus(property)]
    fn ended_at(&self) -> fdo::Result<i64> {
        Ok(self.now()?.ended_at)
    }

    #[zbus(property)]
    fn answered_monotonic(&self) -> fdo::Result<u64> {
        Ok(self.now()?.answered_monotonic)
    }
}

impl CallObject {
    /// An object for this call.
    pub(super) fn new(engine: EngineHandle, made_of: Arc<CallRow>) -> Self {
        Self { engine, made_of }
    }

    fn call(&self) -> CallId {
        self.made_of.view.id
    }

    fn peer(&self) -> String {
        names::contact(self.made_of.view.peer)
    }

    fn which(&self) -> Which {
        Which::Id(self.call())
    }

    fn now(&self) -> fdo::Result<Call> {
        let row = self.engine.row(self.call())?;
        Ok(Call::of(&row))
    }
}

/// A pipe for levels: what the client reads, and where they are written.
pub(super) fn levels_pipe() -> Result<(OwnedFd, Lease), Fault> {
    let (reader, writer) = std::io::pipe()
        .map_err(|error| Denied::new(DeniedKind::Failed, format!("No pipe can be had: {error}.")))?;
    Ok((std::os::fd::OwnedFd::from(reader).into(), Lease(writer.into())))
}
