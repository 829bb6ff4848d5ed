//! `org.ahoyd.Calls1.Call`, one object for each call.
//!
//! Lives here: its members, one line each.
//! Must not: decide anything, or keep what changes.

use std::sync::Arc;

use ahoy_call::{CallId, Digits};
use zbus::{OwnedFd, fdo, interface};

use super::engine_handle::{AT_ONCE, EngineHandle, surprised};
use super::fault::Fault;
use super::object::{Object, Properties};
use super::options::{Dictionary, Options};
use super::{names, shown, stats, verbs};
use crate::values::board::CallRow;
use crate::values::contact_rules::MannerChange;
use crate::values::request::{Answer, CallRequest, ContactRequest, Denied, DeniedKind, Lease, Verb, Which};
use crate::values::rows::ContactChange;

const NO_DIGITS: &str = "Tones are 0 to 9, *, #, A to D, and ',' for a pause of 2 seconds: 1 to 64 of them.";

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
        let mut options = Options::from(options);
        let (everyone, guard) = (options.flag("everyone")?.unwrap_or(false), options.guard()?);
        options.finish()?;
        let verb = if everyone { Verb::EndForAll } else { Verb::HangUp };
        self.engine.verb(self.which(), verb, guard).await
    }

    async fn join(&self, options: Dictionary) -> Result<(), Fault> {
        self.engine.verb(self.which(), Verb::Join, Options::guard_only(options)?).await
    }

    async fn invite(&self, target: String, options: Dictionary) -> Result<(), Fault> {
        let mut options = Options::from(options);
        let lifetime = options.seconds("lifetime")?;
        options.finish()?;
        let target = self.engine.whom(target).await?;
        self.engine.done(CallRequest::Invite { call: self.call(), target, lifetime }).await
    }

    async fn set_muted(&self, muted: bool, options: Dictionary) -> Result<(), Fault> {
        self.engine.verb(self.which(), Verb::SetMuted(muted), Options::guard_only(options)?).await
    }

    async fn send_tones(&self, tones: String, options: Dictionary) -> Result<(), Fault> {
        let guard = Options::guard_only(options)?;
        let digits = Digits::parse(&tones).ok_or_else(|| Fault::option(NO_DIGITS))?;
        self.engine.verb(self.which(), Verb::SendTones(digits), guard).await
    }

    #[zbus(out_args("levels"))]
    async fn open_levels(&self, options: Dictionary) -> Result<OwnedFd, Fault> {
        Options::none(options)?;
        let (reader, into) = levels_pipe()?;
        self.engine.done(CallRequest::OpenLevels(self.call(), into)).await?;
        Ok(reader)
    }

    #[zbus(out_args("stats"))]
    async fn get_stats(&self, options: Dictionary) -> Result<Properties, Fault> {
        Options::none(options)?;
        let Answer::Stats(told) = self.engine.ask_within(AT_ONCE, CallRequest::Stats(self.call())).await?
        else {
            return Err(surprised());
        };
        let answered = self.engine.row(self.call()).ok().and_then(|row| row.view.answered);
        Ok(stats::spelled(&told, answered))
    }

    #[zbus(out_args("number", "groups"))]
    async fn get_safety_number(&self, options: Dictionary) -> Result<(String, Vec<String>), Fault> {
        Options::none(options)?;
        let Answer::Contact(row) = self.engine.ask(ContactRequest::Get(self.peer())).await? else {
            return Err(surprised());
        };
        let groups = row.safety_number.split_whitespace().map(str::to_owned).collect();
        Ok((row.safety_number, groups))
    }

    async fn confirm_safety_number(&self, same: bool, options: Dictionary) -> Result<(), Fault> {
        Options::none(options)?;
        let manner = MannerChange { verified: Some(same), ..MannerChange::default() };
        let change = ContactChange { manner, ..ContactChange::default() };
        self.engine.done(ContactRequest::Change(self.peer(), Box::new(change))).await
    }
}

impl Object for CallObject {
    fn constant(&self) -> Properties {
        shown::call_constants(&self.made_of, &self.engine.board().account)
    }

    fn changing(&self) -> fdo::Result<Properties> {
        self.engine.row(self.call()).map(|row| shown::call(&row))
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
}

/// A pipe for levels: what the client reads, and where they are written.
pub(super) fn levels_pipe() -> Result<(OwnedFd, Lease), Fault> {
    let (reader, writer) = std::io::pipe()
        .map_err(|error| Denied::new(DeniedKind::Failed, format!("No pipe can be had: {error}.")))?;
    Ok((std::os::fd::OwnedFd::from(reader).into(), Lease(writer.into())))
}
