//! `org.ahoyd.Calls1.Focus`: the call that matters.
//!
//! Lives here: its members, one line each.
//! Must not: choose the call (the engine does), or decide anything.

use zbus::{fdo, interface};

use super::engine_handle::{EngineHandle, surprised};
use super::fault::Fault;
use super::object::{Object, Properties};
use super::options::{Dictionary, Options};
use super::{shown, verbs};
use crate::values::request::{Answer, CallRequest, Verb, Which};

/// The object that is always there.
#[derive(Clone, Debug)]
pub(super) struct FocusObject(pub(super) EngineHandle);

#[interface(name = "org.ahoyd.Calls1.Focus", spawn = false, introspection_docs = false)]
impl FocusObject {
    async fn answer(&self, options: Dictionary) -> Result<(), Fault> {
        let (others, guard) = Options::answer(options)?;
        self.0.verb(Which::FocusRinging, Verb::Answer(others), guard).await
    }

    async fn decline(&self, reason: String, options: Dictionary) -> Result<(), Fault> {
        let (verb, guard) = verbs::decline(&reason, options)?;
        self.0.verb(Which::FocusRinging, verb, guard).await
    }

    async fn silence(&self, options: Dictionary) -> Result<(), Fault> {
        self.0.verb(Which::FocusRinging, Verb::Silence, Options::guard_only(options)?).await
    }

    async fn hangup(&self, options: Dictionary) -> Result<(), Fault> {
        self.0.verb(Which::Focus, Verb::HangUp, Options::guard_only(options)?).await
    }

    #[zbus(out_args("muted"))]
    async fn toggle_mute(&self, options: Dictionary) -> Result<bool, Fault> {
        let guard = Options::guard_only(options)?;
        let what = CallRequest::Verb { call: Which::Focus, verb: Verb::ToggleMute, guard };
        let Answer::Flag(muted) = self.0.ask(what).await? else { return Err(surprised()) };
        Ok(muted)
    }

    #[zbus(out_args("held"))]
    async fn toggle_hold(&self, options: Dictionary) -> Result<bool, Fault> {
        let guard = Options::guard_only(options)?;
        let what = CallRequest::Verb { call: Which::Focus, verb: Verb::ToggleHold, guard };
        let Answer::Flag(held) = self.0.ask(what).await? else { return Err(surprised()) };
        Ok(held)
    }
}

impl Object for FocusObject {
    fn changing(&self) -> fdo::Result<Properties> {
        Ok(shown::focus(&self.0.board()))
    }
}
