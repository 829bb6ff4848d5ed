//! `org.ahoyd.Calls1.Peer`, one object for each of the others in a call.
//!
//! Lives here: its members, one line each.
//! Must not: decide anything, or keep what changes.

use ahoy_call::{CallId, CallKind, MemberId};
use zbus::{Variant, fdo, interface};

use super::engine_handle::EngineHandle;
use super::fault::Fault;
use super::object::{self, Object, Properties};
use super::options::{Dictionary, Options};
use super::{names, shown};
use crate::values::contact_rules::{LOUDEST, MannerChange};
use crate::values::request::{CallRequest, ContactRequest, Denied, DeniedKind};
use crate::values::rows::ContactChange;

/// The object of a member. All of it is read from the board.
#[derive(Clone, Debug)]
pub(super) struct PeerObject {
    pub(super) engine: EngineHandle,
    pub(super) call: CallId,
    pub(super) member: MemberId,
}

#[interface(name = "org.ahoyd.Calls1.Peer", spawn = false, introspection_docs = false)]
impl PeerObject {
    async fn remove(&self, options: Dictionary) -> Result<(), Fault> {
        Options::none(options)?;
        if self.engine.row(self.call).is_ok_and(|row| row.view.kind == CallKind::Direct) {
            let sentence = "Nobody can be removed from a call of two: hang up.";
            return Err(Denied::new(DeniedKind::InvalidState, sentence).into());
        }
        self.engine.done(CallRequest::RemoveMember(self.call, self.member)).await
    }
}

impl Object for PeerObject {
    const SETTABLE: &'static [&'static str] = &["Volume"];
    // The annotation was so when it was published, and stays: the publication tells each change.
    const SETTABLE_EMIT: bool = false;

    fn changing(&self) -> fdo::Result<Properties> {
        let row = self.engine.row(self.call)?;
        let gone = || {
            let path = names::peer_path(self.call, self.member);
            fdo::Error::UnknownObject(format!("There is no {}.", path.as_str()))
        };
        row.member(self.member).map(|member| shown::peer(member, &row)).ok_or_else(gone)
    }

    /// Does not wait for the answer: the library holds a lock on the whole tree meanwhile, and a publication that adds a call
    /// would wait for it. What can be refused is refused here.
    async fn set_property(&self, property: &str, value: &Variant<'_>) -> Result<(), Fault> {
        let Variant::F64(volume) = *value else {
            return Err(object::mistyped(property, "a number (d)", value));
        };
        if !(0.0..=LOUDEST).contains(&volume) {
            return Err(Denied::new(DeniedKind::InvalidOption, "A volume lies between 0 and 2.").into());
        }
        let gone = || Denied::new(DeniedKind::NoSuchCall, "The call is over and gone.");
        let row = self.engine.row(self.call).map_err(|_gone| gone())?;
        let (member, _) = row.member(self.member).ok_or_else(gone)?;
        let manner = MannerChange { volume: Some(volume), ..MannerChange::default() };
        let change = ContactChange { manner, ..ContactChange::default() };
        self.engine
            .send(ContactRequest::Change(names::contact(member.peer), Box::new(change)))
            .map(|_unheard| ())
    }
}
