//! `org.ahoyd.Calls1.Focus`: the call that matters.
//!
//! Lives here: its members, one line each.
//! Must not: choose the call (the engine does), or decide anything.

use zbus::interface;
use zbus::wire::OwnedObjectPath;

use super::engine_handle::{EngineHandle, surprised};
use super::fault::Fault;
use super::options::{Dictionary, Options};
use super::properties::Settable;
use super::shown::Focus;
use super::verbs;
use crate::values::request::{Answer, Request, Verb, Which};

/// The object that is always there.
#[derive(Clone, Debug)]
pub(super) struct FocusObject(pub(super) EngineHandle);

impl Settable for FocusObject {}

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
        let what = Request::Verb { call: Which::Focus, verb: Verb::ToggleMute, guard };
        let Answer::Flag(muted) = self.0.ask(what).await? else { return Err(surprised()) };
        Ok(muted)
    }

    #[zbus(out_args("held"))]
    async fn toggle_hold(&self, options: Dictionary) -> Result<bool, Fault> {
        let guard = Options::guard_only(options)?;
        let what = Request::Verb { call: Which::Focus, verb: Verb::ToggleHold, guard };
        let Answer::Flag(held) = self.0.ask(what).await? else { return Err(surprised()) };
        Ok(held)
    }

    #[zbus(property)]
    fn state(&self) -> &'static str {
        self.now().state
    }

    #[zbus(property)]
    fn call(&self) -> OwnedObjectPath {
        self.now().call
    }

    #[zbus(property)]
    fn peer_name(&self) -> String {
        self.now().peer_name
    }

    #[zbus(property)]
    fn peer_icon(&self) -> String {
        self.now().peer_icon
    }

    #[zbus(property)]
    fn waiting(&self) -> OwnedObjectPath {
        self.now().waiting
    }

    #[zbus(property)]
    fn waiting_name(&self) -> String {
        self.now().waiting_name
    }

    #[zbus(property)]
    fn direction(&self) -> &'static str {
        self.now().direction
    }

    #[zbus(property)]
    fn muted(&self) -> bool {
        self.now().muted
    }

    #[zbus(property)]
    fn remote_hears_only(&self) -> bool {
        self.now().remote_hears_only
    }

    #[zbus(property)]
    fn remote_muted(&self) -> bool {
        self.now().remote_muted
    }

    #[zbus(property)]
    fn held(&self) -> bool {
        self.now().held
    }

    #[zbus(property)]
    fn silenced(&self) -> bool {
        self.now().silenced
    }

    #[zbus(property)]
    fn since_monotonic(&self) -> u64 {
        self.now().since_monotonic
    }

    #[zbus(property)]
    fn since_at(&self) -> i64 {
        self.now().since_at
    }

    #[zbus(property)]
    fn deadline_monotonic(&self) -> u64 {
        self.now().deadline_monotonic
    }

    #[zbus(property)]
    fn others(&self) -> u32 {
        self.now().others
    }

    #[zbus(property)]
    fn dnd(&self) -> &'static str {
        self.now().dnd
    }

    #[zbus(property)]
    fn missed(&self) -> u32 {
        self.now().missed
    }

    #[zbus(property)]
    fn can_answer(&self) -> bool {
        self.now().can_answer
    }

    #[zbus(property)]
    fn can_decline(&self) -> bool {
        self.now().can_decline
    }

    #[zbus(property)]
    fn can_hangup(&self) -> bool {
        self.now().can_hangup
    }

    #[zbus(property)]
    fn can_hold(&self) -> bool {
        self.now().can_hold
    }

    #[zbus(property)]
    fn can_mute(&self) -> bool {
        self.now().can_mute
    }

    #[zbus(property)]
    fn serial(&self) -> u64 {
        self.now().serial
    }
}

impl FocusObject {
    fn now(&self) -> Focus {
        Focus::of(&self.0.board())
    }
}
