//! `org.ahoyd.Calls1.Peer`, one object for each of the others in a call.
//!
//! Lives here: its members, one line each.
//! Must not: decide anything, or keep what changes.

use ahoy_call::{CallId, MemberId};
use zbus::{fdo, interface};

use super::engine_handle::EngineHandle;
use super::fault::Fault;
use super::names;
use super::options::{Dictionary, Options};
use super::shown::Peer;
use crate::values::contact_rules::{LOUDEST, MannerChange};
use crate::values::request::{Denied, DeniedKind, Request};
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
    fn remove(&self, options: Dictionary) -> Result<(), Fault> {
        Options::none(options)?;
        let sentence = "Nobody can be removed from a call of two: hang up.";
        Err(Denied::new(DeniedKind::InvalidState, sentence).into())
    }

    #[zbus(property)]
    fn name(&self) -> fdo::Result<String> {
        Ok(self.now()?.name)
    }

    #[zbus(property)]
    fn contact(&self) -> fdo::Result<String> {
        Ok(self.now()?.contact)
    }

    #[zbus(property)]
    fn state(&self) -> fdo::Result<&'static str> {
        Ok(self.now()?.state)
    }

    #[zbus(property)]
    fn muted(&self) -> fdo::Result<bool> {
        Ok(self.now()?.muted)
    }

    #[zbus(property)]
    fn video(&self) -> fdo::Result<bool> {
        Ok(self.now()?.video)
    }

    #[zbus(property)]
    fn screen(&self) -> fdo::Result<bool> {
        Ok(self.now()?.screen)
    }

    #[zbus(property)]
    fn speaking(&self) -> fdo::Result<bool> {
        Ok(self.now()?.speaking)
    }

    #[zbus(property)]
    fn quality(&self) -> fdo::Result<&'static str> {
        Ok(self.now()?.quality)
    }

    // The library would emit a second signal after a `Set`: this one is told by the publication alone.
    #[zbus(property(emits_changed_signal = "false"))]
    fn volume(&self) -> fdo::Result<f64> {
        Ok(self.now()?.volume)
    }

    /// Does not wait for the answer: the library holds a lock on the whole tree meanwhile, and a publication that adds a call
    /// would wait for it. What can be refused is refused here.
    #[zbus(property)]
    fn set_volume(&self, volume: f64) -> Result<(), Fault> {
        if !(0.0..=LOUDEST).contains(&volume) {
            return Err(Denied::new(DeniedKind::InvalidOption, "A volume lies between 0 and 2.").into());
        }
        let gone = || Denied::new(DeniedKind::NoSuchCall, "The call is over and gone.");
        let id = self.now().map_err(|_gone| gone())?.contact;
        let manner = MannerChange { volume: Some(volume), ..MannerChange::default() };
        let change = ContactChange { manner, ..ContactChange::default() };
        self.engine.send(Request::SetContact { id, change }).map(|_unheard| ())
    }

    #[zbus(property)]
    fn role(&self) -> fdo::Result<&'static str> {
        Ok(self.now()?.role)
    }

    #[zbus(property)]
    fn joined_at(&self) -> fdo::Result<i64> {
        Ok(self.now()?.joined_at)
    }

    #[zbus(property)]
    fn left_at(&self) -> fdo::Result<i64> {
        Ok(self.now()?.left_at)
    }
}

impl PeerObject {
    fn now(&self) -> fdo::Result<Peer> {
        let row = self.engine.row(self.call)?;
        let gone = || {
            let path = names::peer_path(self.call, self.member);
            fdo::Error::UnknownObject(format!("There is no {}.", path.as_str()))
        };
        row.member(self.member).map(Peer::of).ok_or_else(gone)
    }
}
